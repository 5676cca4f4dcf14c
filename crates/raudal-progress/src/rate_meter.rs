//! How fast something moves now.

use std::collections::VecDeque;
use std::time::Duration;

/// Speeds are means over this time. A shorter time flickers, a longer one lags behind a stall.
const WINDOW: Duration = Duration::from_secs(5);
/// Samples of a meter are at least this far apart, so a window holds at most 20.
const SAMPLE: Duration = Duration::from_millis(250);

/// Measures the recent speed. It only counts up.
#[derive(Debug, Default)]
pub(super) struct RateMeter {
    moved: u64,
    samples: VecDeque<(Duration, u64)>,
}

impl RateMeter {
    pub(super) fn new(now: Duration) -> Self {
        Self { moved: 0, samples: VecDeque::from([(now, 0)]) }
    }

    pub(super) fn add(&mut self, bytes: u64, now: Duration) {
        self.sample(now);
        self.moved += bytes;
    }

    pub(super) fn sample(&mut self, now: Duration) {
        if self.samples.back().is_none_or(|(at, _)| now.saturating_sub(*at) >= SAMPLE) {
            self.samples.push_back((now, self.moved));
        }
        // The oldest sample kept is the last one from before the window, so that the samples cover
        // all of it.
        while self.samples.get(1).is_some_and(|(at, _)| now.saturating_sub(*at) >= WINDOW) {
            self.samples.pop_front();
        }
    }

    /// `None` until a quarter of a second has passed.
    pub(super) fn per_second(&self, now: Duration) -> Option<f64> {
        let (at, moved) = self.samples.front()?;
        let span = now.saturating_sub(*at);
        (span >= SAMPLE).then(|| (self.moved - moved) as f64 / span.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_meter_of_any_age_holds_few_samples() {
        let mut meter = RateMeter::new(Duration::ZERO);
        for tenth in 1..1000 {
            meter.add(100, Duration::from_millis(tenth * 100));
        }
        assert!(meter.samples.len() <= 22, "{}", meter.samples.len());
        assert_eq!(meter.per_second(Duration::from_secs(100)).map(f64::round), Some(1000.0));
    }
}
