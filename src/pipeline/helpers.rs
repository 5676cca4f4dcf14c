//! Slots that no job can want any more help the transfers that still run.

use super::hosts::Hosts;
use crate::fetch::{Client, Help};
use crate::pool::{Lent, Run, Slots};
use std::convert::Infallible;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// Further connections for transfers of a run. They end with it: dropping this ends them.
pub(super) struct Helpers {
    client: Client,
    slots: Slots,
    hosts: Arc<Hosts>,
    begun: watch::Receiver<()>,
    tasks: JoinSet<Helping>,
}

/// A slot that is lent to a host.
struct Helping {
    hosts: Arc<Hosts>,
    key: Option<String>,
    _slot: Lent,
}

impl Drop for Helping {
    fn drop(&mut self) {
        self.hosts.helped(self.key.as_deref());
    }
}

impl Helpers {
    pub(super) fn new<T, E>(client: &Client, run: &Run<T, E>, hosts: Arc<Hosts>) -> Self {
        Self { client: client.clone(), slots: run.slots(), hosts, begun: client.transfers(), tasks: JoinSet::new() }
    }

    fn slot(&self, key: Option<&str>) -> Option<Helping> {
        let slot = self.slots.lend(key);
        self.hosts.help(key, slot.is_some());
        slot.map(|slot| Helping { hosts: Arc::clone(&self.hosts), key: key.map(str::to_owned), _slot: slot })
    }

    /// Gives out slots as they come free, for ever. Dropping the future loses nothing: the next call goes on.
    pub(super) async fn work(&mut self) -> Infallible {
        loop {
            let again = self.begin_all();
            tokio::select! {
                Some(_) = self.tasks.join_next() => {}
                () = self.slots.freed() => {}
                Ok(()) = self.begun.changed() => {}
                () = sleep_until(again.unwrap_or_else(Instant::now)), if again.is_some() => {}
            }
        }
    }

    /// Begins whatever can be helped; when to look again.
    fn begin_all(&mut self) -> Option<Instant> {
        loop {
            // Nothing is looked at as long as jobs wait for slots.
            if self.slots.spare(None) == 0 {
                return None;
            }
            match self.client.help(|key| self.slots.spare(key), |key| self.slot(key)) {
                Help::Needed(help) => drop(self.tasks.spawn(help)),
                Help::Later(after) => return Some(Instant::now() + after),
                _ => return None,
            }
        }
    }
}
