//! Limits how fast bytes are sent: token buckets, as pure arithmetic on instants.
//!
//! A bucket does not sleep. It returns the instant when bytes may be sent, and the caller waits.
//! Each connection has at most one chunk waiting, so connections that share a bucket take turns.

use raudal_common::lock;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

/// The delay that a late wake-up may catch up on. Timers have a resolution of a millisecond, and a
/// busy machine wakes late. Without this credit, every such delay would slow the link down for
/// good.
const CREDIT: Duration = Duration::from_millis(50);

/// The largest chunk of a paced body, and the fewest chunks per second: bytes should arrive as a
/// stream.
const CHUNK: u64 = 16 * 1024;
const CHUNKS_PER_SECOND: u64 = 50;

/// The slice of a body that is not paced. It is large enough that a system call is cheap in
/// comparison, and small enough that a request does not count as done long before its bytes are
/// sent.
const SLICE: usize = 128 * 1024;

/// A rate in bytes per second, and until when it is used up.
#[derive(Debug)]
pub(super) struct TokenBucket {
    rate: u64,
    free: Instant,
}

impl TokenBucket {
    pub(super) fn new(rate: u64, now: Instant) -> Self {
        Self { rate: rate.max(1), free: now }
    }

    /// Drops the credit of an idle time, so that a new body starts at the rate, not with a burst.
    fn begin(&mut self, now: Instant) {
        self.free = self.free.max(now);
    }

    /// Returns when these bytes may be sent: the instant when the last one would arrive over a link
    /// of this rate.
    fn take(&mut self, bytes: usize, now: Instant) -> Instant {
        if self.free + CREDIT < now {
            self.free = now - CREDIT;
        }
        let nanos = bytes as u128 * 1_000_000_000 / u128::from(self.rate);
        self.free += Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX / 2));
        self.free
    }
}

/// A bucket that several bodies take from.
pub(super) type SharedBucket = Arc<Mutex<TokenBucket>>;

/// The buckets that a body must pass: its connection's, then the one of all connections.
#[derive(Clone, Debug, Default)]
pub(super) struct Pacer {
    buckets: [Option<SharedBucket>; 2],
}

impl Pacer {
    /// The pacer of a new connection.
    pub(super) fn new(per_connection: Option<u64>, all: Option<&SharedBucket>, now: Instant) -> Self {
        let own = per_connection.map(|rate| Arc::new(Mutex::new(TokenBucket::new(rate, now))));
        Self { buckets: [own, all.cloned()] }
    }

    /// Returns how many bytes to ask for at a time: at most what the slowest bucket sends in 20 ms.
    pub(super) fn chunk(&self) -> usize {
        let slowest = self.buckets.iter().flatten().map(|bucket| lock(bucket).rate).min();
        slowest.map_or(SLICE, |rate| (rate / CHUNKS_PER_SECOND).clamp(1, CHUNK) as usize)
    }

    /// Tells the buckets that a body begins.
    pub(super) fn begin(&self, now: Instant) {
        for bucket in self.buckets.iter().flatten() {
            lock(bucket).begin(now);
        }
    }

    /// Returns when these bytes may pass the bucket at this place; `None` after the last bucket.
    /// The shared bucket is asked last, so that a connection held back by its own limit does not
    /// take a turn there.
    pub(super) fn take(&self, place: &mut usize, bytes: usize, now: Instant) -> Option<Instant> {
        while let Some(bucket) = self.buckets.get(*place) {
            *place += 1;
            if let Some(bucket) = bucket {
                return Some(lock(bucket).take(bytes, now));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_bucket_lets_through_its_rate() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(1000, start);
        let mut now = start;
        for _ in 0..10 {
            now = bucket.take(500, now);
        }
        assert_eq!(now - start, 5 * SECOND);
    }

    #[test]
    fn a_late_wake_up_is_caught_up_on_but_an_idle_second_is_not() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(1000, start);
        let due = bucket.take(1000, start);
        let late = due + CREDIT / 2;
        assert_eq!(bucket.take(1000, late), due + SECOND);
        let idle = due + 10 * SECOND;
        assert_eq!(bucket.take(1000, idle), idle - CREDIT + SECOND);
        bucket.begin(idle + 9 * SECOND);
        assert_eq!(bucket.take(1000, idle + 9 * SECOND), idle + 10 * SECOND);
    }

    #[test]
    fn connections_that_share_a_bucket_take_turns() {
        let start = Instant::now();
        let all: SharedBucket = Arc::new(Mutex::new(TokenBucket::new(1000, start)));
        let pacers: Vec<Pacer> = (0..4).map(|_| Pacer::new(None, Some(&all), start)).collect();
        let times: Vec<Duration> =
            pacers.iter().map(|p| p.take(&mut 0, 100, start).expect("a bucket") - start).collect();
        assert_eq!(times, [100, 200, 300, 400].map(Duration::from_millis));
    }

    #[test]
    fn a_chunk_is_at_most_twenty_milliseconds_of_the_slowest_bucket() {
        let now = Instant::now();
        let all: SharedBucket = Arc::new(Mutex::new(TokenBucket::new(1_000_000_000, now)));
        assert_eq!(Pacer::default().chunk(), SLICE);
        assert_eq!(Pacer::new(None, Some(&all), now).chunk(), 16 * 1024);
        assert_eq!(Pacer::new(Some(50_000), Some(&all), now).chunk(), 1000);
        assert_eq!(Pacer::new(Some(3), None, now).chunk(), 1);
    }
}
