//! What all runs of a pool share of each key: how many jobs run, the limit, the pause.

use crate::limit::Adaptive;
use slab::Slab;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;
use tokio::time::Instant;

/// A key's place in the table of keys.
pub(crate) type KeyId = usize;

#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: Arc<str>,
    /// Slots taken: by jobs, by their weight, and by spare permits.
    pub(super) running: usize,
    /// A limit of its own.
    pub(super) limit: Option<usize>,
    pub(super) paused_until: Option<Instant>,
    /// Jobs and permits that refer to the key.
    refs: usize,
    /// Runs with jobs that the key holds back, first come, first served.
    pub(super) blocked: VecDeque<usize>,
    /// A permit was asked for, and the limit did not allow it.
    pub(super) wanted: bool,
    pub(super) adaptive: Option<Box<Adaptive>>,
}

impl Key {
    /// The limit of its own: the one that was set, or the one that adapts.
    pub(super) fn limit(&self) -> Option<usize> {
        self.limit.or_else(|| self.adaptive.as_ref()?.limit())
    }
}

/// Beyond this many keys, what was learnt of idle ones is forgotten.
const MANY: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Keys {
    /// The limit of a key that has none of its own.
    pub(super) limit: usize,
    names: HashMap<Arc<str>, KeyId>,
    table: Slab<Key>,
    /// When pauses end. An entry may be out of date: the key itself knows.
    pauses: BinaryHeap<Reverse<(Instant, KeyId)>>,
}

impl Keys {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }

    /// The key of this name, referred to once more.
    pub(super) fn intern(&mut self, name: &str) -> KeyId {
        let known = self.names.get(name).copied();
        let id = known.unwrap_or_else(|| {
            let name: Arc<str> = Arc::from(name);
            let key = Key {
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

    /// Refers to a key once more.
    pub(super) fn retain(&mut self, id: KeyId) {
        self.table[id].refs += 1;
    }

    /// Takes back what [`intern`](Self::intern) counted.
    pub(super) fn release(&mut self, id: KeyId) {
        self.table[id].refs -= 1;
        self.forget_if_idle(id);
    }

    /// Forgets a key with nothing left to know: a pool that sees millions of hosts must not keep them all.
    pub(super) fn forget_if_idle(&mut self, id: KeyId) {
        let key = &self.table[id];
        let is_known = key.limit.is_some() || key.adaptive.is_some() && self.table.len() <= MANY;
        // A job that waits for its next attempt may be given up before the slot of its last one is given back.
        if key.refs == 0 && key.running == 0 && key.paused_until.is_none() && !is_known {
            self.names.remove(&key.name);
            self.table.remove(id);
        }
    }

    pub(super) fn get(&self, id: KeyId) -> &Key {
        &self.table[id]
    }

    pub(super) fn get_mut(&mut self, id: KeyId) -> &mut Key {
        &mut self.table[id]
    }

    pub(super) fn find(&self, name: &str) -> Option<KeyId> {
        self.names.get(name).copied()
    }

    pub(super) fn limit_of(&self, id: KeyId) -> usize {
        self.table[id].limit().unwrap_or(self.limit)
    }

    /// How many more slots this key may take now.
    pub(super) fn room(&self, id: KeyId) -> usize {
        let key = &self.table[id];
        if key.paused_until.is_some() { 0 } else { self.limit_of(id).saturating_sub(key.running) }
    }

    /// Holds back all jobs of a key until then, or longer if it is paused for longer already.
    pub(super) fn pause(&mut self, id: KeyId, until: Instant) {
        let key = &mut self.table[id];
        if key.paused_until.is_none_or(|old| old < until) {
            key.paused_until = Some(until);
            self.pauses.push(Reverse((until, id)));
        }
    }

    /// When the next pause ends.
    pub(super) fn next_end_of_pause(&self) -> Option<Instant> {
        self.pauses.peek().map(|Reverse((until, _))| *until)
    }

    /// Ends one pause whose time has come.
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

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (KeyId, &mut Key)> {
        self.table.iter_mut()
    }
}
