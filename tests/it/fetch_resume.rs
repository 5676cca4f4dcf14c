//! A body that breaks off is resumed if the server confirms its version; else it starts again.
//! Whatever happens on the way, the bytes are right.

use std::sync::Mutex;
use std::time::Duration;

use crate::common::{Answer, Arrived, Job, Proxy, Request, Server, noise};
use proptest::prelude::*;
use raudal::Kind;
use raudal::catalogue::iter_2020;
use raudal::fetch::{Options, TransferProgress};
use raudal::origin::{self, Origin};
use raudal::source::Location;

const TAG: &str = "\"v1\"";
const MODIFIED: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const LATER: &str = "Sun, 06 Nov 1994 09:49:37 GMT";

fn options() -> Options {
    let mut options = Options::default();
    options.read_timeout = Duration::from_secs(20);
    options
}

/// Returns the range headers of all requests.
fn asked(server: &Server) -> Vec<(Option<String>, Option<String>)> {
    let header = |request: &Request, name| request.header(name).map(str::to_owned);
    server.requests().iter().map(|request| (header(request, "range"), header(request, "if-range"))).collect()
}

fn some(range: &str, condition: &str) -> (Option<String>, Option<String>) {
    (Some(range.into()), Some(condition.into()))
}

#[tokio::test]
async fn a_body_that_breaks_off_goes_on_where_it_stopped() {
    let data = noise(1000);
    let file = || Answer::ranged(&data).header("ETag", TAG);
    for (broken, kind) in [(file().cut_after(400), Kind::Length), (file().without_length().cut_after(400), Kind::Reset)]
    {
        let server = Server::with("/a", [broken, file()]);
        let mut job = Job::new(&options(), &server.url("/a"));
        assert_eq!(job.fails().await.kind(), kind);
        assert_eq!(job.received(), Some(400));
        assert!(job.attempt().await.expect("the rest") == data);
        assert_eq!(job.received(), None);
        assert_eq!(asked(&server), [(None, None), some("bytes=400-", TAG)]);
    }
}

#[tokio::test]
async fn a_reset_keeps_what_came_before_it() {
    let data = noise(1000);
    let file = || Answer::ranged(&data).header("ETag", TAG);
    let server = Server::with("/a", [file().cut_after(300), file().cut_after(200).then_reset(), file()]);
    let mut job = Job::new(&options(), &server.url("/a"));
    job.fails().await;
    assert_eq!(job.fails().await.kind(), Kind::Reset);
    // A reset may discard bytes that were sent before it. The client keeps what it has read.
    let received = job.received().expect("at least what was there before");
    assert!((300..=500).contains(&received), "{received}");
    assert!(job.attempt().await.expect("the rest") == data);
}

#[tokio::test]
async fn a_stall_keeps_what_came_before_it() {
    let data = noise(1000);
    let file = || Answer::ranged(&data).header("ETag", TAG);
    let server = Server::with("/a", [file().cut_after(300).then_stall(), file()]);
    let mut job = Job::new(&options(), &server.url("/a"));
    let arrived = Arrived::default();
    let attempt = job.attempt_watched(&arrived);
    let leap = async {
        arrived.0.notified().await;
        // From here on the clock jumps to the next timer: the timeout.
        tokio::time::pause();
    };
    let (result, ()) = tokio::join!(attempt, leap);
    tokio::time::resume();
    assert_eq!(result.expect_err("no end").kind(), Kind::Timeout);
    assert_eq!(job.received(), Some(300));
    assert!(job.attempt().await.expect("the rest") == data);
}

#[tokio::test]
async fn an_old_date_vouches_where_there_is_no_tag() {
    let data = noise(1000);
    let file = || Answer::ranged(&data).header("Last-Modified", MODIFIED).header("Date", LATER);
    let server = Server::with("/a", [file().cut_after(400), file()]);
    let mut job = Job::new(&options(), &server.url("/a"));
    job.fails().await;
    assert!(job.attempt().await.expect("the rest") == data);
    assert_eq!(asked(&server)[1], some("bytes=400-", MODIFIED));
}

#[tokio::test]
async fn without_a_strong_validator_it_begins_again() {
    let data = noise(1000);
    for headers in [
        &[][..],
        &[("ETag", "W/\"v1\"")],
        &[("ETag", "W/\"v1\""), ("Last-Modified", MODIFIED), ("Date", LATER)],
        &[("Last-Modified", MODIFIED), ("Date", MODIFIED)],
        &[("Last-Modified", MODIFIED)],
    ] {
        let file = || headers.iter().fold(Answer::ranged(&data), |answer, (name, value)| answer.header(name, value));
        let server = Server::with("/a", [file().cut_after(400), file()]);
        let mut job = Job::new(&options(), &server.url("/a"));
        job.fails().await;
        assert_eq!(job.received(), None, "{headers:?}");
        assert!(job.attempt().await.expect("the whole") == data);
        assert_eq!(asked(&server), [(None, None), (None, None)], "{headers:?}");
    }
}

#[tokio::test]
async fn a_file_that_has_changed_comes_whole() {
    let (old, new) = (noise(1000), noise(1200).split_off(200));
    let server = Server::with(
        "/a",
        [
            Answer::ranged(&old).header("ETag", TAG).cut_after(400),
            Answer::ranged(&new).header("ETag", "\"v2\"").cut_after(500),
            Answer::ranged(&new).header("ETag", "\"v2\""),
        ],
    );
    let mut job = Job::new(&options(), &server.url("/a"));
    job.fails().await;
    // A 200: the new version, from its beginning.
    job.fails().await;
    assert!(job.attempt().await.expect("the rest of the new one") == new);
    assert_eq!(asked(&server)[1..], [some("bytes=400-", TAG), some("bytes=500-", "\"v2\"")]);
}

#[tokio::test]
async fn a_part_that_does_not_fit_is_refused_and_the_whole_asked_for_at_once() {
    let data = noise(1000);
    let part = |body: &[u8], range: &str| Answer::status(206, body).header("Content-Range", range);
    let whole = || Answer::ranged(&data).header("ETag", TAG);
    for (what, bad) in [
        ("too early", part(&data[399..], "bytes 399-999/1000").header("ETag", TAG)),
        ("too late", part(&data[401..], "bytes 401-999/1000").header("ETag", TAG)),
        ("the whole as a part", part(&data, "bytes 0-999/1000").header("ETag", TAG)),
        ("another total", part(&data[400..], "bytes 400-999/1001").header("ETag", TAG)),
        ("another length", part(&data[400..999], "bytes 400-999/1000").header("ETag", TAG)),
        ("another version", part(&data[400..], "bytes 400-999/1000").header("ETag", "\"v2\"")),
        ("no version", part(&data[400..], "bytes 400-999/1000")),
        ("no range", Answer::status(206, &data[400..]).header("ETag", TAG)),
        (
            "several parts",
            part(&data[400..], "bytes 400-999/1000")
                .header("ETag", TAG)
                .header("Content-Type", "multipart/byteranges; boundary=x"),
        ),
        ("compressed", part(&data[400..], "bytes 400-999/1000").header("ETag", TAG).header("Content-Encoding", "br")),
        ("nothing left of a longer file", Answer::status(416, "").header("Content-Range", "bytes */1000")),
        ("nothing left of a shorter file", Answer::status(416, "").header("Content-Range", "bytes */400")),
        ("no ranges at all", Answer::status(400, "what?")),
    ] {
        let server = Server::with("/a", [whole().cut_after(400), bad, whole()]);
        let mut job = Job::new(&options(), &server.url("/a"));
        job.fails().await;
        assert!(job.attempt().await.expect(what) == data, "{what}");
        assert_eq!(asked(&server)[1..], [some("bytes=400-", TAG), (None, None)], "{what}");
    }
}

#[tokio::test]
async fn more_than_the_announced_part_is_refused_and_nothing_of_it_kept() {
    let data = noise(1000);
    let chunked = Answer::chunked([&data[400..], b"x"].concat(), 1000);
    let long = chunked.with_status(206).header("Content-Range", "bytes 400-999/1000").header("ETag", TAG);
    let whole = || Answer::ranged(&data).header("ETag", TAG);
    let server = Server::with("/a", [whole().cut_after(400), long, whole()]);
    let mut job = Job::new(&options(), &server.url("/a"));
    job.fails().await;
    let error = job.fails().await;
    assert_eq!(
        (error.kind(), error.message()),
        (Kind::Length, "the server sent more than the range that it announced")
    );
    assert_eq!(job.received(), None);
    assert!(job.attempt().await.expect("the whole") == data);
}

#[tokio::test]
async fn a_part_of_the_rest_is_taken_and_the_rest_of_it_asked_for_next() {
    let data = noise(1000);
    let middle = Answer::status(206, &data[400..600]).header("Content-Range", "bytes 400-599/1000").header("ETag", TAG);
    let whole = || Answer::ranged(&data).header("ETag", TAG);
    let server = Server::with("/a", [whole().cut_after(400), middle, whole()]);
    let mut job = Job::new(&options(), &server.url("/a"));
    job.fails().await;
    assert_eq!(job.fails().await.message(), "the body ended early: 600 of 1000 bytes");
    assert!(job.attempt().await.expect("the rest") == data);
}

#[tokio::test]
async fn everything_received_and_nothing_left_is_done() {
    let data = noise(1000);
    // All bytes arrive, but neither a length nor an end. Only another request can tell that the
    // body is complete.
    let file = || Answer::ranged(&data).header("ETag", TAG);
    let server = Server::with("/a", [file().without_length().then_close(), file()]);
    let mut job = Job::new(&options(), &server.url("/a"));
    assert_eq!(job.fails().await.kind(), Kind::Reset);
    assert!(job.attempt().await.expect("nothing is missing") == data);
    assert_eq!(asked(&server)[1..], [some("bytes=1000-", TAG)]);
}

#[tokio::test]
async fn a_failure_that_brings_no_bytes_takes_none_away() {
    let data = noise(1000);
    let file = || Answer::ranged(&data).header("ETag", TAG);
    let server = Server::with(
        "/a",
        [
            file().cut_after(400),
            Answer::status(503, "wait"),
            Answer::page("Wait here"),
            Answer::empty(),
            // On a connection that was kept, it is asked again at once.
            Answer::close(),
            Answer::close(),
            file(),
        ],
    );
    let mut job = Job::new(&options(), &server.url("/a"));
    job.fails().await;
    for kind in [Kind::Status(503), Kind::Impostor, Kind::Empty, Kind::Reset] {
        assert_eq!(job.fails().await.kind(), kind);
        assert_eq!(job.received(), Some(400), "{kind:?}");
    }
    assert!(job.attempt().await.expect("the rest") == data);
    assert_eq!(asked(&server)[6], some("bytes=400-", TAG));
}

#[tokio::test]
async fn a_page_that_breaks_off_within_its_first_tag_is_found_when_it_goes_on() {
    let page = format!("<html><title>Oh</title>{}", "x".repeat(1000));
    let file = || Answer::ranged(&page).header("ETag", TAG);
    let server = Server::with("/a", [file().cut_after(3), file()]);
    let mut job = Job::new(&options(), &server.url("/a"));
    assert_eq!(job.fails().await.kind(), Kind::Length);
    assert_eq!(job.fails().await.kind(), Kind::Impostor);
    assert_eq!(job.received(), None);
}

#[tokio::test]
async fn the_rest_is_asked_for_only_where_the_bytes_came_from() {
    let data = noise(1000);
    let file = || Answer::ranged(&data).header("ETag", TAG);
    // A different mirror each time. Their tags are equal by chance.
    let server = Server::start([
        ("/a", vec![Answer::redirect("/one"), Answer::redirect("/two"), Answer::redirect("/two?signature=2")]),
        ("/one", vec![file().cut_after(400)]),
        ("/two", vec![file().cut_after(500)]),
        ("/two?signature=2", vec![file()]),
    ]);
    let mut job = Job::new(&options(), &server.url("/a"));
    job.fails().await;
    job.fails().await;
    assert!(job.attempt().await.expect("the rest") == data);
    let asked: Vec<_> = asked(&server).into_iter().map(|(range, _)| range).collect();
    assert_eq!(asked, [None, None, None, None, None, Some("bytes=500-".into())]);
}

#[tokio::test]
async fn what_is_kept_of_another_input_is_not_used() {
    let data = noise(1000);
    let file = || Answer::ranged(&data).header("ETag", TAG);
    let server = Server::start([("/a", vec![file().cut_after(400)]), ("/b", vec![file()])]);
    let mut job = Job::new(&options(), &server.url("/a"));
    job.fails().await;
    job.location = Location::parse(&server.url("/b")).expect("a URL");
    assert!(job.attempt().await.expect("the whole") == data);
    assert_eq!(asked(&server)[1], (None, None));
}

/// Everything that was reported, in order: the expected length or the arrived bytes.
#[derive(Default)]
struct Told(Mutex<Vec<(&'static str, u64)>>);

impl TransferProgress for Told {
    fn expected(&self, bytes: u64) {
        self.0.lock().expect("no panic").push(("expected", bytes));
    }
    fn advanced(&self, bytes: u64) {
        self.0.lock().expect("no panic").push(("advanced", bytes));
    }
}

#[tokio::test]
async fn the_attempt_that_succeeds_counts_every_byte_once() {
    let data = noise(1000);
    let file = || Answer::ranged(&data).header("ETag", TAG);
    let bad = || Answer::status(206, "x").header("Content-Range", "bytes 0-0/1").header("ETag", TAG);
    for (answers, first) in [
        (vec![file().cut_after(400), file()], 400),
        (vec![file().without_length().cut_after(400), file()], 400),
        (vec![file().without_length().then_close(), file()], 1000),
        // A restart from zero: kept bytes are not counted.
        (vec![file().cut_after(400), bad(), file()], 1000),
        (vec![file().cut_after(400), Answer::ok(&data)], 1000),
    ] {
        let server = Server::with("/a", answers);
        let mut job = Job::new(&options(), &server.url("/a"));
        job.fails().await;
        let told = Told::default();
        job.attempt_watched(&told).await.expect("a body");
        let told = told.0.into_inner().expect("no panic");
        assert_eq!(told[..2], [("expected", 1000), ("advanced", first)]);
        assert_eq!(told[1..].iter().map(|(_, bytes)| bytes).sum::<u64>(), 1000, "{told:?}");
    }
}

#[tokio::test]
async fn bodies_in_memory_and_in_files_go_on_alike_and_leave_nothing() {
    let data = noise(400_000);
    let file = || Answer::ranged(&data).header("ETag", TAG);
    for memory in [0, 100_000, 1_000_000] {
        let folder = tempfile::tempdir().expect("a folder");
        let mut options = options();
        (options.memory, options.temporary) = (memory, Some(folder.path().into()));
        for first in [file(), file().without_length()] {
            let server = Server::with("/a", [first.cut_after(150_000), file().cut_after(1), file()]);
            let mut job = Job::new(&options, &server.url("/a"));
            let (bytes, failed) = job.attempts(5).await;
            assert!(bytes == data && failed == 2, "{memory}");
        }
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
    }
}

#[tokio::test]
async fn what_is_kept_shows_no_secret() {
    let server = Server::with("/a", [Answer::ranged(noise(1000)).header("ETag", TAG).cut_after(400)]);
    let mut job = Job::new(&options(), &server.url("/a").replace("http://", "http://me:secret@"));
    job.fails().await;
    let shown = format!("{:?}", job.kept);
    assert!(shown.contains("400") && !shown.contains("secret"), "{shown}");
}

#[tokio::test]
async fn the_embedded_origin_goes_on_as_well() {
    let mut options = origin::Options::default();
    options.scale = 0.05;
    let origin = Origin::start(options).await.expect("an origin");
    origin.prepare(iter_2020::MICRODATOS, &[6]).await.expect("an archive");
    let path = "/ITER_06_2020_csv.zip";
    let direct = format!("{}{}", origin.url().trim_end_matches('/'), path);
    let whole = Job::new(&self::options(), &direct).attempt().await.expect("the whole");
    // It breaks twice in the body, once in a head, and once more in the body.
    let proxy = Proxy::breaking(origin.address(), [1000, whole.len() / 3, 20, whole.len() / 3], 1 << 16);
    let before = origin.stats();
    let mut job = Job::new(&self::options(), &proxy.url(path));
    let (bytes, failed) = job.attempts(6).await;
    assert!(bytes == whole);
    assert_eq!(failed, 4);
    let sent = origin.stats().requests - before.requests;
    assert_eq!(sent, 5);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// However a body is cut into pieces, and wherever it breaks off, in heads or in the body, the
    /// same bytes arrive.
    #[test]
    fn any_pieces_and_any_breaks_give_the_same_bytes(
        length in 1_usize..60_000,
        breaks in prop::collection::vec(0_usize..20_000, 0..8),
        piece in 1_usize..5_000,
        memory in prop::sample::select(vec![0, 30_000, 1_000_000]),
        validated in any::<bool>(),
        measured in any::<bool>(),
    ) {
        let data = noise(length);
        let mut answer = Answer::ranged(&data);
        if validated {
            answer = answer.header("ETag", TAG);
        }
        if !measured {
            answer = answer.without_length();
        }
        let server = Server::with("/a", [answer]);
        let most = breaks.len() + 1;
        let proxy = Proxy::breaking(server.address(), breaks, piece);
        let mut options = options();
        options.memory = memory;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let (bytes, _) = runtime.block_on(Job::new(&options, &proxy.url("/a")).attempts(most));
        prop_assert!(bytes == data);
    }
}
