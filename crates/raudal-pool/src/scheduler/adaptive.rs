//! The adaptive limits of a pool: one for all its jobs, and one for each key.

use super::keys::{KeyId, KeyTable};
use crate::limit::{Adaptive, Change, Learned, Meter, Pressure};
use std::collections::HashMap;
use std::sync::Arc;
use tokio::time::Instant;

/// The state of the pool when its limits are checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Snapshot {
    pub(super) now: Instant,
    /// The current limit of all jobs, and the slots taken.
    pub(super) limit: usize,
    pub(super) in_use: usize,
    /// The pool's `hold` function allows limits to grow.
    pub(super) may_grow: bool,
    /// A job may want another slot.
    pub(super) is_wanted: bool,
}

#[derive(Debug)]
pub(super) struct AdaptiveLimits {
    of_all: Option<Box<Adaptive>>,
    /// What earlier runs have learned, by key.
    known: HashMap<String, Learned>,
    /// How high the limit of a key may grow, if the limits of keys adapt.
    per_key: Option<usize>,
    /// When to check them next.
    look_at: Option<Instant>,
}

impl AdaptiveLimits {
    /// Takes the highest limit of all jobs and of one key; `None` does not adapt.
    pub(super) fn new(of_all: Option<usize>, per_key: Option<usize>, known: HashMap<String, Learned>) -> Self {
        let of_all = of_all.map(|most| Box::new(Adaptive::new(Some(most), None)));
        Self { of_all, known, per_key, look_at: None }
    }

    fn of_key<'k>(&self, keys: &'k mut KeyTable, key: KeyId) -> &'k mut Adaptive {
        let key = keys.get_mut(key);
        let known = self.known.get(&*key.name).copied();
        key.adaptive.get_or_insert_with(|| Box::new(Adaptive::new(self.per_key, known)))
    }

    pub(super) fn next_look(&self) -> Option<Instant> {
        self.look_at
    }

    /// Returns whether an adaptive limit counts the jobs of this key.
    pub(super) fn depend_on(&self, keys: &KeyTable, key: Option<KeyId>) -> bool {
        self.of_all.is_some() || key.is_some_and(|key| self.per_key.is_some() || keys.get(key).adaptive.is_some())
    }

    /// Schedules the first check for now. Returns false if one was scheduled already.
    pub(super) fn begin(&mut self, now: Instant) -> bool {
        let is_first = self.look_at.is_none();
        self.look_at.get_or_insert(now);
        is_first
    }

    /// Returns what measures the progress of a job: for all jobs, and for its key.
    pub(super) fn meters(&self, keys: &mut KeyTable, key: Option<KeyId>) -> (Option<Arc<Meter>>, Option<Arc<Meter>>) {
        let of_key = key.and_then(|key| {
            if self.per_key.is_some() {
                self.of_key(keys, key);
            }
            keys.get(key).adaptive.as_ref().map(|adaptive| adaptive.meter())
        });
        (self.of_all.as_ref().map(|adaptive| adaptive.meter()), of_key)
    }

    /// Records a failed attempt that tells something about the load on the other side. Returns true if it schedules a
    /// check for now: further attempts would be refused as well.
    pub(super) fn press(&mut self, keys: &mut KeyTable, key: Option<KeyId>, pressure: Pressure, now: Instant) -> bool {
        let mut is_felt = false;
        if let Some(adaptive) = &mut self.of_all {
            adaptive.press(pressure);
            is_felt = true;
        }
        if let Some(key) = key {
            // Only time-outs lower a fixed limit.
            if self.per_key.is_some() || keys.get(key).adaptive.is_some() || pressure == Pressure::TimedOut {
                let adaptive = self.of_key(keys, key);
                adaptive.press(pressure);
                is_felt |= self.per_key.is_some() || adaptive.is_slow();
            }
        }
        if is_felt {
            self.look_at = Some(now);
        }
        is_felt
    }

    /// Records that a job of this key has succeeded, and whether that is its first progress.
    pub(super) fn succeeded(&mut self, keys: &mut KeyTable, key: Option<KeyId>, is_first: bool) {
        let of_key = key.and_then(|key| keys.get_mut(key).adaptive.as_mut());
        for adaptive in [self.of_all.as_mut(), of_key].into_iter().flatten() {
            adaptive.succeeded(is_first);
        }
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.look_at.is_some_and(|at| at <= now)
    }

    /// Checks all limits with running jobs. Returns the changes, each with its key.
    pub(super) fn look(&mut self, keys: &mut KeyTable, snapshot: Snapshot) -> Vec<(Option<KeyId>, Change)> {
        let Snapshot { now, limit, in_use, may_grow, is_wanted } = snapshot;
        let (mut changes, mut next) = (Vec::new(), None);
        if let Some(adaptive) = &mut self.of_all {
            if let Some((limit, why)) = adaptive.look(now, limit, in_use, may_grow && is_wanted) {
                changes.push((None, Change { key: None, limit, why }));
            }
            next = adaptive.next_look().filter(|_| in_use > 0);
        }
        let common = keys.limit;
        for (id, key) in keys.iter_mut() {
            let (running, wanted) = (key.running, key.wanted);
            let limit = key.limit();
            let Some(adaptive) = key.adaptive.as_mut().filter(|adaptive| running > 0 || adaptive.is_slow()) else {
                continue;
            };
            let allowed = limit.unwrap_or(common);
            if let Some((limit, why)) = adaptive.look(now, allowed, running, may_grow && (is_wanted || wanted)) {
                changes.push((Some(id), Change { key: Some(Arc::clone(&key.name)), limit, why }));
            }
            next = [next, adaptive.next_look()].into_iter().flatten().min();
        }
        self.look_at = next.map(|wait| now + wait);
        changes
    }
}
