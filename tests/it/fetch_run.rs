//! A whole run over a bad network: bytes kept between attempts are used by the next attempt, and
//! are counted once.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::common::{Answer, Server};
use raudal::fetch::{self, Client, Expect};
use raudal::pipeline::{self, Options, Summary};
use raudal::pool::{Backoff, Event, EventKind, Observer};
use raudal::source::{Input, Location};
use raudal::table::{Sink, SinkOptions, Target};

const TAG: &str = "\"v1\"";

/// Counts the bytes of a run as a progress bar does.
#[derive(Debug, Default)]
struct Bytes(AtomicU64);

impl Observer for Bytes {
    fn observe(&self, event: &Event<'_>) {
        match &event.kind {
            EventKind::Advanced { bytes, .. } => drop(self.0.fetch_add(*bytes, Ordering::Relaxed)),
            EventKind::AttemptFailed { bytes, .. } => drop(self.0.fetch_sub(*bytes, Ordering::Relaxed)),
            _ => {}
        }
    }
}

/// Runs over these responses. Returns the summary, the table, and the bytes that a progress bar
/// would show.
async fn run(server: &Server, paths: &[&str]) -> (Summary, String, u64) {
    run_with(server, paths, Options::default()).await
}

async fn run_with(server: &Server, paths: &[&str], mut options: Options) -> (Summary, String, u64) {
    let folder = tempfile::tempdir().expect("a folder");
    let output = folder.path().join("out.csv");
    let client = Client::new(&fetch::Options::default()).expect("a client");
    let bytes = Arc::new(Bytes::default());
    options.run.backoff = Backoff::default().first(std::time::Duration::ZERO);
    options.run.observer = Arc::clone(&bytes) as Arc<dyn Observer>;
    let inputs: Vec<Input> =
        paths.iter().map(|path| Input::new(Location::parse(&server.url(path)).expect("a URL"))).collect();
    let sink = Sink::create(Target::File(output.clone()), SinkOptions::default()).expect("a sink");
    let summary = pipeline::run(inputs, &client, options, sink).await.expect("a run");
    let table = std::fs::read_to_string(&output).unwrap_or_default();
    (summary, table, bytes.0.load(Ordering::Relaxed))
}

fn ranges(server: &Server, path: &str) -> Vec<Option<String>> {
    let requests = server.requests().into_iter().filter(|request| request.path == path);
    requests.map(|request| request.header("range").map(str::to_owned)).collect()
}

#[tokio::test]
async fn each_job_goes_on_with_its_own_bytes_and_the_bar_ends_at_the_whole() {
    let one = crate::common::zip([("a.csv", &b"a,b\n1,2\n"[..])]);
    let two = crate::common::zip([("a.csv", &b"a,b\n3,4\n"[..])]);
    let file = |zip: &Vec<u8>| Answer::ranged(zip).header("ETag", TAG);
    let server = Server::start([
        ("/1.zip", vec![file(&one).cut_after(40), file(&one).cut_after(30), file(&one)]),
        ("/2.zip", vec![file(&two).cut_after(50), Answer::status(500, "oh"), file(&two)]),
    ]);
    let (summary, table, bytes) = run(&server, &["/1.zip", "/2.zip"]).await;
    assert_eq!((summary.succeeded, table.as_str()), (2, "a,b\n1,2\n3,4\n"));
    assert_eq!(bytes, (one.len() + two.len()) as u64);
    assert_eq!(summary.report.bytes, bytes);
    assert_eq!(ranges(&server, "/1.zip"), [None, Some("bytes=40-".into()), Some("bytes=70-".into())]);
    assert_eq!(ranges(&server, "/2.zip"), [None, Some("bytes=50-".into()), Some("bytes=50-".into())]);
}

#[tokio::test]
async fn an_archive_that_proves_damaged_is_fetched_from_its_beginning() {
    let good = crate::common::zip([("a.csv", &b"a,b\n1,2\n"[..])]);
    let mut bad = good.clone();
    // Inside the member's data: the length is right, the checksum is not.
    bad[40] ^= 0xff;
    let file = |zip: &Vec<u8>| Answer::ranged(zip).header("ETag", TAG);
    let server = Server::with("/a.zip", [file(&bad).cut_after(60), file(&bad), file(&good)]);
    let (summary, table, _) = run(&server, &["/a.zip"]).await;
    assert_eq!((summary.succeeded, table.as_str()), (1, "a,b\n1,2\n"));
    assert_eq!(ranges(&server, "/a.zip"), [None, Some("bytes=60-".into()), None]);
}

#[tokio::test]
async fn what_is_tried_again_can_be_chosen() {
    let zip = crate::common::zip([("a.csv", &b"a,b\n1,2\n"[..])]);
    for (list, status, succeeded) in [("404", 404, 1), ("404", 503, 0), ("5xx,!503", 503, 0), ("5xx,!503", 501, 1)] {
        let server = Server::with("/a.zip", [Answer::status(status, "oh"), Answer::ok(&zip)]);
        let mut options = Options::default();
        options.run.retry_on = list.parse().expect(list);
        let (summary, ..) = run_with(&server, &["/a.zip"], options).await;
        assert_eq!(summary.succeeded, succeeded, "{list} {status}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_biggest_are_begun_first_and_the_table_is_in_the_order_of_the_inputs() {
    let paths = ["/a", "/b", "/c", "/d", "/e"];
    let gate = crate::common::Gate::new();
    let table = |path: &&'static str| (*path, vec![Answer::ok(format!("n\n{path}\n")).behind(&gate)]);
    let server = Server::start(paths.iter().map(table));
    let inputs = paths.iter().zip([3, 9, 1, 8, 2]).map(|(path, size)| {
        let mut input = Input::new(Location::parse(&server.url(path)).expect("a URL"));
        input.size = Some(size);
        input
    });
    let folder = tempfile::tempdir().expect("a folder");
    let output = folder.path().join("out.csv");
    let sink = Sink::create(Target::File(output.clone()), SinkOptions::default()).expect("a sink");
    let mut options = Options::default();
    options.run.concurrency = 2.into();
    let client = Client::new(&fetch::Options::default()).expect("a client");
    let run = pipeline::run(inputs.collect::<Vec<_>>(), &client, options, sink);
    let waiting = tokio::task::spawn_blocking({
        move || {
            server.wait_for_requests(2);
            let mut first = server.paths();
            first.sort();
            gate.open();
            (first, server)
        }
    });
    let summary = run.await.expect("a table");
    let (first, server) = waiting.await.expect("no panic");
    assert_eq!(first, ["/b", "/d"]);
    assert_eq!(server.paths().len(), 5);
    assert_eq!((summary.succeeded, summary.pulled), (5, 5));
    assert_eq!(std::fs::read_to_string(output).expect("a table"), "n\n/a\n/b\n/c\n/d\n/e\n");
}

/// Answers one request on each connection. A second one on the same connection gets `stale`.
fn serves_once_a_connection(stale: &'static [u8]) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/a.csv", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let Ok(mut client) = client else { return };
            std::thread::spawn(move || {
                let mut asked = [0; 4096];
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\na\n1\n";
                for answer in [&answer[..], stale] {
                    if !matches!(client.read(&mut asked), Ok(1..)) || client.write_all(answer).is_err() {
                        return;
                    }
                }
            });
        }
    });
    url
}

#[tokio::test]
async fn a_request_on_a_connection_that_turns_out_stale_is_sent_again_and_is_no_try() {
    // The server closes it, or left bytes there that nobody asked for.
    for stale in [&b""[..], b"1\n2\n\r\n\r\n"] {
        let url = serves_once_a_connection(stale);
        let client = Client::new(&fetch::Options::default()).expect("a client");
        let location = Location::parse(&url).expect("a URL");
        for _ in 0..4 {
            let body = client.fetch(&location, Expect::Table, &()).await.expect("a body at the first try");
            assert_eq!(body.len(), 4);
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_not_ready_yet_is_asked_for_again_and_one_that_a_proxy_changed_is_good() {
    let table = "n\n1\n";
    let server = Server::start([
        ("/later.csv", vec![Answer::status(202, "").header("Retry-After", "0"), Answer::ok(table)]),
        ("/proxy.csv", vec![Answer::ok(table).with_status(203)]),
        ("/never.csv", vec![Answer::status(202, "")]),
    ]);
    let (summary, table, _) = run(&server, &["/later.csv", "/proxy.csv", "/never.csv"]).await;
    assert_eq!((summary.succeeded, table.as_str()), (2, "n\n1\n1\n"));
    let failure = &summary.failures[0];
    assert!(failure.attempts > 1 && failure.error.is_transient(), "{failure:?}");
    assert!(failure.error.hint_text().is_some_and(|hint| hint.contains("still preparing")), "{failure:?}");
}
