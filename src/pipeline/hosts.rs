//! What is known of each host while a run goes on: what is in flight, what has come, what went wrong.

use crate::pool::{Event, Observer};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Beyond so many hosts, those of which nothing is in flight and of which there is nothing to remember are forgotten.
const MANY: usize = 4096;

/// After so many time-outs in a row a host is asked for half as much.
const TIMEOUTS: u64 = 3;

/// The counts of one host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Host {
    pub(super) bytes: u64,
    pub(super) in_flight: usize,
    /// Further connections that help its transfers.
    pub(super) helpers: usize,
    /// Whether one more would help, and its limit does not let it.
    pub(super) is_wanted: bool,
    /// Attempts that were refused, reset, or ran out of time, and are tried again.
    pub(super) trouble: u64,
    /// Those of them that ran out of time, since one last succeeded.
    timeouts: u64,
    /// Whether that happened so often in a row that it has to be asked for less.
    pub(super) is_slow: bool,
}

#[derive(Debug, Default)]
struct State {
    hosts: HashMap<Arc<str>, Host>,
    /// Which host each job in flight is of.
    jobs: HashMap<u64, Arc<str>>,
}

/// Watches a run. It never calls back into it: events come while the run is busy with itself.
pub(super) struct Hosts {
    /// The host of a job that is not over.
    key: Box<dyn Fn(u64) -> Option<String> + Send + Sync>,
    state: Mutex<State>,
    changed: Notify,
}

impl Hosts {
    pub(super) fn new(key: impl Fn(u64) -> Option<String> + Send + Sync + 'static) -> Self {
        Self { key: Box::new(key), state: Mutex::default(), changed: Notify::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those of which something is in flight, or went wrong.
    pub(super) fn all(&self) -> Vec<(Arc<str>, Host)> {
        let state = self.lock();
        let is_active = |(_, host): &(&Arc<str>, &Host)| host.in_flight > 0 || host.trouble > 0;
        state.hosts.iter().filter(is_active).map(|(key, host)| (Arc::clone(key), host.clone())).collect()
    }

    /// The time-outs of a host are acted upon: from here on they are counted anew.
    pub(super) fn forgive(&self, key: &str) {
        if let Some(host) = self.lock().hosts.get_mut(key) {
            (host.timeouts, host.is_slow) = (0, false);
        }
    }

    /// A further connection begins to help a transfer of a host; or it would, were there a slot for it.
    pub(super) fn help(&self, key: Option<&str>, has_slot: bool) {
        let mut state = self.lock();
        if let Some(host) = key.and_then(|key| state.hosts.get_mut(key)) {
            host.helpers += usize::from(has_slot);
            host.is_wanted = !has_slot;
        }
    }

    /// It is done.
    pub(super) fn helped(&self, key: Option<&str>) {
        let mut state = self.lock();
        if let Some(host) = key.and_then(|key| state.hosts.get_mut(key)) {
            host.helpers = host.helpers.saturating_sub(1);
        }
    }

    /// Waits until a transfer has begun, or something went wrong.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }
}

impl fmt::Debug for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hosts").field("state", &self.state).finish_non_exhaustive()
    }
}

impl State {
    fn end(&mut self, job: u64) -> Option<&mut Host> {
        let key = self.jobs.remove(&job)?;
        if self.hosts.len() > MANY {
            self.hosts.retain(|other, host| *other == key || host.in_flight + host.helpers > 0 || host.trouble > 0);
        }
        let host = self.hosts.get_mut(&key)?;
        host.in_flight -= 1;
        Some(host)
    }
}

impl Observer for Hosts {
    fn observe(&self, event: &Event<'_>) {
        match event {
            Event::AttemptStarted { job, .. } => {
                let Some(key) = (self.key)(*job) else { return };
                let mut state = self.lock();
                let key: Arc<str> = match state.hosts.get_key_value(key.as_str()) {
                    Some((key, _)) => Arc::clone(key),
                    None => Arc::from(key),
                };
                state.hosts.entry(Arc::clone(&key)).or_default().in_flight += 1;
                state.jobs.insert(*job, key);
                self.changed.notify_one();
            }
            Event::Advanced { job, bytes, .. } if *bytes > 0 => {
                let mut state = self.lock();
                let State { hosts, jobs } = &mut *state;
                if let Some(host) = jobs.get(job).and_then(|key| hosts.get_mut(key)) {
                    host.bytes += bytes;
                }
            }
            Event::AttemptFailed { job, kind, retry_in, .. } => {
                if let Some(host) = self.lock().end(*job)
                    && retry_in.is_some()
                    && matches!(*kind, "status" | "reset" | "connect" | "timeout")
                {
                    host.trouble += 1;
                    host.timeouts += u64::from(*kind == "timeout");
                    host.is_slow |= host.timeouts >= TIMEOUTS;
                    self.changed.notify_one();
                }
            }
            Event::JobFinished { report } => {
                if let Some(host) = self.lock().end(report.job) {
                    host.timeouts = 0;
                }
            }
            _ => {}
        }
    }
}
