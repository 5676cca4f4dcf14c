//! The policies of a run, one setter each.

use crate::event::Observer;
use crate::limit::Pressure;
use crate::policy::Policy;
use crate::pool::Pool;
use crate::retry::Retry;
use std::fmt::{self, Display};
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A run that is about to start: what to run, and how. Nothing runs before it is started or awaited.
///
/// | begun with | then | gives |
/// |---|---|---|
/// | [`Pool::run`], [`run_stream`](Pool::run_stream), [`run_blocking`](Pool::run_blocking) | `.start()` | a [`Run`](crate::Run): a stream of results |
/// | [`Pool::map`], [`map_blocking`](Pool::map_blocking) | `.await` | `Vec<Result<T, JobError<E>>>` in input order |
/// | [`Pool::try_map`] | `.await` | `Result<Vec<T>, MapError<I, E>>` |
/// | [`Pool::for_each`] | `.await` | a [`RunReport`](crate::RunReport) |
/// | [`Pool::run_one`] | `.await`, or `.start()` | `Result<T, JobError<E>>`, or a [`Handle`](crate::Handle) of it |
/// | [`Pool::spawner`] | `.start()` | a [`Spawner`](crate::Spawner) for single jobs |
/// | [`Pool::local`] | `.map().await`, `.start()`, … | the same in the task of the caller: jobs may borrow |
///
/// The type parameters are inferred: the source of the inputs, the job, its input, its value, its error, and the form
/// of the results.
#[must_use = "a run does nothing until it is started or awaited"]
pub struct RunBuilder<'p, S, F, I, T, E, O> {
    pub(super) pool: Pool,
    pub(super) inputs: S,
    pub(super) job: F,
    pub(super) policy: Policy<'p, I, E>,
    pub(super) ordered: bool,
    pub(super) output: PhantomData<fn() -> (T, O)>,
}

impl<S, F, I, T, E, O> fmt::Debug for RunBuilder<'_, S, F, I, T, E, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunBuilder").field("pool", &self.pool).finish_non_exhaustive()
    }
}

impl<'p, S, F, I, T, E, O> RunBuilder<'p, S, F, I, T, E, O> {
    /// Gives each job a key: what it shares with other jobs, such as a host, a database or a disk. The pool may limit
    /// the [jobs](crate::PoolBuilder::per_key) and the [rate](crate::PoolBuilder::rate_per_key) of a key, and an error
    /// may [pause](Retry::pause_key) it. `None` is no key.
    ///
    /// ```
    /// use raudal_pool::Pool;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), raudal_pool::BuildError> {
    /// let pool = Pool::builder().jobs(32).per_key(4).build()?;
    /// let report = pool
    ///     .for_each(["https://a.example/1", "https://b.example/2"], |_cx, _url| async { Ok::<_, String>(()) })
    ///     .key(|url| url.split('/').nth(2).map(str::to_owned))
    ///     .await;
    /// assert_eq!(report.succeeded, 2);
    /// # Ok(())
    /// # }
    /// ```
    pub fn key<K: Into<Option<String>>>(mut self, key: impl Fn(&I) -> K + Send + Sync + 'p) -> Self {
        self.policy.key = Some(Box::new(move |input| key(input).into()));
        self
    }

    /// Names each job, for events and reports. Default: no name, only a number.
    pub fn label(mut self, label: impl Fn(&I) -> String + Send + Sync + 'p) -> Self {
        self.policy.label = Some(Box::new(label));
        self
    }

    /// Gives each job a priority. Of the waiting jobs that may start, one with the highest priority starts first.
    /// Default: 0.
    ///
    /// The pool knows only the jobs that have arrived, and a run pulls inputs as slots come free. So priorities matter
    /// for jobs that are [spawned](crate::Context::spawn), that wait for their key, or that share a pool with others.
    pub fn priority(mut self, priority: impl Fn(&I) -> i32 + Send + Sync + 'p) -> Self {
        self.policy.priority = Some(Box::new(priority));
        self
    }

    /// Sets how many slots each job takes, of the pool, of its run and of its key. A weight above a limit counts as
    /// the limit. A job that needs several slots waits until they are free; no later job of its run goes first.
    /// Default: 1.
    ///
    /// ```
    /// use raudal_pool::Pool;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// // Of 8 GB of memory, each job says how much it takes.
    /// let report = Pool::new(8).for_each([1, 7, 3, 5, 2], |_cx, _gb| async { Ok::<_, String>(()) }).weight(|gb| *gb).await;
    /// assert_eq!(report.succeeded, 5);
    /// # }
    /// ```
    pub fn weight(mut self, weight: impl Fn(&I) -> usize + Send + Sync + 'p) -> Self {
        self.policy.weight = Some(Box::new(weight));
        self
    }

    /// Limits how many jobs of this run are in flight, at least 1, within the limit of the pool. Default: the limit of
    /// the pool.
    pub fn limit(mut self, jobs: usize) -> Self {
        self.policy.limit = jobs.max(1);
        self
    }

    /// Limits how many inputs are pulled in addition to those in slots, until their results are taken. Default: three
    /// for each slot, at least 16 and at most 1024.
    pub fn buffer(mut self, jobs: usize) -> Self {
        self.policy.buffer = Some(jobs);
        self
    }

    /// Limits how many jobs may be held back (by their key, a rate or the wait for a retry) while the run looks for
    /// others that may start. Default: 4096. At this bound the run waits, and its observer is told which key
    /// is full: [`EventKind::HeldBack`](crate::EventKind::HeldBack).
    pub fn look_ahead(mut self, jobs: usize) -> Self {
        self.policy.look_ahead = jobs;
        self
    }

    /// Tells the observer the sizes of all jobs in bytes, exact or approximate, in the order of the inputs, so that it
    /// can say how long the rest will take. Default: they are not known.
    pub fn sizes(mut self, sizes: Vec<u64>) -> Self {
        self.policy.sizes = sizes;
        self
    }

    /// Retries failed jobs. Default: no retries. The run keeps each input for the next attempt, so inputs must be
    /// `Clone`.
    pub fn retry(mut self, retry: impl Into<Retry<E>>) -> Self
    where
        I: Clone,
    {
        self.policy.retry = retry.into();
        self.keep_inputs()
    }

    /// Keeps each input and returns it with the result.
    pub fn keep_inputs(mut self) -> Self
    where
        I: Clone,
    {
        self.policy.copy = Some(I::clone);
        self
    }

    /// Ends an attempt that takes longer. Default: no limit.
    ///
    /// The time of a blocking job starts with its closure. A blocking closure cannot be stopped from outside, so the
    /// job times out when the closure returns.
    pub fn attempt_timeout(mut self, limit: Duration) -> Self {
        self.policy.time_limits.attempt_timeout = Some(limit);
        self
    }

    /// Limits the time of a job from the start of its first attempt, with all attempts and the waits between them. If
    /// the wait for the next attempt would pass the deadline, the job fails at once, with the error of its last
    /// attempt. Default: no limit.
    ///
    /// ```
    /// use raudal_pool::{JobError, Pool};
    /// use std::time::Duration;
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let minute = Duration::from_secs(60);
    /// let results =
    ///     Pool::new(1).map([()], |_cx, ()| std::future::pending::<Result<(), String>>()).deadline(minute).await;
    /// assert_eq!(results, [Err(JobError::DeadlinePassed { deadline: minute, last: None })]);
    /// # }
    /// ```
    pub fn deadline(mut self, limit: Duration) -> Self {
        self.policy.time_limits.deadline = Some(limit);
        self
    }

    /// Gives each attempt this long between its cancellation and its drop: time to clean up after
    /// [`Attempt::cancelled`](crate::Attempt::cancelled). Default: none.
    ///
    /// If a cancelled attempt returns within its grace period, what it returns is its result.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.policy.time_limits.grace = grace;
        self
    }

    /// Cancels the run once this many jobs have failed for good, at least 1. Default: never.
    pub fn stop_after(mut self, failures: u64) -> Self {
        self.policy.stop_after = Some(failures.max(1));
        self
    }

    /// Cancels the run when the token is cancelled.
    pub fn cancel(mut self, token: CancellationToken) -> Self {
        self.policy.cancel.push(token);
        self
    }

    /// Drains the run when the token is cancelled: see [`Run::drain`](crate::Run::drain).
    pub fn drain(mut self, token: CancellationToken) -> Self {
        self.policy.drain.push(token);
        self
    }

    /// Sends the events of the run to an observer. Errors are written with their `Display`, unless
    /// [`describe`](Self::describe) is set.
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self
    where
        E: Display + 'p,
    {
        self.policy.observer = Some(observer);
        self.policy.describe.get_or_insert_with(|| Box::new(|error: &E| error.to_string()));
        self
    }

    /// Sets how an error is written in events and reports.
    pub fn describe(mut self, describe: impl Fn(&E) -> String + Send + Sync + 'p) -> Self {
        self.policy.describe = Some(Box::new(describe));
        self
    }

    /// Sets the kind of an error: one word to count failures by. Default: `failed`.
    ///
    /// ```
    /// use raudal_pool::Pool;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let report = Pool::new(8)
    ///     .for_each(0..10, |_cx, n| async move { if n % 2 == 0 { Ok(()) } else { Err("odd") } })
    ///     .failure_kind(|error| error)
    ///     .await;
    /// assert_eq!((report.succeeded, report.failures["odd"]), (5, 5));
    /// # }
    /// ```
    pub fn failure_kind(mut self, kind: impl Fn(&E) -> &'static str + Send + Sync + 'p) -> Self {
        self.policy.kind = Some(Box::new(kind));
        self
    }

    /// Sets what an error tells about the load on the other side. [Adaptive limits](crate::Limit::auto) shrink under
    /// pressure. Default: every failure that is retried counts as [`Pressure::Refused`].
    ///
    /// With this set, an attempt that timed out counts as [`Pressure::TimedOut`], and repeated time-outs also
    /// halve a fixed limit of a key, for as long as the pool lives.
    pub fn pressure(mut self, pressure: impl Fn(&E) -> Pressure + Send + Sync + 'p) -> Self {
        self.policy.pressure = Some(Box::new(pressure));
        self
    }
}
