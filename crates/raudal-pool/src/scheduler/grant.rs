//! The right of a job to begin, and the slot that a waiting job lends.

use super::keys::KeyId;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The right of a job to begin. It is given back with `Scheduler::ended`.
#[derive(Debug)]
pub(crate) struct Grant {
    pub(crate) id: usize,
    pub(crate) key: Option<KeyId>,
    pub(super) weight: usize,
    pub(super) loan: Option<Arc<Loan>>,
    /// What its own slot was lent with, if it ever was.
    pub(crate) lends: Option<Arc<Loan>>,
    /// An adaptive limit depends on how the job goes.
    pub(super) is_metered: bool,
}

impl Grant {
    /// The place of a job that is not in the table of its run.
    pub(crate) const UNLISTED: usize = usize::MAX;

    pub(crate) fn is_metered(&self) -> bool {
        self.is_metered
    }

    pub(crate) fn weight(&self) -> usize {
        self.weight
    }

    /// Whether another job may have this slot as it is.
    pub(crate) fn is_plain(&self) -> bool {
        self.key.is_none() && self.weight == 1 && self.loan.is_none() && self.lends.is_none()
    }
}

/// The slot of a job that waits for another run of its own pool. One job of that run may use it meanwhile, so that a
/// pool never waits for itself.
#[derive(Debug)]
pub(crate) struct Loan {
    pub(crate) key: Option<KeyId>,
    /// Its owner waits. Set anew whenever the owner is polled: what it waits for may have changed.
    pub(super) offered: AtomicBool,
    pub(super) lent: AtomicBool,
    /// How many slots the borrower gives back, if the owner ended before it.
    pub(super) left: AtomicUsize,
    /// The slot was borrowed itself by its owner, who ended before the borrower.
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

    /// The owner goes on.
    pub(crate) fn take_back(&self) {
        self.offered.store(false, Relaxed);
    }
}
