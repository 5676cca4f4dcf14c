//! The beginning of a text: what separates its fields, and its header.

use super::{Record, Records};
use crate::dialect::{Delimiter, Header, spelled};
use crate::impostor;
use crate::scan::{field_end, unquote};
use crate::sniff::{USUAL, sniff};
use crate::tally::Count;
use crate::text::Bytes;
use memchr::memchr2;
use raudal_common::{Error, Kind, Result};

impl<B: Bytes> Records<'_, B> {
    /// Returns the names of the columns. Every later record must have as many fields.
    pub(in super::super) fn header(&mut self) -> Result<Vec<String>> {
        self.begin()?;
        let Some(record) = self.split()? else {
            let error = Error::new(Kind::Empty, "nothing in it, not even a header");
            let above = self.dialect.lines_above();
            let error =
                if above > 0 { error.hint(format!("[`skip_rows`] and [`header`] skip {above} lines")) } else { error };
            // The bytes were verified, so a retry would bring the same empty text.
            return Err(error.transient(false));
        };
        let names = self.names(&record);
        self.refuse_one_column(&record)?;
        self.width = record.fields;
        if self.dialect.header == Header::None {
            self.header = (1..=self.width).map(|at| format!("column_{at}")).collect();
            // The record is a row: read it again as one.
            (self.unread.start, self.line, self.after_cr) = (record.place.start, record.line, false);
            self.tally.as_they_stand = Count::default();
        } else {
            self.header_bytes = self.bytes(&record).to_vec();
            self.header = names;
        }
        if !self.dialect.columns.is_empty() {
            self.rename()?;
        }
        self.is_fast = self.is_plain && self.dialect.comment.is_none() && self.width > 1;
        Ok(self.header.clone())
    }

    /// Refuses a text of one line that reads like a message, once all of it was read.
    pub(in super::super) fn refuse_message(&self, rows: u64) -> Result<()> {
        match self.header.as_slice() {
            [name] if rows == 0 && !self.header_bytes.is_empty() && impostor::is_message(name) => {
                Err(impostor::message(name))
            }
            _ => Ok(()),
        }
    }

    /// Reads the beginning of the text and decides on the delimiter.
    fn begin(&mut self) -> Result<()> {
        self.fill()?;
        self.head = Some((self.unread.start, self.line));
        let whole = self.ended && self.fault.is_none();
        impostor::refuse_document(&self.buffer[self.unread.clone()], whole)?;
        let named = self.delimiter_line();
        let delimiter = match (self.dialect.delimiter, named) {
            (Delimiter::Byte(byte), _) => byte,
            (_, Some(byte)) => {
                self.notes.push(format!("its first line names the delimiter: {}", spelled(byte)));
                byte
            }
            (Delimiter::ByName, None) => self.delimiter,
            (Delimiter::Auto, None) => self.guess()?,
        };
        (self.delimiter, self.rules.delimiter) = (delimiter, delimiter);
        Ok(())
    }

    /// Reads over a first line `sep=;`, which Excel takes for an instruction. Returns its byte.
    fn delimiter_line(&mut self) -> Option<u8> {
        let text = &self.buffer[self.unread.clone()];
        let end = memchr2(b'\n', b'\r', text)?;
        let line = &text[..end];
        let line = line.strip_prefix(b"\"").and_then(|line| line.strip_suffix(b"\"")).unwrap_or(line);
        let (key, value) = line.split_at_checked(4)?;
        let [byte] = value else { return None };
        if !key.eq_ignore_ascii_case(b"sep=") || !byte.is_ascii() {
            return None;
        }
        let byte = *byte;
        self.after_cr = text[end] == b'\r';
        self.unread.start += end + 1;
        self.line += 1;
        Some(byte)
    }

    /// Guesses the delimiter from the beginning of the text.
    fn guess(&mut self) -> Result<u8> {
        let text = &self.buffer[self.unread.clone()];
        let whole = self.ended && self.fault.is_none();
        let Some(layout) = sniff(text, whole, &USUAL, self.rules, self.dialect.comment.as_deref()) else {
            self.notes.push("it has one column: no delimiter was found".to_owned());
            return Ok(b',');
        };
        if !layout.is_first && layout.run > 1 && self.dialect.header != Header::None {
            let line = self.line + layout.above;
            return Err(Error::new(
                Kind::Csv,
                format!("its header is not on line {}, but rather on line {line}", self.line),
            )
            .hint(format!("[`skip_rows`] {}", line - 1)));
        }
        self.notes.push(format!("the delimiter that was found: {}", spelled(layout.delimiter)));
        Ok(layout.delimiter)
    }

    /// Returns the fields of the header.
    fn names(&mut self, record: &Record) -> Vec<String> {
        let (bytes, separator) = (self.bytes(record), self.separator());
        let mut from = Some(0);
        let mut names = Vec::with_capacity(record.fields);
        let mut odd = 0;
        while let Some(start) = from {
            let end = field_end(bytes, start, separator);
            let mut name = Vec::new();
            odd += usize::from(!unquote(&bytes[start..end], &mut name));
            // `Text` validated the whole, and it is cut only at ASCII bytes.
            names.push(String::from_utf8_lossy(&name).into_owned());
            from = (end < bytes.len()).then_some(end + 1);
        }
        for _ in 0..odd {
            self.tally.as_they_stand.one(record.line, &self.buffer[record.place.clone()]);
        }
        names
    }

    /// Refuses a header of one column that has another delimiter in it, unless its own was named.
    fn refuse_one_column(&self, record: &Record) -> Result<()> {
        let is_named = matches!(self.dialect.delimiter, Delimiter::Byte(_));
        let bytes = &self.buffer[record.place.clone()];
        if record.fields != 1 || is_named || self.is_sheet || bytes.first() == self.rules.quote.as_ref() {
            return Ok(());
        }
        let held = USUAL.iter().filter(|other| **other != self.delimiter && bytes.contains(other));
        let Some(other) = held.max_by_key(|other| memchr::memchr_iter(**other, bytes).count()) else { return Ok(()) };
        let hint = self
            .other_layout()
            .unwrap_or_else(|| format!("its fields seem to be separated otherwise: [`delimiter`] {}", spelled(*other)));
        Err(Error::new(Kind::Csv, format!("a header of one column that holds {}", in_words(*other)))
            .line(record.line)
            .hint(format!("{hint}; if it is one column, [`delimiter`] {}", spelled(self.delimiter))))
    }

    /// Gives the columns the names of the dialect.
    fn rename(&mut self) -> Result<()> {
        let columns = &self.dialect.columns;
        if columns.len() != self.width {
            let of = if self.width == 1 { "1 field".to_owned() } else { format!("{} fields", self.width) };
            return Err(Error::new(
                Kind::Headers,
                format!("its records have {of}, and {} names were given for the columns", columns.len()),
            )
            .hint("name each column, in the order of the fields"));
        }
        self.header.clone_from(columns);
        Ok(())
    }
}

fn in_words(delimiter: u8) -> &'static str {
    match delimiter {
        b'\t' => "a tab",
        b';' => "a semicolon",
        b'|' => "a vertical bar: |",
        _ => "a comma",
    }
}
