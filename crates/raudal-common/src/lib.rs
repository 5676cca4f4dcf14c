//! What the crates of raudal share.
//!
//! - [`error`]: one error, with an open [`Kind`] that decides in one place what a failure means.
//! - [`units`]: sizes, rates and durations as people write and read them.
//! - [`atomic_file`]: files that take their final name when they are whole.

pub mod atomic_file;
pub mod error;
pub mod units;

pub use error::{Error, Kind, Result};
