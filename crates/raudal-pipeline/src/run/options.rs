//! The limits and policies of every run.

use super::concurrency::Concurrency;
use super::hosts::Hosts;
use super::lock::Lock;
use raudal_fetch::RetryOn;
use raudal_pool::{Backoff, NoObserver, Observer};
use raudal_source::Checksums;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Limits and policies of a run over inputs. The defaults are those of the command line, except for the number of
/// jobs.
///
/// ```
/// use raudal_pipeline::{Jobs, RunOptions};
///
/// let mut options = RunOptions::default();
/// options.concurrency = Jobs::Auto.into();
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct RunOptions {
    /// How many inputs may be in flight. Default: 8.
    pub concurrency: Concurrency,
    /// Where the limits of hosts are remembered from one run to the next, with [`Jobs::Auto`](crate::Jobs::Auto). Default:
    /// nowhere.
    pub hosts: Option<Hosts>,
    /// Maximum number of attempts started per second, for all inputs together. Default: no limit.
    pub rate: Option<f64>,
    /// The waits between the attempts of one input. Default: three retries.
    pub backoff: Backoff,
    /// Which failures are retried. Default: those that a retry may fix.
    pub retry_on: RetryOn,
    /// Start no retry later than this after the first attempt. Default: no limit.
    pub retry_max_time: Option<Duration>,
    /// The longest `Retry-After` that is honoured; a longer one is cut to this. Default: 120 s.
    pub retry_after_max: Duration,
    /// Stop once this many inputs have failed for good. Default: never.
    pub stop_after: Option<u64>,
    /// The SHA-256 that inputs must have. An input that is not in the list is refused. Default: no
    /// list.
    pub checksums: Option<Arc<Checksums>>,
    /// A new lock records what the inputs are. A lock read from a file must match all inputs, or
    /// nothing is published. Default: none.
    pub lock: Option<Arc<Lock>>,
    /// The observer of the run. Default: none.
    pub observer: Arc<dyn Observer>,
    /// Ends the run early when it is cancelled.
    pub cancel: CancellationToken,
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            concurrency: Concurrency::default(),
            hosts: None,
            rate: None,
            backoff: Backoff::default(),
            retry_on: RetryOn::default(),
            retry_max_time: None,
            retry_after_max: Duration::from_secs(120),
            stop_after: None,
            checksums: None,
            lock: None,
            observer: Arc::new(NoObserver),
            cancel: CancellationToken::new(),
        }
    }
}

impl fmt::Debug for RunOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunOptions")
            .field("concurrency", &self.concurrency)
            .field("backoff", &self.backoff)
            .field("retry_on", &self.retry_on)
            .finish_non_exhaustive()
    }
}
