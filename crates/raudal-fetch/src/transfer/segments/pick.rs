//! Picks the pieces of a host to split or to request again.

use std::sync::Arc;
use std::time::Duration;

use super::piece::{Cut, Piece, SHORTEST, Seen};
use crate::transfer::balance::Balance;

/// A piece is stalled if it has waited for bytes for more than this time, and for more than twice the
/// time that a response takes.
const STILL: Duration = Duration::from_millis(250);

/// While inputs wait for slots, a piece is stalled after this many times as long. A server may pause for a moment when it
/// has much to do, and a second request would take the slot of an input.
const PATIENCE: u32 = 4;

/// The pieces of a host in flight.
#[derive(Debug, Default)]
pub(super) struct Host(Vec<(Arc<Piece>, Seen)>);

/// A piece that is worth another connection.
#[derive(Debug)]
pub(super) enum Pick {
    /// A piece to split, with its remaining time in seconds and the bytes to take over.
    Long(Arc<Piece>, f64, u64),
    /// A stalled piece to request again.
    Still(Arc<Piece>),
}

impl Pick {
    /// Returns the priority: the longest piece comes first.
    pub(super) fn rank(&self) -> f64 {
        match self {
            Self::Long(_, left, _) => *left,
            Self::Still(_) => 0.0,
        }
    }

    pub(super) fn cut(&self) -> Option<Cut> {
        match self {
            Self::Long(piece, _, bytes) => piece.cut(*bytes),
            Self::Still(piece) => piece.ask_again(),
        }
    }
}

impl Host {
    pub(super) fn add(&mut self, piece: Arc<Piece>, seen: Seen) {
        self.0.push((piece, seen));
    }

    /// Returns the pieces to split or to request again with this many spare slots, in no order.
    pub(super) fn pick(self, spare: usize) -> Vec<Pick> {
        // The first response of a host includes the time to connect. A segment may reuse a connection,
        // so take the shortest time.
        let mut picked: Vec<_> = self.longest(spare, self.setup()).into_iter().collect();
        picked.extend(self.still(1));
        picked
    }

    /// Returns the pieces that are requested again although inputs wait.
    pub(super) fn stalled(self) -> impl Iterator<Item = Pick> {
        self.still(PATIENCE)
    }

    fn still(self, patience: u32) -> impl Iterator<Item = Pick> {
        let longest = patience * STILL.max(2 * self.setup());
        self.0.into_iter().filter(move |(_, seen)| seen.still > longest).map(|(piece, _)| Pick::Still(piece))
    }

    /// Returns the shortest time from a request to the head of its response.
    fn setup(&self) -> Duration {
        self.0.iter().map(|(_, seen)| seen.setup).min().unwrap_or_default()
    }

    /// Returns the piece with the longest remaining time, if splitting it makes it finish earlier.
    fn longest(&self, spare: usize, setup: Duration) -> Option<Pick> {
        let known: Vec<f64> = self.0.iter().filter_map(|(_, seen)| seen.speed).collect();
        // Assume the mean speed of the others until the speed of a piece is known.
        let usual = known.iter().sum::<f64>() / known.len() as f64;
        let left = |seen: &Seen| seen.missing as f64 / seen.speed.unwrap_or(usual);
        let all: Vec<f64> = self.0.iter().map(|(_, seen)| left(seen)).collect();
        let long = self.0.iter().filter(|(_, seen)| seen.missing >= 2 * SHORTEST);
        let known = long.filter_map(|(piece, seen)| Some((piece, left(seen), seen.speed?)));
        let (piece, left, speed) = known.max_by(|(_, one, _), (_, other, _)| one.total_cmp(other))?;
        let balance = Balance { left: &all, spare, setup: setup.as_secs_f64() };
        Some(Pick::Long(Arc::clone(piece), left, (balance.share(left)? * speed) as u64))
    }
}
