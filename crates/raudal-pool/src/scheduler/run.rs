//! The queue of one run.

use super::grant::{Grant, NestedSlot};
use super::keys::KeyId;
use super::lane::{Lane, WaitingJob};
use crate::limit::Change;
use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::Weak;
use std::task::Waker;
use tokio::time::Instant;

/// A run's place in the table of its pool.
pub(crate) type RunId = usize;

/// A waiting job, as the scheduler sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RunEntry {
    pub(crate) id: usize,
    pub(crate) key: Option<KeyId>,
    pub(crate) priority: i32,
    pub(crate) weight: usize,
}

/// A job that may not start before an instant.
#[derive(Debug)]
pub(super) struct Later {
    pub(super) when: Instant,
    pub(super) sequence: u64,
    pub(super) entry: RunEntry,
}

impl PartialEq for Later {
    fn eq(&self, other: &Self) -> bool {
        (self.when, self.sequence) == (other.when, other.sequence)
    }
}
impl Eq for Later {}
impl PartialOrd for Later {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Later {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.when, self.sequence).cmp(&(other.when, other.sequence))
    }
}

#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each of them is a fact of its own")]
pub(super) struct RunQueue {
    pub(super) limit: usize,
    pub(super) in_use: usize,
    pub(super) running: usize,
    pub(super) peak: usize,
    /// Jobs in lanes and in `later`.
    pub(super) waiting: usize,
    pub(super) paused: bool,
    pub(super) closed: bool,
    /// Whether its input may bring more jobs.
    pub(super) has_input: bool,
    pub(super) in_ring: bool,
    pub(super) uses_priority: bool,
    pub(super) waker: Waker,
    pub(super) granted: VecDeque<Grant>,
    pub(super) later: BinaryHeap<Reverse<Later>>,
    pub(super) sequence: u64,
    /// Slots of jobs that wait for this run.
    pub(super) nested_slots: Vec<Weak<NestedSlot>>,
    /// Limits that have changed, for the run to tell its observer.
    pub(super) changes: Vec<Change>,
    /// Jobs without a key.
    free: Lane,
    lanes: HashMap<KeyId, Lane>,
    /// Lanes that may have a job to start, each once, in turn.
    ready: VecDeque<Option<KeyId>>,
}

impl RunQueue {
    pub(super) fn new(limit: usize, has_input: bool) -> Self {
        Self {
            limit,
            in_use: 0,
            running: 0,
            peak: 0,
            waiting: 0,
            paused: false,
            closed: false,
            has_input,
            in_ring: false,
            uses_priority: false,
            waker: Waker::noop().clone(),
            granted: VecDeque::new(),
            later: BinaryHeap::new(),
            sequence: 0,
            nested_slots: Vec::new(),
            changes: Vec::new(),
            free: Lane::default(),
            lanes: HashMap::new(),
            ready: VecDeque::new(),
        }
    }

    pub(super) fn lane(&mut self, key: Option<KeyId>) -> &mut Lane {
        match key {
            None => &mut self.free,
            Some(key) => self.lanes.entry(key).or_default(),
        }
    }

    fn peek(&self, key: Option<KeyId>) -> Option<(i32, WaitingJob)> {
        match key {
            None => self.free.peek(),
            Some(key) => self.lanes.get(&key)?.peek(),
        }
    }

    /// Puts a lane that has a job on the list of ready lanes.
    pub(super) fn list(&mut self, key: Option<KeyId>) {
        let lane = self.lane(key);
        if !lane.listed && !lane.blocked && !lane.is_empty() {
            lane.listed = true;
            self.ready.push_back(key);
        }
    }

    pub(super) fn has_listed(&self) -> bool {
        !self.ready.is_empty()
    }

    pub(super) fn listed_keys(&self) -> Vec<KeyId> {
        self.ready.iter().flatten().copied().collect()
    }

    /// Moves the lane whose turn it is to the front of the list; returns it and its first job.
    pub(super) fn next_lane(&mut self) -> Option<(Option<KeyId>, WaitingJob)> {
        if self.uses_priority && self.ready.len() > 1 {
            let priority = |key: &Option<KeyId>| self.peek(*key).map(|(priority, _)| priority);
            let best = self.ready.iter().enumerate().max_by_key(|(place, key)| (priority(key), Reverse(*place)));
            let place = best.map_or(0, |(place, _)| place);
            self.ready.rotate_left(place);
        }
        loop {
            let key = *self.ready.front()?;
            if let Some((_, job)) = self.peek(key) {
                return Some((key, job));
            }
            self.ready.pop_front();
            self.free.listed &= key.is_some();
        }
    }

    /// Returns the highest priority in the ready lanes.
    pub(super) fn highest(&self) -> Option<i32> {
        self.ready.iter().filter_map(|key| self.peek(*key)).map(|(priority, _)| priority).max()
    }

    /// Returns a lane with a job whose key satisfies `has_room`, listed or not.
    pub(super) fn any_lane(&self, has_room: impl Fn(KeyId) -> bool) -> Option<(Option<KeyId>, WaitingJob)> {
        if let Some((_, job)) = self.free.peek() {
            return Some((None, job));
        }
        let has_room = |(key, _): &(&KeyId, &Lane)| has_room(**key);
        self.lanes.iter().filter(has_room).find_map(|(key, lane)| Some((Some(*key), lane.peek()?.1)))
    }

    /// Takes the first job of a lane and ends the lane's turn.
    pub(super) fn pop(&mut self, key: Option<KeyId>) {
        if self.lane(key).pop().is_some() {
            self.waiting -= 1;
        }
        if self.ready.front() == Some(&key) {
            self.ready.pop_front();
            self.lane(key).listed = false;
        }
        self.settle(key);
    }

    /// Lists a lane again, or forgets it.
    fn settle(&mut self, key: Option<KeyId>) {
        let lane = self.lane(key);
        if !lane.is_empty() {
            self.list(key);
        } else if let Some(key) = key
            && !lane.blocked
            && !lane.listed
        {
            self.lanes.remove(&key);
        }
    }

    /// Removes a job. Returns whether it was there, and its key if the lane is now empty.
    pub(super) fn remove(&mut self, id: usize) -> (bool, Option<KeyId>) {
        let count = self.later.len();
        if count > 0 {
            self.later.retain(|Reverse(later)| later.entry.id != id);
        }
        if self.later.len() < count || self.free.remove(id) {
            self.waiting -= 1;
            return (true, None);
        }
        let Some(key) = self.lanes.iter_mut().find_map(|(key, lane)| lane.remove(id).then_some(*key)) else {
            return (false, None);
        };
        self.waiting -= 1;
        if !self.lane(Some(key)).is_empty() {
            return (true, None);
        }
        // The id of this key may soon be reused, so nothing of it may stay.
        self.lanes.remove(&key);
        self.ready.retain(|listed| *listed != Some(key));
        (true, Some(key))
    }

    /// Marks the lane as waiting for its key. Returns true if it was not marked before.
    pub(super) fn block(&mut self, key: KeyId) -> bool {
        let lane = self.lane(Some(key));
        if std::mem::take(&mut lane.listed) {
            self.ready.retain(|listed| *listed != Some(key));
        }
        let lane = self.lane(Some(key));
        !std::mem::replace(&mut lane.blocked, true)
    }

    /// Ends the wait of the lane for its key. Returns false if it has no job.
    pub(super) fn unblock(&mut self, key: KeyId) -> bool {
        let Some(lane) = self.lanes.get_mut(&key) else { return false };
        lane.blocked = false;
        self.list(Some(key));
        true
    }

    pub(super) fn due(&mut self, now: Instant) -> Option<RunEntry> {
        self.later.peek().filter(|Reverse(later)| later.when <= now)?;
        self.later.pop().map(|Reverse(later)| later.entry)
    }

    pub(super) fn fullest_lane(&self) -> Option<(KeyId, usize)> {
        self.lanes.iter().map(|(key, lane)| (*key, lane.len())).max_by_key(|(_, len)| *len)
    }

    pub(super) fn drain(&mut self) -> Vec<usize> {
        self.waiting = 0;
        self.ready.clear();
        self.free.listed = false;
        let later = std::mem::take(&mut self.later).into_iter().map(|Reverse(later)| later.entry.id);
        let mut ids: Vec<usize> = self.free.drain().collect();
        ids.extend(std::mem::take(&mut self.lanes).into_values().flat_map(|mut lane| lane.drain()));
        ids.extend(later);
        ids
    }
}
