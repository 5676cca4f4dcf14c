//! Runs in the task of the caller.

use super::lists::{Lists, map_error};
use super::output;
use super::setters::RunBuilder;
use crate::attempt::CURRENT;
use crate::completed::Completed;
use crate::context::Context;
use crate::engine::{Core, LocalEngine};
use crate::error::{JobError, MapError};
use crate::pool::Pool;
use crate::report::RunReport;
use crate::run::Reorder;
use futures_core::Stream;
use futures_util::stream::{self, Iter};
use std::fmt;
use std::pin::Pin;
use std::task::{self, Poll};

impl Pool {
    /// Runs jobs in the task of the caller: they may borrow from its stack, need not be `Send`, and see its task-locals.
    /// The limits and policies are those of every other run.
    ///
    /// Jobs run only while the run is awaited; with [`start`](RunBuilder::start), while the next result is awaited.
    /// All of them share the thread of the task.
    ///
    /// ```
    /// use raudal_pool::Pool;
    /// use std::cell::RefCell;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let words = vec!["one".to_owned(), "three".to_owned()];
    /// let longest = RefCell::new("");
    /// let results = Pool::new(2)
    ///     .local(&words, |_cx, word| {
    ///         let longest = &longest;
    ///         async move {
    ///             tokio::task::yield_now().await;
    ///             if word.len() > longest.borrow().len() {
    ///                 *longest.borrow_mut() = word;
    ///             }
    ///             Ok::<_, String>(word.len())
    ///         }
    ///     })
    ///     .map()
    ///     .await;
    /// assert_eq!(results, [Ok(3), Ok(5)]);
    /// assert_eq!(*longest.borrow(), "three");
    /// # }
    /// ```
    pub fn local<'p, In, T, E, F, Fut>(
        &self,
        inputs: In,
        job: F,
    ) -> RunBuilder<'p, Iter<In::IntoIter>, F, In::Item, T, E, output::Local>
    where
        In: IntoIterator,
        F: Fn(Context<In::Item>, In::Item) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        self.builder_of(stream::iter(inputs), job)
    }
}

impl<'p, S, F, I, T, E, Fut> RunBuilder<'p, S, F, I, T, E, output::Local>
where
    I: 'p,
    T: 'p,
    E: 'p,
    S: Stream<Item = I> + 'p,
    F: Fn(Context<I>, I) -> Fut + 'p,
    Fut: Future<Output = Result<T, E>> + 'p,
{
    /// Gives results in the order of the input.
    pub fn ordered(mut self) -> Self {
        self.ordered = true;
        self
    }

    /// Starts the run: a stream of results, whose jobs run while it is polled.
    pub fn start(self) -> LocalRun<'p, S, F, I, T, E> {
        let core = Core::new(&self.pool, self.policy, true, false);
        let reorder = self.ordered.then(Reorder::new);
        LocalRun { run: LocalEngine::new(core, self.job, self.inputs), reorder }
    }

    /// Runs all jobs and returns their results in the order of the input: one result for each input, as
    /// [`Pool::map`] does.
    pub async fn map(mut self) -> Vec<Result<T, JobError<E>>> {
        self.policy.complete = true;
        let mut run = self.start();
        let mut lists = Lists::new();
        while let Some(done) = run.next().await {
            lists.put(done);
        }
        lists.into_results()
    }

    /// Runs all jobs and returns their values in the order of the input. Stops at the first failure and returns it,
    /// as [`Pool::try_map`] does; running jobs are dropped.
    ///
    /// # Errors
    ///
    /// Fails with the first failure in time, or with [`JobError::Cancelled`] if the run was cancelled or drained from
    /// outside.
    pub async fn try_map(self) -> Result<Vec<T>, MapError<I, E>> {
        let mut run = self.start();
        let mut lists = Lists::new();
        let mut jobs = 0;
        while let Some(done) = run.next().await {
            jobs = jobs.max(done.job + 1);
            match done.result {
                Err(error) => return Err(map_error(done.job, done.input, error)),
                Ok(_) => lists.put(done),
            }
        }
        let stopped = run.run.report().is_none_or(|report| report.stopped);
        let values = lists.into_values().filter(|_| !stopped);
        values.ok_or_else(|| map_error(jobs, None, JobError::CANCELLED))
    }

    /// Runs all jobs for their effects, and returns the report.
    pub async fn for_each(self) -> RunReport {
        let mut run = self.start();
        while run.next().await.is_some() {}
        run.run.report().cloned().unwrap_or_default()
    }
}

/// A run in the task of its caller: a stream of completed jobs, which run while it is polled.
///
/// Dropping it drops its jobs. Blocking work that they began goes on to its end, and is not awaited.
///
/// # Panics
///
/// Taking results rethrows a panic of the input, of an observer, or of a function passed to the run.
pub struct LocalRun<'p, S, F, I, T, E> {
    run: LocalEngine<'p, I, T, E, F, S>,
    reorder: Option<Reorder<I, T, E>>,
}

impl<S, F, I, T, E> fmt::Debug for LocalRun<'_, S, F, I, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalRun").finish_non_exhaustive()
    }
}

impl<'p, S, F, I, T, E, Fut> LocalRun<'p, S, F, I, T, E>
where
    I: 'p,
    T: 'p,
    E: 'p,
    S: Stream<Item = I> + 'p,
    F: Fn(Context<I>, I) -> Fut + 'p,
    Fut: Future<Output = Result<T, E>> + 'p,
{
    /// Returns the next completed job; `None` when there are no more.
    pub async fn next(&mut self) -> Option<Completed<I, T, E>> {
        std::future::poll_fn(|cx| self.poll(cx)).await
    }

    /// Cancels the run: no job begins any more, and those in flight end as cancelled. Their results still come.
    pub fn cancel(&self) {
        self.run.core().cancel_run();
    }

    /// Drains the run: nothing new starts, and running jobs finish.
    pub fn drain(&self) {
        self.run.core().drain_run();
    }

    /// Returns the report of the run, once its last result was taken.
    pub fn report(&self) -> Option<&RunReport> {
        self.run.report()
    }

    fn poll(&mut self, cx: &mut task::Context<'_>) -> Poll<Option<Completed<I, T, E>>> {
        loop {
            if let Some(done) = self.reorder.as_mut().and_then(Reorder::take) {
                return Poll::Ready(Some(done));
            }
            match (self.run.poll(cx), &mut self.reorder) {
                (Poll::Ready(Some(done)), Some(reorder)) => reorder.put(done),
                (Poll::Pending, _) => {
                    // A job that waits for a run of its own pool offers its slot to that run.
                    let _ = CURRENT.try_with(|attempt| self.run.core().offer_slot(attempt));
                    return Poll::Pending;
                }
                (polled, _) => return polled,
            }
        }
    }
}

impl<'p, S, F, I, T, E, Fut> Stream for LocalRun<'p, S, F, I, T, E>
where
    I: 'p,
    T: 'p,
    E: 'p,
    S: Stream<Item = I> + 'p,
    F: Fn(Context<I>, I) -> Fut + 'p,
    Fut: Future<Output = Result<T, E>> + 'p,
{
    type Item = Completed<I, T, E>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll(cx)
    }
}

/// Nothing in it is pinned: jobs and inputs are in boxes.
impl<S, F, I, T, E> Unpin for LocalRun<'_, S, F, I, T, E> {}
