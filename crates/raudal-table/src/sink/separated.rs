//! CSV and TSV.

use std::io::Read;

use super::options::SinkOptions;
use super::output::{Old, Output};
use super::schema::{Column, Schema};
use super::types::Type;
use super::writer::{Bytes, Ending, Row, Writer};
use crate::rows::{end_record, write_field};
use crate::text::Utf8Lines;
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
    /// What ends a record: LF, or as in the existing file.
    line_end: &'static [u8],
    line: Vec<u8>,
}

impl Separated {
    pub(super) fn new(mut output: Output, delimiter: u8, options: &SinkOptions) -> Result<Self> {
        let (mut existing, mut line_end) = (None, &b"\n"[..]);
        if let Some(old) = output.take_old() {
            existing = Some(header(&old, delimiter)?);
            let mut scanned = Scanned::new(old.reader()?, delimiter);
            let last = output.copy(&mut scanned)?;
            if let Some(line) = scanned.open_since() {
                let error = Error::new(Kind::Csv, "the existing file ends within a quoted field: cut off or damaged");
                return Err(error
                    .input(old.name())
                    .line(line)
                    .hint("rows after it would become part of that field: mend the file first"));
            }
            scanned.lines.end();
            if scanned.lines.others > 0 {
                return Err(Error::new(Kind::Encoding, "the existing file is not UTF-8")
                    .input(old.name())
                    .hint("rows are appended as UTF-8: bring the file to UTF-8 first, as with `iconv`"));
            }
            line_end = scanned.line_end.unwrap_or(line_end);
            // The last record may lack its line end.
            if last != line_end.last().copied() {
                output.write(line_end)?;
            }
        }
        Ok(Self { output, delimiter, bom: options.bom, existing, line_end, line: Vec::new() })
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
        if self.line_end != b"\n" {
            self.line.pop();
            self.line.extend_from_slice(self.line_end);
        }
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
        self.delimiter == b',' && self.line_end == b"\n"
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

/// Looks at the bytes that it passes on: what ends the first record, and whether the last one ends
/// within quotes.
struct Scanned<R> {
    reader: R,
    delimiter: u8,
    at: At,
    /// The line of the last byte, and that on which the last quoted field began.
    line: u64,
    opened: u64,
    read: u64,
    after_cr: bool,
    line_end: Option<&'static [u8]>,
    lines: Utf8Lines,
}

/// Where in a record a byte is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    Start,
    Plain,
    Quoted,
    /// Behind a quote in a quoted field: it ends the field, or is the first of two.
    Quote,
}

impl<R> Scanned<R> {
    fn new(reader: R, delimiter: u8) -> Self {
        Self {
            reader,
            delimiter,
            at: At::Start,
            line: 1,
            opened: 0,
            read: 0,
            after_cr: false,
            line_end: None,
            lines: Utf8Lines::default(),
        }
    }

    /// The line of the quote that opens the last field, if nothing closes it.
    fn open_since(&self) -> Option<u64> {
        (self.at == At::Quoted).then_some(self.opened)
    }

    fn byte(&mut self, byte: u8) {
        self.read += 1;
        // A byte order mark is not part of the first field.
        if self.read <= 3 && self.at == At::Start && BOM.get(self.read as usize - 1) == Some(&byte) {
            return;
        }
        let follows_cr = std::mem::replace(&mut self.after_cr, byte == b'\r');
        self.line += u64::from(byte == b'\r' || (byte == b'\n' && !follows_cr));
        if self.at == At::Quoted {
            self.at = if byte == b'"' { At::Quote } else { At::Quoted };
            return;
        }
        if follows_cr && self.line_end.is_none() {
            self.line_end = Some(if byte == b'\n' { b"\r\n" } else { b"\r" });
        }
        self.at = match (byte, self.at) {
            (b'"', At::Start) => {
                self.opened = self.line;
                At::Quoted
            }
            (b'"', At::Quote) => At::Quoted,
            (b'\n', _) => {
                self.line_end.get_or_insert(b"\n");
                At::Start
            }
            (b'\r', _) => At::Start,
            (byte, _) if byte == self.delimiter => At::Start,
            _ => At::Plain,
        };
    }
}

impl<R: Read> Read for Scanned<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.reader.read(buffer)?;
        for &byte in &buffer[..count] {
            self.byte(byte);
        }
        self.lines.feed(&buffer[..count]);
        Ok(count)
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
