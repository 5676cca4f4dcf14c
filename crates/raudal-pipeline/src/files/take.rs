//! Files that other machines have fetched: takes their bytes, instead of asking the network.
//!
//! Names, checksums, the lock file, and what becomes of a file that exists are those of a run on one machine, because the
//! same code decides.

use super::decide::Decision;
use super::inputs::{Repeated, refusal};
use super::job::FileJob;
use super::relay::Relay;
use super::run::run_from;
use super::shared::{FileFailure, FilesRun, SaveTarget, refused};
use super::template::known;
use super::{Existing, Options, Saved, Summary};
use crate::run::verify;
use raudal_common::{Kind, Result, blocking};
use raudal_fetch::{Body, Carried, Client, already_there};
use raudal_pool::Backoff;
use raudal_source::Input;
use std::fs::File;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::SemaphorePermit;

/// Inputs that are waited for at once, so that one that comes late does not hold up many others.
const AHEAD: usize = 1024;
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

#[cfg(test)]
mod tests {
    use super::*;
    use futures::future::BoxFuture;
    use raudal_common::atomic_file::hex;
    use raudal_common::{Error, lock};
    use raudal_source::Location;
    use sha2::{Digest, Sha256};
    use std::collections::BTreeSet;
    use std::io::Read;
    use std::sync::Mutex;
    use tokio::sync::Notify;

    /// Hands out `/0`, `/1`, … in the opposite order. The bytes of the second are damaged at first.
    struct Backwards {
        arrivals: Vec<Notify>,
        damaged: Mutex<Option<u64>>,
        taken: Mutex<BTreeSet<u64>>,
        before: BTreeSet<u64>,
    }

    fn content(input: u64) -> Vec<u8> {
        format!("the content of {input}").into_bytes()
    }

    impl Relay for Backwards {
        fn arrival(&self, input: u64) -> BoxFuture<'_, Result<Carried>> {
            Box::pin(async move {
                let later = self.arrivals.get(input as usize + 1);
                if let Some(later) = later {
                    later.notified().await;
                    later.notify_one();
                }
                self.arrivals[input as usize].notify_one();
                if input == 3 {
                    return Err(Error::new(Kind::Status(404), "not found"));
                }
                // Two have one name.
                let name = if input == 2 { 0 } else { input };
                let carried = serde_json::json!({
                    "from": format!("http://h/{input}"), "length": content(input).len(),
                    "sha256": hex(&Sha256::digest(content(input))),
                    "head": { "disposition": format!("attachment; filename={name}.csv") },
                });
                Ok(serde_json::from_value(carried).expect("the facts of a body"))
            })
        }

        fn bytes<'a>(&'a self, input: u64, _: &'a Carried) -> BoxFuture<'a, Result<Box<dyn Read + Send>>> {
            let is_damaged = *lock(&self.damaged) == Some(input);
            let bytes = if is_damaged { b"damage".to_vec() } else { content(input) };
            Box::pin(std::future::ready(Ok(Box::new(std::io::Cursor::new(bytes)) as _)))
        }

        fn again<'a>(&'a self, input: u64, _: &'a Carried) -> BoxFuture<'a, ()> {
            assert_eq!(lock(&self.damaged).take(), Some(input), "it is asked for once");
            Box::pin(std::future::ready(()))
        }

        fn taking(&self, input: u64) -> Result<()> {
            lock(&self.taken).insert(input);
            Ok(())
        }

        fn attempts(&self, _: u64) -> u32 {
            7
        }

        fn was_taken(&self, input: u64) -> bool {
            self.before.contains(&input)
        }
    }

    async fn save(folder: &std::path::Path, before: &[u64], existing: Existing) -> (Summary, BTreeSet<u64>) {
        let inputs = (0..5).map(|n| Input::new(Location::parse(&format!("http://h/{n}")).expect("a URL")));
        let relay = Arc::new(Backwards {
            arrivals: (0..5).map(|_| Notify::new()).collect(),
            damaged: Some(1).filter(|_| before.is_empty()).into(),
            taken: Mutex::default(),
            before: before.iter().copied().collect(),
        });
        let mut options = Options::new(folder);
        options.existing = existing;
        let summary = take(inputs, Arc::clone(&relay) as _, options, |_| Ok(())).await.expect("a folder");
        let taken = lock(&relay.taken).clone();
        (summary, taken)
    }

    fn names(folder: &std::path::Path) -> Vec<String> {
        let entries = std::fs::read_dir(folder).expect("a folder");
        let mut names: Vec<String> =
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[tokio::test]
    async fn files_that_come_in_any_order_have_the_names_and_failures_of_input_order() {
        let folder = tempfile::tempdir().expect("a folder");
        let (summary, taken) = save(folder.path(), &[], Existing::Refuse).await;
        assert_eq!(names(folder.path()), ["0.csv", "1.csv", "4.csv"]);
        for n in [0, 1, 4] {
            assert_eq!(std::fs::read(folder.path().join(format!("{n}.csv"))).expect("a file"), content(n));
            assert!(taken.contains(&n), "{taken:?}");
        }
        let failed: Vec<String> = summary.failures.iter().map(|failure| failure.error.to_string()).collect();
        assert!(
            failed.len() == 2 && failed[0].contains("same file name") && failed[1].contains("not found"),
            "{failed:?}"
        );
        assert!(summary.failures.iter().all(|failure| failure.attempts == 7));
    }

    #[tokio::test]
    async fn what_an_earlier_process_has_saved_is_its_own_and_a_stranger_stays() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).expect("room");
        write("0.csv", &content(0));
        write("1.csv", b"changed since");
        write("4.csv", b"a stranger");
        let (summary, _) = save(folder.path(), &[0, 1], Existing::Refuse).await;
        let saved: Vec<(&str, bool)> = summary.saved.iter().map(|saved| (saved.url.as_str(), saved.skipped)).collect();
        assert_eq!(saved, [("http://h/0", false)]);
        for place in ["http://h/1: the file already exists", "http://h/4: the file already exists"] {
            assert!(summary.failures.iter().any(|failure| failure.error.to_string().starts_with(place)), "{place}");
        }
        let (summary, _) = save(folder.path(), &[0, 1], Existing::Skip).await;
        assert!(summary.saved.iter().all(|saved| saved.skipped) && summary.saved.len() == 3);
        assert_eq!(std::fs::read(folder.path().join("4.csv")).expect("a file"), b"a stranger");
    }
}
