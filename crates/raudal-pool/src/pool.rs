//! The pool: limits that all of its runs share.

use crate::error::BuildError;
use crate::limit::{Learned, Limit};
use crate::rate::Rates;
use crate::scheduler::{Bounds, Grant, Scheduler};
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Runs async jobs within limits that hold for all of its runs together. Cheap to clone.
///
/// A pool holds limits, not tasks: each run has its own tasks, and all of them have ended when the run is over. Policies
/// such as retries and time-outs are set on the run: see [`RunBuilder`](crate::RunBuilder).
///
/// A job may start a run of its own pool and wait for it. While it waits in its own task, one job of that run uses its
/// slot, so a pool never waits for itself. If the wait ends first, for example by a time-out, that job keeps the slot
/// until it ends.
///
/// ```
/// use raudal_pool::Pool;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// let pool = Pool::new(4);
/// let (squares, lengths) = tokio::join!(
///     pool.map(0..10_u64, |_cx, n| async move { Ok::<_, String>(n * n) }),
///     pool.map(["a", "bc"], |_cx, text| async move { Ok::<_, String>(text.len()) }),
/// );
/// assert_eq!((squares[9].as_ref(), lengths[1].as_ref()), (Ok(&81), Ok(&2)));
/// # }
/// ```
#[derive(Clone)]
pub struct Pool {
    pub(crate) shared: Arc<PoolShared>,
}

pub(crate) struct PoolShared {
    scheduler: Mutex<Scheduler>,
    /// The last value of [`Scheduler::keep_limit`], to read without the lock.
    keep_limit: AtomicUsize,
    /// Each token in `cancel` cancels every run, and each one in `drain` drains it.
    pub(crate) cancel: Vec<CancellationToken>,
    pub(crate) drain: Vec<CancellationToken>,
    /// Notified when a slot comes free that no job takes.
    pub(crate) freed: Notify,
    /// Returns true to keep limits from growing.
    pub(crate) hold: Option<Box<dyn Fn() -> bool + Send + Sync>>,
}

impl PoolShared {
    /// Returns how many jobs of a run may be in flight, if a worker of it may keep this slot for the next input.
    /// Otherwise `None`.
    pub(crate) fn keeps(&self, grant: &Grant) -> Option<usize> {
        Some(self.keep_limit.load(SeqCst)).filter(|limit| *limit > 0 && grant.is_plain())
    }

    /// Locks the scheduler for `use_it`, which must not run user code. Then wakes the runs that can go on.
    pub(crate) fn with<R>(&self, use_it: impl FnOnce(&mut Scheduler) -> R) -> R {
        let mut scheduler = self.scheduler.lock().unwrap_or_else(PoisonError::into_inner);
        let result = use_it(&mut scheduler);
        let wakers = scheduler.take_wakers();
        self.keep_limit.store(scheduler.keep_limit(), SeqCst);
        drop(scheduler);
        for waker in wakers {
            waker.wake();
        }
        result
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("limit", &self.limit())
            .field("in_flight", &self.in_flight())
            .finish_non_exhaustive()
    }
}

impl Pool {
    /// Creates a pool in which at most this many jobs are in flight.
    ///
    /// # Panics
    ///
    /// Panics if `jobs` is 0, because nothing could ever run.
    pub fn new(jobs: usize) -> Self {
        match Self::builder().jobs(jobs).build() {
            Ok(pool) => pool,
            Err(error) => panic!("{error}"),
        }
    }

    /// Returns a builder with the defaults: 8 jobs, no limit for a key, no rate.
    pub fn builder() -> PoolBuilder {
        PoolBuilder {
            jobs: Limit::Fixed(8),
            per_key: Limit::Fixed(usize::MAX),
            rate: None,
            rate_per_key: None,
            cancel: Vec::new(),
            drain: Vec::new(),
            hold: None,
            known: HashMap::new(),
        }
    }

    /// Returns how many jobs may be in flight now.
    pub fn limit(&self) -> usize {
        self.shared.with(|scheduler| scheduler.limit())
    }

    /// Changes how many jobs may be in flight, at least 1. Running jobs beyond that finish.
    pub fn set_limit(&self, jobs: usize) {
        self.shared.with(|scheduler| {
            scheduler.set_limit(jobs);
            scheduler.dispatch(None);
        });
    }

    /// Changes how many jobs of a key may be in flight, at least 1. Running jobs beyond that finish.
    pub fn set_key_limit(&self, key: &str, jobs: usize) {
        self.shared.with(|scheduler| {
            scheduler.set_key_limit(key, jobs);
            scheduler.dispatch(None);
        });
    }

    /// Returns what the adaptive limits of keys have learned, for a later pool: see [`PoolBuilder::known`]. Keys whose limit
    /// is still the first one have learned nothing.
    pub fn learned(&self) -> Vec<(String, Learned)> {
        self.shared.with(Scheduler::learned)
    }

    /// Returns how many jobs are in flight, in all runs.
    pub fn in_flight(&self) -> usize {
        self.shared.with(|scheduler| scheduler.running())
    }

    /// Returns how many jobs wait, in all runs: for a slot, for their key, for a rate or for their next attempt.
    pub fn waiting(&self) -> usize {
        self.shared.with(|scheduler| scheduler.waiting())
    }
}

/// Builds a [`Pool`]. Begin with [`Pool::builder`].
pub struct PoolBuilder {
    jobs: Limit,
    per_key: Limit,
    rate: Option<f64>,
    rate_per_key: Option<f64>,
    cancel: Vec<CancellationToken>,
    drain: Vec<CancellationToken>,
    hold: Option<Box<dyn Fn() -> bool + Send + Sync>>,
    known: HashMap<String, Learned>,
}

impl fmt::Debug for PoolBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PoolBuilder").field("jobs", &self.jobs).field("per_key", &self.per_key).finish_non_exhaustive()
    }
}

impl PoolBuilder {
    /// Limits how many jobs are in flight, in all runs together: a number, or [`Limit::auto`]. Default: 8.
    #[must_use]
    pub fn jobs(mut self, jobs: impl Into<Limit>) -> Self {
        self.jobs = jobs.into();
        self
    }

    /// Limits how many jobs of one [key](crate::RunBuilder::key) are in flight, in all runs together: a host, a
    /// database, a disk. Jobs without a key have only the limit of the pool. Default: no limit.
    #[must_use]
    pub fn per_key(mut self, limit: impl Into<Limit>) -> Self {
        self.per_key = limit.into();
        self
    }

    /// Limits how many attempts start per second, from 0.000001 to 1,000,000. Default: no limit.
    ///
    /// In any *t* seconds, at most `per_second` · *t* + *b* attempts start. The burst *b* is the number that comes
    /// due in 50 ms, at least 1. So below 20 per second, attempts are evenly spaced. Retries count. A job that waits
    /// for the rate holds no slot. All runs of the pool share the rate.
    ///
    /// ```
    /// use raudal_pool::Pool;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), raudal_pool::BuildError> {
    /// let pool = Pool::builder().rate(5.0).build()?;
    /// let report = pool.for_each(0..11, |_cx, _| async { Ok::<_, String>(()) }).await;
    /// assert_eq!(report.wall, Duration::from_secs(2), "the first at once, the others 200 ms apart");
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "rate")]
    #[must_use]
    pub fn rate(mut self, per_second: f64) -> Self {
        self.rate = Some(per_second);
        self
    }

    /// Limits how many attempts of each [key](crate::RunBuilder::key) start per second, with the burst of
    /// [`rate`](Self::rate). A key that waits for its rate holds back no other key.
    ///
    /// ```
    /// use raudal_pool::Pool;
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), raudal_pool::BuildError> {
    /// let pool = Pool::builder().rate_per_key(1.0).build()?;
    /// let hosts = ["a.example", "a.example", "a.example", "b.example"];
    /// let report = pool.for_each(hosts, |_cx, _| async { Ok::<_, String>(()) }).key(|host| host.to_string()).await;
    /// assert_eq!(report.wall, Duration::from_secs(2));
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "rate")]
    #[must_use]
    pub fn rate_per_key(mut self, per_second: f64) -> Self {
        self.rate_per_key = Some(per_second);
        self
    }

    /// Cancels every run of the pool when the token is cancelled.
    #[must_use]
    pub fn cancel(mut self, token: CancellationToken) -> Self {
        self.cancel.push(token);
        self
    }

    /// Drains every run of the pool when the token is cancelled: see [`Run::drain`](crate::Run::drain).
    ///
    /// ```
    /// use raudal_pool::Pool;
    /// use std::time::Duration;
    /// use tokio_util::sync::CancellationToken;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), raudal_pool::BuildError> {
    /// let (soon, now) = (CancellationToken::new(), CancellationToken::new());
    /// let pool = Pool::builder().jobs(2).drain(soon.clone()).cancel(now).build()?;
    /// // As if the first Ctrl-C came while the first two jobs run; the second one would be `now.cancel()`.
    /// let report = pool
    ///     .for_each(0.., move |_cx, _: u64| {
    ///         soon.cancel();
    ///         async { Ok::<_, String>(tokio::time::sleep(Duration::from_secs(1)).await) }
    ///     })
    ///     .await;
    /// assert!(report.stopped);
    /// assert!(report.succeeded >= 1 && report.failed == 0);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn drain(mut self, token: CancellationToken) -> Self {
        self.drain.push(token);
        self
    }

    /// Keeps adaptive limits from growing while this returns true: for example while the consumer is behind.
    #[must_use]
    pub fn hold_growth_while(mut self, hold: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        self.hold = Some(Box::new(hold));
        self
    }

    /// Gives the adaptive limits of keys what earlier runs have [learned](Pool::learned). The limits begin there, and
    /// adapt as usual.
    ///
    /// ```
    /// use raudal_pool::{Learned, Limit, Pool};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), raudal_pool::BuildError> {
    /// let known = [("a.example".to_owned(), Learned::new(20, None))];
    /// let pool = Pool::builder().jobs(64).per_key(Limit::auto(64)).known(known).build()?;
    /// let second = std::time::Duration::from_secs(1);
    /// let report = pool
    ///     .for_each(0..64, move |_cx, _| async move { Ok::<_, String>(tokio::time::sleep(second).await) })
    ///     .key(|_| "a.example".to_owned())
    ///     .await;
    /// assert!(report.peak_in_flight >= 20);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn known(mut self, known: impl IntoIterator<Item = (String, Learned)>) -> Self {
        self.known.extend(known);
        self
    }

    /// Builds the pool.
    ///
    /// # Errors
    ///
    /// Fails if a limit or a rate is 0, because nothing could ever run, or if a rate is out of range.
    pub fn build(self) -> Result<Pool, BuildError> {
        if self.jobs.most() == 0 {
            return Err(BuildError::zero("the number of jobs"));
        }
        if self.per_key.most() == 0 {
            return Err(BuildError::zero("the number of jobs for one key"));
        }
        let bounds = Bounds {
            jobs: self.jobs.first(),
            per_key: self.per_key.first(),
            adaptive: (self.jobs.adaptive(), self.per_key.adaptive()),
            rates: Rates::new(self.rate, self.rate_per_key)?,
            known: self.known,
        };
        let shared = PoolShared {
            scheduler: Mutex::new(Scheduler::new(bounds)),
            keep_limit: AtomicUsize::new(0),
            cancel: self.cancel,
            drain: self.drain,
            freed: Notify::new(),
            hold: self.hold,
        };
        Ok(Pool { shared: Arc::new(shared) })
    }
}
