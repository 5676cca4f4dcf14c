//! Hosts that asked for a pause, told to all workers.
//!
//! A pause is an entry that expires by the broker's clock, so the clocks of the machines do not
//! matter. If the broker is gone, a pause ends by the worker's own timer, a little later.

use super::protocol::pause_key;
use raudal_common::lock;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// What is added to a pause whose end the broker does not tell.
const GRACE: Duration = Duration::from_secs(5);

/// The pauses of all runs.
#[derive(Default)]
pub(crate) struct Pauses {
    /// When each ends at the latest, by its key.
    until: Mutex<HashMap<String, Instant>>,
    changed: Notify,
}

impl Pauses {
    /// A pause has begun.
    pub(crate) fn begin(&self, key: &str, pause: Duration) {
        lock(&self.until).insert(key.to_owned(), Instant::now() + pause + GRACE);
    }

    /// A pause has ended.
    pub(crate) fn end(&self, key: &str) {
        lock(&self.until).remove(key);
        self.changed.notify_waiters();
    }

    /// Waits until the host of a run has no pause.
    pub(crate) async fn wait(&self, run: &str, host: &str) {
        let key = pause_key(run, host);
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let Some(until) = lock(&self.until).get(&key).copied() else { return };
            if until <= Instant::now() {
                lock(&self.until).remove(&key);
                return;
            }
            let _ = tokio::time::timeout_at(until, changed).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_pause_ends_when_it_is_told_or_else_by_itself() {
        let pauses = Pauses::default();
        let key = pause_key("r", "http://h:80");
        pauses.wait("r", "http://h:80").await;
        pauses.begin(&key, Duration::from_secs(10));
        pauses.wait("r", "http://other:80").await;
        let begun = Instant::now();
        let ends = async {
            tokio::time::sleep(Duration::from_secs(3)).await;
            pauses.end(&key);
        };
        tokio::join!(pauses.wait("r", "http://h:80"), ends);
        assert_eq!(begun.elapsed().as_secs(), 3);
        pauses.begin(&key, Duration::from_secs(10));
        pauses.wait("r", "http://h:80").await;
        assert_eq!(begun.elapsed().as_secs(), 3 + 15, "the broker was gone");
    }
}
