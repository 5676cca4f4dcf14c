//! Single jobs: each with a handle that can be awaited, asked for with a time-out, or aborted.

use super::error::JobError;
use super::report::RunReport;
use super::run::join;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::SeqCst};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// No attempt is under way, and the job can be given up without the driver.
const WAITING: u8 = 0;
/// An attempt is under way: who gives the job up must wait for it.
const RUNNING: u8 = 1;
/// The job was given up while it waited.
const ABORTED: u8 = 2;

/// What the driver keeps of a single job: whom to tell, and whether it was given up.
pub(super) struct Ticket<T, E> {
    state: Arc<AtomicU8>,
    cancel: CancellationToken,
    reply: oneshot::Sender<Result<T, JobError<E>>>,
}

impl<T, E> Ticket<T, E> {
    pub(super) fn token(&self) -> CancellationToken {
        self.cancel.clone()
    }

    /// Begins an attempt; false if the job was given up.
    pub(super) fn begin(&self) -> bool {
        self.state.compare_exchange(WAITING, RUNNING, SeqCst, SeqCst).is_ok()
    }

    /// Ends an attempt; false if the job was given up meanwhile.
    pub(super) fn pause(&self) -> bool {
        // In this order, and the other way round in `abort`: one of the two sees the other.
        self.state.store(WAITING, SeqCst);
        !self.cancel.is_cancelled()
    }

    pub(super) fn deliver(self, result: Result<T, JobError<E>>) {
        // Nobody listens any more when the handle was dropped.
        let _ = self.reply.send(result);
    }
}

/// The job has not ended yet. It goes on: the handle can be awaited or asked again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StillRunning;

impl fmt::Display for StillRunning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the job has not ended yet")
    }
}

impl std::error::Error for StillRunning {}

/// A single job, begun by [`Pool::spawn`](super::Pool::spawn) or [`Spawner::spawn`]: a future of its result.
///
/// The handle owns the job. Dropping it aborts the job, so nothing is ever detached.
///
/// ```
/// use raudal_pool::{JobError, Pool, StillRunning};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = Pool::<_, std::io::Error>::builder().build()?;
/// let mut handle = pool.spawn(2, |_cx, seconds| async move {
///     tokio::time::sleep(Duration::from_secs(seconds)).await;
///     Ok(seconds)
/// });
/// // Asked for too early, it goes on.
/// assert!(handle.wait_for(Duration::from_secs(1)).await.is_err());
/// assert_eq!(handle.await.unwrap(), 2);
///
/// let handle = pool.spawn(0, |_cx, _| std::future::pending::<std::io::Result<()>>());
/// handle.abort();
/// assert!(matches!(handle.await, Err(JobError::Cancelled)));
/// # Ok(())
/// # }
/// ```
///
/// # Panics
///
/// When it is polled again after it gave its result, as futures do.
#[must_use = "dropping the handle aborts the job"]
pub struct Handle<T, E> {
    state: Arc<AtomicU8>,
    cancel: CancellationToken,
    result: oneshot::Receiver<Result<T, JobError<E>>>,
}

impl<T, E> fmt::Debug for Handle<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("aborted", &self.cancel.is_cancelled()).finish_non_exhaustive()
    }
}

impl<T, E> Handle<T, E> {
    /// Waits for the result, but no longer than this. The job goes on if it is not done by then.
    ///
    /// # Errors
    ///
    /// [`StillRunning`] if the job has not ended in time; its own failure is inside of the `Ok`.
    pub async fn wait_for(&mut self, limit: Duration) -> Result<Result<T, JobError<E>>, StillRunning> {
        tokio::time::timeout(limit, self).await.map_err(|_| StillRunning)
    }

    /// Gives the job up. A job that waits for its turn or its retry ends at once; one that runs ends once its attempt is
    /// dropped and the attempt's blocking work has returned. Its result is [`JobError::Cancelled`], unless it was done.
    pub fn abort(&self) {
        self.cancel.cancel();
        let _ = self.state.compare_exchange(WAITING, ABORTED, SeqCst, SeqCst);
    }
}

impl<T, E> Future for Handle<T, E> {
    type Output = Result<T, JobError<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match Pin::new(&mut self.result).poll(cx) {
            Poll::Ready(Ok(result)) => Poll::Ready(result),
            // The driver is gone without a word: the input or an observer panicked, or the runtime shuts down.
            Poll::Ready(Err(_)) => Poll::Ready(Err(JobError::Cancelled)),
            Poll::Pending if self.state.load(SeqCst) == ABORTED => Poll::Ready(Err(JobError::Cancelled)),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<T, E> Drop for Handle<T, E> {
    fn drop(&mut self) {
        self.abort();
    }
}

/// Takes single jobs for one set of slots, keys and policies. Made by [`Pool::spawner`](super::Pool::spawner).
///
/// Dropping it lets the jobs that were spawned come to their end: their handles own them.
pub struct Spawner<I, T, E> {
    pub(super) inputs: mpsc::UnboundedSender<(I, Option<Ticket<T, E>>)>,
    pub(super) cancel: CancellationToken,
    pub(super) driver: JoinHandle<RunReport>,
}

impl<I, T, E> fmt::Debug for Spawner<I, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spawner").finish_non_exhaustive()
    }
}

impl<I, T, E> Spawner<I, T, E> {
    /// Adds a job, which begins as soon as the limits allow. It never waits itself: what it is given queues in memory.
    pub fn spawn(&self, input: I) -> Handle<T, E> {
        let (reply, result) = oneshot::channel();
        let state = Arc::new(AtomicU8::new(WAITING));
        let cancel = self.cancel.child_token();
        let ticket = Ticket { state: Arc::clone(&state), cancel: cancel.clone(), reply };
        // A run that is over drops the ticket, and the handle says so.
        let _ = self.inputs.send((input, Some(ticket)));
        Handle { state, cancel, result }
    }

    /// Cancels all jobs: those that wait never begin, those that run are dropped.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }

    /// Waits for all jobs that were spawned and returns the report. Unlike [`Run::finish`](super::Run::finish) it cancels
    /// nothing: here the handles own the jobs.
    ///
    /// # Panics
    ///
    /// If a key or label function or an observer panicked, with its panic.
    pub async fn finish(self) -> RunReport {
        drop(self.inputs);
        join(self.driver).await
    }
}
