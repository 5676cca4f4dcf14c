//! An input that failed, and why.

use raudal_common::{Error, Kind};
use raudal_pool::JobError;
use raudal_source::Input;

/// An input that is not in the table, and why.
#[derive(Debug)]
#[non_exhaustive]
pub struct Failure {
    /// The input.
    pub input: Input,
    /// The error of its last attempt.
    pub error: Error,
    /// Number of attempts.
    pub attempts: u32,
}

/// Returns the error of a failed job, with its input; `None` if it was cancelled.
pub(crate) fn failure(error: JobError<Error>, input: &Input) -> Option<Error> {
    let error = match error {
        JobError::Cancelled { .. } => return None,
        JobError::Failed(error) => error,
        error if error.is_timeout() => Error::new(Kind::Timeout, error.to_string()),
        error => Error::new(Kind::Internal, error.to_string()).hint("this is a bug in raudal: please report it"),
    };
    Some(error.input(input.location.to_string()))
}
