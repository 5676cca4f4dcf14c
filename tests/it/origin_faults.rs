//! Every fault of the embedded origin: how it looks on the wire, and how the program handles it.

use crate::common::{Finished, PATIENCE, raudal};
use raudal::origin::{Options, Origin};
use raudal::table::{self, Query};
use std::io::{Cursor, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

const PATH: &str = "/tiny_7.zip";

/// An origin on its own thread, so that a test may wait for a program.
struct Served {
    origin: Origin,
    stalls: bool,
    _runtime: Runtime,
}

impl Served {
    fn with(faults: &[&str]) -> Self {
        let mut options = Options::default();
        options.faults = faults.iter().map(|text| text.parse().expect("a fault")).collect();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let origin = runtime.block_on(Origin::start(options)).expect("an origin");
        Self { origin, stalls: faults.iter().any(|text| text.starts_with("stall")), _runtime: runtime }
    }

    fn url(&self) -> String {
        format!("{}{}", self.origin.url().trim_end_matches('/'), PATH)
    }

    /// Returns what a plain client receives. It sends `Connection: close`, and waits at most
    /// `patience` for a byte.
    fn ask(&self, headers: &str, patience: Duration) -> Seen {
        let mut socket = TcpStream::connect(self.origin.address()).expect("a connection");
        socket.set_read_timeout(Some(patience)).expect("a time-out");
        let request =
            format!("GET {PATH} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{headers}\r\n", self.origin.address());
        socket.write_all(request.as_bytes()).expect("a request");
        let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
        let end = loop {
            match socket.read(&mut piece) {
                Ok(0) => break End::Fin,
                Ok(count) => bytes.extend_from_slice(&piece[..count]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => break End::Rst,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break End::None,
                Err(error) => panic!("{error}"),
            }
        };
        let head = bytes.windows(4).position(|window| window == b"\r\n\r\n").map_or(0, |at| at + 4);
        let body = bytes.split_off(head);
        Seen { head: String::from_utf8(bytes).expect("ASCII"), body, end }
    }

    fn get(&self) -> Seen {
        self.ask("", PATIENCE)
    }

    /// Runs the program over the one archive.
    fn run(&self, retries: &str) -> Finished {
        // The timeout is short only for faults that stall, so that a busy machine causes no
        // failure.
        let patience = if self.stalls { "500ms" } else { "30s" };
        let options = ["--retries", retries, "--retry-delay", "1ms", "--read-timeout", patience, "--progress", "none"];
        raudal(["table", &self.url()]).args(options).run()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Fin,
    Rst,
    /// The connection is still open.
    None,
}

#[derive(Debug)]
struct Seen {
    head: String,
    body: Vec<u8>,
    end: End,
}

impl Seen {
    fn status(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }

    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    fn length(&self) -> Option<usize> {
        self.header("content-length").and_then(|length| length.parse().ok())
    }
}

fn good() -> Vec<u8> {
    let seen = Served::with(&[]).get();
    assert_eq!((seen.status(), seen.end, seen.length()), ("200", End::Fin, Some(seen.body.len())));
    seen.body
}

fn rows(archive: &[u8]) -> u64 {
    table::read(Cursor::new(archive), "a.zip", &Query::new(), &()).expect("a good archive").rows_read()
}

#[test]
fn a_connection_ends_where_it_should_not() {
    let good = good();
    let (all, half) = (good.len(), good.len() / 2);
    for (fault, sent, end) in [
        ("refuse", None, End::Rst),
        ("stall", None, End::None),
        ("stall@0", Some(0), End::None),
        ("stall@50%", Some(half), End::None),
        ("stall@100%", Some(all), End::None),
        ("reset@0", Some(0), End::Rst),
        ("reset", Some(half), End::Rst),
        ("reset@100%", Some(all), End::Rst),
        ("reset@9kB", Some(all), End::Rst),
        ("cut@0", Some(0), End::Fin),
        ("cut@50%", Some(half), End::Fin),
        ("cut@7", Some(7), End::Fin),
        ("changed@25%", Some(all / 4), End::Fin),
    ] {
        let served = Served::with(&[fault]);
        // A stalled response stays stalled however long the client waits.
        let seen = served.ask("", if end == End::None { Duration::from_millis(100) } else { PATIENCE });
        assert_eq!(seen.end, end, "{fault}: {seen:?}");
        match sent {
            None => assert_eq!(seen.head, "", "{fault}"),
            Some(sent) => {
                assert_eq!((seen.status(), seen.length()), ("200", Some(all)), "{fault}");
                assert!(seen.body == good[..sent], "{fault}: {} bytes", seen.body.len());
            }
        }
        assert_eq!(served.origin.stats().faults, 1, "{fault}");
    }
}

#[test]
fn an_answer_says_what_is_not_so() {
    let good = good();
    let all = good.len();
    let served = |fault: &str| Served::with(&[fault]);
    let twice = served("length").get();
    assert!(twice.length() == Some(2 * all) && twice.body == good && twice.end == End::Fin, "{twice:?}");
    let half = served("length@50%").get();
    assert!(half.length() == Some(all / 2) && half.body == good, "{half:?}");
    let chunked = served("chunked").get();
    assert_eq!((chunked.length(), chunked.header("transfer-encoding")), (None, Some("chunked")));
    assert!(chunked.body.ends_with(b"0\r\n\r\n") && chunked.body.len() > all);
    let part = "Range: bytes=5-\r\n";
    let shifted = served("content-range").ask(part, PATIENCE);
    assert_eq!(shifted.header("content-range"), Some(&*format!("bytes 6-{}/{all}", all - 1)));
    assert!(shifted.status() == "206" && shifted.body == good[5..]);
    let whole = served("no-range").ask(part, PATIENCE);
    assert!(whole.status() == "200" && whole.body == good);
    for fault in ["content-range", "no-range"] {
        let served = served(fault);
        assert!(served.get().body == good && served.origin.stats().faults == 0, "{fault} is for ranges alone");
    }
    let page = served("page").get();
    assert!(page.status() == "200" && page.body.starts_with(b"<!DOCTYPE html>"), "{page:?}");
    let empty = served("empty").get();
    assert_eq!((empty.status(), empty.length(), empty.body.len()), ("200", Some(0), 0));
    let gzip = served("gzip").get();
    assert_eq!(gzip.header("content-encoding"), Some("gzip"));
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&*gzip.body).read_to_end(&mut unpacked).expect("gzip");
    assert!(unpacked == good);
    for (fault, at) in [("flip@10", Some(10)), ("flip@100%", Some(all - 1)), ("flip", None)] {
        let flipped = served(fault).get().body;
        let differ: Vec<usize> = (0..all).filter(|&at| flipped[at] != good[at]).collect();
        assert!(differ.len() == 1 && at.is_none_or(|at| differ == [at]), "{fault}: {differ:?}");
    }
    let big = served("big-head").get();
    assert!(big.head.len() > 1 << 20 && big.body == good);
}

#[test]
fn a_status_has_either_form_of_retry_after_or_none() {
    for (fault, status, wait) in
        [("503:after=2s", "503", Some("2")), ("429:after=0s", "429", Some("0")), ("410", "410", None)]
    {
        let seen = Served::with(&[fault]).get();
        assert_eq!((seen.status(), seen.header("retry-after")), (status, wait), "{fault}");
    }
    let seen = Served::with(&["503:until=1h"]).get();
    let date = httpdate::parse_http_date(seen.header("retry-after").expect("a date")).expect("a date");
    #[expect(clippy::disallowed_methods, reason = "`Retry-After` is a date here")]
    let now = std::time::SystemTime::now();
    assert!(date > now && date <= now + Duration::from_secs(3600));
}

#[test]
fn a_redirect_leads_into_a_circle_or_to_another_host() {
    let served = Served::with(&["loop"]);
    let seen = served.get();
    let to = format!("/~loop{PATH}");
    assert_eq!((seen.status(), seen.header("location")), ("302", Some(&*to)));
    let mut socket = TcpStream::connect(served.origin.address()).expect("a connection");
    write!(socket, "GET {to} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").expect("a request");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("an answer");
    assert!(answer.contains(&format!("location: {to}\r\n")), "{answer}");
    let served = Served::with(&["elsewhere"]);
    let port = served.origin.address().port();
    assert_eq!(served.get().header("location"), Some(&*format!("http://localhost:{port}{PATH}")));
}

#[test]
fn what_is_slow_takes_its_time() {
    for fault in ["drip:rate=5kB", "slow-head:rate=5kB"] {
        let start = Instant::now();
        let seen = Served::with(&[fault]).get();
        assert_eq!(seen.length(), Some(seen.body.len()), "{fault}");
        let slow = if fault.starts_with("drip") { seen.body.len() } else { seen.head.len() };
        assert!(start.elapsed() >= Duration::from_secs_f64(slow as f64 / 5_000.0), "{fault}");
    }
}

#[test]
fn a_file_that_changed_has_other_bytes_and_validators_and_the_same_rows() {
    let good = good();
    let served = Served::with(&["changed:n=1"]);
    let [before, after, again] = [served.get(), served.get(), served.get()];
    for name in ["etag", "last-modified"] {
        assert!(before.header(name) != after.header(name), "{name}");
        assert_eq!(after.header(name), again.header(name));
    }
    assert!(after.body == again.body && after.body != good && rows(&after.body) == rows(&good));
}

#[test]
fn a_client_that_hangs_up_on_a_stall_is_noticed() {
    let served = Served::with(&["stall:n=1", "stall@50%:n=2"]);
    for _ in 0..2 {
        served.ask("", Duration::from_millis(10));
    }
    let give_up = Instant::now() + PATIENCE;
    while served.origin.stats().connections > 0 {
        assert!(Instant::now() < give_up, "{:?}", served.origin.stats());
        std::thread::yield_now();
    }
}

/// A permanent fault gives this exit code and this message.
#[test]
fn a_fault_that_stays_is_refused_with_the_right_code() {
    for (fault, code, says) in [
        ("refuse", 4, "connection"),
        ("stall", 4, "no response within 500ms"),
        ("stall@50%", 4, "the body stalled after"),
        ("reset", 4, "connection"),
        ("cut", 6, "the body ended early"),
        ("length", 6, "the body ended early"),
        ("length@50%", 6, "cut off or damaged"),
        ("429:after=0s", 4, "429"),
        ("503:until=0s", 4, "503"),
        ("404", 5, "404"),
        ("page", 4, "an HTML page in place of the data"),
        ("empty", 4, "the body is empty"),
        ("flip@50%", 6, "the checksum (CRC-32) differs"),
        ("loop", 5, "too many redirects"),
        ("elsewhere", 5, "too many redirects"),
        ("big-head", 7, "the head of the response is too large"),
    ] {
        let served = Served::with(&[fault]);
        let finished = served.run("1");
        assert_eq!(finished.code, Some(code), "{fault}: {}", finished.stderr);
        assert!(finished.stderr.contains(says), "{fault}: {}", finished.stderr);
        assert!(finished.stdout.is_empty(), "{fault}");
    }
}

/// A fault that passes costs nothing but requests.
#[test]
fn a_fault_that_passes_is_cured() {
    let expected = Served::with(&[]).run("0");
    assert_eq!(expected.code, Some(0), "{}", expected.stderr);
    for (faults, requests) in [
        (&["refuse:n=1"][..], 2),
        (&["stall:n=1"], 2),
        (&["stall@50%:n=1"], 2),
        (&["drip:rate=10kB"], 1),
        (&["reset:n=1"], 2),
        (&["reset:n=1,2,3"], 4),
        (&["cut:n=1"], 2),
        // The announced length was wrong, so the rest is not accepted. The whole file is requested
        // at once.
        (&["length:n=1"], 3),
        (&["length@50%:n=1"], 2),
        (&["cut:n=1", "content-range:n=2"], 3),
        (&["cut:n=1", "no-range:n=2"], 2),
        (&["changed:n=1"], 2),
        (&["429:n=1,after=0s"], 2),
        (&["503:n=1,until=0s"], 2),
        (&["500:n=1,2,3"], 4),
        (&["page:n=1"], 2),
        (&["empty:n=1"], 2),
        (&["flip@50%:n=1"], 2),
        (&["elsewhere:n=1"], 2),
        (&["chunked"], 1),
        (&["gzip"], 1),
        (&["slow-head:rate=10kB"], 1),
        (&["cut@10:every=2"], 1),
    ] {
        let served = Served::with(faults);
        let finished = served.run("3");
        assert_eq!(finished.code, Some(0), "{faults:?}: {}", finished.stderr);
        assert_eq!(finished.text(), expected.text(), "{faults:?}");
        // A reset may discard all bytes before it. Then there is nothing to resume, but the number
        // of requests is the same.
        assert_eq!(served.origin.stats().requests, requests, "{faults:?}: {}", finished.stderr);
    }
}

#[test]
fn the_program_takes_faults_for_the_origin_it_embeds() {
    let iter = |arguments: &[&str]| {
        let embedded = ["iter", "--mirror", "embedded", "--scale", "0.01", "--entities", "6,9", "--retry-delay", "1ms"];
        raudal(embedded).args(arguments).run()
    };
    let whole = iter(&[]);
    let faulty = iter(&["--fault", "reset@50%:p=0.5", "--fault", "503:n=1;empty:n=2", "--retries", "20"]);
    assert_eq!((faulty.code, faulty.text()), (Some(0), whole.text()), "{}", faulty.stderr);
    assert!(faulty.stderr.contains("retries"), "{}", faulty.stderr);
}

#[test]
fn a_fault_that_does_not_exist_is_a_usage_error() {
    for (arguments, says) in [
        (&["serve", "--fault", "rest@50%"][..], "no such fault: rest, at character 1 of rest@50%"),
        (
            &["serve", "--fault", "page", "--fault", "reset@x"],
            "not a position in a body, such as 50% or 4096, at character 7",
        ),
        (&["iter", "--fault", "page"], "only the embedded origin takes this option: --fault"),
    ] {
        let finished = raudal(arguments.iter().copied()).run();
        assert_eq!(finished.code, Some(2), "{}", finished.stderr);
        assert!(finished.stderr.contains(says), "{}", finished.stderr);
        assert!(finished.stderr.contains("hint:"), "{}", finished.stderr);
    }
    assert!(raudal(["serve", "--fault", "x"]).run().stderr.contains("slow-head, big-head"));
}
