//! pool

mod event;
mod report;

pub use event::{Event, NoObserver, Observer};
pub use report::{JobReport, Outcome, RunReport, StageSpan};
