//! The limits of a pool that adapt: of all its jobs together, and of each key.

use super::keys::{KeyId, Keys};
use crate::limit::{Adaptive, Change, Meter, Pressure};
use std::sync::Arc;
use tokio::time::Instant;

/// What there is to see of the pool when its limits are looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sight {
    pub(super) now: Instant,
    /// The limit of all jobs so far, and the slots taken.
    pub(super) limit: usize,
    pub(super) in_use: usize,
    /// Nothing outside of the pool speaks against more jobs.
    pub(super) may_grow: bool,
    /// Some job may want a further slot.
    pub(super) is_wanted: bool,
}

#[derive(Debug)]
pub(super) struct AdaptiveLimits {
    of_all: Option<Box<Adaptive>>,
    /// How high the limit of a key may grow, if the limits of keys adapt.
    per_key: Option<usize>,
    /// When they are to be looked at next.
    look_at: Option<Instant>,
}

impl AdaptiveLimits {
    /// The highest limit of all jobs, and of one key.
    pub(super) fn new(of_all: Option<usize>, per_key: Option<usize>) -> Self {
        Self { of_all: of_all.map(|most| Box::new(Adaptive::new(Some(most)))), per_key, look_at: None }
    }

    pub(super) fn next_look(&self) -> Option<Instant> {
        self.look_at
    }

    /// Whether a limit depends on the jobs of this key.
    pub(super) fn depend_on(&self, keys: &Keys, key: Option<KeyId>) -> bool {
        self.of_all.is_some() || key.is_some_and(|key| self.per_key.is_some() || keys.get(key).adaptive.is_some())
    }

    /// Looks without delay. False if it was to be done already.
    pub(super) fn begin(&mut self, now: Instant) -> bool {
        let is_first = self.look_at.is_none();
        self.look_at.get_or_insert(now);
        is_first
    }

    /// What measures the progress of a job, of all together and of its key.
    pub(super) fn meters(&self, keys: &mut Keys, key: Option<KeyId>) -> (Option<Arc<Meter>>, Option<Arc<Meter>>) {
        let of_key = key.and_then(|key| {
            let adaptive = &mut keys.get_mut(key).adaptive;
            if self.per_key.is_some() {
                adaptive.get_or_insert_with(|| Box::new(Adaptive::new(self.per_key)));
            }
            adaptive.as_ref().map(|adaptive| adaptive.meter())
        });
        (self.of_all.as_ref().map(|adaptive| adaptive.meter()), of_key)
    }

    /// An attempt went wrong in a way that may say something of the other side. True if a limit is to be looked at at
    /// once: what begins now would be refused as well.
    pub(super) fn press(&mut self, keys: &mut Keys, key: Option<KeyId>, pressure: Pressure, now: Instant) -> bool {
        let mut is_felt = false;
        if let Some(adaptive) = &mut self.of_all {
            adaptive.press(pressure);
            is_felt = true;
        }
        if let Some(key) = key {
            let adaptive = &mut keys.get_mut(key).adaptive;
            // A fixed limit is lowered by time-outs only.
            if self.per_key.is_some() || adaptive.is_some() || pressure == Pressure::TimedOut {
                let adaptive = adaptive.get_or_insert_with(|| Box::new(Adaptive::new(self.per_key)));
                adaptive.press(pressure);
                is_felt |= self.per_key.is_some() || adaptive.is_slow();
            }
        }
        if is_felt {
            self.look_at = Some(now);
        }
        is_felt
    }

    /// A job of this key has succeeded.
    pub(super) fn succeeded(&mut self, keys: &mut Keys, key: Option<KeyId>) {
        let of_key = key.and_then(|key| keys.get_mut(key).adaptive.as_mut());
        for adaptive in [self.of_all.as_mut(), of_key].into_iter().flatten() {
            adaptive.succeeded();
        }
    }

    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.look_at.is_some_and(|at| at <= now)
    }

    /// Looks at all limits whose jobs run. What has changed; a change of a key stands with it.
    pub(super) fn look(&mut self, keys: &mut Keys, sight: Sight) -> Vec<(Option<KeyId>, Change)> {
        let Sight { now, limit, in_use, may_grow, is_wanted } = sight;
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
