//! What the pool promises, a file for each kind of promise.

mod abandoned;
mod blocking;
#[cfg(all(unix, feature = "process"))]
mod command;
mod growing;
mod honest;
mod limit;
mod local;
mod ownership;
#[cfg(feature = "rate")]
mod rate;
mod retry;
mod run;
mod sharing;
mod stress;
mod time;
