//! What the crates of raudal share.
//!
//! - [`error`]: one error; its [`Kind`] decides what a failure means, in one place.
//! - [`units`]: sizes, rates and durations as people write and read them.
//! - [`atomic_file`]: files that take their final name when they are whole.

pub mod atomic_file;
pub mod error;
mod kind;
pub mod units;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use error::{Class, Error, Kind, Result};

/// Locks a mutex whose holders leave no half-made change, so that a panic of one of them is no reason for another.
pub fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
