//! raudal: run I/O-bound jobs concurrently on tokio, and see what concurrency bought.
//!
//! This package is the command, and a library that re-exports each crate of the workspace under one
//! name. A program that needs only one crate should depend on that crate alone. The modules, in the
//! order in which a reader needs them:
//!
//! | module | crate | what it does |
//! |---|---|---|
//! | [`pool`] | `raudal-pool` | runs any async job: bounded, retried, timed, cancellable, observed |
//! | [`source`] | `raudal-source` | what to fetch: URL patterns, lists, local paths |
//! | [`catalogue`] | `raudal-catalogue` | catalogues of published files, as data: the ITER archives |
//! | [`fetch`] | `raudal-fetch` | HTTP(S) and local files to verified bytes |
//! | [`table`] | `raudal-table` | archives to CSV records, filters, sinks; takes any reader |
//! | [`pipeline`] | `raudal-pipeline` | many inputs to one ordered table, or to files: the main job |
//! | [`origin`] | `raudal-origin` | a test server: synthetic archives, latency, bandwidth, faults |
//! | [`workload`], [`compare`] | `raudal-compare` | workloads at several levels of concurrency: runs, statistics, report |
//! | [`progress`] | `raudal-progress` | observers of a run: bars, plain lines, JSON, a recorder |
//! | `fleet` | `raudal-fleet` | one run over many machines, with the feature `fleet` |
//! | [`error`], [`units`] | `raudal-common` | what all of them share |
//! | [`cli`] | this package | the command line, and its commands for programs that host them |
//!
//! A crate depends only on crates above it in this table and on `raudal-common`. Only
//! `raudal-pipeline` and `raudal-compare` combine the others. The command line uses only what any
//! other program can use.

// The command line names the crates as any program does.
extern crate self as raudal;

pub mod cli;

pub use raudal_catalogue as catalogue;
pub use raudal_common::{Error, Kind, Result, error, units};
pub use raudal_compare as compare;
pub use raudal_compare::workload;
pub use raudal_fetch as fetch;
#[cfg(feature = "fleet")]
pub use raudal_fleet as fleet;
pub use raudal_origin as origin;
pub use raudal_pipeline as pipeline;
pub use raudal_pool as pool;
pub use raudal_progress as progress;
pub use raudal_source as source;
pub use raudal_table as table;
