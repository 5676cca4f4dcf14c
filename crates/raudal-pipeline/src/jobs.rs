//! What all kinds of runs share: the pool, partial transfers, observers.

use super::decoders::Decoders;
use super::files::name;
use super::options::Options;
use super::slowed::Slowed;
use raudal_common::lock;
use raudal_common::{Error, Kind, Result};
use raudal_fetch::{Partial, PartialFile};
use raudal_pool::{Attempt, Event, EventKind, Limit, Observer, Pool, Pressure, Retry, RunBuilder};
use raudal_source::Input;
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// What a job keeps for its next attempt.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) partial: Option<Partial>,
    /// The partial file of the body, if it outlives the run. It stays locked while it is here.
    pub(super) place: Option<PartialFile>,
}

/// Partial transfers that wait for the next attempt of their job. A running job takes out its own.
///
/// It observes the run and removes the entry of each finished job, however the job ended. The
/// result may wait long for its turn, and the entry holds memory or an open file.
#[derive(Debug, Default)]
pub(super) struct Partials(Mutex<HashMap<u64, Kept>>);

impl Partials {
    pub(super) fn take(&self, job: u64) -> Kept {
        lock(&self.0).remove(&job).unwrap_or_default()
    }

    pub(super) fn keep(&self, job: u64, kept: Kept) {
        if kept.partial.is_some() || kept.place.is_some() {
            lock(&self.0).insert(job, kept);
        }
    }
}

impl Observer for Partials {
    fn observe(&self, event: &Event<'_>) {
        if let EventKind::JobFinished { report } = &event.kind {
            drop(self.take(report.job));
        }
    }
}

/// Opens the partial file of an input. Creates the folder if necessary.
pub(super) async fn open_place(context: &Attempt, folder: &Path, input: &Input, keeps: bool) -> Result<PartialFile> {
    let (folder, file) = (folder.to_owned(), name::partial(input));
    let opened = context.blocking(move || {
        make_folder(&folder)?;
        PartialFile::open(&folder.join(file), keeps)
    });
    opened.await.map_err(|error| error.input(input.location.to_string()))
}

/// Creates a folder and its parents.
pub(super) fn make_folder(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)
        .map_err(|error| Error::io(format!("cannot make the folder: {}", folder.display()), error))
}

/// Creates a pool with the limits of the options. While decoding is behind, no limit grows.
pub(super) fn pool(options: &Options, decoders: Option<&Arc<Decoders>>) -> Result<Pool> {
    let per_host = if options.auto { Limit::auto(options.per_host) } else { options.per_host.into() };
    let mut pool = Pool::builder().jobs(options.jobs).per_key(per_host).cancel(options.cancel.clone());
    if let Some(decoders) = decoders.map(Arc::clone) {
        pool = pool.hold_growth_while(move || decoders.are_busy());
    }
    if let Some(rate) = options.rate {
        pool = pool.rate(rate);
    }
    pool.build().map_err(|error| Error::usage(error.to_string()))
}

/// Applies the policies of the options to a run.
pub(super) fn policies<S, F, T, O>(
    run: RunBuilder<'static, S, F, Input, T, Error, O>,
    options: &Options,
    partials: Arc<Partials>,
    slowed: Arc<Slowed>,
) -> RunBuilder<'static, S, F, Input, T, Error, O> {
    let longest = options.retry_after_max;
    let retry_on = options.retry_on.clone();
    // An attempt counts the bytes that it starts with, so one that resumes makes progress.
    let mut retry = Retry::new(options.backoff)
        .reset_on_progress(true)
        .when(move |error| error.failure().is_none_or(|error| retry_on.matches(error)))
        .pause_key(move |error: &Error| error.wait().map(|wait| wait.min(longest)));
    if let Some(max) = options.retry_max_time {
        retry = retry.max_elapsed(max);
    }
    let run = run
        .key(|input| input.location.key())
        .label(|input| input.name.clone())
        .retry(retry)
        .pressure(pressure)
        .describe(describe)
        .failure_kind(|error| error.kind().word())
        .observer(Arc::new(vec![partials as Arc<dyn Observer>, slowed, Arc::clone(&options.observer)]));
    match options.stop_after {
        Some(failures) => run.stop_after(failures),
        None => run,
    }
}

/// Returns what a failure says about the load on its host.
fn pressure(error: &Error) -> Pressure {
    match error.kind() {
        Kind::Timeout => Pressure::TimedOut,
        kind if kind.is_refusal() && error.is_transient() => Pressure::Refused,
        _ => Pressure::None,
    }
}

/// The error of a job for events and reports: the input is named there already.
fn describe(error: &Error) -> String {
    let report = error.report();
    match error.input_name() {
        Some(input) => report.strip_prefix(&format!("{input}: ")).map_or(report.clone(), str::to_owned),
        None => report,
    }
}

/// Runs blocking work outside of any job.
pub(super) async fn blocking<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> Result<R> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::new(Kind::Internal, "writing the result panicked").because(error))
}
