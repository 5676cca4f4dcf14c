//! What every format does with the rows: the one trait of the sinks.

use std::io::Read;
use std::path::Path;

use super::options::partial_path;
use super::schema::{Column, Schema};
use raudal_common::{Error, Kind, Result};

/// Writes the table in one format. It is dropped without [`finish`](Self::finish) when a run fails,
/// and then leaves nothing behind.
pub(super) trait Writer: Send {
    /// Returns the columns of an existing table that rows are added to.
    fn existing(&self) -> Option<&[Column]> {
        None
    }

    /// Begins the table. Called once, before the first row.
    fn begin(&mut self, schema: &Schema) -> Result<()>;

    /// Writes a row.
    fn row(&mut self, row: &Row<'_>) -> Result<()>;

    /// Whether [`copy`](Self::copy) may take records in place of [`row`](Self::row).
    fn copies_records(&self) -> bool {
        false
    }

    /// Copies records of canonical CSV as they are.
    fn copy(&mut self, records: &mut dyn Read) -> Result<()> {
        let _ = records;
        Err(Error::new(Kind::Internal, "this format does not copy records"))
    }

    /// Called after each input: its rows may be shown.
    fn input_done(&mut self) -> Result<()> {
        Ok(())
    }

    /// Completes and publishes the table. Returns `None` if a table that lacks inputs cannot be
    /// kept beside the final one.
    fn finish(self: Box<Self>, ending: Ending) -> Result<Option<Bytes>>;
}

/// How a table ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// With all its inputs.
    Complete,
    /// Without those that a stopped run did not reach.
    Stopped,
}

impl Ending {
    /// Returns the name that the file gets.
    pub(super) fn name(self, path: &Path) -> std::path::PathBuf {
        match self {
            Self::Complete => path.to_owned(),
            Self::Stopped => partial_path(path),
        }
    }
}

/// The bytes of a published table: how many, and their SHA-256 in hexadecimal. A table in a
/// database has none of its own.
#[derive(Clone, Debug, Default)]
pub(super) struct Bytes {
    pub(super) count: u64,
    pub(super) digest: Option<String>,
}

/// A row's cells, in the order of the output's columns.
pub(super) struct Row<'a> {
    pub(super) record: &'a csv::ByteRecord,
    /// The position in the record of each column.
    pub(super) order: Option<&'a [usize]>,
    /// The cell of the source column.
    pub(super) source: Option<&'a str>,
}

impl Row<'_> {
    pub(super) fn cells(&self) -> impl Iterator<Item = &[u8]> {
        let cell = |at: usize| {
            let at = self.order.map_or(Some(at), |order| order.get(at).copied());
            at.and_then(|at| self.record.get(at)).unwrap_or_default()
        };
        let count = self.order.map_or(self.record.len(), <[usize]>::len);
        self.source.map(str::as_bytes).into_iter().chain((0..count).map(cell))
    }
}
