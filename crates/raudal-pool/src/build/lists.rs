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
    /// If the run is stopped early, inputs that never began have [`JobError::Cancelled`] as their result. If the
    /// `size_hint` of the inputs has no upper bound, one such result stands for all remaining inputs. Jobs that were
    /// [spawned](Context::spawn) come after the inputs.
    ///
    /// # Panics
    ///
    /// Awaiting it panics outside of a tokio runtime. It rethrows a panic of the input, of an observer, or of a
    /// function passed to the run.
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

    /// Runs all jobs and returns their values in the order of the input. Stops at the first failure and returns it;
    /// running jobs are cancelled and awaited. It is to [`map`](Self::map) what `try_join_all` is to `join_all`.
    ///
    /// # Errors
    ///
    /// Fails with the first failure in time, which may not be the first in the input. Fails with
    /// [`JobError::Cancelled`] if the run was cancelled or drained from outside.
    ///
    /// # Panics
    ///
    /// Awaiting it panics outside of a tokio runtime. It rethrows a panic of the input, of an observer, or of a
    /// function passed to the run.
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

    /// Runs all jobs for their effects, and returns the report. No result is kept. The report counts failures by
    /// kind, and the [observer](RunBuilder::observer) sees each one.
    ///
    /// # Panics
    ///
    /// Awaiting it panics outside of a tokio runtime. It rethrows a panic of the input, of an observer, or of a
    /// function passed to the run.
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

/// Collects the results of a `map`.
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

    /// Returns the values, if no job failed.
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
    // The run was stopped from outside, and no job reported it.
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
