//! Records each change of a limit during a run, with its time.

use crate::event::{Event, EventKind, Observer};
#[cfg(feature = "serde")]
use crate::report::seconds;
#[cfg(feature = "serde")]
use serde::Serialize;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// The most changes kept of one run. A run may last for days.
const KEPT: usize = 10_000;

/// A change of the limit of a key: a recorded [`EventKind::LimitChanged`]. In JSON, times are seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(Serialize))]
#[non_exhaustive]
pub struct LimitChange {
    /// When the limit changed, from the start of the run.
    #[cfg_attr(feature = "serde", serde(serialize_with = "seconds"))]
    pub at: Duration,
    /// The key, for people.
    pub key: String,
    /// The new limit.
    pub limit: usize,
    /// Why it changed.
    pub why: String,
}

impl LimitChange {
    /// Creates a change at this time from the start of the run.
    pub fn new(at: Duration, key: impl Into<String>, limit: usize, why: impl Into<String>) -> Self {
        Self { at, key: key.into(), limit, why: why.into() }
    }
}

/// An observer that keeps every [`LimitChange`] of a run: the first ten thousand.
///
/// ```
/// use raudal_pool::{Event, EventKind, LimitLog, Observer};
///
/// let log = LimitLog::default();
/// log.observe(&Event::new(1, EventKind::RunStarted { total: None, jobs: 64 }));
/// let why = "nothing has come yet";
/// log.observe(&Event::new(1, EventKind::LimitChanged { key: "https://a.example:443", limit: 8, why }));
/// assert_eq!(log.changes()[0].limit, 8);
/// ```
#[derive(Debug, Default)]
pub struct LimitLog(Mutex<(Option<Instant>, Vec<LimitChange>)>);

impl LimitLog {
    /// Returns the changes kept so far, in the order of time.
    pub fn changes(&self) -> Vec<LimitChange> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1.clone()
    }
}

impl Observer for LimitLog {
    fn observe(&self, event: &Event<'_>) {
        match &event.kind {
            EventKind::RunStarted { .. } => {
                self.0.lock().unwrap_or_else(PoisonError::into_inner).0 = Some(Instant::now());
            }
            EventKind::LimitChanged { key, limit, why } => {
                let (began, changes) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
                if changes.len() < KEPT {
                    let at = began.map(|began| began.elapsed()).unwrap_or_default();
                    changes.push(LimitChange { at, key: (*key).to_owned(), limit: *limit, why: (*why).to_owned() });
                }
            }
            _ => {}
        }
    }
}
