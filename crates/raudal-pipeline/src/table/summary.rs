//! The result of a run, input by input.

use crate::run::failure::Failure;
use raudal_common::Error;
use raudal_pool::RunReport;
use raudal_source::Input;
use raudal_table::Written;

/// The result of a run.
#[derive(Debug)]
#[non_exhaustive]
pub struct Summary {
    /// The report on the jobs.
    pub report: RunReport,
    /// Number of inputs in the table.
    pub succeeded: u64,
    /// The inputs that failed, in input order.
    pub failures: Vec<Failure>,
    /// The inputs that were pulled but not finished when the run was stopped, in input order. Later
    /// inputs were never looked at: `pulled` is the index of the first of them.
    pub unfinished: Vec<Input>,
    /// The condition of the machine that stopped the run, such as a full disk. The inputs that met it
    /// are `unfinished`.
    pub condition: Option<Error>,
    /// Number of inputs pulled from the iterator.
    pub pulled: u64,
    /// Rows read from the inputs in the table.
    pub rows_read: u64,
    /// The rows of these that are in the table.
    pub rows_kept: u64,
    /// Decompressed bytes of the inputs in the table.
    pub table_bytes: u64,
    /// Whether the run ended before all inputs were read because the table had all rows of the
    /// query's limit. Then [`RunReport::stopped`] is false, as the table is complete.
    pub limited: bool,
    /// Warnings for the user, which are not errors.
    pub warnings: Vec<String>,
    /// What was found in the inputs or left out as asked, such as encodings and comments.
    pub notes: Vec<String>,
    /// What was written; `None` if no table was published.
    pub written: Option<Written>,
}

impl Summary {
    /// Returns whether every input is in the table.
    pub fn is_complete(&self) -> bool {
        self.failures.is_empty() && self.unfinished.is_empty()
    }
}
