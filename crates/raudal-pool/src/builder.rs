//! The one builder: limits, keys, rates, retries, time-outs, cancellation, observation.

use super::error::BuildError;
use super::event::{NoObserver, Observer};
use super::rate::Rates;
use super::retry::Retry;
use super::settings::Settings;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Builds a [`Pool`]. Begin with [`Pool::builder`].
pub struct Builder<I, E> {
    settings: Settings<I, E>,
    buffer: Option<usize>,
    rate: Option<f64>,
    rate_per_key: Option<f64>,
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
        self.key(key)
    }

    /// What jobs may share without a limit on how many are in flight: the key of [`rate_per_key`](Self::rate_per_key)
    /// and of [`Retry::pause_key`].
    #[must_use]
    pub fn key(mut self, key: impl Fn(&I) -> Option<String> + Send + Sync + 'static) -> Self {
        self.settings.key = Some(Box::new(key));
        self
    }

    /// Lets at most so many attempts begin a second, from 0.000001 to 1,000,000. Default: no limit.
    ///
    /// In any stretch of *t* seconds at most `per_second` · *t* + *b* begin, where the burst *b* is what comes due in
    /// 50 ms, at least 1: below 20 a second attempts are evenly spaced. Retries count. A job that waits for the rate
    /// holds no slot. All runs of the pool share the rate: a second run has no second burst.
    ///
    /// ```
    /// use raudal_pool::Pool;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = Pool::builder().rate(5.0).build()?;
    /// let report = pool.for_each(0..11, |_cx, _| async { Ok::<_, std::io::Error>(()) }).await;
    /// assert_eq!(report.wall, Duration::from_secs(2), "the first at once, the others 200 ms apart");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn rate(mut self, per_second: f64) -> Self {
        self.rate = Some(per_second);
        self
    }

    /// Lets at most so many attempts of each [key](Self::key) begin a second, with the burst of [`rate`](Self::rate).
    /// A key that waits for its rate holds back no other.
    ///
    /// ```
    /// use raudal_pool::Pool;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = Pool::builder().key(|host: &&str| Some((*host).to_owned())).rate_per_key(1.0).build()?;
    /// let hosts = ["a.example", "a.example", "a.example", "b.example"];
    /// let report = pool.for_each(hosts, |_cx, _| async { Ok::<_, std::io::Error>(()) }).await;
    /// assert_eq!(report.wall, Duration::from_secs(2));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn rate_per_key(mut self, per_second: f64) -> Self {
        self.rate_per_key = Some(per_second);
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

    /// Ends a job that is not done so long after its first attempt began: all attempts, and all waits between them,
    /// count. No further attempt begins later; where the wait for it would pass the deadline, the job fails at once,
    /// with the error of its last attempt. Default: no limit.
    ///
    /// A job that is held back (by its key, the rate, or for want of a slot) between two attempts learns when its turn
    /// comes that its deadline has passed.
    ///
    /// ```
    /// use raudal_pool::{JobError, Pool};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let minute = Duration::from_secs(60);
    /// let pool = Pool::builder().deadline(minute).build()?;
    /// let results = pool.map([()], |_cx, ()| std::future::pending::<Result<(), String>>()).await;
    /// assert_eq!(results, [Err(JobError::DeadlinePassed(minute))]);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn deadline(mut self, limit: Duration) -> Self {
        self.settings.deadline = Some(limit);
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

    /// Drains every run of this pool when it is cancelled: see [`Run::drain`](super::Run::drain).
    ///
    /// ```
    /// use raudal_pool::Pool;
    /// use tokio_util::sync::CancellationToken;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (soon, now) = (CancellationToken::new(), CancellationToken::new());
    /// let pool = Pool::builder().jobs(2).drain(soon.clone()).cancel(now).build()?;
    /// // As if the first Ctrl-C came while the first two jobs run; the second one would be `now.cancel()`.
    /// let report = pool
    ///     .for_each(0.., move |_cx, _: u64| {
    ///         soon.cancel();
    ///         async { Ok::<_, std::io::Error>(tokio::time::sleep(std::time::Duration::from_secs(1)).await) }
    ///     })
    ///     .await;
    /// assert!(report.stopped);
    /// assert!(report.succeeded >= 1 && report.failed == 0);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn drain(mut self, token: CancellationToken) -> Self {
        self.settings.drain = token;
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
    /// A usage error if a limit or a rate is 0, if a rate is not a number that can be paced, or if there is a rate for
    /// each key and no [key](Self::key): nothing could ever run, or not as was asked.
    ///
    /// ```
    /// use raudal_pool::Pool;
    ///
    /// assert!(Pool::<u32, std::io::Error>::builder().jobs(0).build().is_err());
    /// ```
    pub fn build(mut self) -> Result<Pool<I, E>, BuildError> {
        let zero = |what: &str| BuildError::new(format!("{what} must be at least 1: 0"));
        if self.settings.jobs == 0 {
            return Err(zero("the number of jobs"));
        }
        if self.settings.per_key == 0 {
            return Err(zero("the number of jobs for one key"));
        }
        if self.settings.stop_after == Some(0) {
            return Err(zero("the number of failures to stop after"));
        }
        if self.rate_per_key.is_some() && self.settings.key.is_none() {
            return Err(BuildError::new("a rate for each key needs a key"));
        }
        self.settings.rates = Rates::new(self.rate, self.rate_per_key)?;
        self.settings.buffer = self.buffer.unwrap_or_else(|| self.settings.jobs.saturating_mul(3).clamp(16, 1024));
        Ok(Pool(Arc::new(self.settings)))
    }
}

/// Runs async jobs, bounded, retried, timed, cancellable, observed.
///
/// A pool holds limits and policies, not tasks; each run has tasks of its own and ends with all of them ended.
///
/// Slots are a run's: two runs of one pool side by side have twice the jobs in flight, and a job may start a run of its
/// own pool without ever waiting for itself. Single jobs that are to share slots are given to one
/// [`Spawner`](super::Spawner). The [rate](Builder::rate) is the pool's: it protects the other side.
pub struct Pool<I, E>(pub(super) Arc<Settings<I, E>>);

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
                rates: Rates::default(),
                retry: Retry::default(),
                attempt_timeout: None,
                deadline: None,
                stop_after: None,
                observer: Arc::new(NoObserver),
                cancel: CancellationToken::new(),
                drain: CancellationToken::new(),
                describe: None,
                kind: None,
                buffer: 0,
            },
            buffer: None,
            rate: None,
            rate_per_key: None,
        }
    }
}
