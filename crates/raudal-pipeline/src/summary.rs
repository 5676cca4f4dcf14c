//! What became of a run, input by input.

use raudal_common::{Error, Kind};
use raudal_pool::{JobError, RunReport};
use raudal_source::Input;
use raudal_table::Written;

/// An input that is not in the table, and why.
#[derive(Debug)]
#[non_exhaustive]
pub struct Failure {
    /// The input.
    pub input: Input,
    /// What went wrong with its last attempt.
    pub error: Error,
    /// How many times it was tried.
    pub attempts: u32,
}

/// What became of a run.
#[derive(Debug)]
#[non_exhaustive]
pub struct Summary {
    /// How the jobs went.
    pub report: RunReport,
    /// How many inputs are in the table.
    pub succeeded: u64,
    /// The inputs that are not, in input order.
    pub failures: Vec<Failure>,
    /// The inputs that were begun or pulled when the run was stopped, in input order. Those behind them were never
    /// looked at: `pulled` says where they begin.
    pub unfinished: Vec<Input>,
    /// How many inputs were pulled.
    pub pulled: u64,
    /// Rows read from the inputs in the table.
    pub rows_read: u64,
    /// Rows of them that are in the table.
    pub rows_kept: u64,
    /// The size of these inputs' tables, decompressed.
    pub table_bytes: u64,
    /// Things that are not errors but that the user should know.
    pub warnings: Vec<String>,
    /// What was written; `None` if no input succeeded, so that there is no table.
    pub written: Option<Written>,
}

impl Summary {
    /// Whether every input is in the table.
    pub fn is_complete(&self) -> bool {
        self.failures.is_empty() && self.unfinished.is_empty()
    }
}

/// Why a job failed, as the error of its input; `None` if it was cancelled.
pub(super) fn failure(error: JobError<Error>, input: &Input) -> Option<Error> {
    let error = match error {
        JobError::Cancelled { .. } => return None,
        JobError::Failed(error) => error,
        error if error.is_timeout() => Error::new(Kind::Timeout, error.to_string()),
        error => Error::new(Kind::Internal, error.to_string()).hint("this is a fault of raudal: please report it"),
    };
    Some(error.input(input.location.to_string()))
}
