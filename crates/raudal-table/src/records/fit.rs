//! Records that differ from the header in length, and those that repeat it.

use super::head::is_numeric;
use super::repeats::are_same;
use super::{BOM, Record, Records};
use crate::dialect::{Delimiter, Quote, Ragged, RepeatedHeader, spelled};
use crate::rewrite::Rules;
use crate::scan::{field_end, unquote};
use crate::sniff::{RARE, records, sniff};
use crate::tally::counted;
use crate::text::{Bytes, LEAST};
use memchr::{memchr_iter, memmem};
use raudal_common::{Error, Kind, Result};

/// Lines below the rows that are taken for notes in a hint.
const NOTES: usize = 20;

/// Whether all lines of a record are records: a quote that is a letter may have joined them.
#[cold]
#[inline(never)]
pub(super) fn swallows(record: &[u8], delimiter: u8, width: usize) -> bool {
    let mut lines = record.split(|byte| matches!(byte, b'\n' | b'\r')).filter(|line| !line.is_empty());
    lines.all(|line| memchr_iter(delimiter, line).count() + 1 == width)
}

impl<B: Bytes> Records<'_, B> {
    /// Whether a record of the right length needs no other look.
    pub(super) fn is_usual(&mut self, record: &Record) -> bool {
        if self.first_row == 0 {
            self.first_row = record.line;
        }
        let repeats = self.repeats.may_be(self.bytes(record));
        record.lines == 0
            && !repeats
            && (self.is_plain || self.rewriter.as_they_stand + self.rewriter.escaped_letters == 0)
    }

    /// Makes a record fit the header; `None` if it is left out.
    pub(super) fn fit(&mut self, mut record: Record) -> Result<Option<Record>> {
        let is_first = self.first_row == 0 || self.first_row == record.line;
        if is_first {
            self.first_row = record.line;
        }
        if record.lines > 0 {
            self.check_swallowed(&record)?;
        }
        for _ in 0..self.rewriter.as_they_stand {
            self.tally.as_they_stand.one(record.line, &self.buffer[record.place.clone()]);
        }
        self.rewriter.as_they_stand = 0;
        if std::mem::take(&mut self.rewriter.escaped_letters) > 0 {
            self.tally.escaped_letters.one(record.line, &self.buffer[record.place.clone()]);
        }
        if record.fields > self.width
            && let Some(end) = self.end_before_empty(&record)
        {
            self.trailing |= usize::from(is_first);
            if self.trailing > 0 {
                self.tally.trailing.one(record.line, &self.buffer[record.place.clone()]);
                self.shorten(&mut record, end);
            }
        }
        if record.fields == self.width {
            return Ok((!self.repeats_header(&record)).then_some(record));
        }
        let bytes = &self.buffer[record.place.clone()];
        match self.dialect.ragged {
            Ragged::Refuse => {
                self.look_ahead(&record)?;
                Err(self.ragged(&record))
            }
            Ragged::Skip => {
                self.tally.skipped.one(record.line, bytes);
                Ok(None)
            }
            Ragged::Pad => {
                let is_short = record.fields < self.width;
                let count = if is_short { &mut self.tally.padded } else { &mut self.tally.cut };
                count.one(record.line, bytes);
                self.pad(&mut record);
                Ok(Some(record))
            }
        }
    }

    /// Reads on, so that hints see as much of the text behind a record however it was read.
    fn look_ahead(&mut self, record: &Record) -> Result<()> {
        let end = record.place.start + self.reach + LEAST;
        if self.buffer.len() < end {
            self.buffer.resize(end, 0);
        }
        self.read_to(end)
    }

    /// The text from a record on, as far as hints see it, and whether the whole text ends with it.
    fn ahead(&self, record: &Record) -> (&[u8], bool) {
        let end = self.unread.end.min(record.place.start + self.reach);
        let is_end = self.ended && self.fault.is_none() && end == self.unread.end;
        (&self.buffer[record.place.start..end], is_end)
    }

    /// Where the fields of the header end in a longer record, if all those after them are empty.
    fn end_before_empty(&self, record: &Record) -> Option<usize> {
        let (bytes, separator) = (self.bytes(record), self.separator());
        if record.fields == self.width + 1 && bytes.last() == Some(&separator) {
            return Some(bytes.len() - 1);
        }
        let mut end = field_end(bytes, 0, separator);
        for _ in 1..self.width {
            end = field_end(bytes, end + 1, separator);
        }
        let rest = bytes.get(end + 1..)?;
        let mut others = rest.split(|&byte| byte == separator).map(<[u8]>::trim_ascii);
        others.all(|field| matches!(field, b"" | b"\"\"")).then_some(end)
    }

    /// Removes the fields after this place.
    fn shorten(&mut self, record: &mut Record, end: usize) {
        if record.rewritten {
            self.rewriter.record.truncate(end);
        } else {
            record.place.end = record.place.start + end;
        }
        record.fields = self.width;
    }

    /// Gives the record as many fields as the header has.
    fn pad(&mut self, record: &mut Record) {
        let separator = self.separator();
        if !record.rewritten {
            self.rewriter.record.clear();
            self.rewriter.record.extend_from_slice(&self.buffer[record.place.clone()]);
            record.rewritten = true;
        }
        let bytes = &mut self.rewriter.record;
        while record.fields < self.width {
            bytes.push(separator);
            record.fields += 1;
        }
        if record.fields > self.width {
            let mut end = field_end(bytes, 0, separator);
            for _ in 1..self.width {
                end = field_end(bytes, end + 1, separator);
            }
            bytes.truncate(end);
            record.fields = self.width;
        }
    }

    /// Counts a record that repeats the header. Returns whether to leave it out.
    fn repeats_header(&mut self, record: &Record) -> bool {
        let (bytes, separator) = (self.bytes(record), self.separator());
        if self.header_bytes.is_empty() || (record.lines == 0 && !self.repeats.may_be(bytes)) {
            return false;
        }
        if bytes != self.header_bytes && !are_same(&self.header_bytes, bytes, separator) {
            return false;
        }
        let drops = self.dialect.repeated_header == RepeatedHeader::Drop;
        self.tally.drops_repeated = drops;
        self.tally.repeated.one(record.line, &self.buffer[record.place.clone()]);
        drops
    }

    /// Whether all lines of a record are records, and quotes may be letters.
    pub(super) fn may_swallow(&self, bytes: &[u8]) -> bool {
        self.has_swallowing() && swallows(bytes, self.delimiter, self.width)
    }

    /// Whether a quoted field may swallow records: a named quote is meant so, and a sheet has none.
    pub(super) fn has_swallowing(&self) -> bool {
        self.dialect.quote == Quote::Usual && !self.is_sheet
    }

    /// Says that a quoted field swallows lines that are records. Refuses it in a table with tabs, where quotes are often
    /// letters.
    fn check_swallowed(&mut self, record: &Record) -> Result<()> {
        let bytes = &self.buffer[record.place.clone()];
        if self.width < 2 || !self.may_swallow(bytes) {
            return Ok(());
        }
        if self.delimiter != b'\t' {
            self.tally.swallowed.one(record.line, bytes);
            return Ok(());
        }
        Err(Error::new(Kind::Csv, format!("a quoted field swallows {} lines that are rows themselves", record.lines))
            .line(record.line)
            .hint("if quotes are letters here, [`quote`] none reads them; if the field is meant so, [`quote`] '\"'"))
    }

    /// Returns the error for a quote that never closes.
    pub(super) fn unclosed(&self, field: usize) -> Error {
        let text = &self.buffer[self.unread.clone()];
        let backslash = self.dialect.escape.is_none() && memmem::find(text, b"\\\"").is_some();
        let hint = if backslash {
            "if a backslash keeps a quote from ending a field here, [`escape`] '\\' reads it"
        } else {
            "the file may be cut off, or a quote in a field is not doubled; if quotes are letters here, [`quote`] none \
             reads them"
        };
        self.locate_at(field, Error::new(Kind::Csv, "the quote that opens here never closes")).hint(hint)
    }

    /// Returns the error for a record that has more or fewer fields than the header.
    fn ragged(&self, record: &Record) -> Error {
        let of = counted(record.fields as u64, "field");
        let than = if self.header_bytes.is_empty() { "the first one" } else { "the header" };
        Error::new(Kind::Csv, format!("this record has {of}, {than} has {}", self.width))
            .line(record.line)
            .hint(self.remedy(record))
    }

    /// Returns what would help to read a ragged record.
    fn remedy(&self, record: &Record) -> String {
        let bytes = &self.buffer[record.place.clone()];
        if memmem::find(bytes, BOM).is_some() {
            return "a byte order mark in it shows where a second file begins: join files with a line end between them"
                .to_owned();
        }
        if self.dialect.escape.is_none() && memmem::find(bytes, b"\\\"").is_some() {
            return "if a backslash keeps a quote from ending a field here, [`escape`] '\\' reads it".to_owned();
        }
        let fields: Vec<&[u8]> = bytes.split(|&byte| byte == self.delimiter).collect();
        let opens = |field: &&[u8]| field.first() == Some(&b'\'') && (field.len() == 1 || field.last() != Some(&b'\''));
        if self.dialect.quote == Quote::Usual
            && fields.iter().any(opens)
            && fields.iter().any(|field| field.last() == Some(&b'\''))
        {
            return "if fields are in single quotes here, [`quote`] \"'\" reads them".to_owned();
        }
        if self.dialect.comment.is_none()
            && let Some(sign @ (b'#' | b'%')) = bytes.first()
        {
            return format!("if this line is a comment, [`comment`] '{}' leaves it out", char::from(*sign));
        }
        let footer = self.lines_to_the_end(record).map(|lines| {
            format!(
                "if the rows end above this line, [`footer`] {lines} leaves out what follows; [`ragged`] skip or pad \
                 reads on"
            )
        });
        // A sentence in one field, below rows, is a note, whatever else would split it.
        if record.fields == 1
            && let Some(footer) = &footer
        {
            return footer.clone();
        }
        if let Some(setting) = self.other_rules(record) {
            return format!("it reads well with {setting}");
        }
        if let Some(hint) = self.nameless_column(record) {
            return hint;
        }
        if let Some(hint) = self.other_layout() {
            return match self.header_bytes.first() {
                Some(sign @ (b'#' | b'%')) if self.dialect.comment.is_none() => {
                    format!("{hint}; if what is above it are comments, [`comment`] '{}'", char::from(*sign))
                }
                _ => hint,
            };
        }
        footer.unwrap_or_else(|| "[`ragged`] skip leaves such records out, [`ragged`] pad fills them".to_owned())
    }

    /// Returns a hint if all rows have one field more than the header, and are no header themselves.
    fn nameless_column(&self, record: &Record) -> Option<String> {
        let from_the_first = record.line == self.first_row || self.trailing > 0;
        if !from_the_first || record.fields != self.width + 1 || self.header_bytes.is_empty() {
            return None;
        }
        let (text, is_end) = self.ahead(record);
        let rows = records(text, is_end, self.rules, self.dialect.comment.as_deref());
        let bytes = self.bytes(record);
        let (mut value, mut from, mut has_number) = (Vec::new(), 0, false);
        while from <= bytes.len() {
            let end = field_end(bytes, from, self.separator());
            value.clear();
            unquote(&bytes[from..end], &mut value);
            has_number |= is_numeric(&String::from_utf8_lossy(&value));
            from = end + 1;
        }
        let all_longer = rows.iter().all(|(_, fields)| *fields == self.width + 1);
        (all_longer && has_number).then(|| {
            format!(
                "the rows have one field more than the header, so a name may be missing there: [`skip_rows`] {} and \
                 [`header`] none, with [`columns`] for all names",
                self.first_row - 1
            )
        })
    }

    /// Returns the setting with which the text from this record on has as many fields as the header.
    fn other_rules(&self, record: &Record) -> Option<&'static str> {
        let (own, is_usual) = (self.rules, self.dialect.quote == Quote::Usual);
        let (text, is_end) = self.ahead(record);
        let has = |byte| memchr::memchr(byte, text).is_some();
        let candidates = [
            ("[`trim`]", Rules { trim: true, ..own }, !own.trim && has(b' ')),
            ("[`escape`] '\\'", Rules { escape: Some(b'\\'), ..own }, own.escape.is_none() && has(b'\\')),
            ("[`quote`] \"'\"", Rules { quote: Some(b'\''), ..own }, is_usual && has(b'\'')),
            ("[`quote`] none", Rules { quote: None, ..own }, is_usual && has(b'"')),
        ];
        let fits = |rules| {
            let rows = records(text, is_end, rules, self.dialect.comment.as_deref());
            !rows.is_empty() && rows.iter().all(|(_, fields)| *fields == self.width)
        };
        candidates.into_iter().find(|(_, rules, is_new)| *is_new && fits(*rules)).map(|(setting, ..)| setting)
    }

    /// Returns a hint if the beginning of the text reads better with another header or delimiter.
    pub(super) fn other_layout(&self) -> Option<String> {
        let (start, line) = self.head?;
        let text = &self.buffer[start..self.unread.end];
        let is_named = matches!(self.dialect.delimiter, Delimiter::Byte(_));
        let own = [self.delimiter];
        let candidates: &[u8] = if is_named { &own } else { &RARE };
        let layout = sniff(text, self.ended, candidates, self.rules, self.dialect.comment.as_deref())?;
        let delimiter =
            (layout.delimiter != self.delimiter).then(|| format!("[`delimiter`] {}", spelled(layout.delimiter)));
        if !layout.is_first && layout.run > 1 && (layout.fields > self.width || delimiter.is_some()) {
            // A row of numbers is none.
            let names = text.split(|&byte| byte == b'\n').nth(usize::try_from(layout.above).ok()?)?;
            let first = names.split(|&byte| byte == layout.delimiter).next().unwrap_or_default();
            if is_numeric(&String::from_utf8_lossy(first)) {
                return None;
            }
            let found = line + layout.above;
            let with = delimiter.map_or(String::new(), |delimiter| format!(" {delimiter}"));
            return Some(format!("line {found} looks like the header: [`skip_rows`] {}{with}", found - 1));
        }
        delimiter
            .filter(|_| layout.is_first)
            .map(|delimiter| format!("its fields seem to be separated otherwise: {delimiter}"))
    }

    /// Counts the lines from a record to the end, if they are few, none is a row, and rows stand
    /// above them.
    fn lines_to_the_end(&self, record: &Record) -> Option<usize> {
        let (rest, is_end) = self.ahead(record);
        if !is_end {
            return None;
        }
        let lines = memchr_iter(b'\n', rest.strip_suffix(b"\n").unwrap_or(rest)).count() + 1;
        let rows = records(rest, is_end, self.rules, self.dialect.comment.as_deref());
        let has_rows = rows.iter().any(|(_, fields)| *fields == self.width);
        (lines <= NOTES && !has_rows && record.line > self.first_row).then_some(lines)
    }
}
