//! What [`compare`](crate::compare) can run: a piece of work with a known result, at any level of concurrency.
//!
//! A [`Workload`] does the same work each time it is run; only the number of jobs in flight differs. It says what came
//! out as a digest, so that a comparison can prove that both levels did the same work before it calls one faster.
//! A crate of your own can implement the trait: the work may be anything that [`pool`](crate::pool) can run.

mod iter;

pub use iter::{Archives, Iter, Mirror};

use crate::Result;
use crate::pool::{JobReport, Observer, RunReport};
use futures::future::BoxFuture;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// A piece of work that can be run again and again, at different levels of concurrency.
///
/// ```
/// use futures::future::BoxFuture;
/// use raudal::Result;
/// use raudal::pool::{Observer, RunReport};
/// use raudal::workload::{Run, Workload};
/// use std::sync::Arc;
/// use tokio_util::sync::CancellationToken;
///
/// struct Nothing;
///
/// impl Workload for Nothing {
///     fn name(&self) -> &str {
///         "nothing"
///     }
///
///     fn run(
///         &self,
///         _jobs: usize,
///         _observer: Arc<dyn Observer>,
///         _cancel: CancellationToken,
///     ) -> BoxFuture<'_, Result<Run>> {
///         Box::pin(async { Ok(Run::new(RunReport::default(), "empty")) })
///     }
/// }
/// ```
pub trait Workload: Send + Sync {
    /// Its name, as on the command line.
    fn name(&self) -> &str;

    /// Makes ready, once, before anything is timed: starts the server, makes the data, opens the database.
    ///
    /// The future may be dropped half-way when the comparison is cancelled.
    fn prepare(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async { Ok(()) })
    }

    /// Runs once, with at most `jobs` in flight, and tells `observer` of it.
    ///
    /// What is returned must not depend on `jobs`, but for the times in the report. When `cancel` is cancelled, the run
    /// stops what is in flight, awaits it, and returns [`Kind::Cancelled`](crate::Kind::Cancelled). Failed jobs are
    /// data in the report, not an `Err`; the comparison refuses such a run itself, and names the first job that failed if the run kept its jobs.
    fn run(&self, jobs: usize, observer: Arc<dyn Observer>, cancel: CancellationToken) -> BoxFuture<'_, Result<Run>>;
}

/// What one run of a workload gave.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Run {
    /// What became of it: times, bytes, the peak in flight.
    pub report: RunReport,
    /// The result in a few characters: equal results have equal digests, and unequal ones do not.
    pub digest: String,
    /// Rows (records, answers, …) in the result.
    pub rows: u64,
    /// The digests of the result's parts, in input order, where the workload has them: with them an inequality can be
    /// traced to the first part that differs.
    pub parts: Vec<Part>,
    /// What became of each job, in input order, where the workload kept it: for the timeline.
    pub jobs: Vec<JobReport>,
}

/// One job's share of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The job's name, for people.
    pub label: String,
    /// The share in a few characters.
    pub digest: String,
}

impl Run {
    /// A run with its report and the digest of its result.
    ///
    /// ```
    /// use raudal::pool::RunReport;
    /// use raudal::workload::Run;
    ///
    /// let run = Run::new(RunReport::default(), "9f86d081").rows(32).part("01", "2c26b46b");
    /// assert_eq!((run.rows, run.parts.len()), (32, 1));
    /// ```
    pub fn new(report: RunReport, digest: impl Into<String>) -> Self {
        Self { report, digest: digest.into(), rows: 0, parts: Vec::new(), jobs: Vec::new() }
    }

    /// With the number of rows in the result.
    #[must_use]
    pub fn rows(mut self, rows: u64) -> Self {
        self.rows = rows;
        self
    }

    /// With one more part of the result.
    #[must_use]
    pub fn part(mut self, label: impl Into<String>, digest: impl Into<String>) -> Self {
        self.parts.push(Part { label: label.into(), digest: digest.into() });
        self
    }

    /// With what became of each job.
    #[must_use]
    pub fn jobs(mut self, jobs: Vec<JobReport>) -> Self {
        self.jobs = jobs;
        self
    }
}
