//! Measures a workload at several levels of concurrency: how much faster is it with jobs in
//! parallel?
//!
//! [`compare`] runs a [`Workload`](workload::Workload) as a [`Plan`] says. Warm-up runs come first.
//! Then the levels alternate, run by run, and each round starts with another level, so that drift
//! affects all levels alike. Every run must give the same result as the first. If one does not,
//! [`compare`] returns an error and no [`Comparison`], so unequal work never gets a speed-up.
//! Sequential is level 1 of the same code.
//!
//! | file | what it does |
//! |---|---|
//! | `plan` | [`Plan`]: the levels, the runs and their order; [`TurnObserver`]: receives the progress |
//! | `run` | [`compare`]: the runs, and the check that their results are equal |
//! | `observe` | what is recorded from outside a run: job reports, CPU time |
//! | `comparison` | [`Comparison`]: every run, and the figures computed from them |
//! | `conditions` | [`Conditions`]: machine, version, settings and date |
//! | `stats` | [`Summary`], [`SpeedUp`]: pure statistics with their formulas |
//! | `explain`, `finding`, `stages` | [`Ideal`], [`Finding`]: what bounds a level, and the evidence |
//! | `warnings` | [`Warning`]: what makes a figure doubtful, and what to do |
//! | `text`, `export` | the report for people ([`render_text`], [`to_markdown`]) and for programs ([`to_json`], [`to_csv`]) |
//! | `timeline` | which job ran when, as data: the median run of each level on one time axis |
//! | `draw`, `html` with `look`, `trace` | the timeline on a terminal ([`render_timeline`]), as a page ([`to_html`]), for Perfetto ([`to_trace`]) |
//!
//! # JSON
//!
//! [`to_json`] writes an object with the schema `raudal.compare/1`. Times are in seconds, rates in
//! bytes per second. An undefined value is null, never 0. Fields may be added under the same
//! schema; none is renamed or removed.
//!
//! | object | fields |
//! |---|---|
//! | the document | `schema`, `workload`, `unit` (what the throughput counts: `bytes`, `queries`, …), `digest`, `rows`, `cores`, `warmup_runs`, `baseline_jobs`, `stopped` (whether it was stopped before its last run), `conditions`, `levels`, `warnings` |
//! | the conditions | `started`, `ended` (dates of RFC 3339), `version`, `command` (null if there was none), `machine` (`system`, `architecture`, `processor`, `cores`, `memory_bytes`), `settings` (each value is a text with its unit) |
//! | a level | `jobs` (a number, or the text `auto`), `mean_seconds`, `stddev_seconds`, `median_seconds`, `min_seconds`, `max_seconds`, `speed_up`, `speed_up_uncertainty`, `efficiency` (these three are null for the baseline; `efficiency` and the next two are null for `auto` too), `ideal_seconds`, `ideal_reached` (1 means that the level reached the ideal), `bound` (a [word](Bound::word)), `bound_because`, `bound_advice`, `busy_cores`, `overlap`, `peak_in_flight`, `highest_limit` (the highest limit set for a host, which shows how far `auto` went; null if none was set), `bytes_per_second`, `per_second` (in the unit of the document), `runs` |
//! | a run | `turn` (its number among all runs, from 1, warm-up included), `started`, `ended` (dates of RFC 3339), `wall_seconds`, `cpu_seconds`, `report` (a [`RunReport`](raudal_pool::RunReport)) |
//! | a warning | `warning` (a [word](Warning::word)), `jobs`, `text` |
//!
//! # CSV
//!
//! [`to_csv`] writes a row for every measured run. An undefined cell is empty. Columns may be added
//! at the end.
//!
//! | column | what it is |
//! |---|---|
//! | `workload` | its name |
//! | `jobs` | the level: the limit on jobs in flight, or `auto` |
//! | `round` | which measured run of its level, from 1 |
//! | `turn` | its number among all runs, from 1, warm-up included; it shows a drift |
//! | `wall_seconds` | from the call of the workload to its result |
//! | `job_seconds` | the sum of all job times |
//! | `cpu_seconds` | CPU time of this process during the run |
//! | `overlap` | `job_seconds / wall_seconds` |
//! | `peak_in_flight` | the most jobs in flight at one moment |
//! | `succeeded`, `attempts`, `retries` | jobs, attempts of all jobs, attempts beyond the first |
//! | `bytes`, `items` | bytes moved, items done |
//! | `rows`, `digest` | the result, the same for all runs |
//! | `highest_limit` | the highest limit set for a host in this run: how far `auto` went |
//! | `started` | when the run began, as a date of RFC 3339 |
//! | `version`, `machine`, `settings`, `command` | the conditions, the same for all runs |

mod comparison;
mod conditions;
mod draw;
mod explain;
mod export;
mod finding;
mod html;
mod look;
mod observe;
mod plan;
mod run;
mod stages;
mod stats;
mod text;
mod timeline;
mod trace;
mod turn;
mod warnings;
pub mod workload;

#[cfg(test)]
mod explain_tests;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod html_tests;
#[cfg(test)]
mod palette_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod warnings_tests;

pub use comparison::{Comparison, Level, Measured};
pub use conditions::{Conditions, Machine};
pub use draw::render_timeline;
pub use explain::Ideal;
pub use export::{export, to_csv, to_json};
pub use finding::{Bound, Finding};
pub use html::to_html;
pub use plan::{Plan, TurnObserver};
pub use run::compare;
pub use stats::{SpeedUp, Summary};
pub use text::{conclusion, explanations, render_text, to_markdown};
pub use trace::to_trace;
pub use turn::Turn;
pub use warnings::Warning;

pub use raudal_pipeline::Jobs;
