//! Spare permits: slots that no job wants, for other work such as a second connection of a running download.

use super::Scheduler;
use super::keys::KeyId;

impl Scheduler {
    /// Returns how many slots are free that no job can want. With a key, at most the free slots of that key.
    pub(crate) fn spare(&self, key: Option<&str>) -> usize {
        let may_be_wanted = self.runs.iter().any(|(_, run)| run.hungry || run.waiting > 0 || !run.granted.is_empty());
        if may_be_wanted {
            return 0;
        }
        let free = self.limit.saturating_sub(self.in_use);
        let of_key = |name: &str| self.keys.find(name).map_or(self.keys.limit, |key| self.keys.free_slots(key));
        key.map_or(free, |name| free.min(of_key(name)))
    }

    /// Takes a spare slot.
    pub(crate) fn acquire_spare(&mut self, name: Option<&str>) -> Option<Spare> {
        let free = self.spare(None) > 0;
        let key = name.map(|name| self.keys.intern(name));
        let has_free = key.is_none_or(|key| self.keys.free_slots(key) > 0);
        if let Some(key) = key {
            self.keys.get_mut(key).wanted = free && !has_free;
        }
        if !free || !has_free {
            self.release_key(key);
            return None;
        }
        Some(self.take_spare(key))
    }

    /// Takes a slot before any waiting job. If none is free, the limit is exceeded by one, so no job starts until one
    /// has ended.
    pub(crate) fn claim(&mut self, name: Option<&str>) -> Option<Spare> {
        let key = name.map(|name| self.keys.intern(name));
        let limit = key.map_or(self.limit, |key| self.keys.limit_of(key).min(self.limit));
        if limit <= 1 {
            self.release_key(key);
            return None;
        }
        Some(self.take_spare(key))
    }

    fn take_spare(&mut self, key: Option<KeyId>) -> Spare {
        self.in_use += 1;
        if let Some(key) = key {
            self.keys.get_mut(key).running += 1;
        }
        Spare { key }
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
}

/// A slot that no job wants, used by other work.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spare {
    pub(crate) key: Option<KeyId>,
}
