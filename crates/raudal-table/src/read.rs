//! Reads one input into rows: open, verify, decode, split, filter, keep.

use std::io::{Read, Seek};

use super::blocks::{self, Blocks, Feed, Output};
use super::choice;
use super::column_names::quoted;
use super::columns::{padded, refuse_moved, shown};
use super::dialect::{Delimiter, Dialect, Header, Quote};
use super::encoding::Encoding;
use super::filter::Bound;
use super::impostor;
use super::input::Input;
use super::layout::Layout;
use super::numbers::Numbers;
use super::open::{self, Arrived, Bytes as Verified, Found, Visit};
use super::pick::ColumnsMode;
use super::plan::RecordPlan;
use super::query::Query;
use super::records::Records;
use super::rows::{Rows, Store};
use super::survey::survey;
use super::tally::Count;
use super::text::{Bytes, Text};
use super::verify::Verify;
use super::watch::Watch;
use raudal_common::{Error, Kind, Result};

/// Rows between two reports to a [`Watch`].
const REPORT: u64 = 4096;

/// Reads one input and returns the rows that the query selects: plain text, a compressed file, an
/// archive, a workbook, and archives within archives.
///
/// `name` is the input's URL or path. It appears in errors and sets the default delimiter. The kind
/// of input is detected from its first bytes.
///
/// # Errors
///
/// Fails if anything in the input is wrong: its checksum, its encoding, the shape of a record. Then
/// it returns no rows at all.
pub fn read<R: Read + Seek>(mut input: R, name: &str, query: &Query, watch: &dyn Watch) -> Result<Rows> {
    read_arrived(Arrived::Whole, &mut input, name, query, watch)
}

/// Reads an input that is still arriving. Works like [`read`], but reads from first byte to last
/// where possible. For a zip, the directory at its end must be there first. A tar archive, a
/// workbook and an archive behind other bytes cannot be read so: that is an error, and [`read`]
/// reads them once they are there.
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
pub fn read_ahead<R: Read + Seek>(mut input: R, name: &str, query: &Query, watch: &dyn Watch) -> Result<Rows> {
    read_arrived(Arrived::InPart, &mut input, name, query, watch)
}

/// Makes the checks that [`read_ahead`] could not, once the input is complete.
///
/// # Errors
///
/// The errors of [`read`] that concern an archive as a whole.
pub fn confirm<R: Read + Seek>(mut input: R, name: &str, query: &Query) -> Result<()> {
    open::confirm(&mut input, &query.limits).map_err(|error| error.input(name))
}

fn read_arrived(arrived: Arrived, input: &mut dyn Input, name: &str, query: &Query, watch: &dyn Watch) -> Result<Rows> {
    let _reading = blocks::Reading::begin();
    let mut pass = |reading: &mut Reading| {
        input.rewind().map_err(|error| Error::io("cannot read the input", error))?;
        open::visit(input, name, query, arrived, reading)
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
    let read = read.and_then(|()| reading.layout.finish(reading.rows, query.memory));
    read.map_err(|error| if is_url(name) { error } else { impostor::of_file(error) }.input(name))
}

/// Whether a server has sent the input.
fn is_url(name: &str) -> bool {
    name.contains("://")
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

impl Visit for Reading<'_> {
    fn table(&mut self, bytes: &mut Verified<'_>, found: &Found<'_>) -> Result<()> {
        let said = (self.rows.warnings.len(), self.rows.notes.len());
        self.text(bytes, found)?;
        if let Some(member) = found.member {
            self.rows.name_member(said, member);
            self.rows.members.push(member.to_owned());
        }
        Ok(())
    }

    fn warn(&mut self, warning: String) {
        self.rows.warnings.push(warning);
    }

    fn cancelled(&self) -> bool {
        self.watch.cancelled()
    }
}

impl Reading<'_> {
    fn text(&mut self, verified: &mut Verified<'_>, found: &Found<'_>) -> Result<()> {
        let watch = self.watch;
        self.records(verified, found).map_err(|error| verified.blame(error, || watch.cancelled()))
    }

    fn records<R: Read>(&mut self, verified: &mut Verify<R>, found: &Found<'_>) -> Result<()> {
        let at = self.texts;
        self.texts += 1;
        let mut bytes = 0;
        let mut watched = Watched { verified, watch: self.watch, bytes: &mut bytes };
        // A sheet is CSV of our own making.
        let is_sheet = found.is_sheet;
        let encoding = match &mut self.task {
            Task::Read(decided) => decided.get(at).copied().filter(|_| !is_sheet),
            Task::Survey(found) => {
                let encodings = choice::encodings(self.query);
                found.push(if is_sheet { Encoding::UTF_8 } else { survey(&mut watched, &encodings)? });
                return Ok(());
            }
        };
        let first = if is_sheet { Encoding::UTF_8 } else { choice::first(self.query) };
        let text = Text::new(Feed::new(watched), encoding.unwrap_or(first));
        let query = self.query;
        let own = is_sheet.then(|| of_sheet(&query.dialect));
        let dialect = own.as_ref().unwrap_or(&query.dialect);
        let delimiter =
            if is_sheet { b',' } else { choice::delimiter(query, found.name, !self.rows.members.is_empty()) };
        let mut records = Records::new(text, dialect, delimiter, &query.limits);
        #[cfg(test)]
        records.hold(query.blocks.buffer);
        if is_sheet {
            records.are_rows_of_a_sheet(query.dialect.lines_above());
        }
        let header = records.header()?;
        if header.len() == 1 && query.served.is_document() {
            return Err(impostor::message(&header[0]));
        }
        if self.rows.replaced.is_empty() {
            self.rows.replaced.clone_from(&records.replaced);
        }
        refuse_moved(&self.rows.replaced, &records.replaced).map_err(|error| self.reference(error))?;
        let (encoding, is_marked) = (records.text().encoding(), records.text().is_marked());
        let mut plan = self.plan(header, records.separator(), &dialect.numbers)?;
        let before = self.rows.rows_read;
        self.rows(&mut records, &mut plan)?;
        records.refuse_message(self.rows.rows_read - before)?;
        self.rows.warnings.extend(records.message_warning(self.rows.rows_read - before));
        records.tally.as_they_stand.add(std::mem::take(&mut plan.as_they_stand));
        self.rows.warnings.extend(records.tally.warnings());
        self.rows.warnings.extend(plan.filter.iter().flat_map(Bound::warnings));
        self.rows.notes.append(&mut records.notes);
        self.rows.notes.extend(records.tally.notes());
        if !is_sheet {
            choice::say_encoding(query, encoding, is_marked, &mut self.rows);
            if let Some(lines) = records.text().utf8_lines() {
                choice::say_utf8_lines(encoding, lines, &mut self.rows);
            }
        }
        drop(records);
        self.rows.bytes += bytes;
        Ok(())
    }

    /// Reads the rows of a text.
    fn rows<B: Bytes>(&mut self, records: &mut Records<'_, Feed<B>>, plan: &mut RecordPlan) -> Result<()> {
        let mut blocks = Blocks::new(self.query.blocks);
        let mut unreported = 0;
        loop {
            let mut record = records.next_plain();
            if record.is_none() {
                self.watch.advance(0, std::mem::take(&mut unreported));
                blocks.read(records, plan, &mut Output { rows: &mut self.rows, watch: self.watch })?;
                record = records.next_any()?;
            }
            let Some(record) = record else { return Ok(()) };
            let bytes = records.bytes(&record);
            self.rows.rows_read += 1;
            plan.locate(bytes, record.quotes, None);
            if plan.keep(bytes, record.quotes, record.line, &mut self.rows.store.memory) {
                self.rows.rows_kept += 1;
                self.rows.store.spill()?;
            }
            unreported += 1;
            if unreported == REPORT {
                self.watch.advance(0, std::mem::take(&mut unreported));
            }
        }
    }

    /// Binds the query to a header. The first member's header determines the output columns; the
    /// columns of the others are put in their places.
    fn plan(&mut self, header: Vec<String>, delimiter: u8, numbers: &Numbers) -> Result<RecordPlan> {
        let query = self.query;
        let (names, lenient) = (query.names(), query.columns_mode == ColumnsMode::Union);
        let filter = query.filter.as_ref();
        let filter = filter.map(|filter| filter.bind(&header, names, lenient, numbers, &query.nulls)).transpose()?;
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
        Ok(RecordPlan {
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

/// The dialect of a sheet, which was turned into plain CSV without the rows above and below: what is said of headers,
/// columns and numbers counts, but not how fields are written.
pub(super) fn of_sheet(asked: &Dialect) -> Dialect {
    let mut dialect = asked.clone();
    (dialect.delimiter, dialect.quote, dialect.escape) = (Delimiter::default(), Quote::default(), None);
    (dialect.skip_rows, dialect.footer) = (0, 0);
    if let Header::Line(_) = dialect.header {
        dialect.header = Header::Line(1);
    }
    dialect
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
