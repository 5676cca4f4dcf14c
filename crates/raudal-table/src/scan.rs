//! Finds the end of a record of plain CSV, where its fields are, and what they say.
//!
//! A record is found with `memchr`, three needles at once, and its fields are only counted. Nothing
//! is copied or unescaped until a caller wants the row. The rules are those of the `csv` crate; a
//! test compares the two on generated and hostile text. A quote opens a quoted field only at the
//! start of the field. CRLF, LF and a lone CR each end a record.
//!
//! `simd-csv`'s splitter is not used: it treats a quote in the middle of a field as an opening one,
//! does not know a lone CR, and does not count fields.

use memchr::{memchr, memchr_iter, memchr2_iter, memchr3};

/// Shorter text is scanned byte by byte.
const NEAR: usize = 16;

/// The result of looking for a record.
pub(super) enum Scan {
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

/// Finds the end of the record that the text begins with.
pub(super) fn scan(text: &[u8], delimiter: u8, whole: bool) -> Scan {
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
#[inline]
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
#[inline]
fn find_near(needle: u8, text: &[u8]) -> Option<usize> {
    let (near, far) = text.split_at(text.len().min(NEAR));
    near.iter().position(|&byte| byte == needle).or_else(|| Some(NEAR + memchr(needle, far)?))
}

/// Counts the line ends in the text: LF, CRLF or CR.
#[inline]
pub(super) fn lines(text: &[u8]) -> u64 {
    if text.len() <= NEAR && !text.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
        return 0;
    }
    memchr2_iter(b'\n', b'\r', text).filter(|&at| text[at] == b'\n' || text.get(at + 1) != Some(&b'\n')).count() as u64
}

/// Returns where the field that begins at `start` ends: at a delimiter or with the record.
#[inline]
pub(super) fn field_end(record: &[u8], start: usize, delimiter: u8) -> usize {
    let mut from = start;
    if record.get(start) == Some(&b'"') {
        from = closing_quote(record, start + 1).map_or(record.len(), |close| close + 1);
    }
    memchr(delimiter, &record[from..]).map_or(record.len(), |at| from + at)
}

/// Appends the value of a field: without the quotes around it, and with doubled quotes halved.
///
/// A field with more than blanks between its closing quote and the delimiter was not meant to be
/// quoted: `"Kostas" Theatre`. It is kept as it stands, and `false` is returned.
#[inline]
pub(super) fn unquote(field: &[u8], out: &mut Vec<u8>) -> bool {
    let Some(mut rest) = field.strip_prefix(b"\"") else {
        out.extend_from_slice(field);
        return true;
    };
    let start = out.len();
    while let Some(at) = memchr(b'"', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
        if rest.first() != Some(&b'"') {
            if !rest.is_empty() && !rest.trim_ascii().is_empty() {
                out.truncate(start);
                out.extend_from_slice(field);
                return false;
            }
            break;
        }
        out.push(b'"');
        rest = &rest[1..];
    }
    out.extend_from_slice(rest);
    true
}
