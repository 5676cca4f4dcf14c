//! One run of a comparison, and how it is named.

use raudal_pipeline::Jobs;
use std::fmt;

/// One run of a comparison.
///
/// `Display` writes `run 3 of 8: 10 jobs`, for a line of its own or a heading above the bars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Turn {
    /// The number of the run among all runs, from 1, warm-up included.
    pub number: u64,
    /// The number of all runs, warm-up included; a minimum if `more` is set.
    pub of: u64,
    /// The number of the run among the runs of its level, from 1; warm-up and measured runs are
    /// counted separately.
    pub round: u32,
    /// The limit on jobs in flight.
    pub jobs: Jobs,
    /// Whether it is a warm-up run, which is not measured.
    pub warmup: bool,
    /// Whether there may be more runs than `of`: a plan with [`min_runs`](crate::Plan::min_runs).
    pub more: bool,
}

impl fmt::Display for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let least = if self.more { "at least " } else { "" };
        write!(f, "run {} of {least}{}: {}", self.number, self.of, jobs(self.jobs))?;
        if self.warmup { f.write_str(", warm-up") } else { Ok(()) }
    }
}

/// `1 job`, `10 jobs`, `auto`.
pub(super) fn jobs(jobs: Jobs) -> String {
    match jobs {
        Jobs::Most(1) => "1 job".to_owned(),
        Jobs::Most(jobs) => format!("{jobs} jobs"),
        Jobs::Auto => jobs.to_string(),
    }
}
