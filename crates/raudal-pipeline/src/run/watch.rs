//! Watches decoding for a job: counts its rows, and ends when the job is cancelled.

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

    /// Rows are not counted yet: if the transfer breaks off, they are discarded.
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
