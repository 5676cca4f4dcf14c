//! How many results of a run have been taken.

use futures_util::task::AtomicWaker;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::task::Waker;

/// Inputs are pulled as long as not too many of them have results that were not taken yet.
///
/// A count and one waker do what a semaphore would do, without its lock for every job: there is one driver to wake.
pub(crate) struct Room {
    taken: AtomicU64,
    driver: AtomicWaker,
}

impl Room {
    pub(crate) fn new() -> Self {
        Self { taken: AtomicU64::new(0), driver: AtomicWaker::new() }
    }

    /// Says that one more result was taken.
    pub(crate) fn take(&self) {
        self.taken.fetch_add(1, SeqCst);
        self.driver.wake();
    }

    /// How many jobs that have arrived have results that were not taken.
    pub(crate) fn open_jobs(&self, arrived: u64) -> u64 {
        // More may have arrived, and been taken, since the caller looked.
        arrived.saturating_sub(self.taken.load(SeqCst))
    }

    /// Wakes the driver once a result was taken.
    pub(crate) fn register(&self, waker: &Waker) {
        self.driver.register(waker);
    }
}
