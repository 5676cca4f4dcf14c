//! The main job: many inputs, one ordered table.
//!
//! ```text
//! inputs ─► order: of a few, the biggest first
//!             │
//!           pool: at most N in flight, at most K a host
//!             │ one job an input, retried as a whole
//!           fetch ─► a verified body, in memory or in a temporary file
//!             │     (ahead: a long one is decoded while it arrives, and counts once it is there)
//!           table::read, on a blocking thread, as many at once as there are cores ─► verified rows
//!             │
//!           merge, in input order ─► sink
//! ```
//!
//! [`run`] is the whole of it; [`files`] is the way of inputs that become files. A failed input is data in the
//! [`Summary`], never an early return; only what makes the result itself impossible (a full disk, a closed pipe) is an
//! error.

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
