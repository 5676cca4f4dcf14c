//! Reads one input into rows: open, verify, decode, split, filter, keep.

use std::io::{BufReader, Read, Seek};
use std::ops::Range;

use flate2::bufread::MultiGzDecoder;
use memchr::{memchr, memrchr, memrchr_iter};

use super::archive::{self, Input};
use super::choice;
use super::column_names::quoted;
use super::columns::{padded, shown};
use super::encoding::Encoding;
use super::filter::Bound;
use super::impostor;
use super::layout::Layout;
use super::pick::ColumnsMode;
use super::query::Query;
use super::records::{Record, Records};
use super::rows::{Rows, Store, end_record, write_field};
use super::scan::{field_end, unquote};
use super::survey::survey;
use super::tally::Count;
use super::text::{Bytes, Text};
use super::verify::Verify;
use raudal_common::{Error, Kind, Result};

/// Rows between two reports to a [`Watch`].
const REPORT: u64 = 4096;

/// Observes the reading of an input and can cancel it. `()` does neither.
pub trait Watch {
    /// Reports how many more uncompressed bytes and rows were read.
    fn advance(&self, bytes: u64, rows: u64) {
        let _ = (bytes, rows);
    }

    /// Returns whether to stop. Called between reads.
    fn cancelled(&self) -> bool {
        false
    }
}

impl Watch for () {}

/// Reads one input (a zip, a gzip or plain text) and returns the rows that the query selects.
///
/// `name` is the input's URL or path. It appears in errors and sets the default delimiter. The kind
/// of input is detected from its first bytes.
///
/// # Errors
///
/// Fails if anything in the input is wrong: its checksum, its encoding, the shape of a record. Then
/// it returns no rows at all.
pub fn read<R: Read + Seek>(input: R, name: &str, query: &Query, watch: &dyn Watch) -> Result<Rows> {
    read_arrived(Arrived::Whole, input, name, query, watch)
}

/// Reads an input that is still arriving. Works like [`read`], but reads from first byte to last
/// where possible. For a zip, the directory at its end must be there first.
///
/// The rows are provisional. [`confirm`] makes the checks that need the whole archive: that no
/// members overlap, and that every member has the same name before its data as in the directory.
///
/// # Errors
///
/// The same as [`read`].
///
/// ```
/// use raudal_table::{Query, confirm, read_ahead};
/// use std::io::Cursor;
///
/// let arriving = Cursor::new("a,b\n1,2\n"); // a reader that waits for its bytes
/// let rows = read_ahead(arriving, "x.csv", &Query::new(), &())?;
/// confirm(Cursor::new("a,b\n1,2\n"), "x.csv", &Query::new())?; // it has arrived
/// assert_eq!(rows.rows_kept(), 1);
/// # Ok::<(), raudal_common::Error>(())
/// ```
pub fn read_ahead<R: Read + Seek>(input: R, name: &str, query: &Query, watch: &dyn Watch) -> Result<Rows> {
    read_arrived(Arrived::InPart, input, name, query, watch)
}

/// Makes the checks that [`read_ahead`] could not, once the input is complete.
///
/// # Errors
///
/// The errors of [`read`] that concern an archive as a whole.
pub fn confirm<R: Read + Seek>(input: R, name: &str, query: &Query) -> Result<()> {
    archive::open(input, name, &query.limits).map(drop).map_err(|error| error.input(name))
}

/// Whether the whole input is there.
#[derive(Clone, Copy)]
enum Arrived {
    Whole,
    InPart,
}

fn read_arrived<R: Read + Seek>(
    arrived: Arrived,
    mut input: R,
    name: &str,
    query: &Query,
    watch: &dyn Watch,
) -> Result<Rows> {
    let mut pass = |reading: &mut Reading| {
        let opened = match arrived {
            Arrived::Whole => archive::open(&mut input, name, &query.limits)?,
            Arrived::InPart => archive::open_ahead(&mut input, name, &query.limits)?,
        };
        reading.input(opened, name)
    };
    let mut reading = Reading::new(query, watch, Task::Read(Vec::new()));
    let read = query.check().and_then(|()| pass(&mut reading)).or_else(|error| {
        if !choice::may_cure(query, &error) {
            return Err(error);
        }
        // The encoding is decided on the whole of each text, and only if it is in doubt.
        let quiet = Quiet(watch);
        let mut surveying = Reading::new(query, &quiet, Task::Survey(Vec::new()));
        pass(&mut surveying)?;
        let Task::Survey(found) = surveying.task else { return Err(error) };
        if found.iter().all(|encoding| *encoding == choice::first(query)) {
            return Err(error);
        }
        reading = Reading::new(query, watch, Task::Read(found));
        pass(&mut reading)
    });
    read.and_then(|()| reading.layout.finish(reading.rows, query.memory)).map_err(|error| error.input(name))
}

/// Passes on only whether to stop, for bytes that are read twice.
struct Quiet<'a>(&'a dyn Watch);

impl Watch for Quiet<'_> {
    fn cancelled(&self) -> bool {
        self.0.cancelled()
    }
}

/// What a pass over an input is for.
enum Task {
    /// To read it. The encoding of each text, if they were decided.
    Read(Vec<Encoding>),
    /// To decide on the encoding of each text.
    Survey(Vec<Encoding>),
}

struct Reading<'a> {
    query: &'a Query,
    watch: &'a dyn Watch,
    task: Task,
    /// Texts begun.
    texts: usize,
    rows: Rows,
    layout: Layout,
}

impl<'a> Reading<'a> {
    fn new(query: &'a Query, watch: &'a dyn Watch, task: Task) -> Self {
        let rows = Rows { store: Store::new(query.memory), ..Rows::default() };
        Self { query, watch, task, texts: 0, rows, layout: Layout::new(query) }
    }
}

impl Reading<'_> {
    fn input<R: Read + Seek>(&mut self, input: Input<R>, name: &str) -> Result<()> {
        let limits = &self.query.limits;
        match input {
            Input::Plain(input) => self.text(Verify::new(input, None, 0, limits), name),
            Input::Gzip(input, packed) => {
                let inflated = MultiGzDecoder::new(BufReader::with_capacity(64 << 10, input));
                let name = archive::file_name(name);
                let name = name.trim_end_matches(".gz").trim_end_matches(".gzip");
                self.text(Verify::new(inflated, None, packed, limits), name)
            }
            Input::Zip(mut archive) => {
                for member in archive.choose(self.query)? {
                    let with_name = |error: Error| error.member(member.name.clone());
                    if member.climbs {
                        self.rows.warnings.push(format!(
                            "the name of the member leads out of its folder; the member was only read: {}",
                            shown(&member.name)
                        ));
                    }
                    let (reader, promise, packed) = archive.member(&member).map_err(with_name)?;
                    let verified = Verify::new(reader, Some(promise), packed, limits);
                    let said = (self.rows.warnings.len(), self.rows.notes.len());
                    self.text(verified, &member.name).map_err(with_name)?;
                    self.rows.name_member(said, &member.name);
                    self.rows.members.push(member.name);
                }
                Ok(())
            }
        }
    }

    fn text<R: Read>(&mut self, mut verified: Verify<R>, name: &str) -> Result<()> {
        let watch = self.watch;
        self.records(&mut verified, name).map_err(|error| verified.blame(error, || watch.cancelled()))
    }

    fn records<R: Read>(&mut self, verified: &mut Verify<R>, name: &str) -> Result<()> {
        let at = self.texts;
        self.texts += 1;
        let mut bytes = 0;
        let mut watched = Watched { verified, watch: self.watch, bytes: &mut bytes };
        let encoding = match &mut self.task {
            Task::Read(decided) => decided.get(at).copied(),
            Task::Survey(found) => {
                found.push(survey(&mut watched, &choice::encodings(self.query))?);
                return Ok(());
            }
        };
        let text = Text::new(watched, encoding.unwrap_or(choice::first(self.query)));
        let query = self.query;
        let delimiter = choice::delimiter(query, name, !self.rows.members.is_empty());
        let mut records = Records::new(text, &query.dialect, delimiter, &query.limits);
        let header = records.header()?;
        if header.len() == 1 && query.served.is_document() {
            return Err(impostor::message(&header[0]));
        }
        let (found, is_marked) = (records.text().encoding(), records.text().is_marked());
        let mut plan = self.plan(header, records.separator())?;
        let (before, mut reported) = (self.rows.rows_read, self.rows.rows_read);
        while let Some(record) = records.next()? {
            self.rows.rows_read += 1;
            if plan.keep(records.bytes(&record), &record, &mut self.rows.store.memory) {
                self.rows.rows_kept += 1;
                self.rows.store.spill()?;
            }
            if self.rows.rows_read - reported == REPORT {
                reported = self.rows.rows_read;
                self.watch.advance(0, REPORT);
            }
        }
        self.watch.advance(0, self.rows.rows_read - reported);
        records.refuse_message(self.rows.rows_read - before)?;
        records.tally.as_they_stand.add(std::mem::take(&mut plan.as_they_stand));
        self.rows.warnings.extend(records.tally.warnings());
        self.rows.warnings.extend(plan.filter.iter().flat_map(Bound::warnings));
        self.rows.notes.append(&mut records.notes);
        self.rows.notes.extend(records.tally.notes());
        drop(records);
        choice::say_encoding(query, found, is_marked, &mut self.rows);
        self.rows.bytes += bytes;
        Ok(())
    }

    /// Binds the query to a header. The first member's header determines the output columns; the
    /// columns of the others are put in their places.
    fn plan(&mut self, header: Vec<String>, delimiter: u8) -> Result<Plan> {
        let query = self.query;
        let (names, lenient) = (query.names(), query.columns_mode == ColumnsMode::Union);
        let filter = query.filter.as_ref();
        let filter = filter
            .map(|filter| filter.bind(&header, names, lenient, &query.dialect.numbers, &query.nulls))
            .transpose()?;
        let (first, width) = (self.rows.members.is_empty(), header.len());
        let mut warnings: Vec<String> = padded(&header).into_iter().collect();
        let mut missing = filter.as_ref().map(|filter| filter.missing.clone()).unwrap_or_default();
        let (select, header) = if query.select.is_all() {
            (None, header)
        } else {
            let chosen = query.select.bind(&header, names, lenient)?;
            missing.extend(chosen.missing);
            let (places, header): (Vec<_>, Vec<_>) = chosen.columns.into_iter().unzip();
            (Some(places), header)
        };
        warnings.extend(missing.iter().map(|name| format!("no such column, so its cells are null: {}", quoted(name))));
        for warning in warnings {
            if !self.rows.warnings.contains(&warning) {
                self.rows.warnings.push(warning);
            }
        }
        let select = if first {
            self.rows.header = header;
            self.rows.missing = missing;
            select
        } else {
            self.rows.missing.retain(|name| missing.contains(name));
            let order = if query.pick.count {
                None
            } else {
                self.layout.place(&mut self.rows.header, &header).map_err(|error| self.reference(error))?
            };
            match (order, select) {
                (None, select) => select,
                (order, None) => order,
                (Some(order), Some(select)) => Some(order.into_iter().map(|at| select[at?]).collect()),
            }
        };
        let mut wanted: Vec<usize> =
            filter.iter().flat_map(Bound::places).chain(select.iter().flatten().copied().flatten()).collect();
        wanted.sort_unstable();
        wanted.dedup();
        Ok(Plan {
            filter,
            select,
            delimiter,
            wanted,
            counts: query.pick.count,
            fields: vec![0..0; width],
            scratch: Vec::new(),
            as_they_stand: Count::default(),
        })
    }

    fn reference(&self, error: Error) -> Error {
        let cure = error.hint_text().unwrap_or_default();
        match self.rows.members.first() {
            Some(member) => {
                let hint = format!("compared with the first member: {}; {cure}", shown(member));
                error.hint(hint)
            }
            None => error,
        }
    }
}

/// How to process each record of one text.
struct Plan {
    filter: Option<Bound>,
    /// The output fields, in their order; all when `None`. A field that is `None` is empty.
    select: Option<Vec<Option<usize>>>,
    delimiter: u8,
    /// The fields that the filter and the output need, in ascending order.
    wanted: Vec<usize>,
    /// Whether rows are only counted.
    counts: bool,
    /// Where the wanted fields are. The other entries are meaningless.
    fields: Vec<Range<usize>>,
    scratch: Vec<u8>,
    /// Fields with text after their closing quote, among those written.
    as_they_stand: Count,
}

impl Plan {
    /// Appends the record to `out` if the filter accepts it.
    fn keep(&mut self, bytes: &[u8], record: &Record, out: &mut Vec<u8>) -> bool {
        locate(bytes, record.quotes, self.delimiter, &self.wanted, &mut self.fields);
        if let Some(filter) = &mut self.filter
            && !filter.keeps(bytes, &self.fields, record.line)
        {
            return false;
        }
        if self.counts {
            return true;
        }
        let start = out.len();
        let mut odd = 0;
        match &self.select {
            None if !record.quotes && self.delimiter == b',' => out.extend_from_slice(bytes),
            None if self.delimiter == b',' => odd += canonical_record(bytes, &mut self.scratch, out),
            None => {
                let mut from = 0;
                loop {
                    let end = field_end(bytes, from, self.delimiter);
                    odd += canonical(&bytes[from..end], &mut self.scratch, out);
                    if end == bytes.len() {
                        break;
                    }
                    out.push(b',');
                    from = end + 1;
                }
            }
            Some(select) => {
                for (at, &field) in select.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    if let Some(field) = field {
                        odd += canonical(&bytes[self.fields[field].clone()], &mut self.scratch, out);
                    }
                }
            }
        }
        for _ in 0..odd {
            self.as_they_stand.one(record.line, bytes);
        }
        end_record(start, out);
        true
    }
}

/// Locates the wanted fields, which are in ascending order. Scans forward for those of the first
/// half and backward for the others, up to the last quote.
fn locate(bytes: &[u8], quotes: bool, delimiter: u8, wanted: &[usize], fields: &mut [Range<usize>]) {
    let plain = if quotes { memrchr(b'"', bytes).map_or(0, |quote| quote + 1) } else { 0 };
    let (mut rest, mut at, mut end) = (wanted, fields.len(), bytes.len());
    // The leftmost of these delimiters may end a quoted field; the forward scan locates that field.
    let mut delimiters = memrchr_iter(delimiter, &bytes[plain..]);
    while let Some((&last, before)) = rest.split_last()
        && last > fields.len() / 2
        && let Some(found) = delimiters.next()
    {
        let start = plain + found + 1;
        at -= 1;
        if at == last {
            fields[at] = start..end;
            rest = before;
        }
        end = start - 1;
    }
    let Some(&last) = rest.last() else { return };
    let mut from = 0;
    for field in fields.iter_mut().take(last + 1) {
        let end = field_end(bytes, from, delimiter);
        *field = from..end;
        from = end + 1;
    }
}

/// Appends a comma-separated record in canonical form. Only rewrites fields that contain a quote.
/// Returns how many have text after their closing quote.
fn canonical_record(bytes: &[u8], scratch: &mut Vec<u8>, out: &mut Vec<u8>) -> usize {
    let mut odd = 0;
    let mut from = 0;
    while let Some(quote) = memchr(b'"', &bytes[from..]).map(|at| from + at) {
        let start = memrchr(b',', &bytes[from..quote]).map_or(from, |comma| from + comma + 1);
        let end = field_end(bytes, start, b',');
        out.extend_from_slice(&bytes[from..start]);
        odd += canonical(&bytes[start..end], scratch, out);
        from = end;
    }
    out.extend_from_slice(&bytes[from..]);
    odd
}

/// Appends a field in canonical form, whatever its quoting was. Returns 1 if it has text after its
/// closing quote.
fn canonical(field: &[u8], scratch: &mut Vec<u8>, out: &mut Vec<u8>) -> usize {
    if field.first() != Some(&b'"') {
        write_field(field, b',', out);
        return 0;
    }
    scratch.clear();
    let is_clean = unquote(field, scratch);
    write_field(scratch, b',', out);
    usize::from(!is_clean)
}

/// Reads verified bytes, counts and reports them, and stops on cancellation.
struct Watched<'a, R> {
    verified: &'a mut Verify<R>,
    watch: &'a dyn Watch,
    bytes: &'a mut u64,
}

impl<R: Read> Bytes for Watched<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if self.watch.cancelled() {
            return Err(Error::new(Kind::Cancelled, "cancelled"));
        }
        let count = self.verified.read(buffer)?;
        *self.bytes += count as u64;
        self.watch.advance(count as u64, 0);
        Ok(count)
    }
}
