//! Limits the total rate of all connections of a client.
//!
//! Each chunk of a body waits until all earlier chunks, on any connection, have used their time. A
//! connection waits with one small chunk at a time, so that all connections take turns. A connection
//! that waits is not read, so TCP slows the sender down.

use raudal_common::lock;
use std::num::NonZeroU64;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

/// The unused time that later chunks may catch up on. Timers are coarse (1 ms) and tasks wake up
/// late, so without it the rate would not be reached. It is also the longest burst.
const CREDIT: Duration = Duration::from_millis(50);
/// Chunks per second. Progress bars are drawn less often, so they look smooth.
const PIECES: u64 = 32;
/// The largest chunk, in bytes: as much as the first read from a connection returns.
const LARGEST: u64 = 16 * 1024;

/// Decides when bytes may pass. Pure: the caller supplies the time.
#[derive(Debug)]
struct Bucket {
    /// In bytes per second.
    rate: NonZeroU64,
    /// When all bytes so far have used their time.
    free: Option<Instant>,
}

impl Bucket {
    /// Counts these bytes, and returns when they may pass.
    fn take(&mut self, bytes: u64, now: Instant) -> Instant {
        let nanos = (u128::from(bytes) * 1_000_000_000).div_ceil(u128::from(self.rate.get()));
        let cost = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        let earliest = now.checked_sub(CREDIT).unwrap_or(now);
        // At the start there is no unused time, so the first burst is bounded like any other.
        let start = self.free.map_or(now, |free| free.max(earliest));
        let until = start.checked_add(cost).unwrap_or(start);
        self.free = Some(until);
        until
    }
}

/// The limit that connections share.
#[derive(Debug)]
pub(crate) struct RateLimit {
    bucket: Mutex<Bucket>,
    piece: usize,
}

impl RateLimit {
    /// Creates a limit in bytes per second.
    pub(crate) fn new(rate: NonZeroU64) -> Self {
        let piece = (rate.get() / PIECES).clamp(1, LARGEST) as usize;
        Self { bucket: Mutex::new(Bucket { rate, free: None }), piece }
    }

    /// Returns the largest number of bytes that pass at once.
    pub(crate) fn piece(&self) -> usize {
        self.piece
    }

    /// Waits until this many bytes may pass.
    pub(crate) async fn pass(&self, bytes: usize) {
        let now = Instant::now();
        let until = lock(&self.bucket).take(bytes as u64, now);
        if until > now {
            tokio::time::sleep_until(until).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn rate(rate: u64) -> NonZeroU64 {
        NonZeroU64::new(rate).expect("a rate")
    }

    #[test]
    fn bytes_pass_when_those_before_them_have_had_their_time() {
        let start = Instant::now() + Duration::from_secs(1000);
        let at = |millis| start + Duration::from_millis(millis);
        let mut bucket = Bucket { rate: rate(1000), free: None };
        assert_eq!(bucket.take(100, at(0)), at(100));
        assert_eq!(bucket.take(50, at(0)), at(150), "another connection comes after the first");
        assert_eq!(bucket.take(100, at(170)), at(250), "who is late is not made later");
        assert_eq!(bucket.take(100, at(10_000)), at(10_050), "an idle time is not saved up");
        assert_eq!(bucket.take(0, at(10_050)), at(10_050));
        // An extreme rate, and an extreme wait.
        assert_eq!(Bucket { rate: rate(u64::MAX), free: None }.take(1 << 20, at(0)), start + Duration::from_nanos(1));
        assert!(Bucket { rate: rate(1), free: None }.take(u64::MAX, at(0)) > at(1_000_000));
    }

    #[test]
    fn pieces_are_small_enough_to_be_smooth_and_never_nothing() {
        let pieces = [1, 31, 32, 3200, 1 << 30].map(|bytes| RateLimit::new(rate(bytes)).piece());
        assert_eq!(pieces, [1, 1, 1, 100, 16 * 1024]);
    }

    /// Uses virtual time: the clock jumps to the next timer.
    #[tokio::test(start_paused = true)]
    async fn connections_share_the_rate_evenly_whatever_their_number() {
        for connections in [1, 3, 10] {
            let limit = Arc::new(RateLimit::new(rate(100_000)));
            let passed: Arc<Vec<AtomicUsize>> = Arc::new((0..connections).map(|_| AtomicUsize::new(0)).collect());
            let start = Instant::now();
            let tasks: Vec<_> = (0..connections)
                .map(|number| {
                    let (limit, passed) = (Arc::clone(&limit), Arc::clone(&passed));
                    tokio::spawn(async move {
                        loop {
                            limit.pass(limit.piece()).await;
                            passed[number].fetch_add(limit.piece(), Ordering::Relaxed);
                        }
                    })
                })
                .collect();
            for second in 1..=10 {
                tokio::time::sleep_until(start + Duration::from_secs(second)).await;
                let each: Vec<usize> = passed.iter().map(|passed| passed.load(Ordering::Relaxed)).collect();
                let all = each.iter().sum::<usize>();
                let (most, due) = (limit.piece(), 100_000 * second as usize);
                assert!(all <= due && due - all <= 2 * most, "after {second} s: {all}");
                let spread = each.iter().max().expect("one") - each.iter().min().expect("one");
                assert!(spread <= most, "{each:?}");
            }
            tasks.iter().for_each(tokio::task::JoinHandle::abort);
        }
    }
}
