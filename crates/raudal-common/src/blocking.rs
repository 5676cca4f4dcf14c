//! Blocking work of an asynchronous task.

use crate::{Error, Kind, Result};

/// Runs blocking work on a thread where that is allowed, and waits for its result. Needs the feature `tokio`, and a tokio
/// runtime.
///
/// # Errors
///
/// Fails with [`Kind::Internal`] if the work panicked, and with [`Kind::Cancelled`] if the runtime ends before the
/// work has begun.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> raudal_common::Result<()> {
/// let lines = raudal_common::blocking(|| "a\nb".lines().count()).await?;
/// assert_eq!(lines, 2);
/// # Ok(())
/// # }
/// ```
pub async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        if error.is_panic() {
            Error::new(Kind::Internal, "a panic while reading or writing a file").because(error)
        } else {
            Error::new(Kind::Cancelled, "the program is shutting down")
        }
    })
}
