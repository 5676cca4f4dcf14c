//! Single jobs, each with a handle: await it, wait for it with a time-out, detach or abort it.

use crate::attempt::CURRENT;
use crate::control::Control;
use crate::engine::{Core, HandleSender, JobLocation, RunHandle, join};
use crate::error::JobError;
use crate::report::RunReport;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::JoinHandle;

/// The job has not ended yet and goes on. The handle can be awaited again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StillRunning;

impl fmt::Display for StillRunning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the job has not ended yet")
    }
}

impl std::error::Error for StillRunning {}

/// Why a job was not taken. The input comes back.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpawnError<I> {
    /// As many jobs wait as [`buffer`](crate::RunBuilder::buffer) allows.
    Full(I),
    /// The run was cancelled, drained or joined, or it broke down.
    Closed(I),
}

impl<I> SpawnError<I> {
    /// Returns the input.
    pub fn into_input(self) -> I {
        match self {
            Self::Full(input) | Self::Closed(input) => input,
        }
    }
}

impl<I> fmt::Display for SpawnError<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "the queue of the run is full",
            Self::Closed(_) => "the run accepts no more jobs",
        })
    }
}

/// The input may have no `Debug`: it is left out.
impl<I> fmt::Debug for SpawnError<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full(..)",
            Self::Closed(_) => "Closed(..)",
        })
    }
}

impl<I> std::error::Error for SpawnError<I> {}

/// A handle of a single job: a future of its result.
///
/// The handle owns the job. Dropping it aborts the job, and drops its input at once if the job waits.
/// [`detach`](Self::detach) lets the job go on.
///
/// A job of the same pool may await the handle: its slot then serves the run of the handle, so neither waits for ever.
///
/// ```
/// use raudal_pool::{JobError, Pool};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let pool = Pool::new(8);
/// let mut handle = pool.spawn(2, |_cx, seconds| async move {
///     tokio::time::sleep(Duration::from_secs(seconds)).await;
///     Ok::<_, String>(seconds)
/// });
/// // Asked for too early, it goes on.
/// assert!(handle.wait_for(Duration::from_secs(1)).await.is_err());
/// assert_eq!(handle.await, Ok(2));
///
/// let handle = pool.spawn((), |_cx, ()| std::future::pending::<Result<(), String>>());
/// handle.abort();
/// assert_eq!(handle.await, Err(JobError::CANCELLED));
/// # }
/// ```
///
/// # Panics
///
/// Panics if it is polled again after it gave its result, as futures do. If a panic of an observer or of a function
/// passed to the run ended the run, awaiting the handle gives [`JobError::Panicked`].
#[must_use = "dropping the handle aborts the job"]
pub struct Handle<T, E> {
    result: oneshot::Receiver<Result<T, JobError<E>>>,
    location: Arc<JobLocation>,
    run: Option<Arc<dyn RunHandle>>,
}

impl<T, E> fmt::Debug for Handle<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

impl<T, E> Handle<T, E> {
    /// Creates a handle without a run, and its sender, for the run.
    pub(crate) fn pair(queue_permit: Option<OwnedSemaphorePermit>) -> (HandleSender<T, E>, Self) {
        let (reply, result) = oneshot::channel();
        let location = JobLocation::new();
        let handle_sender = HandleSender { reply, location: Arc::clone(&location), queue_permit };
        (handle_sender, Self { result, location, run: None })
    }

    pub(crate) fn of(mut self, run: Arc<dyn RunHandle>) -> Self {
        self.run = Some(run);
        self
    }

    /// Waits for the result, but no longer than this. The job goes on if it is not done by then.
    ///
    /// # Errors
    ///
    /// Fails with [`StillRunning`] if the job has not ended in time. A failure of the job is inside the `Ok`.
    pub async fn wait_for(&mut self, limit: Duration) -> Result<Result<T, JobError<E>>, StillRunning> {
        tokio::time::timeout(limit, self).await.map_err(|_| StillRunning)
    }

    /// Aborts the job. A waiting job ends at once; a running one ends when its attempt is dropped and the attempt's
    /// blocking work has returned. Its result is [`JobError::Cancelled`], unless it was done before.
    pub fn abort(&self) {
        let place = self.location.abort();
        match (&self.run, place) {
            (Some(run), Some((id, number))) => run.abort(id, number),
            (Some(run), None) => run.wake(),
            (None, _) => {}
        }
    }

    /// Lets the job go on without its handle. The report of its run counts the result, which is then dropped.
    pub fn detach(mut self) {
        self.run = None;
    }

    /// Returns whether the result is there.
    pub fn is_finished(&self) -> bool {
        !self.result.is_empty()
    }
}

impl<T, E> Future for Handle<T, E> {
    type Output = Result<T, JobError<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match Pin::new(&mut self.result).poll(cx) {
            Poll::Ready(Ok(result)) => Poll::Ready(result),
            Poll::Ready(Err(_)) => Poll::Ready(Err(match &self.run {
                Some(run) if run.has_broken_down() => JobError::Panicked("the run of the job broke down".to_owned()),
                // It was aborted while it waited, or the runtime is gone.
                _ => JobError::CANCELLED,
            })),
            Poll::Pending => {
                if let Some(run) = &self.run {
                    let _ = CURRENT.try_with(|attempt| run.offer_slot(attempt));
                }
                Poll::Pending
            }
        }
    }
}

impl<T, E> Drop for Handle<T, E> {
    fn drop(&mut self) {
        // A handle that was detached has no run any more.
        if self.run.is_some() {
            self.abort();
        }
    }
}

/// Takes single jobs for one run. Made by [`Pool::spawner`](crate::Pool::spawner).
///
/// Dropping it does not stop its jobs: their handles own them.
pub struct Spawner<I, T, E> {
    core: Arc<Core<'static, I, T, E>>,
    /// One permit for each job that may wait.
    queue: Arc<Semaphore>,
    driver: Option<JoinHandle<RunReport>>,
}

impl<I, T, E> fmt::Debug for Spawner<I, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spawner").finish_non_exhaustive()
    }
}

impl<I, T, E> Spawner<I, T, E>
where
    I: Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    pub(crate) fn new(core: Arc<Core<'static, I, T, E>>, driver: JoinHandle<RunReport>) -> Self {
        let slots = core.pool.with(|scheduler| scheduler.run_slots(core.run).0);
        let buffer = core.policy.buffer.unwrap_or_else(|| slots.saturating_mul(3).clamp(16, 1024));
        let queue = Arc::new(Semaphore::new(buffer.clamp(1, Semaphore::MAX_PERMITS)));
        Self { core, queue, driver: Some(driver) }
    }

    /// Adds a job, after waiting until fewer than [`buffer`](crate::RunBuilder::buffer) jobs wait. The job starts as soon
    /// as the limits allow. If the run takes no more jobs, the result of the handle is [`JobError::Cancelled`].
    ///
    /// Inside a job of the same run it does not wait for the queue: the job would hold the slot that it waits for.
    pub async fn spawn(&self, input: I) -> Handle<T, E> {
        let is_own = CURRENT.try_with(|attempt| attempt.run() == self.core.number()).unwrap_or(false);
        let permit = if is_own { None } else { Arc::clone(&self.queue).acquire_owned().await.ok() };
        let (handle_sender, handle) = Handle::pair(permit);
        // A job that is not taken drops its sender, and the handle reports that.
        drop(self.core.add(input, handle_sender));
        handle.of(Arc::clone(&self.core) as Arc<dyn RunHandle>)
    }

    /// Adds a job without waiting.
    ///
    /// # Errors
    ///
    /// Fails with [`SpawnError::Full`] if as many jobs wait as `buffer` allows, and with [`SpawnError::Closed`] if
    /// the run takes no more. The input comes back.
    pub fn try_spawn(&self, input: I) -> Result<Handle<T, E>, SpawnError<I>> {
        if self.core.is_closing() {
            return Err(SpawnError::Closed(input));
        }
        let Ok(permit) = Arc::clone(&self.queue).try_acquire_owned() else { return Err(SpawnError::Full(input)) };
        let (handle_sender, handle) = Handle::pair(Some(permit));
        match self.core.add(input, handle_sender) {
            Ok(()) => Ok(handle.of(Arc::clone(&self.core) as Arc<dyn RunHandle>)),
            Err((input, _)) => Err(SpawnError::Closed(input)),
        }
    }

    /// Returns how many jobs wait or are in flight.
    pub fn len(&self) -> usize {
        let (waiting, running) = self.core.counts();
        waiting + running
    }

    /// Returns whether no job waits or is in flight.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns how many jobs are in flight.
    pub fn in_flight(&self) -> usize {
        self.core.counts().1
    }

    /// Cancels all jobs: waiting ones never start, running ones are dropped.
    pub fn cancel(&self) {
        self.core.cancel_run();
    }

    /// Drains the run: it takes no more jobs, waiting ones end as cancelled, running ones finish.
    pub fn drain(&self) {
        self.core.drain_run();
    }

    /// Returns a control to pause the run, change its limit, drain it or cancel it from elsewhere.
    pub fn control(&self) -> Control {
        Control::new(Arc::clone(&self.core) as Arc<dyn RunHandle>)
    }

    /// Waits for all jobs and returns the report.
    ///
    /// # Panics
    ///
    /// Rethrows a panic of an observer or of a function passed to the run.
    pub async fn join(mut self) -> RunReport {
        self.core.inbox.close();
        match self.driver.take() {
            Some(mut driver) => join(&mut driver, &self.core).await,
            None => self.core.report(),
        }
    }

    /// Cancels all jobs, waits until none of them runs any more, and returns the report.
    ///
    /// # Panics
    ///
    /// Rethrows a panic of an observer or of a function passed to the run.
    pub async fn shutdown(self) -> RunReport {
        self.cancel();
        self.join().await
    }
}

impl<I, T, E> Drop for Spawner<I, T, E> {
    fn drop(&mut self) {
        self.core.inbox.close();
    }
}
