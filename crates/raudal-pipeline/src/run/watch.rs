//! Decoding on behalf of a job: it counts the job's rows, and ends when the job is cancelled.

use raudal_pool::Attempt;
use raudal_table::Watch;

/// Watches the decoding of a job's input.
pub(crate) struct JobWatch {
    attempt: Attempt,
    counts: bool,
}

impl JobWatch {
    /// Rows count as soon as they are read.
    pub(crate) fn new(attempt: Attempt) -> Self {
        Self { attempt, counts: true }
    }

    /// Rows are not counted: if the transfer breaks off, they have never been.
    pub(crate) fn provisional(attempt: Attempt) -> Self {
        Self { attempt, counts: false }
    }
}

impl Watch for JobWatch {
    fn advance(&self, _: u64, rows: u64) {
        if self.counts {
            self.attempt.advance(0, rows);
        }
    }

    fn cancelled(&self) -> bool {
        self.attempt.is_cancelled()
    }
}
