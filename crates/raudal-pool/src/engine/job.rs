//! A job, from its arrival to its result.

use crate::attempt::Attempt;
use crate::completed::Completed;
use crate::error::JobError;
use crate::report::JobReport;
use crate::results::ResultSender;
use crate::retry::Delays;
use crate::scheduler::{Grant, KeyId, RunEntry};
use crate::trace::Span;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::Instant;

/// A job that has arrived.
pub(crate) struct Job<I, T, E> {
    /// What is known of the job so far. It is completed in place and moved once, to the owner of the run.
    pub(crate) report: JobReport,
    /// `None` once an attempt has taken it.
    pub(crate) input: Option<I>,
    /// The job that added this one to its run.
    pub(crate) parent: Option<u64>,
    pub(crate) key: Option<KeyId>,
    pub(crate) priority: i32,
    pub(crate) weight: usize,
    pub(crate) handle_sender: Option<HandleSender<T, E>>,
    pub(crate) arrived: Instant,
    pub(crate) started: Option<Instant>,
    /// `None` until an attempt fails. Thousands of small jobs then fit into the caches.
    pub(crate) failures: Option<Box<Failures<E>>>,
    /// From the first attempt on.
    pub(crate) span: Option<Span>,
}

/// What the failed attempts of a job leave for its next one.
pub(crate) struct Failures<E> {
    pub(crate) delays: Option<Delays>,
    /// The most bytes and items of any attempt.
    pub(crate) furthest: (u64, u64),
    /// What the last attempt that returned an error returned.
    pub(crate) last: Option<E>,
}

impl<E> Default for Failures<E> {
    fn default() -> Self {
        Self { delays: None, furthest: (0, 0), last: None }
    }
}

impl<I, T, E> Job<I, T, E> {
    pub(crate) fn entry(&self, id: usize) -> RunEntry {
        RunEntry { id, key: self.key, priority: self.priority, weight: self.weight }
    }
}

/// A job that may begin.
pub(crate) struct Ready<I, T, E> {
    pub(crate) grant: Grant,
    /// `None` if it is in the table of its run.
    pub(crate) job: Option<Box<Job<I, T, E>>>,
    /// Where the worker publishes what it runs.
    pub(crate) current: Option<Arc<Current>>,
}

impl<I, T, E> Ready<I, T, E> {
    /// A granted job that is in the table of its run.
    pub(crate) fn listed(grant: Grant) -> Self {
        Self { grant, job: None, current: None }
    }
}

/// The job that a worker runs, published so that it can be cancelled. The worker reuses it for as long as it has a slot.
pub(crate) struct Current(Mutex<Attempt>);

impl Current {
    pub(super) fn new(attempt: Attempt) -> Self {
        Self(Mutex::new(attempt))
    }

    /// Replaces the attempt.
    pub(super) fn renew(&self, renew: impl FnOnce(&mut Attempt)) -> Attempt {
        let mut attempt = lock(&self.0);
        renew(&mut attempt);
        attempt.clone()
    }

    pub(super) fn attempt(&self) -> Attempt {
        lock(&self.0).clone()
    }
}

/// Locks a mutex, ignoring poison: only the pool's own code runs under these locks, and it leaves no half-made change.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where a single job is, for the handle that may abort it.
#[derive(Debug)]
pub(crate) struct JobLocation {
    pub(crate) aborted: AtomicBool,
    /// The job's place in the table of its run. `usize::MAX` until it is there.
    id: AtomicUsize,
    number: AtomicU64,
}

impl JobLocation {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            aborted: AtomicBool::new(false),
            id: AtomicUsize::new(usize::MAX),
            number: AtomicU64::new(u64::MAX),
        })
    }

    pub(crate) fn settle(&self, id: usize, number: u64) {
        self.number.store(number, SeqCst);
        self.id.store(id, SeqCst);
    }

    /// Aborts the job. Returns its place in the table, if it has one.
    pub(crate) fn abort(&self) -> Option<(usize, u64)> {
        self.aborted.store(true, SeqCst);
        let id = self.id.load(SeqCst);
        (id != usize::MAX).then(|| (id, self.number.load(SeqCst)))
    }
}

/// The run's end of a [`Handle`](crate::Handle): sends the result of a single job.
pub(crate) struct HandleSender<T, E> {
    pub(crate) reply: oneshot::Sender<Result<T, JobError<E>>>,
    pub(crate) location: Arc<JobLocation>,
    /// A place in the queue of the spawner, until the job begins.
    pub(crate) queue_permit: Option<OwnedSemaphorePermit>,
}

impl<T, E> HandleSender<T, E> {
    pub(crate) fn is_aborted(&self) -> bool {
        self.location.aborted.load(SeqCst)
    }
}

/// Where the results of jobs without a handle go.
pub(crate) enum Reply<I, T, E> {
    Stream(ResultSender<Completed<I, T, E>>),
    /// Nobody takes them.
    Nobody,
}

impl<I, T, E> Reply<I, T, E> {
    /// Delivers the result of a job that has been concluded.
    #[expect(clippy::boxed_local, reason = "its callers have it in a box, and moving it costs more than a small job")]
    pub(crate) fn deliver(&self, job: Box<Job<I, T, E>>, result: Result<T, JobError<E>>) {
        let Job { report, input, parent, handle_sender, .. } = *job;
        match (handle_sender, self) {
            // Sending fails when the handle or the run was dropped: nobody wants the result.
            (Some(handle_sender), _) => drop(handle_sender.reply.send(result)),
            (None, Self::Stream(sender)) => sender.send(Completed { job: report.job, input, parent, result, report }),
            (None, Self::Nobody) => {}
        }
    }
}
