//! The ways to run jobs: streams, lists, blocking closures, single jobs.

use super::builder::Pool;
use super::context::Context;
use super::driver::drive;
use super::engine::Engine;
use super::error::JobError;
use super::lend::{Lend, Slots};
use super::report::RunReport;
use super::room::Room;
use super::run::{Completed, Run};
use super::spawn::{Handle, Spawner};
use futures::{Stream, StreamExt, stream};
use std::fmt::Display;
use std::sync::Arc;
use tokio::sync::mpsc;

impl<I, E> Pool<I, E>
where
    I: Clone + Send + 'static,
    E: Display + Send + 'static,
{
    /// Starts a run: `job` is called for each input, as slots come free.
    ///
    /// The input is pulled lazily, so it may be endless. Jobs are tasks of the runtime: they go on while the results
    /// wait to be taken, as far as [`Builder::buffer`](super::Builder::buffer) allows.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    ///
    /// ```
    /// use raudal_pool::Pool;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = Pool::builder().jobs(4).build()?;
    /// let mut run = pool.run(0..100_u64, |_cx, n| async move {
    ///     if n % 10 == 7 { Err(format!("unlucky: {n}")) } else { Ok(n * n) }
    /// });
    /// let mut sum = 0;
    /// while let Some(done) = run.next().await {
    ///     sum += done.result.unwrap_or(0);
    /// }
    /// let report = run.finish().await;
    /// assert_eq!((report.succeeded, report.failed), (90, 10));
    /// assert!(report.peak_in_flight <= 4);
    /// # assert!(sum > 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn run<In, T, F, Fut>(&self, inputs: In, job: F) -> Run<T, E>
    where
        In: IntoIterator<Item = I>,
        In::IntoIter: Send + 'static,
        T: Send + 'static,
        F: Fn(Context, I) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        self.run_stream(stream::iter(inputs), job)
    }

    /// Like [`run`](Self::run), over a stream of inputs.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn run_stream<In, T, F, Fut>(&self, inputs: In, job: F) -> Run<T, E>
    where
        In: Stream<Item = I> + Send + 'static,
        T: Send + 'static,
        F: Fn(Context, I) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        let (results, completed) = mpsc::unbounded_channel();
        let room = Arc::new(Room::new(self.0.jobs.saturating_add(self.0.buffer) as u64));
        let (cancel, drain) = (self.0.cancel.child_token(), self.0.drain.child_token());
        let inputs = inputs.map(|input| (input, None));
        let tokens = (cancel.clone(), drain.clone());
        let engine = Arc::new(Engine::new(Arc::clone(&self.0), job, inputs, results, Arc::clone(&room), tokens));
        let lender: Arc<dyn Lend> = Arc::clone(&engine) as _;
        let slots = Slots { lender: Arc::downgrade(&lender), freed: Arc::clone(&engine.freed) };
        Run::new(completed, room, cancel, drain, tokio::spawn(drive(engine)), slots)
    }

    /// Runs all jobs and returns their results in the order of the input.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    ///
    /// ```
    /// use raudal_pool::{JobError, Pool};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = Pool::builder().jobs(2).build()?;
    /// let results = pool
    ///     .map(["7", "x"], |_cx, text| async move { text.parse::<u32>() })
    ///     .await;
    /// assert_eq!(results[0], Ok(7));
    /// assert!(matches!(results[1], Err(JobError::Failed(_))));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn map<In, T, F, Fut>(&self, inputs: In, job: F) -> Vec<Result<T, JobError<E>>>
    where
        In: IntoIterator<Item = I>,
        In::IntoIter: Send + 'static,
        T: Send + 'static,
        F: Fn(Context, I) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        self.run(inputs, job).ordered().map(|done: Completed<T, E>| done.result).collect().await
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
    /// Outside of a tokio runtime, and if the input panics.
    ///
    /// ```
    /// use raudal_pool::{JobError, Pool};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = Pool::builder().jobs(2).build()?;
    /// let parse = |_cx, text: &str| std::future::ready(text.parse::<u32>().map_err(|_| text.to_owned()));
    /// assert_eq!(pool.try_map(["7", "8"], parse).await, Ok(vec![7, 8]));
    /// assert_eq!(pool.try_map(["7", "x", "9"], parse).await, Err(JobError::Failed("x".to_owned())));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn try_map<In, T, F, Fut>(&self, inputs: In, job: F) -> Result<Vec<T>, JobError<E>>
    where
        In: IntoIterator<Item = I>,
        In::IntoIter: Send + 'static,
        T: Send + 'static,
        F: Fn(Context, I) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        let mut run = self.run(inputs, job);
        let mut values = Vec::new();
        while let Some(Completed { job, result, .. }) = run.next().await {
            match result {
                Ok(value) => values.push((job, value)),
                Err(error) => {
                    run.finish().await;
                    return Err(error);
                }
            }
        }
        if run.finish().await.stopped {
            return Err(JobError::Cancelled);
        }
        values.sort_unstable_by_key(|(job, _)| *job);
        Ok(values.into_iter().map(|(_, value)| value).collect())
    }

    /// Runs all jobs for what they do, and returns the report. Nothing is kept of a job once it is over: failures are
    /// counted by kind in the report, and the [observer](super::Builder::observer) sees each one.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, and if the input panics.
    ///
    /// ```
    /// use raudal_pool::Pool;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = Pool::builder().jobs(8).failure_kind(|_: &String| "odd").build()?;
    /// let report = pool
    ///     .for_each(0..10, |_cx, n| async move { if n % 2 == 0 { Ok(()) } else { Err(format!("odd: {n}")) } })
    ///     .await;
    /// assert_eq!((report.succeeded, report.failures["odd"]), (5, 5));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn for_each<In, F, Fut>(&self, inputs: In, job: F) -> RunReport
    where
        In: IntoIterator<Item = I>,
        In::IntoIter: Send + 'static,
        F: Fn(Context, I) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
    {
        let mut run = self.run(inputs, job);
        while run.next().await.is_some() {}
        run.finish().await
    }

    /// Like [`run`](Self::run), for a closure that blocks: each attempt runs on a thread for such work, as many at once
    /// as the pool has slots (and as the runtime has threads for it: 512 by default).
    ///
    /// A thread cannot be stopped from outside. An attempt that runs out of time, or is cancelled, is over when its
    /// closure returns: a long one should look at [`Context::token`] from time to time.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    ///
    /// ```
    /// use raudal_pool::Pool;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = Pool::<u64, String>::builder().jobs(4).build()?;
    /// let mut run = pool.run_blocking(0..10, |cx, n| {
    ///     (0..1000).try_fold(n, |sum, more| {
    ///         if cx.token().is_cancelled() { Err("told to stop".to_owned()) } else { Ok(sum + more) }
    ///     })
    /// });
    /// while let Some(done) = run.next().await {
    ///     assert!(done.result.is_ok());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn run_blocking<In, T, F>(&self, inputs: In, job: F) -> Run<T, E>
    where
        In: IntoIterator<Item = I>,
        In::IntoIter: Send + 'static,
        T: Send + 'static,
        F: Fn(&Context, I) -> Result<T, E> + Send + Sync + 'static,
    {
        let job = Arc::new(job);
        self.run(inputs, move |cx, input| {
            let (job, inside) = (Arc::clone(&job), cx.clone());
            async move { cx.blocking(move || job(&inside, input)).await }
        })
    }

    /// Runs all jobs, closures that block, and returns their results in the order of the input. See
    /// [`run_blocking`](Self::run_blocking).
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    ///
    /// ```
    /// use raudal_pool::Pool;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = Pool::builder().jobs(4).build()?;
    /// let sizes = pool.map_blocking(["Cargo.toml", "src"], |_cx, path| std::fs::metadata(path)).await;
    /// assert!(sizes.iter().all(Result::is_ok));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn map_blocking<In, T, F>(&self, inputs: In, job: F) -> Vec<Result<T, JobError<E>>>
    where
        In: IntoIterator<Item = I>,
        In::IntoIter: Send + 'static,
        T: Send + 'static,
        F: Fn(&Context, I) -> Result<T, E> + Send + Sync + 'static,
    {
        self.run_blocking(inputs, job).ordered().map(|done: Completed<T, E>| done.result).collect().await
    }

    /// Opens one run for single jobs: they are [spawned](Spawner::spawn) one by one, each with a handle of its own, and
    /// share the run's slots, keys, retries and limits.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    ///
    /// ```
    /// use raudal_pool::Pool;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = Pool::builder().jobs(2).build()?;
    /// let spawner = pool.spawner(|_cx, n: u32| async move { Ok::<_, std::io::Error>(n * n) });
    /// let (three, four) = (spawner.spawn(3), spawner.spawn(4));
    /// assert_eq!(three.await.unwrap() + four.await.unwrap(), 25);
    /// assert_eq!(spawner.finish().await.succeeded, 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn spawner<T, F, Fut>(&self, job: F) -> Spawner<I, T, E>
    where
        T: Send + 'static,
        F: Fn(Context, I) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        let (inputs, mut given) = mpsc::unbounded_channel();
        let cancel = self.0.cancel.child_token();
        let tokens = (cancel.clone(), self.0.drain.child_token());
        let given = stream::poll_fn(move |cx| given.poll_recv(cx));
        // Each result goes to its handle.
        let results = mpsc::unbounded_channel().0;
        let engine = Engine::new(Arc::clone(&self.0), job, given, results, Arc::new(Room::new(u64::MAX)), tokens);
        let driver = tokio::spawn(drive(Arc::new(engine)));
        Spawner { inputs, cancel, driver }
    }

    /// Begins a single job with the pool's retries and limits of time, and returns its [`Handle`]. It is a run of one, so
    /// it waits for no slot: jobs that are to share slots are given to one [`spawner`](Self::spawner).
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    ///
    /// ```
    /// use raudal_pool::{Backoff, Pool, Retry};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = Pool::builder().retry(Retry::new(Backoff::default())).build()?;
    /// let handle = pool.spawn("greeting", |cx, name| async move {
    ///     if cx.attempt() < 3 { Err(format!("not yet: {name}")) } else { Ok(name.len()) }
    /// });
    /// assert_eq!(handle.await, Ok(8));
    /// # Ok(())
    /// # }
    /// ```
    pub fn spawn<T, F, Fut>(&self, input: I, job: F) -> Handle<T, E>
    where
        T: Send + 'static,
        F: Fn(Context, I) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        self.spawner(job).spawn(input)
    }
}
