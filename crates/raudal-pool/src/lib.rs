//! The toolkit: runs any async job, bounded, retried, timed, cancellable, observed.
//!
//! One builder, one closure. [`Pool::builder`] takes limits and policies; [`Pool::run`] takes inputs, lazily, and a
//! closure that is called with a [`Context`] and an input for each attempt of each job. Results come as a stream, as
//! they complete or in input order, each with a [`JobReport`]; the run ends with a [`RunReport`].
//!
//! ```
//! use raudal_pool::{Backoff, Pool, Retry};
//! use std::time::Duration;
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let pool = Pool::builder()
//!     .jobs(8)
//!     .per_key(2, |url: &&str| url.split('/').nth(2).map(str::to_owned))
//!     .retry(Retry::new(Backoff::default()).when(|error: &String| error == "try again"))
//!     .attempt_timeout(Duration::from_secs(10))
//!     .build()?;
//!
//! let results = pool
//!     .map(["https://a.example/1", "https://a.example/2", "https://b.example/1"], |cx, url| async move {
//!         // The first attempt of each job fails: the pool waits and tries again.
//!         if cx.attempt() == 1 { Err("try again".to_owned()) } else { Ok(url.len()) }
//!     })
//!     .await;
//! assert!(results.iter().all(Result::is_ok));
//! # Ok(())
//! # }
//! ```
//!
//! The [guide] takes a loop to a pool, one step at a time, and has a table from what other languages and libraries
//! offer. What holds for every run:
//!
//! - Each slot is a task of its own, which takes one job after the other: jobs go on while the consumer is busy, and
//!   their own time-outs are honoured. (A future in `buffer_unordered` stands still while nobody polls the stream.)
//! - The input is pulled only as slots come free, and what waits (for a key, for a retry, for the consumer) is bounded
//!   by [`Builder::buffer`].
//! - A job that waits for its next attempt holds no slot.
//! - Each job that was pulled has exactly one result. A panic is the failure of its job. A job that the end of the run
//!   prevented is [`JobError::Cancelled`].
//! - When the run is over, nothing of it is running: tasks and blocking work are awaited.

mod builder;
mod command;
mod context;
mod driver;
mod ending;
mod engine;
mod error;
mod event;
mod histogram;
mod lend;
mod limits;
mod queue;
mod rate;
mod report;
mod retry;
mod room;
mod run;
mod runs;
mod settings;
mod spawn;
mod worker;

#[doc = include_str!("guide.md")]
pub mod guide {}

pub use builder::{Builder, Pool};
pub use command::{CommandError, CommandOutput};
pub use context::Context;
pub use error::{BuildError, JobError};
pub use event::{Event, NoObserver, Observer};
pub use histogram::Percentiles;
pub use lend::{Lent, Slots};
pub use limits::{LimitChange, LimitLog};
pub use report::{JobReport, Outcome, RunReport, StageSpan};
pub use retry::{Backoff, Retry};
pub use run::{Completed, Run};
pub use spawn::{Handle, Spawner, StillRunning};
