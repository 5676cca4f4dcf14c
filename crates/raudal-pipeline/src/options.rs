//! How a run goes about it.

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

/// Limits and policies of a run. The defaults are those of the command line, but for the number of jobs: a program says
/// `8` or whatever it wants, or [`Jobs::Auto`] by [`set_jobs`](Self::set_jobs).
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
    /// At most this many inputs in flight. Default: 8.
    pub jobs: usize,
    /// At most this many in flight of one host. Default: 8.
    pub per_host: usize,
    /// Begin with a few of each host and let what they bring decide how many more, up to `per_host` and `jobs`.
    /// Default: no.
    pub auto: bool,
    /// Begin at most this many attempts a second, of all inputs together. Default: no limit.
    pub rate: Option<f64>,
    /// The waits between the attempts of one input. Default: three retries.
    pub backoff: Backoff,
    /// Which failures are tried again. Default: those that another try may cure.
    pub retry_on: RetryOn,
    /// Begin no further attempt later than this after the first. Default: no limit.
    pub retry_max_time: Option<Duration>,
    /// The longest `Retry-After` that is honoured; one that asks for more is cut to this. Default: 120 s.
    pub retry_after_max: Duration,
    /// Stop once this many inputs have failed for good. Default: never.
    pub stop_after: Option<u64>,
    /// How many archives are decoded at once. Default: one for each core.
    pub decoders: usize,
    /// The SHA-256 that inputs must have; one that is not in the list is refused. Default: no list.
    pub checksums: Option<Arc<Checksums>>,
    /// What the inputs are is written down here; or they are held to what it says, and nothing is published unless all of
    /// them are. Default: none.
    pub lock: Option<Arc<Lock>>,
    /// A folder in which inputs arrive, and are found by the next run if this one does not come to its end. It is made
    /// when it is first needed, and removed with what is in it once the table is published, unless an input is missing
    /// there that may come another time. Default: none, and
    /// what has arrived is lost with the run.
    pub partials: Option<PathBuf>,
    /// What to take from each input.
    pub query: Query,
    /// Who watches. Default: nobody.
    pub observer: Arc<dyn Observer>,
    /// Ends the run early when it is cancelled.
    pub cancel: CancellationToken,
}

impl Options {
    /// Lets so many inputs be in flight, of all hosts and of each.
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
