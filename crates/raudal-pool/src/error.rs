//! How a job of a pool fails.

use std::fmt;
use std::time::Duration;

/// Why a pool cannot be built: a limit of 0, or a rate that cannot be paced.
///
/// ```
/// use raudal_pool::Pool;
///
/// let error = Pool::<u32, String>::builder().jobs(0).build().unwrap_err();
/// assert_eq!(error.to_string(), "the number of jobs must be at least 1: 0");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildError(String);

impl BuildError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BuildError {}

/// Why a job has no value.
///
/// ```
/// use raudal_pool::{JobError, Pool};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let pool = Pool::builder().attempt_timeout(Duration::from_secs(1)).build()?;
/// let results = pool
///     .map([0, 9], |_cx, seconds| async move {
///         tokio::time::sleep(Duration::from_secs(seconds)).await;
///         if seconds == 0 { Err("too early") } else { Ok(()) }
///     })
///     .await;
/// assert_eq!(results[0], Err(JobError::Failed("too early")));
/// assert_eq!(results[1], Err(JobError::TimedOut(Duration::from_secs(1))));
/// assert_eq!(results[0].as_ref().unwrap_err().failure(), Some(&"too early"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JobError<E> {
    /// Its last attempt returned this error.
    Failed(E),
    /// Its last attempt took longer than this.
    TimedOut(Duration),
    /// It was not done when this much time had passed since its first attempt began, all attempts and waits counted.
    DeadlinePassed(Duration),
    /// It panicked with this message.
    Panicked(String),
    /// It was stopped, or never begun, because the run ended first.
    Cancelled,
}

impl<E> JobError<E> {
    /// The error that the job itself returned, if it did.
    pub fn failure(&self) -> Option<&E> {
        match self {
            Self::Failed(error) => Some(error),
            _ => None,
        }
    }
}

impl<E: fmt::Display> fmt::Display for JobError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => error.fmt(f),
            Self::TimedOut(limit) => write!(f, "the attempt took longer than its limit: {limit:?}"),
            Self::DeadlinePassed(limit) => write!(f, "the job took longer than its deadline allows: {limit:?}"),
            Self::Panicked(message) => write!(f, "the job panicked: {message}"),
            Self::Cancelled => f.write_str("cancelled"),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for JobError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            // `Display` is the error's own, so its source comes next.
            Self::Failed(error) => error.source(),
            _ => None,
        }
    }
}

/// The text of a panic's payload.
pub(super) fn panic_message(payload: &(dyn std::any::Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a value that is not text".to_owned())
}
