//! The rows of one input, provisional until the whole input is verified. They are held in memory,
//! then in a temporary file.
//!
//! They are canonical CSV: commas, LF, quotes only where needed. The output does not depend on how
//! the input was written.

use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};

use memchr::{memchr, memchr3};

use raudal_common::error::printable;
use raudal_common::{Error, Result};

/// The verified rows of one input.
///
/// ```
/// use raudal_table::{Query, read};
///
/// let rows = read(std::io::Cursor::new("a,b\n1,2\n"), "x.csv", &Query::new(), &())?;
/// assert_eq!(rows.header(), ["a", "b"]);
/// assert_eq!((rows.rows_read(), rows.rows_kept(), rows.bytes()), (1, 1, 8));
/// # Ok::<(), raudal_common::Error>(())
/// ```
#[derive(Default)]
#[allow(clippy::struct_field_names)] // named as their getters are
pub struct Rows {
    pub(super) header: Vec<String>,
    pub(super) rows_read: u64,
    pub(super) rows_kept: u64,
    pub(super) bytes: u64,
    pub(super) members: Vec<String>,
    pub(super) warnings: Vec<String>,
    pub(super) notes: Vec<String>,
    /// The columns that the query names and the input does not have.
    pub(super) missing: Vec<String>,
    /// The names of the first header that those of the dialect replace.
    pub(super) replaced: Vec<String>,
    pub(super) store: Store,
}

impl Rows {
    /// The output columns, in order.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// Rows in the input, without its header.
    pub fn rows_read(&self) -> u64 {
        self.rows_read
    }

    /// Rows that passed the filter.
    pub fn rows_kept(&self) -> u64 {
        self.rows_kept
    }

    /// Uncompressed bytes read.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The members that were read; none for an input that is not an archive.
    pub fn members(&self) -> &[String] {
        &self.members
    }

    /// Oddities of the input: what was dropped, changed or guessed. A setting is named as in a
    /// [hint](raudal_common::Error::hint).
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Adds a warning about the input that whoever fetched it has.
    ///
    /// ```
    /// let mut rows = raudal_table::read(std::io::Cursor::new("a\n1\n"), "a.csv", &raudal_table::Query::new(), &())?;
    /// rows.warn("the head of the response has invalid lines");
    /// assert_eq!(rows.warnings().len(), 1);
    /// # Ok::<(), raudal_common::Error>(())
    /// ```
    pub fn warn(&mut self, warning: impl Into<String>) {
        self.warnings.push(warning.into());
    }

    /// What was found in the input or left out as asked, for those who want to know: its encoding,
    /// its comments.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}

impl Rows {
    /// Puts the name of a member before what was said of it: the warnings and notes from these
    /// places on.
    pub(super) fn name_member(&mut self, (warnings, notes): (usize, usize), member: &str) {
        let of_member = self.warnings.iter_mut().skip(warnings).chain(self.notes.iter_mut().skip(notes));
        for said in of_member {
            *said = format!("{}: {said}", printable(member));
        }
    }
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows")
            .field("columns", &self.header.len())
            .field("rows_read", &self.rows_read)
            .field("rows_kept", &self.rows_kept)
            .field("members", &self.members)
            .finish_non_exhaustive()
    }
}

/// Canonical CSV records, without a header.
#[derive(Default)]
pub(super) struct Store {
    /// Records not yet in the file; all of them while there is no file.
    pub(super) memory: Vec<u8>,
    limit: usize,
    file: Option<File>,
    /// Bytes in the file.
    spilled: u64,
}

impl Store {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Moves the records to the file if they exceed the limit. Call it after each record.
    pub(super) fn spill(&mut self) -> Result<()> {
        if self.memory.len() <= self.limit {
            return Ok(());
        }
        let records = std::mem::take(&mut self.memory);
        let written = self.write(&records);
        self.memory = records;
        self.memory.clear();
        written
    }

    /// Adds many records at once.
    pub(super) fn extend(&mut self, records: &[u8]) -> Result<()> {
        if self.memory.len() + records.len() <= self.limit {
            self.memory.extend_from_slice(records);
            return Ok(());
        }
        let memory = std::mem::take(&mut self.memory);
        self.write(&memory)?;
        self.write(records)
    }

    /// Writes records to the file, after those in it.
    fn write(&mut self, records: &[u8]) -> Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                let file = tempfile::tempfile().map_err(spilled)?;
                none.insert(file)
            }
        };
        file.write_all(records).map_err(spilled)?;
        self.spilled += records.len() as u64;
        Ok(())
    }

    /// Returns a reader of all records from the first, for a pass before the last one.
    pub(super) fn reader(&mut self) -> Result<Box<dyn Read + '_>> {
        match &mut self.file {
            None => Ok(Box::new(self.memory.as_slice())),
            Some(file) => {
                file.seek(SeekFrom::Start(0)).map_err(spilled)?;
                Ok(Box::new(file.chain(self.memory.as_slice())))
            }
        }
    }

    /// Returns the bytes of all records.
    pub(super) fn len(&self) -> u64 {
        self.spilled + self.memory.len() as u64
    }

    /// Returns a reader of all records from the first.
    pub(super) fn into_reader(mut self) -> Result<Box<dyn Read + Send>> {
        let rest = std::io::Cursor::new(self.memory);
        match self.file.take() {
            None => Ok(Box::new(rest)),
            Some(mut file) => {
                file.seek(SeekFrom::Start(0)).map_err(spilled)?;
                Ok(Box::new(file.chain(rest)))
            }
        }
    }
}

pub(super) fn spilled(error: std::io::Error) -> Error {
    let folder = std::env::temp_dir();
    Error::io(format!("cannot hold rows in a temporary file in {}", folder.display()), error)
        .hint("set TMPDIR to a folder with more space")
}

/// Appends a field, quoted only where necessary, as the `csv` crate's writer does (a test compares
/// them).
pub(super) fn write_field(field: &[u8], delimiter: u8, out: &mut Vec<u8>) {
    if memchr3(delimiter, b'"', b'\n', field).is_none() && memchr(b'\r', field).is_none() {
        out.extend_from_slice(field);
        return;
    }
    out.push(b'"');
    let mut rest = field;
    while let Some(at) = memchr(b'"', rest) {
        out.extend_from_slice(&rest[..=at]);
        out.push(b'"');
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

/// Ends the record that began at `start`. A single empty field is quoted: a blank line is no
/// record.
pub(super) fn end_record(start: usize, out: &mut Vec<u8>) {
    if out.len() == start {
        out.extend_from_slice(b"\"\"");
    }
    out.push(b'\n');
}
