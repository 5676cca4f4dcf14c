//! Idle slots split the slowest remaining downloads into ranges. A stalled download is requested again before a new
//! input starts, even while inputs wait.

use raudal_fetch::{Client, Segment};
use raudal_pool::{Permit, Permits};
use std::convert::Infallible;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

/// Fetches segments for the transfers of a run, in its own task, whatever the consumer of the run does. Dropping it
/// ends the task.
pub(crate) struct Segments(JoinHandle<Infallible>);

impl Segments {
    pub(crate) fn start(client: &Client, permits: Permits) -> Self {
        let (begun, client) = (client.transfers(), client.clone());
        let work = SegmentTask { begun, client, permits, claim: None, tasks: JoinSet::new() };
        Self(tokio::spawn(work.run()))
    }

    /// Ends the task, and waits for its end.
    pub(crate) async fn stop(mut self) {
        self.0.abort();
        // The task was aborted or has panicked. In both cases, the transfers go on without it.
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
    /// A claimed slot for a stalled transfer of this host. It gets the next free slot, before any input.
    claim: Option<(Option<String>, Permit)>,
    tasks: JoinSet<Permit>,
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

    /// Starts segments while slots are idle. Returns when to check again.
    fn begin_all(&mut self) -> Option<Instant> {
        loop {
            let found = if self.claim.is_none() && self.permits.spare(None) > 0 {
                self.client.segment(|key| self.permits.spare(key), |key| self.permits.try_acquire(key))
            } else {
                self.hedge()
            };
            match found {
                Segment::Cut(segment) => drop(self.tasks.spawn(segment)),
                Segment::Later(after) => return Some(Instant::now() + after),
                _ => return None,
            }
        }
    }

    /// Requests a stalled transfer again while inputs wait for slots.
    fn hedge(&mut self) -> Segment<Permit> {
        let (permits, claim, mut is_needed) = (&self.permits, &mut self.claim, false);
        let found = self.client.hedge(|key| {
            if claim.is_none() {
                *claim = permits.claim(key).map(|permit| (key.map(str::to_owned), permit));
            }
            // One host at a time, so that few slots wait for their use.
            let (host, permit) = claim.take_if(|(host, _)| host.as_deref() == key)?;
            is_needed = true;
            if permit.is_ready() {
                return Some(permit);
            }
            *claim = Some((host, permit));
            None
        });
        if !is_needed {
            self.claim = None;
        }
        found
    }
}
