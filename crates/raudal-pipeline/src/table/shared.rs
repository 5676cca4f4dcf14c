//! What all jobs of a run share when it makes a table.

use super::decoders::Decoders;
use super::options::Options;
use crate::run::lock::Lock;
use crate::run::partials::Partials;
use raudal_fetch::{Client, PartialFile};
use raudal_source::{Checksums, Input};
use raudal_table::Query;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tokio::sync::Semaphore;

/// Bytes of finished inputs that stay on disk until the table is published, so that a killed run
/// does not fetch them again. Beyond this, a file is removed as soon as it is read: inputs must not
/// fill a disk that has space for the table.
const KEPT: u64 = 128 << 20;

/// What all jobs of a run share.
#[derive(Clone)]
pub(crate) struct TableRun {
    pub(crate) client: Client,
    pub(crate) query: Query,
    /// Decoding is limited by the processor, not by the network, so it has its own limit.
    pub(crate) decoders: Arc<Decoders>,
    pub(crate) partials: Arc<Partials>,
    /// The folder for partial files that outlive the run.
    pub(crate) folder: Option<PathBuf>,
    pub(crate) checksums: Option<Arc<Checksums>>,
    pub(crate) lock: Option<Arc<Lock>>,
    /// Bytes of finished inputs in `folder`.
    pub(crate) kept: Arc<AtomicU64>,
    /// Whether `folder` is full.
    pub(crate) full: Arc<AtomicBool>,
    /// Limits how many inputs are decoded while they arrive.
    pub(crate) streaming: Arc<Semaphore>,
}

impl TableRun {
    pub(crate) fn new(client: &Client, options: &Options) -> Self {
        Self {
            client: client.clone(),
            query: options.query.clone(),
            decoders: Decoders::new(options.decoders),
            partials: Arc::default(),
            folder: options.partials.clone(),
            checksums: options.run.checksums.clone(),
            lock: options.run.lock.clone(),
            kept: Arc::default(),
            full: Arc::default(),
            streaming: Arc::new(Semaphore::new(options.decoders.max(1))),
        }
    }

    /// Returns the query for this input.
    pub(crate) fn query_for(&self, input: &Input) -> Query {
        let mut query = self.query.clone();
        if input.member.is_some() {
            query.member.clone_from(&input.member);
        }
        query
    }

    /// Handles the file of a finished input: keeps it for a while if it was good and there is
    /// space. A good file that did not fit this query may fit the next one.
    pub(crate) fn settle(&self, file: &PartialFile, length: u64, good: bool) {
        if !good || self.full.load(Ordering::Relaxed) || self.kept.fetch_add(length, Ordering::Relaxed) >= KEPT {
            file.remove();
        }
    }
}
