//! The guide's programs, compiled and run against the crate as anybody gets it; and, in `tests/`, what people build
//! with a pool.

#![doc = include_str!("../../../crates/raudal-pool/src/guide.md")]
/// The table of equivalents.
#[doc = include_str!("../../../crates/raudal-pool/src/equivalents.md")]
pub mod equivalents {}
