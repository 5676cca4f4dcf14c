//! Apache Parquet.

use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::arrow::{Batches, external};
use super::output::Output;
use super::schema::Schema;
use super::writer::{Bytes, Ending, Row, Writer};
use raudal_common::{Error, Kind, Result};

/// A row group is written when it takes this much memory.
const MEMORY: usize = 64 << 20;

pub(super) struct Parquet {
    /// The output until the schema is known.
    output: Option<Output>,
    open: Option<(ArrowWriter<Output>, Batches)>,
}

impl Parquet {
    pub(super) fn new(output: Output) -> Self {
        Self { output: Some(output), open: None }
    }
}

impl Writer for Parquet {
    fn begin(&mut self, schema: &Schema) -> Result<()> {
        let batches = Batches::new(schema);
        let output = self.output.take().ok_or_else(twice)?;
        // Snappy is what every reader has, and pure Rust here.
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let writer = ArrowWriter::try_new(output, batches.fields.clone(), Some(properties)).map_err(failed)?;
        self.open = Some((writer, batches));
        Ok(())
    }

    fn row(&mut self, row: &Row<'_>) -> Result<()> {
        let (writer, batches) = self.open.as_mut().ok_or_else(twice)?;
        if let Some(batch) = batches.row(row)? {
            writer.write(&batch).map_err(failed)?;
            if writer.memory_size() > MEMORY {
                writer.flush().map_err(failed)?;
            }
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>, ending: Ending) -> Result<Option<Bytes>> {
        if self.open.is_none() {
            self.begin(&Schema::default())?;
        }
        let (mut writer, mut batches) = self.open.take().ok_or_else(twice)?;
        if let Some(batch) = batches.rest()? {
            writer.write(&batch).map_err(failed)?;
        }
        // `into_inner` writes the footer.
        writer.into_inner().map_err(failed)?.publish(ending).map(Some)
    }
}

fn twice() -> Error {
    Error::new(Kind::Internal, "the table has not begun, or has begun twice")
}

fn failed(error: ParquetError) -> Error {
    match error {
        ParquetError::External(error) => external(error),
        error => Error::new(Kind::Io, "cannot write Parquet").because(error),
    }
}
