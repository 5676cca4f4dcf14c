//! A run under way, as its owner sees it: a stream of results, a report at the end, and the means to control it.

use crate::attempt::CURRENT;
use crate::completed::Completed;
use crate::control::Control;
use crate::engine::{Core, RunHandle, join};
use crate::permits::Permits;
use crate::report::RunReport;
use crate::results::ResultReceiver;
use futures_core::Stream;
use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::task::JoinHandle;

/// A run under way: a stream of completed jobs, as they complete or [in order](crate::RunBuilder::ordered).
///
/// Jobs go on while nobody polls the stream, as far as [`buffer`](crate::RunBuilder::buffer) allows. Dropping the run
/// cancels it. Jobs in flight are dropped at their next await, and the run's own task awaits their blocking work.
/// [`shutdown`](Run::shutdown) waits for that.
///
/// # Panics
///
/// Taking results rethrows a panic of the input, of an observer, or of a function passed to the run. So a panic never
/// looks like the end of the run.
pub struct Run<I, T, E> {
    completed: ResultReceiver<Completed<I, T, E>>,
    core: Arc<Core<'static, I, T, E>>,
    driver: JoinHandle<RunReport>,
    report: Option<RunReport>,
    reorder: Option<Reorder<I, T, E>>,
}

/// Results that wait for those before them. Bounded, because their jobs count in the buffer of the run.
pub(crate) struct Reorder<I, T, E> {
    next: u64,
    waiting: VecDeque<Option<Completed<I, T, E>>>,
}

impl<I, T, E> Reorder<I, T, E> {
    pub(crate) fn new() -> Self {
        Self { next: 0, waiting: VecDeque::new() }
    }

    pub(crate) fn put(&mut self, done: Completed<I, T, E>) {
        let place = done.job.saturating_sub(self.next) as usize;
        if self.waiting.len() <= place {
            self.waiting.resize_with(place + 1, || None);
        }
        self.waiting[place] = Some(done);
    }

    pub(crate) fn take(&mut self) -> Option<Completed<I, T, E>> {
        let done = self.waiting.front_mut()?.take()?;
        self.waiting.pop_front();
        self.next += 1;
        Some(done)
    }
}

impl<I, T, E> fmt::Debug for Run<I, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("number", &self.core.number()).finish_non_exhaustive()
    }
}

impl<I, T, E> Run<I, T, E> {
    pub(crate) fn new(
        completed: ResultReceiver<Completed<I, T, E>>,
        core: Arc<Core<'static, I, T, E>>,
        driver: JoinHandle<RunReport>,
        ordered: bool,
    ) -> Self {
        Self { completed, core, driver, report: None, reorder: ordered.then(Reorder::new) }
    }

    /// Returns the number of the run, as in the events of its observer.
    pub fn number(&self) -> u64 {
        self.core.number()
    }

    /// Returns the spare slots of the pool.
    pub fn permits(&self) -> Permits {
        self.core.shared.permits.clone()
    }

    /// Cancels the run: no job begins any more, and those in flight end as cancelled. Their results still come.
    pub fn cancel(&self) {
        self.core.cancel_run();
    }

    /// Drains the run: no job and no further attempt starts, and running attempts finish. An attempt that fails
    /// meanwhile is final, with its error. Jobs that wait end as [`JobError::Cancelled`](crate::JobError::Cancelled).
    /// So a drain takes no longer than the longest attempt. [`cancel`](Self::cancel) is quicker.
    ///
    /// ```
    /// use raudal_pool::Pool;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let mut run = Pool::new(3)
    ///     .run(1.., |_cx, seconds| async move {
    ///         tokio::time::sleep(Duration::from_secs(seconds)).await;
    ///         Ok::<_, String>(seconds)
    ///     })
    ///     .start();
    /// assert_eq!(run.next().await.unwrap().job, 0);
    /// run.drain();
    /// let mut rest = 0;
    /// while let Some(done) = run.next().await {
    ///     assert!(done.result.is_ok());
    ///     rest += 1;
    /// }
    /// assert!(rest <= 3, "what was in flight, and nothing after it");
    /// # }
    /// ```
    pub fn drain(&self) {
        self.core.drain_run();
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Completed<I, T, E>>> {
        let done = loop {
            if let Some(done) = self.reorder.as_mut().and_then(Reorder::take) {
                break done;
            }
            match ready!(self.completed.poll(cx)) {
                None => return Poll::Ready(None),
                Some(done) => match &mut self.reorder {
                    None => break done,
                    Some(reorder) => reorder.put(done),
                },
            }
        };
        self.core.backpressure.take();
        Poll::Ready(Some(done))
    }

    async fn ended(&mut self) -> RunReport {
        if let Some(report) = &self.report {
            return report.clone();
        }
        let report = join(&mut self.driver, &self.core).await;
        self.report = Some(report.clone());
        report
    }
}

impl<I, T, E> Run<I, T, E>
where
    I: Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    /// Returns the next completed job; `None` when there are no more.
    pub async fn next(&mut self) -> Option<Completed<I, T, E>> {
        std::future::poll_fn(|cx| Pin::new(&mut *self).poll_next(cx)).await
    }

    /// Returns a control to pause the run, change its limit, drain it or cancel it from elsewhere.
    pub fn control(&self) -> Control {
        Control::new(Arc::clone(&self.core) as Arc<dyn RunHandle>)
    }

    /// Waits until all jobs are done, and returns the report. Results that were not taken are dropped.
    ///
    /// # Panics
    ///
    /// Rethrows a panic of the input, of an observer, or of a function passed to the run.
    pub async fn join(mut self) -> RunReport {
        while self.next().await.is_some() {}
        self.ended().await
    }

    /// Cancels the remaining jobs, waits until none of them runs, and returns the report. Results that were not taken
    /// are dropped.
    ///
    /// # Panics
    ///
    /// Rethrows a panic of the input, of an observer, or of a function passed to the run.
    pub async fn shutdown(mut self) -> RunReport {
        self.cancel();
        self.ended().await
    }
}

impl<I, T, E> Stream for Run<I, T, E>
where
    I: Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    type Item = Completed<I, T, E>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        match this.poll(cx) {
            Poll::Ready(Some(done)) => Poll::Ready(Some(done)),
            // The run has ended only if nothing panicked, so ask the driver.
            Poll::Ready(None) if this.report.is_some() => Poll::Ready(None),
            Poll::Ready(None) => {
                let ended = std::pin::pin!(join(&mut this.driver, &this.core));
                this.report = Some(ready!(ended.poll(cx)));
                Poll::Ready(None)
            }
            Poll::Pending => {
                // A job that waits for a run of its own pool offers its slot to that run.
                let _ = CURRENT.try_with(|attempt| this.core.offer_slot(attempt));
                Poll::Pending
            }
        }
    }
}

/// Nothing in it is ever pinned.
impl<I, T, E> Unpin for Run<I, T, E> {}

impl<I, T, E> Drop for Run<I, T, E> {
    fn drop(&mut self) {
        if self.report.is_none() {
            self.core.cancel_run();
        }
    }
}
