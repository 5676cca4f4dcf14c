//! Turns arguments into the workloads of `raudal compare`, and describes each in one line.

use super::args::{CompareArgs, DatabaseWork, FilesWork, IterWork, MixedWork, RequestsWork, SleepWork, WorkloadArgs};
use super::compare::{ShownBy, measure};
use super::table::entities;
use super::{session, setup};
use raudal::catalogue::Edition;
use raudal::units;
use raudal::workload::{
    Archives, Database, DatabaseOptions, Files, FilesOptions, Iter, Latency, Mirror, Mixed, MixedOptions, Requests,
    RequestsOptions, Sleep,
};
use raudal::{Result, origin, pipeline};
use std::time::Duration;

/// The embedded origin's defaults in a comparison: a distant server that limits each connection.
/// The plain loopback interface has nothing to wait for, so concurrency could gain nothing there.
const LATENCY: Duration = Duration::from_millis(80);
const BANDWIDTH_PER_CONNECTION: u64 = 8 << 20;

/// Runs `raudal compare WORKLOAD`.
pub(super) async fn compare(args: CompareArgs, by: ShownBy<'_>) -> Result<u8> {
    match args.workload {
        WorkloadArgs::Iter(args) => iter(args, by).await,
        WorkloadArgs::Mixed(args) => mixed(args, by).await,
        WorkloadArgs::Database(args) => database(args, by).await,
        WorkloadArgs::Files(args) => files(args, by).await,
        WorkloadArgs::Requests(args) => requests(args, by).await,
        WorkloadArgs::Sleep(args) => sleep(args, by).await,
    }
}

pub(super) async fn iter(args: IterWork, by: ShownBy<'_>) -> Result<u8> {
    let entities = entities(args.entities.as_deref())?;
    let mut options = pipeline::Options::default();
    options.run = setup::limits(&args.limits);
    options.query.filter = setup::filter(&args.filter)?;
    let mut mirror = setup::mirror(Some(&args.mirror), &args.origin, false)?;
    let mut place = args.mirror.clone();
    if let Mirror::Embedded(origin) = &mut mirror {
        origin.latency = args.origin.latency.unwrap_or(LATENCY);
        origin.bandwidth_per_connection = args.origin.bandwidth_per_connection.or(Some(BANDWIDTH_PER_CONNECTION));
        place = describe(origin);
    }
    args.http.refuse_table_header()?;
    let about = format!("{} archives from {place}", entities.len());
    let open = async {
        let archives = Archives::open(&mirror, &entities, Edition::from(args.edition)).await?;
        Ok(Iter::new(archives, setup::fetch_options(&args.http)?, options).per_host(args.limits.per_host))
    };
    measure(by, &args.jobs.levels, &args.levels, Some(&args.http), &about, open, Iter::close).await
}

fn describe(origin: &origin::Options) -> String {
    let per_connection = origin
        .bandwidth_per_connection
        .map_or(String::new(), |bytes| format!(", {} for each connection", units::rate(bytes as f64)));
    let all = origin.bandwidth.map_or(String::new(), |bytes| format!(", {} in all", units::rate(bytes as f64)));
    format!("the embedded origin: {} of latency{per_connection}{all}", units::duration(origin.latency))
}

pub(super) async fn mixed(args: MixedWork, by: ShownBy<'_>) -> Result<u8> {
    let mut options = MixedOptions::default();
    options.pace = args.pace;
    (options.file, options.api) = (args.file_time, args.api_time);
    (options.query, options.zip) = (args.query_time, args.zip_time);
    options.folder = args.place.temp_dir;
    let times = options.times()?;
    let [file, api, query, zip] = times.map(units::duration);
    let about = format!("a file {file}, an API {api}, a database {query}, a zip {zip}: {}", ideal(&times));
    measure(by, &args.jobs.levels, &args.levels, None, &about, Mixed::open(&options), Mixed::close).await
}

pub(super) async fn database(args: DatabaseWork, by: ShownBy<'_>) -> Result<u8> {
    let mut options = DatabaseOptions::default();
    options.queries = args.queries;
    (options.latency, options.seed) = (args.latency.latency, args.latency.seed);
    options.connections = args.connections;
    options.write = args.write;
    options.url = args.database;
    options.folder = args.place.temp_dir;
    options.timeout = args.timeout.timeout;
    let (what, server) = match (&options.url, options.write) {
        (None, false) => ("queries", "SQLite"),
        (None, true) => ("transactions", "SQLite"),
        (Some(_), _) => ("queries", "a PostgreSQL server"),
    };
    let about = about(
        options.queries,
        what,
        options.latency,
        options.seed,
        &format!(
            " of {server} over {}",
            if options.connections == 1 {
                "1 connection".to_owned()
            } else {
                format!("{} connections", options.connections)
            }
        ),
    );
    measure(by, &args.jobs.levels, &args.levels, None, &about, Database::open(options), dropped).await
}

pub(super) async fn files(args: FilesWork, by: ShownBy<'_>) -> Result<u8> {
    let mut options = FilesOptions::default();
    (options.files, options.size, options.sync) = (args.files, args.size, args.sync);
    options.folder = args.place.temp_dir;
    let place = options.folder.clone().unwrap_or_else(std::env::temp_dir);
    let about = format!(
        "{} files of {} in {}",
        session::thousands(options.files as u64),
        units::bytes(options.size),
        raudal::error::printable(&place.display().to_string()),
    );
    measure(by, &args.jobs.levels, &args.levels, None, &about, async { Files::open(options) }, dropped).await
}

pub(super) async fn requests(args: RequestsWork, by: ShownBy<'_>) -> Result<u8> {
    let mut options = RequestsOptions::default();
    options.requests = args.requests;
    (options.latency, options.seed) = (args.latency.latency, args.latency.seed);
    options.timeout = args.timeout.timeout;
    let about = about(options.requests, "calls", options.latency, options.seed, " of the embedded origin");
    measure(by, &args.jobs.levels, &args.levels, None, &about, Requests::open(&options), Requests::close).await
}

pub(super) async fn sleep(args: SleepWork, by: ShownBy<'_>) -> Result<u8> {
    let (sleeps, latency, seed) = (args.sleeps, args.latency.latency, args.latency.seed);
    let about = about(sleeps, "sleeps", latency, seed, "");
    measure(by, &args.jobs.levels, &args.levels, None, &about, async { Sleep::new(sleeps, latency, seed) }, dropped)
        .await
}

/// Closes a workload that needs no waiting: dropping it is enough.
async fn dropped<W>(_: W) {}

/// `40 queries of SQLite, 50.0 ms each: 2.00 s one after the other, 50.0 ms the longest`.
fn about(jobs: usize, what: &str, latency: Latency, seed: u64, of: &str) -> String {
    format!("{} {what}{of}, {latency}: {}", session::thousands(jobs as u64), ideal(&latency.draws(jobs, seed)))
}

/// The two limits that the measured times lie between, apart from overhead.
fn ideal(times: &[Duration]) -> String {
    let sum = times.iter().fold(Duration::ZERO, |sum, time| sum.saturating_add(*time));
    let longest = times.iter().copied().max().unwrap_or_default();
    format!("{} in sequence, {} the longest", units::duration(sum), units::duration(longest))
}
