//! Arrow's IPC format, and the record batches that Parquet is written from.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

use arrow_array::builder::{Date32Builder, Float64Builder, Int64Builder, StringBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_ipc::writer::{FileWriter, StreamWriter};
use arrow_schema::{ArrowError, DataType, Field, SchemaRef};

use super::options::BatchSink;
use super::output::Output;
use super::schema::{Schema, Value};
use super::types::Type;
use super::writer::{Bytes, Ending, Row, Writer};
use raudal_common::{Error, Kind, Result};

/// Rows in a batch, at most.
const ROWS: usize = 64 << 10;
/// Bytes of cells in a batch; it ends with the row that passes them.
const BYTES: usize = 4 << 20;
/// Arrow's offsets into the text of a column are of 32 bits.
const LONGEST: usize = i32::MAX as usize;

pub(super) struct Arrow {
    /// The output until the schema is known.
    output: Option<Output>,
    open: Option<(Ipc, Batches)>,
}

enum Ipc {
    /// With a footer, so that readers find any batch.
    File(FileWriter<Output>),
    Stream(StreamWriter<Output>),
}

impl Arrow {
    pub(super) fn new(output: Output) -> Self {
        Self { output: Some(output), open: None }
    }

    fn send(&mut self, batch: Option<&RecordBatch>) -> Result<()> {
        let (Some((ipc, _)), Some(batch)) = (&mut self.open, batch) else { return Ok(()) };
        match ipc {
            Ipc::File(writer) => writer.write(batch),
            Ipc::Stream(writer) => writer.write(batch),
        }
        .map_err(failed)
    }
}

impl Writer for Arrow {
    fn begin(&mut self, schema: &Schema) -> Result<()> {
        let batches = Batches::new(schema);
        let output = self.output.take().ok_or_else(twice)?;
        let ipc = if output.is_file() {
            Ipc::File(FileWriter::try_new(output, &batches.fields).map_err(failed)?)
        } else {
            Ipc::Stream(StreamWriter::try_new(output, &batches.fields).map_err(failed)?)
        };
        self.open = Some((ipc, batches));
        Ok(())
    }

    fn row(&mut self, row: &Row<'_>) -> Result<()> {
        let (_, batches) = self.open.as_mut().ok_or_else(twice)?;
        let batch = batches.row(row)?;
        self.send(batch.as_ref())
    }

    fn input_done(&mut self) -> Result<()> {
        match &mut self.open {
            Some((Ipc::Stream(_), batches)) => {
                let batch = batches.rest()?;
                self.send(batch.as_ref())?;
                match &mut self.open {
                    Some((Ipc::Stream(writer), _)) => writer.get_mut().input_done(),
                    _ => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    fn finish(mut self: Box<Self>, ending: Ending) -> Result<Option<Bytes>> {
        if self.open.is_none() {
            self.begin(&Schema::default())?;
        }
        let batch = match &mut self.open {
            Some((_, batches)) => batches.rest()?,
            None => None,
        };
        self.send(batch.as_ref())?;
        let (ipc, _) = self.open.take().ok_or_else(twice)?;
        // `into_inner` writes the end.
        let output = match ipc {
            Ipc::File(writer) => writer.into_inner(),
            Ipc::Stream(writer) => writer.into_inner(),
        };
        output.map_err(failed)?.publish(ending).map(Some)
    }
}

/// Hands record batches to a [`BatchSink`].
pub(super) struct InMemory {
    to: Box<dyn BatchSink>,
    open: Option<Batches>,
}

impl InMemory {
    pub(super) fn new(to: Box<dyn BatchSink>) -> Self {
        Self { to, open: None }
    }

    fn rest(&mut self) -> Result<()> {
        let rest = self.open.as_mut().map(Batches::rest).transpose()?.flatten();
        rest.map_or(Ok(()), |batch| self.to.batch(batch))
    }
}

impl Writer for InMemory {
    fn begin(&mut self, schema: &Schema) -> Result<()> {
        let batches = Batches::new(schema);
        self.to.begin(Arc::clone(&batches.fields))?;
        self.open = Some(batches);
        Ok(())
    }

    fn row(&mut self, row: &Row<'_>) -> Result<()> {
        match self.open.as_mut().ok_or_else(twice)?.row(row)? {
            Some(batch) => self.to.batch(batch),
            None => Ok(()),
        }
    }

    fn input_done(&mut self) -> Result<()> {
        if self.to.is_waiting() { self.rest() } else { Ok(()) }
    }

    fn finish(mut self: Box<Self>, _: Ending) -> Result<Option<Bytes>> {
        if self.open.is_none() {
            self.begin(&Schema::default())?;
        }
        self.rest()?;
        Ok(Some(Bytes::default()))
    }
}

fn twice() -> Error {
    Error::new(Kind::Internal, "the table has not begun, or has begun twice")
}

/// Returns an error of the output as it was, so that a closed pipe or a full disk is known by it.
pub(super) fn failed(error: ArrowError) -> Error {
    match error {
        ArrowError::IoError(_, error) => Error::io("cannot write the table", error),
        ArrowError::ExternalError(error) => external(error),
        error => Error::new(Kind::Internal, "cannot make a record batch").because(error),
    }
}

/// Finds the I/O error within another one.
pub(super) fn external(error: Box<dyn StdError + Send + Sync>) -> Error {
    match error.downcast::<io::Error>() {
        Ok(error) => Error::io("cannot write the table", *error),
        Err(error) => Error::new(Kind::Io, "cannot write the table").because(error),
    }
}

/// Makes record batches of rows.
pub(super) struct Batches {
    schema: Schema,
    pub(super) fields: SchemaRef,
    columns: Vec<Builder>,
    rows: usize,
    bytes: usize,
}

enum Builder {
    Text(StringBuilder),
    Int(Int64Builder),
    Float(Float64Builder),
    Date(Date32Builder),
}

impl Batches {
    pub(super) fn new(schema: &Schema) -> Self {
        let field = |column: &super::schema::Column| {
            let (of_type, nullable) = match column.of_type {
                Type::Text => (DataType::Utf8, false),
                Type::Int => (DataType::Int64, true),
                Type::Float => (DataType::Float64, true),
                Type::Date => (DataType::Date32, true),
            };
            Field::new(&column.name, of_type, nullable)
        };
        let builder = |column: &super::schema::Column| match column.of_type {
            Type::Text => Builder::Text(StringBuilder::new()),
            Type::Int => Builder::Int(Int64Builder::new()),
            Type::Float => Builder::Float(Float64Builder::new()),
            Type::Date => Builder::Date(Date32Builder::new()),
        };
        let fields: Vec<Field> = schema.columns.iter().map(field).collect();
        Self {
            schema: schema.clone(),
            fields: Arc::new(arrow_schema::Schema::new(fields)),
            columns: schema.columns.iter().map(builder).collect(),
            rows: 0,
            bytes: 0,
        }
    }

    /// Adds a row. Returns a batch when it is full.
    pub(super) fn row(&mut self, row: &Row<'_>) -> Result<Option<RecordBatch>> {
        for (at, (cell, builder)) in row.cells().zip(&mut self.columns).enumerate() {
            if cell.len() > LONGEST - BYTES {
                return Err(Error::new(Kind::Bounds, "a cell is too long for a record batch: 2 GiB"));
            }
            self.bytes += cell.len().max(8);
            let value = self.schema.value(at, cell)?;
            match (builder, value) {
                (Builder::Text(builder), Value::Text(text)) => builder.append_value(text),
                (Builder::Int(builder), Value::Int(int)) => builder.append_value(int),
                (Builder::Float(builder), Value::Float(float)) => builder.append_value(float),
                (Builder::Date(builder), Value::Date(days)) => builder.append_value(days),
                (Builder::Text(builder), _) => builder.append_value(""),
                (Builder::Int(builder), _) => builder.append_null(),
                (Builder::Float(builder), _) => builder.append_null(),
                (Builder::Date(builder), _) => builder.append_null(),
            }
        }
        self.rows += 1;
        if self.rows >= ROWS || self.bytes >= BYTES { self.rest() } else { Ok(None) }
    }

    /// Returns the rows that are not in a batch yet.
    pub(super) fn rest(&mut self) -> Result<Option<RecordBatch>> {
        if self.rows == 0 || self.columns.is_empty() {
            return Ok(None);
        }
        let arrays = self.columns.iter_mut().map(|builder| match builder {
            Builder::Text(builder) => Arc::new(builder.finish()) as ArrayRef,
            Builder::Int(builder) => Arc::new(builder.finish()),
            Builder::Float(builder) => Arc::new(builder.finish()),
            Builder::Date(builder) => Arc::new(builder.finish()),
        });
        let batch = RecordBatch::try_new(Arc::clone(&self.fields), arrays.collect()).map_err(failed)?;
        (self.rows, self.bytes) = (0, 0);
        Ok(Some(batch))
    }
}
