//! What the crates of raudal share.
//!
//! - [`error`]: one error; its [`Kind`] decides what a failure means, in one place.
//! - [`units`]: sizes, rates and durations as people write and read them.
//! - [`atomic_file`]: files that take their final name when they are whole.

pub mod atomic_file;
pub mod error;
mod kind;
pub mod units;

pub use error::{Class, Error, Kind, Result};
