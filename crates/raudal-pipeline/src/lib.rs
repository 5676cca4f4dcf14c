//! The main job: many inputs, one ordered table.
//!
//! ```text
//! inputs ─► order: if there are few, the biggest first
//!             │
//!           pool: at most N in flight, at most K a host
//!             │ one job an input, retried as a whole
//!           fetch ─► a verified body, in memory or in a temporary file
//!             │     (a long one is decoded while it arrives; its rows count once it is complete)
//!           table::read, on blocking threads, one per core ─► verified rows
//!             │
//!           merge, in input order ─► sink
//! ```
//!
//! [`run`] does all of this; [`files`] saves inputs as files instead. A failed input is data in the
//! [`Summary`], never an early return. Only a failure that makes the result impossible (a full
//! disk, a closed pipe) is an error.

mod ahead;
mod at_once;
mod decoders;
pub mod files;
mod job;
mod jobs;
mod lock;
mod merge;
mod options;
mod order;
mod segments;
mod shared;
mod slowed;
mod summary;
mod verify;
mod watch;

pub use at_once::Jobs;
pub use lock::{Lock, Locked};
pub use merge::run;
pub use options::Options;
pub use summary::{Failure, Summary};
