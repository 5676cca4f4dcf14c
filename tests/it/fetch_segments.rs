//! A long transfer is split into segments for idle slots, and its bytes are the same whatever these bring:
//! nothing, too little, something else.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::{Answer, Gate, Job, Request, Server, noise};
use raudal::fetch::{Client, Options, Segment, TransferProgress};
use raudal::pipeline;
use raudal::source::{Input, Location};
use raudal::table::{Sink, SinkOptions, Target};
use tokio::sync::Semaphore;

const TAG: &str = "\"v1\"";
const LENGTH: usize = 2 << 20;
const PIECE: usize = 64 << 10;

/// The whole file, in pieces that the gate lets through.
fn slow(data: &[u8], gate: &Gate) -> Answer {
    Answer::drip(data, PIECE, gate).header("ETag", TAG).header("Accept-Ranges", "bytes")
}

/// One idle slot, that fetches segments for ever.
async fn use_idle_slot(client: &Client) {
    use_idle_slots(client, 1).await;
}

/// So many of them at a time.
async fn use_idle_slots(client: &Client, slots: usize) {
    let slots = Arc::new(Semaphore::new(slots));
    let mut begun = client.transfers();
    let mut fetching = tokio::task::JoinSet::new();
    loop {
        let again = match client.segment(|_| slots.available_permits(), |_| Arc::clone(&slots).try_acquire_owned().ok())
        {
            Segment::Cut(segment) => {
                fetching.spawn(segment);
                continue;
            }
            Segment::Later(after) => after,
            _ => Duration::from_secs(3600),
        };
        tokio::select! {
            Some(ended) = fetching.join_next() => drop(ended.expect("no panic")),
            _ = begun.changed() => {}
            () = tokio::time::sleep(again) => {}
        }
    }
}

/// Counts the reported bytes.
#[derive(Default)]
struct Counted(Mutex<u64>);

impl TransferProgress for Counted {
    fn expected(&self, _: u64) {}
    fn advanced(&self, bytes: u64) {
        *self.0.lock().expect("no panic") += bytes;
    }
}

/// Makes one attempt at `/a`. The first response stalls after a few pieces until there is a second
/// request, then it goes on. Returns the result and the number of bytes reported.
fn attempt(server: &Server, gate: &Gate, job: &mut Job) -> (raudal::Result<Vec<u8>>, u64) {
    gate.let_through(4);
    go_on(server, gate, job)
}

/// The same, after the pieces that the gate has already let through.
fn go_on(server: &Server, gate: &Gate, job: &mut Job) -> (raudal::Result<Vec<u8>>, u64) {
    let (client, counted) = (job.client.clone(), Counted::default());
    let waiting = std::thread::scope(|scope| {
        let opened = scope.spawn(|| {
            server.wait_for_requests(2);
            gate.open();
        });
        let runtime = tokio::runtime::Handle::current();
        let result = tokio::task::block_in_place(|| {
            runtime.block_on(async {
                tokio::select! {
                    result = job.attempt_watched(&counted) => result,
                    () = use_idle_slot(&client) => unreachable!("it never ends"),
                }
            })
        });
        opened.join().expect("no panic");
        result
    });
    let counted = *counted.0.lock().expect("no panic");
    (waiting, counted)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_second_half_of_a_slow_transfer_comes_over_a_second_connection() {
    let (data, gate) = (noise(LENGTH), Gate::new());
    let server = Server::with("/a", [slow(&data, &gate), Answer::ranged(&data).header("ETag", TAG)]);
    let mut job = Job::new(&Options::default(), &server.url("/a"));
    let (bytes, counted) = attempt(&server, &gate, &mut job);
    assert!(bytes.expect("a body") == data);
    assert_eq!(counted, LENGTH as u64, "each byte is counted once");
    let second = &server.requests()[1];
    let range = second.header("range").expect("a range").strip_prefix("bytes=").expect("of bytes");
    let (first, last) = range.split_once('-').expect("two ends");
    assert!(first.parse::<usize>().expect("a number") > 4 * PIECE && last == (LENGTH - 1).to_string(), "{range}");
    assert_eq!(second.header("if-range"), Some(TAG));
    assert!(job.client.segments() >= 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rest_of_a_transfer_that_stands_still_shortly_before_its_end_comes_over_a_second_connection() {
    let (data, gate) = (noise(LENGTH), Gate::new());
    let server = Server::with("/a", [slow(&data, &gate), Answer::ranged(&data).header("ETag", TAG)]);
    let mut job = Job::new(&Options::default(), &server.url("/a"));
    let (client, counted) = (job.client.clone(), Counted::default());
    gate.let_through(LENGTH / PIECE - 1);
    // The first response never goes on.
    let bytes = tokio::select! {
        result = job.attempt_watched(&counted) => result.expect("a body"),
        () = use_idle_slot(&client) => unreachable!("it never ends"),
    };
    assert!(bytes == data);
    assert_eq!(*counted.0.lock().expect("no panic"), LENGTH as u64, "each byte is counted once");
    let last = server.requests().pop().expect("a request");
    assert_eq!(last.header("range"), Some(format!("bytes={}-{}", LENGTH - PIECE, LENGTH - 1).as_str()));
    assert_eq!(last.header("if-range"), Some(TAG));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_stands_still_again_and_again_comes_in_the_end() {
    let (data, gate) = (noise(LENGTH), Gate::new());
    let stalls = |after| Answer::ranged(&data).cut_after(after).then_stall().header("ETag", TAG);
    let answers = [slow(&data, &gate), stalls(PIECE - 100), stalls(0), Answer::ranged(&data).header("ETag", TAG)];
    let server = Server::with("/a", answers);
    let mut job = Job::new(&Options::default(), &server.url("/a"));
    let client = job.client.clone();
    gate.let_through(LENGTH / PIECE - 1);
    let bytes = tokio::select! {
        result = job.attempt() => result.expect("a body"),
        () = use_idle_slots(&client, 3) => unreachable!("it never ends"),
    };
    assert!(bytes == data);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transfer_that_stood_still_ends_by_itself_if_the_second_connection_is_of_no_use() {
    let data = noise(LENGTH);
    let part = || Answer::ranged(&data);
    for second in [
        part().header("ETag", TAG),
        part().header("ETag", TAG).cut_after(100),
        part().header("ETag", TAG).cut_after(100).then_reset(),
        part().header("ETag", "\"v2\""),
        Answer::status(503, "too many"),
    ] {
        let gate = Gate::new();
        let rest = part().header("ETag", TAG);
        let server = Server::with("/a", [slow(&data, &gate), second.clone(), rest]);
        let mut job = Job::new(&Options::default(), &server.url("/a"));
        gate.let_through(LENGTH / PIECE - 1);
        let (bytes, counted) = go_on(&server, &gate, &mut job);
        assert!(bytes.expect("a body") == data, "{second:?}");
        assert_eq!(counted, LENGTH as u64, "{second:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_that_is_not_of_the_same_bytes_is_not_taken_and_none_is_asked_for_again() {
    let data = noise(LENGTH);
    let part = || Answer::ranged(&data);
    for bad in [
        part().header("ETag", "\"v2\""),
        part(),
        Answer::ok(&data).header("ETag", TAG),
        Answer::status(503, "too many").header("Retry-After", "60"),
        Answer::status(429, "too many"),
        Answer::status(404, "gone"),
        Answer::ok("x").with_status(206).header("ETag", TAG).header("Content-Range", format!("bytes 0-0/{LENGTH}")),
        Answer::ok("x").with_status(206).header("ETag", TAG).header("Content-Range", "nonsense"),
    ] {
        let gate = Gate::new();
        // A transfer that reaches the end of its part before the other response comes requests the
        // rest itself.
        let rest = Answer::ranged(&data).header("ETag", TAG);
        let server = Server::with("/a", [slow(&data, &gate), bad.clone(), rest]);
        let mut job = Job::new(&Options::default(), &server.url("/a"));
        let (bytes, counted) = attempt(&server, &gate, &mut job);
        assert!(bytes.expect("a body") == data, "{bad:?}");
        assert_eq!(counted, LENGTH as u64, "{bad:?}");
        assert_eq!(job.client.segments(), 1, "{bad:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_second_connection_has_brought_before_it_broke_is_kept_for_the_next_attempt() {
    let data = noise(LENGTH);
    let file = || Answer::ranged(&data).header("ETag", TAG);
    for broken in [file().cut_after(PIECE), file().cut_after(PIECE).then_reset()] {
        let gate = Gate::new();
        let server = Server::with("/a", [slow(&data, &gate), broken, file()]);
        let mut job = Job::new(&Options::default(), &server.url("/a"));
        let (result, _) = attempt(&server, &gate, &mut job);
        let bytes = match result {
            // The part ended before the break, or the third response brought the rest.
            Ok(bytes) => bytes,
            Err(error) => {
                assert!(error.is_transient(), "{}", error.report());
                assert!(job.received().is_some_and(|received| received > 4 * PIECE as u64));
                job.attempts(3).await.0
            }
        };
        assert!(bytes == data);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_names_no_ranges_or_no_strong_validator_is_asked_once() {
    let data = noise(LENGTH);
    for headers in [&[("ETag", TAG)][..], &[("Accept-Ranges", "bytes")], &[("Accept-Ranges", "none"), ("ETag", TAG)]] {
        let gate = Gate::new();
        let answer =
            headers.iter().fold(Answer::drip(&data, PIECE, &gate), |answer, (name, value)| answer.header(name, value));
        let server = Server::with("/a", [answer]);
        let mut job = Job::new(&Options::default(), &server.url("/a"));
        let client = job.client.clone();
        gate.let_through(4);
        tokio::select! {
            _ = job.attempt() => panic!("it stands still"),
            () = async {
                // Long enough for a first look, were there anything to look at.
                assert!(matches!(client.segment(|_| 1, |_| Some(())), Segment::Nothing));
                tokio::task::yield_now().await;
            } => {}
        }
        gate.open();
        assert!(job.attempt().await.expect("a body") == data);
        assert!(server.requests().iter().all(|request| request.header("range").is_none()));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_gives_its_spare_slots_to_the_transfers_that_are_left_and_never_more() {
    let text = (0..200_000).fold(String::from("n,word\n"), |text, n| text + &format!("{n},word\n"));
    let folder = tempfile::tempdir().expect("a folder");
    for jobs in [1, 3] {
        let gate = Gate::new();
        let parts = Answer::ranged(&text).header("ETag", TAG).header("Accept-Ranges", "bytes");
        let server = Server::with("/a.csv", [slow(text.as_bytes(), &gate), parts]);
        let mut options = pipeline::Options::default();
        options.run.concurrency = jobs.into();
        let output = folder.path().join(format!("{jobs}.csv"));
        let sink = Sink::create(Target::File(output.clone()), SinkOptions::default()).expect("a sink");
        let inputs = [Input::new(Location::parse(&server.url("/a.csv")).expect("a URL"))];
        let client = Client::new(&Options::default()).expect("a client");
        gate.let_through(4);
        let run =
            tokio::spawn(async move { pipeline::run(inputs, &client, options, sink).await.map(|_| client.segments()) });
        // Alone it goes on only once the gate is open; with slots to spare, a second request comes by itself.
        if jobs > 1 {
            tokio::task::block_in_place(|| server.wait_for_requests(2));
        }
        gate.open();
        let segments = run.await.expect("no panic").expect("a run");
        assert_eq!(std::fs::read_to_string(&output).expect("a table"), text);
        assert!(server.peak() <= jobs && (segments > 0) == (jobs > 1), "{segments} of {}", server.peak());
    }
}

/// Runs `/stalled.csv` and sixty small inputs with two slots. Returns the rows, and the second request for it, which came
/// before the last inputs began.
async fn second_request(stalled: [Answer; 2]) -> (u64, Request) {
    let small: Vec<String> = (0..60).map(|n| format!("/{n}.csv")).collect();
    let mut routes = vec![("/stalled.csv", stalled.to_vec())];
    routes.extend(small.iter().map(|path| (path.as_str(), vec![Answer::ok("n\n1\n")])));
    let server = Server::start(routes);
    let mut options = pipeline::Options::default();
    options.run.concurrency = 2.into();
    // The inputs that wait last for three seconds, and the silence for one.
    options.run.rate = Some(20.0);
    let paths = std::iter::once("/stalled.csv").chain(small.iter().map(String::as_str));
    let inputs: Vec<_> = paths.map(|path| Input::new(Location::parse(&server.url(path)).expect("a URL"))).collect();
    let folder = tempfile::tempdir().expect("a folder");
    let sink = Sink::create(Target::File(folder.path().join("all.csv")), SinkOptions::default()).expect("a sink");
    let client = Client::new(&Options::default()).expect("a client");
    let summary = pipeline::run(inputs, &client, options, sink).await.expect("a run");
    assert_eq!(summary.succeeded, 61);
    let mut requests = server.requests();
    let again = requests.iter().rposition(|request| request.path == "/stalled.csv").expect("a request");
    assert!(again > 0 && again < requests.len() - 5, "number {again} of {}", requests.len());
    assert!(server.peak() <= 2);
    (summary.rows_kept, requests.swap_remove(again))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transfer_that_stalls_is_asked_for_again_before_the_inputs_that_wait() {
    let text = (0..40_000).fold(String::from("n\n"), |text, n| text + &format!("{n}\n"));
    let stalled = Answer::stall_after(&text[..50_000], text.len());
    let stalled = stalled.header("ETag", TAG).header("Accept-Ranges", "bytes");
    let parts = Answer::ranged(&text).header("ETag", TAG).header("Accept-Ranges", "bytes");
    let (rows, again) = second_request([stalled, parts]).await;
    assert_eq!((rows, again.header("range")), (40_060, Some(&*format!("bytes=50000-{}", text.len() - 1))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_not_answered_while_others_are_is_sent_again_before_the_inputs_that_wait() {
    let gate = Gate::new();
    let (rows, again) = second_request([Answer::ok("n\n1\n").behind(&gate), Answer::ok("n\n2\n3\n")]).await;
    assert_eq!((rows, again.header("range")), (62, None));
    gate.open();
}
