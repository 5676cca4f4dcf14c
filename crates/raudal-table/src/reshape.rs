//! Changes rows that were read: other columns, fewer rows.

use csv::ByteRecord;

use super::rows::{Rows, Store, end_record, write_field};
use raudal_common::{Error, Result};

/// What to do with a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Keep,
    Drop,
    /// Drops this row and all that follow.
    Stop,
}

impl Rows {
    /// Rows with a header and none of its own figures.
    pub(super) fn empty(header: Vec<String>, memory: usize) -> Self {
        Self { header, store: Store::new(memory), ..Self::default() }
    }

    /// Appends a row.
    pub(super) fn push<'a>(&mut self, cells: impl IntoIterator<Item = &'a [u8]>) -> Result<()> {
        let start = self.store.memory.len();
        for (at, cell) in cells.into_iter().enumerate() {
            if at > 0 {
                self.store.memory.push(b',');
            }
            write_field(cell, b',', &mut self.store.memory);
        }
        end_record(start, &mut self.store.memory);
        self.rows_kept += 1;
        self.store.spill()
    }

    /// Calls a function with each row.
    pub(super) fn each(self, mut row: impl FnMut(&ByteRecord) -> Result<Verdict>) -> Result<()> {
        let records = self.store.into_reader()?;
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(records);
        let mut record = ByteRecord::new();
        while reader
            .read_byte_record(&mut record)
            .map_err(|error| Error::io("cannot read the rows from the temporary file", error.into()))?
        {
            if row(&record)? == Verdict::Stop {
                break;
            }
        }
        Ok(())
    }

    /// Returns the rows with these columns in place of their own. `None` is an empty cell, and so is
    /// a cell that a row is too short for.
    pub(super) fn rearranged(mut self, header: Vec<String>, places: &[Option<usize>], memory: usize) -> Result<Self> {
        let mut rows = Self::empty(header, memory);
        let body = Self { store: std::mem::take(&mut self.store), ..Self::default() };
        body.each(|record| {
            rows.push(places.iter().map(|place| place.and_then(|place| record.get(place)).unwrap_or_default()))?;
            Ok(Verdict::Keep)
        })?;
        let Self { header, store, rows_kept, .. } = rows;
        Ok(Self { header, rows_kept, store, ..self })
    }

    /// Returns the rows that a function keeps.
    pub(super) fn picked(mut self, memory: usize, mut pick: impl FnMut(&ByteRecord) -> Verdict) -> Result<Self> {
        let mut rows = Self::empty(std::mem::take(&mut self.header), memory);
        let body = Self { store: std::mem::take(&mut self.store), ..Self::default() };
        body.each(|record| {
            let verdict = pick(record);
            if verdict == Verdict::Keep {
                rows.push(record)?;
            }
            Ok(verdict)
        })?;
        let Self { header, store, rows_kept, .. } = rows;
        Ok(Self { header, rows_kept, store, ..self })
    }
}
