//! Decides which waiting job of a pool starts next. Runs no user code.
//!
//! Each run of a pool has a queue here, with a lane for each key. Free slots go to the runs in turn, and within a run to
//! its lanes in turn, highest priority first. All limits of the pool are enforced here, for all runs together.
//!
//! A job that may start is *granted* slots: its run takes the grant with [`Scheduler::take`]. The scheduler collects
//! wakers; the caller wakes them after it has released the lock.

mod adaptive;
mod gate;
mod grant;
mod keys;
mod lane;
mod run;

pub(crate) use grant::{Grant, NestedSlot};
pub(crate) use keys::KeyId;
pub(crate) use run::{RunEntry, RunId};

use crate::limit::{Change, Learned, Meter, Pressure};
use crate::rate::Rates;
use adaptive::{AdaptiveLimits, Snapshot};
use gate::{Gate, Refused};
use keys::Keys;
use lane::WaitingJob;
use run::{Later, RunQueue};
use slab::Slab;
use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Weak};
use std::task::Waker;
use tokio::time::Instant;

#[derive(Debug)]
pub(crate) struct Scheduler {
    limit: usize,
    in_use: usize,
    /// Running jobs, regardless of weight.
    running: usize,
    keys: Keys,
    runs: Slab<RunQueue>,
    /// Runs that may have a job to start, each once, in turn.
    ring: VecDeque<RunId>,
    /// Runs that jobs of this pool wait for.
    awaited: Vec<RunId>,
    gate: Gate,
    adaptive: AdaptiveLimits,
    wakers: Vec<Waker>,
}

/// The limits of a pool.
pub(crate) struct Bounds {
    pub(crate) jobs: usize,
    pub(crate) per_key: usize,
    /// The highest adaptive limit of all jobs, and of one key.
    pub(crate) adaptive: (Option<usize>, Option<usize>),
    pub(crate) rates: Rates,
    /// What earlier runs have learned, by key.
    pub(crate) known: HashMap<String, Learned>,
}

impl Scheduler {
    pub(crate) fn new(bounds: Bounds) -> Self {
        let Bounds { jobs, per_key, adaptive: (of_all, of_key), rates, known } = bounds;
        Self {
            limit: jobs,
            in_use: 0,
            running: 0,
            keys: Keys::new(per_key),
            runs: Slab::new(),
            ring: VecDeque::new(),
            awaited: Vec::new(),
            gate: Gate::new(rates),
            adaptive: AdaptiveLimits::new(of_all, of_key, known),
            wakers: Vec::new(),
        }
    }

    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

    pub(crate) fn running(&self) -> usize {
        self.running
    }

    pub(crate) fn waiting(&self) -> usize {
        self.runs.iter().map(|(_, run)| run.waiting).sum()
    }

    /// Takes the wakers of the runs that can go on. Wake them without the lock.
    pub(crate) fn take_wakers(&mut self) -> Vec<Waker> {
        std::mem::take(&mut self.wakers)
    }

    // Runs.

    /// Adds a run. `hungry`: its input may bring jobs.
    pub(crate) fn add_run(&mut self, limit: usize, hungry: bool) -> RunId {
        self.runs.insert(RunQueue::new(limit, hungry))
    }

    pub(crate) fn remove_run(&mut self, run: RunId) {
        self.runs.remove(run);
        self.wake_hungry();
        self.ring.retain(|other| *other != run);
        self.awaited.retain(|other| *other != run);
        self.gate.forget_run(run);
    }

    /// Sets the waker of the task that drives a run.
    pub(crate) fn set_waker(&mut self, run: RunId, waker: &Waker) {
        self.runs[run].waker.clone_from(waker);
    }

    pub(crate) fn wake(&mut self, run: RunId) {
        let waker = self.runs[run].waker.clone();
        self.wakers.push(waker);
    }

    /// Records that the input of a run is over: the run needs free slots only for its waiting jobs.
    pub(crate) fn input_is_over(&mut self, run: RunId) {
        self.runs[run].hungry = false;
    }

    pub(crate) fn pause_run(&mut self, run: RunId, paused: bool) {
        self.runs[run].paused = paused;
        if paused {
            self.unblock_lanes_of(run);
        } else {
            self.list_run(run);
            self.wake(run);
        }
    }

    pub(crate) fn set_run_limit(&mut self, run: RunId, limit: usize) {
        self.runs[run].limit = limit;
        self.list_run(run);
        self.wake(run);
    }

    /// Returns how many jobs of a run may be in flight, and how many are.
    pub(crate) fn run_slots(&self, run: RunId) -> (usize, usize) {
        (self.runs[run].limit.min(self.limit), self.runs[run].running)
    }

    pub(crate) fn waiting_of(&self, run: RunId) -> usize {
        self.runs[run].waiting
    }

    pub(crate) fn peak_of(&self, run: RunId) -> usize {
        self.runs[run].peak
    }

    /// Closes a run and returns its jobs that wait, or were granted and have not started. Grants it nothing from here on.
    pub(crate) fn close(&mut self, run: RunId) -> Vec<usize> {
        self.unblock_lanes_of(run);
        let queue = &mut self.runs[run];
        queue.closed = true;
        queue.hungry = false;
        let mut ids = queue.drain();
        let granted = std::mem::take(&mut queue.granted);
        for grant in granted {
            ids.push(grant.id);
            self.ended(run, &grant);
        }
        self.dispatch(None);
        ids
    }

    /// Offers the slot of a job to the run that the job waits for.
    pub(crate) fn offer_slot(&mut self, run: RunId, slot: &Arc<NestedSlot>) {
        slot.offered.store(true, Relaxed);
        let slots = &mut self.runs[run].nested_slots;
        if slots.iter().any(|known| std::ptr::eq(known.as_ptr(), Arc::as_ptr(slot))) {
            return;
        }
        slots.retain(|known| known.strong_count() > 0);
        slots.push(Arc::downgrade(slot));
        if !self.awaited.contains(&run) {
            self.awaited.push(run);
        }
        self.wake(run);
    }

    // Jobs.

    pub(crate) fn intern(&mut self, key: &str) -> KeyId {
        self.keys.intern(key)
    }

    pub(crate) fn release_key(&mut self, key: Option<KeyId>) {
        if let Some(key) = key {
            self.keys.release(key);
        }
    }

    /// Returns what measures the progress of a job, for the adaptive limits that count it.
    pub(crate) fn meters(&mut self, run: RunId, key: Option<KeyId>) -> (Option<Arc<Meter>>, Option<Arc<Meter>>) {
        if self.adaptive.begin(Instant::now()) {
            self.wake(run);
        }
        self.adaptive.meters(&mut self.keys, key)
    }

    /// Queues a job.
    pub(crate) fn push(&mut self, run: RunId, entry: RunEntry, first: bool) {
        let queue = &mut self.runs[run];
        queue.waiting += 1;
        queue.uses_priority |= entry.priority != 0;
        queue.lane(entry.key).push(WaitingJob { id: entry.id, weight: entry.weight }, entry.priority, first);
        self.list_lane(run, entry.key);
    }

    /// Queues a retry that may start at `when`. It then goes before new jobs of its priority.
    pub(crate) fn push_later(&mut self, run: RunId, entry: RunEntry, when: Instant) {
        let queue = &mut self.runs[run];
        queue.waiting += 1;
        queue.sequence += 1;
        queue.later.push(Reverse(Later { when, sequence: queue.sequence, entry }));
    }

    /// Removes a waiting job. Returns false if it no longer waits.
    pub(crate) fn remove(&mut self, run: RunId, id: usize) -> bool {
        let Some(queue) = self.runs.get_mut(run) else { return false };
        let (removed, emptied) = queue.remove(id);
        if let Some(key) = emptied {
            self.unblock(key);
        }
        self.gate.forget_job(run, id);
        removed
    }

    /// Takes a grant of the run, if there is one.
    pub(crate) fn take(&mut self, run: RunId) -> Option<Grant> {
        self.runs[run].granted.pop_front()
    }

    /// Returns whether the run has grants to take.
    pub(crate) fn has_granted(&self, run: RunId) -> bool {
        !self.runs[run].granted.is_empty()
    }

    /// Returns whether workers may keep their slots for the next input: the pool has one run, and nothing else waits for a
    /// slot. If so, how many jobs of the run may be in flight; otherwise 0.
    pub(crate) fn keep_limit(&self) -> usize {
        let only = if self.runs.len() == 1 { self.runs.iter().next() } else { None };
        let Some((_, queue)) = only else { return 0 };
        let is_alone = self.ring.is_empty() && queue.waiting == 0 && queue.granted.is_empty();
        let fits = self.in_use <= self.limit && queue.in_use <= queue.limit;
        let is_open = queue.hungry && !queue.paused && !queue.closed;
        if is_alone && fits && is_open && self.gate.is_free() { queue.limit.min(self.limit) } else { 0 }
    }

    /// Grants slots to a job without queueing it, if they are free and nothing waits. Only for jobs without a key.
    pub(crate) fn grant_at_once(&mut self, run: RunId, weight: usize) -> Option<Grant> {
        let weight = weight.clamp(1, self.limit);
        let queue = &self.runs[run];
        let is_alone = self.ring.is_empty() && queue.waiting == 0 && queue.granted.is_empty() && !queue.paused;
        let fits = self.in_use + weight <= self.limit && (queue.in_use + weight <= queue.limit || queue.in_use == 0);
        if !is_alone || !fits || queue.closed || !self.gate.is_free() {
            return None;
        }
        let is_metered = self.adaptive.depend_on(&self.keys, None);
        let grant = Grant { id: Grant::UNLISTED, key: None, weight, reuses: None, nested: None, is_metered };
        self.count(run, &grant);
        Some(grant)
    }

    /// Takes back the slots of a job that ran.
    pub(crate) fn ended(&mut self, run: RunId, grant: &Grant) {
        let queue = &mut self.runs[run];
        queue.running -= 1;
        queue.in_use -= grant.weight;
        self.running -= 1;
        // A nested job keeps the slot until it ends itself.
        let taken = grant.nested.as_ref().filter(|slot| slot.taken.load(Relaxed));
        match (&grant.reuses, taken) {
            (None, None) => {
                self.in_use -= grant.weight;
                self.leave_key(grant.key, grant.weight);
            }
            (None, Some(nested)) => {
                nested.left.store(grant.weight, Relaxed);
                if let Some(key) = nested.key {
                    self.keys.retain(key);
                }
            }
            (Some(slot), taken) => {
                if grant.key != slot.key {
                    self.leave_key(grant.key, 1);
                }
                match taken {
                    None => self.free_nested(slot),
                    Some(nested) => *nested.outer() = Some(Arc::clone(slot)),
                }
            }
        }
        self.list_run(run);
    }

    /// Takes back a slot whose nested job has ended.
    fn free_nested(&mut self, slot: &NestedSlot) {
        slot.taken.store(false, Relaxed);
        let left = slot.left.swap(0, Relaxed);
        if left > 0 {
            self.in_use -= left;
            self.leave_key(slot.key, left);
            self.release_key(slot.key);
        }
        let outer = slot.outer().take();
        if let Some(outer) = outer {
            self.free_nested(&outer);
        }
    }

    fn leave_key(&mut self, key: Option<KeyId>, slots: usize) {
        if let Some(key) = key {
            self.keys.get_mut(key).running -= slots;
            self.unblock(key);
            self.keys.forget_if_idle(key);
        }
    }

    /// Returns whether an input may be pulled for the run. If so: how many jobs of the run wait, all of them held back, and
    /// how many may be in flight.
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
                Pick::Granted => self.tell(run, own),
                Pick::Nothing => {}
                // If lighter jobs went first, it might never start.
                Pick::TooHeavy | Pick::RateSays => break,
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
    fn pick(&mut self, run: RunId) -> Pick {
        loop {
            let queue = &mut self.runs[run];
            let next = (!queue.paused && queue.in_use < queue.limit).then(|| queue.next_lane()).flatten();
            let Some((lane, job)) = next else {
                self.ring.pop_front();
                queue.in_ring = false;
                return Pick::Nothing;
            };
            let weight = job.weight.clamp(1, self.limit);
            if queue.in_use > 0 && queue.in_use + weight > queue.limit {
                // The run waits until enough of its jobs have ended; none of its lighter jobs goes first.
                self.ring.pop_front();
                queue.in_ring = false;
                return Pick::Nothing;
            }
            if let Some(key) = lane {
                let key_limit = self.keys.limit_of(key);
                let weight = weight.min(key_limit);
                if self.keys.room(key) < weight {
                    self.block(run, key);
                    continue;
                }
            }
            if self.in_use + weight > self.limit {
                return Pick::TooHeavy;
            }
            let weight = lane.map_or(weight, |key| weight.min(self.keys.limit_of(key)));
            match self.gate.pass(&mut self.keys, run, lane, job.id) {
                Ok(()) => {}
                Err(Refused::Key(key)) => {
                    self.block(run, key);
                    continue;
                }
                Err(Refused::All) => return Pick::RateSays,
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
            return Pick::Granted;
        }
    }

    fn count(&mut self, run: RunId, grant: &Grant) {
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
        let (lane, job) = queue.any_lane(|key| self.keys.room(key) > 0 || slot.key == Some(key))?;
        if lane.is_some_and(|key| self.keys.get(key).paused_until.is_some()) {
            return None;
        }
        match self.gate.pass(&mut self.keys, run, lane, job.id) {
            Ok(()) => {}
            Err(Refused::Key(key)) => {
                self.block(run, key);
                return None;
            }
            Err(Refused::All) => return None,
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

    fn list_run(&mut self, run: RunId) {
        let queue = &mut self.runs[run];
        if !queue.in_ring && !queue.paused && !queue.closed && queue.in_use < queue.limit && queue.has_listed() {
            queue.in_ring = true;
            self.ring.push_back(run);
        }
    }

    fn list_lane(&mut self, run: RunId, key: Option<KeyId>) {
        let is_held = key.is_some_and(|key| self.keys.room(key) == 0);
        if is_held {
            if let Some(key) = key {
                self.block(run, key);
            }
            return;
        }
        self.runs[run].list(key);
        self.list_run(run);
    }

    /// Takes a lane off its run's list until its key has room.
    fn block(&mut self, run: RunId, key: KeyId) {
        if self.runs[run].block(key) {
            self.keys.get_mut(key).blocked.push_back(run);
        }
    }

    /// Lists lanes that wait for a key, as many as the key has room for.
    fn unblock(&mut self, key: KeyId) {
        let mut room = self.keys.room(key);
        while room > 0 {
            let Some(run) = self.keys.get_mut(key).blocked.pop_front() else { return };
            let Some(queue) = self.runs.get_mut(run) else { continue };
            if !queue.unblock(key) {
                continue;
            }
            let is_eligible = !queue.paused && queue.in_use < queue.limit;
            room -= usize::from(is_eligible);
            self.list_run(run);
        }
    }

    /// Passes the room that this run's lanes were listed for to other runs.
    fn unblock_lanes_of(&mut self, run: RunId) {
        for key in self.runs[run].listed_keys() {
            self.unblock(key);
        }
    }

    // Time.

    /// Ends the waits whose time has come.
    pub(crate) fn tick(&mut self, run: RunId, now: Instant) {
        self.gate.tick(now);
        while let Some(key) = self.keys.end_pause(now) {
            self.unblock(key);
        }
        while let Some(entry) = self.runs[run].due(now) {
            self.runs[run].waiting -= 1;
            self.push(run, entry, true);
        }
    }

    /// Returns when the run must be looked at again, even if nothing else happens.
    pub(crate) fn next_wake(&self, run: RunId) -> Option<Instant> {
        let queue = &self.runs[run];
        let later = queue.later.peek().map(|Reverse(later)| later.when);
        let pause = self.keys.next_end_of_pause().filter(|_| queue.waiting > 0);
        let look = self.adaptive.next_look().filter(|_| !queue.closed);
        [later, pause, self.gate.closed_until(), look].into_iter().flatten().min()
    }

    // Limits.

    pub(crate) fn set_limit(&mut self, limit: usize) {
        self.limit = limit.max(1);
        self.wake_hungry();
    }

    pub(crate) fn set_key_limit(&mut self, name: &str, limit: usize) {
        let key = self.keys.intern(name);
        self.keys.get_mut(key).limit = Some(limit.max(1));
        self.unblock(key);
        self.keys.release(key);
        self.wake_hungry();
    }

    pub(crate) fn name_of(&self, key: KeyId) -> Arc<str> {
        Arc::clone(&self.keys.get(key).name)
    }

    pub(crate) fn pause_key(&mut self, key: KeyId, until: Instant) {
        self.keys.pause(key, until);
    }

    /// Wakes the runs whose input may bring jobs: a slot is free.
    pub(crate) fn wake_hungry(&mut self) {
        self.wakers.extend(self.runs.iter().filter(|(_, run)| run.hungry).map(|(_, run)| run.waker.clone()));
    }

    // Spare permits.

    /// Returns how many slots are free that no job can want. With a key, at most the room of that key.
    pub(crate) fn spare(&self, key: Option<&str>) -> usize {
        let may_be_wanted = self.runs.iter().any(|(_, run)| run.hungry || run.waiting > 0 || !run.granted.is_empty());
        if may_be_wanted {
            return 0;
        }
        let free = self.limit.saturating_sub(self.in_use);
        let of_key = |name: &str| self.keys.find(name).map_or(self.keys.limit, |key| self.keys.room(key));
        key.map_or(free, |name| free.min(of_key(name)))
    }

    /// Takes a spare slot.
    pub(crate) fn acquire_spare(&mut self, name: Option<&str>) -> Option<Spare> {
        let free = self.spare(None) > 0;
        let key = name.map(|name| self.keys.intern(name));
        let has_room = key.is_none_or(|key| self.keys.room(key) > 0);
        if let Some(key) = key {
            self.keys.get_mut(key).wanted = free && !has_room;
        }
        if !free || !has_room {
            self.release_key(key);
            return None;
        }
        self.in_use += 1;
        if let Some(key) = key {
            self.keys.get_mut(key).running += 1;
        }
        Some(Spare { key })
    }

    /// Takes a slot before any waiting job. While no slot is free it is one too many, and so no job begins until one has
    /// ended.
    pub(crate) fn claim(&mut self, name: Option<&str>) -> Option<Spare> {
        let key = name.map(|name| self.keys.intern(name));
        let limit = key.map_or(self.limit, |key| self.keys.limit_of(key).min(self.limit));
        if limit <= 1 {
            self.release_key(key);
            return None;
        }
        self.in_use += 1;
        if let Some(key) = key {
            self.keys.get_mut(key).running += 1;
        }
        Some(Spare { key })
    }

    /// Whether no more slots are taken than there are; with a key, of that key as well.
    pub(crate) fn is_within_limits(&self, key: Option<KeyId>) -> bool {
        let of_key =
            |key| self.keys.get(key).paused_until.is_none() && self.keys.get(key).running <= self.keys.limit_of(key);
        self.in_use <= self.limit && key.is_none_or(of_key)
    }

    pub(crate) fn release_spare(&mut self, key: Option<KeyId>) {
        self.in_use -= 1;
        if let Some(key) = key {
            self.keys.get_mut(key).running -= 1;
            self.unblock(key);
            self.keys.release(key);
        }
        // Meanwhile a job may have come back for another attempt.
        self.dispatch(None);
    }

    // Adaptive limits.

    /// Records a failed attempt that tells something about the load on the other side.
    pub(crate) fn pressed(&mut self, run: RunId, key: Option<KeyId>, pressure: Pressure) {
        if pressure == Pressure::None {
            return;
        }
        if self.adaptive.press(&mut self.keys, key, pressure, Instant::now()) {
            self.wake(run);
        }
    }

    /// Records that a job of this key has succeeded. Its success is its first sign of life, unless it reported bytes.
    pub(crate) fn succeeded(&mut self, key: Option<KeyId>, is_first: bool) {
        self.adaptive.succeeded(&mut self.keys, key, is_first);
    }

    /// Returns what the adaptive limits of keys have learned.
    pub(crate) fn learned(&mut self) -> Vec<(String, Learned)> {
        let learned = |key: &keys::Key| Some((key.name.to_string(), key.adaptive.as_ref()?.learned()?));
        self.keys.iter_mut().filter_map(|(_, key)| learned(key)).collect()
    }

    /// Checks the adaptive limits, if it is time, and tells each run what has changed.
    pub(crate) fn look(&mut self, now: Instant, may_grow: bool) {
        if !self.adaptive.is_due(now) {
            return;
        }
        let is_wanted = self.spare(None) == 0;
        let snapshot = Snapshot { now, limit: self.limit, in_use: self.in_use, may_grow, is_wanted };
        let changes = self.adaptive.look(&mut self.keys, snapshot);
        if changes.is_empty() {
            return;
        }
        for (key, change) in &changes {
            match key {
                Some(key) => self.unblock(*key),
                None => self.limit = change.limit,
            }
        }
        for (_, run) in self.runs.iter_mut().filter(|(_, run)| !run.closed) {
            run.changes.extend(changes.iter().map(|(_, change)| change.clone()));
            self.wakers.push(run.waker.clone());
        }
    }

    /// Takes the changes of limits since this run last asked.
    pub(crate) fn take_changes(&mut self, run: RunId) -> Vec<Change> {
        std::mem::take(&mut self.runs[run].changes)
    }
}

/// A slot that no job wants, used by other work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spare {
    pub(crate) key: Option<KeyId>,
}

enum Pick {
    Granted,
    Nothing,
    TooHeavy,
    RateSays,
}
