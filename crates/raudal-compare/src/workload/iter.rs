//! The main job as a workload: the ITER archives of a mirror, as one table.

use super::work::JobKeeper;
use super::{Activity, Setting, Stage, Unit, Workload, WorkloadRun, stage};
use futures::future::BoxFuture;
use raudal_catalogue::{Edition, Entry, iter_2020};
use raudal_common::atomic_file::hex;
use raudal_common::lock;
use raudal_common::{Error, Kind, Result};
use raudal_fetch::Client;
use raudal_origin::Origin;
use raudal_pipeline::{Concurrency, Jobs};
use raudal_pool::Observer;
use raudal_source::Input;
use raudal_table::{Sink, SinkOptions, Target};
use sha2::{Digest as _, Sha256};
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;

/// Where the ITER archives come from.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Mirror {
    /// INEGI's own server.
    #[default]
    Inegi,
    /// Any base URL; the archives' file names are appended to it.
    Url(String),
    /// The embedded origin, started for this workload.
    Embedded(raudal_origin::Options),
}

impl Mirror {
    fn settings(&self) -> Vec<Setting> {
        let options = match self {
            Self::Inegi => return vec![Setting::new("mirror", "INEGI")],
            Self::Url(url) => return vec![Setting::new("mirror", raudal_common::error::redact(url))],
            Self::Embedded(options) => options,
        };
        let per_second = |name, limit: Option<u64>| match limit {
            Some(limit) => Setting::new(name, format_args!("{limit} B/s")),
            None => Setting::new(name, "unlimited"),
        };
        let mut settings = vec![
            Setting::new("mirror", "embedded"),
            Setting::time("latency", options.latency),
            per_second("bandwidth", options.bandwidth),
            per_second("bandwidth per connection", options.bandwidth_per_connection),
            Setting::new("scale", options.scale),
            Setting::new("seed", options.seed),
        ];
        settings.extend(options.faults.iter().map(|fault| Setting::new("fault", fault)));
        settings
    }
}

/// The archives of some entities at a mirror, ready to be fetched. Keeps the embedded origin
/// running.
#[derive(Debug)]
pub struct Archives {
    /// One input for each entity, in the order of their codes.
    pub inputs: Vec<Input>,
    origin: Option<Origin>,
    settings: Vec<Setting>,
}

impl Archives {
    /// Makes the archives ready. If the mirror is the embedded origin, starts it and lets it make
    /// them.
    ///
    /// # Errors
    ///
    /// Fails for a mirror that is not a URL, without a free port, and without entities.
    ///
    /// ```
    /// use raudal_catalogue::{iter_2020, Edition};
    /// use raudal_compare::workload::{Archives, Mirror};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> raudal_common::Result<()> {
    /// let colima = iter_2020::catalogue().select("06")?;
    /// let archives = Archives::open(&Mirror::Inegi, &colima, iter_2020::MICRODATOS).await?;
    /// assert!(archives.inputs[0].location.to_string().ends_with("/ITER_06_2020_csv.zip"));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn open(mirror: &Mirror, entities: &[&Entry], edition: Edition) -> Result<Self> {
        let (base, origin) = match mirror {
            Mirror::Inegi => (None, None),
            Mirror::Url(url) => (Some(url.clone()), None),
            Mirror::Embedded(options) => {
                let origin = Origin::start(options.clone()).await?;
                let codes: Vec<u32> = entities.iter().map(|entity| entity.number()).collect();
                origin.prepare(edition, &codes).await?;
                (Some(origin.url()), Some(origin))
            }
        };
        let inputs = iter_2020::catalogue().inputs(entities, edition, base.as_deref())?;
        let mut settings = mirror.settings();
        settings.push(Setting::new("archives", inputs.len()));
        Ok(Self { inputs, origin, settings })
    }

    /// Returns the embedded origin, if that is the mirror.
    pub fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    /// Stops the embedded origin, and waits until it has stopped.
    pub async fn close(self) {
        if let Some(origin) = self.origin {
            origin.shutdown().await;
        }
    }
}

/// Receives the table, and keeps only a digest of each input's share. A sink flushes its writer
/// after each input, which ends the share.
#[derive(Clone, Default)]
struct Shares(Arc<Mutex<(Sha256, Vec<String>)>>);

impl Shares {
    fn take(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.0).1)
    }
}

impl Write for Shares {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        lock(&self.0).0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let (share, ended) = &mut *lock(&self.0);
        ended.push(hex(&share.finalize_reset()[..8]));
        Ok(())
    }
}

/// The ITER archives → one table, at any level of concurrency.
///
/// Every run opens new connections, so that all levels start alike. The archives of the embedded
/// origin are made before anything is timed.
#[derive(Debug)]
pub struct Iter {
    archives: Archives,
    fetch: raudal_fetch::Options,
    options: raudal_pipeline::Options,
    per_host: Option<usize>,
}

impl Iter {
    /// Creates the workload for these archives. `options` sets everything except the number of
    /// jobs, the observer and the cancellation. The limit for one host is the number of jobs,
    /// unless [`per_host`](Self::per_host) sets a lower one.
    pub fn new(archives: Archives, fetch: raudal_fetch::Options, options: raudal_pipeline::Options) -> Self {
        Self { archives, fetch, options, per_host: None }
    }

    /// Limits the jobs in flight for one host, at any level.
    #[must_use]
    pub fn per_host(mut self, most: Option<usize>) -> Self {
        self.per_host = most;
        self
    }

    /// Returns the archives.
    pub fn archives(&self) -> &Archives {
        &self.archives
    }

    /// Shuts down the workload and its embedded origin.
    pub async fn close(self) {
        self.archives.close().await;
    }

    async fn run_once(
        &self,
        jobs: Jobs,
        observer: Arc<dyn Observer>,
        cancel: CancellationToken,
    ) -> Result<WorkloadRun> {
        let client = Client::new(&self.fetch)?;
        let mut options = self.options.clone();
        options.run.concurrency = Concurrency::new(jobs);
        if let Some(most) = self.per_host {
            options.run.concurrency = options.run.concurrency.per_host(most);
        }
        let (kept, observer) = JobKeeper::beside(observer);
        options.run.observer = observer;
        options.run.cancel = cancel.clone();
        let shares = Shares::default();
        let sink = Sink::create(Target::Writer(Box::new(shares.clone())), SinkOptions::default())?;
        let summary = raudal_pipeline::run(self.archives.inputs.clone(), &client, options, sink).await?;
        if cancel.is_cancelled() {
            return Err(Error::new(Kind::Cancelled, "cancelled"));
        }
        // The first failure says more than a count of failures.
        if let Some(failure) = summary.failures.into_iter().next() {
            return Err(failure.error);
        }
        let digest = summary.written.map(|written| written.digest).unwrap_or_default();
        let run = WorkloadRun::new(summary.report, digest).rows(summary.rows_kept).jobs(kept.take());
        // Every input is in the table, so each has a share, in order.
        let labels = self.archives.inputs.iter().map(|input| input.name.clone());
        Ok(labels.zip(shares.take()).fold(run, |run, (label, share)| run.part(label, share)))
    }
}

impl Workload for Iter {
    fn name(&self) -> &'static str {
        "iter"
    }

    fn stages(&self) -> Vec<Stage> {
        let mut stages = stage::TRANSFER.to_vec();
        stages.push(Stage::new("wait", Activity::Turn("a thread that decodes")));
        stages.push(Stage::new("decode", Activity::Compute));
        stages
    }

    fn settings(&self) -> Vec<Setting> {
        let mut settings = self.archives.settings.clone();
        settings.extend(self.per_host.map(|most| Setting::new("per host", most)));
        settings
    }

    fn unit(&self) -> Unit {
        Unit::Bytes
    }

    fn run(
        &self,
        jobs: usize,
        observer: Arc<dyn Observer>,
        cancel: CancellationToken,
    ) -> BoxFuture<'_, Result<WorkloadRun>> {
        Box::pin(self.run_once(Jobs::Most(jobs), observer, cancel))
    }

    fn run_auto(
        &self,
        observer: Arc<dyn Observer>,
        cancel: CancellationToken,
    ) -> Option<BoxFuture<'_, Result<WorkloadRun>>> {
        Some(Box::pin(self.run_once(Jobs::Auto, observer, cancel)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::work::tests::{run, stages};
    use super::*;
    use raudal_catalogue::iter_2020;
    use raudal_pool::NoObserver;

    #[tokio::test]
    async fn what_became_of_each_archive_is_kept_with_its_stages() {
        let mut origin = raudal_origin::Options::default();
        origin.scale = 0.02;
        let entities = iter_2020::catalogue().select("06,01").unwrap();
        let archives = Archives::open(&Mirror::Embedded(origin), &entities, iter_2020::MICRODATOS).await.unwrap();
        let iter = Iter::new(archives, raudal_fetch::Options::default(), raudal_pipeline::Options::default());
        let run = run(&iter, 2).await.unwrap();
        assert_eq!(run.jobs.iter().map(|job| job.job).collect::<Vec<_>>(), [0, 1]);
        assert!(
            stages(&run).iter().all(|stages| stages.windows(2).any(|pair| pair == ["first byte", "transfer"])),
            "{:?}",
            stages(&run)
        );
        iter.close().await;
    }

    #[tokio::test]
    async fn each_archive_has_its_part_of_the_result_at_every_level_even_one_without_rows() {
        let mut origin = raudal_origin::Options::default();
        origin.scale = 0.02;
        let entities = iter_2020::catalogue().select("01,06,09").unwrap();
        let archives = Archives::open(&Mirror::Embedded(origin), &entities, iter_2020::MICRODATOS).await.unwrap();
        let mut options = raudal_pipeline::Options::default();
        options.query.filter = Some(raudal_table::Filter::parse("ENTIDAD != 6 and MUN == 0 and LOC == 0").unwrap());
        let iter = Iter::new(archives, raudal_fetch::Options::default(), options);
        let (one, many) = (run(&iter, 1).await.unwrap(), run(&iter, 3).await.unwrap());
        let auto = iter.run_auto(Arc::new(NoObserver), CancellationToken::new()).unwrap().await.unwrap();
        assert_eq!((&one.parts, one.rows), (&many.parts, many.rows));
        assert_eq!((&one.parts, one.rows), (&auto.parts, 2));
        let labels: Vec<&str> = one.parts.iter().map(|part| &*part.label).collect();
        assert_eq!(labels, ["ITER_01_2020_csv.zip", "ITER_06_2020_csv.zip", "ITER_09_2020_csv.zip"]);
        let nothing = hex(&Sha256::digest([])[..8]);
        let empty: Vec<bool> = one.parts.iter().map(|part| part.digest == nothing).collect();
        assert_eq!(empty, [false, true, false], "the header belongs to the first");
        iter.close().await;
    }
}
