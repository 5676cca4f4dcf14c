//! Which transfers another connection may help, and where they are cut. Pure: the time is handed in.
//!
//! A transfer whose bytes a strong validator stands for, and whose server knows ranges, is a *piece* of a body: from
//! where it is to its end. When a slot is free, the piece that has the longest way to go is cut: its second half becomes
//! a piece of its own, on a connection of its own, and may be cut again. Both halves are meant to end together. On a
//! link that caps each connection this beats cutting every body from the start: nothing is cut that need not be.
//!
//! Each piece appends what was cut off from it once it has reached its own end, so a body always arrives from front to
//! back, whoever brought it: digests, sidecars and lengths are checked as for one connection.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Notify, oneshot, watch};
use tokio::time::Instant;
use url::Url;

use super::range::Validator;
use super::spool::Stored;
use crate::Result;
use crate::source::Location;

/// Nothing shorter is cut off: on any network, a request for it costs as much as the bytes.
const SHORTEST: u64 = 64 * 1024;
/// A piece that is over within this, beyond one and a half of the time that a new answer takes to come, is left alone: a
/// cut would bring its end nearer by less than a quarter of that answer's time.
const SOON: Duration = Duration::from_millis(100);
/// How long a piece must have been under way for its speed to be known; and when to look again at one that was left
/// alone, since its speed may fall.
const LOOK: Duration = Duration::from_millis(100);

/// Whose bytes a piece has.
#[derive(Debug)]
pub(super) struct Source {
    /// What was asked for: it says which credentials may go along.
    pub(super) asked: Url,
    /// Where the bytes come from.
    pub(super) here: Url,
    pub(super) validator: Validator,
    pub(super) total: u64,
}

impl Source {
    /// What its server's limits are counted by.
    fn key(&self) -> Option<String> {
        Location::Url(self.asked.clone()).key()
    }
}

/// How many bytes the helpers of one body have brought, for whoever watches the body.
#[derive(Debug, Default)]
pub(super) struct Progress {
    bytes: AtomicU64,
    more: Notify,
}

impl Progress {
    pub(super) fn add(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Relaxed);
        self.more.notify_one();
    }

    /// What was not taken yet.
    pub(super) fn take(&self) -> u64 {
        self.bytes.swap(0, Relaxed)
    }

    /// Waits until there may be more.
    pub(super) async fn more(&self) {
        self.more.notified().await;
    }
}

/// What a helper has brought: a body's bytes from the cut on, and whether all of them.
pub(super) type Brought = (Stored, Result<()>);

/// A transfer under way, from where it is to its end.
#[derive(Debug)]
struct Piece {
    source: Arc<Source>,
    /// How long its answer took to come.
    setup: Duration,
    progress: Arc<Progress>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    at: u64,
    end: u64,
    /// When and where its first bytes came.
    began: Option<(Instant, u64)>,
    /// What was cut off, the last cut first to be appended.
    tails: Vec<oneshot::Receiver<Brought>>,
    /// Whether it has come to its end, and only appends from here on.
    is_over: bool,
}

impl Piece {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// How many bytes are still to come: none, should the server send more than it has announced.
    fn missing(&self) -> u64 {
        self.end.saturating_sub(self.at)
    }

    /// How long it still has to go, at the speed it had so far; not known at first.
    fn left(&self, now: Instant) -> Option<(Duration, f64)> {
        let (began, from) = self.began?;
        let elapsed = now.saturating_duration_since(began);
        if elapsed < LOOK || self.at == from {
            return None;
        }
        let speed = (self.at - from) as f64 / elapsed.as_secs_f64();
        Duration::try_from_secs_f64(self.missing() as f64 / speed).ok().map(|left| (left, speed))
    }

    /// Where to cut so that both halves end together: the helper begins when its answer has come.
    fn middle(&self, speed: f64, setup: Duration) -> u64 {
        let left = self.missing();
        let own = f64::midpoint(left as f64, speed * setup.as_secs_f64());
        self.at + (own as u64).clamp(left / 2, left)
    }
}

/// What becomes of a look for a piece to cut.
#[derive(Debug)]
pub(super) enum Found<S> {
    Cut(Cut, S),
    /// None now. Looking again after a while may find one.
    Later(Duration),
    /// Nothing is under way that could ever be cut.
    Nothing,
}

/// All pieces under way of one client.
#[derive(Debug)]
pub(super) struct Transfers {
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
    pub(super) fn enter(
        &self,
        source: Arc<Source>,
        (at, end): (u64, u64),
        setup: Duration,
        progress: Arc<Progress>,
    ) -> Entry {
        let state = State { at, end, began: None, tails: Vec::new(), is_over: false };
        let piece = Arc::new(Piece { source, setup, progress, state: Mutex::new(state) });
        if end.saturating_sub(at) >= 2 * SHORTEST {
            let mut pieces = self.pieces.lock().unwrap_or_else(PoisonError::into_inner);
            pieces.retain(|piece| piece.strong_count() > 0);
            pieces.push(Arc::downgrade(&piece));
            drop(pieces);
            self.changed.send_replace(());
        }
        Entry(piece)
    }

    /// Is told when a transfer begins that may be worth a cut.
    pub(super) fn subscribe(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// How many cuts were made so far.
    pub(super) fn cuts(&self) -> u64 {
        self.cuts.load(Relaxed)
    }

    /// This server is to be asked for no parts any more.
    pub(super) fn refuse(&self, source: &Source) {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).extend(source.key());
    }

    pub(super) fn is_refused(&self, source: &Source) -> bool {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        source.key().is_some_and(|key| refused.contains(&key))
    }

    /// Cuts the piece that has the longest way to go, of those for whose server there is a slot.
    pub(super) fn cut<S>(&self, now: Instant, mut slot: impl FnMut(Option<&str>) -> Option<S>) -> Found<S> {
        let pieces: Vec<Arc<Piece>> = {
            let mut pieces = self.pieces.lock().unwrap_or_else(PoisonError::into_inner);
            pieces.retain(|piece| piece.strong_count() > 0);
            pieces.iter().filter_map(Weak::upgrade).collect()
        };
        // The first answer of a host takes as long as its connection; a helper may find one that is there.
        let mut setups: HashMap<Option<String>, Duration> = HashMap::new();
        for piece in &pieces {
            setups
                .entry(piece.source.key())
                .and_modify(|known| *known = piece.setup.min(*known))
                .or_insert(piece.setup);
        }
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let mut candidates = Vec::new();
        let mut later = false;
        for piece in pieces {
            let state = piece.lock();
            if state.is_over || state.missing() < 2 * SHORTEST {
                continue;
            }
            let key = piece.source.key();
            if key.as_ref().is_some_and(|key| refused.contains(key)) {
                continue;
            }
            later = true;
            let setup = setups.get(&key).copied().unwrap_or(piece.setup);
            if let Some((left, speed)) = state.left(now).filter(|(left, _)| *left > setup + setup / 2 + SOON) {
                drop(state);
                candidates.push((left, speed, setup, key, piece));
            }
        }
        drop(refused);
        candidates.sort_unstable_by_key(|candidate| std::cmp::Reverse(candidate.0));
        for (_, speed, setup, key, piece) in candidates {
            let Some(slot) = slot(key.as_deref()) else { continue };
            let mut state = piece.lock();
            // It has gone on meanwhile.
            if state.is_over || state.missing() < 2 * SHORTEST {
                continue;
            }
            let first = state.middle(speed, setup);
            let (deliver, tail) = oneshot::channel();
            let wanted = Wanted {
                source: Arc::clone(&piece.source),
                first,
                end: std::mem::replace(&mut state.end, first),
                progress: Arc::clone(&piece.progress),
            };
            let cut = Cut { wanted, deliver, victim: Arc::downgrade(&piece) };
            state.tails.push(tail);
            self.cuts.fetch_add(1, Relaxed);
            return Found::Cut(cut, slot);
        }
        if later { Found::Later(LOOK) } else { Found::Nothing }
    }
}

/// A transfer's own view of its piece.
#[derive(Debug)]
pub(super) struct Entry(Arc<Piece>);

impl Entry {
    /// So many bytes have arrived; so many of them are the piece's own.
    pub(super) fn take(&self, bytes: usize, now: Instant) -> usize {
        let mut state = self.0.lock();
        // Without a cut it is for the transfer to say that there are too many.
        let own = if state.tails.is_empty() { bytes } else { bytes.min((state.missing()) as usize) };
        let at = state.at;
        state.began.get_or_insert((now, at + own as u64));
        state.at += own as u64;
        own
    }

    /// Whether what comes next is brought by others: then there is no going back.
    pub(super) fn is_cut_here(&self) -> bool {
        let mut state = self.0.lock();
        if !state.tails.is_empty() && state.at == state.end {
            state.is_over = true;
        }
        state.is_over
    }

    /// What comes next of that which was cut off.
    pub(super) fn next_tail(&self) -> Option<oneshot::Receiver<Brought>> {
        self.0.lock().tails.pop()
    }

    /// What its helpers have brought.
    pub(super) fn progress(&self) -> &Arc<Progress> {
        &self.0.progress
    }
}

/// What another connection is to bring.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) source: Arc<Source>,
    pub(super) first: u64,
    pub(super) end: u64,
    pub(super) progress: Arc<Progress>,
}

/// The second half of a piece, which was cut off.
#[derive(Debug)]
pub(super) struct Cut {
    pub(super) wanted: Wanted,
    pub(super) deliver: oneshot::Sender<Brought>,
    victim: Weak<Piece>,
}

impl Cut {
    /// Hands over what was brought.
    pub(super) fn deliver(self, brought: Brought) {
        // Whoever has gone away has no use for it.
        let _ = self.deliver.send(brought);
    }

    /// Undoes the cut: nothing was brought, and the piece goes on as if nothing had been. False if it is too late.
    pub(super) fn undo(&self) -> bool {
        let Some(victim) = self.victim.upgrade() else { return true };
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
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    const SETUP: Duration = Duration::from_millis(50);
    const MIB: u64 = 1 << 20;

    fn source(host: &str) -> Arc<Source> {
        let url = Url::parse(&format!("http://{host}/a.zip")).expect("a URL");
        let validator = Validator::Tag(HeaderValue::from_static("\"a\""));
        Arc::new(Source { asked: url.clone(), here: url, validator, total: 100 * MIB })
    }

    fn piece(transfers: &Transfers, host: &str, end: u64) -> Entry {
        transfers.enter(source(host), (0, end), SETUP, Arc::default())
    }

    /// Its first bytes came at `start`, and so many more a second later.
    fn run(entry: &Entry, start: Instant, bytes: u64) {
        entry.take(1, start);
        entry.take(bytes as usize, start + Duration::from_secs(1));
    }

    fn cut(transfers: &Transfers, now: Instant) -> Option<Cut> {
        match transfers.cut(now, |_| Some(())) {
            Found::Cut(cut, ()) => Some(cut),
            _ => None,
        }
    }

    #[test]
    fn the_piece_with_the_longest_way_to_go_is_cut_so_that_both_halves_end_together() {
        let (transfers, start) = (Transfers::default(), Instant::now());
        let (fast, slow) = (piece(&transfers, "a", 9 * MIB), piece(&transfers, "a", 5 * MIB));
        run(&fast, start, 4 * MIB);
        run(&slow, start, MIB);
        let cut = cut(&transfers, start + Duration::from_secs(1)).expect("a piece worth it");
        // 4 MiB at 1 MiB/s: the helper's answer takes 50 ms to come, in which the piece goes on by 1/20 MiB.
        let middle = MIB + 1 + 2 * MIB + MIB / 40;
        assert!(cut.wanted.first.abs_diff(middle) < 100 && cut.wanted.end == 5 * MIB, "{cut:?}");
        assert_eq!(slow.take(8 * MIB as usize, start), (cut.wanted.first - MIB - 1) as usize, "no byte beyond the cut");
        assert!(slow.is_cut_here() && slow.next_tail().is_some() && slow.next_tail().is_none());
        assert!(!fast.is_cut_here());
        assert_eq!(transfers.cuts(), 1);
    }

    #[test]
    fn nothing_is_cut_that_is_over_soon_or_whose_speed_is_not_known() {
        let (transfers, start) = (Transfers::default(), Instant::now());
        let entry = piece(&transfers, "a", 2 * MIB);
        assert!(matches!(transfers.cut(start, |_| Some(())), Found::Later(_)), "no byte has come");
        run(&entry, start, MIB * 9 / 5);
        assert!(matches!(transfers.cut(start + Duration::from_secs(1), |_| Some(())), Found::Later(_)), "0.11 s");
        drop(entry);
        assert!(matches!(transfers.cut(start, |_| Some(())), Found::Nothing));
        let _small = piece(&transfers, "a", 2 * SHORTEST - 1);
        assert!(matches!(transfers.cut(start, |_| Some(())), Found::Nothing));
    }

    #[test]
    fn a_server_without_a_slot_or_that_refused_is_left_alone() {
        let (transfers, start) = (Transfers::default(), Instant::now());
        let (one, other) = (piece(&transfers, "a", 9 * MIB), piece(&transfers, "b", 5 * MIB));
        run(&one, start, MIB);
        run(&other, start, MIB);
        let now = start + Duration::from_secs(1);
        let Found::Cut(cut, ()) = transfers.cut(now, |key| key.is_some_and(|key| key.contains('b')).then_some(()))
        else {
            panic!("b has a slot");
        };
        assert_eq!(cut.wanted.source.here.host_str(), Some("b"));
        transfers.refuse(&cut.wanted.source);
        assert!(cut.undo());
        let Found::Cut(cut, ()) = transfers.cut(now, |_| Some(())) else { panic!("a is there") };
        assert_eq!(cut.wanted.source.here.host_str(), Some("a"));
        transfers.refuse(&cut.wanted.source);
        assert!(matches!(transfers.cut(now, |_| Some(())), Found::Nothing));
    }

    #[test]
    fn a_cut_is_undone_only_while_the_piece_can_go_on() {
        let (transfers, start) = (Transfers::default(), Instant::now());
        let entry = piece(&transfers, "a", 9 * MIB);
        run(&entry, start, MIB);
        let now = start + Duration::from_secs(1);
        let (first, second) = (cut(&transfers, now).expect("a cut"), cut(&transfers, now).expect("another"));
        assert_eq!(second.wanted.end, first.wanted.first);
        assert!(!first.undo(), "another piece lies between");
        assert!(second.undo() && first.undo());
        assert_eq!(entry.take(9 * MIB as usize, now), 9 * MIB as usize, "as if nothing had been");
        let entry = piece(&transfers, "a", 9 * MIB);
        run(&entry, start, MIB);
        let late = cut(&transfers, now).expect("a cut");
        entry.take(9 * MIB as usize, now);
        assert!(entry.is_cut_here() && !late.undo());
    }
}
