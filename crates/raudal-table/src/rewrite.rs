//! Finds a record of any dialect, and writes it as plain CSV.
//!
//! Everything after it then reads one dialect: commas, double quotes. It looks at each byte, so it
//! is slower than [`scan`](super::scan), which reads plain CSV.

use super::rows::write_field;
use super::scan::Scan;

/// What the bytes mean.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) delimiter: u8,
    pub(super) quote: Option<u8>,
    pub(super) escape: Option<u8>,
    pub(super) trim: bool,
}

/// A record that was rewritten.
#[derive(Default)]
pub(super) struct Rewriter {
    /// The record as plain CSV.
    pub(super) record: Vec<u8>,
    /// Fields with text after their closing quote, kept as they stand.
    pub(super) as_they_stand: u64,
    /// Escapes before a letter or a digit, which mean more to some programs: `\n`, `\N`.
    pub(super) escaped_letters: u64,
    cell: Vec<u8>,
}

/// Why a field is not complete.
struct Cut {
    open: bool,
}

impl Rewriter {
    /// Finds the end of the record that the text begins with, and rewrites it. `whole` says that no
    /// more text follows.
    pub(super) fn scan(&mut self, text: &[u8], rules: Rules, whole: bool) -> Scan {
        self.record.clear();
        (self.as_they_stand, self.escaped_letters) = (0, 0);
        let (mut at, mut fields, mut lines) = (0, 0, 0);
        loop {
            self.cell.clear();
            let end = match self.field(text, at, rules, whole, &mut lines) {
                Ok(end) => end,
                Err(Cut { open }) => return Scan::Partial { field: at, open },
            };
            if rules.trim {
                trim(&mut self.cell);
            }
            write_field(&self.cell, b',', &mut self.record);
            fields += 1;
            if text.get(end) != Some(&rules.delimiter) {
                let quotes = self.record.contains(&b'"');
                return Scan::Record { end, fields, quotes, lines };
            }
            self.record.push(b',');
            at = end + 1;
        }
    }

    /// Reads the value of the field at `start` into the cell, and returns where the field ends.
    fn field(&mut self, text: &[u8], start: usize, rules: Rules, whole: bool, lines: &mut u64) -> Result<usize, Cut> {
        let is_blank = |byte: u8| matches!(byte, b' ' | b'\t') && byte != rules.delimiter;
        let mut at = start;
        if rules.trim {
            at += text[start..].iter().take_while(|&&byte| is_blank(byte)).count();
        }
        let is_quoted = rules.quote.is_some() && text.get(at) == rules.quote.as_ref();
        if !is_quoted {
            return self.plain(text, start, rules, whole, lines);
        }
        let close = self.quoted(text, at + 1, rules, whole, lines)?;
        let value = self.cell.len();
        let end = self.plain(text, close + 1, rules, whole, lines)?;
        if self.cell[value..].trim_ascii().is_empty() {
            return Ok(end);
        }
        self.as_they_stand += 1;
        self.cell.clear();
        self.cell.extend_from_slice(&text[start..end]);
        Ok(end)
    }

    /// Reads up to a delimiter or a line end.
    fn plain(&mut self, text: &[u8], start: usize, rules: Rules, whole: bool, lines: &mut u64) -> Result<usize, Cut> {
        let mut at = start;
        loop {
            let is_end = |byte: u8| byte == rules.delimiter || matches!(byte, b'\n' | b'\r');
            let rest = text.get(at..).unwrap_or_default();
            let Some(found) = rest.iter().position(|&byte| is_end(byte) || Some(byte) == rules.escape) else {
                self.cell.extend_from_slice(rest);
                return if whole { Ok(text.len()) } else { Err(Cut { open: false }) };
            };
            self.cell.extend_from_slice(&rest[..found]);
            at += found;
            if is_end(text[at]) && Some(text[at]) != rules.escape {
                return Ok(at);
            }
            at = self.escaped(text, at, whole, lines).ok_or(Cut { open: false })?;
        }
    }

    /// Reads up to the closing quote, and returns its place.
    fn quoted(&mut self, text: &[u8], start: usize, rules: Rules, whole: bool, lines: &mut u64) -> Result<usize, Cut> {
        let mut at = start;
        loop {
            let rest = text.get(at..).unwrap_or_default();
            let is_special = |byte: u8| Some(byte) == rules.quote || Some(byte) == rules.escape;
            let Some(found) = rest.iter().position(|&byte| is_special(byte)) else { return Err(Cut { open: true }) };
            self.cell.extend_from_slice(&rest[..found]);
            *lines += super::scan::lines(&rest[..found]);
            at += found;
            if Some(text[at]) == rules.quote {
                match text.get(at + 1) {
                    Some(next) if Some(*next) == rules.quote => {
                        self.cell.push(*next);
                        at += 2;
                    }
                    // The quote at the very end may be the first of two.
                    None if !whole => return Err(Cut { open: true }),
                    _ => return Ok(at),
                }
            } else {
                at = self.escaped(text, at, whole, lines).ok_or(Cut { open: true })?;
            }
        }
    }

    /// Reads an escape and the byte after it; `None` if that has not arrived. An escape at the very
    /// end stands for itself.
    fn escaped(&mut self, text: &[u8], at: usize, whole: bool, lines: &mut u64) -> Option<usize> {
        match text.get(at + 1) {
            // The LF of an escaped CRLF needs no escape of its own.
            Some(b'\r') if text.get(at + 2) == Some(&b'\n') => {
                self.cell.extend_from_slice(b"\r\n");
                *lines += 1;
                Some(at + 3)
            }
            Some(b'\r') if text.get(at + 2).is_none() && !whole => None,
            Some(byte) => {
                self.cell.push(*byte);
                self.escaped_letters += u64::from(byte.is_ascii_alphanumeric());
                *lines += u64::from(matches!(byte, b'\n' | b'\r'));
                Some(at + 2)
            }
            None if whole => {
                self.cell.push(text[at]);
                Some(at + 1)
            }
            None => None,
        }
    }
}

/// Removes blanks of any script from both ends.
fn trim(cell: &mut Vec<u8>) {
    let Ok(text) = std::str::from_utf8(cell) else { return };
    let (end, start) = (text.trim_end().len(), text.len() - text.trim_start().len());
    cell.truncate(end);
    cell.drain(..start.min(end));
}
