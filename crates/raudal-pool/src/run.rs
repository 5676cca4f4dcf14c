//! A run under way, as its owner sees it: a stream of results, and a report at the end.

use super::error::JobError;
use super::lend::Slots;
use super::report::{JobReport, RunReport};
use super::room::Room;
use futures::Stream;
use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A job that is over.
#[derive(Debug)]
#[non_exhaustive]
pub struct Completed<T, E> {
    /// The job's number: its place in the input, from 0.
    pub job: u64,
    /// What it returned, or why it did not.
    pub result: Result<T, JobError<E>>,
    /// How it went.
    pub report: JobReport,
}

/// A run under way: a stream of completed jobs, as they complete or [in input order](Run::ordered).
///
/// Jobs go on while nobody polls the stream. Dropping it cancels the run: jobs in flight are dropped at their next
/// await, blocking work of theirs is awaited, all by the run's own task. [`finish`](Run::finish) waits for that.
pub struct Run<T, E> {
    completed: mpsc::UnboundedReceiver<Completed<T, E>>,
    room: Arc<Room>,
    cancel: CancellationToken,
    drain: CancellationToken,
    driver: Option<JoinHandle<RunReport>>,
    slots: Slots,
    reorder: Option<Reorder<T, E>>,
}

/// Results that wait for those before them. Bounded, since their jobs hold room in the run.
struct Reorder<T, E> {
    next: u64,
    waiting: VecDeque<Option<Completed<T, E>>>,
}

impl<T, E> Reorder<T, E> {
    fn put(&mut self, done: Completed<T, E>) {
        let place = (done.job - self.next) as usize;
        if self.waiting.len() <= place {
            self.waiting.resize_with(place + 1, || None);
        }
        self.waiting[place] = Some(done);
    }

    fn take(&mut self) -> Option<Completed<T, E>> {
        let done = self.waiting.front_mut()?.take()?;
        self.waiting.pop_front();
        self.next += 1;
        Some(done)
    }
}

impl<T, E> fmt::Debug for Run<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("ordered", &self.reorder.is_some()).finish_non_exhaustive()
    }
}

impl<T, E> Run<T, E> {
    pub(super) fn new(
        completed: mpsc::UnboundedReceiver<Completed<T, E>>,
        room: Arc<Room>,
        cancel: CancellationToken,
        drain: CancellationToken,
        driver: JoinHandle<RunReport>,
        slots: Slots,
    ) -> Self {
        Self { completed, room, cancel, drain, driver: Some(driver), slots, reorder: None }
    }

    /// The same run with its results in the order of the input.
    ///
    /// A slow job holds back the results behind it, and, once [`Builder::buffer`](super::Builder::buffer) is full,
    /// the pulling of further inputs. Call it before the first result is taken: it does not know what was taken before.
    ///
    /// ```
    /// use raudal_pool::Pool;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = Pool::builder().jobs(3).build()?;
    /// let mut run = pool.run(0..9, |_cx, n| async move { Ok::<_, std::io::Error>(n) }).ordered();
    /// let mut order = Vec::new();
    /// while let Some(done) = run.next().await {
    ///     order.push(done.job);
    /// }
    /// assert!(order.is_sorted());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn ordered(mut self) -> Self {
        self.reorder = Some(Reorder { next: 0, waiting: VecDeque::new() });
        self
    }

    /// The next completed job; `None` when there are no more.
    pub async fn next(&mut self) -> Option<Completed<T, E>> {
        std::future::poll_fn(|cx| self.poll(cx)).await
    }

    /// The slots of this run, to be counted out by somebody else: limits that change, and work that helps the jobs.
    pub fn slots(&self) -> Slots {
        self.slots.clone()
    }

    /// Cancels the run: no job begins any more, and those in flight end as cancelled. Their results still come.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }

    /// Drains the run: nothing new begins, neither a job nor a further attempt of one, and what runs comes to its end. An
    /// attempt that fails then is final, with its error; jobs that wait (for their key, the rate or their retry) end as
    /// [`JobError::Cancelled`]. So a drain takes no longer than the longest attempt; who wants it quicker cancels.
    ///
    /// ```
    /// use raudal_pool::Pool;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = Pool::builder().jobs(3).build()?;
    /// let mut run = pool.run(1.., |_cx, seconds| async move {
    ///     tokio::time::sleep(Duration::from_secs(seconds)).await;
    ///     Ok::<_, std::io::Error>(seconds)
    /// });
    /// assert_eq!(run.next().await.unwrap().job, 0);
    /// run.drain();
    /// let mut rest = 0;
    /// while let Some(done) = run.next().await {
    ///     assert!(done.result.is_ok());
    ///     rest += 1;
    /// }
    /// assert!(rest <= 3, "what was in flight, and nothing after it");
    /// # Ok(())
    /// # }
    /// ```
    pub fn drain(&self) {
        self.drain.cancel();
    }

    /// Waits until nothing of the run is running any more, and returns its report. What was not taken from the stream
    /// yet is cancelled and dropped.
    ///
    /// # Panics
    ///
    /// If the input panicked while it was pulled, with its panic.
    pub async fn finish(mut self) -> RunReport {
        self.cancel.cancel();
        match self.driver.take() {
            Some(driver) => join(driver).await,
            // `finish` takes the run, so the handle is there.
            None => RunReport::default(),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Completed<T, E>>> {
        let done = loop {
            if let Some(done) = self.reorder.as_mut().and_then(Reorder::take) {
                break done;
            }
            match (ready!(self.completed.poll_recv(cx)), &mut self.reorder) {
                (None, None) => return Poll::Ready(None),
                // Holes are left only by results that were taken before the order was asked for.
                (None, Some(reorder)) => match reorder.waiting.iter_mut().find_map(Option::take) {
                    Some(done) => break done,
                    None => return Poll::Ready(None),
                },
                (Some(done), None) => break done,
                (Some(done), Some(reorder)) => reorder.put(done),
            }
        };
        self.room.take();
        Poll::Ready(Some(done))
    }
}

/// Awaits the driver of a run; its panic goes on in whoever asks.
pub(super) async fn join(driver: JoinHandle<RunReport>) -> RunReport {
    match driver.await {
        Ok(report) => report,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is shutting down, and this task with it.
            Err(_) => std::future::pending().await,
        },
    }
}

/// Nothing in it is ever pinned.
impl<T, E> Unpin for Run<T, E> {}

impl<T, E> Stream for Run<T, E> {
    type Item = Completed<T, E>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll(cx)
    }
}

impl<T, E> Drop for Run<T, E> {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}
