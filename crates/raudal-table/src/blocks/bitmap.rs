//! Finds the rows of a block of plain CSV, 64 bytes at a time.
//!
//! Each byte that means something becomes a bit of a word: a delimiter, a quote, a line end. With
//! short rows and with quoted fields this is faster than to look for the next such byte, which is
//! near. With long rows [`scan`] is faster: it skips what means nothing.
//!
//! Whether a quote opens or closes a field follows from the number of quotes before it, as long as
//! each opening one is at the start of a field or doubles the one before it. [`scan`] reads a row in
//! which that is not so, and one with line ends in its fields. So the two agree on every text; a
//! test compares them.

use memchr::memchr;
use wide::u8x16;

use crate::scan::{Scan, scan};

/// Bytes of a word.
const WORD: usize = 64;

/// A row that was found in a block.
pub(super) struct Row<'a> {
    pub(super) start: usize,
    /// Where its line end is.
    pub(super) end: usize,
    pub(super) fields: usize,
    /// The places of its delimiters in the block, if they are known.
    pub(super) delimiters: Option<&'a [u32]>,
    pub(super) quotes: bool,
    /// Line ends within it.
    pub(super) lines: u64,
}

/// Returns where the row after one begins that ends here.
pub(super) fn after(block: &[u8], end: usize) -> usize {
    let crlf = block.get(end) == Some(&b'\r') && block.get(end + 1) == Some(&b'\n');
    end + 1 + usize::from(crlf)
}

/// Gives each row of a block to `take`, until that returns `false` or no whole row is left. Returns
/// where it stopped. `has_quotes` says whether a quote is in it; `places` is room for the places of delimiters, for as many fields as `width`.
pub(super) fn rows(
    block: &[u8],
    has_quotes: bool,
    delimiter: u8,
    width: usize,
    places: &mut Vec<u32>,
    mut take: impl FnMut(&Row<'_>) -> bool,
) -> usize {
    let needles = Needles { delimiter, has_quotes, has_cr: memchr(b'\r', block).is_some() };
    // The delimiters of one word more than a row may have.
    places.resize(width + 1 + WORD, 0);
    let mut start = 0;
    while start < block.len() {
        match regular(block, start, needles, width, places, &mut take) {
            Stop::Refused(at) => return at,
            Stop::Irregular(at) => start = at,
        }
        let Scan::Record { end, fields, quotes, lines } = scan(&block[start..], delimiter, false) else { break };
        let row = Row { start, end: start + end, fields, delimiters: None, quotes, lines };
        if !take(&row) {
            break;
        }
        start = after(block, row.end);
    }
    start
}

/// Where [`regular`] stopped: at the start of a row.
enum Stop {
    Refused(usize),
    /// The row may need [`scan`].
    Irregular(usize),
}

/// Reads rows as long as the number of quotes tells where fields are.
#[inline]
fn regular(
    block: &[u8],
    mut start: usize,
    needles: Needles,
    width: usize,
    places: &mut [u32],
    take: &mut impl FnMut(&Row<'_>) -> bool,
) -> Stop {
    let mut quoting = Quoting::default();
    let (mut base, mut count, mut quotes) = (start, 0, false);
    while base < block.len() {
        let mut word = Word::read(block, base, needles);
        let usable = quoting.apply(&mut word);
        let mut marks = (word.delimiters | word.ends) & usable;
        // A row with too many fields is refused, whatever the others are.
        count = count.min(width);
        while marks != 0 {
            let bit = marks.trailing_zeros();
            let below = (1 << bit) - 1;
            let at = base + bit as usize;
            marks &= marks - 1;
            if word.ends >> bit & 1 == 0 {
                places[count] = at as u32;
                count += 1;
                continue;
            }
            quotes |= word.quotes & below != 0;
            word.quotes &= !below;
            let delimiters = Some(&places[..count]);
            if !take(&Row { start, end: at, fields: count + 1, delimiters, quotes, lines: 0 }) {
                return Stop::Refused(start);
            }
            start = after(block, at);
            (count, quotes) = (0, false);
        }
        if usable != u64::MAX {
            return Stop::Irregular(start);
        }
        quotes |= word.quotes != 0;
        base += WORD;
    }
    Stop::Irregular(start)
}

/// The bytes that mean something in a block.
#[derive(Clone, Copy)]
struct Needles {
    delimiter: u8,
    has_quotes: bool,
    has_cr: bool,
}

/// What 64 bytes mean: a bit each, the first byte the lowest one.
struct Word {
    delimiters: u64,
    quotes: u64,
    /// Where rows end. The LF of CRLF is none.
    ends: u64,
    lf: u64,
    cr: u64,
}

impl Word {
    #[inline]
    fn read(block: &[u8], base: usize, needles: Needles) -> Self {
        let mut last = [0; WORD];
        let bytes = if let Some((bytes, _)) = block[base..].split_first_chunk::<WORD>() {
            bytes
        } else {
            let rest = &block[base..];
            last[..rest.len()].copy_from_slice(rest);
            &last
        };
        let find_if = |is_there, needle| if is_there { find(bytes, needle) } else { 0 };
        let (quotes, cr) = (find_if(needles.has_quotes, b'"'), find_if(needles.has_cr, b'\r'));
        let (lf, delimiters) = (find(bytes, b'\n'), find(bytes, needles.delimiter));
        Self { delimiters, quotes, ends: 0, lf, cr }
    }
}

/// Returns the bits of the bytes that are this one.
#[inline]
fn find(bytes: &[u8; WORD], needle: u8) -> u64 {
    let needle = u8x16::splat(needle);
    let (parts, _) = bytes.as_chunks::<16>();
    parts.iter().rev().fold(0, |mask, part| mask << 16 | u64::from(u8x16::new(*part).simd_eq(needle).to_bitmask()))
}

/// Tells what is within quotes, word by word.
struct Quoting {
    /// All bits set if the next word begins within quotes.
    inside: u64,
    /// 1 if a quote at the start of the next word may open a field, or double the last one.
    may_open: u64,
    /// 1 if the last word ended with CR.
    after_cr: u64,
}

impl Default for Quoting {
    fn default() -> Self {
        Self { inside: 0, may_open: 1, after_cr: 0 }
    }
}

impl Quoting {
    /// Takes out of a word what is within quotes, and finds its row ends. Returns the bits below the
    /// first byte from which on the number of quotes does not tell.
    #[inline]
    fn apply(&mut self, word: &mut Word) -> u64 {
        let line_ends = word.cr | (word.lf & !(word.cr << 1 | self.after_cr));
        self.after_cr = word.cr >> 63;
        if word.quotes == 0 && self.inside == 0 {
            word.ends = line_ends;
            self.may_open = (word.delimiters | word.lf | word.cr) >> 63;
            return u64::MAX;
        }
        let inside = toggled(word.quotes) ^ self.inside;
        let within = (word.lf | word.cr) & inside;
        word.delimiters &= !inside;
        word.ends = line_ends & !inside;
        let openers = word.delimiters | (word.lf | word.cr) | word.quotes;
        let odd = word.quotes & inside & !(openers << 1 | self.may_open);
        self.may_open = openers >> 63;
        self.inside = if inside >> 63 == 0 { 0 } else { u64::MAX };
        match odd | within {
            0 => u64::MAX,
            trouble => (1 << trouble.trailing_zeros()) - 1,
        }
    }
}

/// Returns for each bit whether an odd number of bits is set up to it.
#[inline]
fn toggled(mut bits: u64) -> u64 {
    for shift in [1, 2, 4, 8, 16, 32] {
        bits ^= bits << shift;
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A row: its start and end, its fields, whether it has quotes, and the line ends in it.
    type Found = (usize, usize, usize, bool, u64);

    /// The rows that [`scan`] finds, and where it stops.
    fn by_scan(block: &[u8], delimiter: u8) -> (Vec<Found>, usize) {
        let (mut rows, mut start) = (Vec::new(), 0);
        while start < block.len()
            && let Scan::Record { end, fields, quotes, lines } = scan(&block[start..], delimiter, false)
        {
            rows.push((start, start + end, fields, quotes, lines));
            start = after(block, start + end);
        }
        (rows, start)
    }

    fn by_bitmap(block: &[u8], delimiter: u8, width: usize) -> (Vec<Found>, usize) {
        let mut found = Vec::new();
        let stop = rows(block, block.contains(&b'"'), delimiter, width, &mut Vec::new(), |row| {
            if let Some(places) = row.delimiters {
                let is_one =
                    |at: &u32| block[*at as usize] == delimiter && (row.start..row.end).contains(&(*at as usize));
                assert!(places.len() + 1 == row.fields && places.iter().all(is_one) && places.is_sorted());
            }
            found.push((row.start, row.end, row.fields, row.quotes, row.lines));
            true
        });
        (found, stop)
    }

    #[test]
    fn the_rows_of_any_text_are_those_of_the_scan() {
        let mut random = fastrand::Rng::with_seed(7);
        for alphabet in
            [&b"a,\n"[..], b"ab,\"\n", b"a,\"\n\r", b"aaaaaaaa,,,\"\"\n", b"\"\n\r,", b"abcdefghij;klmnop;\n\r\n"]
        {
            for _ in 0..4000 {
                let length = random.usize(..300);
                let block: Vec<u8> = (0..length).map(|_| alphabet[random.usize(..alphabet.len())]).collect();
                for delimiter in *b",;" {
                    assert_eq!(
                        by_bitmap(&block, delimiter, 400),
                        by_scan(&block, delimiter),
                        "{:?}",
                        block.escape_ascii().to_string()
                    );
                }
            }
        }
    }

    #[test]
    fn a_row_of_very_many_fields_is_told_from_those_of_the_header() {
        let block = [b",".repeat(1000), b"\na,b\n".to_vec()].concat();
        let mut fields = Vec::new();
        rows(&block, false, b',', 2, &mut Vec::new(), |row| {
            fields.push(row.fields);
            true
        });
        assert!(fields[0] > 2 && fields[1] == 2 && fields.len() == 2, "{fields:?}");
    }

    #[test]
    fn a_refused_row_is_where_it_stops() {
        let block = b"a,b\n\"c\",\"d\n\"\ne\n";
        for refused in 0..3 {
            let (mut seen, mut at) = (0, 0);
            let stop = rows(block, true, b',', 2, &mut Vec::new(), |row| {
                at = row.start;
                seen += 1;
                seen <= refused
            });
            assert_eq!((stop, seen), (at, refused + 1));
        }
    }
}
