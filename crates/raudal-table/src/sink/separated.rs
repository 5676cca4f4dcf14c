//! CSV and TSV.

use std::io::Read;

use super::options::SinkOptions;
use super::output::{Old, Output};
use super::schema::{Column, Schema};
use super::types::Type;
use super::writer::{Bytes, Ending, Row, Writer};
use crate::rows::{end_record, write_field};
use raudal_common::{Error, Kind, Result};

/// What Excel needs to read a file as UTF-8.
const BOM: &[u8] = b"\xef\xbb\xbf";
/// A longer header of an existing file is refused.
const LONGEST_HEADER: u64 = 64 << 20;

pub(super) struct Separated {
    output: Output,
    delimiter: u8,
    bom: bool,
    existing: Option<Vec<Column>>,
    line: Vec<u8>,
}

impl Separated {
    pub(super) fn new(mut output: Output, delimiter: u8, options: &SinkOptions) -> Result<Self> {
        let existing = match output.take_old() {
            None => None,
            Some(old) => {
                let existing = header(&old, delimiter)?;
                // The last record may lack its line end.
                if output.copy(&mut old.reader()?)? != Some(b'\n') {
                    output.write(b"\n")?;
                }
                Some(existing)
            }
        };
        Ok(Self { output, delimiter, bom: options.bom, existing, line: Vec::new() })
    }

    fn record<'a>(&mut self, cells: impl Iterator<Item = &'a [u8]>) -> Result<()> {
        self.line.clear();
        for (at, cell) in cells.enumerate() {
            if at > 0 {
                self.line.push(self.delimiter);
            }
            write_field(cell, self.delimiter, &mut self.line);
        }
        end_record(0, &mut self.line);
        self.output.write(&self.line)
    }
}

impl Writer for Separated {
    fn existing(&self) -> Option<&[Column]> {
        self.existing.as_deref()
    }

    fn begin(&mut self, schema: &Schema) -> Result<()> {
        if self.existing.is_some() {
            return Ok(());
        }
        if self.bom {
            self.output.write(BOM)?;
        }
        self.record(schema.names().map(str::as_bytes))
    }

    fn row(&mut self, row: &Row<'_>) -> Result<()> {
        self.record(row.cells())
    }

    fn copies_records(&self) -> bool {
        self.delimiter == b','
    }

    fn copy(&mut self, records: &mut dyn Read) -> Result<()> {
        self.output.copy(records).map(drop)
    }

    fn input_done(&mut self) -> Result<()> {
        self.output.input_done()
    }

    fn finish(self: Box<Self>, ending: Ending) -> Result<Option<Bytes>> {
        self.output.publish(ending).map(Some)
    }
}

/// Reads the header of an existing file.
fn header(old: &Old, delimiter: u8) -> Result<Vec<Column>> {
    let refused = |error| {
        Error::new(Kind::Csv, "the header of the existing file cannot be read").because(error).input(old.name())
    };
    let reader = old.reader()?.take(LONGEST_HEADER);
    let mut reader = csv::ReaderBuilder::new().has_headers(false).delimiter(delimiter).from_reader(reader);
    let mut record = csv::StringRecord::new();
    reader.read_record(&mut record).map_err(refused)?;
    let named = |(at, name): (usize, &str)| {
        let name = if at == 0 { name.trim_start_matches('\u{feff}') } else { name };
        Column { name: name.to_owned(), of_type: Type::Text }
    };
    Ok(record.iter().enumerate().map(named).collect())
}
