//! The events of a run, and the observers that receive them.

use crate::report::{JobReport, RunReport};
use std::time::Duration;

/// Something that happened in a run.
///
/// Events of one job arrive in order. Those of different jobs interleave, and may come from several threads.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Event<'a> {
    /// The number of the run, unique in this process. So one observer can watch several runs.
    pub run: u64,
    /// What happened.
    pub kind: EventKind<'a>,
}

impl<'a> Event<'a> {
    /// Creates an event of a run.
    pub fn new(run: u64, kind: EventKind<'a>) -> Self {
        Self { run, kind }
    }
}

/// What happened. Progress comes as differences, so an observer only adds and subtracts.
///
/// Jobs are numbered from 0 in the order in which they arrive: for a run without [spawned](crate::Context::spawn) jobs,
/// the order of the input.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum EventKind<'a> {
    /// The run begins: how many jobs there will be, if that is known, and how many may be in flight.
    RunStarted {
        /// The number of jobs, where the input knows its length.
        total: Option<u64>,
        /// At most this many are in flight.
        jobs: usize,
    },
    /// The sizes of all jobs are known in advance: see [`RunBuilder::sizes`](crate::RunBuilder::sizes).
    Sizes {
        /// The size of each job in bytes, exact or approximate, in the order of the jobs.
        bytes: &'a [u64],
    },
    /// A job spawned another job of its run: the total grows by one.
    Spawned {
        /// The new job.
        job: u64,
    },
    /// An attempt of a job begins; attempts count from 1.
    AttemptStarted {
        /// The job.
        job: u64,
        /// The job's name, for people.
        label: &'a str,
        /// The attempt, from 1.
        attempt: u32,
    },
    /// The job entered a named stage, and left the one before.
    Stage {
        /// The job.
        job: u64,
        /// The stage's name.
        stage: &'static str,
    },
    /// The job knows how many bytes this attempt will move.
    Expected {
        /// The job.
        job: u64,
        /// All bytes of the attempt, those already moved included.
        bytes: u64,
    },
    /// The job reported progress.
    Advanced {
        /// The job.
        job: u64,
        /// Bytes moved since the last event of this kind.
        bytes: u64,
        /// Items (rows, records, …) done since the last event of this kind.
        items: u64,
    },
    /// An attempt failed. Observers subtract the progress that it had reported.
    AttemptFailed {
        /// The job.
        job: u64,
        /// The job's name, for people.
        label: &'a str,
        /// The attempt, from 1.
        attempt: u32,
        /// What went wrong, on one line.
        error: &'a str,
        /// The kind of the failure, as one word.
        kind: &'static str,
        /// When the next attempt may begin; `None` if there will be none.
        retry_in: Option<Duration>,
        /// The bytes this attempt had advanced by.
        bytes: u64,
        /// The items this attempt had advanced by.
        items: u64,
    },
    /// All jobs of a key are held back, because the other side asked for a pause.
    KeyPaused {
        /// The key, for people.
        key: &'a str,
        /// For how long from now.
        pause: Duration,
    },
    /// An adaptive limit has changed: at most this many jobs may be in flight from now on.
    LimitChanged {
        /// The key; empty for the limit of the whole pool.
        key: &'a str,
        /// The new limit.
        limit: usize,
        /// Why it changed.
        why: &'a str,
    },
    /// Slots are free, but no further input is pulled: as many jobs are held back as
    /// [`RunBuilder::look_ahead`](crate::RunBuilder::look_ahead) allows, most of them by this key. Sent once per run.
    HeldBack {
        /// The key.
        key: &'a str,
        /// How many jobs of this key wait.
        jobs: usize,
    },
    /// A job is over.
    JobFinished {
        /// Its report.
        report: &'a JobReport,
    },
    /// The run is over, and nothing of it is running any more.
    RunFinished {
        /// Its report.
        report: &'a RunReport,
    },
}

/// Watches runs: bars, a log, a recorder.
///
/// `observe` is called from the tasks that do the work, so it must be quick and must not block. No lock of the pool is
/// held meanwhile, so it may call the pool. A panic in it ends the run, and the caller that waits for the run rethrows it.
///
/// ```
/// use raudal_pool::{Event, EventKind, Observer};
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// #[derive(Default)]
/// struct Bytes(AtomicU64);
///
/// impl Observer for Bytes {
///     fn observe(&self, event: &Event<'_>) {
///         match event.kind {
///             EventKind::Advanced { bytes, .. } => { self.0.fetch_add(bytes, Ordering::Relaxed); }
///             EventKind::AttemptFailed { bytes, .. } => { self.0.fetch_sub(bytes, Ordering::Relaxed); }
///             _ => {}
///         }
///     }
/// }
/// ```
pub trait Observer: Send + Sync {
    /// Receives one event.
    fn observe(&self, event: &Event<'_>);
}

/// Ignores all events.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoObserver;

impl Observer for NoObserver {
    fn observe(&self, _: &Event<'_>) {}
}

impl<O: Observer + ?Sized> Observer for std::sync::Arc<O> {
    fn observe(&self, event: &Event<'_>) {
        (**self).observe(event);
    }
}

/// Passes each event to all observers, in this order.
impl<O: Observer> Observer for Vec<O> {
    fn observe(&self, event: &Event<'_>) {
        for observer in self {
            observer.observe(event);
        }
    }
}
