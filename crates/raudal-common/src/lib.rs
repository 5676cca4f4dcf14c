//! What the crates of raudal share.
//!
//! - [`error`]: one error type; its [`Kind`] decides what a failure means, in one place.
//! - `Portable`: an error that goes to another process, with the feature `serde`.
//! - [`glob`]: globs over names and paths.
//! - [`units`]: formats and parses sizes, rates and durations.
//! - [`atomic_file`]: files that get their final name only when they are complete.

pub mod atomic_file;
#[cfg(feature = "tokio")]
mod blocking;
pub mod error;
pub mod glob;
mod kind;
#[cfg(feature = "serde")]
mod portable;
pub mod units;

use std::sync::{Mutex, MutexGuard, PoisonError};

#[cfg(feature = "tokio")]
pub use blocking::blocking;
pub use error::{Class, Error, Kind, Result};
#[cfg(feature = "serde")]
pub use portable::Portable;

/// Locks a mutex and ignores poisoning. Its holders leave no half-made change, so a panic in one of
/// them need not cause another.
pub fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
