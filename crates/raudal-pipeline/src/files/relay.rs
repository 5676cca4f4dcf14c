//! Files that other machines have fetched: takes their bytes, instead of asking the network.
//!
//! Names, checksums, the lock file, and what becomes of a file that exists are those of a run on one machine, because the
//! same code decides.

use super::decide::Decision;
use super::inputs::{Repeated, refusal};
use super::job::FileJob;
use super::run::run_from;
use super::shared::{FileFailure, FilesRun, SaveTarget, refused};
use super::template::known;
use super::{Existing, Options, Saved, Summary};
use crate::run::verify;
use futures::future::BoxFuture;
use raudal_common::{Kind, Result, blocking};
use raudal_fetch::{Body, Carried, Client, already_there};
use raudal_pool::Backoff;
use raudal_source::Input;
use std::fs::File;
use std::io::Read;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::SemaphorePermit;

/// Inputs that are waited for at once, so that one that comes late does not hold up many others.
const AHEAD: usize = 1024;
/// Files that are written at once.
pub(super) const TURNS: usize = 16;

/// Hands out what other machines have fetched. Inputs are named by their place among those of [`fetches`], from 0.
pub trait Relay: Send + Sync {
    /// Waits until an input was fetched. Fails if it could not be.
    fn arrival(&self, input: u64) -> BoxFuture<'_, Result<Carried>>;

    /// Returns the bytes of an input.
    fn bytes<'a>(&'a self, input: u64, carried: &'a Carried) -> BoxFuture<'a, Result<Box<dyn Read + Send>>>;

    /// Has an input fetched again, because its bytes are damaged. The next [`arrival`](Self::arrival) waits for it.
    fn again<'a>(&'a self, input: u64, carried: &'a Carried) -> BoxFuture<'a, ()>;

    /// Notes that an input is about to get its name. It may block.
    ///
    /// # Errors
    ///
    /// If it cannot be noted. Then the input gets no name.
    fn taking(&self, input: u64) -> Result<()>;

    /// Returns how many attempts an input took, once nothing else is asked of it.
    fn attempts(&self, input: u64) -> u32;

    /// Whether an earlier process has noted that of an input. Its file is no stranger's, then.
    fn was_taken(&self, input: u64) -> bool;
}

/// Saves files that other machines have fetched, as [`run()`](super::run()) does with those that it fetches itself. Its
/// limits on requests and its retries do not count here: there are no requests.
///
/// # Errors
///
/// As [`run()`](super::run()).
pub async fn take<In>(
    inputs: In,
    relay: Arc<dyn Relay>,
    mut options: Options,
    tell: impl FnMut(&Saved) -> Result<()>,
) -> Result<Summary>
where
    In: IntoIterator<Item = Input>,
    In::IntoIter: Clone + Send + 'static,
{
    let run = &mut options.run;
    (run.concurrency, run.rate, run.hosts) = (AHEAD.into(), None, None);
    // A host that has asked for a pause has not asked us.
    (run.backoff, run.retry_after_max) = (Backoff::default().retries(0), Duration::ZERO);
    let client = Client::new(&raudal_fetch::Options::default())?;
    run_from(inputs, &client, Some(relay), options, tell).await
}

/// An input that is fetched, and the SHA-256 that it must have, if that is known; or why it is refused.
pub type Fetch = (Input, Result<Option<String>>);

/// Returns the inputs of a run that are fetched: none of them twice.
///
/// ```
/// use raudal_pipeline::files::{self, Options};
/// use raudal_source::{Input, Location};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> raudal_common::Result<()> {
/// let inputs = ["https://h/a", "https://h/b", "https://h/a"].map(Location::parse);
/// let inputs = inputs.into_iter().collect::<raudal_common::Result<Vec<_>>>()?.into_iter().map(Input::new);
///
/// assert_eq!(files::fetches(inputs, &Options::new("downloads")).await?.count(), 2);
/// # Ok(()) }
/// ```
pub async fn fetches<I>(inputs: I, options: &Options) -> Result<impl Iterator<Item = Fetch> + Clone + Send + use<I>>
where
    I: Iterator<Item = Input> + Clone + Send + 'static,
{
    let looked = inputs.clone();
    let repeated = Arc::new(blocking(move || Repeated::find(looked)).await?);
    let (template, sums) = (options.name.clone(), options.run.checksums.clone());
    Ok(repeated.skip(inputs).enumerate().map(move |(job, input)| {
        if let Some(refusal) = refusal(&input) {
            return (input, Err(refusal));
        }
        let name = known(template.as_ref(), &input, repeated.position(job as u64) + 1);
        let expected = match (&sums, name) {
            (Some(sums), Some(name)) => verify::promised(sums, &name).map(Some),
            _ => Ok(None),
        };
        let expected = expected.map_err(|error| error.input(input.location.to_string()));
        (input, expected)
    }))
}

impl FilesRun {
    /// Waits until an input was fetched, unless its name says that nothing is needed of it.
    pub(super) async fn awaited(&self, relay: &Arc<dyn Relay>, job: u64, input: &Input) -> Result<Option<Carried>> {
        match self.known(job, input)? {
            Some(Decision::Skip(_)) => Ok(None),
            _ => relay.arrival(job).await.map(Some),
        }
    }

    /// Waits until a file may be written. One that is still awaited takes no turn.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        if self.relay.is_some() { self.turns.acquire().await.ok() } else { None }
    }
}

impl FileJob<'_> {
    /// Saves what another machine has fetched.
    pub(super) async fn relayed(
        &self,
        relay: &Arc<dyn Relay>,
        mut carried: Option<Carried>,
    ) -> Result<Saved, FileFailure> {
        loop {
            let named = self.known()?;
            if let Some(Decision::Skip(target)) = named {
                return self.found(relay, target).await;
            }
            let carried = match carried.take() {
                Some(carried) => carried,
                None => relay.arrival(self.context.job()).await?,
            };
            let decision = match named {
                Some(decision) => decision,
                None => self.decide_by(&self.name_by(carried.disposition())).map_err(refused)?,
            };
            let target = match decision {
                Decision::Skip(target) => return self.found(relay, target).await,
                Decision::Save(target) => target,
            };
            match self.bytes(relay, carried).await? {
                ControlFlow::Break(body) => return self.save(target, body).await,
                ControlFlow::Continue(()) => {}
            }
        }
    }

    /// Copies the bytes of an input to its partial file. Has damaged ones fetched again.
    async fn bytes(&self, relay: &Arc<dyn Relay>, carried: Carried) -> Result<ControlFlow<Body>> {
        let job = self.context.job();
        let bytes = relay.bytes(job, &carried).await?;
        let (asked, partial_file, sent) = (self.input.location.clone(), self.partial_file.clone(), carried.clone());
        match self.context.blocking(move || sent.arrive(bytes, &asked, &partial_file)).await {
            Ok(body) => Ok(ControlFlow::Break(body)),
            Err(error) if error.kind() == Kind::Corrupt => {
                relay.again(job, &carried).await;
                Ok(ControlFlow::Continue(()))
            }
            Err(error) => Err(error),
        }
    }

    /// Handles a file that already exists. One that an earlier process of this run has saved counts as saved by it.
    async fn found(&self, relay: &Arc<dyn Relay>, target: SaveTarget) -> Result<Saved, FileFailure> {
        let job = self.context.job();
        let mut saved = self.there(target).await?;
        if self.shared.options.existing != Existing::Refuse || !relay.was_taken(job) {
            return Ok(saved);
        }
        let (carried, path) = (relay.arrival(job).await?, saved.path.clone());
        let found = self.context.blocking(move || File::open(path).ok().and_then(|file| verify::digest(file).ok()));
        if found.await.as_deref() != Some(carried.sha256()) {
            return Err(refused(already_there(&saved.path)));
        }
        // A name that an earlier input takes away must go with its file.
        for name in &saved.names {
            self.shared.reserved.publish(name, job, || Ok(())).map_err(refused)?;
        }
        (saved.skipped, saved.sha256) = (false, Some(carried.sha256().to_owned()));
        saved.final_url = Some(carried.from(&self.input.location));
        saved.warnings.extend(carried.warnings().iter().cloned());
        Ok(saved)
    }
}
