//! Reads single inputs, for a program that merges their rows elsewhere.

use super::job::attempt;
use super::options::Options;
use super::shared::TableRun;
use crate::run::alone::{Around, Gate, alone, never_tried};
use crate::run::lock::{Lock, Locked};
use raudal_common::{Error, Result};
use raudal_fetch::Client;
use raudal_pool::{JobReport, Observer};
use raudal_source::{Checksums, Input};
use raudal_table::Rows;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

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
pub struct InputRead<T = Rows> {
    /// Its rows, or what else was made of it, or the error of its last attempt.
    pub result: Result<T>,
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
        let (partials, shared) = (Arc::clone(&shared.partials), Arc::new(shared));
        let around = Around { gate, observer, cancel };
        let read = alone(input, &self.options.run, partials, around, move |context, input| {
            attempt(Arc::clone(&shared), context, input)
        });
        let (result, report) = read.await?;
        let locked = lock.and_then(|lock| lock.take());
        Some(InputRead { result, locked, report })
    }
}

impl<T> InputRead<T> {
    /// Creates the result of an input that was never tried.
    pub fn failed(error: Error, input: &Input) -> Self {
        let (result, report) = never_tried(error, input);
        Self { result, locked: None, report }
    }

    /// Makes something else of the result.
    #[must_use]
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> InputRead<U> {
        InputRead { result: self.result.map(make), locked: self.locked, report: self.report }
    }
}
