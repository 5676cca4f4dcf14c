//! What [`compare`](crate) can run: a piece of work with a known result, at any level of
//! concurrency.
//!
//! A [`Workload`] does the same work each time it is run; only the number of jobs in flight
//! differs. It returns a digest of its result. With it, a comparison proves that all levels did the
//! same work before it calls one faster. Your own crate can implement the trait for anything that
//! [`pool`](raudal_pool) can run.
//!
//! | workload | real parts | what it shows |
//! |---|---|---|
//! | [`Iter`] | a mirror, or the embedded origin | the main job: archives → one table |
//! | [`Database`] | SQLite, or a PostgreSQL server | a pool of connections; a single writer |
//! | [`Files`] | the file system | written, synced, read back and checked |
//! | [`Mixed`] | all of these | the four operations of an I/O-bound program |
//! | [`Requests`] | the embedded origin | many small calls |
//! | [`Sleep`] | none | the ideal, and the toolkit's own cost |
//!
//! All of them run their jobs through [`pool`](raudal_pool), with named stages. They return each
//! job's share of the result as a [`Part`], and keep the report of each job.

// SQLite and PostgreSQL are names, not code.
#![allow(clippy::doc_markdown)]

mod database;
mod files;
mod iter;
mod latency;
mod mixed;
mod requests;
mod scratch;
mod sleep;
mod stage;
mod work;

pub use database::{Database, DatabaseOptions};
pub use files::{Files, FilesOptions, SyncMode};
pub use iter::{Archives, Iter, Mirror};
pub use latency::Latency;
pub use mixed::{Mixed, MixedOptions};
pub use requests::{Requests, RequestsOptions};
pub use sleep::Sleep;
pub use stage::{Activity, Stage, Unit};

use futures::future::BoxFuture;
use raudal_common::Result;
use raudal_pool::{JobReport, Observer, RunReport};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// A piece of work that can be run again and again, at different levels of concurrency.
///
/// Your own workload passes its jobs to a [`Pool`](raudal_pool::Pool) and returns the result:
///
/// ```
/// use futures::future::BoxFuture;
/// use raudal_common::Result;
/// use raudal_compare::{Plan, compare};
/// use raudal_pool::{Observer, Pool};
/// use raudal_compare::workload::{Workload, WorkloadRun};
/// use std::sync::Arc;
/// use tokio_util::sync::CancellationToken;
///
/// struct Squares;
///
/// impl Workload for Squares {
///     fn name(&self) -> &str {
///         "squares"
///     }
///
///     fn run(&self, jobs: usize, observer: Arc<dyn Observer>, cancel: CancellationToken) -> BoxFuture<'_, Result<WorkloadRun>> {
///         Box::pin(async move {
///             let square = |_cx, n: u64| async move { Ok::<_, raudal_common::Error>(n * n) };
///             let mut run = Pool::new(jobs).run(1..=9, square).observer(observer).cancel(cancel).start();
///             let mut sum = 0;
///             while let Some(done) = run.next().await {
///                 sum += done.result.unwrap_or(0);
///             }
///             Ok(WorkloadRun::new(run.join().await, sum.to_string()).rows(9))
///         })
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let plan = Plan::new([1, 4])?.runs(2)?;
/// let comparison = compare(&Squares, &plan, &(), CancellationToken::new()).await?;
/// assert_eq!((comparison.digest.as_str(), comparison.rows), ("285", 9));
/// # Ok(())
/// # }
/// ```
pub trait Workload: Send + Sync {
    /// Its name, as on the command line.
    fn name(&self) -> &str;

    /// Prepares the workload once, before anything is timed: starts the server, makes the data,
    /// opens the database.
    ///
    /// The future may be dropped half-way when the comparison is cancelled.
    fn prepare(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async { Ok(()) })
    }

    /// Returns the limit on its jobs at work besides the level, if the workload knows one. More jobs in flight than
    /// that gain nothing.
    fn limit(&self) -> Option<ConcurrencyLimit> {
        None
    }

    /// Returns the stages that its jobs enter, and what each spends its time on. A stage that is
    /// not declared here says nothing about what bounds a level.
    fn stages(&self) -> Vec<Stage> {
        Vec::new()
    }

    /// Returns the settings that its times depend on: latency, bandwidth, seed and others. Every
    /// export of a comparison names them.
    fn settings(&self) -> Vec<Setting> {
        Vec::new()
    }

    /// Returns what its throughput counts.
    fn unit(&self) -> Unit {
        Unit::Jobs("jobs")
    }

    /// Runs once, with at most `jobs` in flight, and reports to `observer`.
    ///
    /// The result must not depend on `jobs`, except for the times in the report. When `cancel` is
    /// cancelled, the run stops the jobs in flight, awaits them, and returns
    /// [`Kind::Cancelled`](raudal_common::Kind::Cancelled). Failed jobs are data in the report, not
    /// an `Err`. The comparison itself refuses such a run, and names the first failed job if the
    /// run kept its jobs.
    fn run(
        &self,
        jobs: usize,
        observer: Arc<dyn Observer>,
        cancel: CancellationToken,
    ) -> BoxFuture<'_, Result<WorkloadRun>>;

    /// Runs once like [`run`](Self::run), but finds a good number of jobs in flight by itself: the
    /// level `auto`. It does nothing before it is polled.
    ///
    /// The default is `None`, for a workload without this level. The comparison then refuses the
    /// level before anything is run.
    fn run_auto(
        &self,
        observer: Arc<dyn Observer>,
        cancel: CancellationToken,
    ) -> Option<BoxFuture<'_, Result<WorkloadRun>>> {
        let _ = (observer, cancel);
        None
    }
}

/// The result of one run of a workload.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WorkloadRun {
    /// The report: times, bytes, the peak in flight.
    pub report: RunReport,
    /// The result in a few characters: equal results have equal digests, and different results have
    /// different ones.
    pub digest: String,
    /// Rows (records, answers, …) in the result.
    pub rows: u64,
    /// The digests of the result's parts, in input order, if the workload has parts. They show the
    /// first part that differs.
    pub parts: Vec<Part>,
    /// The report of each job, in input order, if the workload kept it. The timeline needs it.
    pub jobs: Vec<JobReport>,
}

/// A limit on the jobs of a workload that are at work at once, at any level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConcurrencyLimit {
    /// The number of jobs.
    pub at_once: usize,
    /// What limits the jobs, and what can be done about it, for people.
    pub why: String,
}

/// A setting of a workload that its times depend on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its name, for people: "bandwidth per connection".
    pub name: &'static str,
    /// Its exact value, with its unit.
    pub value: String,
}

impl Setting {
    /// Creates a setting.
    ///
    /// ```
    /// use raudal_compare::workload::Setting;
    /// assert_eq!(Setting::new("seed", 7).value, "7");
    /// ```
    pub fn new(name: &'static str, value: impl std::fmt::Display) -> Self {
        Self { name, value: value.to_string() }
    }

    /// Creates a setting from a time, which is not rounded: `80ms`.
    pub(crate) fn time(name: &'static str, value: std::time::Duration) -> Self {
        Self::new(name, format_args!("{value:?}"))
    }
}

/// One job's share of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The job's name, for people.
    pub label: String,
    /// A short digest of the share.
    pub digest: String,
}

impl WorkloadRun {
    /// Creates a run from its report and the digest of its result.
    ///
    /// ```
    /// use raudal_pool::RunReport;
    /// use raudal_compare::workload::WorkloadRun;
    ///
    /// let run = WorkloadRun::new(RunReport::default(), "9f86d081").rows(32).part("01", "2c26b46b");
    /// assert_eq!((run.rows, run.parts.len()), (32, 1));
    /// ```
    pub fn new(report: RunReport, digest: impl Into<String>) -> Self {
        Self { report, digest: digest.into(), rows: 0, parts: Vec::new(), jobs: Vec::new() }
    }

    /// Sets the number of rows in the result.
    #[must_use]
    pub fn rows(mut self, rows: u64) -> Self {
        self.rows = rows;
        self
    }

    /// Adds a part of the result.
    #[must_use]
    pub fn part(mut self, label: impl Into<String>, digest: impl Into<String>) -> Self {
        self.parts.push(Part { label: label.into(), digest: digest.into() });
        self
    }

    /// Sets the report of each job.
    #[must_use]
    pub fn jobs(mut self, jobs: Vec<JobReport>) -> Self {
        self.jobs = jobs;
        self
    }
}
