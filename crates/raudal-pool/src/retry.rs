//! When a job is tried again, and after how long. A policy is a value; the sleeping is done by the run.

use backon::{BackoffBuilder, ExponentialBuilder};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How long to wait before each further attempt: an exponential backoff that ends.
///
/// The wait before attempt *n* + 1 is drawn evenly from 0 to min(`max`, `first` · `factor`ⁿ⁻¹): *full jitter*, which
/// spreads clients that failed together best (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog,
/// 2015).
///
/// ```
/// use raudal_pool::Backoff;
/// use std::time::Duration;
///
/// let delays: Vec<Duration> = Backoff::default().retries(4).jitter(false).delays().collect();
/// assert_eq!(delays, [500, 1000, 2000, 4000].map(Duration::from_millis));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Backoff {
    /// The upper bound of the first wait. Default: 0.5 s.
    pub first: Duration,
    /// What the bound grows by each time. Default: 2.
    pub factor: f32,
    /// The bound grows no further than this. Default: 30 s.
    pub max: Duration,
    /// How many further attempts there are. Default: 3.
    pub retries: usize,
    /// Whether the wait is drawn from zero to its bound, or is the bound itself. Default: drawn.
    pub jitter: bool,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_millis(500), factor: 2.0, max: Duration::from_secs(30), retries: 3, jitter: true }
    }
}

impl Backoff {
    /// The default with this many further attempts.
    #[must_use]
    pub fn retries(mut self, retries: usize) -> Self {
        self.retries = retries;
        self
    }

    /// With this bound on the first wait.
    #[must_use]
    pub fn first(mut self, first: Duration) -> Self {
        self.first = first;
        self
    }

    /// With or without jitter.
    #[must_use]
    pub fn jitter(mut self, jitter: bool) -> Self {
        self.jitter = jitter;
        self
    }

    /// The waits, one for each further attempt.
    pub fn delays(self) -> impl Iterator<Item = Duration> + Send + use<> {
        // backon's own jitter adds to the delay; full jitter draws from below it.
        ExponentialBuilder::new()
            .with_min_delay(self.first)
            .with_factor(self.factor.max(1.0))
            .with_max_delay(self.max.max(self.first))
            .with_max_times(self.retries)
            .build()
            .map(move |bound| if self.jitter { bound.mul_f64(fastrand::f64()) } else { bound })
    }
}

type Delays = Box<dyn Iterator<Item = Duration> + Send>;
type Predicate<E> = Arc<dyn Fn(&E) -> bool + Send + Sync>;
type Pause<E> = Arc<dyn Fn(&E) -> Option<Duration> + Send + Sync>;
type Adjust<E> = Arc<dyn Fn(&E, Duration) -> Option<Duration> + Send + Sync>;

/// Which failures are tried again, and when.
///
/// An attempt that ran out of time is tried again as well; a panic never is.
///
/// ```
/// use raudal_pool::{Backoff, Retry};
/// use std::time::Duration;
///
/// let retry = Retry::new(Backoff::default())
///     .when(|error: &std::io::Error| error.kind() != std::io::ErrorKind::NotFound)
///     .pause_key(|error| (error.kind() == std::io::ErrorKind::ResourceBusy).then(|| Duration::from_secs(5)))
///     .max_elapsed(Duration::from_secs(300));
/// # let _ = retry;
/// ```
pub struct Retry<E> {
    delays: Arc<dyn Fn() -> Delays + Send + Sync>,
    when: Predicate<E>,
    adjust: Adjust<E>,
    pause: Pause<E>,
    max_elapsed: Option<Duration>,
    reset_on_progress: bool,
}

impl<E> Clone for Retry<E> {
    fn clone(&self) -> Self {
        Self {
            delays: Arc::clone(&self.delays),
            when: Arc::clone(&self.when),
            adjust: Arc::clone(&self.adjust),
            pause: Arc::clone(&self.pause),
            max_elapsed: self.max_elapsed,
            reset_on_progress: self.reset_on_progress,
        }
    }
}

impl<E> fmt::Debug for Retry<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Retry")
            .field("max_elapsed", &self.max_elapsed)
            .field("reset_on_progress", &self.reset_on_progress)
            .finish_non_exhaustive()
    }
}

/// Tries nothing again.
impl<E> Default for Retry<E> {
    fn default() -> Self {
        Self::new(Backoff::default().retries(0))
    }
}

impl<E> Retry<E> {
    /// Tries every failure again after these waits.
    pub fn new(backoff: Backoff) -> Self {
        Self::with_delays(move || backoff.delays())
    }

    /// Tries every failure again after the waits of an iterator, a new one for each job: any backoff that one can
    /// write down. Where it ends, the job fails; an endless one needs [`max_elapsed`](Self::max_elapsed) or
    /// [`Builder::deadline`](super::Builder::deadline).
    ///
    /// ```
    /// use raudal_pool::Retry;
    /// use std::time::Duration;
    ///
    /// // At once, then after 1, 1, 2, 3, 5, 8 s.
    /// let fibonacci = Retry::<String>::with_delays(|| {
    ///     std::iter::successors(Some((0, 1)), |(a, b)| Some((*b, a + b))).map(|(a, _)| Duration::from_secs(a)).take(7)
    /// });
    /// # let _ = fibonacci;
    /// ```
    pub fn with_delays<D>(delays: impl Fn() -> D + Send + Sync + 'static) -> Self
    where
        D: IntoIterator<Item = Duration>,
        D::IntoIter: Send + 'static,
    {
        Self {
            delays: Arc::new(move || Box::new(delays().into_iter())),
            when: Arc::new(|_| true),
            adjust: Arc::new(|_, wait| Some(wait)),
            pause: Arc::new(|_| None),
            max_elapsed: None,
            reset_on_progress: false,
        }
    }

    /// Tries only these failures again.
    #[must_use]
    pub fn when(mut self, when: impl Fn(&E) -> bool + Send + Sync + 'static) -> Self {
        self.when = Arc::new(when);
        self
    }

    /// Lets the error change the wait that the backoff proposes; `None` gives up.
    #[must_use]
    pub fn adjust(mut self, adjust: impl Fn(&E, Duration) -> Option<Duration> + Send + Sync + 'static) -> Self {
        self.adjust = Arc::new(adjust);
        self
    }

    /// Lets the error hold back *all* jobs of the same key for a while: a server that says 429 to one request means
    /// the client, not the URL (RFC 6585, section 4; RFC 9110, section 10.2.3). The failed job waits at least as long.
    #[must_use]
    pub fn pause_key(mut self, pause: impl Fn(&E) -> Option<Duration> + Send + Sync + 'static) -> Self {
        self.pause = Arc::new(pause);
        self
    }

    /// Begins no further attempt later than this after the first one began.
    #[must_use]
    pub fn max_elapsed(mut self, max: Duration) -> Self {
        self.max_elapsed = Some(max);
        self
    }

    /// Begins the waits anew after an attempt that got further ([`Context::advance`](super::Context::advance)) than any
    /// before it: a transfer that is cut again and again and resumes each time is not one that never works. An attempt
    /// that goes on where another stopped advances by what it was left with first. Default: no.
    ///
    /// ```
    /// use raudal_pool::{Backoff, Pool, Retry};
    /// use std::sync::atomic::{AtomicU64, Ordering};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// static GOT: AtomicU64 = AtomicU64::new(0);
    /// let retry = Retry::new(Backoff::default().retries(1)).reset_on_progress(true);
    /// let pool = Pool::builder().retry(retry).build()?;
    /// let results = pool
    ///     .map(["a file of 10 bytes"], |cx, _| async move {
    ///         let got = GOT.fetch_add(1, Ordering::Relaxed) + 1;
    ///         cx.advance(got, 0);
    ///         if got < 10 { Err("cut") } else { Ok(cx.attempt()) }
    ///     })
    ///     .await;
    /// assert_eq!(results, [Ok(10)]);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn reset_on_progress(mut self, reset: bool) -> Self {
        self.reset_on_progress = reset;
        self
    }

    /// Whether the waits begin anew after an attempt that got so far, where those before got as far as `furthest`.
    pub(super) fn resets(&self, got: (u64, u64), furthest: (u64, u64)) -> bool {
        self.reset_on_progress && (got.0 > furthest.0 || got.1 > furthest.1)
    }

    /// For how long the error asks to leave its key alone.
    pub(super) fn pause(&self, error: &E) -> Option<Duration> {
        (self.pause)(error)
    }

    /// The waits of one job.
    pub(super) fn delays(&self) -> Delays {
        (self.delays)()
    }

    /// The wait before the next attempt, or `None` to give up. `error` is `None` for an attempt that ran out of time.
    pub(super) fn next(
        &self,
        error: Option<&E>,
        delays: &mut dyn Iterator<Item = Duration>,
        elapsed: Duration,
    ) -> Option<Duration> {
        if !error.is_none_or(|error| (self.when)(error)) {
            return None;
        }
        let mut wait = delays.next()?;
        if let Some(error) = error {
            wait = (self.adjust)(error, wait)?.max(self.pause(error).unwrap_or_default());
        }
        self.max_elapsed.is_none_or(|max| elapsed + wait <= max).then_some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_drawn_from_below_its_bound_and_the_bound_stops_growing() {
        for _ in 0..100 {
            let bounds = Backoff { retries: 10, ..Backoff::default() };
            let plain: Vec<Duration> = bounds.jitter(false).delays().collect();
            let drawn: Vec<Duration> = bounds.delays().collect();
            assert_eq!((plain.len(), drawn.len()), (10, 10));
            assert_eq!(plain[9], Duration::from_secs(30));
            assert!(drawn.iter().zip(&plain).all(|(drawn, bound)| drawn <= bound));
        }
    }

    #[test]
    fn the_policy_gives_up_by_predicate_by_count_by_adjustment_and_by_time() {
        let retry = Retry::new(Backoff::default().jitter(false).retries(2))
            .when(|e: &u32| *e != 404)
            .adjust(|e, wait| (*e != 410).then_some(wait))
            .pause_key(|e| (*e == 429).then(|| Duration::from_secs(9)))
            .max_elapsed(Duration::from_secs(60));
        let next = |e: u32, elapsed| retry.next(Some(&e), &mut *retry.delays(), Duration::from_secs(elapsed));
        assert_eq!(next(500, 0), Some(Duration::from_millis(500)));
        assert_eq!(next(404, 0), None);
        assert_eq!(next(410, 0), None);
        assert_eq!(next(429, 0), Some(Duration::from_secs(9)));
        assert_eq!(next(429, 52), None);
        let mut delays = retry.delays();
        assert!(retry.next(None, &mut *delays, Duration::ZERO).is_some(), "a time-out is tried again");
        assert!(retry.next(Some(&500), &mut *delays, Duration::ZERO).is_some());
        assert!(retry.next(Some(&500), &mut *delays, Duration::ZERO).is_none(), "two retries, not three");
    }
}
