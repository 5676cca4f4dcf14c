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
//! [`run()`] does all of this; [`files`] saves inputs as files instead. A failed input is data in the
//! [`Summary`], never an early return. [`Reader`] and [`Merge`] are the two halves of [`run()`], for a run over several
//! machines. Only a failure that makes the result impossible (a full
//! disk, a closed pipe) is an error.
//!
//! | module | what it does |
//! |---|---|
//! | `run/` | what every run has: limits (`concurrency`) and policies, partial transfers kept for the next attempt, segments for idle slots, the lock file, checksums |
//! | `table/` | inputs → one table: begin the biggest first (`reorder`), decode while downloading (`streaming`), merge in input order |
//! | `globs` | the objects of globs in cloud stores, as inputs |
//! | `links` | the links on pages, as inputs |
//! | `peek` | looks at one input, over a few ranges of it |
//! | `files/` | inputs → files: reserve names, verify, extract, publish |

pub mod files;
mod globs;
mod links;
mod peek;
mod run;
mod table;

pub use globs::listed;
pub use links::{Linked, linked};
pub use peek::{Peeked, peek};
pub use run::alone::Gate;
pub use run::concurrency::{Concurrency, Jobs};
pub use run::failure::Failure;
pub use run::hosts::Hosts;
pub use run::lock::{Lock, Locked};
pub use run::options::RunOptions;
pub use run::verify::known_checksum;
pub use table::merge::Merge;
pub use table::options::Options;
pub use table::reader::{InputRead, Reader};
pub use table::run::run;
pub use table::summary::Summary;
