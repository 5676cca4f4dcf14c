//! Idle slots split the slowest remaining downloads into ranges.

use raudal_fetch::{Client, Segment};
use raudal_pool::Permits;
use std::convert::Infallible;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

/// Fetches segments for the transfers of a run, in a task of its own: whatever the consumer of the run is doing.
/// Dropping this ends it.
pub(crate) struct Segments(JoinHandle<Infallible>);

impl Segments {
    pub(crate) fn start(client: &Client, permits: Permits) -> Self {
        let work = SegmentTask { begun: client.transfers(), client: client.clone(), permits, tasks: JoinSet::new() };
        Self(tokio::spawn(work.run()))
    }

    /// Ends it, and waits for that.
    pub(crate) async fn stop(mut self) {
        self.0.abort();
        // It was aborted, or it panicked: then the transfers go on without it.
        let _ = (&mut self.0).await;
    }
}

impl Drop for Segments {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct SegmentTask {
    client: Client,
    permits: Permits,
    begun: watch::Receiver<()>,
    tasks: JoinSet<raudal_pool::Permit>,
}

impl SegmentTask {
    /// Uses slots as they become idle, for ever.
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

    /// Fetches segments as long as slots are idle, and says when to look again.
    fn begin_all(&mut self) -> Option<Instant> {
        loop {
            // Do nothing while jobs wait for slots.
            if self.permits.spare(None) == 0 {
                return None;
            }
            match self.client.segment(|key| self.permits.spare(key), |key| self.permits.try_acquire(key)) {
                Segment::Cut(segment) => drop(self.tasks.spawn(segment)),
                Segment::Later(after) => return Some(Instant::now() + after),
                _ => return None,
            }
        }
    }
}
