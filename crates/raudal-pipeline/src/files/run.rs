//! Runs the jobs and reports their files in input order.

use super::inputs::Repeated;
use super::job::attempt;
use super::relay::Relay;
use super::shared::FilesRun;
use super::versions::FileVersions;
use super::{Existing, Options, Saved, Summary};
use crate::run::failure::{Failure, failure};
use crate::run::partials::{Partials, make_folder};
use crate::run::policies::{self, policies, stop_at_condition};
use crate::run::segments::Segments;
use crate::run::slowed::Slowed;
use raudal_common::{Error, Result, blocking};
use raudal_fetch::Client;
use raudal_pool::{Completed, Context, JobError, RunReport};
use raudal_source::Input;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// The time from one sync of the folders to the next: a sync for each of many short files would take longer than the
/// files. It delays the report of a file, and no job.
const SYNC_PAUSE: Duration = Duration::from_millis(10);

/// Fetches all inputs into files of one folder. Calls `tell` for each complete file, in input
/// order, as soon as the inputs before it are finished.
///
/// # Errors
///
/// Fails before fetching if the folder cannot be created. An error of `tell` ends the run. Failures
/// of inputs are in the summary. [`check`](super::check) finds some of them in advance.
///
/// ```
/// use raudal_fetch::{Client};
/// use raudal_pipeline::files::{self, Options};
/// use raudal_source::{Input, Location};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> raudal_common::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("a.csv");
/// # std::fs::write(&path, "town,people\nAyala,31\n").unwrap();
/// # let downloads = folder.path().join("downloads");
/// let client = Client::new(&raudal_fetch::Options::default())?;
/// let inputs = [Input::new(Location::File(path)).named("towns.csv")];
///
/// let summary = files::run(inputs, &client, Options::new(&downloads), |_| Ok(())).await?;
///
/// assert_eq!(summary.saved[0].path, downloads.join("towns.csv"));
/// assert_eq!(std::fs::read(downloads.join("towns.csv")).unwrap(), b"town,people\nAyala,31\n");
/// # Ok(())
/// # }
/// ```
pub async fn run<In>(
    inputs: In,
    client: &Client,
    options: Options,
    tell: impl FnMut(&Saved) -> Result<()>,
) -> Result<Summary>
where
    In: IntoIterator<Item = Input>,
    In::IntoIter: Clone + Send + 'static,
{
    run_from(inputs, client, None, options, tell).await
}

/// Saves all inputs, from the network, or from a relay that has fetched them.
pub(super) async fn run_from<In>(
    inputs: In,
    client: &Client,
    relay: Option<Arc<dyn Relay>>,
    mut options: Options,
    mut tell: impl FnMut(&Saved) -> Result<()>,
) -> Result<Summary>
where
    In: IntoIterator<Item = Input>,
    In::IntoIter: Clone + Send + 'static,
{
    let inputs = inputs.into_iter();
    let (repeated, versions) = prepare(inputs.clone(), &options).await?;
    let inputs = repeated.skip(inputs);
    let (partials, slowed) = (Arc::new(Partials::default()), Arc::new(Slowed::default()));
    let stop = options.run.cancel.child_token();
    options.run.cancel = stop.clone();
    let pool = policies::build(policies::pool(&options.run))?;
    let run_options = options.run.clone();
    let keeps = Arc::clone(&partials);
    let shared = Arc::new(FilesRun::new(client, options, relay, partials, repeated, versions));
    let of_jobs = Arc::clone(&shared);
    let job = move |cx: Context<Input>, input| {
        let (attempt, stop) = (attempt(Arc::clone(&of_jobs), cx.as_attempt().clone(), input), stop.clone());
        async move { stop_at_condition(attempt.await, &stop) }
    };
    let mut run = policies(pool.run(inputs, job), &run_options, keeps, Arc::clone(&slowed)).ordered().start();
    let segments = Segments::start(client, run.permits());
    let mut next_sync = Instant::now();
    let mut summary = Summary::begin(&shared.repeated);
    while let Some(done) = run.next().await {
        if let Ok(saved) = &done.result
            && !shared.folders.is_durable(saved.named)
        {
            sleep_until(next_sync).await;
            sync_folders(&shared).await?;
            next_sync = Instant::now() + SYNC_PAUSE;
        }
        if let Err(error) = summary.take(done, &shared, &mut tell) {
            run.shutdown().await;
            return Err(error);
        }
    }
    segments.stop().await;
    summary.report = run.join().await;
    // For what has a name, but failed afterwards.
    sync_folders(&shared).await?;
    policies::remember(&run_options, pool).await?;
    summary.warnings.extend(slowed.warnings());
    summary.warnings.extend(blocking(move || shared.versions.as_ref().and_then(FileVersions::finish)).await?);
    Ok(summary)
}

/// Creates the folder, finds repeated inputs, and reads the versions of the files if they count.
async fn prepare(
    inputs: impl Iterator<Item = Input> + Send + 'static,
    options: &Options,
) -> Result<(Repeated, Option<FileVersions>)> {
    let (folder, updates) = (options.folder.clone(), options.existing == Existing::Update);
    let work = move || {
        make_folder(&folder)?;
        Ok((Repeated::find(inputs), updates.then(|| FileVersions::read(&folder))))
    };
    blocking(work).await?
}

/// Makes all names durable that were given until now.
async fn sync_folders(shared: &Arc<FilesRun>) -> Result<()> {
    let shared = Arc::clone(shared);
    blocking(move || shared.folders.sync()).await
}

impl Summary {
    fn begin(repeated: &Repeated) -> Self {
        Self {
            report: RunReport::default(),
            saved: Vec::new(),
            failures: Vec::new(),
            unfinished: Vec::new(),
            condition: None,
            pulled: 0,
            repeated: repeated.len(),
            warnings: repeated.warning().into_iter().collect(),
        }
    }

    /// Records the result of an input, and tells of its file. Fails if `tell` does.
    fn take(
        &mut self,
        done: Completed<Input, Saved, Error>,
        shared: &FilesRun,
        tell: &mut impl FnMut(&Saved) -> Result<()>,
    ) -> Result<()> {
        let Some(input) = done.input else { return Ok(()) };
        self.pulled = shared.repeated.position(done.job) + 1;
        let settled = match done.result {
            // An earlier input may have taken its name away.
            Ok(saved) => shared.reserved.settle(&saved.names, done.job).map(|()| saved).map_err(JobError::Failed),
            failed => failed,
        };
        let attempts = shared.relay.as_ref().map_or(done.report.attempts, |relay| relay.attempts(done.job));
        match settled {
            Ok(saved) => {
                tell(&saved)?;
                let source = raudal_common::error::redact(&saved.url);
                self.warnings.extend(saved.warnings.iter().map(|warning| format!("{source}: {warning}")));
                self.saved.push(saved);
            }
            Err(error) => match failure(error, &input) {
                Some(error) if error.is_of_machine() => {
                    self.condition.get_or_insert(error);
                    self.unfinished.push(input);
                }
                Some(error) => self.failures.push(Failure { input, error, attempts }),
                None => self.unfinished.push(input),
            },
        }
        Ok(())
    }
}
