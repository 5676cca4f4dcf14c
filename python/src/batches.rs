//! Record batches, and how other libraries of Python read them: the Arrow `PyCapsule` interface.

use arrow_array::cast::AsArray as _;
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::types::{Date32Type, Float64Type, Int64Type};
use arrow_array::{Array, RecordBatch, RecordBatchIterator};
use arrow_schema::ffi::FFI_ArrowSchema;
use arrow_schema::{DataType, SchemaRef};
use pyo3::exceptions::{PyIndexError, PyRuntimeError};
use pyo3::prelude::*;
use pyo3::types::{PyCapsule, PyList};

/// A table as record batches. It does not change.
#[pyclass(frozen, module = "raudal._raudal")]
pub(crate) struct Batches {
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
}

impl Batches {
    pub(crate) fn new(schema: SchemaRef, batches: Vec<RecordBatch>) -> Self {
        Self { schema, batches }
    }

    fn check(&self, column: usize) -> PyResult<()> {
        if column < self.schema.fields().len() { Ok(()) } else { Err(PyIndexError::new_err("no such column")) }
    }
}

#[pymethods]
impl Batches {
    /// Returns the schema as a capsule.
    fn __arrow_c_schema__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        let schema = FFI_ArrowSchema::try_from(self.schema.as_ref())
            .map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
        PyCapsule::new_with_value(py, schema, c"arrow_schema")
    }

    /// Returns a stream of the batches as a capsule. The columns are not cast: a consumer does that
    /// better.
    #[pyo3(signature = (requested_schema = None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        drop(requested_schema);
        let batches = self.batches.clone().into_iter().map(Ok);
        let reader = RecordBatchIterator::new(batches, self.schema.clone());
        PyCapsule::new_with_value(py, FFI_ArrowArrayStream::new(Box::new(reader)), c"arrow_array_stream")
    }

    fn __len__(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// The names of the columns.
    fn columns(&self) -> Vec<String> {
        self.schema.fields().iter().map(|field| field.name().clone()).collect()
    }

    /// The types of the columns.
    fn types(&self) -> Vec<&'static str> {
        let named = |of_type: &DataType| match of_type {
            DataType::Int64 => "int",
            DataType::Float64 => "float",
            DataType::Date32 => "date",
            _ => "text",
        };
        self.schema.fields().iter().map(|field| named(field.data_type())).collect()
    }

    /// The number of batches.
    fn count(&self) -> usize {
        self.batches.len()
    }

    /// The bytes of memory that the rows take.
    fn nbytes(&self) -> usize {
        self.batches.iter().map(RecordBatch::get_array_memory_size).sum()
    }

    /// The number of missing cells in a column.
    fn nulls(&self, column: usize) -> PyResult<usize> {
        self.check(column)?;
        Ok(self.batches.iter().map(|batch| batch.column(column).null_count()).sum())
    }

    /// The cells of a column from the row `start`, at most `count`: text, numbers, days since
    /// 1970-01-01 for dates, and `None`.
    fn cells<'py>(&self, py: Python<'py>, column: usize, start: usize, count: usize) -> PyResult<Bound<'py, PyList>> {
        self.check(column)?;
        let list = PyList::empty(py);
        let (mut skip, mut left) = (start, count);
        for batch in &self.batches {
            let rows = batch.num_rows();
            if skip >= rows {
                skip -= rows;
                continue;
            }
            let taken = left.min(rows - skip);
            append(&list, batch.column(column).as_ref(), skip, taken)?;
            (skip, left) = (0, left - taken);
            if left == 0 {
                break;
            }
        }
        Ok(list)
    }
}

fn append(list: &Bound<'_, PyList>, array: &dyn Array, start: usize, count: usize) -> PyResult<()> {
    let array = array.slice(start, count);
    match array.data_type() {
        DataType::Int64 => array.as_primitive::<Int64Type>().iter().try_for_each(|cell| list.append(cell)),
        DataType::Float64 => array.as_primitive::<Float64Type>().iter().try_for_each(|cell| list.append(cell)),
        DataType::Date32 => array.as_primitive::<Date32Type>().iter().try_for_each(|cell| list.append(cell)),
        _ => array.as_string::<i32>().iter().try_for_each(|cell| list.append(cell)),
    }
}
