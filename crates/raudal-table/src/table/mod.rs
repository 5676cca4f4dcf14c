//! The one table of many inputs: aligns their columns, picks rows of all of them, and hands them to
//! a [`Sink`].
//!
//! `spool` holds rows until all columns are known, `sample` chooses rows at random.

mod sample;
mod spool;

use std::collections::HashSet;
use std::fmt;

use sha2::{Digest, Sha256};

use sample::Reservoir;
use spool::Spool;

use super::column_names::Names;
use super::columns::{align, cure, quoted_list, refuse_moved};
use super::pick::{ColumnsMode, Pick};
use super::query::Query;
use super::reshape::Verdict;
use super::rows::Rows;
use super::sink::{Sink, Written};
use raudal_common::error::redact;
use raudal_common::{Error, Kind, Result};

/// Makes one table of the rows of many inputs, in the order in which they are appended.
///
/// It does what a query asks of all inputs together: columns that differ
/// ([`Query::columns_mode`]), equal rows, a sample, a limit, a count ([`Query::pick`]). With the default
/// query, it only aligns the columns.
///
/// Memory is bounded, whatever the inputs are: rows that wait do so in a temporary file. Two things
/// grow with the rows that are written: some 40 bytes for each row with [`Pick::distinct`], and 24
/// bytes for each row of a sample.
///
/// ```
/// use raudal_table::{ColumnsMode, Query, Sink, SinkOptions, Table, Target, read};
/// use std::io::Cursor;
///
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("all.csv");
/// let mut query = Query::new();
/// query.columns_mode = ColumnsMode::Union;
/// query.pick.limit = Some(2);
/// let sink = Sink::create(Target::File(path.clone()), SinkOptions::default())?;
/// let mut table = Table::new(sink, &query)?;
/// for (name, text) in [("2019.csv", "id,pop\n1,9\n"), ("2020.csv", "pop,area,id\n8,5,2\n")] {
///     table.append(name, name, read(Cursor::new(text), name, &query, &())?)?;
/// }
/// assert!(table.is_full());
/// let (written, warnings) = table.finish()?;
/// assert_eq!(std::fs::read_to_string(path).unwrap(), "id,pop,area\n1,9,\n2,8,5\n");
/// assert_eq!((written.rows, warnings.len()), (2, 1)); // the cell that is empty was said
/// # Ok::<(), raudal_common::Error>(())
/// ```
pub struct Table {
    sink: Sink,
    pick: Pick,
    names: Names,
    memory: usize,
    /// The columns of the first input, and its name, if the columns are strict.
    reference: Option<(Vec<String>, String)>,
    /// The names of the first header that those of the dialect replace, and the input that has it.
    replaced: Option<(Vec<String>, String)>,
    /// The rows that wait for the last input, if the columns are not strict.
    spool: Option<Spool>,
    /// A digest of each row so far.
    seen: HashSet<[u8; 16]>,
    sample: Option<Reservoir>,
    /// The columns that the query names and no input has. `None` before the first input.
    missing: Option<Vec<String>>,
    /// Rows handed to the sink.
    out: u64,
    /// Rows read and kept, for a count.
    counted: (u64, u64),
}

impl Table {
    /// Starts a table without rows.
    ///
    /// # Errors
    ///
    /// A usage error for a query that asks for what excludes each other.
    pub fn new(sink: Sink, query: &Query) -> Result<Self> {
        query.check()?;
        let strict = query.columns_mode == ColumnsMode::Strict || query.pick.count;
        Ok(Self {
            sink,
            pick: query.pick.clone(),
            names: query.names(),
            memory: query.memory,
            reference: None,
            replaced: None,
            spool: (!strict).then(|| Spool::new(query)),
            seen: HashSet::new(),
            sample: query.pick.sample.map(|sample| Reservoir::new(sample, query.memory)),
            missing: None,
            out: 0,
            counted: (0, 0),
        })
    }

    /// Appends the rows of an input. `source` is its name in the source column, `place` its path or
    /// URL, for a count.
    ///
    /// # Errors
    ///
    /// After [`Kind::Headers`], nothing was appended and another input may be.
    pub fn append(&mut self, source: &str, place: &str, rows: Rows) -> Result<()> {
        self.check_order(place, &rows)?;
        if self.pick.count {
            return self.count(source, place, &rows);
        }
        let missing = rows.missing.clone();
        if let Some(spool) = &mut self.spool {
            spool.put(source, place, rows).map_err(|error| error.input(place))?;
        } else {
            let rows = self.aligned(place, rows)?;
            let header = self.reference.is_none().then(|| rows.header.clone());
            self.emit(source, place, rows)?;
            if let Some(header) = header {
                self.reference = Some((header, place.to_owned()));
            }
        }
        match &mut self.missing {
            Some(all) => all.retain(|name| missing.contains(name)),
            none => *none = Some(missing),
        }
        Ok(())
    }

    /// Whether further inputs can add nothing: the table has all rows of its limit.
    pub fn is_full(&self) -> bool {
        let rows = match &self.spool {
            // Which rows are equal is known once the columns are.
            Some(_) if self.pick.distinct => 0,
            Some(spool) => spool.rows(),
            None => self.out,
        };
        self.sample.is_none() && self.pick.limit.is_some_and(|limit| rows >= limit)
    }

    /// Publishes the table. Also returns warnings about it.
    pub fn finish(self) -> Result<(Written, Vec<String>)> {
        self.publish(Sink::finish)
    }

    /// Publishes a table that lacks inputs because the run was stopped, as
    /// [`Sink::finish_partial`] does. `None` where an incomplete table cannot be kept.
    pub fn finish_partial(self) -> Result<(Option<Written>, Vec<String>)> {
        self.publish(Sink::finish_partial)
    }

    fn publish<W>(mut self, finish: impl FnOnce(Sink) -> Result<W>) -> Result<(W, Vec<String>)> {
        if let Some(missing) = self.missing.take().filter(|missing| !missing.is_empty()) {
            return Err(Error::new(
                Kind::Column,
                format!("no input has the column: {}", quoted_list(missing.iter().map(String::as_str), 5)),
            )
            .hint("look at the names in [`select`] and in the filter"));
        }
        if self.pick.count {
            let (read, kept) = self.counted;
            self.count_row("total", "total", read, kept)?;
        }
        let mut warnings = Vec::new();
        if let Some(spool) = self.spool.take() {
            warnings.extend(spool.warning());
            spool.replay(|source, place, rows| {
                self.emit(source, place, rows)?;
                Ok(self.sample.is_some() || self.pick.limit.is_none_or(|limit| self.out < limit))
            })?;
        }
        if let Some(sample) = self.sample.take() {
            sample.replay(|source, place, rows| self.sink.append_of(source, place, rows))?;
        }
        Ok((finish(self.sink)?, warnings))
    }

    /// Refuses an input whose columns got their names by their place, but are in another order than in the first one.
    fn check_order(&mut self, place: &str, rows: &Rows) -> Result<()> {
        if rows.replaced.is_empty() {
            return Ok(());
        }
        let (reference, first) = self.replaced.get_or_insert_with(|| (rows.replaced.clone(), place.to_owned()));
        refuse_moved(reference, &rows.replaced).map_err(|error| compared(error.input(place), first))
    }

    /// Brings the columns of an input to the names and, if rows are compared, to the order of the
    /// first one.
    fn aligned(&self, place: &str, mut rows: Rows) -> Result<Rows> {
        let Some((reference, first)) = &self.reference else { return Ok(rows) };
        let order = align(reference, &rows.header, self.names).map_err(|error| {
            let cure = cure(reference, &rows.header, self.names);
            compared(error.input(place).hint(cure), first)
        })?;
        match order {
            None => rows.header.clone_from(reference),
            Some(order) if self.pick.distinct || self.sample.is_some() => {
                let places: Vec<Option<usize>> = order.into_iter().map(Some).collect();
                rows = rows.rearranged(reference.clone(), &places, self.memory)?;
            }
            // The sink does it while it writes.
            Some(order) => {
                for (name, at) in reference.iter().zip(order) {
                    rows.header[at].clone_from(name);
                }
            }
        }
        Ok(rows)
    }

    /// Picks rows, and hands them on.
    fn emit(&mut self, source: &str, place: &str, mut rows: Rows) -> Result<()> {
        let left = self.pick.limit.map_or(u64::MAX, |limit| limit.saturating_sub(self.out));
        if self.pick.distinct {
            let (seen, mut kept) = (&mut self.seen, 0);
            rows = rows.picked(self.memory, |record| {
                if kept >= left {
                    return Verdict::Stop;
                }
                if !seen.insert(digest(record)) {
                    return Verdict::Drop;
                }
                kept += 1;
                Verdict::Keep
            })?;
        } else if rows.rows_kept > left {
            let mut kept = 0;
            rows = rows.picked(self.memory, |_| {
                kept += 1;
                if kept > left { Verdict::Stop } else { Verdict::Keep }
            })?;
        }
        if let Some(sample) = &mut self.sample {
            return sample.put(source, place, rows);
        }
        let kept = rows.rows_kept;
        self.sink.append_of(source, place, rows)?;
        self.out += kept;
        Ok(())
    }

    fn count(&mut self, source: &str, place: &str, rows: &Rows) -> Result<()> {
        self.count_row(source, &redact(place), rows.rows_read, rows.rows_kept)?;
        self.counted.0 += rows.rows_read;
        self.counted.1 += rows.rows_kept;
        Ok(())
    }

    fn count_row(&mut self, source: &str, place: &str, read: u64, kept: u64) -> Result<()> {
        let mut rows = Rows::empty(["input", "read", "kept"].map(str::to_owned).to_vec(), self.memory);
        let (read, kept) = (read.to_string(), kept.to_string());
        rows.push([place.as_bytes(), read.as_bytes(), kept.as_bytes()])?;
        self.sink.append(source, rows)
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").field("sink", &self.sink).field("pick", &self.pick).finish_non_exhaustive()
    }
}

/// Adds to a hint which input the columns were compared with.
fn compared(error: Error, first: &str) -> Error {
    let hint = format!("compared with the first input: {}; {}", redact(first), error.hint_text().unwrap_or_default());
    error.hint(hint)
}

/// Identifies a row: half of a SHA-256, so that no two different rows are taken for equal, even if
/// someone tries to make some.
fn digest(record: &csv::ByteRecord) -> [u8; 16] {
    let mut hasher = Sha256::new();
    for cell in record {
        hasher.update((cell.len() as u64).to_le_bytes());
        hasher.update(cell);
    }
    let mut half = [0; 16];
    half.copy_from_slice(&hasher.finalize()[..16]);
    half
}
