//! The ways to run jobs: each begins with what to run, takes policies, and is started or awaited.

mod blocking;
mod lists;
mod local;
mod setters;
mod single;

pub use local::LocalRun;
pub use setters::RunBuilder;
pub use single::One;

use crate::context::Context;
use crate::engine::{Core, Engine, Reply, drive};
use crate::policy::Policy;
use crate::pool::Pool;
use crate::results;
use crate::run::Run;
use futures_core::Stream;
use futures_util::stream::{self, Iter};

use std::marker::PhantomData;
use std::sync::Arc;

/// The form of the results of a run: the last parameter of [`RunBuilder`].
pub mod output {
    /// A stream of results: [`RunBuilder::start`](crate::RunBuilder::start).
    #[derive(Debug)]
    pub struct Results;
    /// A list of results in input order.
    #[derive(Debug)]
    pub struct List;
    /// A list of values in input order, or the first failure.
    #[derive(Debug)]
    pub struct Values;
    /// The report alone.
    #[derive(Debug)]
    pub struct Report;
    /// The result of one job.
    #[derive(Debug)]
    pub struct One;
    /// Handles of single jobs.
    #[derive(Debug)]
    pub struct Handles;
    /// Results in the task of the caller.
    #[derive(Debug)]
    pub struct Local;
}

impl Pool {
    /// Runs `job` for each input, as slots come free, and gives a stream of results. Set policies on what this returns,
    /// then [`start`](RunBuilder::start) it.
    ///
    /// The input is pulled lazily, so it may be endless. Jobs are tasks of the runtime: they go on while the results
    /// wait to be taken, as far as [`buffer`](RunBuilder::buffer) allows.
    ///
    /// ```
    /// use raudal_pool::Pool;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut run = Pool::new(4)
    ///     .run(0..100_u64, |_cx, n| async move { if n % 10 == 7 { Err(format!("unlucky: {n}")) } else { Ok(n * n) } })
    ///     .start();
    /// let mut sum = 0;
    /// while let Some(done) = run.next().await {
    ///     sum += done.result.unwrap_or(0);
    /// }
    /// let report = run.join().await;
    /// assert_eq!((report.succeeded, report.failed), (90, 10));
    /// assert!(report.peak_in_flight <= 4);
    /// # assert!(sum > 0);
    /// # }
    /// ```
    pub fn run<In, T, E, F, Fut>(
        &self,
        inputs: In,
        job: F,
    ) -> RunBuilder<'static, Iter<In::IntoIter>, F, In::Item, T, E, output::Results>
    where
        In: IntoIterator,
        F: Fn(Context<In::Item>, In::Item) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        self.builder_of(stream::iter(inputs), job)
    }

    /// Like [`run`](Self::run), over a stream of inputs.
    ///
    /// ```
    /// use futures_util::stream;
    /// use raudal_pool::Pool;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let inputs = stream::iter(["a", "bc"]);
    /// let mut run = Pool::new(4).run_stream(inputs, |_cx, text| async move { Ok::<_, String>(text.len()) }).start();
    /// assert!(run.next().await.is_some());
    /// # }
    /// ```
    pub fn run_stream<S, T, E, F, Fut>(
        &self,
        inputs: S,
        job: F,
    ) -> RunBuilder<'static, S, F, S::Item, T, E, output::Results>
    where
        S: Stream,
        F: Fn(Context<S::Item>, S::Item) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        self.builder_of(inputs, job)
    }

    pub(crate) fn builder_of<'p, S, F, I, T, E, O>(&self, inputs: S, job: F) -> RunBuilder<'p, S, F, I, T, E, O> {
        let policy = Policy::new(self.shared.cancel.clone(), self.shared.drain.clone());
        RunBuilder { pool: self.clone(), inputs, job, policy, ordered: false, output: PhantomData }
    }
}

impl<S, F, I, T, E, O, Fut> RunBuilder<'static, S, F, I, T, E, O>
where
    I: Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
    S: Stream<Item = I> + Send + 'static,
    F: Fn(Context<I>, I) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
{
    pub(crate) fn begin(self) -> Run<I, T, E> {
        let (sender, completed) = results::channel();
        let core = Arc::new(Core::new(&self.pool, self.policy, true, false));
        let engine = Engine::new(Arc::clone(&core), self.job, self.inputs, Reply::Stream(sender));
        Run::new(completed, core, tokio::spawn(drive(Arc::new(engine))), self.ordered)
    }
}

impl<S, F, I, T, E, Fut> RunBuilder<'static, S, F, I, T, E, output::Results>
where
    I: Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
    S: Stream<Item = I> + Send + 'static,
    F: Fn(Context<I>, I) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
{
    /// Starts the run.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime.
    pub fn start(self) -> Run<I, T, E> {
        self.begin()
    }

    /// Gives results in the order of the input.
    ///
    /// A slow job holds back the results behind it, and, once [`buffer`](Self::buffer) is full, the pulling of further
    /// inputs.
    ///
    /// ```
    /// use raudal_pool::Pool;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let mut run = Pool::new(3).run(0..9, |_cx, n| async move { Ok::<_, String>(n) }).ordered().start();
    /// let mut order = Vec::new();
    /// while let Some(done) = run.next().await {
    ///     order.push(done.job);
    /// }
    /// assert!(order.is_sorted());
    /// # }
    /// ```
    pub fn ordered(mut self) -> Self {
        self.ordered = true;
        self
    }
}
