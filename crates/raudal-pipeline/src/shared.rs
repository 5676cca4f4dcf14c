//! What all jobs of a run that makes a table share.

use super::decoders::Decoders;
use super::jobs::Partials;
use super::lock::Lock;
use raudal_fetch::{Client, PartialFile};
use raudal_source::{Checksums, Input};
use raudal_table::Query;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::sync::Semaphore;

/// So many bytes of inputs that are read already stay on disk until the table is published, so that a run that is
/// killed does not fetch them again. Beyond, they go as soon as they are read: a disk that has room for the table is not
/// filled by what it is made of.
const KEPT: u64 = 128 << 20;

/// What all jobs of a run share.
pub(super) struct Shared {
    pub(super) client: Client,
    pub(super) query: Query,
    /// Decoding is bound by the processor, not by the network: it has a limit of its own.
    pub(super) decoders: Arc<Decoders>,
    pub(super) partials: Arc<Partials>,
    /// Where bodies arrive that are to outlive the run.
    pub(super) folder: Option<PathBuf>,
    pub(super) checksums: Option<Arc<Checksums>>,
    pub(super) lock: Option<Arc<Lock>>,
    /// Bytes in that folder of inputs that are read.
    pub(super) kept: AtomicU64,
    /// Nothing more can be written there.
    pub(super) full: AtomicBool,
    /// As many inputs are decoded while they arrive.
    pub(super) ahead: Arc<Semaphore>,
}

impl Shared {
    /// What to take from this input.
    pub(super) fn query_for(&self, input: &Input) -> Query {
        let mut query = self.query.clone();
        if input.member.is_some() {
            query.member.clone_from(&input.member);
        }
        query
    }

    /// The input is read: its file stays for a while if it was good, and there is room. One that was good but did not
    /// fit the query is good for the next query.
    pub(super) fn settle(&self, place: &PartialFile, length: u64, good: bool) {
        if !good || self.full.load(Ordering::Relaxed) || self.kept.fetch_add(length, Ordering::Relaxed) >= KEPT {
            place.remove();
        }
    }
}
