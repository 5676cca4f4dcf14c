//! Watching a run: bars on a terminal, plain lines, JSON, a record. All of it goes to stderr.
//!
//! [`Progress`] is the handle: it gives a run its [`Observer`](raudal_pool::Observer), and takes every other line for
//! stderr, so that nothing tears. [`Recorder`] keeps what became of each job.
//!
//! | file | what it does |
//! |---|---|
//! | `handle` | [`Progress`]: events and messages in, writes in turn |
//! | `style` | [`Style`], [`Verbosity`], and what stderr can show |
//! | `model` | what is known of a run at a moment; pure |
//! | `lines` | every line that people read; pure |
//! | `json` | every line that programs read; pure |
//! | `painter` | lines that are painted anew on a terminal; the only file that names indicatif |
//! | `out`, `ticker` | the stream, and the thread that lets time pass |
//! | `recorder` | [`Recorder`] |
//!
//! # JSON
//!
//! With [`Style::Json`], each line on stderr is an object. `event` says what it is, `t` is the time in seconds since the
//! first run began that still goes on. `run` is the number of the run, from 1: several may be told to one `Progress` at
//! once. Jobs are numbered from 0 in the order of the input of their run. Fields may be added; these stay:
//!
//! | `event` | further fields |
//! |---|---|
//! | `run_started` | `total` (null if unknown), `jobs` (at most so many in flight) |
//! | `attempt_started` | `job`, `label`, `attempt` (from 1) |
//! | `stage` | `job`, `stage` |
//! | `expected` | `job`, `bytes` (all of this attempt) |
//! | `advanced` | `job`, `bytes`, `items` since the last such line of the job |
//! | `attempt_failed` | `job`, `label`, `attempt`, `error`, `retry_in_seconds` (null if there is no other), `bytes`, `items` (void: to be taken back) |
//! | `key_paused` | `key`, `pause_seconds` |
//! | `limit_changed` | `key` (a host), `limit` (at most so many in flight from now on), `why` |
//! | `job_finished` | `job`, `report` (a [`JobReport`](raudal_pool::JobReport)) |
//! | `run_finished` | `report` (a [`RunReport`](raudal_pool::RunReport)) |
//! | `message` | `level` (`error`, `note` or `detail`), `text`: what other styles say as a line |
//!
//! A job's `advanced` lines come at most ten times a second, and what was held back is written before any other line of
//! the job: summed up to any line, less what `attempt_failed` takes back, they are exact.

mod handle;
mod json;
mod lines;
mod model;
mod out;
mod painter;
mod recorder;
mod style;
mod ticker;

#[cfg(test)]
mod screen;
#[cfg(test)]
mod tests;

pub use handle::{Clock, Progress};
pub use recorder::{Recorder, Recording};
pub use style::{Style, Verbosity};
