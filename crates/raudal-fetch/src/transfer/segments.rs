//! Which transfers are split for an idle slot, and where they are cut. Pure: the time is handed in.
//!
//! A transfer whose bytes a strong validator stands for, and whose server knows ranges, is a *piece* of a body: from
//! where it is to its end. When a slot is free, the piece that has the longest way to go is cut: its end becomes a piece
//! of its own, on a connection of its own, and may be cut again. Where to cut says [`balance`](crate::transfer::balance): all
//! pieces of a host are meant to end together. On a link that caps each connection this beats cutting every body from
//! the start: nothing is cut that need not be.
//!
//! Each piece appends what was cut off from it once it has reached its own end, so a body always arrives from front to
//! back, whoever brought it: digests, sidecars and lengths are checked as for one connection.
//!
//! A piece that stands still, while slots are free, is asked for once more, whole (hedged requests: J. Dean and
//! L. A. Barroso, "The Tail at Scale", Communications of the ACM 56(2), 2013): packets that were lost again and again, or
//! a server that meters by the second, would hold up the end of everything. Nothing is taken from it until the other
//! answer has begun, and only if it stands still even then.

mod pick;

use raudal_common::lock;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use tokio::sync::{Notify, oneshot, watch};
use tokio::time::Instant;

use self::pick::{Host, Seen};
use crate::body::spool::Stored;
use crate::http::source::BodySource;
use raudal_common::Result;

/// Nothing shorter is cut off: on any network, a request for it costs as much as the bytes.
const SHORTEST: u64 = 64 * 1024;
/// How long a piece must have been under way for its speed to be known; and when to look again at one that was left
/// alone, since its speed may fall.
const LOOK: Duration = Duration::from_millis(100);
/// What is shorter comes in one go: ten segments (RFC 6928).
const TINY: u64 = 14 * 1024;
/// So often the bytes of a piece are asked for once more: a server that drips, or sends a head and no body, is not to be
/// asked for ever.
pub(crate) const ASKS: u8 = 3;

/// How many bytes the segments of one body have brought, for whoever watches the body.
#[derive(Debug, Default)]
pub(crate) struct SegmentProgress {
    bytes: AtomicU64,
    more: Notify,
}

impl SegmentProgress {
    pub(crate) fn add(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Relaxed);
        self.more.notify_one();
    }

    /// What was not taken yet.
    pub(crate) fn take(&self) -> u64 {
        self.bytes.swap(0, Relaxed)
    }

    /// Waits until there may be more.
    pub(crate) async fn more(&self) {
        self.more.notified().await;
    }
}

/// What a segment has brought: a body's bytes from the cut on, and whether all of them.
pub(crate) type Brought = (Stored, Result<()>);

/// A transfer under way, from where it is to its end.
#[derive(Debug)]
struct Piece {
    source: Arc<BodySource>,
    /// How long its answer took to come.
    setup: Duration,
    progress: Arc<SegmentProgress>,
    state: Mutex<PieceState>,
    /// Told when another connection brings all that is missing.
    taken_over: Notify,
}

#[derive(Debug)]
struct PieceState {
    at: u64,
    end: u64,
    /// When and where its first bytes came.
    began: Option<(Instant, u64)>,
    /// Since when it waits for bytes; it does not while it has some to take in.
    waits: Option<Instant>,
    /// Where it stood when it was asked for once more, and how often it may be.
    asked_again: Option<u64>,
    asks: u8,
    /// What was cut off, the last cut first to be appended.
    tails: Vec<oneshot::Receiver<Brought>>,
    /// Whether it has come to its end, and only appends from here on.
    is_over: bool,
}

impl Piece {
    fn lock(&self) -> MutexGuard<'_, PieceState> {
        lock(&self.state)
    }

    /// How it gets on, unless it has come to its end.
    fn see(&self, now: Instant) -> Option<Seen> {
        let state = self.lock();
        let waits = state.waits.filter(|_| state.asks > 0 && state.asked_again != Some(state.at));
        let still = waits.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        let seen = Seen { missing: state.missing(), speed: state.speed(now), still, setup: self.setup };
        (!state.is_over && seen.missing > 0).then_some(seen)
    }

    /// Cuts so many bytes off its end.
    fn cut(self: &Arc<Self>, bytes: u64) -> Option<Cut> {
        let mut state = self.lock();
        if state.is_over || state.missing() < 2 * SHORTEST {
            return None;
        }
        let first = state.end - bytes.clamp(SHORTEST, state.missing() - SHORTEST);
        let (deliver, tail) = oneshot::channel();
        let wanted = self.wanted(first, std::mem::replace(&mut state.end, first), state.asks);
        state.tails.push(tail);
        Some(Cut { wanted, deliver: Some(deliver), victim: Arc::downgrade(self) })
    }

    /// Asks once more for all that is missing.
    fn ask_again(self: &Arc<Self>) -> Option<Cut> {
        let mut state = self.lock();
        if state.is_over || state.missing() == 0 {
            return None;
        }
        state.asked_again = Some(state.at);
        state.asks = state.asks.checked_sub(1)?;
        Some(Cut { wanted: self.wanted(state.at, state.end, state.asks), deliver: None, victim: Arc::downgrade(self) })
    }

    fn wanted(&self, first: u64, end: u64, asks: u8) -> Wanted {
        Wanted { source: Arc::clone(&self.source), first, end, progress: Arc::clone(&self.progress), asks }
    }
}

impl PieceState {
    /// How many bytes are still to come: none, should the server send more than it has announced.
    fn missing(&self) -> u64 {
        self.end.saturating_sub(self.at)
    }

    /// How many bytes have come in a second so far; not known at first.
    fn speed(&self, now: Instant) -> Option<f64> {
        let (began, from) = self.began?;
        let elapsed = now.saturating_duration_since(began);
        (elapsed >= LOOK && self.at > from).then(|| (self.at - from) as f64 / elapsed.as_secs_f64())
    }
}

/// What becomes of a look for a piece to cut.
#[derive(Debug)]
pub(crate) enum CutSearch<S> {
    Cut(Cut, S),
    /// None now. Looking again after a while may find one.
    Later(Duration),
    /// Nothing is under way that could ever be cut.
    Nothing,
}

/// All pieces under way of one client.
#[derive(Debug)]
pub(crate) struct Transfers {
    pieces: Mutex<Vec<Weak<Piece>>>,
    /// Servers that refused a part, or did not like the many connections: they are left alone.
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
    /// A transfer begins; it is under way until the entry is dropped.
    pub(crate) fn enter(
        &self,
        source: Arc<BodySource>,
        (at, end): (u64, u64),
        setup: Duration,
        progress: Arc<SegmentProgress>,
        asks: u8,
    ) -> PieceHandle {
        let state = PieceState {
            at,
            end,
            began: None,
            waits: None,
            asked_again: None,
            asks,
            tails: Vec::new(),
            is_over: false,
        };
        let piece = Piece { source, setup, progress, state: Mutex::new(state), taken_over: Notify::new() };
        let piece = Arc::new(piece);
        // What was asked for once more may stand still again, however short it is.
        if asks < ASKS || end.saturating_sub(at) > TINY {
            let mut pieces = lock(&self.pieces);
            pieces.retain(|piece| piece.strong_count() > 0);
            pieces.push(Arc::downgrade(&piece));
            drop(pieces);
            self.changed.send_replace(());
        }
        PieceHandle(piece)
    }

    /// Is told when a transfer begins that may be worth a cut.
    pub(crate) fn subscribe(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// How many cuts were made so far.
    pub(crate) fn cuts(&self) -> u64 {
        self.cuts.load(Relaxed)
    }

    /// This server is to be asked for no parts any more.
    pub(crate) fn refuse(&self, source: &BodySource) {
        lock(&self.refused).extend(source.key());
    }

    pub(crate) fn is_refused(&self, source: &BodySource) -> bool {
        let refused = lock(&self.refused);
        source.key().is_some_and(|key| refused.contains(&key))
    }

    /// Cuts the piece that has the longest way to go, of those for whose server there is a slot, or asks once more for one
    /// that stands still. `spare` says how many slots there are.
    pub(crate) fn cut<S>(
        &self,
        now: Instant,
        mut spare: impl FnMut(Option<&str>) -> usize,
        mut slot: impl FnMut(Option<&str>) -> Option<S>,
    ) -> CutSearch<S> {
        let hosts = self.hosts(now);
        let may_be_later = !hosts.is_empty();
        let mut picked = Vec::new();
        for (key, host) in hosts {
            // One at least: the adaptive limit of a host is told that one more would help.
            let spare = spare(key.as_deref()).max(1);
            picked.extend(host.pick(spare).into_iter().map(|pick| (key.clone(), pick)));
        }
        picked.sort_by(|(_, one), (_, other)| other.rank().total_cmp(&one.rank()));
        for (key, pick) in picked {
            let Some(slot) = slot(key.as_deref()) else { continue };
            // It may have gone on meanwhile.
            if let Some(cut) = pick.cut() {
                self.cuts.fetch_add(1, Relaxed);
                return CutSearch::Cut(cut, slot);
            }
        }
        if may_be_later { CutSearch::Later(LOOK) } else { CutSearch::Nothing }
    }

    /// The pieces that may be cut, now or later, by their host.
    fn hosts(&self, now: Instant) -> HashMap<Option<String>, Host> {
        let pieces: Vec<Arc<Piece>> = {
            let mut pieces = lock(&self.pieces);
            pieces.retain(|piece| piece.strong_count() > 0);
            pieces.iter().filter_map(Weak::upgrade).collect()
        };
        let refused = lock(&self.refused);
        let mut hosts: HashMap<Option<String>, Host> = HashMap::new();
        for piece in pieces {
            let key = piece.source.key();
            let is_refused = key.as_ref().is_some_and(|key| refused.contains(key));
            if let Some(seen) = piece.see(now).filter(|_| !is_refused) {
                hosts.entry(key).or_default().add(piece, seen);
            }
        }
        hosts
    }
}

/// A transfer's own view of its piece.
#[derive(Debug)]
pub(crate) struct PieceHandle(Arc<Piece>);

impl PieceHandle {
    /// It waits for bytes.
    pub(crate) fn wait(&self, now: Instant) {
        self.0.lock().waits = Some(now);
    }

    /// So many bytes have arrived; so many of them are the piece's own.
    pub(crate) fn take(&self, bytes: usize, now: Instant) -> usize {
        let mut state = self.0.lock();
        // Without a cut it is for the transfer to say that there are too many.
        let own = if state.tails.is_empty() { bytes } else { bytes.min((state.missing()) as usize) };
        let at = state.at;
        state.began.get_or_insert((now, at + own as u64));
        state.waits = None;
        state.at += own as u64;
        own
    }

    /// Whether what comes next is brought by others: then there is no going back.
    pub(crate) fn is_cut_here(&self) -> bool {
        let mut state = self.0.lock();
        if !state.tails.is_empty() && state.at == state.end {
            state.is_over = true;
        }
        state.is_over
    }

    /// What comes next of that which was cut off.
    pub(crate) fn next_tail(&self) -> Option<oneshot::Receiver<Brought>> {
        self.0.lock().tails.pop()
    }

    /// Waits until another connection brings all that is missing.
    pub(crate) async fn taken_over(&self) {
        self.0.taken_over.notified().await;
    }

    /// What its segments have brought.
    pub(crate) fn progress(&self) -> &Arc<SegmentProgress> {
        &self.0.progress
    }
}

/// What another connection is to bring.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) source: Arc<BodySource>,
    pub(crate) first: u64,
    pub(crate) end: u64,
    pub(crate) progress: Arc<SegmentProgress>,
    /// How often it may be asked for once more.
    pub(crate) asks: u8,
}

/// What another connection is to bring, for a piece that is under way.
#[derive(Debug)]
pub(crate) struct Cut {
    pub(crate) wanted: Wanted,
    /// Where it is waited for; nowhere yet if the piece still has it to bring.
    deliver: Option<oneshot::Sender<Brought>>,
    victim: Weak<Piece>,
}

impl Cut {
    /// The answer has begun. False if it is of no use: the piece that was asked for once more has gone on by itself.
    pub(crate) fn begin(&mut self) -> bool {
        if self.deliver.is_some() {
            return true;
        }
        let Some(victim) = self.victim.upgrade() else { return false };
        let mut state = victim.lock();
        if state.is_over || (state.at, state.end) != (self.wanted.first, self.wanted.end) {
            return false;
        }
        // It has no way back: its connection is closed.
        (state.end, state.is_over) = (self.wanted.first, true);
        let (deliver, tail) = oneshot::channel();
        state.tails.push(tail);
        self.deliver = Some(deliver);
        victim.taken_over.notify_one();
        true
    }

    /// What is to be brought, and a future that waits until nobody wants it any more.
    pub(crate) fn watch(&mut self) -> (&Wanted, impl Future<Output = ()>) {
        let deliver = &mut self.deliver;
        let unwanted = async move {
            match deliver {
                Some(deliver) => deliver.closed().await,
                None => std::future::pending().await,
            }
        };
        (&self.wanted, unwanted)
    }

    /// Hands over what was brought.
    pub(crate) fn deliver(self, brought: Brought) {
        if let Some(deliver) = self.deliver {
            // Whoever has gone away has no use for it.
            let _ = deliver.send(brought);
        }
    }

    /// Undoes the cut: nothing was brought, and the piece goes on as if nothing had been. False if it is too late.
    pub(crate) fn undo(&self) -> bool {
        let (Some(victim), Some(_)) = (self.victim.upgrade(), &self.deliver) else { return true };
        let mut state = victim.lock();
        let is_last_cut = !state.is_over && state.end == self.wanted.first;
        if is_last_cut {
            state.end = self.wanted.end;
            state.tails.pop();
        }
        is_last_cut
    }
}

#[cfg(test)]
mod tests;
