//! A small HTTP server on a raw socket. It follows a script, and can break rules that an HTTP
//! library would enforce.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::PATIENCE;
use super::answer::{Answer, End, Framing, Step};

/// A request as it was received.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    /// The path with its query; for a proxy, the whole URL.
    pub path: String,
    /// The headers in their order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Which connection it came over, counted from 0.
    pub connection: usize,
}

impl Request {
    /// Returns the first header of this name, which must be in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

/// What has happened so far.
#[derive(Debug, Default)]
struct Seen {
    requests: Vec<Request>,
    connections: usize,
    in_flight: usize,
    peak: usize,
    hung_up: usize,
}

#[derive(Debug)]
struct Shared {
    scripts: HashMap<String, Vec<Answer>>,
    seen: Mutex<Seen>,
    changed: Condvar,
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Seen) -> T) -> T {
        let changed = change(&mut self.seen());
        self.changed.notify_all();
        changed
    }
}

/// A scripted server. Dropping it ends it and all its stalled responses.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Answers each path with its responses, one per request; the last is repeated. Other paths get
    /// a 404.
    pub fn start<'a>(routes: impl IntoIterator<Item = (&'a str, Vec<Answer>)>) -> Self {
        let scripts = routes.into_iter().map(|(path, answers)| (path.to_owned(), answers)).collect();
        let shared = Arc::new(Shared { scripts, seen: Mutex::default(), changed: Condvar::new() });
        let (stop, stopped) = watch::channel(false);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket that does not block");
        let address = listener.local_addr().expect("an address");
        let serving = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).expect("a listener");
                serve(listener, serving, stopped).await;
            });
        });
        Self { address, shared, stop, thread: Some(thread) }
    }

    /// Starts a server with one path.
    pub fn with(path: &str, answers: impl IntoIterator<Item = Answer>) -> Self {
        Self::start([(path, answers.into_iter().collect())])
    }

    /// Returns the URL of a path, which begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// All requests so far, in the order they came.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.seen().requests.clone()
    }

    /// The paths of all requests so far.
    pub fn paths(&self) -> Vec<String> {
        self.requests().into_iter().map(|request| request.path).collect()
    }

    /// The most requests that were in flight at the same time.
    pub fn peak(&self) -> usize {
        self.shared.seen().peak
    }

    /// How many connections were accepted.
    pub fn connections(&self) -> usize {
        self.shared.seen().connections
    }

    /// Waits until that many requests have arrived.
    pub fn wait_for_requests(&self, count: usize) {
        self.wait(|seen| seen.requests.len() >= count);
    }

    /// Waits until exactly that many requests are in flight.
    pub fn wait_for_in_flight(&self, count: usize) {
        self.wait(|seen| seen.in_flight == count);
    }

    /// Waits until that many clients have hung up before they had their response.
    pub fn wait_for_hung_up(&self, count: usize) {
        self.wait(|seen| seen.hung_up >= count);
    }

    fn wait(&self, until: impl Fn(&Seen) -> bool) {
        let give_up = Instant::now() + PATIENCE;
        let mut seen = self.shared.seen();
        while !until(&seen) {
            let left = give_up.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "it did not happen; the server has seen: {seen:#?}");
            seen = self.shared.changed.wait_timeout(seen, left).expect("no panic in the server").0;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            if !std::thread::panicking() {
                ended.expect("the server did not panic");
            }
        }
    }
}

/// Accepts connections until it is stopped; then every connection is dropped.
async fn serve(listener: TcpListener, shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = stopped.changed() => return,
            Ok((socket, _)) = listener.accept() => {
                let number = shared.change(|seen| { seen.connections += 1; seen.connections - 1 });
                // A client that goes away ends its connection: nothing to report.
                let shared = Arc::clone(&shared);
                connections.spawn(async move { drop(converse(socket, &shared, number).await) });
            }
            Some(ended) = connections.join_next() => ended.expect("no panic in a connection"),
        }
    }
}

/// Answers requests on one connection, until a response or the client ends it.
async fn converse(mut socket: TcpStream, shared: &Shared, connection: usize) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut rest = Vec::new();
    while let Some(request) = read_request(&mut socket, &mut rest, connection).await? {
        let answer = shared.change(|seen| {
            let earlier = seen.requests.iter().filter(|r| r.path == request.path).count();
            seen.requests.push(request.clone());
            seen.in_flight += 1;
            seen.peak = seen.peak.max(seen.in_flight);
            let script = shared.scripts.get(&request.path);
            script.and_then(|answers| answers.get(earlier).or(answers.last()).cloned())
        });
        let answer = answer.unwrap_or_else(|| Answer::status(404, "there is nothing here"));
        let answer = answer.to(request.header("range"), request.header("if-range"));
        let in_flight = InFlight(shared);
        perform(&mut socket, &answer, request.method == "HEAD", shared).await?;
        drop(in_flight);
        match answer.end {
            End::Keep if answer.framing != Framing::Close => {}
            End::Reset => return socket.set_zero_linger(),
            _ => return Ok(()),
        }
    }
    Ok(())
}

struct InFlight<'a>(&'a Shared);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.change(|seen| seen.in_flight -= 1);
    }
}

/// Sends a response, step by step.
async fn perform(socket: &mut TcpStream, answer: &Answer, head_only: bool, shared: &Shared) -> io::Result<()> {
    let mut head = Some(answer.head());
    for step in &answer.body {
        match step {
            Step::Wait(gate) | Step::Hold(gate) => {
                if let Some(head) = head.take_if(|_| matches!(step, Step::Wait(_))) {
                    socket.write_all(&head).await?;
                }
                tokio::select! {
                    () = gate.pass() => {}
                    () = gone(socket) => return hung_up(shared),
                }
            }
            Step::Send(bytes) => {
                let head = head.take().unwrap_or_default();
                if send(socket, &head, if head_only { &[] } else { bytes }, &answer.framing).await.is_err() {
                    return hung_up(shared);
                }
            }
        }
    }
    if let Some(head) = head {
        socket.write_all(&head).await?;
    }
    if answer.framing == Framing::Chunked && answer.end == End::Keep && !head_only {
        socket.write_all(b"0\r\n\r\n").await?;
    }
    if answer.end == End::Stall {
        gone(socket).await;
        return hung_up(shared);
    }
    Ok(())
}

async fn send(socket: &mut TcpStream, head: &[u8], bytes: &[u8], framing: &Framing) -> io::Result<()> {
    socket.write_all(head).await?;
    if *framing != Framing::Chunked || bytes.is_empty() {
        return socket.write_all(bytes).await;
    }
    socket.write_all(format!("{:x}\r\n", bytes.len()).as_bytes()).await?;
    socket.write_all(bytes).await?;
    socket.write_all(b"\r\n").await
}

/// Returns when the client has gone. What it sends meanwhile is discarded: no client here
/// pipelines.
async fn gone(socket: &mut TcpStream) {
    let mut buffer = [0; 1024];
    while matches!(socket.read(&mut buffer).await, Ok(1..)) {}
}

fn hung_up(shared: &Shared) -> io::Result<()> {
    shared.change(|seen| seen.hung_up += 1);
    Err(io::ErrorKind::BrokenPipe.into())
}

/// Reads the head of a request; `None` if the client is done. Requests have no body here.
async fn read_request(socket: &mut TcpStream, rest: &mut Vec<u8>, connection: usize) -> io::Result<Option<Request>> {
    let end = loop {
        if let Some(end) = rest.windows(4).position(|w| w == b"\r\n\r\n") {
            break end;
        }
        if socket.read_buf(rest).await? == 0 {
            return Ok(None);
        }
        // A client that speaks TLS to a plain server gets an error in plain HTTP, as other servers
        // do it.
        if rest[0] == 0x16 {
            socket.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").await?;
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&rest[..end]).into_owned();
    rest.drain(..end + 4);
    let mut lines = head.split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    Ok(Some(Request { method, path, headers, connection }))
}
