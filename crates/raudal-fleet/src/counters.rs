//! What a worker has done so far.

use super::made::Made;
use raudal_pipeline::InputRead;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Counts what a worker does, in one run or in all.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    running: AtomicUsize,
    inputs: AtomicU64,
    failed: AtomicU64,
    rows: AtomicU64,
    bytes: AtomicU64,
}

/// The counts of one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Chunks that are worked through now.
    pub(crate) running: usize,
    pub(crate) inputs: u64,
    pub(crate) failed: u64,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
}

impl Counters {
    pub(crate) fn begin(&self) {
        self.running.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn end(&self) {
        self.running.fetch_sub(1, Ordering::Relaxed);
    }

    /// Counts an input.
    pub(crate) fn count(&self, read: &InputRead<Made>) {
        self.inputs.fetch_add(1, Ordering::Relaxed);
        self.bytes.fetch_add(read.report.bytes, Ordering::Relaxed);
        self.rows.fetch_add(read.result.as_ref().map_or(0, Made::rows), Ordering::Relaxed);
        self.failed.fetch_add(u64::from(read.result.is_err()), Ordering::Relaxed);
    }

    pub(crate) fn now(&self) -> Counts {
        Counts {
            running: self.running.load(Ordering::Relaxed),
            inputs: self.inputs.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            rows: self.rows.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }
}
