//! A good input arrives whole, however it is sent, and the client never holds more of it than
//! promised.

use std::io::{Read, Seek, SeekFrom};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::common::{Answer, Gate, Server, noise};
use futures::future::join_all;
use raudal::fetch::{Body, Client, Expect, Options, TransferProgress};
use raudal::source::Location;
use raudal::{Kind, Result};

/// Options with a timeout that lets a bad test fail soon, independent of the environment.
fn options() -> Options {
    let mut options = Options::default();
    options.read_timeout = Duration::from_secs(20);
    options
}

fn client() -> Client {
    Client::new(&options()).expect("a client")
}

async fn fetch(client: &Client, url: &str) -> Result<Body> {
    client.fetch(&Location::parse(url)?, Expect::Table, &()).await
}

fn bytes(body: Body) -> Vec<u8> {
    let mut bytes = Vec::new();
    let announced = body.len();
    body.into_reader().read_to_end(&mut bytes).expect("a body is readable");
    assert_eq!(bytes.len() as u64, announced);
    bytes
}

#[tokio::test]
async fn a_body_is_the_same_however_it_is_framed() {
    let data = noise(300_000);
    let server = Server::start([
        ("/length", vec![Answer::ok(&data)]),
        ("/chunked", vec![Answer::chunked(&data, 7_001)]),
        ("/close", vec![Answer::until_close(&data)]),
        ("/one", vec![Answer::ok("x")]),
    ]);
    let client = client();
    for path in ["/length", "/chunked", "/close"] {
        assert!(bytes(fetch(&client, &server.url(path)).await.expect(path)) == data, "{path}");
    }
    assert_eq!(bytes(fetch(&client, &server.url("/one")).await.expect("a byte")), b"x");
}

#[tokio::test]
async fn a_body_too_large_for_memory_is_read_from_a_file() {
    let data = noise(3_000_000);
    let server = Server::start([("/a", vec![Answer::ok(&data)]), ("/b", vec![Answer::chunked(&data, 100_000)])]);
    let client = client();
    for path in ["/a", "/b"] {
        let body = fetch(&client, &server.url(path)).await.expect("a body");
        let mut reader = body.into_reader();
        let mut part = [0; 100];
        reader.seek(SeekFrom::End(-100)).expect("a seek");
        reader.read_exact(&mut part).expect("a read");
        assert_eq!(part, data[data.len() - 100..]);
        assert_eq!(reader.seek(SeekFrom::Current(-60)).expect("a seek"), data.len() as u64 - 60);
        assert_eq!(reader.seek(SeekFrom::Start(17)).expect("a seek"), 17);
        reader.read_exact(&mut part).expect("a read");
        assert_eq!(part, data[17..117]);
        reader.rewind().expect("a seek");
        let mut all = Vec::new();
        reader.read_to_end(&mut all).expect("a read");
        assert!(all == data);
    }
}

#[tokio::test]
async fn many_bodies_at_once_share_the_memory_and_are_all_right() {
    let data = noise(200_000);
    let mut options = options();
    options.memory = 500_000;
    let client = Client::new(&options).expect("a client");
    let gate = Gate::new();
    let server = Server::with("/a", [Answer::ok(&data).behind(&gate)]);
    let url = server.url("/a");
    let fetches = join_all((0..32).map(|_| fetch(&client, &url)));
    let opened = async {
        tokio::task::spawn_blocking({
            let gate = gate.clone();
            move || {
                server.wait_for_in_flight(32);
                gate.open();
                server
            }
        })
        .await
        .expect("the server saw 32 at once")
    };
    let (bodies, server) = tokio::join!(fetches, opened);
    assert_eq!(server.peak(), 32);
    for body in bodies {
        assert!(bytes(body.expect("a body")) == data);
    }
}

#[tokio::test]
async fn a_request_names_the_program_and_declines_compression() {
    let server = Server::start([("/a?b=c", vec![Answer::ok("x")]), ("/a", vec![Answer::ok("x")])]);
    let mut options = options();
    options.headers = vec![("X-Thing".into(), "1".into()), ("x-thing".into(), "2".into())];
    fetch(&Client::new(&options).expect("a client"), &server.url("/a?b=c#d")).await.expect("a body");
    options.user_agent = Some("mine/2 (+https://example.org)".into());
    fetch(&Client::new(&options).expect("a client"), &server.url("/a")).await.expect("a body");
    let [first, second] = &server.requests()[..] else { panic!("two requests") };
    assert_eq!((first.method.as_str(), first.path.as_str()), ("GET", "/a?b=c"));
    assert_eq!(first.header("user-agent"), Some(concat!("raudal/", env!("CARGO_PKG_VERSION"))));
    assert_eq!(first.header("accept-encoding"), Some("identity"));
    assert_eq!(first.headers.iter().filter(|(name, _)| name == "x-thing").count(), 2);
    assert_eq!(first.header("referer"), None);
    assert_eq!(second.header("user-agent"), Some("mine/2 (+https://example.org)"));
}

#[tokio::test]
async fn one_connection_serves_one_input_after_the_other() {
    let server = Server::with("/a", [Answer::ok(noise(100_000))]);
    let client = client();
    for _ in 0..5 {
        fetch(&client, &server.url("/a")).await.expect("a body");
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn what_the_server_says_of_a_body_is_known() {
    let answer = Answer::ok("x")
        .header("Content-Type", "Application/Zip; x=y")
        .header("ETag", "\"abc\"")
        .header("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT");
    let server = Server::start([("/a", vec![answer]), ("/from", vec![Answer::redirect("/a#top")])]);
    let body = fetch(&client(), &server.url("/from")).await.expect("a body");
    assert_eq!(body.media_type(), Some("application/zip"));
    assert_eq!(body.etag(), Some("\"abc\""));
    assert_eq!(body.last_modified(), Some("Sun, 06 Nov 1994 08:49:37 GMT"));
    assert_eq!(body.location().to_string(), server.url("/a"));
    assert!(body.is_remote());
}

#[tokio::test]
async fn credentials_stay_with_the_origin_they_were_given_for() {
    let other = Server::start([("/there", vec![Answer::redirect("/stay")]), ("/stay", vec![Answer::ok("x")])]);
    let server = Server::start([
        ("/from", vec![Answer::redirect("/same")]),
        ("/same", vec![Answer::redirect(other.url("/there"))]),
    ]);
    let mut options = options();
    options.headers = ["Authorization", "Cookie", "X-Api-Key", "Accept-Language"]
        .map(|name| (name.to_owned(), "es".to_owned()))
        .to_vec();
    fetch(&Client::new(&options).expect("a client"), &server.url("/from")).await.expect("a body");
    let sent = |server: &Server, name| -> Vec<bool> {
        server.requests().iter().map(|request| request.header(name).is_some()).collect()
    };
    for name in ["authorization", "cookie", "x-api-key"] {
        assert_eq!(sent(&server, name), [true, true], "{name}");
        assert_eq!(sent(&other, name), [false, false], "{name}");
    }
    assert_eq!(sent(&other, "accept-language"), [true, true]);

    let with_name = server.url("/from").replace("http://", "http://me:se%40cret@");
    let body = fetch(&client(), &with_name).await.expect("a body");
    assert!(!body.location().to_string().contains('@'));
    let later = server.requests().split_off(2);
    assert!(later.iter().all(|request| request.header("authorization") == Some("Basic bWU6c2VAY3JldA==")));
    assert_eq!(sent(&other, "authorization"), [false; 4]);
}

#[derive(Default)]
struct Told {
    expected: AtomicU64,
    advanced: AtomicU64,
}

impl TransferProgress for Told {
    fn expected(&self, bytes: u64) {
        self.expected.fetch_add(bytes, Ordering::Relaxed);
    }
    fn advanced(&self, bytes: u64) {
        self.advanced.fetch_add(bytes, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn whoever_watches_is_told_of_every_byte() {
    let data = noise(1_500_000);
    let server = Server::start([("/a", vec![Answer::ok(&data)]), ("/b", vec![Answer::chunked(&data, 50_000)])]);
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), &data).expect("a file");
    let client = client();
    let (url, chunked) = (server.url("/a"), server.url("/b"));
    for (place, expected) in
        [(url.as_str(), 1_500_000), (&chunked, 0), (file.path().to_str().expect("text"), 1_500_000)]
    {
        let told = Told::default();
        client.fetch(&Location::parse(place).expect("a place"), Expect::Table, &told).await.expect("a body");
        assert_eq!(told.expected.into_inner(), expected, "{place}");
        assert_eq!(told.advanced.into_inner(), 1_500_000, "{place}");
    }
}

/// The largest reported piece, and the sum of all pieces.
#[derive(Default)]
struct Pieces(AtomicU64, AtomicU64);

impl TransferProgress for Pieces {
    fn expected(&self, _: u64) {}
    fn advanced(&self, bytes: u64) {
        self.0.fetch_max(bytes, Ordering::Relaxed);
        self.1.fetch_add(bytes, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn a_rate_lets_a_body_through_in_small_pieces_and_all_of_it() {
    let data = noise(200_000);
    let server = Server::with("/a", [Answer::ok(&data)]);
    let mut options = options();
    options.limit_rate = Some(3_200_000);
    let client = Client::new(&options).expect("a client");
    let pieces = Pieces::default();
    let location = Location::parse(&server.url("/a")).expect("a URL");
    let body = client.fetch(&location, Expect::Table, &pieces).await.expect("a body");
    assert!(bytes(body) == data);
    assert!(pieces.0.into_inner() <= 16 * 1024, "smooth");
    assert_eq!(pieces.1.into_inner(), 200_000);
}

#[tokio::test]
async fn a_fetch_that_is_dropped_stops_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut options = options();
    options.temporary = Some(folder.path().into());
    let client = Client::new(&options).expect("a client");
    let server = Server::with("/a", [Answer::stall_after(noise(2_000_000), 3_000_000)]);
    let url = server.url("/a");
    let task = tokio::spawn(async move { fetch(&client, &url).await.map(|_| ()) });
    let server = tokio::task::spawn_blocking(move || {
        server.wait_for_in_flight(1);
        server
    });
    let server = server.await.expect("a request came");
    task.abort();
    assert!(task.await.expect_err("aborted").is_cancelled());
    tokio::task::spawn_blocking(move || server.wait_for_hung_up(1)).await.expect("the server saw it go");
    assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
}

#[tokio::test]
async fn a_local_file_takes_the_same_road() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a b.csv");
    std::fs::write(&path, "a,b\n1,2\n").expect("a file");
    let client = client();
    let place = path.to_str().expect("text");
    let body = fetch(&client, place).await.expect("a body");
    assert!(!body.is_remote());
    assert_eq!(bytes(body), b"a,b\n1,2\n");

    for (name, content, kind, message) in [
        ("empty.csv", "", Kind::Empty, "the file is empty"),
        ("page.zip", "<html><title>Oh</title></html>", Kind::Impostor, "an HTML page in place of the data: Oh"),
    ] {
        let path = folder.path().join(name);
        std::fs::write(&path, content).expect("a file");
        let error = fetch(&client, path.to_str().expect("text")).await.expect_err(name);
        assert_eq!((error.kind(), error.message()), (kind, message));
        assert!(!error.is_transient(), "a local file will not be another one the next time");
    }

    let missing = folder.path().join("missing.csv");
    let error = fetch(&client, missing.to_str().expect("text")).await.expect_err("missing");
    assert_eq!(error.kind(), Kind::Io);
    assert!(error.to_string().ends_with("missing.csv: cannot open the file"), "{error}");
    assert_eq!(error.hint_text(), Some("check the path"));
    let error = fetch(&client, folder.path().to_str().expect("text")).await.expect_err("a folder");
    assert_eq!((error.kind(), error.hint_text()), (Kind::Io, Some("give the files in the folder")));
}

#[cfg(unix)]
#[tokio::test]
async fn a_pipe_is_read_once_and_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo, which POSIX has");
    assert!(made.success());
    let data = noise(1_200_000);
    let writer = std::thread::spawn({
        let (path, data) = (path.clone(), data.clone());
        move || std::fs::write(path, data)
    });
    let client = client();
    let body = fetch(&client, path.to_str().expect("text")).await.expect("a body");
    writer.join().expect("no panic").expect("all was read");
    assert!(bytes(body) == data);
    // No writer ever opens this pipe: dropping the fetch must be enough.
    let waiting = fetch(&client, path.to_str().expect("text"));
    assert!(futures::poll!(std::pin::pin!(waiting)).is_pending());
}
