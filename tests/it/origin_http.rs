//! The embedded origin over real sockets, as a plain client sees it.

use raudal::Kind;
use raudal::catalogue::{Entry, iter_2020};
use raudal::origin::{Options, Origin, Stats, archive};
use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Nothing here takes a hundredth of this, so only a test that hangs reaches it.
const PATIENCE: Duration = Duration::from_secs(30);

const SCALE: f64 = 0.02;

fn colima() -> &'static Entry {
    &iter_2020::catalogue().entries()[5]
}

fn small() -> Options {
    let mut options = Options::default();
    options.scale = SCALE;
    options
}

async fn start(options: Options) -> Origin {
    Origin::start(options).await.expect("an origin")
}

/// A minimal HTTP/1.1 client, so that no client feature hides what the server does.
struct Client(TcpStream);

struct Reply {
    status: u16,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

impl Reply {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

impl Client {
    async fn to(origin: &Origin) -> Self {
        Self(TcpStream::connect(origin.address()).await.expect("a connection"))
    }

    /// Sends a request and reads the head of its response.
    async fn head_of(&mut self, method: &str, path: &str, headers: &str) -> io::Result<Reply> {
        let request = format!("{method} {path} HTTP/1.1\r\nHost: origin\r\n{headers}\r\n");
        self.0.write_all(request.as_bytes()).await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.0.read_u8().await?);
        }
        let head = String::from_utf8(head).expect("ASCII");
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
        let headers = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        Ok(Reply { status: status.expect("a status line"), headers, body: Vec::new() })
    }

    /// Sends a request and reads its response.
    async fn ask(&mut self, method: &str, path: &str, headers: &str) -> Reply {
        let exchange = async {
            let mut reply = self.head_of(method, path, headers).await?;
            if method != "HEAD" && reply.status != 304 {
                reply.body = vec![0; reply.header("content-length").parse().expect("a length")];
                self.0.read_exact(&mut reply.body).await?;
            }
            io::Result::Ok(reply)
        };
        tokio::time::timeout(PATIENCE, exchange).await.expect("an answer in time").expect("a whole answer")
    }
}

/// Waits until the counts satisfy `holds`, without sleeping.
async fn until(origin: &Origin, holds: impl Fn(Stats) -> bool) {
    let waiting = async {
        while !holds(origin.stats()) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("the counts to get there");
}

#[tokio::test]
async fn an_archive_comes_whole_with_its_headers_from_any_folder_in_any_case() {
    let origin = start(small()).await;
    let mut client = Client::to(&origin).await;
    for edition in iter_2020::catalogue().editions() {
        let bytes = archive(colima(), edition, SCALE, 0).expect("an archive");
        let file = colima().file(edition);
        for path in [format!("/{file}"), format!("/contenidos/iter/{}?x=y", file.to_uppercase())] {
            let reply = client.ask("GET", &path, "").await;
            assert!(reply.status == 200 && reply.body == bytes, "{path}");
            assert_eq!(reply.header("content-type"), "application/x-zip-compressed");
            assert_eq!(reply.header("accept-ranges"), "bytes");
            assert_eq!(reply.header("last-modified"), "Tue, 16 Mar 2021 12:00:00 GMT");
            assert_eq!(reply.header("server"), "raudal-origin");
            assert_eq!(reply.header("x-raudal-synthetic"), "1");
            assert!(reply.header("etag").starts_with('"') && !reply.header("date").is_empty());
        }
    }
    let stats = origin.stats();
    assert_eq!((stats.requests, stats.accepted, stats.in_flight, stats.peak_in_flight), (4, 1, 0, 1));
    origin.shutdown().await;
}

#[tokio::test]
async fn a_missing_file_is_a_page_with_200_as_inegi_has_it() {
    let origin = start(small()).await;
    let mut client = Client::to(&origin).await;
    for path in ["/ITER_33_2020_csv.zip", "/robots.txt", "/../../etc/passwd", "/%2e%2e/x", "/folder/"] {
        let reply = client.ask("GET", path, "Range: bytes=5-\r\n").await;
        assert_eq!((reply.status, reply.header("content-type")), (200, "text/html; charset=utf-8"), "{path}");
        assert!((2_200..2_400).contains(&reply.body.len()));
        let head = client.ask("HEAD", path, "").await;
        assert_eq!((head.status, head.header("content-length")), (200, reply.header("content-length")));
    }
    let index = client.ask("GET", "/", "").await;
    assert!(String::from_utf8(index.body).expect("UTF-8").contains("href=\"ITER_32_2020_csv.zip\""));
}

#[tokio::test]
async fn a_head_tells_the_length_and_sends_nothing() {
    let origin = start(small()).await;
    let mut client = Client::to(&origin).await;
    let head = client.ask("HEAD", "/ITER_06_2020_csv.zip", "").await;
    assert_eq!(origin.stats().bytes, 0);
    // The connection is in sync: a body sent by mistake would be read as the next response.
    let get = client.ask("GET", "/ITER_06_2020_csv.zip", "").await;
    assert_eq!(head.header("content-length"), get.body.len().to_string());
    assert_eq!(origin.stats().bytes, get.body.len() as u64);
}

#[tokio::test]
async fn a_download_that_broke_off_goes_on_where_it_stopped() {
    let origin = start(small()).await;
    let mut client = Client::to(&origin).await;
    let path = "/ITER_06_2020_csv.zip";
    let whole = client.ask("GET", path, "").await;
    let (len, tag) = (whole.body.len(), whole.header("etag").to_owned());
    for at in [1, len / 2, len - 1] {
        let rest = client.ask("GET", path, &format!("Range: bytes={at}-\r\nIf-Range: {tag}\r\n")).await;
        assert_eq!((rest.status, rest.header("content-range")), (206, &*format!("bytes {at}-{}/{len}", len - 1)));
        assert!(rest.body == whole.body[at..]);
    }
    let tail = client.ask("GET", path, "Range: bytes=-22\r\n").await;
    assert!(tail.status == 206 && tail.body == whole.body[len - 22..]);
    let changed = client.ask("GET", path, "Range: bytes=5-\r\nIf-Range: \"other\"\r\n").await;
    assert!(changed.status == 200 && changed.body == whole.body);
    let beyond = client.ask("GET", path, &format!("Range: bytes={len}-\r\n")).await;
    assert_eq!((beyond.status, beyond.header("content-range")), (416, &*format!("bytes */{len}")));
    assert!(beyond.body.is_empty());
    let same = client.ask("GET", path, &format!("If-None-Match: {tag}\r\n")).await;
    assert_eq!((same.status, same.header("etag")), (304, &*tag));
    // No byte of a 304 is left on the connection.
    assert_eq!(client.ask("GET", path, "").await.body.len(), len);
}

#[tokio::test]
async fn other_methods_are_refused() {
    let origin = start(small()).await;
    for method in ["POST", "DELETE", "OPTIONS"] {
        let reply = Client::to(&origin).await.ask(method, "/ITER_06_2020_csv.zip", "").await;
        assert_eq!((reply.status, reply.header("allow")), (405, "GET, HEAD"), "{method}");
    }
}

#[tokio::test]
async fn any_number_has_a_tiny_archive() {
    let origin = start(small()).await;
    let mut client = Client::to(&origin).await;
    let reply = client.ask("GET", "/a/b/tiny_100000.zip", "").await;
    assert!(reply.status == 200 && reply.body.starts_with(b"PK") && reply.body.len() < 1_000);
    let again = client.ask("GET", "/tiny_100000.zip", "").await;
    assert!(again.body == reply.body && again.header("etag") == reply.header("etag"));
    assert!(client.ask("GET", "/tiny_100001.zip", "").await.body != reply.body);
}

#[tokio::test]
async fn what_is_in_flight_is_counted_and_a_client_that_left_is_not() {
    let mut options = small();
    // The bodies do not end during the test.
    options.bandwidth_per_connection = Some(1);
    let origin = start(options).await;
    let mut clients = Vec::new();
    for expected in 1..=3 {
        let mut client = Client::to(&origin).await;
        assert_eq!(client.head_of("GET", "/ITER_06_2020_csv.zip", "").await.expect("a head").status, 200);
        clients.push(client);
        assert_eq!(origin.stats().in_flight, expected);
    }
    drop(clients.pop());
    until(&origin, |stats| stats.in_flight == 2 && stats.connections == 2).await;
    assert_eq!((origin.stats().peak_in_flight, origin.stats().peak_connections), (3, 3));
    origin.reset_stats();
    let stats = origin.stats();
    assert_eq!((stats.requests, stats.peak_in_flight, stats.peak_connections), (0, 2, 2));
    origin.shutdown().await;
}

#[tokio::test]
async fn a_shutdown_ends_every_connection_and_closes_the_port() {
    let mut options = small();
    options.bandwidth = Some(1);
    let origin = start(options).await;
    let address = origin.address();
    let mut idle = Client::to(&origin).await;
    let mut busy = Client::to(&origin).await;
    busy.head_of("GET", "/ITER_06_2020_csv.zip", "").await.expect("a head");
    tokio::time::timeout(PATIENCE, origin.shutdown()).await.expect("an end");
    let mut rest = Vec::new();
    let _ = busy.0.read_to_end(&mut rest).await;
    assert!(rest.len() < 10, "the body went on");
    assert!(matches!(idle.0.read(&mut [0; 1]).await, Ok(0) | Err(_)));
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn an_origin_that_is_dropped_closes_its_port() {
    let origin = start(small()).await;
    let address = origin.address();
    drop(origin);
    let refused = async { while TcpStream::connect(address).await.is_ok() {} };
    tokio::time::timeout(PATIENCE, refused).await.expect("a refusal");
}

#[tokio::test]
async fn a_client_that_speaks_no_http_does_not_disturb_the_others() {
    let origin = start(small()).await;
    let mut odd = Client::to(&origin).await;
    odd.0.write_all(b"\x16\x03\x01 no HTTP at all\r\n\r\n").await.expect("a write");
    let mut rest = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, odd.0.read_to_end(&mut rest)).await.expect("an end");
    assert_eq!(Client::to(&origin).await.ask("GET", "/", "").await.status, 200);
    until(&origin, |stats| stats.connections == 0).await;
}

#[tokio::test]
async fn the_latency_comes_before_each_response() {
    let mut options = small();
    options.latency = Duration::from_millis(30);
    let origin = start(options).await;
    let mut client = Client::to(&origin).await;
    let start = Instant::now();
    for path in ["/ITER_06_2020_csv.zip", "/missing"] {
        client.ask("GET", path, "").await;
    }
    assert!(start.elapsed() >= Duration::from_millis(60));
}

#[tokio::test]
async fn what_is_prepared_is_there_and_the_rest_can_be_given_up() {
    let origin = start(small()).await;
    origin.prepare(iter_2020::MICRODATOS, &[6, 9]).await.expect("two archives");
    // Polled once and dropped: archives already begun are finished, and the shutdown waits for
    // them.
    let all: Vec<u32> = (1..=32).collect();
    let mut rest = Box::pin(origin.prepare(iter_2020::DATOS_ABIERTOS, &all));
    assert!(futures::poll!(&mut rest).is_pending());
    drop(rest);
    let error = origin.prepare(iter_2020::MICRODATOS, &[0]).await.expect_err("no such entity");
    assert_eq!(error.kind(), Kind::Usage);
    tokio::time::timeout(PATIENCE, origin.shutdown()).await.expect("an end");
}

#[tokio::test]
async fn options_that_make_no_sense_are_refused() {
    let mut options = small();
    options.scale = 0.0;
    assert_eq!(Origin::start(options).await.expect_err("no rows").kind(), Kind::Usage);
    let mut options = small();
    options.bandwidth = Some(0);
    assert_eq!(Origin::start(options).await.expect_err("no bytes").kind(), Kind::Usage);
    let taken = start(small()).await;
    assert_eq!(Origin::bind(taken.address(), small()).await.expect_err("taken").kind(), Kind::Io);
}
