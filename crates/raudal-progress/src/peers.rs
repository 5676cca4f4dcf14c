//! What other machines do for a run.

use super::rate_meter::RateMeter;
use raudal_common::error::printable;
use raudal_common::units;
use std::time::Duration;

/// A machine that does a part of a run, and what it has done so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Peer {
    /// Its name. It is untrusted.
    pub name: String,
    /// The host that it runs on.
    pub host: String,
    /// Jobs that it is working on.
    pub running: usize,
    /// Finished inputs, including those that failed.
    pub inputs: u64,
    /// Inputs that failed.
    pub failed: u64,
    /// Rows that it has kept.
    pub rows: u64,
    /// Bytes that it has moved.
    pub bytes: u64,
}

/// A peer, and its speeds.
#[derive(Debug)]
pub(super) struct PeerView {
    pub(super) peer: Peer,
    rows: RateMeter,
    bytes: RateMeter,
}

impl PeerView {
    /// Updates the views with what peers say now. Peers that are gone are removed.
    pub(super) fn update(views: &mut Vec<Self>, peers: &[Peer], now: Duration) {
        let mut before = std::mem::take(views);
        for peer in peers {
            let known = before.iter().position(|view| view.peer.name == peer.name);
            let mut view = match known {
                Some(at) => before.swap_remove(at),
                None => Self { peer: peer.clone(), rows: RateMeter::new(now), bytes: RateMeter::new(now) },
            };
            // A peer that was restarted counts from 0.
            view.rows.add(peer.rows.saturating_sub(view.peer.rows), now);
            view.bytes.add(peer.bytes.saturating_sub(view.peer.bytes), now);
            view.peer = peer.clone();
            views.push(view);
        }
    }

    /// Lets time pass: a stall must lower the speed.
    pub(super) fn pass(&mut self, now: Duration) {
        self.rows.sample(now);
        self.bytes.sample(now);
    }

    /// The texts of its row: name, inputs, speed, jobs.
    pub(super) fn texts(&self, now: Duration) -> [String; 4] {
        let Peer { name, host, running, inputs, failed, .. } = &self.peer;
        let failed = if *failed > 0 { format!(", {failed} failed") } else { String::new() };
        let speed = |meter: &RateMeter| meter.per_second(now);
        // A run that saves files has no rows.
        let rows = speed(&self.rows).filter(|_| self.peer.rows > 0).map(|rows| format!("{rows:.0} rows/s"));
        let bytes = speed(&self.bytes).map(units::rate);
        [
            format!("{} on {}", printable(name), printable(host)),
            format!("{inputs} inputs{failed}"),
            rows.into_iter().chain(bytes).collect::<Vec<_>>().join(", "),
            format!("{running} running"),
        ]
    }
}
