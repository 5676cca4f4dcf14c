//! Writes the rows of all inputs as one table.
//!
//! The first input gives the header. The columns of the others are reordered to match it, or the
//! input is refused and the sink stays unchanged. A file with the final name is always complete:
//! the table is written under another name, synced, and renamed.

mod output;
mod terminal;

use std::fmt;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use output::Output;
use terminal::Terminal;

use super::column_names::{Names, quoted};
use super::columns::{align, nearest, shown};
use super::rows::{Rows, end_record, write_field};
use raudal_common::{Error, Kind, Result};

/// How the table is written.
///
/// ```
/// use raudal_table::Format;
/// assert_eq!("jsonl".parse::<Format>().unwrap(), Format::Jsonl);
/// assert_eq!("cvs".parse::<Format>().unwrap_err().hint_text(), Some("did you mean csv?"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// Commas, LF, quotes where needed.
    Csv,
    /// Tabs in place of commas.
    Tsv,
    /// One object per row. All values are text, and keys are in column order.
    Jsonl,
    /// For people: aligned, and cut to the width of a terminal.
    Table,
}

impl Format {
    /// Returns the format for a file's extension; CSV for an unknown one.
    ///
    /// ```
    /// use raudal_table::Format;
    /// use std::path::Path;
    /// assert_eq!(Format::of_path(Path::new("all.ndjson")), Format::Jsonl);
    /// assert_eq!(Format::of_path(Path::new("all.txt")), Format::Csv);
    /// ```
    pub fn of_path(path: &Path) -> Self {
        let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
        match extension.to_str() {
            Some("tsv" | "tab") => Self::Tsv,
            Some("jsonl" | "ndjson") => Self::Jsonl,
            _ => Self::Csv,
        }
    }

    const NAMES: [(&'static str, Self); 4] =
        [("csv", Self::Csv), ("tsv", Self::Tsv), ("jsonl", Self::Jsonl), ("table", Self::Table)];
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Some((_, format)) = Self::NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
            return Ok(*format);
        }
        let names = Self::NAMES.map(|(name, _)| name);
        let near = nearest(text, &names);
        let hint = if near.is_empty() {
            format!("one of {}", names.join(", "))
        } else {
            format!("did you mean {}?", near.join(" or "))
        };
        Err(Error::usage(format!("unknown format: {}", shown(text))).hint(hint))
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES.iter().find(|(_, format)| format == self).map_or("", |(name, _)| name);
        f.pad(name)
    }
}

/// Where the table goes.
#[non_exhaustive]
pub enum Target {
    /// Standard output, flushed after each input.
    Stdout,
    /// A file, which appears when the table is complete. Anything but a regular file (a pipe,
    /// `/dev/null`) is written as the rows come.
    File(PathBuf),
    /// Anything else, flushed after each input.
    Writer(Box<dyn Write + Send>),
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => f.write_str("Stdout"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Writer(_) => f.write_str("Writer"),
        }
    }
}

/// How a [`Sink`] writes.
///
/// ```
/// use raudal_table::{Format, SinkOptions};
/// let mut options = SinkOptions::new(Format::Table);
/// options.width = Some(80);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SinkOptions {
    /// The format.
    pub format: Format,
    /// The name of a first column that holds the source of each row.
    pub source_column: Option<String>,
    /// The width of the terminal in columns, for [`Format::Table`]; unlimited when `None`.
    pub width: Option<usize>,
}

impl SinkOptions {
    /// Creates options for a format, with no source column and no width.
    pub fn new(format: Format) -> Self {
        Self { format, source_column: None, width: None }
    }
}

impl Default for SinkOptions {
    /// CSV.
    fn default() -> Self {
        Self::new(Format::Csv)
    }
}

/// Returns the path for an incomplete table: adds `.partial` to the file's name.
///
/// ```
/// use raudal_table::partial_path;
/// use std::path::Path;
/// assert_eq!(partial_path(Path::new("out/all.csv")), Path::new("out/all.csv.partial"));
/// ```
pub fn partial_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Written {
    /// Rows, without the header.
    pub rows: u64,
    /// Bytes.
    pub bytes: u64,
    /// Columns.
    pub columns: usize,
    /// SHA-256 of the bytes, in hexadecimal.
    pub digest: String,
}

/// Writes the rows of many inputs as one table.
///
/// If dropped before [`Sink::finish`], it leaves no file behind.
pub struct Sink {
    output: Output,
    options: SinkOptions,
    shape: Shape,
    /// The first input's columns, and its name.
    reference: Option<(Vec<String>, String)>,
    rows: u64,
    /// Whether a write failed part-way: the output must not be published.
    broken: bool,
}

enum Shape {
    Separated(u8),
    /// The keys, each as JSON with its colon.
    Json(Vec<String>),
    Terminal(Box<Terminal>),
}

impl Sink {
    /// Opens the target. Does so early, to report a missing folder before anything is fetched.
    pub fn create(target: Target, options: SinkOptions) -> Result<Self> {
        let shape = match options.format {
            Format::Csv => Shape::Separated(b','),
            Format::Tsv => Shape::Separated(b'\t'),
            Format::Jsonl => Shape::Json(Vec::new()),
            Format::Table => Shape::Terminal(Box::new(Terminal::new(options.width))),
        };
        Ok(Self { output: Output::open(target)?, options, shape, reference: None, rows: 0, broken: false })
    }

    /// Appends the rows of an input. `source` is its name in errors and in the source column.
    ///
    /// # Errors
    ///
    /// After [`Kind::Headers`] or [`Kind::Column`], nothing was written and another input may be
    /// appended.
    pub fn append(&mut self, source: &str, rows: Rows) -> Result<()> {
        self.usable()?;
        let order = match &self.reference {
            None => {
                self.check_header(rows.header()).map_err(|error| error.input(source))?;
                None
            }
            Some((header, first)) => align(header, rows.header(), Names::default()).map_err(|error| {
                error
                    .input(source)
                    .hint(format!("compared with the first input: {}", raudal_common::error::redact(first)))
            })?,
        };
        // Any failure from here on leaves part of a table behind.
        self.broken = true;
        if self.reference.is_none() {
            self.write_header(rows.header())?;
            self.reference = Some((rows.header().to_vec(), source.to_owned()));
        }
        let kept = rows.rows_kept();
        let records = rows.store.into_reader()?;
        let source_cell = self.options.source_column.is_some().then(|| raudal_common::error::redact(source));
        match (&self.shape, &order, &source_cell) {
            (Shape::Separated(b','), None, None) => self.output.copy(records)?,
            _ => self.write_records(records, order.as_deref(), source_cell.as_deref())?,
        }
        self.rows += kept;
        self.output.input_done()?;
        self.broken = false;
        Ok(())
    }

    /// Publishes the table.
    pub fn finish(self) -> Result<Written> {
        self.publish(Path::to_path_buf)
    }

    /// Publishes a table that lacks inputs because the run was stopped. A file is published under
    /// [`partial_path`]: finished inputs are kept, and the final name never holds an incomplete
    /// table. Any other target works as with [`finish`](Self::finish).
    pub fn finish_partial(self) -> Result<Written> {
        self.publish(partial_path)
    }

    fn publish(mut self, name_of: impl FnOnce(&Path) -> PathBuf) -> Result<Written> {
        self.usable()?;
        if let Shape::Terminal(terminal) = &mut self.shape {
            let end = terminal.finish();
            self.output.write(end.as_bytes())?;
        }
        let columns = self
            .reference
            .as_ref()
            .map_or(0, |(header, _)| header.len() + usize::from(self.options.source_column.is_some()));
        let (bytes, digest) = self.output.publish(name_of)?;
        Ok(Written { rows: self.rows, bytes, columns, digest })
    }

    fn usable(&self) -> Result<()> {
        if self.broken {
            return Err(Error::new(Kind::Io, "the table is incomplete: writing to it failed before"));
        }
        Ok(())
    }

    fn check_header(&self, header: &[String]) -> Result<()> {
        if let Some(name) = &self.options.source_column
            && header.contains(name)
        {
            return Err(Error::new(
                Kind::Column,
                format!("the input already has a column with the name of the source column: {}", quoted(name)),
            )
            .hint("choose another name for [`source_column`]"));
        }
        if let Shape::Json(_) = self.shape {
            let mut names: Vec<&String> = header.iter().collect();
            names.sort_unstable();
            if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
                return Err(Error::new(
                    Kind::Column,
                    format!("the header has a name twice, which a JSON object cannot have: {}", quoted(twice[0])),
                )
                .hint("choose columns with [`select`], or another [`format`]"));
            }
        }
        Ok(())
    }

    fn write_header(&mut self, header: &[String]) -> Result<()> {
        let names: Vec<&str> = self.options.source_column.iter().chain(header).map(String::as_str).collect();
        match &mut self.shape {
            Shape::Separated(delimiter) => {
                let mut line = Vec::new();
                separated(names.iter().map(|name| name.as_bytes()), *delimiter, &mut line);
                self.output.write(&line)
            }
            Shape::Json(keys) => {
                *keys = names.iter().map(|name| format!("{}:", json(name))).collect();
                Ok(())
            }
            Shape::Terminal(terminal) => {
                terminal.header(&names);
                Ok(())
            }
        }
    }

    fn write_records(&mut self, records: impl Read, order: Option<&[usize]>, source: Option<&str>) -> Result<()> {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(records);
        let mut record = csv::ByteRecord::new();
        let mut line = Vec::new();
        while reader
            .read_byte_record(&mut record)
            .map_err(|error| Error::io("cannot read the rows from the temporary file", error.into()))?
        {
            let cell = |at: usize| record.get(order.map_or(at, |order| order[at])).unwrap_or_default();
            let cells = source.map(str::as_bytes).into_iter().chain((0..record.len()).map(cell));
            line.clear();
            match &mut self.shape {
                Shape::Separated(delimiter) => separated(cells, *delimiter, &mut line),
                Shape::Json(keys) => {
                    for (at, (key, cell)) in keys.iter().zip(cells).enumerate() {
                        line.push(if at == 0 { b'{' } else { b',' });
                        line.extend_from_slice(key.as_bytes());
                        serde_json::to_writer(&mut line, &String::from_utf8_lossy(cell))
                            .map_err(|error| Error::io("cannot write JSON", error.into()))?;
                    }
                    line.extend_from_slice(b"}\n");
                }
                Shape::Terminal(terminal) => {
                    let row: Vec<String> = cells.map(|cell| String::from_utf8_lossy(cell).into_owned()).collect();
                    line.extend_from_slice(terminal.row(&row).as_bytes());
                }
            }
            self.output.write(&line)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sink").field("options", &self.options).field("rows", &self.rows).finish_non_exhaustive()
    }
}

/// Appends a record with LF.
fn separated<'a>(cells: impl Iterator<Item = &'a [u8]>, delimiter: u8, out: &mut Vec<u8>) {
    let start = out.len();
    for (at, cell) in cells.enumerate() {
        if at > 0 {
            out.push(delimiter);
        }
        write_field(cell, delimiter, out);
    }
    end_record(start, out);
}

/// Formats the text as a JSON string.
fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
