//! What a run returns for each of its jobs.

use crate::error::JobError;
use crate::report::JobReport;

/// A job that is over.
#[derive(Debug)]
#[non_exhaustive]
pub struct Completed<I, T, E> {
    /// The job's number: its place in the order of arrival, from 0.
    pub job: u64,
    /// The input, where the run still has it: if no attempt took it, or if the run keeps its inputs. A run with
    /// [retries](crate::RunBuilder::retry) does, and one with [`keep_inputs`](crate::RunBuilder::keep_inputs).
    pub input: Option<I>,
    /// The job that [spawned](crate::Context::spawn) this one.
    pub parent: Option<u64>,
    /// The value of the job, or why it has none.
    pub result: Result<T, JobError<E>>,
    /// Its report.
    pub report: JobReport,
}
