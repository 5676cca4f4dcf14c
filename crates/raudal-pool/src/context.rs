//! What a job knows of itself while it runs.

use super::event::{Event, Observer};
use super::report::StageSpan;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Handed to each attempt of a job: its number, its cancellation, and the means to report progress. Cheap to clone.
///
/// ```
/// use raudal_pool::Pool;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = Pool::builder().jobs(2).build()?;
/// let sizes = pool
///     .map(["a", "bc"], |cx, text| async move {
///         cx.stage("measure");
///         cx.advance(text.len() as u64, 1);
///         // Work that blocks goes to its own threads; it is awaited even if the job is cancelled meanwhile.
///         let n = cx.blocking(move || text.len()).await;
///         Ok::<_, std::io::Error>(n)
///     })
///     .await;
/// assert_eq!(sizes.into_iter().map(Result::unwrap).collect::<Vec<_>>(), [1, 2]);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Context(Arc<Shared>);

/// What every attempt of a run shares.
pub(super) struct RunShared {
    pub(super) started: Instant,
    pub(super) cancel: CancellationToken,
    pub(super) observer: Arc<dyn Observer>,
}

struct Shared {
    job: u64,
    attempt: u32,
    run: Arc<RunShared>,
    /// A job that can be aborted alone has a token of its own.
    cancel: Option<CancellationToken>,
    bytes: AtomicU64,
    items: AtomicU64,
    /// The stages that were entered, and when. The last one is still open.
    stages: Mutex<Vec<(&'static str, Instant)>>,
    /// Made only for jobs that ask for them: a job that does nothing must cost next to nothing.
    token: OnceLock<CancellationToken>,
    elsewhere: OnceLock<TaskTracker>,
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("job", &self.0.job).field("attempt", &self.0.attempt).finish_non_exhaustive()
    }
}

impl Context {
    pub(super) fn new(job: u64, attempt: u32, run: Arc<RunShared>, cancel: Option<CancellationToken>) -> Self {
        Self(Arc::new(Shared {
            job,
            attempt,
            run,
            cancel,
            bytes: AtomicU64::new(0),
            items: AtomicU64::new(0),
            stages: Mutex::default(),
            token: OnceLock::new(),
            elsewhere: OnceLock::new(),
        }))
    }

    /// The job's number: its place in the input, from 0.
    pub fn job(&self) -> u64 {
        self.0.job
    }

    /// Which attempt this is, from 1.
    pub fn attempt(&self) -> u32 {
        self.0.attempt
    }

    /// Cancelled when this attempt must end: the run was cancelled, or the attempt ran out of time. The attempt's
    /// future is dropped then; the token is for what the future started elsewhere.
    pub fn token(&self) -> &CancellationToken {
        self.0.token.get_or_init(|| self.cancelled_by().child_token())
    }

    /// What ends the job from outside: its own token, or the run's.
    pub(super) fn cancelled_by(&self) -> &CancellationToken {
        self.0.cancel.as_ref().unwrap_or(&self.0.run.cancel)
    }

    /// Whether the job can be aborted alone.
    pub(super) fn has_own_token(&self) -> bool {
        self.0.cancel.is_some()
    }

    /// Those tasks and threads that the attempt awaits before it is over.
    pub(super) fn elsewhere(&self) -> &TaskTracker {
        self.0.elsewhere.get_or_init(TaskTracker::new)
    }

    /// Enters a named stage and leaves the one before.
    pub fn stage(&self, stage: &'static str) {
        self.0.stages.lock().unwrap_or_else(PoisonError::into_inner).push((stage, Instant::now()));
        self.0.run.observer.observe(&Event::Stage { job: self.0.job, stage });
    }

    /// Says how many bytes this attempt will move in all.
    pub fn expect_bytes(&self, bytes: u64) {
        self.0.run.observer.observe(&Event::Expected { job: self.0.job, bytes });
    }

    /// Says that the attempt moved on by so many bytes and items.
    pub fn advance(&self, bytes: u64, items: u64) {
        self.0.bytes.fetch_add(bytes, Relaxed);
        self.0.items.fetch_add(items, Relaxed);
        self.0.run.observer.observe(&Event::Advanced { job: self.0.job, bytes, items });
    }

    /// Runs a closure that blocks on a thread for such work, and returns what it returns.
    ///
    /// When the attempt ends first, by cancellation or time-out, the closure goes on until it returns, and the job
    /// is not over before: nothing is left running behind a run's back. A long closure should look at
    /// [`token`](Self::token) from time to time.
    ///
    /// # Panics
    ///
    /// If the closure panics, with its panic.
    pub async fn blocking<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        match self.elsewhere().spawn_blocking(work).await {
            Ok(value) => value,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is shutting down, and this task with it.
                Err(_) => std::future::pending().await,
            },
        }
    }

    /// Bytes and items that this attempt has advanced by.
    pub(super) fn advanced(&self) -> (u64, u64) {
        (self.0.bytes.load(Relaxed), self.0.items.load(Relaxed))
    }

    /// Ends the attempt: what it started elsewhere is told, and awaited.
    pub(super) async fn end(&self) {
        if let Some(token) = self.0.token.get() {
            token.cancel();
        }
        if let Some(elsewhere) = self.0.elsewhere.get() {
            elsewhere.close();
            elsewhere.wait().await;
        }
    }

    /// The stages of this attempt as spans that end where the next begins, the last one now.
    pub(super) fn spans(&self) -> Vec<StageSpan> {
        let stages = std::mem::take(&mut *self.0.stages.lock().unwrap_or_else(PoisonError::into_inner));
        if stages.is_empty() {
            return Vec::new();
        }
        let ends: Vec<Instant> = stages.iter().skip(1).map(|s| s.1).chain([Instant::now()]).collect();
        let (run, attempt) = (self.0.run.started, self.0.attempt);
        let span = |((stage, start), end): ((&'static str, Instant), Instant)| StageSpan {
            stage,
            attempt,
            start: start.saturating_duration_since(run),
            end: end.saturating_duration_since(run),
        };
        stages.into_iter().zip(ends).map(span).collect()
    }
}
