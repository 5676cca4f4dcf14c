//! Which failures are retried, and when. A policy is a value; the run does the waiting.

use crate::backoff::Backoff;
use crate::error::JobError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub(crate) type Delays = Box<dyn Iterator<Item = Duration> + Send>;
type When<E> = Arc<dyn Fn(&JobError<E>) -> bool + Send + Sync>;
type Adjust<E> = Arc<dyn Fn(&JobError<E>, Duration) -> Option<Duration> + Send + Sync>;
type Pause<E> = Arc<dyn Fn(&E) -> Option<Duration> + Send + Sync>;

/// Which failures are retried, and when.
///
/// By default every error and every time-out of an attempt is retried. Panics, passed deadlines and cancellations never
/// are.
///
/// ```
/// use raudal_pool::{Backoff, JobError, Retry};
/// use std::io::{Error, ErrorKind};
/// use std::time::Duration;
///
/// let retry = Retry::new(Backoff::default())
///     .when(|error: &JobError<Error>| match error {
///         JobError::Failed(error) => error.kind() != ErrorKind::NotFound,
///         // Here: an attempt that ran out of time.
///         _ => true,
///     })
///     .pause_key(|error| (error.kind() == ErrorKind::ResourceBusy).then_some(Duration::from_secs(5)))
///     .max_elapsed(Duration::from_secs(300));
/// # let _ = retry;
/// ```
pub struct Retry<E> {
    delays: Arc<dyn Fn() -> Delays + Send + Sync>,
    when: Option<When<E>>,
    adjust: Option<Adjust<E>>,
    pause: Option<Pause<E>>,
    max_elapsed: Option<Duration>,
    reset_on_progress: bool,
}

impl<E> Clone for Retry<E> {
    fn clone(&self) -> Self {
        Self {
            delays: Arc::clone(&self.delays),
            when: self.when.clone(),
            adjust: self.adjust.clone(),
            pause: self.pause.clone(),
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

/// [`Backoff::default`]: three retries.
impl<E> Default for Retry<E> {
    fn default() -> Self {
        Self::new(Backoff::default())
    }
}

impl<E> From<Backoff> for Retry<E> {
    fn from(backoff: Backoff) -> Self {
        Self::new(backoff)
    }
}

impl<E> Retry<E> {
    /// Retries every failure after these waits.
    pub fn new(backoff: Backoff) -> Self {
        Self::with_delays(move || backoff.delays())
    }

    /// Retries nothing.
    pub fn never() -> Self {
        Self::with_delays(|| [])
    }

    /// Retries every failure after the waits of an iterator. Each job gets a new iterator. So any backoff is
    /// possible. When the iterator ends, the job fails; an endless one needs [`max_elapsed`](Self::max_elapsed) or
    /// [`RunBuilder::deadline`](crate::RunBuilder::deadline).
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
            when: None,
            adjust: None,
            pause: None,
            max_elapsed: None,
            reset_on_progress: false,
        }
    }

    /// Retries only these failures. The predicate sees [`JobError::Failed`] and [`JobError::TimedOut`].
    #[must_use]
    pub fn when(mut self, when: impl Fn(&JobError<E>) -> bool + Send + Sync + 'static) -> Self {
        self.when = Some(Arc::new(when));
        self
    }

    /// Changes the wait that the backoff proposes; `None` gives up. The function sees what [`when`](Self::when) sees.
    #[must_use]
    pub fn adjust(
        mut self,
        adjust: impl Fn(&JobError<E>, Duration) -> Option<Duration> + Send + Sync + 'static,
    ) -> Self {
        self.adjust = Some(Arc::new(adjust));
        self
    }

    /// Holds back *all* jobs of the key for as long as the error asks, in all runs of the pool. A server that responds
    /// to one request with 429 means the client, not the URL (RFC 6585, section 4; RFC 9110, section 10.2.3). The failed
    /// job waits at least as long. A wait beyond a day counts as a day.
    #[must_use]
    pub fn pause_key(mut self, pause: impl Fn(&E) -> Option<Duration> + Send + Sync + 'static) -> Self {
        self.pause = Some(Arc::new(pause));
        self
    }

    /// Starts no further attempt later than this after the first one.
    #[must_use]
    pub fn max_elapsed(mut self, max: Duration) -> Self {
        self.max_elapsed = Some(max);
        self
    }

    /// Resets the backoff after an attempt that got further ([`Attempt::advance`](crate::Attempt::advance)) than any
    /// before it: a transfer that breaks off often but resumes each time still succeeds. An attempt that resumes must
    /// first advance by what earlier attempts left. Default: no.
    ///
    /// ```
    /// use raudal_pool::{Backoff, Pool, Retry};
    /// use std::sync::atomic::{AtomicU64, Ordering};
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// static GOT: AtomicU64 = AtomicU64::new(0);
    /// let results = Pool::new(1)
    ///     .map(["a file of 10 bytes"], |cx, _| async move {
    ///         let got = GOT.fetch_add(1, Ordering::Relaxed) + 1;
    ///         cx.advance(got, 0);
    ///         if got < 10 { Err("cut") } else { Ok(cx.attempt()) }
    ///     })
    ///     .retry(Retry::new(Backoff::default().retries(1)).reset_on_progress(true))
    ///     .await;
    /// assert_eq!(results, [Ok(10)]);
    /// # }
    /// ```
    #[must_use]
    pub fn reset_on_progress(mut self, reset: bool) -> Self {
        self.reset_on_progress = reset;
        self
    }

    /// Returns whether an attempt that got this far resets the backoff, if earlier ones got as far as `furthest`.
    pub(crate) fn resets(&self, got: (u64, u64), furthest: (u64, u64)) -> bool {
        self.reset_on_progress && (got.0 > furthest.0 || got.1 > furthest.1)
    }

    /// Returns how long the error asks to pause its key, at most a day.
    pub(crate) fn pause(&self, error: &JobError<E>) -> Option<Duration> {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        let wait = self.pause.as_ref()?(error.failure()?)?;
        Some(wait.min(DAY))
    }

    /// Returns the waits of one job.
    pub(crate) fn delays(&self) -> Delays {
        (self.delays)()
    }

    /// Returns the wait before the next attempt, or `None` to give up.
    pub(crate) fn next(
        &self,
        error: &JobError<E>,
        delays: &mut dyn Iterator<Item = Duration>,
        elapsed: Duration,
    ) -> Option<Duration> {
        if !self.when.as_ref().is_none_or(|when| when(error)) {
            return None;
        }
        let mut wait = delays.next()?;
        if let Some(adjust) = &self.adjust {
            wait = adjust(error, wait)?;
        }
        let wait = wait.max(self.pause(error).unwrap_or_default());
        self.max_elapsed.is_none_or(|max| elapsed.saturating_add(wait) <= max).then_some(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_gives_up_by_predicate_by_count_by_adjustment_and_by_time() {
        let retry = Retry::new(Backoff::default().jitter(false).retries(2))
            .when(|error| error.failure() != Some(&404))
            .adjust(|error, wait| (error.failure() != Some(&410)).then_some(wait))
            .pause_key(|e| (*e == 429).then(|| Duration::from_secs(9)))
            .max_elapsed(Duration::from_secs(60));
        let failed = JobError::Failed;
        let next = |e: u32, elapsed| retry.next(&failed(e), &mut *retry.delays(), Duration::from_secs(elapsed));
        assert_eq!(next(500, 0), Some(Duration::from_millis(500)));
        assert_eq!(next(404, 0), None);
        assert_eq!(next(410, 0), None);
        assert_eq!(next(429, 0), Some(Duration::from_secs(9)));
        assert_eq!(next(429, 52), None);
        let mut delays = retry.delays();
        let timed_out = JobError::TimedOut { limit: Duration::ZERO, last: None };
        assert!(retry.next(&timed_out, &mut *delays, Duration::ZERO).is_some(), "a time-out is tried again");
        assert!(retry.next(&failed(500), &mut *delays, Duration::ZERO).is_some());
        assert!(retry.next(&failed(500), &mut *delays, Duration::ZERO).is_none(), "two retries, not three");
        let never = Retry::<u32>::never();
        assert!(never.next(&failed(500), &mut *never.delays(), Duration::ZERO).is_none());
    }
}
