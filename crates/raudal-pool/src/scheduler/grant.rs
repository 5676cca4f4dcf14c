//! Grants: the slots that jobs hold. Loans: the slots that waiting jobs lend.

use super::keys::KeyId;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The slots that a job holds. `Scheduler::ended` takes them back.
#[derive(Debug)]
pub(crate) struct Grant {
    pub(crate) id: usize,
    pub(crate) key: Option<KeyId>,
    pub(super) weight: usize,
    pub(super) loan: Option<Arc<Loan>>,
    /// The loan of its own slot, if it was ever lent.
    pub(crate) lends: Option<Arc<Loan>>,
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
        self.key.is_none() && self.weight == 1 && self.loan.is_none() && self.lends.is_none()
    }
}

/// The slot of a job that waits for another run of its own pool. One job of that run may use it, so that a pool never
/// waits for itself.
#[derive(Debug)]
pub(crate) struct Loan {
    pub(crate) key: Option<KeyId>,
    /// Whether its owner waits. Set again at each poll of the owner, which may wait for another run by then.
    pub(super) offered: AtomicBool,
    pub(super) lent: AtomicBool,
    /// How many slots the borrower frees when it ends, if the owner ended first.
    pub(super) left: AtomicUsize,
    /// The loan by which the owner had the slot itself, if the owner ended first.
    pub(super) owes: Mutex<Option<Arc<Loan>>>,
}

impl Loan {
    pub(crate) fn new(key: Option<KeyId>) -> Self {
        let (offered, lent) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { key, offered, lent, left: AtomicUsize::new(0), owes: Mutex::default() }
    }

    pub(super) fn owes(&self) -> MutexGuard<'_, Option<Arc<Self>>> {
        self.owes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Stops lending: the owner goes on.
    pub(crate) fn take_back(&self) {
        self.offered.store(false, Relaxed);
    }
}
