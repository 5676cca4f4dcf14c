//! A block of whole rows: what is read of it, on any thread.

use memchr::{memchr, memchr_iter, memchr2, memrchr};

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
    pub(super) has_quotes: bool,
}

impl Block {
    /// Takes as many whole rows of the filled text as there are, if quotes are where they should be.
    /// Returns `false` if that is less than half of it. `has_quotes` says whether quotes are likely.
    pub(super) fn cut(&mut self, filled: usize, has_quotes: bool) -> bool {
        let (text, half) = (&self.text[..filled], filled / 2);
        let count = |text| if has_quotes { memchr_iter(b'"', text).count() } else { 0 };
        let mut quotes = count(text);
        let mut end = filled;
        while let Some(at) = memrchr(b'\n', &text[half..end]).map(|at| half + at) {
            quotes -= count(&text[at..end]);
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
        if memchr(0, text).is_some() || std::str::from_utf8(text).is_err() {
            return;
        }
        let has_quotes = memchr(b'"', text).is_some();
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
            bitmap::rows(text, has_quotes, shape.delimiter, shape.width, places, take)
        } else {
            by_scan(text, has_quotes, shape.delimiter, &mut take)
        };
        (parsed.as_they_stand, parsed.odd) = plan.take_counts();
        parsed.has_quotes = has_quotes;
    }

    /// Whether all its rows were read.
    pub(super) fn is_whole(&self) -> bool {
        self.parsed.stop == self.end
    }
}

/// Finds long rows without many quotes. Works like [`bitmap::rows`].
fn by_scan(text: &[u8], has_quotes: bool, delimiter: u8, take: &mut impl FnMut(&Row<'_>) -> bool) -> usize {
    let mut start = 0;
    while start < text.len() {
        let rest = &text[start..];
        let found = if has_quotes {
            scan(rest, delimiter, false)
        } else {
            // The text ends with a row.
            let end = memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
            Scan::Record { end, fields: memchr_iter(delimiter, &rest[..end]).count() + 1, quotes: false, lines: 0 }
        };
        let Scan::Record { end, fields, quotes, lines } = found else { break };
        if !take(&Row { start, end: start + end, fields, delimiters: None, quotes, lines }) {
            break;
        }
        start = after(text, start + end);
    }
    start
}
