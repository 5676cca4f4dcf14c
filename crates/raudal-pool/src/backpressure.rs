//! Bounds the results of a run that have not been taken.

use futures_util::task::AtomicWaker;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::task::Waker;

/// Counts the results taken, so that inputs are pulled only while few results wait.
///
/// Replaces a semaphore by a count and one waker: only the driver waits, and no job takes a lock. Written for every
/// result, so it has its own cache lines.
#[repr(align(128))]
pub(crate) struct Backpressure {
    taken: AtomicU64,
    /// The driver is woken once this many were taken.
    wanted: AtomicU64,
    driver: AtomicWaker,
}

impl Backpressure {
    pub(crate) fn new() -> Self {
        Self { taken: AtomicU64::new(0), wanted: AtomicU64::new(u64::MAX), driver: AtomicWaker::new() }
    }

    /// Records that one more result was taken.
    pub(crate) fn take(&self) {
        let taken = self.taken.fetch_add(1, SeqCst) + 1;
        if taken >= self.wanted.load(SeqCst) {
            self.wanted.store(u64::MAX, SeqCst);
            self.driver.wake();
        }
    }

    /// Returns whether fewer than `most` jobs are open. If not, the driver is woken once a quarter of the `buffer` is free:
    /// waking it for each result would cost more than a small job.
    pub(crate) fn has_room(&self, arrived: u64, most: u64, buffer: u64) -> bool {
        if self.open_jobs(arrived) < most {
            return true;
        }
        self.wanted.store(arrived.saturating_sub(most) + (buffer / 4).max(1), SeqCst);
        // A result taken at the same time is seen here, or it sees the new value of `wanted`.
        self.open_jobs(arrived) < most
    }

    /// Returns how many jobs have arrived whose results were not taken.
    fn open_jobs(&self, arrived: u64) -> u64 {
        // Since the caller looked, more may have arrived and been taken.
        arrived.saturating_sub(self.taken.load(SeqCst))
    }

    /// Registers the waker of the driver.
    pub(crate) fn register(&self, waker: &Waker) {
        self.driver.register(waker);
    }
}
