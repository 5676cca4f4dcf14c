//! raudal
pub mod compare;
pub mod error;
pub mod fetch;
pub mod origin;
pub mod pipeline;
pub mod pool;
pub mod progress;
pub mod source;
pub mod table;
pub mod units;
pub mod workload;
pub use error::{Error, Kind, Result};
