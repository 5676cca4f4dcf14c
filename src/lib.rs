//! raudal: run I/O-bound jobs concurrently on tokio, and see what concurrency bought.
//!
//! The rooms of the house, in the order in which a reader needs them:
//!
//! - [`pool`]: the toolkit. Runs any async job, bounded, retried, timed, cancellable, observed. Knows nothing of HTTP
//!   or CSV.
//! - [`source`]: what to fetch: URL patterns, lists, local paths, the catalogue of the ITER archives.
//! - [`fetch`]: HTTP(S) and local files → verified bytes.
//! - [`table`]: archive → CSV records → filter → sink. Takes any reader: no sockets, no runtime.
//! - [`pipeline`]: source → pool (fetch → table) → one ordered table. The main job.
//! - [`origin`]: the embedded server: synthetic archives, latency, bandwidth, faults.
//! - [`workload`]: what a comparison can run.
//! - [`compare`]: a workload at several levels of concurrency: runs, statistics, report.
//! - [`progress`]: observers of a run: bars, plain lines, JSON, a recorder.
//! - [`error`], [`units`] and `aside` (files that take their final name when they are whole): what all of them share.
//!
//! Imports go one way: `compare`, `progress` → `workload` → `pipeline`, `origin` → `fetch` → `pool`, `table`, `source` →
//! `error`, `units`, `aside`. The command line is the binary's own and uses what every other program can use.

pub mod compare;

pub mod workload;

pub use raudal_common::{Error, Kind, Result, error, units};
pub use raudal_fetch as fetch;
pub use raudal_origin as origin;
pub use raudal_pipeline as pipeline;
pub use raudal_pool as pool;
pub use raudal_progress as progress;
pub use raudal_source as source;
pub use raudal_table as table;
