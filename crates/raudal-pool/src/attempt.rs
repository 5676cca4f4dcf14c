//! What a job can ask and do while one of its attempts runs.

use crate::event::{Event, EventKind, Observer};
use crate::limit::Meter;
use crate::permits::Permits;
use crate::report::StageSpan;
use crate::scheduler::{KeyId, NestedSlot};
use crate::timeouts::Timeouts;
use crate::trace::Span;
use futures_util::task::AtomicWaker;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::Waker;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

tokio::task_local! {
    /// The attempt whose future is being polled. It tells a pool that one of its jobs waits for another.
    pub(crate) static CURRENT: Attempt;
}

/// One attempt of a job: its number, its cancellation, and the means to report progress. Cheap to clone.
///
/// ```
/// use raudal_pool::Pool;
/// use std::convert::Infallible;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let sizes = Pool::new(2)
///     .map(["a", "bc"], |cx, text| async move {
///         cx.stage("measure");
///         cx.advance(text.len() as u64, 1);
///         // Work that blocks goes to threads of its own. It is awaited even if the job is cancelled meanwhile.
///         let n = cx.blocking(move || text.len()).await;
///         Ok::<_, Infallible>(n)
///     })
///     .await;
/// assert_eq!(sizes, [Ok(1), Ok(2)]);
/// # }
/// ```
#[derive(Clone)]
pub struct Attempt(Arc<AttemptShared>);

/// What every attempt of a run shares.
pub(crate) struct RunShared {
    /// The number of the run.
    pub(crate) run: u64,
    pub(crate) started: Instant,
    pub(crate) timeouts: Timeouts,
    pub(crate) observer: Option<Arc<dyn Observer>>,
    pub(crate) permits: Permits,
    /// Each of these cancels the run.
    pub(crate) cancel: Vec<CancellationToken>,
    /// The span in which the run was begun.
    pub(crate) span: Span,
}

pub(crate) struct AttemptShared {
    run: Arc<RunShared>,
    /// Wakes the attempt.
    waker: AtomicWaker,
    state: AttemptState,
}

/// The part of an attempt that is new each time.
struct AttemptState {
    job: u64,
    attempt: u32,
    key: Option<KeyId>,
    meters: (Option<Arc<Meter>>, Option<Arc<Meter>>),
    bytes: AtomicU64,
    items: AtomicU64,
    /// Whether the attempt must end, or has ended.
    over: AtomicBool,
    /// When it times out, in the form of [`Timeouts`]; 0 without a limit, and after it has timed out.
    limit: AtomicU64,
    timed_out: AtomicBool,
    /// Made only for jobs that ask for it. Thousands of small jobs then fit into the caches.
    extras: OnceLock<Box<AttemptExtras>>,
}

/// What small jobs do not need.
#[derive(Default)]
struct AttemptExtras {
    /// The stages that were entered, and when. The last one is still open.
    stages: Mutex<Vec<(&'static str, Instant)>>,
    token: OnceLock<CancellationToken>,
    elsewhere: OnceLock<TaskTracker>,
    nested_slot: OnceLock<Arc<NestedSlot>>,
    /// When the blocking closure of the attempt began.
    begun: OnceLock<Instant>,
}

impl AttemptState {
    fn new(job: u64, attempt: u32, key: Option<KeyId>, meters: (Option<Arc<Meter>>, Option<Arc<Meter>>)) -> Self {
        Self {
            job,
            attempt,
            key,
            meters,
            bytes: AtomicU64::new(0),
            items: AtomicU64::new(0),
            over: AtomicBool::new(false),
            limit: AtomicU64::new(0),
            timed_out: AtomicBool::new(false),
            extras: OnceLock::new(),
        }
    }
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt")
            .field("job", &self.0.state.job)
            .field("attempt", &self.0.state.attempt)
            .finish_non_exhaustive()
    }
}

impl Attempt {
    pub(crate) fn new(
        job: u64,
        attempt: u32,
        key: Option<KeyId>,
        meters: (Option<Arc<Meter>>, Option<Arc<Meter>>),
        run: &Arc<RunShared>,
    ) -> Self {
        let state = AttemptState::new(job, attempt, key, meters);
        Self(Arc::new(AttemptShared { run: Arc::clone(run), waker: AtomicWaker::new(), state }))
    }

    /// Becomes the next attempt of its worker. Allocates only if somebody still holds the previous attempt.
    pub(crate) fn renew(
        &mut self,
        job: u64,
        attempt: u32,
        key: Option<KeyId>,
        meters: (Option<Arc<Meter>>, Option<Arc<Meter>>),
    ) {
        match Arc::get_mut(&mut self.0) {
            Some(shared) => shared.state = AttemptState::new(job, attempt, key, meters),
            None => *self = Self::new(job, attempt, key, meters, &self.0.run),
        }
    }

    fn extras(&self) -> &AttemptExtras {
        self.0.state.extras.get_or_init(Box::default)
    }

    fn made_extras(&self) -> Option<&AttemptExtras> {
        self.0.state.extras.get().map(|extras| &**extras)
    }

    /// Returns the job's number: its place in the order of arrival, from 0.
    pub fn job(&self) -> u64 {
        self.0.state.job
    }

    /// Returns the number of this attempt, from 1.
    pub fn attempt(&self) -> u32 {
        self.0.state.attempt
    }

    /// Returns whether this attempt must end: the run was cancelled, the attempt ran out of time, or nobody wants its
    /// result.
    pub fn is_cancelled(&self) -> bool {
        self.0.state.over.load(SeqCst)
    }

    /// Resolves when this attempt must end. Its future is dropped then, or at the end of the [grace
    /// period](crate::RunBuilder::grace), in which a job can clean up.
    ///
    /// ```
    /// use raudal_pool::Pool;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let run = Pool::new(1)
    ///     .run(["a.part"], |cx, _name| async move {
    ///         tokio::select! {
    ///             () = tokio::time::sleep(Duration::from_secs(60)) => Ok("saved"),
    ///             () = cx.cancelled() => {
    ///                 // There is time to remove what is half-done.
    ///                 tokio::time::sleep(Duration::from_secs(1)).await;
    ///                 Err("stopped")
    ///             }
    ///         }
    ///     })
    ///     .grace(Duration::from_secs(5))
    ///     .start();
    /// let waited = tokio::time::Instant::now();
    /// tokio::task::yield_now().await;
    /// assert_eq!(run.shutdown().await.cancelled, 1);
    /// assert!(waited.elapsed() < Duration::from_secs(2));
    /// # }
    /// ```
    pub async fn cancelled(&self) {
        self.token().cancelled().await;
    }

    /// Returns a token that is cancelled when this attempt must end, or has ended. Pass it to work that the attempt
    /// starts elsewhere.
    pub fn token(&self) -> &CancellationToken {
        let token = self.extras().token.get_or_init(CancellationToken::new);
        // A cancellation at the same time is seen here, or it sees the token: see `cancel`.
        if self.is_cancelled() {
            token.cancel();
        }
        token
    }

    /// Enters a named stage and leaves the one before.
    pub fn stage(&self, stage: &'static str) {
        self.extras().stages.lock().unwrap_or_else(PoisonError::into_inner).push((stage, Instant::now()));
        self.tell(EventKind::Stage { job: self.0.state.job, stage });
    }

    /// Reports how many bytes this attempt will move in all.
    pub fn expect_bytes(&self, bytes: u64) {
        self.tell(EventKind::Expected { job: self.0.state.job, bytes });
    }

    /// Reports progress: this many more bytes and items.
    pub fn advance(&self, bytes: u64, items: u64) {
        let is_first = self.0.state.bytes.fetch_add(bytes, Relaxed) == 0 && bytes > 0;
        self.0.state.items.fetch_add(items, Relaxed);
        let (all, of_key) = &self.0.state.meters;
        for meter in [all, of_key].into_iter().flatten() {
            meter.add(bytes, is_first);
        }
        self.tell(EventKind::Advanced { job: self.0.state.job, bytes, items });
    }

    /// Returns the spare slots of the pool, for work that helps this job.
    pub fn permits(&self) -> &Permits {
        &self.0.run.permits
    }

    /// Runs a blocking closure on one of the runtime's blocking threads, and returns its result.
    ///
    /// If the attempt is cancelled or times out, a closure that has not started never starts. One that has started runs
    /// until it returns, and the job ends after that, so no work outlives its run. A long closure should check
    /// [`is_cancelled`](Self::is_cancelled) from time to time.
    ///
    /// # Panics
    ///
    /// Rethrows a panic of the closure.
    pub async fn blocking<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let attempt = self.clone();
        let work = move || {
            // The run may not have seen yet that a token was cancelled.
            if attempt.is_cancelled() || attempt.0.run.cancel.iter().any(CancellationToken::is_cancelled) {
                return None;
            }
            if attempt.extras().begun.set(Instant::now()).is_ok() {
                attempt.0.waker.wake();
            }
            Some(work())
        };
        match self.elsewhere().spawn_blocking(work).await {
            Ok(Some(value)) => value,
            // The attempt is about to be dropped.
            Ok(None) => std::future::pending().await,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is shutting down, and this task with it.
                Err(_) => std::future::pending().await,
            },
        }
    }

    fn tell(&self, kind: EventKind<'_>) {
        if let Some(observer) = &self.0.run.observer {
            observer.observe(&Event { run: self.0.run.run, kind });
        }
    }

    /// Returns the tracker of tasks and threads that must end before the attempt ends.
    pub(crate) fn elsewhere(&self) -> &TaskTracker {
        self.extras().elsewhere.get_or_init(TaskTracker::new)
    }

    /// Returns when the blocking closure of the attempt began, if it has begun.
    pub(crate) fn begun(&self) -> Option<Instant> {
        self.made_extras()?.begun.get().copied()
    }

    /// Returns the slot of this attempt, to offer to a run of its pool that it waits for.
    pub(crate) fn offered_slot(&self) -> &Arc<NestedSlot> {
        self.extras().nested_slot.get_or_init(|| Arc::new(NestedSlot::new(self.0.state.key)))
    }

    /// Returns the slot of this attempt, if it was ever offered.
    pub(crate) fn nested_slot(&self) -> Option<&Arc<NestedSlot>> {
        self.made_extras()?.nested_slot.get()
    }

    pub(crate) fn run(&self) -> u64 {
        self.0.run.run
    }

    /// Returns the bytes and items that this attempt has reported.
    pub(crate) fn advanced(&self) -> (u64, u64) {
        (self.0.state.bytes.load(Relaxed), self.0.state.items.load(Relaxed))
    }

    /// Wakes the attempt when it must end.
    pub(crate) fn register(&self, waker: &Waker) {
        self.0.waker.register(waker);
    }

    /// Sets when the attempt is out of time.
    pub(crate) fn set_limit(&self, at: Instant) {
        let timeouts = &self.0.run.timeouts;
        let at = timeouts.at(at).max(1);
        self.0.state.limit.store(at, SeqCst);
        timeouts.arm(at);
    }

    /// Returns when the attempt times out, if it has a limit and has not timed out.
    pub(crate) fn limit(&self) -> Option<u64> {
        Some(self.0.state.limit.load(SeqCst)).filter(|at| *at > 0)
    }

    /// Times the attempt out.
    pub(crate) fn time_out(&self) {
        self.0.state.limit.store(0, SeqCst);
        self.0.state.timed_out.store(true, SeqCst);
        self.0.waker.wake();
    }

    pub(crate) fn is_timed_out(&self) -> bool {
        self.0.state.timed_out.load(SeqCst)
    }

    /// Cancels the attempt.
    pub(crate) fn cancel(&self) {
        self.0.state.over.store(true, SeqCst);
        if let Some(token) = self.made_extras().and_then(|extras| extras.token.get()) {
            token.cancel();
        }
        self.0.waker.wake();
    }

    /// Cancels the work that the attempt started, but not the attempt itself.
    pub(crate) fn cancel_token(&self) {
        self.token().cancel();
    }

    /// Ends the attempt and cancels the work that it started elsewhere. Returns that work, which must be waited for.
    pub(crate) fn end(&self) -> Option<&TaskTracker> {
        self.0.state.over.store(true, SeqCst);
        self.0.state.limit.store(0, SeqCst);
        let extras = self.made_extras()?;
        if let Some(token) = extras.token.get() {
            token.cancel();
        }
        let elsewhere = extras.elsewhere.get()?;
        elsewhere.close();
        Some(elsewhere)
    }

    /// Returns the stages of this attempt as spans. Each ends where the next begins, and the last one ends now.
    pub(crate) fn spans(&self) -> Vec<StageSpan> {
        let Some(extras) = self.made_extras() else { return Vec::new() };
        let stages = std::mem::take(&mut *extras.stages.lock().unwrap_or_else(PoisonError::into_inner));
        if stages.is_empty() {
            return Vec::new();
        }
        let ends: Vec<Instant> = stages.iter().skip(1).map(|s| s.1).chain([Instant::now()]).collect();
        let (run, attempt) = (self.0.run.started, self.0.state.attempt);
        let span = |((stage, start), end): ((&'static str, Instant), Instant)| StageSpan {
            stage,
            attempt,
            start: start.saturating_duration_since(run),
            end: end.saturating_duration_since(run),
        };
        stages.into_iter().zip(ends).map(span).collect()
    }
}
