//! One input after the other, for a program that merges their rows elsewhere.

use super::decoders::Decoders;
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
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Reads inputs as [`run()`](crate::run()) does, with its retries and policies, and hands out their rows instead of
/// merging them. [`Merge`](crate::Merge) merges them, in this or in another process.
///
/// The limits on inputs in flight do not count here: each call reads one input.
pub struct Reader {
    shared: Arc<TableRun>,
    options: Options,
}

/// What became of an input.
#[derive(Debug)]
#[non_exhaustive]
pub struct InputRead<T = Rows> {
    /// Its rows, or what else was made of it, or the error of its last attempt.
    pub result: Result<T>,
    /// What it was, if the options have a [`Lock`].
    pub locked: Option<Locked>,
    /// How it went.
    pub report: JobReport,
}

impl Reader {
    /// Creates a reader. A [`Lock`] in the options only says that inputs are to be recorded.
    pub fn new(client: &Client, options: Options) -> Self {
        let shared = TableRun {
            client: client.clone(),
            query: options.query.clone(),
            decoders: Decoders::new(options.decoders),
            partials: Arc::default(),
            folder: options.partials.clone(),
            checksums: options.run.checksums.clone(),
            lock: options.run.lock.as_ref().map(|_| Arc::default()),
            kept: Arc::default(),
            full: Arc::default(),
            ahead: Arc::new(Semaphore::new(options.decoders.max(1))),
        };
        Self { shared: Arc::new(shared), options }
    }

    /// Reads an input. With checksums, it must be in their list, instead of that of the options. The gate is asked
    /// before each attempt, and the observer sees the events of a run of one job. Returns `None` if it was cancelled.
    pub async fn read(
        &self,
        input: Input,
        checksums: Option<Arc<Checksums>>,
        gate: Arc<dyn Gate>,
        observer: Arc<dyn Observer>,
        cancel: &CancellationToken,
    ) -> Option<InputRead> {
        // A lock of its own: the record is handed out, and nothing grows.
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
    /// What became of an input that was never tried.
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
