//! How often attempts may begin: the generic cell rate algorithm of governor, on tokio's clock.
//!
//! The decision is governor's; nothing here sleeps. A refused attempt is told when to ask again, and its run waits
//! until then without holding a slot. The clock is tokio's, so that tests in virtual time hold.

use crate::error::BuildError;
use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::state::{InMemoryState, NotKeyed};
use governor::{NotUntil, Quota, RateLimiter};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;
use tokio::time::Instant;

/// The burst: how much delay may be caught up at once. The runtime's timer ticks once a millisecond, and a loaded
/// machine wakes late. Without a burst, 10,000 starts a second could never be reached.
const BURST: Duration = Duration::from_millis(50);

/// The valid rates, in starts a second. A lower one (once in eleven days) or one above what the timer can pace is a
/// mistake.
const SANE: std::ops::RangeInclusive<f64> = 1e-6..=1e6;

/// Fewer keys than this are not worth a sweep.
const SWEEP: usize = 1024;

/// tokio's clock, as time since the pool was built.
#[derive(Clone, Debug)]
struct Since(Instant);

impl Clock for Since {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

type Limiter<K, S> = RateLimiter<K, S, Since, NoOpMiddleware<Duration>>;

/// The rates of a pool, shared by all of its runs: a second run has no second burst.
#[derive(Default)]
pub(crate) struct Rates {
    all: Option<(Since, Limiter<NotKeyed, InMemoryState>)>,
    keys: Option<(Since, KeyRates)>,
}

struct KeyRates {
    limiter: Limiter<Arc<str>, HashMapStateStore<Arc<str>>>,
    /// At so many keys, those that are idle are forgotten.
    sweep: AtomicUsize,
}

impl std::fmt::Debug for Rates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rates").field("is_free", &self.is_free()).finish()
    }
}

impl Rates {
    /// The rates, each in starts a second.
    pub(crate) fn new(all: Option<f64>, key: Option<f64>) -> Result<Self, BuildError> {
        let clock = Since(Instant::now());
        let all = all.map(|rate| quota("the rate", rate)).transpose()?;
        let key = key.map(|rate| quota("the rate for one key", rate)).transpose()?;
        Ok(Self {
            all: all.map(|quota| (clock.clone(), Limiter::direct_with_clock(quota, clock.clone()))),
            keys: key.map(|quota| {
                let limiter = Limiter::hashmap_with_clock(quota, clock.clone());
                (clock.clone(), KeyRates { limiter, sweep: AtomicUsize::new(SWEEP) })
            }),
        })
    }

    /// Returns whether there is no rate at all.
    pub(crate) fn is_free(&self) -> bool {
        self.all.is_none() && self.keys.is_none()
    }

    /// Lets an attempt begin, or says when to ask again.
    pub(crate) fn check(&self) -> Result<(), Instant> {
        let Some((clock, limiter)) = &self.all else { return Ok(()) };
        limiter.check().map_err(|not_until| at(clock, &not_until))
    }

    /// Lets an attempt of this key begin, or says when to ask again.
    pub(crate) fn check_key(&self, key: &Arc<str>) -> Result<(), Instant> {
        let Some((clock, keys)) = &self.keys else { return Ok(()) };
        let answer = keys.limiter.check_key(key).map_err(|not_until| at(clock, &not_until));
        if keys.limiter.len() >= keys.sweep.load(Relaxed) {
            keys.limiter.retain_recent();
            keys.sweep.store((keys.limiter.len() * 2).max(SWEEP), Relaxed);
        }
        answer
    }
}

fn at(clock: &Since, not_until: &NotUntil<Duration>) -> Instant {
    clock.0 + not_until.earliest_possible()
}

/// One start each 1 / `rate` seconds, and at once what comes due in [`BURST`].
fn quota(what: &str, rate: f64) -> Result<Quota, BuildError> {
    let quota = || {
        let period = Duration::try_from_secs_f64(rate.recip()).ok()?;
        let burst = NonZeroU32::new((rate * BURST.as_secs_f64()).ceil() as u32)?;
        Some(Quota::with_period(period)?.allow_burst(burst))
    };
    // NaN is in no range.
    SANE.contains(&rate).then(quota).flatten().ok_or_else(|| {
        BuildError::new(format!("{what} must be from {} to {} a second: {rate}", SANE.start(), SANE.end()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn after_its_burst_a_rate_lets_one_begin_each_period() {
        let rates = Rates::new(Some(100.0), None).unwrap();
        let start = Instant::now();
        for _ in 0..5 {
            assert_eq!(rates.check(), Ok(()), "what comes due in 50 ms may begin at once");
        }
        assert_eq!(rates.check(), Err(start + Duration::from_millis(10)));
        tokio::time::advance(Duration::from_millis(10)).await;
        assert_eq!(rates.check(), Ok(()));
        assert_eq!(rates.check(), Err(start + Duration::from_millis(20)));
    }

    #[tokio::test(start_paused = true)]
    async fn each_key_has_its_own_rate_and_idle_keys_are_forgotten() {
        let rates = Rates::new(None, Some(1.0)).unwrap();
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        assert!(rates.check_key(&a).is_ok() && rates.check_key(&b).is_ok());
        assert_eq!(rates.check_key(&a), Err(Instant::now() + Duration::from_secs(1)));
        for n in 0..10 * SWEEP {
            tokio::time::advance(Duration::from_millis(100)).await;
            assert_eq!(rates.check_key(&n.to_string().into()), Ok(()));
        }
        assert!(rates.keys.as_ref().unwrap().1.limiter.len() <= SWEEP);
    }

    #[test]
    fn a_rate_that_would_never_or_always_begin_is_refused() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-9, 1e9] {
            let error = Rates::new(Some(rate), None).err().unwrap().to_string();
            assert_eq!(error, format!("the rate must be from 0.000001 to 1000000 a second: {rate}"));
        }
        for rate in [1e-6, 0.5, 3.0, 1e6] {
            assert!(Rates::new(Some(rate), Some(rate)).is_ok());
        }
    }
}
