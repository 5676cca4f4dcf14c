//! What a submitter does with the parts of its run as they come.

use super::content::SpooledOrFile;
use super::protocol::InputLine;
use raudal_common::Result;
use raudal_pool::RunReport;

/// Makes one result of all parts.
pub(crate) trait Gather {
    /// The result.
    type Summary;

    /// Takes the inputs of a part. They may come twice.
    async fn put(&mut self, chunk: u32, part: SpooledOrFile, inputs: Vec<InputLine>) -> Result<()>;

    /// Goes on with what is there. Returns whether no more is wanted.
    async fn go_on(&mut self) -> Result<bool>;

    /// Whether all inputs are there.
    fn is_done(&self) -> bool;

    /// Waits for a change that no part reports. Returns the chunk that a worker must do again. `None` means that no
    /// further part may be needed. The future may be dropped, and the method called again.
    async fn changed(&mut self) -> Option<u32>;

    /// Takes what is there of a run that was stopped.
    async fn rest(&mut self) -> Result<()>;

    /// Ends it.
    async fn finish(self, report: RunReport) -> Result<Gathered<Self::Summary>>;

    /// Adds a warning to the result.
    fn warn(summary: &mut Self::Summary, warning: String);
}

/// The result of a run.
pub(crate) struct Gathered<S> {
    pub(crate) summary: S,
    /// Whether the run is needed again: something here was in the way.
    pub(crate) is_needed: bool,
}
