//! Runs any async job on tokio: bounded, retried, timed, cancellable, observed.
//!
//! A [`Pool`] holds limits that all of its runs share. Each run says what to do and how. [`Pool::map`] and similar
//! methods take inputs and a closure, which is called with a [`Context`] and an input for each attempt of each job.
//! Policies are set on the run, and then it is awaited or started:
//!
//! ```
//! use raudal_pool::{Backoff, JobError, Pool, Retry};
//! use std::time::Duration;
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), raudal_pool::BuildError> {
//! let pool = Pool::builder().jobs(8).per_key(2).build()?;
//!
//! let results = pool
//!     .map(["https://a.example/1", "https://a.example/2", "https://b.example/3"], |cx, url| async move {
//!         // The first attempt of each job fails: the pool waits and tries again.
//!         if cx.attempt() == 1 { Err("try again") } else { Ok(url.len()) }
//!     })
//!     .key(|url| url.split('/').nth(2).map(str::to_owned))
//!     .retry(Retry::new(Backoff::default()).when(|error| error.failure() == Some(&"try again")))
//!     .attempt_timeout(Duration::from_secs(10))
//!     .await;
//! assert!(results.iter().all(Result::is_ok));
//! # Ok(())
//! # }
//! ```
//!
//! The [guide] turns a loop into a pool step by step, and lists the counterparts in other tools. What holds for every
//! run:
//!
//! - **One limit.** The limits of a pool hold for all of its runs together.
//! - **Jobs go on** while the consumer is busy: each slot is a task of its own. (A future in `buffer_unordered` stands
//!   still while nobody polls the stream.)
//! - **Bounded memory.** The input is pulled only as slots come free. Jobs that wait for their key, their retry or
//!   the consumer are bounded by [`buffer`](RunBuilder::buffer) and [`look_ahead`](RunBuilder::look_ahead).
//! - **A job that waits for its next attempt holds no slot.**
//! - **Nothing is lost.** Each job that arrived has exactly one result. A panic in a job is the failure of that job. A
//!   panic in the input, in an observer or in another function of the run is rethrown to the caller that waits for it.
//! - **Nothing is left running.** When the run is over, its tasks and its blocking work have ended.
//! - **No lock is held** while your code runs.
//!
//! # Features
//!
//! | feature | gives | adds |
//! |---|---|---|
//! | `rate` (default) | [`PoolBuilder::rate`], [`PoolBuilder::rate_per_key`] | governor |
//! | `serde` | reports that can be serialized | serde |
//! | `process` | `Attempt::output`, `Attempt::status`: child processes | tokio's `process` |
//! | `tracing` | a span for each job and each attempt | tracing |

mod attempt;
mod backoff;
mod backpressure;
mod build;
#[cfg(feature = "process")]
mod command;
mod completed;
mod context;
mod control;
mod engine;
mod error;
mod event;
mod histogram;
mod inbox;
mod limit;
mod permits;
mod policy;
mod pool;
#[cfg(not(feature = "rate"))]
#[path = "no_rate.rs"]
mod rate;
#[cfg(feature = "rate")]
mod rate;
mod report;
mod results;
mod retry;
mod run;
mod scheduler;
mod spawner;
mod timeouts;
mod trace;

#[cfg(doc)]
#[doc = include_str!("guide.md")]
pub mod guide {
    #[doc = include_str!("equivalents.md")]
    pub mod equivalents {}
}

pub use attempt::Attempt;
pub use backoff::Backoff;
pub use build::{LocalRun, One, RunBuilder, output};
#[cfg(feature = "process")]
pub use command::{CommandError, CommandOutput};
pub use completed::Completed;
pub use context::Context;
pub use control::Control;
pub use error::{BuildError, JobError, MapError};
pub use event::{Event, EventKind, NoObserver, Observer};
pub use limit::{Learned, Limit, LimitChange, LimitLog, Pressure};
pub use permits::{Permit, Permits};
pub use pool::{Pool, PoolBuilder};
pub use report::{JobReport, Outcome, Percentiles, RunReport, StageSpan};
pub use retry::Retry;
pub use run::Run;
pub use spawner::{Handle, SpawnError, Spawner, StillRunning};
pub use tokio_util::sync::CancellationToken;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
