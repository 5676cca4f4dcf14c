//! Cuts lines off a text: those above the header, and those below the rows.
//!
//! Both are counted as an editor counts them: blank lines too, whatever stands in them.

use memchr::memchr2;

use super::tally::counted;
use super::text::{Bytes, LEAST, Text};
use raudal_common::{Error, Kind, Result};

/// What DOS programs write at the end of a file.
pub(super) const END_MARK: u8 = 0x1a;

/// A text without some of its lines.
pub(super) struct Lines<B> {
    text: Text<B>,
    /// Lines still to skip.
    above: u64,
    /// Lines to drop at the end.
    below: u64,
    /// Bytes that may be held back for the lines at the end.
    bound: usize,
    /// Whether the last skipped line ended with CR, so that a following LF belongs to it.
    after_cr: bool,
    /// Text that was read and may belong to the lines at the end.
    held: Vec<u8>,
    /// The part of `held` that is known to stand above them, not handed out yet.
    free: usize,
    fault: Option<Error>,
    ended: bool,
    dropped: u64,
    end_marks: u64,
}

impl<B: Bytes> Lines<B> {
    pub(super) fn new(text: Text<B>, above: u64, below: u64, bound: usize) -> Self {
        Self {
            text,
            above,
            below,
            bound,
            after_cr: false,
            held: Vec::new(),
            free: 0,
            fault: None,
            ended: false,
            dropped: 0,
            end_marks: 0,
        }
    }

    pub(super) fn text(&self) -> &Text<B> {
        &self.text
    }

    /// Returns the text if all of the rest is read.
    pub(super) fn rest(&mut self) -> Option<&mut Text<B>> {
        (self.below == 0 && self.above == 0 && !self.after_cr).then_some(&mut self.text)
    }

    /// Lines that were dropped at the end.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// End marks that were dropped with them.
    pub(super) fn end_marks(&self) -> u64 {
        self.end_marks
    }

    /// Reads the next text; 0 is the end. Works like [`Text::read`].
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if self.below == 0 {
            return self.read_below(buffer);
        }
        while self.free == 0 {
            if let Some(fault) = self.fault.take() {
                return Err(fault);
            }
            if self.ended {
                return Ok(0);
            }
            self.hold()?;
        }
        let count = self.free.min(buffer.len());
        buffer[..count].copy_from_slice(&self.held[..count]);
        self.held.drain(..count);
        self.free -= count;
        Ok(count)
    }

    /// Reads text below the skipped lines.
    fn read_below(&mut self, buffer: &mut [u8]) -> Result<usize> {
        loop {
            let count = self.text.read(buffer)?;
            let start = self.skip(&buffer[..count]);
            if count == 0 || start < count {
                buffer.copy_within(start..count, 0);
                return Ok(count - start);
            }
        }
    }

    /// Returns where the text begins after the lines to skip.
    fn skip(&mut self, text: &[u8]) -> usize {
        let mut at = 0;
        while at < text.len() && (self.above > 0 || self.after_cr) {
            if std::mem::take(&mut self.after_cr) && text[at] == b'\n' {
                at += 1;
            } else if self.above == 0 {
                break;
            } else if let Some(end) = memchr2(b'\n', b'\r', &text[at..]) {
                self.after_cr = text[at + end] == b'\r';
                self.above -= 1;
                at += end + 1;
            } else {
                at = text.len();
            }
        }
        at
    }

    /// Reads more, and frees what stands above the last lines.
    fn hold(&mut self) -> Result<()> {
        let from = self.held.len();
        self.held.resize(from + (64 << 10).max(LEAST), 0);
        let mut room = std::mem::take(&mut self.held);
        let read = self.read_below(&mut room[from..]);
        self.held = room;
        self.held.truncate(from + read.as_ref().copied().unwrap_or(0));
        match read {
            Err(error) if matches!(error.kind(), Kind::Encoding | Kind::Csv) => {
                // All the good text first, so that the error has its line.
                (self.fault, self.ended, self.free) = (Some(error), true, self.held.len());
                return Ok(());
            }
            Err(error) => return Err(error),
            Ok(0) => {
                self.ended = true;
                while self.held.last() == Some(&END_MARK) {
                    self.held.pop();
                    self.end_marks += 1;
                }
                let (start, dropped) = last_lines(&self.held, self.below);
                (self.free, self.dropped) = (start, dropped);
                self.held.truncate(start);
            }
            // One line more than at the end: the last one may get its line end later.
            Ok(_) => self.free = last_lines(&self.held, self.below.saturating_add(1)).0,
        }
        if self.held.len() - self.free > self.bound {
            return Err(Error::new(
                Kind::Bounds,
                format!(
                    "the end of the text, {}, is longer than the bound: {} bytes",
                    counted(self.below, "line"),
                    self.bound
                ),
            )
            .hint("[`footer`] counts the lines at the end; [`max_field_size`] lifts the bound"));
        }
        Ok(())
    }
}

/// Returns where the last `most` lines begin, and how many there are.
fn last_lines(text: &[u8], most: u64) -> (usize, u64) {
    let mut found = 0;
    let mut start = text.len();
    while start > 0 && found < most {
        start = line_start(text, start);
        found += 1;
    }
    (start, found)
}

/// Returns where the line begins that ends before `end`, with its line end.
fn line_start(text: &[u8], end: usize) -> usize {
    let body = &text[..end];
    let ended = body.strip_suffix(b"\r\n").or_else(|| body.strip_suffix(b"\n")).or_else(|| body.strip_suffix(b"\r"));
    let body = ended.unwrap_or(body);
    memchr::memrchr2(b'\n', b'\r', body).map_or(0, |at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::last_lines;

    #[test]
    fn the_last_lines_are_found_whatever_ends_them() {
        for (text, most, start, found) in [
            ("a\nb\nc", 1, 4, 1),
            ("a\nb\nc\n", 1, 4, 1),
            ("a\r\nb\r\n\r\n", 2, 3, 2),
            ("a\rb\r", 1, 2, 1),
            ("a\n", 5, 0, 1),
            ("", 1, 0, 0),
            ("\n\n", 1, 1, 1),
        ] {
            assert_eq!(last_lines(text.as_bytes(), most), (start, found), "{text:?}");
        }
    }
}
