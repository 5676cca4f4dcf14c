//! How long to wait before each further attempt. A backoff is an iterator of durations; the sleeping is done by the run.

use std::time::Duration;

/// How long to wait before each further attempt: an exponential backoff that ends.
///
/// The wait before attempt *n* + 1 is drawn evenly from 0 to min(`max`, `first` · `factor`ⁿ⁻¹). This is *full jitter*,
/// which best spreads clients that failed together (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture
/// Blog, 2015).
///
/// ```
/// use raudal_pool::Backoff;
/// use std::time::Duration;
///
/// let backoff = Backoff::default().retries(5).max(Duration::from_secs(3)).jitter(false);
/// let delays: Vec<Duration> = backoff.delays().collect();
/// assert_eq!(delays, [500, 1000, 2000, 3000, 3000].map(Duration::from_millis));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Backoff {
    /// The upper bound of the first wait. Default: 0.5 s.
    pub first: Duration,
    /// What the bound is multiplied by each time, at least 1. Default: 2.
    pub factor: f64,
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
    /// Sets how many further attempts there are.
    #[must_use]
    pub fn retries(self, retries: usize) -> Self {
        Self { retries, ..self }
    }

    /// Sets the bound of the first wait.
    #[must_use]
    pub fn first(self, first: Duration) -> Self {
        Self { first, ..self }
    }

    /// Sets what the bound is multiplied by each time. Less than 1 counts as 1.
    #[must_use]
    pub fn factor(self, factor: f64) -> Self {
        Self { factor, ..self }
    }

    /// Sets how far the bound grows.
    #[must_use]
    pub fn max(self, max: Duration) -> Self {
        Self { max, ..self }
    }

    /// Draws each wait from zero to its bound, or takes the bound itself.
    #[must_use]
    pub fn jitter(self, jitter: bool) -> Self {
        Self { jitter, ..self }
    }

    /// Returns the waits, one for each further attempt.
    pub fn delays(self) -> impl Iterator<Item = Duration> + Send + use<> {
        // `f64::max` takes 1 for a factor that is not a number.
        let factor = self.factor.max(1.0);
        let mut bound = self.first.min(self.max);
        (0..self.retries).map(move |_| {
            let wait = if self.jitter { bound.mul_f64(fastrand::f64()) } else { bound };
            let grown = Duration::try_from_secs_f64(bound.as_secs_f64() * factor);
            bound = grown.unwrap_or(Duration::MAX).min(self.max);
            wait
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_drawn_from_below_its_bound_and_the_bound_stops_growing() {
        for _ in 0..100 {
            let backoff = Backoff::default().retries(10);
            let plain: Vec<Duration> = backoff.jitter(false).delays().collect();
            let drawn: Vec<Duration> = backoff.delays().collect();
            assert_eq!((plain.len(), drawn.len()), (10, 10));
            assert_eq!(plain[9], Duration::from_secs(30));
            assert!(drawn.iter().zip(&plain).all(|(drawn, bound)| drawn <= bound));
        }
    }

    #[test]
    fn no_setting_overflows_or_panics() {
        for factor in [f64::NAN, f64::INFINITY, -3.0, 0.0, 1e300] {
            for (first, max) in [(Duration::MAX, Duration::MAX), (Duration::ZERO, Duration::MAX)] {
                let backoff = Backoff::default().first(first).max(max).factor(factor).retries(4);
                assert_eq!(backoff.delays().count(), 4, "{backoff:?}");
                assert!(backoff.jitter(false).delays().all(|wait| wait <= max), "{backoff:?}");
            }
        }
    }
}
