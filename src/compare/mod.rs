//! A workload at several levels of concurrency: what did running jobs at once buy?
//!
//! [`compare`] runs a [`Workload`](crate::workload::Workload) as a [`Plan`] says: warm-up runs first, then the levels in
//! turn, run by run, with another one first in each round, so that what drifts hits all of them alike. Every run's
//! result is proved equal to the first one's; if it is not, there is an error and no [`Comparison`], so a speed-up
//! cannot be shown for unlike work. Sequential is the level 1 of the same code.
//!
//! | file | what it does |
//! |---|---|
//! | `plan` | [`Plan`]: levels, runs, their order; [`Watch`]: who is told of them |
//! | `run` | [`compare`]: the runs, and the proof that their results are equal |
//! | `observe` | what is seen of a run from outside: job reports, processor time |
//! | `comparison` | [`Comparison`]: every single run, and the figures that follow |
//! | `stats` | [`Summary`], [`SpeedUp`]: pure statistics with their formulas |
//! | `warnings` | [`Warning`]: what makes a figure doubtful, and what to do |
//! | `text`, `export` | the report for people ([`render_text`], [`to_markdown`]) and for programs ([`to_json`]) |

mod comparison;
mod export;
mod observe;
mod plan;
mod run;
mod stats;
mod text;
mod warnings;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;

pub use comparison::{Comparison, Level, Measured};
pub use export::{export, to_json};
pub use plan::{Plan, Turn, Watch};
pub use run::compare;
pub use stats::{SpeedUp, Summary};
pub use text::{conclusion, render_text, to_markdown};
pub use warnings::Warning;
