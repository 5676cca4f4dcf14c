//! How many results of a run have been taken.

use futures_util::task::AtomicWaker;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::task::Waker;

/// Inputs are pulled as long as not too many of them have results that were not taken yet.
///
/// A count and one waker do what a semaphore would do, without its lock for every job: there is one driver to wake.
///
/// On cache lines of its own: it is written for each result.
#[repr(align(128))]
pub(crate) struct Room {
    taken: AtomicU64,
    /// The driver is woken once so many were taken.
    wanted: AtomicU64,
    driver: AtomicWaker,
}

impl Room {
    pub(crate) fn new() -> Self {
        Self { taken: AtomicU64::new(0), wanted: AtomicU64::new(u64::MAX), driver: AtomicWaker::new() }
    }

    /// Says that one more result was taken.
    pub(crate) fn take(&self) {
        let taken = self.taken.fetch_add(1, SeqCst) + 1;
        if taken >= self.wanted.load(SeqCst) {
            self.wanted.store(u64::MAX, SeqCst);
            self.driver.wake();
        }
    }

    /// Whether fewer than `most` jobs are open. If not, the driver is woken once a quarter of the `buffer` is free: to
    /// be woken for each result would cost more than many a job.
    pub(crate) fn has_room(&self, arrived: u64, most: u64, buffer: u64) -> bool {
        if self.open_jobs(arrived) < most {
            return true;
        }
        self.wanted.store(arrived.saturating_sub(most) + (buffer / 4).max(1), SeqCst);
        // One of the two sees the other: here, and where a result is taken.
        self.open_jobs(arrived) < most
    }

    /// How many jobs that have arrived have results that were not taken.
    fn open_jobs(&self, arrived: u64) -> u64 {
        // More may have arrived, and been taken, since the caller looked.
        arrived.saturating_sub(self.taken.load(SeqCst))
    }

    /// Wakes the driver once a result was taken.
    pub(crate) fn register(&self, waker: &Waker) {
        self.driver.register(waker);
    }
}
