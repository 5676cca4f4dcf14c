//! Idle slots split the slowest remaining downloads into ranges.

use raudal_fetch::{Client, Help};
use raudal_pool::Permits;
use std::convert::Infallible;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

/// Extra connections for the transfers of a run. They have their own task, so they start whatever
/// the consumer of the run is doing. Dropping this ends them.
pub(super) struct Helpers(JoinHandle<Infallible>);

impl Helpers {
    pub(super) fn start(client: &Client, permits: Permits) -> Self {
        let work = Work { begun: client.transfers(), client: client.clone(), permits, tasks: JoinSet::new() };
        Self(tokio::spawn(work.run()))
    }

    /// Ends them and waits until they have ended.
    pub(super) async fn stop(mut self) {
        self.0.abort();
        // The task was aborted, or it panicked: then the transfers went on without it.
        let _ = (&mut self.0).await;
    }
}

impl Drop for Helpers {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Work {
    client: Client,
    permits: Permits,
    begun: watch::Receiver<()>,
    tasks: JoinSet<raudal_pool::Permit>,
}

impl Work {
    /// Gives out slots as they become free, forever.
    async fn run(mut self) -> Infallible {
        loop {
            let again = self.begin_all();
            tokio::select! {
                Some(_) = self.tasks.join_next() => {}
                () = self.permits.freed() => {}
                Ok(()) = self.begun.changed() => {}
                () = sleep_until(again.unwrap_or_else(Instant::now)), if again.is_some() => {}
            }
        }
    }

    /// Starts all helpers that are useful now. Returns when to look again.
    fn begin_all(&mut self) -> Option<Instant> {
        loop {
            // Do nothing while jobs wait for slots.
            if self.permits.spare(None) == 0 {
                return None;
            }
            match self.client.help(|key| self.permits.spare(key), |key| self.permits.try_acquire(key)) {
                Help::Needed(help) => drop(self.tasks.spawn(help)),
                Help::Later(after) => return Some(Instant::now() + after),
                _ => return None,
            }
        }
    }
}
