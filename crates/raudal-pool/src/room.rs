//! How far a run may be ahead of whoever takes its results.

use futures::task::AtomicWaker;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::task::Context;

/// Jobs may be pulled as long as fewer than `limit` of them have results that were not taken yet.
///
/// A count and one waker do what a semaphore would do, without its lock for every job: there is one driver to wake.
pub(super) struct Room {
    limit: u64,
    taken: AtomicU64,
    driver: AtomicWaker,
}

impl Room {
    pub(super) fn new(limit: u64) -> Self {
        Self { limit, taken: AtomicU64::new(0), driver: AtomicWaker::new() }
    }

    /// Says that one more result was taken.
    pub(super) fn take(&self) {
        self.taken.fetch_add(1, SeqCst);
        self.driver.wake();
    }

    pub(super) fn has_room(&self, pulled: u64) -> bool {
        // More may have been pulled, and taken, since the caller looked.
        pulled.saturating_sub(self.taken.load(SeqCst)) < self.limit
    }

    /// Whether there is room; if not, the driver, whose context this is, is woken once there is.
    pub(super) fn poll(&self, pulled: u64, cx: &Context<'_>) -> bool {
        // In this order: what is taken in between wakes us.
        self.driver.register(cx.waker());
        self.has_room(pulled)
    }
}
