//! Chooses which transfers to split for an idle slot, and where. Pure: the caller supplies the time.
//!
//! A transfer with a strong validator, from a server with ranges, is a *piece* of a body: from its
//! current position to its end. When a slot is free, the piece with the longest remaining time is
//! cut. Its end becomes a piece of its own, on its own connection, and may be cut again.
//! [`balance`](crate::transfer::balance) decides where to cut, so that all pieces of a host finish
//! together. If a link limits each connection, this is faster than splitting every body from the
//! start, because it makes no needless requests.
//!
//! When a piece has reached its own end, it appends the segments that were cut from it. So a body
//! always arrives from front to back, and its digests, sidecar and length are checked as for one
//! connection.
//!
//! While slots are free, a stalled piece is requested a second time (hedged requests: J. Dean and
//! L. A. Barroso, "The Tail at Scale", Communications of the ACM 56(2), 2013). Otherwise repeated
//! packet loss, or a server that throttles per second, could delay the end of the run. While inputs
//! wait for the slots, a piece is requested again after a longer silence, before a new input begins.
//! The second response replaces the first only if the piece is still stalled when it begins.

mod pick;
mod piece;

use raudal_common::lock;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use self::pick::{Host, Pick};
use self::piece::Piece;
use crate::http::source::BodySource;

pub(crate) use self::piece::{Cut, LOOK, PieceHandle, SegmentProgress, Wanted};

/// A body up to this length arrives in one round trip: ten TCP segments (RFC 6928).
const TINY: u64 = 14 * 1024;
/// How many times a stalled piece is requested again. A server that sends only a few bytes at a time,
/// or a head without a body, must not be asked for ever.
pub(crate) const ASKS: u8 = 3;

/// The result of a search for a piece to cut.
#[derive(Debug)]
pub(crate) enum CutSearch<S> {
    Cut(Cut, S),
    /// None now. Search again after this time.
    Later(Duration),
    /// No transfer in flight could be cut, now or later.
    Nothing,
}

/// All pieces of one client in flight.
#[derive(Debug)]
pub(crate) struct Transfers {
    pieces: Mutex<Vec<Weak<Piece>>>,
    /// Servers that refused a range or more connections. They get no more range requests.
    refused: Mutex<HashSet<String>>,
    changed: watch::Sender<()>,
    cuts: AtomicU64,
}

impl Default for Transfers {
    fn default() -> Self {
        Self {
            pieces: Mutex::default(),
            refused: Mutex::default(),
            changed: watch::Sender::new(()),
            cuts: AtomicU64::new(0),
        }
    }
}

impl Transfers {
    /// Registers a transfer until the entry is dropped.
    pub(crate) fn enter(
        &self,
        source: Arc<BodySource>,
        (at, end): (u64, u64),
        setup: Duration,
        progress: Arc<SegmentProgress>,
        asks: u8,
    ) -> PieceHandle {
        let piece = Arc::new(Piece::new(source, (at, end), setup, progress, asks));
        // A piece that was requested again may stall again, however short it is.
        if asks < ASKS || end.saturating_sub(at) > TINY {
            let mut pieces = lock(&self.pieces);
            pieces.retain(|piece| piece.strong_count() > 0);
            pieces.push(Arc::downgrade(&piece));
            drop(pieces);
            self.wake();
        }
        PieceHandle(piece)
    }

    /// Returns a channel that changes when a transfer begins that may be worth a cut.
    pub(crate) fn subscribe(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Says that there may be work for an idle slot.
    pub(crate) fn wake(&self) {
        self.changed.send_replace(());
    }

    /// Returns how many cuts were made so far.
    pub(crate) fn cuts(&self) -> u64 {
        self.cuts.load(Relaxed)
    }

    /// Sends no more range requests to this server.
    pub(crate) fn refuse(&self, source: &BodySource) {
        lock(&self.refused).extend(source.key());
    }

    pub(crate) fn is_refused(&self, source: &BodySource) -> bool {
        let refused = lock(&self.refused);
        source.key().is_some_and(|key| refused.contains(&key))
    }

    /// Cuts the piece with the longest remaining time, or else requests a stalled piece again. Skips
    /// hosts for which `slot` returns no slot. `spare` returns how many slots a host has.
    pub(crate) fn cut<S>(
        &self,
        now: Instant,
        mut spare: impl FnMut(Option<&str>) -> usize,
        slot: impl FnMut(Option<&str>) -> Option<S>,
    ) -> CutSearch<S> {
        let hosts = self.hosts(now);
        let may_be_later = !hosts.is_empty();
        let mut picked = Vec::new();
        for (key, host) in hosts {
            // At least one, so that the adaptive limit of a host learns that one more would help.
            let spare = spare(key.as_deref()).max(1);
            picked.extend(host.pick(spare).into_iter().map(|pick| (key.clone(), pick)));
        }
        picked.sort_by(|(_, one), (_, other)| other.rank().total_cmp(&one.rank()));
        self.take_first(picked, slot, may_be_later)
    }

    /// Requests a stalled piece again although other inputs wait for a slot. Calls `slot` for the host of each.
    pub(crate) fn ask_again<S>(&self, now: Instant, slot: impl FnMut(Option<&str>) -> Option<S>) -> CutSearch<S> {
        let hosts = self.hosts(now);
        let may_be_later = !hosts.is_empty();
        let of_host = |(key, host): (Option<String>, Host)| host.stalled().map(move |pick| (key.clone(), pick));
        self.take_first(hosts.into_iter().flat_map(of_host).collect(), slot, may_be_later)
    }

    /// Cuts the first piece for which there is a slot.
    fn take_first<S>(
        &self,
        picked: Vec<(Option<String>, Pick)>,
        mut slot: impl FnMut(Option<&str>) -> Option<S>,
        may_be_later: bool,
    ) -> CutSearch<S> {
        for (key, pick) in picked {
            let Some(slot) = slot(key.as_deref()) else { continue };
            // Returns `None` if the piece has made progress meanwhile.
            if let Some(cut) = pick.cut() {
                self.cuts.fetch_add(1, Relaxed);
                return CutSearch::Cut(cut, slot);
            }
        }
        if may_be_later { CutSearch::Later(LOOK) } else { CutSearch::Nothing }
    }

    /// Returns the pieces that may be cut, now or later, by host.
    fn hosts(&self, now: Instant) -> HashMap<Option<String>, Host> {
        let pieces: Vec<Arc<Piece>> = {
            let mut pieces = lock(&self.pieces);
            pieces.retain(|piece| piece.strong_count() > 0);
            pieces.iter().filter_map(Weak::upgrade).collect()
        };
        let refused = lock(&self.refused);
        let mut hosts: HashMap<Option<String>, Host> = HashMap::new();
        for piece in pieces {
            let key = piece.source().key();
            let is_refused = key.as_ref().is_some_and(|key| refused.contains(key));
            if let Some(seen) = piece.see(now).filter(|_| !is_refused) {
                hosts.entry(key).or_default().add(piece, seen);
            }
        }
        hosts
    }
}

#[cfg(test)]
mod tests;
