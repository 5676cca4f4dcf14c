//! The outcome of a run, in the parts that every kind of run has.

use raudal::Error;
use raudal::pipeline::{Failure, Summary, files};
use raudal::pool::RunReport;
use raudal::source::Input;

pub(crate) struct Ending<'a> {
    pub(crate) report: &'a RunReport,
    pub(crate) succeeded: u64,
    pub(crate) failures: &'a [Failure],
    pub(crate) unfinished: &'a [Input],
    /// The condition of the machine that stopped the run.
    pub(crate) condition: Option<&'a Error>,
    pub(crate) pulled: u64,
    pub(crate) warnings: &'a [String],
}

impl<'a> From<&'a Summary> for Ending<'a> {
    fn from(summary: &'a Summary) -> Self {
        Self {
            report: &summary.report,
            succeeded: summary.succeeded,
            failures: &summary.failures,
            unfinished: &summary.unfinished,
            condition: summary.condition.as_ref(),
            // No input is left to do once the table has the rows of its limit.
            pulled: if summary.limited { u64::MAX } else { summary.pulled },
            warnings: &summary.warnings,
        }
    }
}

impl<'a> From<&'a files::Summary> for Ending<'a> {
    fn from(summary: &'a files::Summary) -> Self {
        Self {
            report: &summary.report,
            succeeded: summary.saved.len() as u64,
            failures: &summary.failures,
            unfinished: &summary.unfinished,
            condition: summary.condition.as_ref(),
            pulled: summary.pulled,
            warnings: &summary.warnings,
        }
    }
}
