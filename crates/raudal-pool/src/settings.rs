//! What a pool was built with.

use super::error::JobError;
use super::event::Observer;
use super::rate::Rates;
use super::retry::Retry;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

pub(super) type Of<I, R> = Box<dyn Fn(&I) -> R + Send + Sync>;

pub(super) struct Settings<I, E> {
    pub(super) jobs: usize,
    pub(super) per_key: usize,
    pub(super) key: Option<Of<I, Option<String>>>,
    pub(super) label: Option<Of<I, String>>,
    pub(super) rates: Rates,
    pub(super) retry: Retry<E>,
    pub(super) attempt_timeout: Option<Duration>,
    pub(super) deadline: Option<Duration>,
    pub(super) stop_after: Option<u64>,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) cancel: CancellationToken,
    pub(super) drain: CancellationToken,
    pub(super) describe: Option<Of<E, String>>,
    pub(super) kind: Option<Of<E, &'static str>>,
    pub(super) buffer: usize,
}

impl<I, E: Display> Settings<I, E> {
    /// What went wrong, on one line.
    pub(super) fn describe(&self, error: &JobError<E>) -> String {
        match (&self.describe, error) {
            (Some(describe), JobError::Failed(error)) => describe(error),
            _ => error.to_string(),
        }
    }

    /// The kind of a failure, as one word.
    pub(super) fn kind_of(&self, error: &JobError<E>) -> &'static str {
        match (error, &self.kind) {
            (JobError::Failed(error), Some(kind)) => kind(error),
            (JobError::Failed(_), None) => "failed",
            (JobError::TimedOut(_), _) => "timeout",
            (JobError::DeadlinePassed(_), _) => "deadline",
            (JobError::Panicked(_), _) => "panic",
            (JobError::Cancelled, _) => "cancelled",
        }
    }
}
