//! Splits text into records.
//!
//! A record is found with `memchr`, three needles at once, and its fields are only counted. Nothing
//! is copied or unescaped until a caller wants the row. The rules are those of the `csv` crate; a
//! test compares the two on generated and hostile text. A quote opens a quoted field only at the
//! start of the field. CRLF, LF and a lone CR each end a record. Blank lines are skipped. Two rules
//! are stricter: every record has as many fields as the header, and an unclosed quote is an error.
//!
//! `simd-csv`'s splitter is not used: it treats a quote in the middle of a field as an opening one,
//! does not know a lone CR, and does not count fields.

use std::ops::Range;

use memchr::{memchr, memchr_iter, memchr2_iter, memchr3};

use super::columns::shown;
use super::limits::Limits;
use super::text::{Bytes, LEAST, Text};
use raudal_common::{Error, Kind, Result};

/// Text held at once. Of 64, 128, 256 and 512 KiB this suited the L2 cache best.
const BUFFER: usize = 256 << 10;

/// Shorter text is scanned byte by byte.
const NEAR: usize = 16;

/// The position of a record and what the scan found in it.
#[derive(Clone, Debug)]
pub(super) struct Record {
    place: Range<usize>,
    /// Whether it contains a quote.
    pub(super) quotes: bool,
    fields: usize,
}

/// The records of a text, one after another.
pub(super) struct Records<B> {
    text: Text<B>,
    delimiter: u8,
    limits: Limits,
    buffer: Vec<u8>,
    unread: Range<usize>,
    /// The line on which the unread text begins.
    line: u64,
    /// Whether the last line ended with CR, so that a following LF belongs to it.
    after_cr: bool,
    ended: bool,
    /// The error that follows the good text.
    fault: Option<Error>,
    header: Vec<String>,
}

enum Scan {
    Record {
        end: usize,
        fields: usize,
        quotes: bool,
        lines: u64,
    },
    /// The text ends within a field that began at `field`, and within a quoted one if `open`.
    Partial {
        field: usize,
        open: bool,
    },
}

impl<B: Bytes> Records<B> {
    pub(super) fn new(text: Text<B>, delimiter: u8, limits: &Limits) -> Self {
        Self {
            text,
            delimiter,
            limits: limits.clone(),
            buffer: vec![0; BUFFER],
            unread: 0..0,
            line: 1,
            after_cr: false,
            ended: false,
            fault: None,
            header: Vec::new(),
        }
    }

    /// Returns the first record. Every later record must have as many fields.
    pub(super) fn header(&mut self) -> Result<Vec<String>> {
        let Some(record) = self.next()? else {
            // The bytes were verified, so a retry would bring the same empty text.
            return Err(Error::new(Kind::Empty, "the file is empty: it has no header").transient(false));
        };
        let bytes = self.bytes(&record);
        let mut from = Some(0);
        let mut header = Vec::with_capacity(record.fields);
        while let Some(start) = from {
            let end = field_end(bytes, start, self.delimiter);
            let mut name = Vec::new();
            unquote(&bytes[start..end], &mut name);
            // `Text` validated the whole, and it is cut only at ASCII bytes.
            header.push(String::from_utf8_lossy(&name).into_owned());
            from = (end < bytes.len()).then_some(end + 1);
        }
        self.header.clone_from(&header);
        Ok(header)
    }

    /// The record's text without its line end.
    pub(super) fn bytes(&self, record: &Record) -> &[u8] {
        &self.buffer[record.place.clone()]
    }

    /// The next record that is not blank.
    pub(super) fn next(&mut self) -> Result<Option<Record>> {
        loop {
            self.skip_blank_lines();
            let text = &self.buffer[self.unread.clone()];
            let scan = if text.is_empty() {
                Scan::Partial { field: 0, open: false }
            } else {
                scan(text, self.delimiter, self.ended && self.fault.is_none())
            };
            match scan {
                Scan::Record { end, fields, quotes, lines } => {
                    return self.record(end, fields, quotes, lines).map(Some);
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
                        return Err(self
                            .locate_at(field, Error::new(Kind::Csv, "the quote that opens here is not closed"))
                            .hint("the file may be cut off, or a quote in a field is not doubled"));
                    }
                }
            }
        }
    }

    fn record(&mut self, end: usize, fields: usize, quotes: bool, lines: u64) -> Result<Record> {
        let start = self.unread.start;
        let record = Record { place: start..start + end, quotes, fields };
        if end > self.limits.field_bytes {
            self.long_record(&record)?;
        }
        if fields != self.header.len() && !self.header.is_empty() {
            let of = if fields == 1 { "1 field".to_owned() } else { format!("{fields} fields") };
            return Err(Error::new(Kind::Csv, format!("this record has {of}, the header has {}", self.header.len()))
                .line(self.line)
                .hint("if another character separates the fields, give it with [`delimiter`]"));
        }
        self.unread.start += end;
        if self.unread.start < self.unread.end {
            self.after_cr = self.buffer[self.unread.start] == b'\r';
            self.unread.start += 1;
        }
        self.line += lines + 1;
        Ok(record)
    }

    fn skip_blank_lines(&mut self) {
        while let Some(byte @ (b'\n' | b'\r')) = self.buffer[self.unread.clone()].first() {
            self.line += u64::from(!(*byte == b'\n' && self.after_cr));
            self.after_cr = *byte == b'\r';
            self.unread.start += 1;
        }
        self.after_cr &= self.unread.is_empty();
    }

    /// Checks the fields of a record that is longer than a field may be.
    fn long_record(&self, record: &Record) -> Result<()> {
        let bytes = self.bytes(record);
        if bytes.len() > self.limits.record_bytes() {
            return Err(self.too_long("record", self.limits.record_bytes()).line(self.line));
        }
        let mut from = Some(0);
        while let Some(start) = from {
            let end = field_end(bytes, start, self.delimiter);
            if end - start > self.limits.field_bytes {
                return Err(self.locate_at(start, self.too_long("field", self.limits.field_bytes)));
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
                error.hint("a quote may be missing its end; if the field is really this long, raise the limit with [`max_field_size`]")
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
        self.buffer.copy_within(self.unread.clone(), 0);
        self.unread = 0..self.unread.len();
        if self.buffer.len() - self.unread.end < self.buffer.len() / 2 {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        while self.buffer.len() - self.unread.end >= LEAST {
            match self.text.read(&mut self.buffer[self.unread.end..]) {
                Ok(0) => {
                    self.ended = true;
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
        let text = &self.buffer[self.unread.start..self.unread.start + offset];
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

/// Finds the end of the record that the text begins with.
fn scan(text: &[u8], delimiter: u8, whole: bool) -> Scan {
    let count = |part: &[u8]| memchr_iter(delimiter, part).count();
    let (mut at, mut plain, mut field, mut fields, mut quotes, mut inner) = (0, 0, 0, 1, false, 0);
    loop {
        let found = match memchr3(b'\n', b'\r', b'"', &text[at..]) {
            Some(found) => at + found,
            None if whole => text.len(),
            None => {
                let field = memchr::memrchr(delimiter, &text[plain..]).map_or(field, |last| plain + last + 1);
                return Scan::Partial { field, open: false };
            }
        };
        if text.get(found) != Some(&b'"') {
            fields += count(&text[plain..found]);
            return Scan::Record { end: found, fields, quotes, lines: inner };
        }
        quotes = true;
        at = found + 1;
        if found == 0 || text[found - 1] == delimiter {
            fields += count(&text[plain..found]);
            field = found;
            loop {
                match closing_quote(text, at) {
                    // The quote at the very end may be the first of two.
                    Some(close) if close + 1 < text.len() || whole => {
                        inner += lines(&text[at..close]);
                        at = close + 1;
                        plain = at;
                    }
                    _ => return Scan::Partial { field, open: true },
                }
                // Stay here if the next field is quoted too. Often all fields are, and short.
                if text.get(at) != Some(&delimiter) || text.get(at + 1) != Some(&b'"') {
                    break;
                }
                fields += 1;
                field = at + 1;
                at += 2;
            }
        }
    }
}

/// Finds the quote that closes a field whose content begins at `from`. Skips doubled quotes.
fn closing_quote(text: &[u8], mut from: usize) -> Option<usize> {
    loop {
        let at = from + find_near(b'"', &text[from..])?;
        if text.get(at + 1) != Some(&b'"') {
            return Some(at);
        }
        from = at + 2;
    }
}

/// Finds a byte that is likely near. In short text, calling `memchr` costs more than a plain loop.
fn find_near(needle: u8, text: &[u8]) -> Option<usize> {
    let (near, far) = text.split_at(text.len().min(NEAR));
    near.iter().position(|&byte| byte == needle).or_else(|| Some(NEAR + memchr(needle, far)?))
}

/// Counts the line ends in the text: LF, CRLF or CR.
fn lines(text: &[u8]) -> u64 {
    if text.len() <= NEAR && !text.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
        return 0;
    }
    memchr2_iter(b'\n', b'\r', text).filter(|&at| text[at] == b'\n' || text.get(at + 1) != Some(&b'\n')).count() as u64
}

/// Returns where the field that begins at `start` ends: at a delimiter or with the record.
pub(super) fn field_end(record: &[u8], start: usize, delimiter: u8) -> usize {
    let mut from = start;
    if record.get(start) == Some(&b'"') {
        from = closing_quote(record, start + 1).map_or(record.len(), |close| close + 1);
    }
    memchr(delimiter, &record[from..]).map_or(record.len(), |at| from + at)
}

/// Appends the value of a field: without the quotes around it, and with doubled quotes halved.
///
/// Text between the closing quote and the delimiter belongs to the field, as in the `csv` crate.
pub(super) fn unquote(field: &[u8], out: &mut Vec<u8>) {
    let Some(mut rest) = field.strip_prefix(b"\"") else {
        out.extend_from_slice(field);
        return;
    };
    while let Some(at) = memchr(b'"', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        if rest.first() != Some(&b'"') {
            break;
        }
        out.push(b'"');
        rest = &rest[1..];
    }
    out.extend_from_slice(rest);
}
