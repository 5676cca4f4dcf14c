//! The options of a run.

use super::at_once::Jobs;
use super::lock::Lock;
use raudal_fetch::RetryOn;
use raudal_pool::{Backoff, NoObserver, Observer};
use raudal_source::Checksums;
use raudal_table::Query;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Limits and policies of a run. The defaults are those of the command line, except the number of
/// jobs. Set a number such as `8`, or call [`set_jobs`](Self::set_jobs) with [`Jobs::Auto`].
///
/// ```
/// use raudal_pipeline::Options;
///
/// let mut options = Options::default();
/// options.jobs = 32;
/// options.per_host = 32;
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Options {
    /// Maximum number of inputs in flight. Default: 8.
    pub jobs: usize,
    /// Maximum number of inputs in flight per host. Default: 8.
    pub per_host: usize,
    /// Start with a few inputs per host and raise the limit while throughput grows, up to
    /// `per_host` and `jobs`. Default: no.
    pub auto: bool,
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
    /// How many archives are decoded at once. Default: one for each core.
    pub decoders: usize,
    /// The SHA-256 that inputs must have. An input that is not in the list is refused. Default: no
    /// list.
    pub checksums: Option<Arc<Checksums>>,
    /// A new lock records what the inputs are. A lock read from a file must match all inputs, or
    /// nothing is published. Default: none.
    pub lock: Option<Arc<Lock>>,
    /// The folder for partial files, from which the next run resumes if this one does not finish.
    /// It is created when first needed. It is removed with its partial files once the table is
    /// published, unless a missing input may still succeed later. Default: none, so a run that does
    /// not finish loses what has arrived.
    pub partials: Option<PathBuf>,
    /// What to take from each input.
    pub query: Query,
    /// The observer of the run. Default: none.
    pub observer: Arc<dyn Observer>,
    /// Ends the run early when it is cancelled.
    pub cancel: CancellationToken,
}

impl Options {
    /// Sets the maximum number of inputs in flight, in total and per host.
    ///
    /// ```
    /// use raudal_pipeline::{Jobs, Options};
    ///
    /// let mut options = Options::default();
    /// options.set_jobs(Jobs::Auto);
    /// assert!(options.auto && options.per_host == Jobs::AUTO_MOST);
    /// ```
    pub fn set_jobs(&mut self, jobs: Jobs) {
        self.auto = jobs == Jobs::Auto;
        self.jobs = jobs.number().unwrap_or(Jobs::AUTO_MOST);
        self.per_host = self.jobs;
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            jobs: 8,
            per_host: 8,
            auto: false,
            rate: None,
            backoff: Backoff::default(),
            retry_on: RetryOn::default(),
            retry_max_time: None,
            retry_after_max: Duration::from_secs(120),
            stop_after: None,
            decoders: std::thread::available_parallelism().map_or(2, std::num::NonZero::get),
            checksums: None,
            lock: None,
            partials: None,
            query: Query::default(),
            observer: Arc::new(NoObserver),
            cancel: CancellationToken::new(),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("jobs", &self.jobs)
            .field("per_host", &self.per_host)
            .field("auto", &self.auto)
            .field("backoff", &self.backoff)
            .field("retry_on", &self.retry_on)
            .field("decoders", &self.decoders)
            .finish_non_exhaustive()
    }
}
