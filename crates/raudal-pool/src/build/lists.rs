//! Runs that are awaited as a whole: lists, values, reports.

use super::output;
use super::setters::RunBuilder;
use crate::completed::Completed;
use crate::context::Context;
use crate::error::{JobError, MapError};
use crate::pool::Pool;
use crate::report::RunReport;
use crate::run::Run;
use futures_core::Stream;
use futures_util::stream::{self, Iter};
use std::future::IntoFuture;
use std::pin::Pin;

type Awaited<R> = Pin<Box<dyn Future<Output = R> + Send>>;

impl Pool {
    /// Runs all jobs and returns their results in the order of the input: one result for each input.
    ///
    /// If the run is stopped early, inputs that never began have [`JobError::Cancelled`] as their result. For an input
    /// that does not know how long it can be at most (its `size_hint`), one such result stands for all that are left.
    /// Jobs that were [spawned](Context::spawn) come after the inputs.
    ///
    /// # Panics
    ///
    /// When awaited: outside of a tokio runtime, and with the panic of the input, of an observer, or of a function that
    /// the run was given.
    ///
    /// ```
    /// use raudal_pool::{JobError, Pool};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let results = Pool::new(2).map(["7", "x"], |_cx, text| async move { text.parse::<u32>() }).await;
    /// assert_eq!(results[0], Ok(7));
    /// assert!(matches!(results[1], Err(JobError::Failed(_))));
    /// # }
    /// ```
    pub fn map<In, T, E, F, Fut>(
        &self,
        inputs: In,
        job: F,
    ) -> RunBuilder<'static, Iter<In::IntoIter>, F, In::Item, T, E, output::List>
    where
        In: IntoIterator,
        F: Fn(Context<In::Item>, In::Item) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        let mut builder = self.builder_of(stream::iter(inputs), job);
        builder.policy.complete = true;
        builder
    }

    /// Runs all jobs and returns their values in the order of the input, or stops at the first failure and returns that
    /// one: what runs then is cancelled and awaited. What `try_join_all` is to `join_all`.
    ///
    /// # Errors
    ///
    /// The first failure to happen, not the first one in the input; [`JobError::Cancelled`] if the run was cancelled or
    /// drained from outside.
    ///
    /// # Panics
    ///
    /// When awaited: outside of a tokio runtime, and with the panic of the input, of an observer, or of a function that
    /// the run was given.
    ///
    /// ```
    /// use raudal_pool::{JobError, Pool};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let pool = Pool::new(2);
    /// let parse = |_cx, text: &'static str| async move { text.parse::<u32>().map_err(|_| "no number") };
    /// assert_eq!(pool.try_map(["7", "8"], parse).await.unwrap(), [7, 8]);
    /// let error = pool.try_map(["7", "x"], parse).keep_inputs().await.unwrap_err();
    /// assert_eq!((error.job, error.input, error.error), (1, Some("x"), JobError::Failed("no number")));
    /// # }
    /// ```
    pub fn try_map<In, T, E, F, Fut>(
        &self,
        inputs: In,
        job: F,
    ) -> RunBuilder<'static, Iter<In::IntoIter>, F, In::Item, T, E, output::Values>
    where
        In: IntoIterator,
        F: Fn(Context<In::Item>, In::Item) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        self.builder_of(stream::iter(inputs), job)
    }

    /// Runs all jobs for what they do, and returns the report. Nothing is kept of a job once it is over: failures are
    /// counted by kind in the report, and the [observer](RunBuilder::observer) sees each one.
    ///
    /// # Panics
    ///
    /// When awaited: outside of a tokio runtime, and with the panic of the input, of an observer, or of a function that
    /// the run was given.
    ///
    /// ```
    /// use raudal_pool::Pool;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let report = Pool::new(8)
    ///     .for_each(0..10, |_cx, n| async move { if n % 2 == 0 { Ok(()) } else { Err("odd") } })
    ///     .await;
    /// assert_eq!((report.succeeded, report.failed), (5, 5));
    /// # }
    /// ```
    pub fn for_each<In, E, F, Fut>(
        &self,
        inputs: In,
        job: F,
    ) -> RunBuilder<'static, Iter<In::IntoIter>, F, In::Item, (), E, output::Report>
    where
        In: IntoIterator,
        F: Fn(Context<In::Item>, In::Item) -> Fut,
        Fut: Future<Output = Result<(), E>>,
    {
        self.builder_of(stream::iter(inputs), job)
    }
}

/// What the results of a `map` are put together from.
pub(super) struct Lists<T, E> {
    inputs: Vec<(u64, Result<T, JobError<E>>)>,
    spawned: Vec<(u64, Result<T, JobError<E>>)>,
}

impl<T, E> Lists<T, E> {
    pub(super) fn new() -> Self {
        Self { inputs: Vec::new(), spawned: Vec::new() }
    }

    pub(super) fn put<I>(&mut self, done: Completed<I, T, E>) {
        let list = if done.parent.is_none() { &mut self.inputs } else { &mut self.spawned };
        list.push((done.job, done.result));
    }

    pub(super) fn into_results(mut self) -> Vec<Result<T, JobError<E>>> {
        self.inputs.sort_unstable_by_key(|(job, _)| *job);
        self.spawned.sort_unstable_by_key(|(job, _)| *job);
        self.inputs.into_iter().chain(self.spawned).map(|(_, result)| result).collect()
    }

    /// The values, if there is nothing else.
    pub(super) fn into_values(self) -> Option<Vec<T>> {
        self.into_results().into_iter().map(Result::ok).collect()
    }
}

pub(super) fn map_error<I, E>(job: u64, input: Option<I>, error: JobError<E>) -> MapError<I, E> {
    MapError { job, input, error }
}

async fn list<I, T, E>(mut run: Run<I, T, E>) -> Vec<Result<T, JobError<E>>>
where
    I: Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    let mut lists = Lists::new();
    while let Some(done) = run.next().await {
        lists.put(done);
    }
    lists.into_results()
}

async fn values<I, T, E>(mut run: Run<I, T, E>) -> Result<Vec<T>, MapError<I, E>>
where
    I: Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    let mut lists = Lists::new();
    let mut jobs = 0;
    while let Some(done) = run.next().await {
        jobs = jobs.max(done.job + 1);
        match done.result {
            Err(error) => {
                run.shutdown().await;
                return Err(map_error(done.job, done.input, error));
            }
            Ok(_) => lists.put(done),
        }
    }
    // Stopped from outside, with nothing begun that could have said so.
    if run.join().await.stopped {
        return Err(map_error(jobs, None, JobError::CANCELLED));
    }
    lists.into_values().ok_or_else(|| map_error(jobs, None, JobError::CANCELLED))
}

macro_rules! awaited {
    ($output:ident, $result:ty, $run:ident => $whole:expr) => {
        impl<S, F, I, T, E, Fut> IntoFuture for RunBuilder<'static, S, F, I, T, E, output::$output>
        where
            I: Send + 'static,
            T: Send + 'static,
            E: Send + 'static,
            S: Stream<Item = I> + Send + 'static,
            F: Fn(Context<I>, I) -> Fut + Send + Sync + 'static,
            Fut: Future<Output = Result<T, E>> + Send + 'static,
        {
            type Output = $result;
            type IntoFuture = Awaited<Self::Output>;

            fn into_future(self) -> Self::IntoFuture {
                Box::pin(async move {
                    let $run = self.begin();
                    $whole.await
                })
            }
        }
    };
}

awaited!(List, Vec<Result<T, JobError<E>>>, run => list(run));
awaited!(Values, Result<Vec<T>, MapError<I, E>>, run => values(run));
awaited!(Report, RunReport, run => run.join());
