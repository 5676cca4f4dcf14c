//! Single jobs: one alone, or many through a spawner.

use super::output;
use super::setters::RunBuilder;
use crate::context::Context;
use crate::engine::{Core, Engine, Reply, RunHandle, drive};
use crate::error::JobError;
use crate::pool::Pool;
use crate::spawner::{Handle, Spawner};
use futures_util::stream::{self, Empty};
use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::Arc;

/// The input of one job.
#[derive(Debug)]
pub struct One<I>(I);

impl Pool {
    /// Runs one job within the limits of the pool. Await it, or start it to get a [`Handle`].
    ///
    /// For request handlers that share a pool.
    ///
    /// ```
    /// use raudal_pool::{Backoff, Pool};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let pool = Pool::new(4);
    /// let greeting = pool
    ///     .run_one("world", |cx, name| async move {
    ///         if cx.attempt() < 3 { Err("not yet".to_owned()) } else { Ok(format!("hello {name}")) }
    ///     })
    ///     .retry(Backoff::default())
    ///     .await;
    /// assert_eq!(greeting.as_deref(), Ok("hello world"));
    /// # }
    /// ```
    pub fn run_one<I, T, E, F, Fut>(&self, input: I, job: F) -> RunBuilder<'static, One<I>, F, I, T, E, output::One>
    where
        F: Fn(Context<I>, I) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        self.builder_of(One(input), job)
    }

    /// Starts one job within the limits of the pool, without retries or time-outs, and returns its handle. Short for
    /// [`run_one`](Self::run_one) with `.start()`.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime.
    pub fn spawn<I, T, E, F, Fut>(&self, input: I, job: F) -> Handle<T, E>
    where
        I: Send + 'static,
        T: Send + 'static,
        E: Send + 'static,
        F: Fn(Context<I>, I) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        self.run_one(input, job).start()
    }

    /// Opens a run for single jobs: they are [spawned](Spawner::spawn) one by one, each with its own handle.
    ///
    /// ```
    /// use raudal_pool::Pool;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let spawner = Pool::new(2).spawner(|_cx, n: u32| async move { Ok::<_, String>(n * n) }).start();
    /// let (three, four) = (spawner.spawn(3).await, spawner.spawn(4).await);
    /// assert_eq!(three.await.unwrap() + four.await.unwrap(), 25);
    /// assert_eq!(spawner.join().await.succeeded, 2);
    /// # }
    /// ```
    pub fn spawner<I, T, E, F, Fut>(&self, job: F) -> RunBuilder<'static, Empty<I>, F, I, T, E, output::Handles>
    where
        F: Fn(Context<I>, I) -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        self.builder_of(stream::empty(), job)
    }
}

impl<F, I, T, E, Fut> RunBuilder<'static, Empty<I>, F, I, T, E, output::Handles>
where
    I: Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
    F: Fn(Context<I>, I) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
{
    /// Opens the run.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime.
    pub fn start(self) -> Spawner<I, T, E> {
        let core = Arc::new(Core::new(&self.pool, self.policy, false, true));
        let engine = Engine::new(Arc::clone(&core), self.job, self.inputs, Reply::Nobody);
        Spawner::new(core, tokio::spawn(drive(Arc::new(engine))))
    }
}

impl<F, I, T, E, Fut> RunBuilder<'static, One<I>, F, I, T, E, output::One>
where
    I: Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
    F: Fn(Context<I>, I) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
{
    /// Starts the job.
    ///
    /// # Panics
    ///
    /// Panics outside of a tokio runtime.
    pub fn start(self) -> Handle<T, E> {
        let core = Arc::new(Core::new(&self.pool, self.policy, false, true));
        let engine = Engine::new(Arc::clone(&core), self.job, stream::empty(), Reply::Nobody);
        let (handle_sender, handle) = Handle::pair(None);
        // The run is new, so its inbox is open.
        drop(core.add(self.inputs.0, handle_sender));
        core.inbox.close();
        tokio::spawn(drive(Arc::new(engine)));
        handle.of(core as Arc<dyn RunHandle>)
    }
}

impl<F, I, T, E, Fut> IntoFuture for RunBuilder<'static, One<I>, F, I, T, E, output::One>
where
    I: Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
    F: Fn(Context<I>, I) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
{
    type Output = Result<T, JobError<E>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.start().await })
    }
}
