//! What every kind of run over inputs shares: the pool, what broken transfers leave, who is told.

use super::controller::FIRST;
use super::files::name;
use super::hosts::Hosts;
use super::options::Options;
use crate::fetch::{Partial, Place, Transfer};
use crate::pool::{Context, Event, Observer, Pool, Retry};
use crate::source::Input;
use crate::{Error, Kind, Result};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// What one job has for its next attempt.
#[derive(Debug, Default)]
pub(super) struct Kept {
    pub(super) partial: Option<Partial>,
    /// The file in which the body arrives, if it is to outlive the run. Locked for as long as it is here.
    pub(super) place: Option<Place>,
}

/// What broken transfers have left for the next attempt of their job. A job takes its own out while it runs.
///
/// It watches the run, so that a job that is over leaves nothing here, however it ended: its result may have to wait
/// long for its turn, and what it kept is memory, or an open file.
#[derive(Debug, Default)]
pub(super) struct Partials(Mutex<HashMap<u64, Kept>>);

impl Partials {
    pub(super) fn take(&self, job: u64) -> Kept {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&job).unwrap_or_default()
    }

    pub(super) fn keep(&self, job: u64, kept: Kept) {
        if kept.partial.is_some() || kept.place.is_some() {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(job, kept);
        }
    }
}

impl Observer for Partials {
    fn observe(&self, event: &Event<'_>) {
        if let Event::JobFinished { report } = event {
            drop(self.take(report.job));
        }
    }
}

/// Opens the place of an input in a folder, which is made if need be.
pub(super) async fn open_place(context: &Context, folder: &Path, input: &Input, keeps: bool) -> Result<Place> {
    let (folder, file) = (folder.to_owned(), name::partial(input));
    let opened = context.blocking(move || {
        make_folder(&folder)?;
        Place::open(&folder.join(file), keeps)
    });
    opened.await.map_err(|error| error.input(input.location.to_string()))
}

/// Makes a folder and those above it.
pub(super) fn make_folder(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)
        .map_err(|error| Error::io(format!("cannot make the folder: {}", folder.display()), error))
}

/// A pool that goes about it as the options say.
pub(super) fn pool(options: &Options, partials: Arc<Partials>, hosts: Arc<Hosts>) -> Result<Pool<Input, Error>> {
    let longest = options.retry_after_max;
    let retry_on = options.retry_on.clone();
    // An attempt counts the bytes it was left with as its own, so one that resumes gets further.
    let mut retry = Retry::new(options.backoff)
        .reset_on_progress(true)
        .when(move |error| retry_on.matches(error))
        .pause_key(move |error: &Error| error.wait().map(|wait| wait.min(longest)));
    if let Some(max) = options.retry_max_time {
        retry = retry.max_elapsed(max);
    }
    let mut pool = Pool::builder()
        .jobs(options.jobs)
        .per_key(if options.auto { FIRST.min(options.per_host) } else { options.per_host }, |input: &Input| {
            input.location.key()
        })
        .label(|input| input.name.clone())
        .retry(retry)
        .describe(describe)
        .failure_kind(|error: &Error| error.kind().word())
        .observer(Arc::new(vec![partials as Arc<dyn Observer>, hosts, Arc::clone(&options.observer)]))
        .cancel(options.cancel.clone());
    if let Some(failures) = options.stop_after {
        pool = pool.stop_after(failures);
    }
    if let Some(rate) = options.rate {
        pool = pool.rate(rate);
    }
    Ok(pool.build()?)
}

/// Inputs that were pulled and are not over.
#[derive(Clone, Debug, Default)]
pub(super) struct Outstanding(Arc<Mutex<HashMap<u64, Input>>>);

impl Outstanding {
    /// Remembers each input from when it is pulled, so that a failure can name it, and no longer than it is needed:
    /// there may be millions. The size of the input is passed on.
    pub(super) fn track<In>(&self, inputs: In) -> impl Iterator<Item = Input> + Send + use<In>
    where
        In: Iterator<Item = Input> + Send,
    {
        let mut job = 0;
        let outstanding = Arc::clone(&self.0);
        inputs.inspect(move |input| {
            outstanding.lock().unwrap_or_else(PoisonError::into_inner).insert(job, input.clone());
            job += 1;
        })
    }

    /// One that watches what their hosts bear.
    pub(super) fn hosts(&self) -> Hosts {
        let inputs = Arc::clone(&self.0);
        Hosts::new(move |job| inputs.lock().unwrap_or_else(PoisonError::into_inner).get(&job)?.location.key())
    }

    pub(super) fn take(&self, job: u64) -> Option<Input> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&job)
    }
}

/// Whether a network, or a server under load, may have done this to a good archive on its way.
pub(super) const fn may_arrive_whole_next_time(kind: Kind) -> bool {
    matches!(kind, Kind::Checksum | Kind::Corrupt | Kind::NotAnArchive | Kind::Length | Kind::Empty | Kind::Impostor)
}

/// Tells the pool how the transfer of a job gets on: its bytes, and its stages `connect`, `first byte` and `transfer`.
#[derive(Debug)]
pub struct Progress<'a>(pub &'a Context);

impl Transfer for Progress<'_> {
    fn expected(&self, bytes: u64) {
        self.0.expect_bytes(bytes);
    }

    fn advanced(&self, bytes: u64) {
        self.0.advance(bytes, 0);
    }

    fn stage(&self, stage: &'static str) {
        self.0.stage(stage);
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

/// Runs what may block, outside of any job.
pub(super) async fn blocking<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> Result<R> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::new(Kind::Internal, "writing the result panicked").because(error))
}
