//! Reads single inputs, for a program that merges their rows elsewhere.

use super::job::attempt;
use super::options::Options;
use super::shared::TableRun;
use crate::run::failure::failure;
use crate::run::lock::{Lock, Locked};
use crate::run::policies::{self, policies};
use crate::run::slowed::Slowed;
use futures::future::BoxFuture;
use raudal_common::{Error, Result};
use raudal_fetch::Client;
use raudal_pool::{Context, JobReport, Observer};
use raudal_source::{Checksums, Input};
use raudal_table::Rows;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Can delay each attempt at an input.
pub trait Gate: Send + Sync {
    /// Returns once the attempt may begin.
    fn pass(&self, input: &Input) -> BoxFuture<'_, ()>;
}

/// Reads inputs as [`run()`](crate::run()) does, with its retries and policies, and returns their rows instead of
/// merging them. [`Merge`](crate::Merge) merges them, in this or in another process.
///
/// The limits on inputs in flight do not apply here: each call reads one input.
pub struct Reader {
    shared: Arc<TableRun>,
    options: Options,
}

/// The result of one input.
#[derive(Debug)]
#[non_exhaustive]
pub struct InputRead {
    /// Its rows, or the error of its last attempt.
    pub result: Result<Rows>,
    /// Its record for a lock file, if the options have a [`Lock`].
    pub locked: Option<Locked>,
    /// The report of its job.
    pub report: JobReport,
}

impl Reader {
    /// Creates a reader. A [`Lock`] in the options only says that inputs are to be recorded.
    pub fn new(client: &Client, options: Options) -> Self {
        let mut shared = TableRun::new(client, &options);
        shared.lock = options.run.lock.as_ref().map(|_| Arc::default());
        Self { shared: Arc::new(shared), options }
    }

    /// Reads an input. `checksums`, if given, replaces the list of the options. The gate is asked before each
    /// attempt. The observer sees the events of a run with one job. Returns `None` if the read was cancelled.
    pub async fn read(
        &self,
        input: Input,
        checksums: Option<Arc<Checksums>>,
        gate: Arc<dyn Gate>,
        observer: Arc<dyn Observer>,
        cancel: &CancellationToken,
    ) -> Option<InputRead> {
        // Each input gets its own lock, so that its record can be returned and memory does not grow.
        let lock = self.shared.lock.as_ref().map(|_| Arc::new(Lock::default()));
        let mut shared = (*self.shared).clone();
        (shared.lock, shared.partials) = (lock.clone(), Arc::default());
        shared.checksums = checksums.or(shared.checksums);
        let shared = Arc::new(shared);
        let mut options = self.options.run.clone();
        (options.concurrency, options.stop_after) = (1.into(), None);
        (options.observer, options.cancel) = (observer, cancel.clone());
        let pool = match policies::build(policies::pool(&options)) {
            Ok(pool) => pool,
            Err(error) => return Some(InputRead::failed(error, &input)),
        };
        let of_job = Arc::clone(&shared);
        let job = move |cx: Context<Input>, input: Input| {
            let (shared, gate) = (Arc::clone(&of_job), Arc::clone(&gate));
            async move {
                gate.pass(&input).await;
                attempt(shared, cx.as_attempt().clone(), input).await
            }
        };
        let run = pool.run([input.clone()], job);
        let mut run = policies(run, &options, Arc::clone(&shared.partials), Arc::<Slowed>::default()).start();
        let done = run.next().await?;
        run.join().await;
        let result = match done.result {
            Ok(rows) => Ok(rows),
            Err(error) => Err(failure(error, &input)?),
        };
        let locked = lock.and_then(|lock| lock.take());
        Some(InputRead { result, locked, report: done.report })
    }
}

impl InputRead {
    /// Creates the result of an input that was never tried.
    pub fn failed(error: Error, input: &Input) -> Self {
        let mut report = JobReport::new(0, input.name.clone(), raudal_pool::Outcome::Failed);
        report.kind = Some(error.kind().word());
        report.error = Some(error.report());
        report.attempts = 1;
        Self { result: Err(error.input(input.location.to_string())), locked: None, report }
    }
}
