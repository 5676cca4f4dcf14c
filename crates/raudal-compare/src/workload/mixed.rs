//! The four operations of an I/O-bound program: a file, an API, a database, a download.

use super::database::Sqlite;
use super::files::{Content, SyncMode, round_trip};
use super::requests::{answer, call};
use super::work::{AtOnce, Work, digest};
use super::{Activity, Bound, Run, Stage, Unit, Workload, scratch, stage};
use futures::future::BoxFuture;
use raudal_common::{Error, Kind, Result, units};
use raudal_fetch::{Client, Expect};
use raudal_origin::Origin;
use raudal_pool::{Attempt, Observer};
use raudal_source::{Catalogue, Edition, Location};
use raudal_table::Query;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// The entity whose archive is downloaded: Colima, the one with the fewest rows.
const ENTITY: u8 = 6;
const SCALE: f64 = 0.1;

/// Bytes in the file that is written.
const FILE: u64 = 1024 * 1024;

/// The share of the download's time that the link takes; the rest is for its latency and for unpacking.
const ON_THE_WAY: f64 = 0.9;

/// How long each operation takes.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct MixedOptions {
    /// The file that is written, synced and read back. Default: 3.1 s.
    pub file: Duration,
    /// The call of an API. Default: 0.28 s.
    pub api: Duration,
    /// The query of a database. Default: 2.2 s.
    pub query: Duration,
    /// The zip that is downloaded and unpacked. Default: 4.6 s.
    pub zip: Duration,
    /// All of these are multiplied by this: 0.1 for a tenth. Default: 1.
    pub pace: f64,
    /// Where the temporary folder is made; `None` for the system's place.
    pub folder: Option<PathBuf>,
    /// Decides the figures in the archive and in the answer.
    pub seed: u64,
}

impl Default for MixedOptions {
    fn default() -> Self {
        Self {
            file: Duration::from_millis(3100),
            api: Duration::from_millis(280),
            query: Duration::from_millis(2200),
            zip: Duration::from_millis(4600),
            pace: 1.0,
            folder: None,
            seed: 0,
        }
    }
}

impl MixedOptions {
    /// What the operations take after all, in the order in which they begin.
    ///
    /// # Errors
    ///
    /// A pace that is not a number above 0, or makes times that are beyond all measure.
    ///
    /// ```
    /// use raudal_compare::workload::MixedOptions;
    /// use std::time::Duration;
    ///
    /// let mut options = MixedOptions::default();
    /// options.pace = 0.1;
    /// assert_eq!(options.times()?[0], Duration::from_millis(310));
    /// assert_eq!(options.times()?.iter().sum::<Duration>(), Duration::from_millis(1018));
    /// # Ok::<(), raudal_common::Error>(())
    /// ```
    pub fn times(&self) -> Result<[Duration; 4]> {
        let at_pace = |time: Duration| {
            let time = Duration::try_from_secs_f64(time.as_secs_f64() * self.pace).ok();
            time.filter(|time| self.pace > 0.0 && *time <= Duration::from_secs(24 * 3600)).ok_or_else(|| {
                Error::usage(format!("a pace that makes no sense: {}", self.pace))
                    .hint("write a number above 0, such as 0.1 for a tenth of the times")
            })
        };
        Ok([at_pace(self.file)?, at_pace(self.api)?, at_pace(self.query)?, at_pace(self.zip)?])
    }
}

/// Four operations with nothing in common but that they wait: a file is written, synced and read back; an API is
/// called; a database is asked; a zip is downloaded, unpacked and read as a table.
///
/// The work of each is real, and each takes a time that was chosen, so that the sum and the longest are known:
///
/// - the API's server thinks for its time, and the query of the embedded SQLite holds its connection for its time;
/// - the zip comes over a link that is slow enough to take nine tenths of its time;
/// - what is left of the times of the file and of the zip is waited for, in a stage of its own, `stretch`.
///
/// One after the other takes the sum, all at once the longest of them.
#[derive(Debug)]
pub struct Mixed {
    shared: Arc<Shared>,
    origin: Origin,
    times: [Duration; 4],
}

#[derive(Debug)]
struct Shared {
    client: Client,
    sqlite: Sqlite,
    folder: TempDir,
    seed: u64,
    api: Location,
    zip: Location,
}

#[derive(Clone, Copy, Debug)]
enum Operation {
    File,
    Api,
    Query,
    Zip,
}

impl Mixed {
    /// Starts the origin, makes the archive, the database and the folder.
    ///
    /// # Errors
    ///
    /// Times that make no sense; no free port; a temporary folder that cannot be written to.
    ///
    /// ```
    /// use raudal_compare::workload::{Mixed, MixedOptions, Workload};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> raudal_common::Result<()> {
    /// let mut options = MixedOptions::default();
    /// options.pace = 0.001;
    /// let mixed = Mixed::open(&options).await?;
    /// assert_eq!(mixed.bound().map(|bound| bound.at_once), Some(4));
    /// mixed.close().await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn open(options: &MixedOptions) -> Result<Self> {
        let times @ [_, api, _, zip] = options.times()?;
        let folder = scratch::folder(options.folder.as_deref())?;
        let sqlite = Sqlite::open(options.folder.clone(), 1).await?;
        let (origin, archive) = slow_origin(zip, options.seed).await?;
        let mut of_client = raudal_fetch::Options::default();
        // The longest silence is the one that was asked for.
        of_client.read_timeout = of_client.read_timeout.saturating_add(api.max(zip));
        let base = origin.url();
        let shared = Shared {
            client: Client::new(&of_client)?,
            sqlite,
            folder,
            seed: options.seed,
            api: call(&base, 0, api)?,
            zip: Location::parse(&format!("{base}{archive}"))?,
        };
        Ok(Self { shared: Arc::new(shared), origin, times })
    }

    /// Ends it, with the origin.
    pub async fn close(self) {
        self.origin.shutdown().await;
    }
}

/// An origin over whose link the archive takes most of this time, and the archive's name.
async fn slow_origin(time: Duration, seed: u64) -> Result<(Origin, String)> {
    let entity = Catalogue::iter_2020().entities().iter().find(|entity| entity.number() == ENTITY);
    let entity = entity.ok_or_else(|| Error::new(Kind::Internal, format!("no such entity: {ENTITY}")))?;
    let making = tokio::task::spawn_blocking(move || raudal_origin::archive(entity, Edition::Microdatos, SCALE, seed));
    let made = making.await.map_err(|error| Error::new(Kind::Internal, "no archive was made").because(error))??;
    let on_the_way = (time.as_secs_f64() * ON_THE_WAY).max(1e-3);
    let bandwidth = ((made.len() as f64 / on_the_way).ceil() as u64).max(1);
    let mut options = raudal_origin::Options::default();
    options.scale = SCALE;
    options.seed = seed;
    options.bandwidth_per_connection = Some(bandwidth);
    let origin = Origin::start(options).await?;
    origin.prepare(Edition::Microdatos, &[ENTITY]).await?;
    Ok((origin, entity.file(Edition::Microdatos).to_owned()))
}

impl Shared {
    async fn run(&self, cx: &Attempt, operation: Operation, time: Duration) -> Result<String> {
        let begin = Instant::now();
        let share = match operation {
            Operation::File => {
                let path = self.folder.path().join("mixed");
                round_trip(cx.clone(), path, Content::new(self.seed, 0, FILE), SyncMode::All).await?
            }
            Operation::Api => return answer(&self.client, cx, &self.api).await,
            Operation::Query => return self.sqlite.read(cx, 0, time).await,
            Operation::Zip => self.unpack(cx).await?,
        };
        cx.stage("stretch");
        tokio::time::sleep(time.saturating_sub(begin.elapsed())).await;
        Ok(share)
    }

    /// Downloads the archive and reads it to its end: the digest of how much there was.
    async fn unpack(&self, cx: &Attempt) -> Result<String> {
        let body = self.client.fetch(&self.zip, Expect::Table, cx).await?;
        cx.stage("unpack");
        let name = self.zip.to_string();
        let rows = cx.blocking(move || raudal_table::read(body.into_reader(), &name, &Query::default(), &())).await?;
        cx.advance(0, rows.rows_read());
        // The archive's checksum was found good, so its rows are those that were packed.
        Ok(digest(format!("{} {} {}", rows.header().join(","), rows.rows_read(), rows.bytes())))
    }
}

impl Workload for Mixed {
    fn name(&self) -> &'static str {
        "mixed"
    }

    fn stages(&self) -> Vec<Stage> {
        let disk = ["write", "sync", "read", "remove"].map(|name| Stage::new(name, Activity::Disk));
        let mut stages = stage::TRANSFER.to_vec();
        stages.extend(disk);
        stages.extend([
            Stage::new("acquire", Activity::Turn("a connection of the pool")),
            Stage::new("query", Activity::Answer),
            Stage::new("unpack", Activity::Compute),
            Stage::new("stretch", Activity::Answer),
        ]);
        stages
    }

    fn unit(&self) -> Unit {
        Unit::Jobs("operations")
    }

    fn bound(&self) -> Option<Bound> {
        let [longest, sum] = [self.times.iter().copied().max().unwrap_or_default(), self.times.iter().sum()];
        let why = format!(
            "there are four operations, which take {} one after the other and {}, the longest, all at once",
            units::duration(sum),
            units::duration(longest),
        );
        Some(Bound { at_once: self.times.len(), why })
    }

    fn run(&self, jobs: usize, observer: Arc<dyn Observer>, cancel: CancellationToken) -> BoxFuture<'_, Result<Run>> {
        // No operation is cut short: its time is what was asked for.
        let work = Work { at_once: AtOnce::Most(jobs), observer, cancel, timeout: None };
        let operations = [Operation::File, Operation::Api, Operation::Query, Operation::Zip];
        let shared = Arc::clone(&self.shared);
        Box::pin(work.run(
            operations.into_iter().zip(self.times).collect(),
            |(operation, _)| {
                match operation {
                    Operation::File => "file",
                    Operation::Api => "API",
                    Operation::Query => "database",
                    Operation::Zip => "zip",
                }
                .to_owned()
            },
            move |cx, (operation, time)| {
                let shared = Arc::clone(&shared);
                async move { shared.run(&cx, operation, time).await }
            },
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::super::work::tests::{run, stages};
    use super::*;

    #[tokio::test]
    async fn four_real_operations_give_the_same_one_by_one_and_all_at_once() {
        let options = MixedOptions { pace: 0.002, ..MixedOptions::default() };
        let mixed = Mixed::open(&options).await.unwrap();
        let folder = mixed.shared.folder.path().to_owned();
        let (one, all) = (run(&mixed, 1).await.unwrap(), run(&mixed, 4).await.unwrap());
        assert_eq!((&one.digest, &one.parts, one.rows), (&all.digest, &all.parts, 4));
        let labels: Vec<_> = one.parts.iter().map(|part| part.label.as_str()).collect();
        assert_eq!(labels, ["file", "API", "database", "zip"]);
        assert_eq!(one.report.peak_in_flight, 1);
        let mut stages = stages(&all);
        // One of the two takes the connection that the first level has left, whoever comes first.
        stages[1].retain(|stage| *stage != "connect");
        stages[3].retain(|stage| *stage != "connect");
        assert_eq!(
            stages,
            [
                &["write", "sync", "read", "remove", "stretch"][..],
                &["first byte", "transfer"],
                &["acquire", "query"],
                &["first byte", "transfer", "unpack", "stretch"],
            ]
        );
        // Both come from the real work: the file's bytes, and the rows of the archive.
        assert!(all.jobs[0].bytes == FILE && all.jobs[3].items > 10, "{:?}", all.jobs);
        mixed.close().await;
        assert!(!folder.exists());
    }

    #[tokio::test]
    async fn each_operation_takes_its_time_at_least() {
        let options = MixedOptions { pace: 0.005, ..MixedOptions::default() };
        let mixed = Mixed::open(&options).await.unwrap();
        let run = run(&mixed, 4).await.unwrap();
        for (job, time) in run.jobs.iter().zip(options.times().unwrap()) {
            assert!(job.running >= time, "{}: {:?} of {time:?}", job.label, job.running);
        }
    }

    #[tokio::test]
    async fn a_pace_that_makes_no_sense_is_a_usage_error_with_a_cure() {
        for pace in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e12] {
            let error = Mixed::open(&MixedOptions { pace, ..MixedOptions::default() }).await.unwrap_err();
            assert_eq!((error.kind(), error.hint_text().is_some()), (Kind::Usage, true), "{pace}");
        }
    }
}
