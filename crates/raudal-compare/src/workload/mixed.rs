//! The four operations of an I/O-bound program: a file, an API, a database, a download.

use super::database::SqliteDatabase;
use super::files::{FileContent, SyncMode, round_trip};
use super::requests::{answer, call};
use super::work::{AtOnce, RunSettings, digest};
use super::{Activity, ConcurrencyLimit, Setting, Stage, Unit, Workload, WorkloadRun, scratch, stage};
use futures::future::BoxFuture;
use raudal_catalogue::iter_2020;
use raudal_common::{Error, Kind, Result, units};
use raudal_fetch::{Client, Expect};
use raudal_origin::Origin;
use raudal_pool::{Attempt, Observer};
use raudal_source::Location;
use raudal_table::Query;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// The entity whose archive is downloaded: Colima, the one with the fewest rows.
const ENTITY: u32 = 6;
const SCALE: f64 = 0.1;

/// Bytes in the file that is written.
const FILE: u64 = 1024 * 1024;

/// The share of the download's time that the link takes; the rest is for latency and unpacking.
const ON_THE_WAY: f64 = 0.9;

/// How long each operation takes.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct MixedOptions {
    /// The file that is written, synced and read back. Default: 3.1 s.
    pub file: Duration,
    /// The API call. Default: 0.28 s.
    pub api: Duration,
    /// The database query. Default: 2.2 s.
    pub query: Duration,
    /// The zip that is downloaded and unpacked. Default: 4.6 s.
    pub zip: Duration,
    /// The factor for all of these times: 0.1 for a tenth. Default: 1.
    pub pace: f64,
    /// Where the temporary folder is made; `None` for the system's temporary folder.
    pub folder: Option<PathBuf>,
    /// The seed of the figures in the archive and in the answer.
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
    /// Returns the times of the operations at this pace, in the order in which they begin.
    ///
    /// # Errors
    ///
    /// Fails if the pace is not a number above 0, or if a time is longer than a day.
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
                Error::usage(format!("not a valid pace: {}", self.pace))
                    .hint("write a number above 0, such as 0.1 for a tenth of the times")
            })
        };
        Ok([at_pace(self.file)?, at_pace(self.api)?, at_pace(self.query)?, at_pace(self.zip)?])
    }
}

/// Four unrelated operations that all wait: a file is written, synced and read back; an API is
/// called; a database is queried; a zip is downloaded, unpacked and read as a table.
///
/// Each does real work and takes a chosen time, so that the sum and the longest are known:
///
/// - the API's server waits for its time, and the query of the embedded SQLite holds its connection
///   for its time;
/// - the zip comes over a link that is slow enough to take nine tenths of its time;
/// - the file and the zip wait for the rest of their times in a stage of their own, `stretch`.
///
/// One after the other, they take the sum; all at once, they take the longest time.
#[derive(Debug)]
pub struct Mixed {
    shared: Arc<MixedShared>,
    origin: Origin,
    times: [Duration; 4],
    /// Bytes per second of the link that the zip comes over.
    bandwidth: u64,
}

#[derive(Debug)]
struct MixedShared {
    client: Client,
    sqlite: SqliteDatabase,
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
    /// Starts the origin, and makes the archive, the database and the folder.
    ///
    /// # Errors
    ///
    /// Fails for times that make no sense, without a free port, and for a temporary folder that
    /// cannot be written to.
    ///
    /// ```
    /// use raudal_compare::workload::{Mixed, MixedOptions, Workload};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> raudal_common::Result<()> {
    /// let mut options = MixedOptions::default();
    /// options.pace = 0.001;
    /// let mixed = Mixed::open(&options).await?;
    /// assert_eq!(mixed.limit().map(|bound| bound.at_once), Some(4));
    /// mixed.close().await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn open(options: &MixedOptions) -> Result<Self> {
        let times @ [_, api, _, zip] = options.times()?;
        let folder = scratch::folder(options.folder.as_deref())?;
        let sqlite = SqliteDatabase::open(options.folder.clone(), 1).await?;
        let (origin, archive, bandwidth) = slow_origin(zip, options.seed).await?;
        let mut of_client = raudal_fetch::Options::default();
        // The time-out must be longer than the longest silence that was asked for.
        of_client.read_timeout = of_client.read_timeout.saturating_add(api.max(zip));
        let base = origin.url();
        let shared = MixedShared {
            client: Client::new(&of_client)?,
            sqlite,
            folder,
            seed: options.seed,
            api: call(&base, 0, api)?,
            zip: Location::parse(&format!("{base}{archive}"))?,
        };
        Ok(Self { shared: Arc::new(shared), origin, times, bandwidth })
    }

    /// Shuts down the workload and its origin.
    pub async fn close(self) {
        self.origin.shutdown().await;
    }
}

/// Starts an origin whose link takes most of this time for the archive. Returns it with the
/// archive's name and the bandwidth of the link.
async fn slow_origin(time: Duration, seed: u64) -> Result<(Origin, String, u64)> {
    let entity = iter_2020::catalogue().entries().iter().find(|entity| entity.number() == ENTITY);
    let entity = entity.ok_or_else(|| Error::new(Kind::Internal, format!("no such entity: {ENTITY}")))?;
    let making =
        tokio::task::spawn_blocking(move || raudal_origin::archive(entity, iter_2020::MICRODATOS, SCALE, seed));
    let made = making.await.map_err(|error| Error::new(Kind::Internal, "no archive was made").because(error))??;
    let on_the_way = (time.as_secs_f64() * ON_THE_WAY).max(1e-3);
    let bandwidth = ((made.len() as f64 / on_the_way).ceil() as u64).max(1);
    let mut options = raudal_origin::Options::default();
    options.scale = SCALE;
    options.seed = seed;
    options.bandwidth_per_connection = Some(bandwidth);
    let origin = Origin::start(options).await?;
    origin.prepare(iter_2020::MICRODATOS, &[ENTITY]).await?;
    Ok((origin, entity.file(iter_2020::MICRODATOS).to_owned(), bandwidth))
}

impl MixedShared {
    async fn run(&self, cx: &Attempt, operation: Operation, time: Duration) -> Result<String> {
        let begin = Instant::now();
        let share = match operation {
            Operation::File => {
                let path = self.folder.path().join("mixed");
                round_trip(cx.clone(), path, FileContent::new(self.seed, 0, FILE), SyncMode::All).await?
            }
            Operation::Api => return answer(&self.client, cx, &self.api).await,
            Operation::Query => return self.sqlite.read(cx, 0, time).await,
            Operation::Zip => self.unpack(cx).await?,
        };
        cx.stage("stretch");
        tokio::time::sleep(time.saturating_sub(begin.elapsed())).await;
        Ok(share)
    }

    /// Downloads the archive and reads it to its end. Returns a digest of its header and its size.
    async fn unpack(&self, cx: &Attempt) -> Result<String> {
        let body = self.client.fetch(&self.zip, Expect::Table, cx).await?;
        cx.stage("unpack");
        let name = self.zip.to_string();
        let rows = cx.blocking(move || raudal_table::read(body.into_reader(), &name, &Query::default(), &())).await?;
        cx.advance(0, rows.rows_read());
        // The archive's checksum was correct, so its rows are those that were packed.
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

    fn settings(&self) -> Vec<Setting> {
        let [file, api, query, zip] = self.times;
        vec![
            Setting::time("file", file),
            Setting::time("API", api),
            Setting::time("database", query),
            Setting::time("zip", zip),
            Setting::new("bandwidth per connection", format_args!("{} B/s", self.bandwidth)),
            Setting::new("seed", self.shared.seed),
        ]
    }

    fn unit(&self) -> Unit {
        Unit::Jobs("operations")
    }

    fn limit(&self) -> Option<ConcurrencyLimit> {
        let [longest, sum] = [self.times.iter().copied().max().unwrap_or_default(), self.times.iter().sum()];
        let why = format!(
            "the four operations take {} in sequence, and all at once {}, the time of the longest",
            units::duration(sum),
            units::duration(longest),
        );
        Some(ConcurrencyLimit { at_once: self.times.len(), why })
    }

    fn run(
        &self,
        jobs: usize,
        observer: Arc<dyn Observer>,
        cancel: CancellationToken,
    ) -> BoxFuture<'_, Result<WorkloadRun>> {
        // No operation is cut short, because its time was asked for.
        let work = RunSettings { at_once: AtOnce::Most(jobs), observer, cancel, timeout: None };
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
        // One of the two, either one, reuses the connection from the first level.
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
