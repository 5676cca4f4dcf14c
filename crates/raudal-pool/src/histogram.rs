//! Percentiles of many durations in little memory.

use crate::report::Percentiles;
use std::time::Duration;

/// The number of buckets for each power of two of nanoseconds. The middle of a bucket is off by at most 1/32.
const PARTS_LOG2: u32 = 4;
const PARTS: u64 = 1 << PARTS_LOG2;

/// Counts of durations in buckets that grow with the duration (log-linear).
#[derive(Debug, Default)]
pub(crate) struct Histogram {
    /// As many as the longest duration so far needs.
    buckets: Vec<u64>,
    count: u64,
    max: Duration,
}

impl Histogram {
    pub(crate) fn add(&mut self, time: Duration) {
        let bucket = bucket(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
        if self.buckets.len() <= bucket {
            self.buckets.resize(bucket + 1, 0);
        }
        self.buckets[bucket] += 1;
        self.count += 1;
        self.max = self.max.max(time);
    }

    /// `None` if nothing was added.
    pub(crate) fn percentiles(&self) -> Option<Percentiles> {
        (self.count > 0).then(|| Percentiles {
            p50: self.percentile(50),
            p90: self.percentile(90),
            p99: self.percentile(99),
            max: self.max,
        })
    }

    /// Returns the shortest duration that this many percent do not exceed ("nearest rank").
    fn percentile(&self, percent: u64) -> Duration {
        let rank = (u128::from(self.count) * u128::from(percent)).div_ceil(100).max(1);
        let mut seen = 0;
        for (bucket, count) in self.buckets.iter().enumerate() {
            seen += u128::from(*count);
            if seen >= rank {
                return middle(bucket).min(self.max);
            }
        }
        self.max
    }
}

/// Below 2·`PARTS` one bucket a nanosecond; then the exponent, and the bits that follow the first one.
fn bucket(nanos: u64) -> usize {
    if nanos < PARTS {
        return nanos as usize;
    }
    let shift = nanos.ilog2() - PARTS_LOG2;
    (u64::from(shift) * PARTS + (nanos >> shift)) as usize
}

fn middle(bucket: usize) -> Duration {
    let bucket = bucket as u64;
    if bucket < PARTS {
        return Duration::from_nanos(bucket);
    }
    let shift = bucket / PARTS - 1;
    let low = (PARTS + bucket % PARTS) << shift;
    Duration::from_nanos(low + ((1 << shift) - 1) / 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn percentiles_are_those_of_the_sorted_list_within_the_stated_error() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.percentiles(), None);
        (1..=1000).rev().map(Duration::from_millis).for_each(|time| histogram.add(time));
        let percentiles = histogram.percentiles().unwrap();
        for (got, exact) in [(percentiles.p50, 500), (percentiles.p90, 900), (percentiles.p99, 990)] {
            let error = got.as_secs_f64() / Duration::from_millis(exact).as_secs_f64() - 1.0;
            assert!(error.abs() <= 0.032, "{got:?} for {exact} ms");
        }
        assert_eq!(percentiles.max, Duration::from_secs(1));
    }

    #[test]
    fn memory_is_bounded_for_every_duration() {
        let mut histogram = Histogram::default();
        histogram.add(Duration::MAX);
        assert!(histogram.buckets.len() * size_of::<u64>() <= 8 * 1024);
        assert_eq!(histogram.percentiles().unwrap().max, Duration::MAX);
    }

    proptest! {
        #[test]
        fn the_middle_of_a_bucket_is_within_the_stated_error_of_what_fell_into_it(bits in 0..64_u32, n: u64) {
            let nanos = n >> bits;
            let middle = middle(bucket(nanos)).as_nanos();
            prop_assert!(middle.abs_diff(u128::from(nanos)) * 31 <= u128::from(nanos), "{nanos}: {middle}");
        }

        #[test]
        fn a_longer_duration_never_falls_into_an_earlier_bucket(a: u64, b: u64) {
            prop_assert!(bucket(a.min(b)) <= bucket(a.max(b)));
        }
    }
}
