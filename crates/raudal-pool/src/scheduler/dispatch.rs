//! Grants slots: to the runs in turn, and within a run to its lanes in turn.

use super::gate::RateLimited;
use super::keys::KeyId;
use super::{Grant, NestedSlot, RunId, Scheduler};
use std::cmp::Reverse;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Weak};

impl Scheduler {
    /// Returns, if an input may be pulled for the run, how many of its jobs wait (all of them held back) and how many
    /// may be in flight. Otherwise `None`.
    ///
    /// It may be pulled if a slot is free that no waiting job can use. A run that shares its pool pulls one input ahead
    /// while all slots are taken: its waiting job keeps the run in the ring, so that it gets its turn.
    pub(crate) fn vacancy(&self, run: RunId) -> Option<(usize, usize)> {
        let queue = &self.runs[run];
        let may_begin = queue.in_use < queue.limit && !queue.paused && !queue.closed && queue.granted.is_empty();
        let has_slot = || self.in_use < self.limit && self.ring.is_empty() && self.gate.closed_until().is_none();
        let is_shared = || self.runs.len() > 1 && !queue.has_listed();
        (may_begin && (has_slot() || is_shared())).then(|| (queue.waiting, queue.limit.min(self.limit)))
    }

    /// Returns the key that holds back the most jobs of the run, and how many.
    pub(crate) fn fullest_key(&self, run: RunId) -> Option<(Arc<str>, usize)> {
        let (key, waiting) = self.runs[run].fullest_lane()?;
        Some((Arc::clone(&self.keys.get(key).name), waiting))
    }

    /// Grants slots to all jobs that may start. Does not wake `own`, whose caller takes its grants itself.
    pub(crate) fn dispatch(&mut self, own: Option<RunId>) {
        while self.in_use < self.limit && self.gate.closed_until().is_none() {
            let Some(run) = self.next_run() else { break };
            match self.pick(run) {
                PickOutcome::Granted => self.tell(run, own),
                PickOutcome::Nothing => {}
                // If lighter jobs went first, it might never start.
                PickOutcome::TooHeavy | PickOutcome::RateLimited => break,
            }
        }
        self.dispatch_nested(own);
    }

    fn tell(&mut self, run: RunId, own: Option<RunId>) {
        if own != Some(run) {
            self.wake(run);
        }
    }

    /// Returns the run whose turn it is: with priorities, the one with the most urgent job.
    fn next_run(&mut self) -> Option<RunId> {
        if self.ring.len() > 1 && self.ring.iter().any(|run| self.runs[*run].uses_priority) {
            let priority = |run: &RunId| self.runs[*run].highest();
            let best = self.ring.iter().enumerate().max_by_key(|(place, run)| (priority(run), Reverse(*place)));
            let place = best.map_or(0, |(place, _)| place);
            self.ring.rotate_left(place);
        }
        self.ring.front().copied()
    }

    /// Grants slots to one job of the run at the front of the ring, if one may start.
    fn pick(&mut self, run: RunId) -> PickOutcome {
        loop {
            let queue = &mut self.runs[run];
            let next = (!queue.paused && queue.in_use < queue.limit).then(|| queue.next_lane()).flatten();
            let Some((lane, job)) = next else {
                self.ring.pop_front();
                queue.in_ring = false;
                return PickOutcome::Nothing;
            };
            let weight = job.weight.clamp(1, self.limit);
            if queue.in_use > 0 && queue.in_use + weight > queue.limit {
                // The run waits until enough of its jobs have ended; none of its lighter jobs goes first.
                self.ring.pop_front();
                queue.in_ring = false;
                return PickOutcome::Nothing;
            }
            if let Some(key) = lane {
                let key_limit = self.keys.limit_of(key);
                let weight = weight.min(key_limit);
                if self.keys.free_slots(key) < weight {
                    self.block(run, key);
                    continue;
                }
            }
            if self.in_use + weight > self.limit {
                return PickOutcome::TooHeavy;
            }
            let weight = lane.map_or(weight, |key| weight.min(self.keys.limit_of(key)));
            match self.gate.pass(&mut self.keys, run, lane, job.id) {
                Ok(()) => {}
                Err(RateLimited::KeyState(key)) => {
                    self.block(run, key);
                    continue;
                }
                Err(RateLimited::All) => return PickOutcome::RateLimited,
            }
            let queue = &mut self.runs[run];
            queue.pop(lane);
            self.ring.rotate_left(1);
            if !self.runs[run].has_listed() {
                self.runs[run].in_ring = false;
                self.ring.pop_back();
            }
            let is_metered = self.adaptive.depend_on(&self.keys, lane);
            let grant = Grant { id: job.id, key: lane, weight, reuses: None, nested: None, is_metered };
            self.count(run, &grant);
            if let Some(key) = lane {
                self.keys.get_mut(key).running += weight;
                self.unblock(key);
            }
            self.runs[run].granted.push_back(grant);
            return PickOutcome::Granted;
        }
    }

    pub(super) fn count(&mut self, run: RunId, grant: &Grant) {
        if grant.reuses.is_none() {
            self.in_use += grant.weight;
        }
        self.running += 1;
        let queue = &mut self.runs[run];
        queue.in_use += grant.weight;
        queue.running += 1;
        queue.peak = queue.peak.max(queue.running);
    }

    /// Grants nested slots.
    fn dispatch_nested(&mut self, own: Option<RunId>) {
        for place in 0..self.awaited.len() {
            let run = self.awaited[place];
            while let Some(grant) = self.grant_nested(run) {
                self.count(run, &grant);
                self.runs[run].granted.push_back(grant);
                self.tell(run, own);
            }
        }
    }

    fn grant_nested(&mut self, run: RunId) -> Option<Grant> {
        let queue = &self.runs[run];
        if queue.paused || queue.closed || self.gate.closed_until().is_some() {
            return None;
        }
        let free = |slot: &Weak<NestedSlot>| {
            slot.upgrade().filter(|slot| slot.offered.load(Relaxed) && !slot.taken.load(Relaxed))
        };
        let slot = queue.nested_slots.iter().find_map(free)?;
        // A nested slot is one slot, whatever the job weighs. It includes the owner's slot of its key.
        let (lane, job) = queue.any_lane(|key| self.keys.free_slots(key) > 0 || slot.key == Some(key))?;
        if lane.is_some_and(|key| self.keys.get(key).paused_until.is_some()) {
            return None;
        }
        match self.gate.pass(&mut self.keys, run, lane, job.id) {
            Ok(()) => {}
            Err(RateLimited::KeyState(key)) => {
                self.block(run, key);
                return None;
            }
            Err(RateLimited::All) => return None,
        }
        let queue = &mut self.runs[run];
        queue.pop(lane);
        if queue.in_ring && !queue.has_listed() {
            queue.in_ring = false;
            self.ring.retain(|other| *other != run);
        }
        slot.taken.store(true, Relaxed);
        if let Some(key) = lane.filter(|_| lane != slot.key) {
            self.keys.get_mut(key).running += 1;
        }
        let is_metered = self.adaptive.depend_on(&self.keys, lane);
        Some(Grant { id: job.id, key: lane, weight: 1, reuses: Some(slot), nested: None, is_metered })
    }

    // Lists.

    pub(super) fn list_run(&mut self, run: RunId) {
        let queue = &mut self.runs[run];
        if !queue.in_ring && !queue.paused && !queue.closed && queue.in_use < queue.limit && queue.has_listed() {
            queue.in_ring = true;
            self.ring.push_back(run);
        }
    }

    pub(super) fn list_lane(&mut self, run: RunId, key: Option<KeyId>) {
        let is_held = key.is_some_and(|key| self.keys.free_slots(key) == 0);
        if is_held {
            if let Some(key) = key {
                self.block(run, key);
            }
            return;
        }
        self.runs[run].list(key);
        self.list_run(run);
    }

    /// Takes a lane off its run's list until its key has a free slot.
    fn block(&mut self, run: RunId, key: KeyId) {
        if self.runs[run].block(key) {
            self.keys.get_mut(key).blocked.push_back(run);
        }
    }

    /// Lists lanes that wait for a key, as many as the key has free slots.
    pub(super) fn unblock(&mut self, key: KeyId) {
        let mut free = self.keys.free_slots(key);
        while free > 0 {
            let Some(run) = self.keys.get_mut(key).blocked.pop_front() else { return };
            let Some(queue) = self.runs.get_mut(run) else { continue };
            if !queue.unblock(key) {
                continue;
            }
            let is_eligible = !queue.paused && queue.in_use < queue.limit;
            free -= usize::from(is_eligible);
            self.list_run(run);
        }
    }

    /// Passes the free slots of keys, for which lanes of this run were listed, to other runs.
    pub(super) fn unblock_lanes_of(&mut self, run: RunId) {
        for key in self.runs[run].listed_keys() {
            self.unblock(key);
        }
    }
}

enum PickOutcome {
    Granted,
    Nothing,
    TooHeavy,
    RateLimited,
}
