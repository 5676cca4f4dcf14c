//! Shows runs on stderr: bars on a terminal, plain lines, or JSON. It can also record a run.
//!
//! [`Progress`] gives a run its [`Observer`](raudal_pool::Observer). All other lines for stderr go
//! through it too, so that text and bars do not mix. [`Recorder`] keeps the report of each job.
//!
//! | file | what it does |
//! |---|---|
//! | `handle` | [`Progress`], the handle |
//! | `display` | takes events and messages, and writes them one after the other |
//! | `style` | [`Style`], [`Verbosity`], and what stderr can show |
//! | `model` | the state of a run at one moment; pure |
//! | `peers` | [`Peer`]: machines that do the work for a run, and their speeds; pure |
//! | `sizes` | what is known of the sizes of jobs, and how long the rest takes; pure |
//! | `lines`, `frame`, `fit` | messages and status, bars, and widths of text; pure |
//! | `json` | every line for programs; pure |
//! | `painter` | redraws lines on a terminal, by escape sequences |
//! | `out`, `relay`, `ticker` | the stream, the thread that writes, and the thread that ticks |
//! | `recorder` | [`Recorder`] |
//!
//! # JSON
//!
//! With [`Style::Json`], each line on stderr is an object, in the schema `raudal.events/1`. `event`
//! is its type. `time` is its date (RFC 3339, UTC). `t` is the offset in seconds; it starts at 0 when
//! a run begins while no other goes on. `run` is the number of the run, from 1, because one
//! `Progress` may show several runs at once. Jobs are numbered from 0 in the order of the input of
//! their run. Fields may be added; these stay:
//!
//! | `event` | further fields |
//! |---|---|
//! | `run_started` | `schema`, `total` (null if unknown), `jobs` (the limit on jobs in flight) |
//! | `attempt_started` | `job`, `label`, `attempt` (from 1) |
//! | `stage` | `job`, `stage` |
//! | `expected` | `job`, `bytes` (all bytes of this attempt) |
//! | `advanced` | `job`, `bytes`, `items` since the last `advanced` line of the job |
//! | `attempt_failed` | `job`, `label`, `attempt`, `error`, `kind` (one word), `retry_in_seconds` (null if there is no retry), `bytes`, `items` (of this attempt, to be subtracted) |
//! | `key_paused` | `key`, `pause_seconds` |
//! | `limit_changed` | `key` (a host), `limit` (the new limit on jobs in flight), `why` |
//! | `worker` | `worker` (its name), `host`, `running` (jobs it is working on), `inputs`, `failed`, `rows`, `bytes` (so far); only of a run over several machines, when something has changed |
//! | `job_finished` | `job`, `report` (a [`JobReport`](raudal_pool::JobReport)) |
//! | `run_finished` | `report` (a [`RunReport`](raudal_pool::RunReport)) |
//! | `lost` | `lines`: how many lines were left out, because 16 MiB waited for a slow reader |
//! | `message` | `level` (`error`, `note` or `detail`), `text`: what other styles show as a line |
//!
//! A job has at most ten `advanced` lines a second. What was held back is written before any other
//! line of the job. So at such a line, the sum of the `advanced` lines, minus what `attempt_failed`
//! takes back, is exact.

mod display;
mod fit;
mod frame;
mod handle;
mod json;
mod lines;
mod model;
mod out;
mod painter;
mod peers;
mod rate_meter;
mod recorder;
mod relay;
mod sizes;
mod style;
mod ticker;

#[cfg(test)]
mod screen;
#[cfg(test)]
mod tests;

pub use display::Clock;
pub use handle::Progress;
pub use peers::Peer;
pub use recorder::{Recorder, Recording};
pub use style::{Style, Verbosity};
