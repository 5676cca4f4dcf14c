//! Which piece of a host is split or asked for again.

use std::sync::Arc;
use std::time::Duration;

use super::{Cut, Piece, SHORTEST};
use crate::transfer::balance::Balance;

/// A piece that has waited for bytes for this long, and for twice the time that an answer takes to come, stands still.
const STILL: Duration = Duration::from_millis(250);

/// How a piece gets on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// How many bytes are still to come.
    pub(super) missing: u64,
    /// How many of them come in a second, where that is known.
    pub(super) speed: Option<f64>,
    /// How long it has waited for bytes, unless it was asked for once more meanwhile.
    pub(super) still: Duration,
    /// How long its answer took to come.
    pub(super) setup: Duration,
}

/// What is under way of a host.
#[derive(Debug, Default)]
pub(super) struct Host(Vec<(Arc<Piece>, Seen)>);

/// A piece that is worth another connection.
#[derive(Debug)]
pub(super) enum Pick {
    /// It has so many seconds to go, and so many bytes of it are to be taken over.
    Long(Arc<Piece>, f64, u64),
    /// It stands still.
    Still(Arc<Piece>),
}

impl Pick {
    /// What is long comes first.
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

    /// What is to be split or asked for again if there are so many slots to spare, in no order.
    pub(super) fn pick(self, spare: usize) -> Vec<Pick> {
        // The first answer of a host takes as long as its connection; a segment may find one that is there.
        let setup = self.0.iter().map(|(_, seen)| seen.setup).min().unwrap_or_default();
        let mut picked: Vec<_> = self.longest(spare, setup).into_iter().collect();
        let is_still = |seen: &Seen| seen.still > STILL.max(2 * setup);
        picked.extend(self.0.into_iter().filter(|(_, seen)| is_still(seen)).map(|(piece, _)| Pick::Still(piece)));
        picked
    }

    /// The piece that has the longest way to go, if a cut brings its end nearer.
    fn longest(&self, spare: usize, setup: Duration) -> Option<Pick> {
        let known: Vec<f64> = self.0.iter().filter_map(|(_, seen)| seen.speed).collect();
        // Until its own is known, a piece is taken to be as fast as the others.
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
