//! Adaptive concurrency: the number of transfers per host follows what the host can take, and the
//! table is always the same.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::{Answer, Server};
use raudal::fetch::{self, Client};
use raudal::origin::{self, Origin};
use raudal::pipeline::{self, Concurrency, Hosts, Jobs, Options, Summary};
use raudal::pool::{Backoff, Event, EventKind, Observer};
use raudal::source::{Input, Location};
use raudal::table::{Sink, SinkOptions, Target};

/// The limits that were set, in order.
#[derive(Default)]
struct Limits(Mutex<Vec<usize>>);

impl Observer for Limits {
    fn observe(&self, event: &Event<'_>) {
        if let EventKind::LimitChanged { limit, .. } = &event.kind {
            self.0.lock().expect("no panic").push(*limit);
        }
    }
}

/// Runs over these URLs. Returns the summary, the table and the limits that were set.
async fn run(urls: &[String], mut options: Options, read_timeout: Duration) -> (Summary, String, Vec<usize>) {
    let folder = tempfile::tempdir().expect("a folder");
    let output = folder.path().join("out.csv");
    let limits = Arc::new(Limits::default());
    options.run.observer = Arc::clone(&limits) as _;
    options.run.backoff = Backoff::default().first(Duration::from_millis(1)).retries(8);
    let mut fetching = fetch::Options::default();
    fetching.read_timeout = read_timeout;
    let client = Client::new(&fetching).expect("a client");
    let sink = Sink::create(Target::File(output.clone()), SinkOptions::default()).expect("a sink");
    let inputs: Vec<_> = urls.iter().map(|url| Input::new(Location::parse(url).expect("a URL"))).collect();
    let summary = pipeline::run(inputs, &client, options, sink).await.expect("a run");
    let limits = limits.0.lock().expect("no panic").clone();
    (summary, std::fs::read_to_string(&output).expect("a table"), limits)
}

fn options(jobs: usize, auto: bool) -> Options {
    let mut options = Options::default();
    let concurrency = Concurrency::new(if auto { Jobs::Auto } else { Jobs::Most(jobs) });
    options.run.concurrency = concurrency.at_most(jobs);
    options
}

#[tokio::test]
async fn a_limit_that_finds_itself_grows_where_answers_take_long_and_gives_the_same_table() {
    let mut slow = origin::Options::default();
    slow.latency = Duration::from_millis(300);
    let origin = Origin::start(slow).await.expect("an origin");
    let urls: Vec<_> = (1..=100).map(|n| format!("{}tiny_{n}.zip", origin.url())).collect();
    let minute = Duration::from_secs(60);
    let (summary, table, limits) = run(&urls, options(64, true), minute).await;
    assert!(limits.starts_with(&[6, 12]), "twice as many with each round of answers: {limits:?}");
    // A busy machine may hold back one of the rounds.
    assert!(limits.iter().any(|limit| *limit >= 24), "and again: {limits:?}");
    assert!(summary.failures.is_empty() && summary.report.peak_in_flight > 6);
    let (_, fixed, none) = run(&urls, options(50, false), minute).await;
    assert_eq!((table, none), (fixed, Vec::new()));
    origin.shutdown().await;
}

#[tokio::test]
async fn a_host_that_refuses_is_asked_for_less_and_everything_comes() {
    let file = |n: usize| Answer::ok(format!("n\n{n}\n"));
    let paths: Vec<_> = (0..30).map(|n| format!("/{n}.csv")).collect();
    // Every third one refuses the first request.
    let answers =
        |n: usize| if n.is_multiple_of(3) { vec![Answer::status(503, "busy"), file(n)] } else { vec![file(n)] };
    let server = Server::start(paths.iter().enumerate().map(|(n, path)| (path.as_str(), answers(n))));
    let urls: Vec<_> = paths.iter().map(|path| server.url(path)).collect();
    let (summary, table, limits) = run(&urls, options(64, true), Duration::from_secs(60)).await;
    assert!(summary.failures.is_empty() && table.lines().count() == 31);
    assert!(
        limits.windows(2).any(|pair| pair[1] < pair[0]) || limits.first().is_some_and(|limit| *limit < 6),
        "{limits:?}"
    );
}

#[tokio::test]
async fn repeated_time_outs_lower_a_limit_for_good_and_the_summary_says_so() {
    for auto in [false, true] {
        let paths: Vec<_> = (0..8).map(|n| format!("/{n}.csv")).collect();
        let answers = vec![Answer::stall(), Answer::ok("n\n1\n")];
        let server = Server::start(paths.iter().map(|path| (path.as_str(), answers.clone())));
        let urls: Vec<_> = paths.iter().map(|path| server.url(path)).collect();
        let (summary, table, limits) = run(&urls, options(8, auto), Duration::from_millis(300)).await;
        assert!(summary.failures.is_empty() && table.lines().count() == 9, "{:?}", summary.failures);
        if !auto {
            assert_eq!(limits.first(), Some(&4));
        }
        let highest = limits.iter().position(|limit| Some(limit) == limits.iter().max()).unwrap_or_default();
        assert!(limits[highest..].is_sorted_by(|a, b| a > b), "never raised again: {limits:?}");
        let warning = summary.warnings.iter().find(|warning| warning.contains("after repeated time-outs"));
        assert!(warning.is_some_and(|warning| warning.contains("127.0.0.1")), "{:?}", summary.warnings);
    }
}

#[tokio::test]
async fn what_a_host_bore_is_where_the_next_run_begins() {
    let mut slow = origin::Options::default();
    slow.latency = Duration::from_millis(200);
    let origin = Origin::start(slow).await.expect("an origin");
    let urls: Vec<_> = (1..=60).map(|n| format!("{}tiny_{n}.zip", origin.url())).collect();
    let folder = tempfile::tempdir().expect("a folder");
    let mut first = Vec::new();
    for _ in 0..2 {
        let mut options = options(64, true);
        options.run.hosts = Some(Hosts::new(folder.path().join(Hosts::FILE)));
        let (summary, _, limits) = run(&urls, options, Duration::from_secs(60)).await;
        assert!(summary.failures.is_empty());
        first.push(limits[0]);
    }
    assert!(first[0] == 6 && first[1] >= 24, "{first:?}");
    let text = std::fs::read_to_string(folder.path().join(Hosts::FILE)).expect("a file");
    assert!(text.contains("http://127.0.0.1") && !text.contains("tiny"), "{text}");
    origin.shutdown().await;
}
