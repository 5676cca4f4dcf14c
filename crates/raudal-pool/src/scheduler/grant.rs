//! Grants: the slots that jobs hold. Nested slots: those of jobs that wait for a run of their own pool.

use super::keys::KeyId;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The slots that a job holds. `Scheduler::ended` takes them back.
#[derive(Debug)]
pub(crate) struct Grant {
    pub(crate) id: usize,
    pub(crate) key: Option<KeyId>,
    pub(super) weight: usize,
    /// The slot of a waiting job, if this job runs in one.
    pub(super) reuses: Option<Arc<NestedSlot>>,
    /// Its own slot as a nested one, if it ever waited for a run of its pool.
    pub(crate) nested: Option<Arc<NestedSlot>>,
    /// An adaptive limit counts the job.
    pub(super) is_metered: bool,
}

impl Grant {
    /// The `id` of a job that is not in the table of its run.
    pub(crate) const UNLISTED: usize = usize::MAX;

    pub(crate) fn is_metered(&self) -> bool {
        self.is_metered
    }

    pub(crate) fn weight(&self) -> usize {
        self.weight
    }

    /// Returns whether another job can take over this slot unchanged.
    pub(crate) fn is_plain(&self) -> bool {
        self.key.is_none() && self.weight == 1 && self.reuses.is_none() && self.nested.is_none()
    }
}

/// The slot of a job that waits for another run of its own pool. One job of that run may use it, so that a pool never
/// waits for itself.
#[derive(Debug)]
pub(crate) struct NestedSlot {
    pub(crate) key: Option<KeyId>,
    /// Whether its owner waits. Set again at each poll of the owner, which may wait for another run by then.
    pub(super) offered: AtomicBool,
    /// A nested job runs in it.
    pub(super) taken: AtomicBool,
    /// How many slots the nested job frees when it ends, if the owner ended first.
    pub(super) left: AtomicUsize,
    /// The slot that the owner reused itself, if the owner ended first.
    pub(super) outer: Mutex<Option<Arc<NestedSlot>>>,
}

impl NestedSlot {
    pub(crate) fn new(key: Option<KeyId>) -> Self {
        let (offered, taken) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { key, offered, taken, left: AtomicUsize::new(0), outer: Mutex::default() }
    }

    pub(super) fn outer(&self) -> MutexGuard<'_, Option<Arc<Self>>> {
        self.outer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Offers the slot no more: the owner goes on.
    pub(crate) fn withdraw(&self) {
        self.offered.store(false, Relaxed);
    }
}
