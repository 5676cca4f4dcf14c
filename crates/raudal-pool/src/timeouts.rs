//! The time-outs of a run.

use futures_util::task::AtomicWaker;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::task::Waker;
use std::time::Duration;
use tokio::time::Instant;

/// Keeps the nearest time-out of a run, for the one timer of the driver. Each attempt keeps its own.
///
/// A timer for each attempt would cost more than a small job. Most attempts end long before their time-out, so the driver
/// checks all running attempts only when the nearest time-out is due.
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

    /// Converts an instant to the form kept here.
    pub(crate) fn at(&self, instant: Instant) -> u64 {
        u64::try_from(instant.saturating_duration_since(self.began).as_nanos()).unwrap_or(NEVER - 1)
    }

    /// Records the time-out of an attempt that is in the table.
    pub(crate) fn arm(&self, at: u64) {
        // Most attempts find a nearer one, and need not write.
        if at < self.next.load(SeqCst) && at < self.next.fetch_min(at, SeqCst) {
            self.driver.wake();
        }
    }

    /// Like `arm`, for the driver itself: wakes nobody.
    pub(crate) fn keep(&self, at: u64) {
        self.next.fetch_min(at, SeqCst);
    }

    /// Returns when the driver must check the attempts.
    pub(crate) fn next(&self) -> Option<Instant> {
        let next = self.next.load(SeqCst);
        (next != NEVER).then(|| self.began + Duration::from_nanos(next))
    }

    /// Returns whether a time-out is due. The driver then checks all running attempts and keeps the nearest time-out.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        let is_due = self.next.load(SeqCst) <= self.at(now);
        if is_due {
            self.next.store(NEVER, SeqCst);
        }
        is_due
    }

    /// Registers the driver, to be woken when a nearer time-out is recorded.
    pub(crate) fn register(&self, waker: &Waker) {
        self.driver.register(waker);
    }
}
