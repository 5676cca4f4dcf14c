//! Tests of the program and of the crates together, with real servers and a real program.
//!
//! They are one binary, so that everything is linked once. Tests that need their own process are
//! separate: `fetch_memory.rs` measures a peak, and `soak.rs` runs long.
#![allow(missing_docs, unreachable_pub)]

#[path = "../common/mod.rs"]
mod common;
mod harness;

mod adaptive;
mod ask;
mod bad_input;
#[cfg(feature = "cloud")]
mod cloud;
mod compare_page;
mod conditions;
mod configuration;
mod containers;
mod dialects;
mod examples;
mod examples_readme;
mod fetch_bad;
mod fetch_digest;
mod fetch_good;
mod fetch_resume;
mod fetch_run;
mod fetch_segments;
mod fetch_streaming;
mod fetch_tls;
mod get;
mod main_job;
mod metrics;
mod origin_faults;
mod origin_http;
mod out;
mod out_conditions;
mod out_postgres;
mod peek;
mod real_archives;
mod schemas;
mod servers;
mod sources;
mod terminal;
mod trust;
mod usage;
mod workload_cli;
mod workload_postgres;
