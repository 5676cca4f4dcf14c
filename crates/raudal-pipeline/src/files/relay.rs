//! Where the files of a run come from if other machines fetch them.

use futures::future::BoxFuture;
use raudal_common::Result;
use raudal_fetch::Carried;
use std::io::Read;

/// Files that are written at once.
pub(super) const TURNS: usize = 16;

/// Hands out what other machines have fetched. Inputs are named by their place among those of [`fetches`](super::fetches), from 0.
pub trait Relay: Send + Sync {
    /// Waits until an input was fetched. Fails if it could not be.
    fn arrival(&self, input: u64) -> BoxFuture<'_, Result<Carried>>;

    /// Returns the bytes of an input.
    fn bytes<'a>(&'a self, input: u64, carried: &'a Carried) -> BoxFuture<'a, Result<Box<dyn Read + Send>>>;

    /// Has an input fetched again, because its bytes are damaged. The next [`arrival`](Self::arrival) waits for it.
    fn again<'a>(&'a self, input: u64, carried: &'a Carried) -> BoxFuture<'a, ()>;

    /// Notes that an input is about to get its name. It may block.
    ///
    /// # Errors
    ///
    /// If it cannot be noted. Then the input gets no name.
    fn taking(&self, input: u64) -> Result<()>;

    /// Returns how many attempts an input took, once nothing else is asked of it.
    fn attempts(&self, input: u64) -> u32;

    /// Whether an earlier process has noted that of an input. Its file is no stranger's, then.
    fn was_taken(&self, input: u64) -> bool;
}
