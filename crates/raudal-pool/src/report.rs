//! The reports on a job and on a run.

#[cfg(feature = "serde")]
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::time::Duration;

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum Outcome {
    /// It returned `Ok`.
    Succeeded,
    /// Its last attempt returned `Err`, panicked or ran out of time.
    Failed,
    /// It was stopped, or never begun, because the run ended first.
    Cancelled,
}

/// A stretch of time that a job spent in one stage, counted from the start of the run.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[non_exhaustive]
pub struct StageSpan {
    /// The stage's name.
    pub stage: &'static str,
    /// The attempt it belongs to, from 1.
    pub attempt: u32,
    /// When it began.
    #[cfg_attr(feature = "serde", serde(serialize_with = "seconds"))]
    pub start: Duration,
    /// When it ended.
    #[cfg_attr(feature = "serde", serde(serialize_with = "seconds"))]
    pub end: Duration,
}

impl StageSpan {
    /// Creates a span of an attempt, from `start` to `end`. Attempts count from 1.
    pub fn new(stage: &'static str, attempt: u32, start: Duration, end: Duration) -> Self {
        Self { stage, attempt, start, end }
    }
}

/// The report on one job. Times are wall times; in JSON they are seconds.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[non_exhaustive]
pub struct JobReport {
    /// The job's number: its place in the input, from 0.
    pub job: u64,
    /// The job's name, for people.
    pub label: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Attempts begun.
    pub attempts: u32,
    /// When its first attempt began, from the start of the run.
    #[cfg_attr(feature = "serde", serde(serialize_with = "seconds"))]
    pub started: Duration,
    /// How long it was ready before its first attempt began.
    #[cfg_attr(feature = "serde", serde(serialize_with = "seconds"))]
    pub queued: Duration,
    /// The sum of its attempts' times.
    #[cfg_attr(feature = "serde", serde(serialize_with = "seconds"))]
    pub running: Duration,
    /// Bytes moved by the last attempt.
    pub bytes: u64,
    /// Items done by the last attempt.
    pub items: u64,
    /// The kind of the failure, as one word.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub kind: Option<&'static str>,
    /// What went wrong, on one line. `None` where the run has no
    /// [`observer`](crate::RunBuilder::observer) and no [`describe`](crate::RunBuilder::describe): nothing asked for it.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub error: Option<String>,
    /// What an earlier attempt failed with, where a time-out, a deadline or a cancellation ended the job. On one line.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub last_failure: Option<String>,
    /// The stages it passed through, in order, where it named any.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub stages: Vec<StageSpan>,
}

impl JobReport {
    /// Creates the report of a job that never began. Set the public fields that are known.
    pub fn new(job: u64, label: impl Into<String>, outcome: Outcome) -> Self {
        Self {
            job,
            label: label.into(),
            outcome,
            attempts: 0,
            started: Duration::ZERO,
            queued: Duration::ZERO,
            running: Duration::ZERO,
            bytes: 0,
            items: 0,
            kind: None,
            error: None,
            last_failure: None,
            stages: Vec::new(),
        }
    }
}

/// The report on a run. Times are wall times; in JSON they are seconds.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[non_exhaustive]
pub struct RunReport {
    /// The most jobs that were allowed in flight.
    pub jobs: usize,
    /// Jobs that succeeded.
    pub succeeded: u64,
    /// Jobs that failed.
    pub failed: u64,
    /// Jobs that were stopped, or pulled from the input and never begun.
    pub cancelled: u64,
    /// Attempts of all jobs.
    pub attempts: u64,
    /// Attempts beyond the first of each job.
    pub retries: u64,
    /// The most jobs in flight at one moment.
    pub peak_in_flight: usize,
    /// Whether the run ended before all of its input was done.
    pub stopped: bool,
    /// Whether the tokio runtime was shut down during the run. The counts are those of that moment.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "std::ops::Not::not"))]
    pub runtime_gone: bool,
    /// The time from the start to the end of the run.
    #[cfg_attr(feature = "serde", serde(serialize_with = "seconds"))]
    pub wall: Duration,
    /// The sum of all jobs' running times: the time of a sequential run, if each job took as long in it.
    #[cfg_attr(feature = "serde", serde(serialize_with = "seconds"))]
    pub job_time: Duration,
    /// How long jobs were ready before their first attempt began, held back by their key, a rate or a pause. `None`
    /// if no job began.
    pub queued: Option<Percentiles>,
    /// The jobs' running times, each the sum of its attempts. `None` if no job began.
    pub running: Option<Percentiles>,
    /// Bytes moved by attempts that succeeded.
    pub bytes: u64,
    /// Items done by attempts that succeeded.
    pub items: u64,
    /// How many jobs failed, by the kind of their failure.
    pub failures: BTreeMap<&'static str, u64>,
}

impl RunReport {
    /// Returns how many jobs ran at once on average: the sum of job times over the wall time. `None` for an empty
    /// run.
    ///
    /// It is an upper bound of the speed-up only if jobs do not slow each other down. So `compare` measures the
    /// speed-up.
    pub fn overlap(&self) -> Option<f64> {
        (!self.wall.is_zero()).then(|| self.job_time.as_secs_f64() / self.wall.as_secs_f64())
    }

    /// Returns the number of jobs that were pulled from the input.
    pub fn total(&self) -> u64 {
        self.succeeded + self.failed + self.cancelled
    }

    /// Counts a finished job, as a run does.
    pub fn count(&mut self, job: &JobReport) {
        match job.outcome {
            Outcome::Succeeded => {
                self.succeeded += 1;
                self.bytes += job.bytes;
                self.items += job.items;
            }
            Outcome::Failed => {
                self.failed += 1;
                *self.failures.entry(job.kind.unwrap_or("failed")).or_default() += 1;
            }
            Outcome::Cancelled => self.cancelled += 1,
        }
        self.attempts += u64::from(job.attempts);
        self.retries += u64::from(job.attempts.saturating_sub(1));
        self.job_time += job.running;
    }
}

#[cfg(feature = "serde")]
pub(crate) fn seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}

/// How a quantity is spread over the jobs of a run. In JSON the times are seconds.
///
/// The median and the percentiles are within 3.2% of a time that one of the jobs had: they come from a histogram whose
/// memory (at most 8 KiB) does not grow with the number of jobs. `max` is exact.
///
/// ```
/// use raudal_pool::Pool;
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let report = Pool::new(100)
///     .for_each(1..=100, |_cx, n| async move {
///         tokio::time::sleep(Duration::from_millis(n)).await;
///         Ok::<_, std::convert::Infallible>(())
///     })
///     .await;
/// let running = report.running.expect("there were jobs");
/// assert!((48..=52).contains(&running.p50.as_millis()));
/// assert_eq!(running.max.as_millis(), 100);
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[non_exhaustive]
pub struct Percentiles {
    /// Half of the jobs took no longer: the median.
    #[cfg_attr(feature = "serde", serde(serialize_with = "seconds"))]
    pub p50: Duration,
    /// Nine in ten took no longer.
    #[cfg_attr(feature = "serde", serde(serialize_with = "seconds"))]
    pub p90: Duration,
    /// 99 in 100 took no longer.
    #[cfg_attr(feature = "serde", serde(serialize_with = "seconds"))]
    pub p99: Duration,
    /// None took longer.
    #[cfg_attr(feature = "serde", serde(serialize_with = "seconds"))]
    pub max: Duration,
}
