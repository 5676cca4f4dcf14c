//! Changes the limits of a pool: those that the user sets, and those that adapt.

use super::adaptive::Snapshot;
use super::keys::{KeyId, KeyState};
use super::{RunId, Scheduler};
use crate::limit::{Change, Learned, Meter, Pressure};
use std::sync::Arc;
use tokio::time::Instant;

impl Scheduler {
    pub(crate) fn limit(&self) -> usize {
        self.limit
    }

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

    /// Returns what measures the progress of a job, for the adaptive limits that count it.
    pub(crate) fn meters(&mut self, run: RunId, key: Option<KeyId>) -> (Option<Arc<Meter>>, Option<Arc<Meter>>) {
        if self.adaptive.begin(Instant::now()) {
            self.wake(run);
        }
        self.adaptive.meters(&mut self.keys, key)
    }

    /// Records a failed attempt that tells something about the load on the other side.
    pub(crate) fn pressed(&mut self, run: RunId, key: Option<KeyId>, pressure: Pressure) {
        if pressure == Pressure::None {
            return;
        }
        if self.adaptive.press(&mut self.keys, key, pressure, Instant::now()) {
            self.wake(run);
        }
    }

    /// Records that a job of this key has succeeded. `is_first` says that it reported no progress before.
    pub(crate) fn succeeded(&mut self, key: Option<KeyId>, is_first: bool) {
        self.adaptive.succeeded(&mut self.keys, key, is_first);
    }

    /// Returns what the adaptive limits of keys have learned.
    pub(crate) fn learned(&mut self) -> Vec<(String, Learned)> {
        let learned = |key: &KeyState| Some((key.name.to_string(), key.adaptive.as_ref()?.learned()?));
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
