//! Runs over a real broker and real workers: each line of the table in docs/fleet.md.
//!
//! They need `nats-server`: where it is, the variable `RAUDAL_NATS_SERVER` says, or it is on the
//! path or in target/tools. Without it they say that they are skipped.
#![cfg(unix)]
#![allow(missing_docs, unreachable_pub)]

#[path = "../common/mod.rs"]
mod common;
mod harness;

mod broker;
mod chaos;
#[cfg(feature = "cloud")]
mod cloud;
mod cluster;
mod ends;
mod files;
mod login;
mod network;
mod recipes;
mod same;
mod seen;
mod trust;
mod wire;
mod workers;
