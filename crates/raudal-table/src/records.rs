//! The records of a text, one after another, each with as many fields as the header.
//!
//! [`scan`](super::scan) finds those of plain CSV; [`rewrite`](super::rewrite) those of any other
//! dialect. Two rules are stricter than those of the `csv` crate: a record has as many fields as the
//! header, and an unclosed quote is an error. Blank lines are skipped, but between the rows of a
//! table of one column they are empty cells.

mod blank;
mod fit;
mod head;
mod repeats;
mod shape;

use std::ops::Range;

use repeats::Repeats;
pub(super) use shape::Shape;

use super::columns::shown;
use super::dialect::Dialect;
use super::limits::Limits;
use super::lines::Lines;
use super::rewrite::{Rewriter, Rules};
use super::scan::{Scan, field_end, lines, scan};
use super::tally::Tally;
use super::text::{Bytes, LEAST, Text};
use raudal_common::{Error, Kind, Result};

/// Text held at once. Of 64, 128, 256 and 512 KiB this suited the L2 cache best.
const BUFFER: usize = 256 << 10;

/// The byte order mark. Every record that begins with its first byte gets a second look.
const BOM: &[u8] = b"\xef\xbb\xbf";
const BOM_BYTE: u8 = 0xef;

/// The position of a record and what the scan found in it.
#[derive(Clone, Debug)]
pub(super) struct Record {
    /// Where it is in the buffer, as it was written.
    place: Range<usize>,
    /// The line on which it begins.
    pub(super) line: u64,
    /// Whether it contains a quote.
    pub(super) quotes: bool,
    /// Whether it was written anew, so that it is not in the buffer.
    rewritten: bool,
    fields: usize,
    /// Line ends within it.
    lines: u64,
}

/// The records of a text.
#[expect(clippy::struct_excessive_bools, reason = "each is looked at for every record")]
pub(super) struct Records<'a, B> {
    text: Lines<B>,
    dialect: &'a Dialect,
    /// The delimiter of the text.
    delimiter: u8,
    /// Whether [`scan`] reads the records.
    is_plain: bool,
    /// Whether [`Self::next_plain`] may read the rows.
    is_fast: bool,
    rules: Rules,
    limits: Limits,
    buffer: Vec<u8>,
    /// Bytes of text behind a record that hints look at.
    reach: usize,
    unread: Range<usize>,
    /// The line on which the unread text begins.
    line: u64,
    /// Whether the last line ended with CR, so that a following LF belongs to it.
    after_cr: bool,
    ended: bool,
    /// The error that follows the good text.
    fault: Option<Error>,
    header: Vec<String>,
    /// The names in the header that those of the dialect replace; none if there is no header.
    pub(super) replaced: Vec<String>,
    /// The header as it was written; empty if there is none.
    header_bytes: Vec<u8>,
    /// Tells rows that may repeat the header.
    repeats: Repeats,
    /// How many lines are above what looks like the header, below a title.
    pub(super) title: Option<u64>,
    /// Whether the dialect or the text names the delimiter.
    is_told: bool,
    /// Whether each record is one line, a row of a sheet, whatever line ends are in its cells.
    is_sheet: bool,
    /// Fields of each record; 0 until the header was read.
    width: usize,
    /// Delimiters at the end of each record that the header lacks: 1 if the first record has one.
    trailing: usize,
    /// The line of the first record after the header; 0 before that.
    first_row: u64,
    /// Where the text began in the buffer and on which line, until that is overwritten.
    head: Option<(usize, u64)>,
    /// Empty lines that are rows, before the unread text: only in a table of one column.
    blanks: u64,
    /// The last record, if it was written anew.
    rewriter: Rewriter,
    pub(super) tally: Tally,
    pub(super) notes: Vec<String>,
}

impl<'a, B: Bytes> Records<'a, B> {
    /// `fallback` is the delimiter if the dialect names none.
    pub(super) fn new(text: Text<B>, dialect: &'a Dialect, fallback: u8, limits: &Limits) -> Self {
        let above = dialect.lines_above();
        let rules =
            Rules { delimiter: fallback, quote: dialect.quote.byte(), escape: dialect.escape, trim: dialect.trim };
        Self {
            text: Lines::new(text, above, dialect.footer, limits.record_bytes()),
            dialect,
            delimiter: fallback,
            is_plain: dialect.is_plain(),
            is_fast: false,
            rules,
            limits: limits.clone(),
            buffer: vec![0; BUFFER],
            reach: BUFFER,
            unread: 0..0,
            line: above.saturating_add(1),
            after_cr: false,
            ended: false,
            fault: None,
            header: Vec::new(),
            replaced: Vec::new(),
            header_bytes: Vec::new(),
            repeats: Repeats::default(),
            title: None,
            is_told: false,
            is_sheet: false,
            width: 0,
            trailing: 0,
            first_row: 0,
            head: None,
            blanks: 0,
            rewriter: Rewriter::default(),
            tally: Tally::default(),
            notes: Vec::new(),
        }
    }

    /// Holds so much text at once, from the first reading on.
    #[cfg(test)]
    pub(super) fn hold(&mut self, bytes: usize) {
        self.buffer = vec![0; bytes];
        self.reach = bytes;
    }

    /// Says that the text is a sheet: a record is a row, and so a line, and a blank line is no row.
    /// `above` rows were left out above it.
    pub(super) fn are_rows_of_a_sheet(&mut self, above: u64) {
        self.is_sheet = true;
        self.line = above.saturating_add(1);
    }

    /// The text that the records are read from.
    pub(super) fn text(&self) -> &Text<B> {
        self.text.text()
    }

    /// What separates the fields of the text.
    pub(super) fn delimiter(&self) -> u8 {
        self.delimiter
    }

    /// The byte between the fields of [`Self::bytes`].
    pub(super) fn separator(&self) -> u8 {
        if self.is_plain { self.delimiter } else { b',' }
    }

    /// The record's text without its line end, as plain CSV but for the [separator](Self::separator).
    pub(super) fn bytes(&self, record: &Record) -> &[u8] {
        if record.rewritten { &self.rewriter.record } else { &self.buffer[record.place.clone()] }
    }

    /// The next row: a record after the header that is neither blank nor left out.
    pub(super) fn next(&mut self) -> Result<Option<Record>> {
        if let Some(record) = self.next_plain() {
            return Ok(Some(record));
        }
        self.next_any()
    }

    /// The next row, if it is one of plain CSV that is all in the buffer and needs no other look.
    /// Nearly all rows are, so this is worth a short way.
    #[inline]
    pub(super) fn next_plain(&mut self) -> Option<Record> {
        let text = &self.buffer[self.unread.clone()];
        // Between CR and LF, or at a blank line.
        let text = if self.after_cr { text.strip_prefix(b"\n")? } else { text };
        if !self.is_fast || matches!(text.first()?, b'\n' | b'\r' | &BOM_BYTE) {
            return None;
        }
        let Scan::Record { end, fields, quotes, lines } = scan(text, self.delimiter, false) else { return None };
        let is_usual = fields == self.width
            && end <= self.limits.field_bytes
            && (lines == 0 || !self.may_swallow(&text[..end]))
            && !self.repeats.may_be(&text[..end]);
        if !is_usual {
            return None;
        }
        let start = self.unread.start + usize::from(self.after_cr);
        let line = self.line;
        // The scan has seen its line end.
        self.after_cr = self.buffer[start + end] == b'\r';
        self.unread.start = start + end + 1;
        self.line += if self.is_sheet { 1 } else { lines + 1 };
        if self.first_row == 0 {
            self.first_row = line;
        }
        Some(Record { place: start..start + end, line, quotes, rewritten: false, fields, lines })
    }

    /// The next row in any dialect.
    #[inline(never)]
    pub(super) fn next_any(&mut self) -> Result<Option<Record>> {
        loop {
            if self.width == 1
                && !self.is_sheet
                && let Some(record) = self.empty_row()?
            {
                return Ok(Some(record));
            }
            let Some(record) = self.split()? else { return Ok(None) };
            if record.fields == self.width && self.is_usual(&record) {
                return Ok(Some(record));
            }
            if let Some(record) = self.fit(record)? {
                return Ok(Some(record));
            }
        }
    }

    /// The next record that is neither blank nor a comment, whatever its length.
    fn split(&mut self) -> Result<Option<Record>> {
        loop {
            self.skip_blank_lines();
            self.drop_mark()?;
            // Where the text ends for now, a blank line may follow.
            if self.dialect.comment.is_some() && !self.unread.is_empty() && self.skip_comment()? {
                continue;
            }
            let text = &self.buffer[self.unread.clone()];
            let whole = self.ended && self.fault.is_none();
            let scan = if text.is_empty() {
                Scan::Partial { field: 0, open: false }
            } else if self.is_plain {
                scan(text, self.delimiter, whole)
            } else {
                self.rewriter.scan(text, self.rules, whole)
            };
            match scan {
                Scan::Record { end, fields, quotes, lines } => {
                    let record = self.record(end, fields, quotes, lines)?;
                    let is_blank =
                        self.dialect.trim && fields == 1 && self.width != 1 && self.bytes(&record).is_empty();
                    let is_none = is_blank || (end == 1 && self.is_end_mark(&record)?);
                    if !is_none {
                        return Ok(Some(record));
                    }
                }
                Scan::Partial { field, open } => {
                    if !self.ended {
                        self.bounds(field, open)?;
                        self.fill()?;
                    } else if let Some(fault) = self.fault.take() {
                        return Err(self.locate(fault));
                    } else if self.unread.is_empty() {
                        return Ok(None);
                    } else {
                        // Only a quoted field is still partial at the end.
                        return Err(self.unclosed(field));
                    }
                }
            }
        }
    }

    fn record(&mut self, end: usize, fields: usize, quotes: bool, lines: u64) -> Result<Record> {
        let start = self.unread.start;
        let (rewritten, line) = (!self.is_plain, self.line);
        let record = Record { place: start..start + end, line, quotes, rewritten, fields, lines };
        if end > self.limits.field_bytes {
            self.long_record(&record)?;
        }
        self.unread.start += end;
        if self.unread.start < self.unread.end {
            self.after_cr = self.buffer[self.unread.start] == b'\r';
            self.unread.start += 1;
        }
        self.line += if self.is_sheet { 1 } else { lines + 1 };
        Ok(record)
    }

    /// Checks the fields of a record that is longer than a field may be.
    fn long_record(&self, record: &Record) -> Result<()> {
        let bytes = self.bytes(record);
        if bytes.len() > self.limits.record_bytes() {
            return Err(self.too_long("record", self.limits.record_bytes()).line(record.line));
        }
        let mut from = Some(0);
        while let Some(start) = from {
            let end = field_end(bytes, start, self.separator());
            if end - start > self.limits.field_bytes {
                return Err(self.locate_in(bytes, start, self.too_long("field", self.limits.field_bytes)));
            }
            from = (end < bytes.len()).then_some(end + 1);
        }
        Ok(())
    }

    /// Checks the bounds of a record whose end has not arrived.
    fn bounds(&self, field: usize, open: bool) -> Result<()> {
        if self.unread.len() - field > self.limits.field_bytes {
            let error = self.locate_at(field, self.too_long("field", self.limits.field_bytes));
            return Err(if open {
                error.hint(
                    "a quote may be missing its end; if quotes are plain letters in this file, read it with [`quote`] none; \
                      if the field is really this long, raise the limit with [`max_field_size`]",
                )
            } else {
                error
            });
        }
        if self.unread.len() > self.limits.record_bytes() {
            return Err(self.too_long("record", self.limits.record_bytes()).line(self.line));
        }
        Ok(())
    }

    #[allow(clippy::unused_self)] // reads better at the call
    fn too_long(&self, what: &str, limit: usize) -> Error {
        Error::new(Kind::Bounds, format!("a {what} is longer than the limit: {limit} bytes"))
            .hint("raise the limit with [`max_field_size`] (the limit of a record is sixteen times as high)")
    }

    /// Moves the unread text to the front and fills the buffer behind it.
    fn fill(&mut self) -> Result<()> {
        if self.unread.start > 0 {
            self.head = None;
        }
        self.buffer.copy_within(self.unread.clone(), 0);
        self.unread = 0..self.unread.len();
        if self.buffer.len() - self.unread.end < self.buffer.len() / 2 {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        self.read_to(self.buffer.len())
    }

    /// Fills the buffer up to a place.
    fn read_to(&mut self, end: usize) -> Result<()> {
        while !self.ended && self.unread.end + LEAST <= end {
            match self.text.read(&mut self.buffer[self.unread.end..end]) {
                Ok(0) => {
                    self.ended = true;
                    self.drop_end_marks();
                    break;
                }
                Ok(count) => self.unread.end += count,
                // Only an error in the text has a line. Any other is returned at once.
                Err(error) if matches!(error.kind(), Kind::Encoding | Kind::Csv) => {
                    self.fault = Some(error);
                    self.ended = true;
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Adds the position of the end of the unread text to an error.
    fn locate(&self, error: Error) -> Error {
        self.locate_at(self.unread.len(), error)
    }

    /// Adds the line and the column of an offset in the unread record to an error.
    fn locate_at(&self, offset: usize, error: Error) -> Error {
        self.locate_in(&self.buffer[self.unread.start..], offset, error)
    }

    fn locate_in(&self, text: &[u8], offset: usize, error: Error) -> Error {
        let text = &text[..offset];
        let error = error.line(self.line + lines(text));
        let mut column = 0;
        let mut from = 0;
        while from < text.len() {
            let end = field_end(text, from, self.delimiter);
            if end == text.len() {
                break;
            }
            column += 1;
            from = end + 1;
        }
        match self.header.get(column) {
            Some(name) => error.column(shown(name)),
            None => error,
        }
    }
}
