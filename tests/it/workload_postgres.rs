//! The database workload on a real PostgreSQL server, which the tests start themselves.
#![cfg(all(unix, feature = "postgres"))]

use crate::common::{PATIENCE, raudal};
use raudal::pool::{Event, EventKind, NoObserver, Observer};
use raudal::workload::{Database, DatabaseOptions, Workload, WorkloadRun};
use raudal::{Kind, Result};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use std::ffi::OsStr;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

pub(crate) const USER: &str = "rosario";
pub(crate) const PASSWORD: &str = "castellanos/1925";

/// A server in a temporary folder, on its own port. Dropping it ends the server before its folder
/// is removed.
pub(crate) struct Server {
    process: Process,
    port: u16,
    folder: TempDir,
}

struct Process(Child);

impl Process {
    /// "Immediate shutdown": the server and all its children end at once, as in a crash.
    fn quit(&self) {
        let pid = Pid::from_raw(self.0.id().try_into().expect("a process id")).expect("a process id");
        let _ = kill_process(pid, Signal::QUIT);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.quit();
        let _ = self.0.wait();
    }
}

/// Returns the folder of the server's programs: on the path, or where Debian and others put them.
fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders
        .extend(std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|e| e.path().join("bin")));
    folders.push("/usr/local/pgsql/bin".into());
    folders.into_iter().find(|folder| ["initdb", "postgres"].iter().all(|name| folder.join(name).is_file()))
}

/// Returns the user and group that run the server if we are root, because PostgreSQL refuses to run
/// as root.
fn unprivileged() -> Option<(u32, u32)> {
    if !geteuid().is_root() {
        return None;
    }
    let users = std::fs::read_to_string("/etc/passwd").expect("the users of the machine");
    let find = |name: &str| {
        let fields = users.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|fields| fields[0] == name)?;
        Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
    };
    Some(find("postgres").or_else(|| find("nobody")).expect("a user without privileges"))
}

fn command(program: PathBuf, user: Option<(u32, u32)>) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/").env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C").stdin(Stdio::null());
    if let Some((uid, gid)) = user {
        command.uid(uid).gid(gid);
    }
    command
}

impl Server {
    /// Starts a server; `None`, and a line on stderr, if it is not installed.
    pub(crate) async fn start() -> Option<Self> {
        let Some(programs) = programs() else {
            // Written past the capture of the test's output, so that the log shows it.
            let _ = writeln!(
                std::io::stderr(),
                "SKIPPED: PostgreSQL: no initdb and postgres on the path or in /usr/lib/postgresql/*/bin"
            );
            return None;
        };
        let user = unprivileged();
        let mut folder = tempfile::tempdir().expect("a temporary folder");
        let (data, secret) = (folder.path().join("data"), folder.path().join("secret"));
        std::fs::write(&secret, PASSWORD).expect("a file");
        if let Some((uid, gid)) = user {
            for path in [folder.path(), &secret] {
                std::os::unix::fs::chown(path, Some(uid), Some(gid)).expect("root may give away");
            }
        }
        let made = command(programs.join("initdb"), user)
            .args(["-U", USER, "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "--no-sync", "--pwfile"])
            .args([secret.as_os_str(), OsStr::new("-D"), data.as_os_str()])
            .output()
            .expect("initdb starts");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        // Another program may take the port before the server does: then try another one.
        for _ in 0..5 {
            let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port").port();
            let process = command(programs.join("postgres"), user)
                .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-c", "fsync=off", "-c", "max_connections=20"])
                .args([OsStr::new("-k"), folder.path().as_os_str(), OsStr::new("-D"), data.as_os_str()])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("postgres starts");
            let mut server = Self { process: Process(process), port, folder };
            if server.is_ready().await {
                return Some(server);
            }
            drop(server.process);
            folder = server.folder;
        }
        panic!("the server does not start: {}", data.display());
    }

    /// Waits until it answers; `false` if it ends before that.
    async fn is_ready(&mut self) -> bool {
        let give_up = Instant::now() + PATIENCE;
        while Instant::now() < give_up && self.process.0.try_wait().expect("its state").is_none() {
            if Database::open(self.options(1)).await.is_ok() {
                return true;
            }
            // The process cannot notify us, so poll.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        false
    }

    pub(crate) fn url(&self, password: &str, database: &str) -> String {
        format!("postgres://{USER}:{}@127.0.0.1:{}/{database}", password.replace('/', "%2F"), self.port)
    }

    fn options(&self, connections: usize) -> DatabaseOptions {
        let mut options = DatabaseOptions::default();
        options.url = Some(self.url(PASSWORD, "postgres"));
        options.queries = 12;
        options.latency = "uniform:0ms..3ms".parse().expect("a latency");
        options.connections = connections;
        options
    }
}

async fn run(database: &Database, jobs: usize) -> Result<WorkloadRun> {
    database.run(jobs, Arc::new(NoObserver), CancellationToken::new()).await
}

async fn refusal(options: DatabaseOptions) -> raudal::Error {
    Database::open(options).await.expect_err("a refusal")
}

#[tokio::test]
async fn queries_of_a_real_server_give_the_same_at_every_level() {
    let Some(server) = Server::start().await else { return };
    let database = Database::open(server.options(3)).await.expect("a database");
    let (one, many) = (run(&database, 1).await.expect("a run"), run(&database, 12).await.expect("a run"));
    assert_eq!((&one.digest, &one.parts, one.rows), (&many.digest, &many.parts, 12));
    let stages: Vec<&str> = many.jobs[11].stages.iter().map(|span| span.stage).collect();
    assert_eq!(stages, ["acquire", "query"]);
    let bound = database.limit().expect("a bound");
    assert!(bound.at_once == 3 && bound.why.contains("semaphore"), "{bound:?}");

    let finished = raudal(["compare", "database", "-j", "1,6", "-r", "2", "-w", "1", "--queries", "12"])
        .args(["--latency", "2ms", "--connections", "3", "--progress", "plain", "-v"])
        .env("RAUDAL_DATABASE", server.url(PASSWORD, "postgres"))
        .run();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let report = finished.text();
    assert!(report.contains("speed-up") && report.contains("at most 3 at work"), "{report}");
    for secret in [USER, "castellanos", "1925"] {
        assert!(!finished.stderr.contains(secret) && !report.contains(secret), "{} {report}", finished.stderr);
    }
}

#[tokio::test]
async fn what_a_real_server_refuses_is_named_with_its_cure_and_without_credentials() {
    let Some(server) = Server::start().await else { return };
    // This case comes first, while the server has connections to spare: those of the last case end
    // only when the server notices.
    let finished = raudal(["compare", "database", "--connections", "1"])
        .env("RAUDAL_DATABASE", server.url("nonsense", "postgres"))
        .run();
    assert_eq!((finished.code, finished.text()), (Some(5), ""), "{}", finished.stderr);
    assert!(!finished.stderr.contains("nonsense"), "{}", finished.stderr);

    let mut wrong = server.options(1);
    wrong.url = Some(server.url("not it", "postgres").replace(' ', "%20"));
    let mut nowhere = server.options(1);
    nowhere.url = Some(server.url(PASSWORD, "no_such_database"));
    let mut encrypted = server.options(1);
    encrypted.url = Some(server.url(PASSWORD, "postgres?sslmode=require"));
    for (options, kind, transient, words) in [
        (wrong, Kind::Connect, false, "rejects the user or the password"),
        (nowhere, Kind::Connect, false, "no_such_database"),
        (encrypted, Kind::Tls, false, "TLS connections to databases"),
        (server.options(100), Kind::Connect, true, "no connections left"),
    ] {
        let error = refusal(options).await;
        let report = error.report();
        assert_eq!((error.kind(), error.is_transient()), (kind, transient), "{report}");
        assert!(report.contains(words) && report.contains(&server.port.to_string()), "{report}");
        assert!(error.hint_text().is_some(), "{report}");
        assert!(
            ![USER, "castellanos", "not it"].iter().any(|secret| format!("{error:?}").contains(secret)),
            "{report}"
        );
    }
}

#[tokio::test]
async fn a_query_that_is_too_slow_is_named_and_the_pool_goes_on() {
    let Some(server) = Server::start().await else { return };
    let mut options = server.options(2);
    options.latency = Duration::from_secs(3600).into();
    // Long enough for the small statements before the query, even on a busy machine.
    options.timeout = Duration::from_secs(2);
    let database = Database::open(options).await.expect("a database");
    for _ in 0..2 {
        let error = run(&database, 4).await.expect_err("a time-out");
        assert_eq!(error.kind(), Kind::Timeout, "{}", error.report());
        assert!(error.to_string().contains("query") && error.to_string().contains("2.00 s"), "{}", error.report());
    }
}

/// Notifies when a query has been sent.
#[derive(Default)]
struct Asked(Notify);

impl Observer for Asked {
    fn observe(&self, event: &Event<'_>) {
        if let EventKind::Stage { stage: "query", .. } = &event.kind {
            self.0.notify_one();
        }
    }
}

#[tokio::test]
async fn a_server_that_dies_half_way_is_an_error_and_no_result() {
    let Some(server) = Server::start().await else { return };
    let mut options = server.options(2);
    options.latency = Duration::from_secs(3600).into();
    let database = Database::open(options).await.expect("a database");
    let asked = Arc::new(Asked::default());
    let (done, ()) =
        tokio::join!(database.run(2, Arc::clone(&asked) as Arc<dyn Observer>, CancellationToken::new()), async {
            asked.0.notified().await;
            server.process.quit();
        });
    let error = done.expect_err("no result");
    assert_eq!((error.kind(), error.is_transient()), (Kind::Reset, true), "{}", error.report());
    assert!(error.hint_text().is_some());
}

#[tokio::test]
async fn a_server_that_never_says_a_word_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = silent.local_addr().expect("its address").port();
    let mut options = DatabaseOptions::default();
    options.url = Some(format!("postgres://{USER}:secret@127.0.0.1:{port}/x?connect_timeout=1"));
    let error = refusal(options).await;
    assert_eq!((error.kind(), error.hint_text().is_some()), (Kind::Timeout, true), "{}", error.report());
}
