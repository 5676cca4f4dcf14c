//! Runs over a network where every fifth response is bad. Each run must end, and its table must
//! hold every archive that can be fetched, whole, and nothing else. One test has 32 small archives;
//! the other has four over slow connections, so that transfers are split over more connections.
//!
//! It makes a few runs by default. For more:
//! `RAUDAL_SOAK_RUNS=1000 cargo test --test soak -- --nocapture`.

mod common;

use common::PATIENCE;
use futures::StreamExt as _;
use raudal::fetch::{self, Client};
use raudal::origin::{self, Origin};
use raudal::pipeline::{self, Options, Summary};
use raudal::pool::{Backoff, Event, EventKind, NoObserver, Observer, Outcome};
use raudal::source::{Input, Location};
use raudal::table::{Sink, SinkOptions, Target};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::ops::AddAssign;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const RUNS: u64 = 20;
/// How many runs overlap. They spend most of their time waiting for stalled responses.
const AT_ONCE: usize = 8;
const FAULTY: f64 = 0.2;

/// Faults that a retry cures, or that do no harm.
const CURABLE: [&str; 22] = [
    "refuse",
    "stall",
    "stall@60%",
    "drip:rate=50kB",
    "reset",
    "reset@90%",
    "cut",
    "cut@1",
    "length",
    "length@50%",
    "content-range",
    "no-range",
    "changed",
    "429:after=0s",
    "503:until=0s",
    "500",
    "page",
    "empty",
    "flip",
    "elsewhere",
    "chunked",
    "slow-head:rate=20kB",
];
/// Faults that lose the archive.
const FATAL: [&str; 4] = ["loop", "gzip", "big-head", "404"];
/// The columns that all archives share.
const COLUMNS: [&str; 4] = ["ENTIDAD", "MUN", "LOC", "POBTOT"];

/// The counts over all runs.
#[derive(Debug, Default)]
struct Totals {
    runs: u64,
    requests: u64,
    faults: u64,
    attempts: u64,
    cured: u64,
    failed: u64,
    rows: u64,
    helped: u64,
}

impl AddAssign for Totals {
    fn add_assign(&mut self, other: Self) {
        self.runs += other.runs;
        self.requests += other.requests;
        self.faults += other.faults;
        self.attempts += other.attempts;
        self.cured += other.cured;
        self.failed += other.failed;
        self.rows += other.rows;
        self.helped += other.helped;
    }
}

/// Counts the jobs that succeeded after a failure.
#[derive(Debug, Default)]
struct Cured(AtomicU64);

impl Observer for Cured {
    fn observe(&self, event: &Event<'_>) {
        if let EventKind::JobFinished { report } = &event.kind
            && report.attempts > 1
            && report.outcome == Outcome::Succeeded
        {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A writer whose bytes can be read afterwards.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The inputs, and how they are fetched.
#[derive(Clone, Copy)]
enum Scene {
    /// 28 tiny archives, and four that come in several pieces.
    Small,
    /// Three archives that take long on one connection, and a tiny one.
    Helped,
}

impl Scene {
    fn names(self) -> Vec<String> {
        let (tiny, numbers) = match self {
            Self::Small => (28, [1, 6, 9, 29].as_slice()),
            Self::Helped => (1, [7, 20, 30].as_slice()),
        };
        let tiny = (0..tiny).map(|number| format!("tiny_{number}.zip"));
        tiny.chain(numbers.iter().map(|number| format!("ITER_{number:02}_2020_csv.zip"))).collect()
    }

    async fn origin(self, seed: u64, faults: Vec<origin::Fault>) -> Origin {
        let mut options = origin::Options::default();
        (options.seed, options.faults) = (seed, faults);
        match self {
            Self::Small => options.scale = 0.03,
            Self::Helped => (options.scale, options.bandwidth_per_connection) = (0.08, Some(500_000)),
        }
        Origin::start(options).await.expect("an origin")
    }

    fn jobs(self, seed: u64) -> usize {
        match self {
            Self::Small => [1, 3, 8, 32][seed as usize / 2 % 4],
            Self::Helped => [5, 8, 32][seed as usize / 2 % 3],
        }
    }

    /// Longer than a further connection waits, where there are any.
    fn read_timeout(self) -> Duration {
        match self {
            Self::Small => Duration::from_millis(250),
            Self::Helped => Duration::from_millis(800),
        }
    }
}

/// Returns faults of these kinds that together strike a fifth of all requests. Each is tried only
/// if those before it did not strike.
fn faults(seed: u64) -> Vec<origin::Fault> {
    let with_fatal = seed % 4 == 3;
    let kinds: Vec<&str> = CURABLE.into_iter().chain(FATAL.into_iter().filter(|_| with_fatal)).collect();
    // The two range faults seldom have a chance to strike.
    let each = 1.0 - (1.0 - FAULTY).powf(1.0 / (kinds.len() - 2) as f64);
    let spec = |kind: &str| format!("{kind}{}p={each}", if kind.contains(':') { ',' } else { ':' });
    kinds.into_iter().map(|kind| spec(kind).parse().expect("a fault")).collect()
}

/// The outcome of one run. Each row of the table begins with the name of its archive.
struct Done {
    summary: Summary,
    table: String,
    helped: u64,
}

async fn run(scene: Scene, origin: &Origin, seed: u64, observer: Arc<dyn Observer>) -> Done {
    let mut fetching = fetch::Options::default();
    fetching.read_timeout = scene.read_timeout();
    // Some bodies go to memory, some to files.
    fetching.memory = [0, 10_000, 1 << 20][seed as usize % 3];
    let client = Client::new(&fetching).expect("a client");
    let mut options = Options::default();
    options.run.concurrency = scene.jobs(seed).into();
    options.run.backoff = Backoff::default().first(Duration::ZERO).retries(30);
    options.query.select = raudal::table::Select::names(COLUMNS);
    options.run.observer = observer;
    let location = |name| Location::parse(&format!("{}{name}", origin.url())).expect("a URL");
    let inputs: Vec<Input> = scene.names().into_iter().map(|name| Input::new(location(name))).collect();
    let table = Shared::default();
    let mut sink = SinkOptions::default();
    sink.source_column = Some("FILE".into());
    let sink = Sink::create(Target::Writer(Box::new(table.clone())), sink).expect("a sink");
    let run = pipeline::run(inputs, &client, options, sink);
    let summary = tokio::time::timeout(PATIENCE, run).await.expect("every run ends").expect("a run");
    let table = table.0.lock().expect("no panic").clone();
    Done { summary, table: String::from_utf8(table).expect("UTF-8"), helped: client.segments() }
}

/// Makes a run without faults and one with faults for this seed, and compares them.
async fn soak(scene: Scene, seed: u64) -> Totals {
    let clean = scene.origin(seed, Vec::new()).await;
    let Done { summary, table: expected, .. } = run(scene, &clean, 0, Arc::new(NoObserver)).await;
    let all = scene.names().len() as u64;
    assert_eq!((summary.succeeded, summary.failures.len()), (all, 0), "seed {seed}");
    let faulty = scene.origin(seed, faults(seed)).await;
    let cured = Arc::new(Cured::default());
    let observer = Arc::clone(&cured) as Arc<dyn Observer>;
    let Done { summary, table, helped } = run(scene, &faulty, seed, observer).await;

    let failed: BTreeMap<&str, String> =
        summary.failures.iter().map(|failure| (failure.input.name.as_str(), failure.error.report())).collect();
    let good: String = expected
        .split_inclusive('\n')
        .filter(|line| !failed.contains_key(line.split(',').next().unwrap_or_default()))
        .collect();
    assert!(table == good, "seed {seed}: the table is not that of the good archives; failed: {failed:#?}");
    let rows = table.lines().count() as u64 - 1;
    assert_eq!((summary.succeeded + failed.len() as u64, summary.rows_kept), (all, rows), "seed {seed}");
    // Only a fault that cannot be cured may make an input fail.
    let fatal = ["too many redirects", "head of the response is too large", "404"];
    for (name, error) in &failed {
        assert!(seed % 4 == 3 && fatal.iter().any(|text| error.contains(text)), "seed {seed}: {name}: {error}");
    }
    let stats = faulty.stats();
    let totals = Totals {
        runs: 1,
        requests: stats.requests,
        faults: stats.faults,
        attempts: summary.report.attempts,
        cured: cured.0.load(Ordering::Relaxed),
        failed: failed.len() as u64,
        rows,
        helped,
    };
    faulty.shutdown().await;
    clean.shutdown().await;
    totals
}

/// Makes all runs, and returns their counts.
async fn all(scene: Scene, runs: u64) -> Totals {
    let runs = std::env::var("RAUDAL_SOAK_RUNS").map_or(runs, |runs| runs.parse().expect("a number of runs"));
    let (mut totals, mut bad) = (Totals::default(), Vec::new());
    // Each run has its own task, so that a panic fails only that run.
    let mut all = futures::stream::iter(0..runs).map(|seed| tokio::spawn(soak(scene, seed))).buffer_unordered(AT_ONCE);
    while let Some(run) = all.next().await {
        match run {
            Ok(run) => totals += run,
            Err(error) => bad.push(error.to_string()),
        }
    }
    assert!(bad.is_empty(), "{} of {runs} runs: {bad:#?}", bad.len());
    println!("{totals:?}, wrong rows: 0");
    assert_eq!(totals.runs, runs);
    assert!(totals.cured > 0 && totals.faults > totals.runs, "{totals:?}");
    totals
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_run_over_a_bad_network_ends_with_all_good_rows_and_no_others() {
    let totals = all(Scene::Small, RUNS).await;
    assert!(totals.attempts > 32 * totals.runs);
    let share = totals.faults as f64 / totals.requests as f64;
    assert!((0.1..0.3).contains(&share), "a fifth of the requests is struck: {share}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_does_every_run_of_slow_transfers_that_further_connections_help() {
    let totals = all(Scene::Helped, RUNS / 2).await;
    assert!(totals.helped > totals.runs, "more than one a run: {totals:?}");
}
