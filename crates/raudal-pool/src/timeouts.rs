//! When the next attempt of a run is out of time.

use futures_util::task::AtomicWaker;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::task::Waker;
use std::time::Duration;
use tokio::time::Instant;

/// The time-outs of a run. Each attempt knows its own; the driver has one timer, for the nearest one.
///
/// A timer for each attempt would cost more than many a job. Most attempts end long before they are out of time, so the
/// driver looks at all that run only when the nearest one is due.
pub(crate) struct Timeouts {
    began: Instant,
    /// In nanoseconds since the run began.
    next: AtomicU64,
    driver: AtomicWaker,
}

/// No time-out.
const NEVER: u64 = u64::MAX;

impl Timeouts {
    pub(crate) fn new(began: Instant) -> Self {
        Self { began, next: AtomicU64::new(NEVER), driver: AtomicWaker::new() }
    }

    /// An instant as it is kept here.
    pub(crate) fn at(&self, instant: Instant) -> u64 {
        u64::try_from(instant.saturating_duration_since(self.began).as_nanos()).unwrap_or(NEVER - 1)
    }

    /// Takes note of the time-out of an attempt that can be found from here on.
    pub(crate) fn arm(&self, at: u64) {
        if at < self.next.fetch_min(at, SeqCst) {
            self.driver.wake();
        }
    }

    /// Like `arm`, by the driver itself.
    pub(crate) fn keep(&self, at: u64) {
        self.next.fetch_min(at, SeqCst);
    }

    /// When the driver is to look.
    pub(crate) fn next(&self) -> Option<Instant> {
        let next = self.next.load(SeqCst);
        (next != NEVER).then(|| self.began + Duration::from_nanos(next))
    }

    /// Whether the driver is to look now. Then all that run are to be looked at, and the nearest one kept.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        let is_due = self.next.load(SeqCst) <= self.at(now);
        if is_due {
            self.next.store(NEVER, SeqCst);
        }
        is_due
    }

    /// Wakes the driver when there is a nearer time-out than it knows of.
    pub(crate) fn register(&self, waker: &Waker) {
        self.driver.register(waker);
    }
}
