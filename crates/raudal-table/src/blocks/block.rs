//! A block of whole rows: what is read of it, on any thread.

use memchr::{memchr_iter, memrchr};

use super::bitmap::{self, Row, after};
use crate::filter::Counts;
use crate::plan::RecordPlan;
use crate::records::Shape;
use crate::scan::{Scan, scan};
use crate::tally::Count;

/// Bytes at the beginning of a block that tell how its rows are best found.
const SAMPLE: usize = 4 << 10;
/// With fewer bytes for each quote and line end than this, the bitmaps are faster.
const NEAR: usize = 128;

/// Bytes that are looked at together for what is no ASCII.
const PIECE: usize = 256;

/// Text, and what was read of it.
#[derive(Default)]
pub(super) struct Block {
    /// Whole rows, and room for more.
    pub(super) text: Vec<u8>,
    /// Where the rows end.
    pub(super) end: usize,
    pub(super) parsed: Parsed,
    places: Vec<u32>,
}

/// What was read of a block. Lines are counted from 0 at its beginning.
#[derive(Default)]
pub(super) struct Parsed {
    pub(super) rows: u64,
    pub(super) kept: u64,
    pub(super) lines: u64,
    /// The rows that were kept.
    pub(super) out: Vec<u8>,
    /// Where the first row begins that needs another look.
    pub(super) stop: usize,
    pub(super) as_they_stand: Count,
    pub(super) odd: Counts,
}

impl Block {
    /// Takes as many whole rows of the filled text as there are, if quotes are where they should be.
    /// Returns `false` if that is less than half of it.
    pub(super) fn cut(&mut self, filled: usize) -> bool {
        let (text, half) = (&self.text[..filled], filled / 2);
        let mut quotes = memchr_iter(b'"', text).count();
        let mut end = filled;
        while let Some(at) = memrchr(b'\n', &text[half..end]).map(|at| half + at) {
            quotes -= memchr_iter(b'"', &text[at..end]).count();
            if quotes.is_multiple_of(2) {
                self.end = at + 1;
                return true;
            }
            end = at;
        }
        false
    }

    /// Reads the rows of the block, as long as they are plain.
    pub(super) fn parse(&mut self, shape: &Shape, plan: &mut RecordPlan) {
        let Self { text, end, parsed, places } = self;
        let text = &text[..*end];
        parsed.out.clear();
        *parsed = Parsed { out: std::mem::take(&mut parsed.out), ..Parsed::default() };
        // What is no text is told where it is, by another reader.
        if !is_text(text) {
            return;
        }
        let mut take = |row: &Row<'_>| {
            let bytes = &text[row.start..row.end];
            if !shape.is_usual(bytes, row.fields, row.lines) {
                return false;
            }
            let line = parsed.lines;
            parsed.rows += 1;
            parsed.lines += row.lines + 1;
            plan.locate(bytes, row.quotes, row.delimiters.map(|places| (row.start, places)));
            parsed.kept += u64::from(plan.keep(bytes, row.quotes, line, &mut parsed.out));
            true
        };
        let sample = &text[..text.len().min(SAMPLE)];
        let marks = memchr_iter(b'\n', sample).count() + memchr_iter(b'"', sample).count();
        parsed.stop = if marks * NEAR > sample.len() {
            bitmap::rows(text, shape.delimiter, shape.width, places, take)
        } else {
            by_scan(text, shape.delimiter, &mut take)
        };
        (parsed.as_they_stand, parsed.odd) = plan.take_counts();
    }

    /// Whether all its rows were read.
    pub(super) fn is_whole(&self) -> bool {
        self.parsed.stop == self.end
    }
}

/// Whether bytes are UTF-8 without NUL. In one pass, and most of most texts are ASCII.
fn is_text(mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        let (piece, rest) = bytes.split_at(bytes.len().min(PIECE));
        let (all, has_nul) = piece.iter().fold((0, false), |(all, nul), byte| (all | byte, nul | (*byte == 0)));
        let valid = if all.is_ascii() {
            piece.len()
        } else {
            match std::str::from_utf8(piece) {
                Ok(_) => piece.len(),
                // A character that goes on in the next piece.
                Err(error) if error.error_len().is_none() && !rest.is_empty() => error.valid_up_to(),
                Err(_) => return false,
            }
        };
        if has_nul || valid == 0 {
            return false;
        }
        bytes = &bytes[valid..];
    }
    true
}

/// Finds long rows without many quotes. Works like [`bitmap::rows`].
fn by_scan(text: &[u8], delimiter: u8, take: &mut impl FnMut(&Row<'_>) -> bool) -> usize {
    let mut start = 0;
    while start < text.len()
        && let Scan::Record { end, fields, quotes, lines } = scan(&text[start..], delimiter, false)
        && take(&Row { start, end: start + end, fields, delimiters: None, quotes, lines })
    {
        start = after(text, start + end);
    }
    start
}

#[cfg(test)]
mod tests {
    use super::is_text;

    #[test]
    fn text_is_told_from_other_bytes_at_any_place() {
        let text = "añ€𝄞".repeat(100);
        for start in 0..12 {
            let bytes = &text.as_bytes()[start..];
            assert_eq!(is_text(bytes), std::str::from_utf8(bytes).is_ok(), "from {start}");
            for end in 1..bytes.len() {
                assert_eq!(is_text(&bytes[..end]), std::str::from_utf8(&bytes[..end]).is_ok(), "{start}..{end}");
            }
        }
        for at in [0, 100, 255, 256, 257, 999] {
            for bad in [0, 0xff] {
                let mut bytes = vec![b'x'; 1000];
                bytes[at] = bad;
                assert!(!is_text(&bytes), "{bad} at {at}");
            }
        }
    }
}
