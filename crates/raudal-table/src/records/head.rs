//! The beginning of a text: what separates its fields, and its header.

use super::repeats::Repeats;
use super::{Record, Records};
use crate::dialect::{Delimiter, Header, spelled};
use crate::impostor;
use crate::rewrite::Rewriter;
use crate::scan::{Scan, field_end, lines, unquote};
use crate::sniff::{Layout, RARE, USUAL, sniff};
use crate::tally::{self, Count, counted};
use crate::text::Bytes;
use memchr::memchr2;
use raudal_common::{Error, Kind, Result};

/// Records below a title among which the header is looked for.
const TITLES: usize = 20;

impl<B: Bytes> Records<'_, B> {
    /// Returns the names of the columns. Every later record must have as many fields.
    pub(in super::super) fn header(&mut self) -> Result<Vec<String>> {
        self.begin()?;
        let Some(record) = self.split()? else {
            let error = Error::new(Kind::Empty, "nothing in it, not even a header");
            let above = self.dialect.lines_above();
            let error = if above > 0 {
                error.hint(format!("[`skip_rows`] and [`header`] skip {}", counted(above, "line")))
            } else {
                error
            };
            // The bytes were verified, so a retry would bring the same empty text.
            return Err(error.transient(false));
        };
        let names = self.names(&record);
        self.refuse_one_column(&record)?;
        self.refuse_commas_of_prose(&record)?;
        self.width = record.fields;
        if self.dialect.header == Header::None {
            self.header = (1..=self.width).map(|at| format!("column_{at}")).collect();
            // The record is a row: read it again as one.
            (self.unread.start, self.line, self.after_cr) = (record.place.start, record.line, false);
            self.tally.as_they_stand = Count::default();
        } else {
            self.header_bytes = self.bytes(&record).to_vec();
            self.repeats = Repeats::of(&self.header_bytes, self.separator());
            self.refuse_title(&record, &names)?;
            self.tally.bare = self.bare(&names);
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
            [_, _, ..] if rows == 0 && !self.is_told && !self.is_sheet && impostor::is_sentence(&self.header_bytes) => {
                Err(impostor::message(&String::from_utf8_lossy(&self.header_bytes)))
            }
            _ => Ok(()),
        }
    }

    /// Says that a text of one or two lines reads like a message, once all of it was read.
    pub(in super::super) fn message_warning(&self, rows: u64) -> Option<String> {
        let most = if self.header.len() == 1 { 4 } else { 1 };
        let is_one = rows <= most && !self.header_bytes.is_empty() && !self.is_sheet;
        // The only row may hold the sentence.
        let row = self.head.map_or(&[][..], |(start, _)| &self.buffer[start..self.unread.end]);
        (is_one && impostor::is_prose(&self.header, &String::from_utf8_lossy(row))).then(|| {
            let lines = match rows {
                0 => "its only line reads",
                1 => "its two lines read",
                _ => "its few lines read",
            };
            format!("{lines} like a message, not like a table: {}", tally::quoted(&self.header_bytes))
        })
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
                self.is_told = true;
                self.notes.push(format!("its first line names the delimiter: {}", spelled(byte)));
                byte
            }
            (Delimiter::ByName, None) => self.delimiter,
            (Delimiter::Auto, None) => self.guess()?,
        };
        self.is_told |= matches!(self.dialect.delimiter, Delimiter::Byte(_));
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
        // A program may have padded the line: `sep=;;;`.
        let (byte, rest) = value.split_first()?;
        if !key.eq_ignore_ascii_case(b"sep=") || !byte.is_ascii() || rest.iter().any(|other| other != byte) {
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
        let end = memchr2(b'\n', b'\r', text).unwrap_or(text.len());
        let layout = self.rather(&text[..end], layout.fields, layout.delimiter).unwrap_or(layout);
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
    fn refuse_one_column(&mut self, record: &Record) -> Result<()> {
        let bytes = &self.buffer[record.place.clone()];
        if record.fields == 1 && self.is_told {
            self.tally.narrow = self.narrow(bytes);
        }
        if record.fields != 1 || self.is_told || self.is_sheet || bytes.first() == self.rules.quote.as_ref() {
            return Ok(());
        }
        let held = RARE.iter().filter(|other| **other != self.delimiter && bytes.contains(other));
        let held = held.filter(|other| USUAL.contains(other) || self.reads_evenly(**other));
        let Some(other) = held.max_by_key(|other| memchr::memchr_iter(**other, bytes).count()) else {
            return self.refuse_fixed_width(record);
        };
        let hint = self
            .other_layout()
            .unwrap_or_else(|| format!("its fields seem to be separated otherwise: [`delimiter`] {}", spelled(*other)));
        Err(Error::new(Kind::Csv, format!("a header of one column that holds {}", in_words(*other)))
            .line(record.line)
            .hint(format!("{hint}; if it is one column, [`delimiter`] {}", spelled(self.delimiter))))
    }

    /// Says that a text of one column, whose delimiter was named, would have several with another one.
    fn narrow(&self, header: &[u8]) -> Option<String> {
        let is_quoted = header.first() == self.rules.quote.as_ref();
        let others = USUAL.into_iter().filter(|other| *other != self.delimiter && header.contains(other));
        let other = others.filter(|_| !is_quoted && !self.is_sheet).find(|other| self.reads_evenly(*other))?;
        let named = spelled(other);
        Some(format!("it has one column, but {} divides all of it alike ([`delimiter`] {named})", in_words(other)))
    }

    /// Refuses a header and a row that blanks align, several between two words of each.
    fn refuse_fixed_width(&self, record: &Record) -> Result<()> {
        let has_gap = |line: &[u8]| memchr::memmem::find(line.trim_ascii(), b"  ").is_some();
        let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
        let rows = self.buffer[self.unread.clone()].split(is_end).filter(|line| !line.trim_ascii().is_empty());
        let rows: Vec<&[u8]> = rows.take(TITLES).collect();
        let header = &self.buffer[record.place.clone()];
        if !has_gap(header) || rows.is_empty() || !rows.into_iter().all(has_gap) {
            return Ok(());
        }
        Err(Error::new(Kind::Csv, "a header of one column, with several blanks between its words").line(record.line).hint(
            format!(
                "columns of fixed width are not read: convert them first, as with `sed -E 's/ {{2,}}/\\t/g'`; if it is one \
                 column, [`delimiter`] {}",
                spelled(self.delimiter)
            ),
        ))
    }

    /// Whether another delimiter gives records of one length from here on.
    fn reads_evenly(&self, other: u8) -> bool {
        let text = self.head.map_or(&[][..], |(start, _)| &self.buffer[start..self.unread.end]);
        sniff(text, self.ended, &[other], self.rules, self.dialect.comment.as_deref())
            .is_some_and(|layout| layout.is_even && layout.run > 1)
    }

    /// Returns a reading with another delimiter if the commas of a header are those of prose, each with a blank after
    /// it (`Fecha;Valor, en pesos`), or if the other one divides all records into more fields.
    fn rather(&self, header: &[u8], fields: usize, delimiter: u8) -> Option<Layout> {
        let (start, _) = self.head?;
        let text = &self.buffer[start..self.unread.end];
        let mut commas = memchr::memchr_iter(b',', header).peekable();
        if delimiter != b',' || commas.peek().is_none() || header.contains(&b'"') {
            return None;
        }
        let is_prose = commas.all(|at| header.get(at + 1) == Some(&b' '));
        let others: Vec<u8> = USUAL.into_iter().filter(|other| *other != b',' && header.contains(other)).collect();
        let has_other = |text: &[u8]| memchr::memchr3(b';', b'\t', b'|', text).is_some();
        let others = if is_prose && has_other(text) { &USUAL[1..] } else { &others };
        sniff(text, self.ended, others, self.rules, self.dialect.comment.as_deref()).filter(|layout| {
            let has_more = layout.fields > fields || (layout.delimiter == b'\t' && layout.fields == fields);
            let reads = layout.is_last && layout.run > 1;
            reads && if is_prose { layout.fields >= fields } else { layout.is_first && layout.is_even && has_more }
        })
    }

    /// Refuses a table that commas and another delimiter divide alike.
    fn refuse_commas_of_prose(&self, record: &Record) -> Result<()> {
        if self.is_told || self.is_sheet || self.dialect.delimiter == Delimiter::Auto {
            return Ok(());
        }
        let bytes = &self.buffer[record.place.clone()];
        let Some(layout) = self.rather(bytes, record.fields, self.delimiter) else { return Ok(()) };
        let above = self.head.map_or(0, |(_, line)| line - 1) + layout.above;
        let skip = if layout.is_first { String::new() } else { format!("[`skip_rows`] {above} ") };
        let other = spelled(layout.delimiter);
        Err(Error::new(
            Kind::Csv,
            format!("its fields may be separated by a comma or by {}", in_words(layout.delimiter)),
        )
        .line(record.line)
        .hint(format!("{skip}[`delimiter`] {other}; if by a comma, [`delimiter`] ,")))
    }

    /// Refuses a header of one name and else empty ones if another line looks like the header, for a program may have
    /// padded a title with delimiters (`Title;;;`). Refuses a header without any name.
    fn refuse_title(&mut self, record: &Record, names: &[String]) -> Result<()> {
        let filled = names.iter().filter(|name| !name.trim().is_empty()).count();
        let is_title = names.len() > 2 && filled == 1 && names.first().is_some_and(|name| !name.trim().is_empty());
        let is_blank = names.len() > 1 && filled == 0;
        if !(is_title || is_blank) || !self.dialect.columns.is_empty() {
            return Ok(());
        }
        let below = self.header_below();
        if below.is_none() && is_title {
            return Ok(());
        }
        let what = if is_blank { "this header has no names" } else { "this header has one name, and else empty ones" };
        let name_all = "if this is the header, name all columns with [`columns`]";
        self.title = below.map(|line| line - 1);
        let hint = below.map_or_else(
            || name_all.to_owned(),
            |line| format!("line {line} looks like the header: [`skip_rows`] {}; {name_all}", line - 1),
        );
        Err(Error::new(Kind::Csv, what).line(record.line).hint(hint))
    }

    /// Returns the line that looks like the header, below what is none.
    fn header_below(&self) -> Option<u64> {
        let (mut at, mut line) = (self.unread.start, self.line);
        let mut rewriter = Rewriter::default();
        for _ in 0..TITLES {
            let rest = &self.buffer[at..self.unread.end];
            let skipped = rest.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
            line += lines(&rest[..skipped]);
            let rest = &rest[skipped..];
            let Scan::Record { end, lines, .. } = rewriter.scan(rest, self.rules, self.ended) else { break };
            if is_header(&rewriter.record) {
                return Some(line);
            }
            if end == 0 {
                break;
            }
            let crlf = rest[end..].starts_with(b"\r\n");
            at += skipped + end + if crlf { 2 } else { 1 };
            line += if self.is_sheet { 1 } else { lines + 1 };
            if at >= self.unread.end {
                break;
            }
        }
        None
    }

    /// Says that a header looks like the row below it: it begins with a number, and it has numbers where the row has.
    fn bare(&mut self, names: &[String]) -> Option<String> {
        let is_year = |name: &str| name.trim().parse::<u16>().is_ok_and(|year| (1900..2100).contains(&year));
        if self.is_sheet || !is_numeric(names.first()?) || names.iter().all(|name| is_year(name) || !is_numeric(name)) {
            return None;
        }
        let mut rewriter = Rewriter::default();
        let rest = &self.buffer[self.unread.clone()];
        let rest = &rest[rest.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count()..];
        let Scan::Record { end: 1.., fields, .. } = rewriter.scan(rest, self.rules, self.ended) else { return None };
        let cells = cells(&rewriter.record);
        let alike = |(name, cell): (&String, &String)| is_numeric(name) == is_numeric(cell);
        (fields == names.len() && names.iter().zip(&cells).all(alike)).then(|| {
            format!(
                "the header looks like a row: {} ([`header`] none reads it as one)",
                tally::quoted(&self.header_bytes)
            )
        })
    }

    /// Gives the columns the names of the dialect.
    fn rename(&mut self) -> Result<()> {
        let columns = &self.dialect.columns;
        if columns.len() != self.width {
            let (of, names) = (counted(self.width as u64, "field"), counted(columns.len() as u64, "name"));
            let were = if columns.len() == 1 { "was" } else { "were" };
            return Err(Error::new(
                Kind::Headers,
                format!("its records have {of}, and {names} {were} given for the columns"),
            )
            .hint("name each column, in the order of the fields"));
        }
        let replaced = std::mem::replace(&mut self.header, columns.clone());
        if self.dialect.header != Header::None {
            self.replaced = replaced;
        }
        Ok(())
    }
}

/// Whether a record of plain CSV looks like a header: names that differ, none of them a number.
fn is_header(record: &[u8]) -> bool {
    let cells = cells(record);
    let names: Vec<&str> = cells.iter().map(|cell| cell.trim()).filter(|name| !name.is_empty()).collect();
    let differ = names.iter().collect::<std::collections::HashSet<_>>().len() == names.len();
    names.len() > 1 && names.len() * 2 >= cells.len() && differ && !names.iter().any(|name| is_numeric(name))
}

/// The cells of a record of plain CSV.
fn cells(record: &[u8]) -> Vec<String> {
    let (mut cells, mut value, mut from) = (Vec::new(), Vec::new(), 0);
    loop {
        let end = field_end(record, from, b',');
        value.clear();
        unquote(&record[from..end], &mut value);
        cells.push(String::from_utf8_lossy(&value).into_owned());
        if end == record.len() {
            return cells;
        }
        from = end + 1;
    }
}

/// Whether a cell is a number, as far as a guess needs it.
pub(super) fn is_numeric(cell: &str) -> bool {
    cell.trim().replace(',', ".").parse::<f64>().is_ok_and(f64::is_finite)
}

fn in_words(delimiter: u8) -> &'static str {
    match delimiter {
        b'\t' => "a tab",
        b';' => "a semicolon",
        b'|' => "a vertical bar: |",
        b'^' => "a caret: ^",
        b'~' => "a tilde: ~",
        b':' => "a colon",
        b'\x1f' => "a control character: 0x1F",
        b'\x01' => "a control character: 0x01",
        _ => "a comma",
    }
}
