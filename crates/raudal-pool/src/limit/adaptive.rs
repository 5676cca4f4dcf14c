//! The adaptive limit of one key, or of the whole pool.

use super::controller::{Controller, LoadSample};
use super::{Learned, Limit, Pressure};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;
use tokio::time::Instant;

/// This many time-outs in a row halve the limit.
const TIMEOUTS: u32 = 3;

/// Counts progress: what attempts report, and the jobs that succeed.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    progress: AtomicU64,
    /// Attempts that have made any progress.
    answers: AtomicU64,
}

impl Meter {
    /// Adds progress, and whether it is the first of its attempt.
    pub(crate) fn add(&self, progress: u64, is_first: bool) {
        self.progress.fetch_add(progress, Relaxed);
        if is_first {
            self.answers.fetch_add(1, Relaxed);
        }
    }
}

/// A limit that was changed, and why.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) key: Option<Arc<str>>,
    pub(crate) limit: usize,
    pub(crate) why: &'static str,
}

#[derive(Debug)]
pub(crate) struct Adaptive {
    /// How high the limit may grow. With `None`, it only shrinks, after repeated time-outs.
    most: Option<usize>,
    known: Option<Learned>,
    limit: Option<usize>,
    controller: Option<Controller>,
    meter: Arc<Meter>,
    trouble: u64,
    timeouts: u32,
}

impl Adaptive {
    pub(crate) fn new(most: Option<usize>, known: Option<Learned>) -> Self {
        Self { most, known, limit: None, controller: None, meter: Arc::default(), trouble: 0, timeouts: 0 }
    }

    /// Returns what has been learned, for the next run.
    pub(crate) fn learned(&self) -> Option<Learned> {
        self.controller.as_ref().and_then(Controller::learned)
    }

    /// Returns the limit, once there is one.
    pub(crate) fn limit(&self) -> Option<usize> {
        self.limit
    }

    pub(crate) fn meter(&self) -> Arc<Meter> {
        Arc::clone(&self.meter)
    }

    pub(crate) fn press(&mut self, pressure: Pressure) {
        self.trouble += u64::from(pressure != Pressure::None);
        self.timeouts += u32::from(pressure == Pressure::TimedOut);
    }

    pub(crate) fn succeeded(&mut self, is_first: bool) {
        self.meter.add(1, is_first);
        self.timeouts = 0;
    }

    /// Returns whether it timed out often enough to be lowered now.
    pub(crate) fn is_slow(&self) -> bool {
        self.timeouts >= TIMEOUTS
    }

    /// Checks what was measured. `now_allowed` is the current limit. Returns the new limit and the reason, if it changes.
    pub(crate) fn look(
        &mut self,
        now: Instant,
        now_allowed: usize,
        in_flight: usize,
        may_grow: bool,
    ) -> Option<(usize, &'static str)> {
        if self.is_slow() {
            self.timeouts = 0;
            let half = now_allowed / 2;
            if half > 0 {
                if let Some(controller) = &mut self.controller {
                    controller.lower(half, self.trouble);
                }
                // A key without a controller yet will start from this limit.
                self.most = self.most.map(|_| half);
                self.limit = Some(half);
                return Some((half, Limit::REPEATED_TIMEOUTS));
            }
        }
        let most = self.most?;
        let Some(controller) = &mut self.controller else {
            let controller = Controller::new(most, self.known, now);
            let limit = controller.limit();
            self.controller = Some(controller);
            self.limit = Some(limit);
            let why = if self.known.is_some() { "as in an earlier run" } else { "to begin with" };
            return Some((limit, why));
        };
        let (progress, answers) = (self.meter.progress.load(Relaxed), self.meter.answers.load(Relaxed));
        let sample = LoadSample { at: now, progress, answers, in_flight, trouble: self.trouble, may_grow };
        let why = controller.look(&sample)?;
        self.limit = Some(controller.limit());
        Some((controller.limit(), why))
    }

    /// Returns when to check again, while jobs are in flight.
    pub(crate) fn next_look(&self) -> Option<Duration> {
        self.most?;
        Some(self.controller.as_ref().map_or(Duration::ZERO, Controller::next_look))
    }
}
