//! The policies of one run: names, retries, time limits, the observer.

use crate::error::JobError;
use crate::event::{EventKind, Observer};
use crate::limit::Pressure;
use crate::report::JobReport;
use crate::retry::Retry;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

type Of<'p, I, R> = Box<dyn Fn(&I) -> R + Send + Sync + 'p>;

/// The policies of one run. `'p` is what its functions may borrow.
pub(crate) struct Policy<'p, I, E> {
    pub(crate) key: Option<Of<'p, I, Option<String>>>,
    pub(crate) label: Option<Of<'p, I, String>>,
    pub(crate) priority: Option<Of<'p, I, i32>>,
    pub(crate) weight: Option<Of<'p, I, usize>>,
    /// Copies the input for each attempt. Without it the first attempt takes the input.
    pub(crate) copy: Option<fn(&I) -> I>,
    pub(crate) retry: Retry<E>,
    pub(crate) limit: usize,
    pub(crate) buffer: Option<usize>,
    pub(crate) look_ahead: usize,
    /// The size of each job; empty if sizes are not known.
    pub(crate) sizes: Vec<u64>,
    pub(crate) time_limits: TimeLimits,
    pub(crate) stop_after: Option<u64>,
    /// Each token in `cancel` cancels the run, and each one in `drain` drains it.
    pub(crate) cancel: Vec<CancellationToken>,
    pub(crate) drain: Vec<CancellationToken>,
    pub(crate) observer: Option<Arc<dyn Observer>>,
    pub(crate) describe: Option<Of<'p, E, String>>,
    pub(crate) kind: Option<Of<'p, E, &'static str>>,
    pub(crate) pressure: Option<Of<'p, E, Pressure>>,
    /// Whether each remaining input gets a result after a stop.
    pub(crate) complete: bool,
}

/// The time limits of the jobs of a run.
#[derive(Default)]
pub(crate) struct TimeLimits {
    pub(crate) attempt_timeout: Option<Duration>,
    pub(crate) deadline: Option<Duration>,
    /// How long a future is polled after its cancellation.
    pub(crate) grace: Duration,
    /// Whether the time of an attempt starts with its closure on a blocking thread.
    pub(crate) is_blocking: bool,
}

impl<I, E> Policy<'_, I, E> {
    /// The default policies, with the cancellation tokens of the pool.
    pub(crate) fn new(cancel: Vec<CancellationToken>, drain: Vec<CancellationToken>) -> Self {
        Self {
            key: None,
            label: None,
            priority: None,
            weight: None,
            copy: None,
            retry: Retry::never(),
            limit: usize::MAX,
            buffer: None,
            look_ahead: 4096,
            sizes: Vec::new(),
            time_limits: TimeLimits::default(),
            stop_after: None,
            cancel,
            drain,
            observer: None,
            describe: None,
            kind: None,
            pressure: None,
            complete: false,
        }
    }

    /// Tells the observer.
    pub(crate) fn tell(&self, run: u64, kind: EventKind<'_>) {
        if let Some(observer) = &self.observer {
            observer.observe(&crate::event::Event { run, kind });
        }
    }

    /// Describes a failure on one line, if the run has a function for that.
    pub(crate) fn describe(&self, error: &JobError<E>) -> Option<Cow<'static, str>> {
        let describe = self.describe.as_ref();
        let earlier = |text: String, last: &Option<E>| match last.as_ref().zip(describe) {
            Some((last, describe)) => format!("{text}; an earlier attempt failed: {}", describe(last)),
            None => text,
        };
        Some(match error {
            JobError::Failed(error) => describe?(error).into(),
            JobError::TimedOut { limit, last } => {
                earlier(format!("the attempt took longer than its limit: {limit:?}"), last).into()
            }
            JobError::DeadlinePassed { deadline, last } => {
                earlier(format!("the job took longer than its deadline allows: {deadline:?}"), last).into()
            }
            JobError::Panicked(message) => format!("the job panicked: {message}").into(),
            JobError::Cancelled { last } => earlier("cancelled".to_owned(), last).into(),
        })
    }

    /// Returns the kind of a failure, as one word.
    pub(crate) fn kind_of(&self, error: &JobError<E>) -> &'static str {
        match (error, &self.kind) {
            (JobError::Failed(error), Some(kind)) => kind(error),
            _ => error.word(),
        }
    }

    /// Returns what a failed attempt tells about the load on the other side.
    pub(crate) fn pressure_of(&self, error: &JobError<E>, is_retried: bool) -> Pressure {
        match (&self.pressure, error) {
            (Some(pressure), JobError::Failed(error)) => pressure(error),
            (Some(_), JobError::TimedOut { .. }) => Pressure::TimedOut,
            (None, JobError::Failed(_) | JobError::TimedOut { .. }) if is_retried => Pressure::Refused,
            _ => Pressure::None,
        }
    }

    /// Fills the failure into the report.
    pub(crate) fn fill(&self, report: &mut JobReport, error: &JobError<E>) {
        if !error.is_cancelled() {
            report.kind = Some(self.kind_of(error));
            report.error = self.describe(error).map(Cow::into_owned);
        }
        if error.failure().is_none() {
            report.last_failure =
                error.last_failure().zip(self.describe.as_ref()).map(|(last, describe)| describe(last));
        }
    }
}
