//! Decides which waiting job of a pool starts next. Runs no user code.
//!
//! Each run of a pool has a queue here, with a lane for each key. Free slots go to the runs in turn, and within a run to
//! its lanes in turn, highest priority first. All limits of the pool are enforced here, for all runs together.
//!
//! A job that may start is *granted* slots: its run takes the grant with [`Scheduler::take`]. The scheduler collects
//! wakers; the caller wakes them after it has released the lock.

mod adaptive;
mod dispatch;
mod gate;
mod grant;
mod keys;
mod lane;
mod limits;
mod run;
mod spare;

pub(crate) use grant::{Grant, NestedSlot};
pub(crate) use keys::KeyId;
pub(crate) use run::{RunEntry, RunId};

use crate::limit::Learned;
use crate::rate::Rates;
use adaptive::AdaptiveLimits;
use gate::RateGate;
use keys::KeyTable;
use lane::WaitingJob;
use run::{Later, RunQueue};
use slab::Slab;
use std::cmp::Reverse;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Waker;
use tokio::time::Instant;

#[derive(Debug)]
pub(crate) struct Scheduler {
    limit: usize,
    in_use: usize,
    /// Running jobs, regardless of weight.
    running: usize,
    keys: KeyTable,
    runs: Slab<RunQueue>,
    /// Runs that may have a job to start, each once, in turn.
    ring: VecDeque<RunId>,
    /// Runs that jobs of this pool wait for.
    awaited: Vec<RunId>,
    gate: RateGate,
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
            keys: KeyTable::new(per_key),
            runs: Slab::new(),
            ring: VecDeque::new(),
            awaited: Vec::new(),
            gate: RateGate::new(rates),
            adaptive: AdaptiveLimits::new(of_all, of_key, known),
            wakers: Vec::new(),
        }
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

    /// Removes a run. Returns its waker, which the caller drops without the lock: it is the executor's code.
    pub(crate) fn remove_run(&mut self, run: RunId) -> Waker {
        let removed = self.runs.remove(run);
        self.wake_hungry();
        self.ring.retain(|other| *other != run);
        self.awaited.retain(|other| *other != run);
        self.gate.forget_run(run);
        removed.waker
    }

    /// Sets the waker of the task that drives a run. Returns the earlier one, to be dropped without the lock.
    pub(crate) fn set_waker(&mut self, run: RunId, waker: Waker) -> Waker {
        std::mem::replace(&mut self.runs[run].waker, waker)
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

    /// Returns how many jobs of the run may be in flight, if workers may keep their slots for the next input: the
    /// pool has one run, and nothing else waits for a slot. Otherwise 0.
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

    /// Returns when the run must be checked again, even if nothing else happens.
    pub(crate) fn next_wake(&self, run: RunId) -> Option<Instant> {
        let queue = &self.runs[run];
        let later = queue.later.peek().map(|Reverse(later)| later.when);
        let pause = self.keys.next_end_of_pause().filter(|_| queue.waiting > 0);
        let look = self.adaptive.next_look().filter(|_| !queue.closed);
        [later, pause, self.gate.closed_until(), look].into_iter().flatten().min()
    }

    // Keys.

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
}
