//! What lets the rows of a text be read in blocks, apart from the text.

use super::fit::swallows;
use super::repeats::Repeats;
use super::{BOM, BOM_BYTE, Records};
use crate::blocks::Feed;
use crate::text::{Bytes, Text};
use memchr::memchr;
use raudal_common::{Error, Kind, Result};

/// How a row looks that needs no other look.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) delimiter: u8,
    pub(crate) width: usize,
    /// Bytes of the longest row.
    longest: usize,
    repeats: Repeats,
    /// Whether a quote may be a letter, so that rows within a field are looked at.
    has_swallowing: bool,
}

impl Shape {
    /// Whether a row needs no other look. It has so many fields, and line ends within them.
    #[inline]
    pub(crate) fn is_usual(&self, row: &[u8], fields: usize, lines: u64) -> bool {
        let has_mark = row.first() == Some(&BOM_BYTE) && row.starts_with(BOM);
        fields == self.width
            && row.len() <= self.longest
            && (lines == 0 || !(self.has_swallowing && swallows(row, self.delimiter, self.width)))
            && !has_mark
            && !self.repeats.may_be(row)
    }
}

impl<B: Bytes> Records<'_, Feed<B>> {
    /// Whether the next row is not in the buffer, and the rest of the text may be read in blocks.
    pub(crate) fn may_leave(&self) -> bool {
        let is_drained = || memchr(b'\n', &self.buffer[self.unread.clone()]).is_none();
        // A record that is longer than the buffer makes it grow first.
        let is_long = self.unread.start == 0 || self.unread.len() > self.reach;
        self.is_fast && !self.is_sheet && !self.ended && !is_long && is_drained()
    }

    /// Hands out what was read and is no row yet. It belongs before the rest of the [feed](Self::feed).
    pub(crate) fn leave(&mut self) -> Option<Vec<u8>> {
        let mut unread = self.unread.clone();
        if self.after_cr {
            // The line end may go on.
            if *self.buffer[unread.clone()].first()? == b'\n' {
                unread.start += 1;
            }
        }
        let (_, waiting) = self.text.rest()?.source()?;
        let rest = [&self.buffer[unread], &waiting].concat();
        (self.unread, self.after_cr, self.head) = (0..0, false, None);
        Some(rest)
    }

    /// The bytes of the rest of the text, once it was [left](Self::leave).
    pub(crate) fn feed(&mut self) -> Result<&mut Feed<B>> {
        let source = self.text.rest().and_then(Text::source);
        source.map(|(feed, _)| feed).ok_or_else(|| Error::new(Kind::Internal, "a text that is not UTF-8 was left"))
    }

    /// Counts rows that were read elsewhere, on so many lines.
    pub(crate) fn pass(&mut self, rows: u64, lines: u64) {
        if self.first_row == 0 && rows > 0 {
            self.first_row = self.line;
        }
        self.line += lines;
    }

    /// The line on which the unread text begins.
    pub(crate) fn line(&self) -> u64 {
        self.line
    }

    pub(crate) fn shape(&self) -> Shape {
        Shape {
            delimiter: self.delimiter,
            width: self.width,
            longest: self.limits.field_bytes,
            repeats: self.repeats.clone(),
            has_swallowing: self.has_swallowing(),
        }
    }
}
