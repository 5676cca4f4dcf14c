//! The errors of building a pool, of a job, and of a list of jobs.

use std::error::Error;
use std::fmt;
use std::time::Duration;

/// Why a pool cannot be built: a limit of 0, or a rate that cannot be paced.
///
/// ```
/// use raudal_pool::Pool;
///
/// let error = Pool::builder().jobs(0).build().unwrap_err();
/// assert_eq!(error.to_string(), "the number of jobs must be at least 1: 0");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildError(String);

impl BuildError {
    #[cfg(feature = "rate")]
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    pub(crate) fn zero(what: &str) -> Self {
        Self(format!("{what} must be at least 1: 0"))
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for BuildError {}

/// Why a job has no value.
///
/// If an earlier attempt failed before a time-out, a deadline or a cancellation ended the job, `last` has that failure.
///
/// ```
/// use raudal_pool::{JobError, Pool};
/// use std::time::Duration;
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// let results = Pool::new(2)
///     .map([0, 9], |_cx, seconds| async move {
///         tokio::time::sleep(Duration::from_secs(seconds)).await;
///         if seconds == 0 { Err("too early") } else { Ok(()) }
///     })
///     .attempt_timeout(Duration::from_secs(1))
///     .await;
/// assert_eq!(results[0], Err(JobError::Failed("too early")));
/// assert_eq!(results[1], Err(JobError::TimedOut { limit: Duration::from_secs(1), last: None }));
/// assert_eq!(results[0].as_ref().unwrap_err().failure(), Some(&"too early"));
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JobError<E> {
    /// Its last attempt returned this error.
    Failed(E),
    /// Its last attempt took longer than the limit.
    TimedOut {
        /// The limit.
        limit: Duration,
        /// The failure of an earlier attempt.
        last: Option<E>,
    },
    /// The job took longer than its deadline allows, with all its attempts.
    DeadlinePassed {
        /// The deadline, counted from the start of the first attempt.
        deadline: Duration,
        /// The failure of an earlier attempt.
        last: Option<E>,
    },
    /// It panicked with this message.
    Panicked(String),
    /// It was stopped or never started, because the run ended first or its handle was dropped.
    Cancelled {
        /// The failure of an earlier attempt.
        last: Option<E>,
    },
}

impl<E> JobError<E> {
    /// The error of a job that was stopped or never started, and never failed.
    pub const CANCELLED: Self = Self::Cancelled { last: None };

    /// Returns the error of the last attempt, if it returned one.
    pub fn failure(&self) -> Option<&E> {
        match self {
            Self::Failed(error) => Some(error),
            _ => None,
        }
    }

    /// Returns the last error that any attempt returned.
    pub fn last_failure(&self) -> Option<&E> {
        match self {
            Self::Failed(error) => Some(error),
            Self::TimedOut { last, .. } | Self::DeadlinePassed { last, .. } | Self::Cancelled { last } => last.as_ref(),
            Self::Panicked(_) => None,
        }
    }

    /// Returns the last error that any attempt returned, by value.
    pub fn into_last_failure(self) -> Option<E> {
        match self {
            Self::Failed(error) => Some(error),
            Self::TimedOut { last, .. } | Self::DeadlinePassed { last, .. } | Self::Cancelled { last } => last,
            Self::Panicked(_) => None,
        }
    }

    /// Returns whether the job was stopped or never started.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled { .. })
    }

    /// Returns whether an attempt, or the job as a whole, took too long.
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::TimedOut { .. } | Self::DeadlinePassed { .. })
    }

    /// Returns the kind of failure, as one word.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::Failed(_) => "failed",
            Self::TimedOut { .. } => "timeout",
            Self::DeadlinePassed { .. } => "deadline",
            Self::Panicked(_) => "panic",
            Self::Cancelled { .. } => "cancelled",
        }
    }

    /// Adds the failure of an earlier attempt.
    pub(crate) fn with_last(self, earlier: Option<E>) -> Self {
        match self {
            Self::TimedOut { limit, last } => Self::TimedOut { limit, last: last.or(earlier) },
            Self::DeadlinePassed { deadline, last } => Self::DeadlinePassed { deadline, last: last.or(earlier) },
            Self::Cancelled { last } => Self::Cancelled { last: last.or(earlier) },
            other => other,
        }
    }
}

impl<E: fmt::Display> fmt::Display for JobError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = match self {
            Self::Failed(error) => return error.fmt(f),
            Self::Panicked(message) => return write!(f, "the job panicked: {message}"),
            Self::TimedOut { limit, last } => {
                write!(f, "the attempt took longer than its limit: {limit:?}")?;
                last
            }
            Self::DeadlinePassed { deadline, last } => {
                write!(f, "the job took longer than its deadline allows: {deadline:?}")?;
                last
            }
            Self::Cancelled { last } => {
                f.write_str("cancelled")?;
                last
            }
        };
        last.as_ref().map_or(Ok(()), |error| write!(f, "; an earlier attempt failed: {error}"))
    }
}

impl<E: Error + 'static> Error for JobError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            // `Display` is the error's own, so its source comes next.
            Self::Failed(error) => error.source(),
            _ => None,
        }
    }
}

/// Why [`Pool::try_map`](crate::Pool::try_map) stopped: the first job that failed, its input and its error.
///
/// It converts with `?` into `anyhow::Error` and `Box<dyn Error + Send + Sync>`, whatever the job's error is: a
/// standard error, an `anyhow::Error`, a `String`. It requires only `Display` and `Debug` of `E`, so it
/// cannot return the error's own `source()`. [`into_error`](Self::into_error) gives the error itself.
///
/// ```
/// use raudal_pool::Pool;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// async fn sum(texts: [&'static str; 2]) -> Result<u32, Box<dyn std::error::Error + Send + Sync>> {
///     let parse = |_cx, text: &'static str| async move { text.parse::<u32>() };
///     Ok(Pool::new(2).try_map(texts, parse).await?.into_iter().sum())
/// }
/// assert_eq!(sum(["1", "2"]).await.unwrap(), 3);
/// assert_eq!(sum(["1", "x"]).await.unwrap_err().to_string(), "job 1: invalid digit found in string");
/// # }
/// ```
#[non_exhaustive]
pub struct MapError<I, E> {
    /// The number of the job that failed: its place in the input, from 0.
    pub job: u64,
    /// Its input, where the run still has it: see [`Completed::input`](crate::Completed::input).
    pub input: Option<I>,
    /// Why it failed.
    pub error: JobError<E>,
}

impl<I, E> MapError<I, E> {
    /// Drops the input: `anyhow::Error` cannot hold one that borrows.
    pub fn without_input(self) -> MapError<(), E> {
        MapError { job: self.job, input: None, error: self.error }
    }

    /// Returns why the job failed.
    pub fn into_error(self) -> JobError<E> {
        self.error
    }
}

impl<I, E: fmt::Display> fmt::Display for MapError<I, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The alternate form is where `anyhow::Error` writes its causes.
        write!(f, "job {}: ", self.job)?;
        match &self.error {
            JobError::Failed(error) => write!(f, "{error:#}"),
            error => error.fmt(f),
        }
    }
}

/// The input may have no `Debug`: it is left out.
impl<I, E: fmt::Debug> fmt::Debug for MapError<I, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapError").field("job", &self.job).field("error", &self.error).finish_non_exhaustive()
    }
}

impl<I, E: fmt::Display + fmt::Debug> Error for MapError<I, E> {}

/// Returns the text of a panic's payload.
pub(crate) fn panic_message(payload: &(dyn std::any::Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a value that is not text".to_owned())
}
