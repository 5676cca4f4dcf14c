//! The keys of a pool, shared by all its runs: running jobs, limits, pauses.

use crate::limit::Adaptive;
use slab::Slab;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;
use tokio::time::Instant;

/// A key's place in the table of keys.
pub(crate) type KeyId = usize;

#[derive(Debug)]
pub(super) struct KeyState {
    pub(super) name: Arc<str>,
    /// Slots taken by jobs, by their weight, and by spare permits.
    pub(super) running: usize,
    /// The limit that was set for this key.
    pub(super) limit: Option<usize>,
    pub(super) paused_until: Option<Instant>,
    /// Jobs and permits that refer to the key.
    refs: usize,
    /// Runs with jobs that the key holds back, in order of arrival.
    pub(super) blocked: VecDeque<usize>,
    /// Whether a permit was refused because of the limit.
    pub(super) wanted: bool,
    pub(super) adaptive: Option<Box<Adaptive>>,
}

impl KeyState {
    /// Returns the limit that was set for this key, or else its adaptive one.
    pub(super) fn limit(&self) -> Option<usize> {
        self.limit.or_else(|| self.adaptive.as_ref()?.limit())
    }
}

/// Beyond this many keys, idle ones are forgotten together with their adaptive limits.
const MANY: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct KeyTable {
    /// The limit of keys without their own.
    pub(super) limit: usize,
    names: HashMap<Arc<str>, KeyId>,
    table: Slab<KeyState>,
    /// When pauses end. An entry may be stale; `paused_until` of the key decides.
    pauses: BinaryHeap<Reverse<(Instant, KeyId)>>,
}

impl KeyTable {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    /// Returns the key of this name and counts one more reference.
    pub(super) fn intern(&mut self, name: &str) -> KeyId {
        let known = self.names.get(name).copied();
        let id = known.unwrap_or_else(|| {
            let name: Arc<str> = Arc::from(name);
            let key = KeyState {
                name: Arc::clone(&name),
                running: 0,
                limit: None,
                paused_until: None,
                refs: 0,
                blocked: VecDeque::new(),
                wanted: false,
                adaptive: None,
            };
            let id = self.table.insert(key);
            self.names.insert(name, id);
            id
        });
        self.table[id].refs += 1;
        id
    }

    /// Counts one more reference.
    pub(super) fn retain(&mut self, id: KeyId) {
        self.table[id].refs += 1;
    }

    /// Drops one reference.
    pub(super) fn release(&mut self, id: KeyId) {
        self.table[id].refs -= 1;
        self.forget_if_idle(id);
    }

    /// Removes a key that is idle and has no limit: a pool that sees millions of hosts must not keep them all.
    pub(super) fn forget_if_idle(&mut self, id: KeyId) {
        let key = &self.table[id];
        let is_known = key.limit.is_some() || key.adaptive.is_some() && self.table.len() <= MANY;
        // A job that was cancelled between two attempts may drop its reference before its slot is free.
        if key.refs == 0 && key.running == 0 && key.paused_until.is_none() && !is_known {
            self.names.remove(&key.name);
            self.table.remove(id);
        }
    }

    pub(super) fn get(&self, id: KeyId) -> &KeyState {
        &self.table[id]
    }

    pub(super) fn get_mut(&mut self, id: KeyId) -> &mut KeyState {
        &mut self.table[id]
    }

    pub(super) fn find(&self, name: &str) -> Option<KeyId> {
        self.names.get(name).copied()
    }

    pub(super) fn limit_of(&self, id: KeyId) -> usize {
        self.table[id].limit().unwrap_or(self.limit)
    }

    /// Returns how many more slots this key may take now.
    pub(super) fn free_slots(&self, id: KeyId) -> usize {
        let key = &self.table[id];
        if key.paused_until.is_some() { 0 } else { self.limit_of(id).saturating_sub(key.running) }
    }

    /// Holds back all jobs of a key until then. A pause that ends later stays.
    pub(super) fn pause(&mut self, id: KeyId, until: Instant) {
        let key = &mut self.table[id];
        if key.paused_until.is_none_or(|old| old < until) {
            key.paused_until = Some(until);
            self.pauses.push(Reverse((until, id)));
        }
    }

    /// Returns when the next pause ends.
    pub(super) fn next_end_of_pause(&self) -> Option<Instant> {
        self.pauses.peek().map(|Reverse((until, _))| *until)
    }

    /// Ends one pause whose time has come and returns its key, if jobs refer to it.
    pub(super) fn end_pause(&mut self, now: Instant) -> Option<KeyId> {
        loop {
            let Reverse((until, id)) = *self.pauses.peek().filter(|Reverse((until, _))| *until <= now)?;
            self.pauses.pop();
            let Some(key) = self.table.get_mut(id).filter(|key| key.paused_until == Some(until)) else { continue };
            key.paused_until = None;
            if key.refs > 0 {
                return Some(id);
            }
            self.forget_if_idle(id);
        }
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (KeyId, &mut KeyState)> {
        self.table.iter_mut()
    }
}
