//! What is between records and is none: blank lines, comments, the end mark of DOS.

use super::{BOM, BOM_BYTE, Record, Records};
use crate::lines::END_MARK;
use crate::scan::{Scan, scan};
use crate::text::Bytes;
use memchr::memchr2;
use raudal_common::{Error, Kind, Result};

/// Bytes of a record that a message may show.
const SHOWN: usize = 256;

impl<B: Bytes> Records<'_, B> {
    pub(super) fn skip_blank_lines(&mut self) {
        while let Some(byte @ (b'\n' | b'\r')) = self.buffer[self.unread.clone()].first() {
            self.line += u64::from(!(*byte == b'\n' && self.after_cr));
            self.after_cr = *byte == b'\r';
            self.unread.start += 1;
        }
        self.after_cr &= self.unread.is_empty();
    }

    /// Drops a byte order mark before a record: the second of two joined files may begin with it.
    pub(super) fn drop_mark(&mut self) -> Result<()> {
        loop {
            let text = &self.buffer[self.unread.clone()];
            if text.first() != Some(&BOM_BYTE) || !text.starts_with(&BOM[..BOM.len().min(text.len())]) {
                return Ok(());
            }
            let end = memchr2(b'\n', b'\r', text);
            // As much of the record as is shown.
            if text.len() >= BOM.len() && (end.is_some() || self.ended || text.len() > SHOWN) {
                let end = end.unwrap_or(text.len());
                self.tally.marks.one(self.line, &text[BOM.len()..end]);
                self.unread.start += BOM.len();
            } else if self.ended {
                return Ok(());
            } else {
                self.fill()?;
            }
        }
    }

    /// In a table of one column, returns a row for an empty line between two others.
    ///
    /// `\r\r\n` is one line end: some programs write it for `\r\n`.
    pub(super) fn empty_row(&mut self) -> Result<Option<Record>> {
        if self.blanks == 0 && !self.count_blanks()? {
            return Ok(None);
        }
        self.blanks -= 1;
        let (at, line) = (self.unread.start, self.line);
        self.line += 1;
        Ok(Some(Record { place: at..at, line, quotes: false, rewritten: false, fields: 1, lines: 0 }))
    }

    /// Reads over the empty lines and counts them. Returns whether they are rows: those at the end
    /// are not.
    fn count_blanks(&mut self) -> Result<bool> {
        loop {
            let text = &self.buffer[self.unread.clone()];
            let rest = match (self.after_cr, text) {
                (true, [b'\n', ..]) => 1,
                (true, [b'\r', b'\n', ..]) => 2,
                _ => 0,
            };
            let (mut at, mut blanks) = (rest, 0);
            while let Some(length) = line_end(&text[at..]) {
                at += length;
                blanks += 1;
            }
            let may_go_on = text.get(at).is_none_or(|byte| *byte == END_MARK);
            if may_go_on && !self.ended {
                if text.len() > self.limits.record_bytes() {
                    return Err(Error::new(Kind::Bounds, "so many empty lines are no table").line(self.line));
                }
                self.fill()?;
                continue;
            }
            self.line += u64::from(rest == 2);
            let is_end = text.len() == at;
            self.unread.start += at;
            self.after_cr = false;
            if is_end {
                self.line += blanks;
                self.tally.blank_tail += blanks;
                return Ok(false);
            }
            self.blanks = blanks;
            return Ok(blanks > 0);
        }
    }

    /// Skips a comment at the beginning of the unread text. A quote in it means nothing.
    pub(super) fn skip_comment(&mut self) -> Result<bool> {
        let Some(comment) = self.dialect.comment.as_deref().map(str::as_bytes) else { return Ok(false) };
        if self.is_sheet {
            return self.skip_row_of_comment(comment);
        }
        loop {
            let text = &self.buffer[self.unread.clone()];
            if !text.starts_with(&comment[..comment.len().min(text.len())]) {
                return Ok(false);
            }
            let end = memchr2(b'\n', b'\r', text);
            if self.ended || (text.len() >= comment.len() && end.is_some()) {
                if text.len() < comment.len() {
                    return Ok(false);
                }
                let end = end.unwrap_or(text.len());
                self.tally.comments.one(self.line, &text[..end]);
                self.record(end, 1, false, 0)?;
                return Ok(true);
            }
            self.bounds(0, false)?;
            self.fill()?;
        }
    }

    /// Skips a row of a sheet whose first cell begins with the text, quoted or not.
    fn skip_row_of_comment(&mut self, comment: &[u8]) -> Result<bool> {
        loop {
            let text = &self.buffer[self.unread.clone()];
            let cell = text.strip_prefix(b"\"").unwrap_or(text);
            if !cell.starts_with(&comment[..comment.len().min(cell.len())]) {
                return Ok(false);
            }
            if let Scan::Record { end, fields, quotes, lines } = scan(text, self.delimiter, self.ended)
                && cell.len() >= comment.len()
            {
                self.tally.comments.one(self.line, &text[..end]);
                self.record(end, fields, quotes, lines)?;
                return Ok(true);
            }
            if self.ended {
                return Ok(false);
            }
            self.bounds(0, false)?;
            self.fill()?;
        }
    }

    /// Whether a record is a DOS end mark that only line ends follow.
    pub(super) fn is_end_mark(&mut self, record: &Record) -> Result<bool> {
        if self.buffer.get(record.place.start) != Some(&END_MARK) {
            return Ok(false);
        }
        loop {
            let rest = &self.buffer[self.unread.clone()];
            if rest.iter().any(|byte| !matches!(byte, b'\n' | b'\r')) {
                // Its place may have moved, and it is all that the record holds.
                return Err(Error::new(Kind::Csv, "an end mark of DOS (0x1A) with more text below it")
                    .line(record.line)
                    .hint("the text may be two files joined; remove the mark"));
            }
            if self.ended && self.fault.is_none() {
                self.tally.end_marks += 1;
                return Ok(true);
            }
            if self.ended {
                return Ok(true);
            }
            self.fill()?;
        }
    }

    /// Drops the end marks of DOS at the end of the text.
    pub(super) fn drop_end_marks(&mut self) {
        self.tally.end_marks += self.text.end_marks();
        while self.buffer[self.unread.clone()].last() == Some(&END_MARK) {
            self.unread.end -= 1;
            self.tally.end_marks += 1;
        }
        match self.text.dropped() {
            0 => {}
            1 => self.notes.push("1 line at the end was left out".to_owned()),
            n => self.notes.push(format!("{n} lines at the end were left out")),
        }
    }
}

/// Returns the length of the line end that the text begins with.
fn line_end(text: &[u8]) -> Option<usize> {
    match text {
        [b'\r', b'\r', b'\n', ..] => Some(3),
        [b'\r', b'\n', ..] => Some(2),
        [b'\r' | b'\n', ..] => Some(1),
        _ => None,
    }
}
