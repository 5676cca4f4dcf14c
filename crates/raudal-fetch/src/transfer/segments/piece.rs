//! A transfer under way, and what is cut from it.

use raudal_common::lock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::body::spool::Stored;
use crate::http::source::BodySource;
use raudal_common::Result;

/// The shortest segment, in bytes. For fewer bytes, the request costs as much time as the bytes.
pub(super) const SHORTEST: u64 = 64 * 1024;
/// How long a piece must have run before its speed is known. Also how long to wait before checking the
/// pieces again, since a speed may fall.
pub(crate) const LOOK: Duration = Duration::from_millis(100);

/// Counts the bytes that the segments of one body have received, for the observer of the body.
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

    /// Returns the bytes since the last call.
    pub(crate) fn take(&self) -> u64 {
        self.bytes.swap(0, Relaxed)
    }

    /// Waits until more bytes may have arrived.
    pub(crate) async fn more(&self) {
        self.more.notified().await;
    }
}

/// The bytes of a segment, from the cut on, and whether they are complete.
pub(crate) type Brought = (Stored, Result<()>);

/// A transfer in flight, from its current position to its end.
#[derive(Debug)]
pub(super) struct Piece {
    source: Arc<BodySource>,
    /// The time from its request to the head of the response.
    setup: Duration,
    progress: Arc<SegmentProgress>,
    state: Mutex<PieceState>,
    /// Notified when another connection takes over all missing bytes.
    taken_over: Notify,
}

#[derive(Debug)]
struct PieceState {
    at: u64,
    end: u64,
    /// The time of its first bytes, and the position after them.
    began: Option<(Instant, u64)>,
    /// Since when it waits for bytes. `None` while it processes some.
    waits: Option<Instant>,
    /// The position at which it was last requested again.
    asked_again: Option<u64>,
    /// How many more times it may be requested again.
    asks: u8,
    /// The segments that were cut off. The last one is appended first.
    tails: Vec<oneshot::Receiver<Brought>>,
    /// Whether it has reached its end, and only appends segments from now on.
    is_over: bool,
}

impl Piece {
    /// A piece of a body, whose response took `setup` to begin.
    pub(super) fn new(
        source: Arc<BodySource>,
        (at, end): (u64, u64),
        setup: Duration,
        progress: Arc<SegmentProgress>,
        asks: u8,
    ) -> Self {
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
        Self { source, setup, progress, state: Mutex::new(state), taken_over: Notify::new() }
    }

    pub(super) fn source(&self) -> &BodySource {
        &self.source
    }

    fn lock(&self) -> MutexGuard<'_, PieceState> {
        lock(&self.state)
    }

    /// Returns its progress, or `None` if it has reached its end.
    pub(super) fn see(&self, now: Instant) -> Option<Seen> {
        let state = self.lock();
        let waits = state.waits.filter(|_| state.asks > 0 && state.asked_again != Some(state.at));
        let still = waits.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        let seen = Seen { missing: state.missing(), speed: state.speed(now), still, setup: self.setup };
        (!state.is_over && seen.missing > 0).then_some(seen)
    }

    /// Cuts this many bytes off its end.
    pub(super) fn cut(self: &Arc<Self>, bytes: u64) -> Option<Cut> {
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

    /// Creates a second request for all missing bytes.
    pub(super) fn ask_again(self: &Arc<Self>) -> Option<Cut> {
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
    /// Returns the missing bytes: 0 if the server sends more than it announced.
    fn missing(&self) -> u64 {
        self.end.saturating_sub(self.at)
    }

    /// Returns the mean speed so far, in bytes per second, or `None` if it is too early to know.
    fn speed(&self, now: Instant) -> Option<f64> {
        let (began, from) = self.began?;
        let elapsed = now.saturating_duration_since(began);
        (elapsed >= LOOK && self.at > from).then(|| (self.at - from) as f64 / elapsed.as_secs_f64())
    }
}

/// The progress of a piece.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// The bytes that have not arrived yet.
    pub(super) missing: u64,
    /// In bytes per second, if it is known.
    pub(super) speed: Option<f64>,
    /// How long it has waited for bytes. Zero if it was requested again meanwhile.
    pub(super) still: Duration,
    /// The time from its request to the head of the response.
    pub(super) setup: Duration,
}

/// The handle of a transfer to its piece.
#[derive(Debug)]
pub(crate) struct PieceHandle(pub(super) Arc<Piece>);

impl PieceHandle {
    /// Records that the piece waits for bytes.
    pub(crate) fn wait(&self, now: Instant) {
        self.0.lock().waits = Some(now);
    }

    /// Records this many arrived bytes. Returns how many of them belong to the piece.
    pub(crate) fn take(&self, bytes: usize, now: Instant) -> usize {
        let mut state = self.0.lock();
        // Without a cut, the transfer itself checks that there are not too many.
        let own = if state.tails.is_empty() { bytes } else { bytes.min((state.missing()) as usize) };
        let at = state.at;
        state.began.get_or_insert((now, at + own as u64));
        state.waits = None;
        state.at += own as u64;
        own
    }

    /// Returns whether the piece has reached a cut. Then the cut can no longer be undone.
    pub(crate) fn is_cut_here(&self) -> bool {
        let mut state = self.0.lock();
        if !state.tails.is_empty() && state.at == state.end {
            state.is_over = true;
        }
        state.is_over
    }

    /// Returns the next segment to append.
    pub(crate) fn next_tail(&self) -> Option<oneshot::Receiver<Brought>> {
        self.0.lock().tails.pop()
    }

    /// Waits until another connection takes over all missing bytes.
    pub(crate) async fn taken_over(&self) {
        self.0.taken_over.notified().await;
    }

    /// Returns the counter of the bytes from its segments.
    pub(crate) fn progress(&self) -> &Arc<SegmentProgress> {
        &self.0.progress
    }
}

/// The bytes that another connection should fetch.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) source: Arc<BodySource>,
    pub(crate) first: u64,
    pub(crate) end: u64,
    pub(crate) progress: Arc<SegmentProgress>,
    /// How many more times they may be requested again.
    pub(crate) asks: u8,
}

/// A request on another connection, for a piece in flight.
#[derive(Debug)]
pub(crate) struct Cut {
    pub(crate) wanted: Wanted,
    /// Where to send the bytes. `None` while the piece may still receive them itself.
    deliver: Option<oneshot::Sender<Brought>>,
    victim: Weak<Piece>,
}

impl Cut {
    /// Takes over when the response has begun. Returns false if the response is useless, because the
    /// stalled piece has continued by itself.
    pub(crate) fn begin(&mut self) -> bool {
        if self.deliver.is_some() {
            return true;
        }
        let Some(victim) = self.victim.upgrade() else { return false };
        let mut state = victim.lock();
        if state.is_over || (state.at, state.end) != (self.wanted.first, self.wanted.end) {
            return false;
        }
        // This cannot be undone: the connection of the piece is closed.
        (state.end, state.is_over) = (self.wanted.first, true);
        let (deliver, tail) = oneshot::channel();
        state.tails.push(tail);
        self.deliver = Some(deliver);
        victim.taken_over.notify_one();
        true
    }

    /// Returns the bytes to fetch, and a future that waits until nobody needs them any more.
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

    /// Hands over the bytes.
    pub(crate) fn deliver(self, brought: Brought) {
        if let Some(deliver) = self.deliver {
            // If the receiver is gone, nobody needs the bytes.
            let _ = deliver.send(brought);
        }
    }

    /// Undoes the cut when no bytes were fetched: the piece continues as before. Returns false if it is
    /// too late.
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
