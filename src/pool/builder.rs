//! The one builder: limits, keys, retries, time-outs, cancellation, observation.

use super::context::Context;
use super::driver::Driver;
use super::error::JobError;
use super::event::{NoObserver, Observer};
use super::retry::Retry;
use super::run::{Completed, Run};
use crate::{Error, Result};
use futures::{Stream, StreamExt, stream};
use std::fmt::{self, Display};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

type Of<I, R> = Box<dyn Fn(&I) -> R + Send + Sync>;

/// What a pool was built with.
pub(super) struct Settings<I, E> {
    pub(super) jobs: usize,
    pub(super) per_key: usize,
    pub(super) key: Option<Of<I, Option<String>>>,
    pub(super) label: Option<Of<I, String>>,
    pub(super) retry: Retry<E>,
    pub(super) attempt_timeout: Option<Duration>,
    pub(super) stop_after: Option<u64>,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) cancel: CancellationToken,
    describe: Option<Of<E, String>>,
    kind: Option<Of<E, &'static str>>,
    buffer: usize,
}

impl<I, E: Display> Settings<I, E> {
    /// What went wrong, on one line.
    pub(super) fn describe(&self, error: &JobError<E>) -> String {
        match (&self.describe, error) {
            (Some(describe), JobError::Failed(error)) => describe(error),
            _ => error.to_string(),
        }
    }

    /// The kind of a failure, as one word.
    pub(super) fn kind_of(&self, error: &JobError<E>) -> &'static str {
        match (error, &self.kind) {
            (JobError::Failed(error), Some(kind)) => kind(error),
            (JobError::Failed(_), None) => "failed",
            (JobError::TimedOut(_), _) => "timeout",
            (JobError::Panicked(_), _) => "panic",
            (JobError::Cancelled, _) => "cancelled",
        }
    }
}

/// Builds a [`Pool`]. Begin with [`Pool::builder`].
pub struct Builder<I, E> {
    settings: Settings<I, E>,
    buffer: Option<usize>,
}

impl<I, E> fmt::Debug for Builder<I, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder").field("jobs", &self.settings.jobs).finish_non_exhaustive()
    }
}

impl<I, E> Builder<I, E> {
    /// At most this many jobs in flight. Default: 8.
    #[must_use]
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.settings.jobs = jobs;
        self
    }

    /// At most this many in flight of those that share a key: a host, a database, a disk. Inputs without a key know
    /// only the limit of the whole pool.
    #[must_use]
    pub fn per_key(mut self, limit: usize, key: impl Fn(&I) -> Option<String> + Send + Sync + 'static) -> Self {
        self.settings.per_key = limit;
        self.settings.key = Some(Box::new(key));
        self
    }

    /// What to call a job in events and reports. Default: nothing, the number must do.
    #[must_use]
    pub fn label(mut self, label: impl Fn(&I) -> String + Send + Sync + 'static) -> Self {
        self.settings.label = Some(Box::new(label));
        self
    }

    /// Which failures are tried again, and when. Default: none.
    #[must_use]
    pub fn retry(mut self, retry: Retry<E>) -> Self {
        self.settings.retry = retry;
        self
    }

    /// Ends an attempt that takes longer. Default: no limit.
    #[must_use]
    pub fn attempt_timeout(mut self, limit: Duration) -> Self {
        self.settings.attempt_timeout = Some(limit);
        self
    }

    /// Cancels the run once this many jobs have failed for good; 1 stops at the first. Default: never.
    #[must_use]
    pub fn stop_after(mut self, failures: u64) -> Self {
        self.settings.stop_after = Some(failures);
        self
    }

    /// Cancels every run of this pool when it is cancelled.
    #[must_use]
    pub fn cancel(mut self, token: CancellationToken) -> Self {
        self.settings.cancel = token;
        self
    }

    /// Who watches. Default: nobody.
    #[must_use]
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.settings.observer = observer;
        self
    }

    /// How an error is written in events and reports. Default: its `Display`.
    #[must_use]
    pub fn describe(mut self, describe: impl Fn(&E) -> String + Send + Sync + 'static) -> Self {
        self.settings.describe = Some(Box::new(describe));
        self
    }

    /// The kind of an error, as one word to count failures by. Default: `failed`.
    #[must_use]
    pub fn failure_kind(mut self, kind: impl Fn(&E) -> &'static str + Send + Sync + 'static) -> Self {
        self.settings.kind = Some(Box::new(kind));
        self
    }

    /// How many jobs may be pulled from the input, besides those that fill the pool, before their results are taken:
    /// waiting for their key or their retry, or done and not yet asked for. Default: three for each slot, at least 16
    /// and at most 1024.
    #[must_use]
    pub fn buffer(mut self, jobs: usize) -> Self {
        self.buffer = Some(jobs);
        self
    }

    /// The pool.
    ///
    /// # Errors
    ///
    /// A usage error if a limit is 0: nothing could ever run.
    ///
    /// ```
    /// use raudal::pool::Pool;
    ///
    /// assert!(Pool::<u32, raudal::Error>::builder().jobs(0).build().is_err());
    /// ```
    pub fn build(mut self) -> Result<Pool<I, E>> {
        let zero = |what: &str| Error::usage(format!("{what} must be at least 1: 0"));
        if self.settings.jobs == 0 {
            return Err(zero("the number of jobs"));
        }
        if self.settings.per_key == 0 {
            return Err(zero("the number of jobs for one key"));
        }
        if self.settings.stop_after == Some(0) {
            return Err(zero("the number of failures to stop after"));
        }
        self.settings.buffer = self.buffer.unwrap_or_else(|| self.settings.jobs.saturating_mul(3).clamp(16, 1024));
        Ok(Pool(Arc::new(self.settings)))
    }
}

/// Runs async jobs, bounded, retried, timed, cancellable, observed.
///
/// A pool holds limits and policies, not tasks; each run has tasks of its own and ends with all of them ended.
pub struct Pool<I, E>(Arc<Settings<I, E>>);

impl<I, E> Clone for Pool<I, E> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<I, E> fmt::Debug for Pool<I, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("jobs", &self.0.jobs)
            .field("per_key", &self.0.per_key)
            .field("retry", &self.0.retry)
            .finish_non_exhaustive()
    }
}

impl<I, E> Pool<I, E> {
    /// A builder with the defaults: 8 jobs, no keys, no retries, no limits of time.
    pub fn builder() -> Builder<I, E> {
        Builder {
            settings: Settings {
                jobs: 8,
                per_key: usize::MAX,
                key: None,
                label: None,
                retry: Retry::default(),
                attempt_timeout: None,
                stop_after: None,
                observer: Arc::new(NoObserver),
                cancel: CancellationToken::new(),
                describe: None,
                kind: None,
                buffer: 0,
            },
            buffer: None,
        }
    }
}

impl<I, E> Pool<I, E>
where
    I: Clone + Send + 'static,
    E: Display + Send + 'static,
{
    /// Starts a run: `job` is called for each input, as slots come free.
    ///
    /// The input is pulled lazily, so it may be endless. Jobs are tasks of the runtime: they go on while the results
    /// wait to be taken, as far as [`Builder::buffer`] allows.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    ///
    /// ```
    /// use raudal::pool::Pool;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> raudal::Result<()> {
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
        let room = Arc::new(Semaphore::new(self.0.jobs.saturating_add(self.0.buffer).min(Semaphore::MAX_PERMITS)));
        let cancel = self.0.cancel.child_token();
        let driver = Driver {
            settings: Arc::clone(&self.0),
            job: Arc::new(job),
            results,
            room: Arc::clone(&room),
            cancel: cancel.clone(),
        };
        Run::new(completed, room, cancel, tokio::spawn(driver.drive(inputs)))
    }

    /// Runs all jobs and returns their results in the order of the input.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    ///
    /// ```
    /// use raudal::pool::{JobError, Pool};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> raudal::Result<()> {
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
}
