//! Finds how a text is written, by reading its beginning again and again until that works.

use std::io::Read;

use super::ROWS;
use super::column::{self, PeekColumn};
use crate::choice;
use crate::dialect::{Delimiter, Dialect, Header, Quote, Ragged};
use crate::encoding::{Encoding, Encodings};
use crate::query::Query;
use crate::read::of_sheet;
use crate::records::{Record, Records};
use crate::rewrite::Rules;
use crate::rows::{Rows, Store, end_record, write_field};
use crate::scan::{field_end, unquote};
use crate::sniff::{self, RARE, USUAL};
use crate::survey::survey;
use crate::text::{Bytes, Text};
use crate::verify::Verify;
use raudal_common::{Error, Kind, Result};

/// Rows below a table that may be no rows.
const FOOTER: usize = 5;
/// Says that the sample ends here, and the text does not.
const ENOUGH: &str = "the sample ends here";

/// A table, as far as it was looked at, and what it takes to read it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PeekTable {
    /// The path of its member or its sheet through the archives.
    pub member: Option<String>,
    /// The query that reads it: the one that was given, with what was found where that differs from what
    /// [`read`](crate::read()) does by itself.
    pub query: Query,
    /// The encoding of its text.
    pub encoding: Encoding,
    /// Whether the text that was looked at is ASCII, so that nothing tells its encoding.
    pub is_ascii: bool,
    /// What separates its fields.
    pub delimiter: char,
    /// Bytes that were looked at, decompressed, and whether they are all of it.
    pub looked_at: u64,
    /// Whether they are all of it.
    pub whole: bool,
    /// Its columns, with a guess of their kinds.
    pub columns: Vec<PeekColumn>,
    /// The rows that were looked at, as text.
    pub cells: Vec<Vec<String>>,
    pub(super) warnings: Vec<String>,
}

impl PeekTable {
    /// Returns the first rows, for a [`Sink`](crate::Sink).
    ///
    /// ```
    /// let peek = raudal_table::peek(std::io::Cursor::new("a\n1\n2\n"), "a.csv", &raudal_table::Query::new())?;
    /// assert_eq!(peek.table.expect("a table").rows(1).rows_kept(), 1);
    /// # Ok::<(), raudal_common::Error>(())
    /// ```
    pub fn rows(&self, most: usize) -> Rows {
        let mut rows = Rows { store: Store::new(usize::MAX), ..Rows::default() };
        rows.header = self.columns.iter().map(|column| column.name.clone()).collect();
        for cells in self.cells.iter().take(most) {
            let out = &mut rows.store.memory;
            let start = out.len();
            for (at, cell) in cells.iter().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                write_field(cell.as_bytes(), b',', out);
            }
            end_record(start, out);
            rows.rows_read += 1;
            rows.rows_kept += 1;
        }
        rows
    }
}

/// The beginning of a text.
#[derive(Clone, Debug, Default)]
pub(super) struct Sample {
    pub(super) bytes: Vec<u8>,
    /// Whether the text ends here.
    pub(super) whole: bool,
    /// Why it could not be read on.
    fault: Option<String>,
}

impl Sample {
    /// Reads the beginning of a text. An error that comes later only ends it.
    pub(super) fn of<R: Read>(text: &mut Verify<R>, most: usize) -> Result<Self> {
        let mut sample = Self { bytes: vec![0; most], ..Self::default() };
        let mut filled = 0;
        while filled < most {
            match text.read(&mut sample.bytes[filled..]) {
                Ok(0) => {
                    sample.whole = true;
                    break;
                }
                Ok(count) => filled += count,
                Err(error) if filled == 0 => return Err(error),
                Err(error) => {
                    sample.fault = (error.kind() != Kind::Bounds).then(|| error.report());
                    break;
                }
            }
        }
        sample.bytes.truncate(filled);
        Ok(sample)
    }
}

/// What tells how a text is read, beside the query.
pub(super) struct Place<'a> {
    /// The name that tells the delimiter.
    pub(super) name: &'a str,
    pub(super) is_member: bool,
    pub(super) is_sheet: bool,
}

/// The bytes of a sample. Behind them is an error, if the text goes on.
struct Beginning<'a> {
    bytes: &'a [u8],
    whole: bool,
}

impl Bytes for Beginning<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if self.bytes.is_empty() && !self.whole {
            // Of this kind, because it counts only after all good text.
            return Err(Error::new(Kind::Csv, ENOUGH));
        }
        let count = self.bytes.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.bytes[..count]);
        self.bytes = &self.bytes[count..];
        Ok(count)
    }
}

/// What was tried.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a step that is tried once")]
struct Tried {
    encoding: bool,
    title: bool,
    hint: bool,
    quote: bool,
    delimiter: bool,
    layout: bool,
    ragged: bool,
}

/// A reading of the sample.
struct Reading {
    delimiter: u8,
    encoding: Encoding,
    header: Vec<String>,
    cells: Vec<Vec<String>>,
    warnings: Vec<String>,
    /// Whether the header looks like a row.
    is_bare: bool,
}

/// Reads the beginning of a text. `sample_of` returns it; that of a sheet depends on the dialect.
pub(super) fn settle(
    sample_of: &mut dyn FnMut(&Dialect) -> Result<Sample>,
    place: &Place<'_>,
    query: &Query,
) -> Result<PeekTable> {
    let mut settling = Settling { query: query.clone(), encoding: None, tried: Tried::default() };
    let (mut first, mut narrow) = (None, None);
    let (reading, sample) = loop {
        let sample = sample_of(&settling.query.dialect)?;
        let mut title = None;
        match settling.read(&sample, place, &mut title) {
            Ok(reading) => {
                let before = settling.query.clone();
                let is_narrow = reading.header.len() == 1 && narrow.is_none();
                if !is_narrow || !settling.find_wider(&sample, place, query) {
                    break (reading, sample);
                }
                narrow = Some((before, reading));
            }
            Err(error) => {
                if settling.adjust(&error, &sample, place, title, query) {
                    first.get_or_insert(error);
                } else if let Some((before, reading)) = narrow {
                    settling.query = before;
                    break (reading, sample);
                } else {
                    return Err(first.unwrap_or(error));
                }
            }
        }
    };
    Ok(settling.finish(reading, sample, place, query))
}

struct Settling {
    query: Query,
    /// The encoding, if it was decided.
    encoding: Option<Encoding>,
    tried: Tried,
}

impl Settling {
    /// Reads the sample as the query says.
    fn read(&self, sample: &Sample, place: &Place<'_>, title: &mut Option<u64>) -> Result<Reading> {
        let (query, is_sheet) = (&self.query, place.is_sheet);
        let encoding = self.encoding(place);
        let text = Text::new(Beginning { bytes: &sample.bytes, whole: sample.whole }, encoding);
        let own = is_sheet.then(|| of_sheet(&query.dialect));
        let dialect = own.as_ref().unwrap_or(&query.dialect);
        let mut records = Records::new(text, dialect, self.fallback(place), &query.limits);
        if is_sheet {
            records.are_rows_of_a_sheet(query.dialect.lines_above());
        }
        let header = records.header().inspect_err(|_| *title = records.title);
        let header = header.map_err(|error| match error.message() {
            ENOUGH => Error::new(Kind::Bounds, format!("its header is longer than {} bytes", sample.bytes.len())),
            _ => error,
        })?;
        let mut cells = Vec::new();
        while cells.len() < ROWS {
            match records.next() {
                Ok(Some(record)) => cells.push(fields(&records, &record)),
                Ok(None) => {
                    records.refuse_message(cells.len() as u64)?;
                    break;
                }
                Err(error) if error.message() == ENOUGH => break,
                Err(error) => return Err(error),
            }
        }
        let (delimiter, encoding) = (records.delimiter(), records.text().encoding());
        let is_bare = records.tally.bare.is_some();
        Ok(Reading { delimiter, encoding, header, cells, warnings: records.tally.warnings(), is_bare })
    }

    fn encoding(&self, place: &Place<'_>) -> Encoding {
        let first = || self.encoding.unwrap_or_else(|| choice::first(&self.query));
        if place.is_sheet { Encoding::UTF_8 } else { first() }
    }

    fn fallback(&self, place: &Place<'_>) -> u8 {
        if place.is_sheet { b',' } else { choice::delimiter(&self.query, place.name, place.is_member) }
    }

    /// Changes the query after an error. Returns whether there is another way to read. What was `given` stays.
    fn adjust(&mut self, error: &Error, sample: &Sample, place: &Place<'_>, title: Option<u64>, given: &Query) -> bool {
        // UTF-16 without a mark has NUL bytes.
        let is_of_encoding = error.kind() == Kind::Encoding || (error.kind() == Kind::Csv && sample.bytes.contains(&0));
        if is_of_encoding && !place.is_sheet && !std::mem::replace(&mut self.tried.encoding, true) {
            return self.decide_encoding(sample, place);
        }
        if error.kind() != Kind::Csv {
            return false;
        }
        let is_of_quote =
            error.message().starts_with("the quote that") || error.message().starts_with("a quoted field");
        let has_no_rows_above = given.dialect.lines_above() == 0 && given.dialect.header != Header::None;
        if let Some(above) = title.filter(|_| has_no_rows_above && !self.tried.title) {
            (self.tried.title, self.query.dialect.skip_rows) = (true, above);
            true
        } else if !self.tried.hint && self.take_hint(error, sample, place) {
            self.tried.hint = true;
            true
        } else if is_of_quote && given.dialect.quote == Quote::Usual && !self.tried.quote {
            (self.tried.quote, self.query.dialect.quote) = (true, Quote::None);
            true
        } else if given.dialect.delimiter == Delimiter::ByName && !place.is_sheet && !self.tried.delimiter {
            (self.tried.delimiter, self.query.dialect.delimiter) = (true, Delimiter::Auto);
            true
        } else {
            self.find_layout(sample, place, given, &|_| true)
                || (!std::mem::replace(&mut self.tried.ragged, true) && self.fit(sample, place, given))
        }
    }

    /// Takes the quote, the escape or the trimming that the hint of an error names, if the sample is read with it: nothing
    /// is lost so, unlike where records are made to fit.
    fn take_hint(&mut self, error: &Error, sample: &Sample, place: &Place<'_>) -> bool {
        let hint = error.hint_text().unwrap_or_default();
        let before = self.query.dialect.clone();
        let dialect = &mut self.query.dialect;
        if hint.contains("[`escape`] '\\'") {
            dialect.escape = Some(b'\\');
        } else if hint.contains("[`quote`] \"'\"") {
            dialect.quote = Quote::Byte(b'\'');
        } else if hint.contains("reads well with [`trim`]") {
            dialect.trim = true;
        } else if hint.contains("reads well with [`quote`] none") {
            dialect.quote = Quote::None;
        }
        let helps = *dialect != before && self.read(sample, place, &mut None).is_ok();
        if !helps {
            self.query.dialect = before;
        }
        helps
    }

    /// Decides on the encoding by the sample: one of those that are read anyway, else one to name.
    fn decide_encoding(&mut self, sample: &Sample, place: &Place<'_>) -> bool {
        let bytes = match std::str::from_utf8(&sample.bytes) {
            // A character may be cut off by the end of the sample.
            Err(error) if error.error_len().is_none() && !sample.whole => &sample.bytes[..error.valid_up_to()],
            _ => &sample.bytes,
        };
        let whole = || Beginning { bytes, whole: true };
        let usual = survey(&mut whole(), &choice::encodings(&self.query));
        let found = usual.or_else(|error| {
            if self.query.encodings != Encodings::Told {
                return Err(error);
            }
            let found = survey(&mut whole(), &Encodings::Auto)?;
            self.query.encodings = Encodings::List(vec![found]);
            Ok(found)
        });
        self.encoding = found.ok();
        // Bytes that are no text may be letters of some encoding, but with control characters among them.
        let is_control = |byte: &u8| *byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c | 0x1a);
        self.encoding.is_some() && !self.text(sample, place).0.iter().any(is_control)
    }

    /// Looks for a table of several columns in what reads as one column: below a title, or among comments.
    fn find_wider(&mut self, sample: &Sample, place: &Place<'_>, given: &Query) -> bool {
        given.dialect.delimiter == Delimiter::ByName
            && self.find_layout(sample, place, given, &|layout| layout.is_last || layout.above > 0)
            && (self.query.dialect.comment.is_some() || self.query.dialect.lines_above() > 0)
    }

    /// Looks for the delimiter and the line of the header, once. `fits` judges what is found.
    fn find_layout(
        &mut self,
        sample: &Sample,
        place: &Place<'_>,
        given: &Query,
        fits: &dyn Fn(&sniff::Layout) -> bool,
    ) -> bool {
        if place.is_sheet || std::mem::replace(&mut self.tried.layout, true) {
            return false;
        }
        let (text, whole) = self.text(sample, place);
        let rules = self.rules(b',');
        let comment = self.query.dialect.comment.clone();
        let delimiters: &[&[u8]] = match given.dialect.delimiter {
            Delimiter::Byte(ref byte) => &[std::slice::from_ref(byte)],
            _ => &[&USUAL, &RARE],
        };
        let found = delimiters.iter().find_map(|delimiters| {
            let layout = sniff::sniff(&text, whole, delimiters, rules, comment.as_deref());
            layout.filter(|layout| layout.run > 1 && fits(layout))
        });
        let Some(layout) = found else { return false };
        let dialect = &mut self.query.dialect;
        dialect.delimiter = Delimiter::Byte(layout.delimiter);
        let may_skip = given.dialect.lines_above() == 0 && given.dialect.header != Header::None;
        // A first line of as many fields is the header, whatever is between it and the run.
        let same = Rules { delimiter: layout.delimiter, ..rules };
        let first = sniff::records(&text, whole, same, comment.as_deref()).first().map(|(_, fields)| *fields);
        if may_skip && !layout.is_first && first != Some(layout.fields) {
            let mut above = text.split(|&byte| byte == b'\n').take(layout.above as usize);
            let is_comment = |line: &[u8]| line.trim_ascii().is_empty() || line.starts_with(b"#");
            if comment.is_none() && above.all(is_comment) {
                dialect.comment = Some("#".into());
            } else {
                dialect.skip_rows = layout.above;
            }
        }
        true
    }

    /// Finds what to do with records of other lengths: lines below the table are dropped, others filled.
    fn fit(&mut self, sample: &Sample, place: &Place<'_>, given: &Query) -> bool {
        if given.dialect.ragged != Ragged::Refuse {
            return false;
        }
        let (text, whole) = self.text(sample, place);
        let delimiter = match self.query.dialect.delimiter {
            Delimiter::Byte(byte) => byte,
            _ => self.fallback(place),
        };
        if given.dialect.delimiter == Delimiter::ByName {
            self.query.dialect.delimiter = Delimiter::Byte(delimiter);
        }
        let dialect = &self.query.dialect;
        let skipped = text.split_inclusive(|&byte| byte == b'\n').take(dialect.lines_above() as usize);
        let rest = &text[skipped.map(<[u8]>::len).sum::<usize>()..];
        let records = sniff::records(rest, whole, self.rules(delimiter), dialect.comment.as_deref());
        let width = records.first().map_or(0, |(_, fields)| *fields);
        let odd = records.iter().rev().take_while(|(_, fields)| *fields != width).count();
        let (table, below) = records.split_at(records.len() - odd);
        let is_footer = whole && odd > 0 && odd <= FOOTER && table.len() > 1;
        let is_even = table.iter().all(|(_, fields)| *fields == width);
        let dialect = &mut self.query.dialect;
        match below.first() {
            Some((line, _)) if is_footer && is_even && dialect.footer == 0 && !sniff::is_cut(rest, records.len()) => {
                let lines = rest.split_inclusive(|&byte| byte == b'\n').count() as u64;
                dialect.footer = lines - line;
            }
            _ => dialect.ragged = Ragged::Pad,
        }
        true
    }

    fn rules(&self, delimiter: u8) -> Rules {
        let dialect = &self.query.dialect;
        Rules { delimiter, quote: dialect.quote.byte(), escape: dialect.escape, trim: dialect.trim }
    }

    /// Returns the sample as UTF-8, as far as it is text, and whether that is the whole text.
    fn text(&self, sample: &Sample, place: &Place<'_>) -> (Vec<u8>, bool) {
        let mut decoder = Text::new(Beginning { bytes: &sample.bytes, whole: sample.whole }, self.encoding(place));
        let (mut text, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
        loop {
            match decoder.read(&mut buffer) {
                Ok(0) => return (text, sample.whole),
                Ok(count) => text.extend_from_slice(&buffer[..count]),
                Err(_) => return (text, false),
            }
        }
    }

    /// Makes the result of a reading. Names only what has to be.
    fn finish(mut self, reading: Reading, sample: Sample, place: &Place<'_>, given: &Query) -> PeekTable {
        let Reading { delimiter, encoding, mut header, mut cells, mut warnings, is_bare } = reading;
        if self.query.dialect.delimiter != given.dialect.delimiter {
            // It may have been found only because of something else, such as a title above the header.
            self.query.dialect.delimiter = given.dialect.delimiter;
            let is_read_so = |again: Reading| again.delimiter == delimiter && again.header == header;
            if !self.read(&sample, place, &mut None).is_ok_and(is_read_so) {
                self.query.dialect.delimiter = Delimiter::Byte(delimiter);
            }
        }
        let may_be_bare = self.query.dialect.header == Header::default() && self.query.dialect.columns.is_empty();
        if may_be_bare && !place.is_sheet && (is_bare || column::is_row(&header)) {
            self.query.dialect.header = Header::None;
            match self.read(&sample, place, &mut None) {
                Ok(bare) => (header, cells, warnings) = (bare.header, bare.cells, bare.warnings),
                Err(_) => self.query.dialect.header = Header::default(),
            }
        }
        let dialect = &mut self.query.dialect;
        if dialect.numbers == given.dialect.numbers && given.dialect.numbers.is_plain() {
            dialect.numbers = column::numbers(&header, &cells, &self.query.nulls, delimiter);
        }
        let columns = column::columns(&header, &cells, &self.query.dialect.numbers, &self.query.nulls);
        warnings.extend(sample.fault.map(|fault| format!("it cannot be read further than this: {fault}")));
        PeekTable {
            member: None,
            encoding,
            is_ascii: sample.bytes.is_ascii(),
            delimiter: char::from(delimiter),
            looked_at: sample.bytes.len() as u64,
            whole: sample.whole,
            columns,
            cells,
            warnings,
            query: self.query,
        }
    }
}

/// Returns the cells of a record.
fn fields<B: Bytes>(records: &Records<'_, B>, record: &Record) -> Vec<String> {
    let (bytes, separator) = (records.bytes(record), records.separator());
    let (mut cells, mut from) = (Vec::new(), Some(0));
    while let Some(start) = from {
        let end = field_end(bytes, start, separator);
        let mut cell = Vec::new();
        unquote(&bytes[start..end], &mut cell);
        cells.push(String::from_utf8_lossy(&cell).into_owned());
        from = (end < bytes.len()).then_some(end + 1);
    }
    cells
}
