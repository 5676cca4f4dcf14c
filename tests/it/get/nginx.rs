//! The same promises with a server that others wrote: nginx, which the tests start themselves in
//! their own folder. If it is not installed, a line on stderr says so.

use super::{ALONE, get, names, read, sha256};
use crate::common::{Finished, PATIENCE, Proxy, authority, noise, raudal, zip};
use std::fs::{self, File};
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

const LENGTH: usize = 600_000;
const KEPT: usize = 300_000;

/// A server of these files, on three ports of its own: plain, TLS, and TLS with HTTP/2. Dropping it
/// ends it.
struct Nginx {
    process: Child,
    ports: [u16; 3],
    folder: TempDir,
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // A single process without a master: nothing of it remains.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.extend(["/usr/sbin", "/usr/local/sbin", "/usr/local/nginx/sbin"].map(PathBuf::from));
    folders.into_iter().map(|folder| folder.join("nginx")).find(|program| program.is_file())
}

impl Nginx {
    fn start(files: &[(&str, &[u8])]) -> Option<Self> {
        let Some(program) = program() else {
            // Written past the capture of the test's output, so that the log shows it.
            let _ = writeln!(std::io::stderr(), "SKIPPED: nginx: not on the path, nor in /usr/sbin");
            return None;
        };
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(folder.path().join("www")).expect("a folder");
        let at = |name: &str| folder.path().join("www").join(name);
        for (name, bytes) in files {
            put(&at(name), bytes, 100_000);
        }
        // Another program may take a port before the server does: then try other ones.
        for _ in 0..5 {
            let ports = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
            let ports = ports.map(|free| free.local_addr().expect("an address").port());
            fs::write(folder.path().join("nginx.conf"), configuration(folder.path(), ports)).expect("a file");
            let mut process = Command::new(&program)
                .args(["-p", &folder.path().display().to_string(), "-c", "nginx.conf", "-e", "error.log"])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .expect("nginx starts");
            if is_ready(&mut process, ports[2]) {
                return Some(Self { process, ports, folder });
            }
            let _ = process.kill();
            let _ = process.wait();
        }
        panic!("nginx does not start: {}", String::from_utf8_lossy(&read(folder.path().join("error.log"))));
    }

    fn address(&self, port: usize) -> SocketAddr {
        ([127, 0, 0, 1], self.ports[port]).into()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join("www").join(name)
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address(0))
    }

    /// Returns the log of its responses: protocol, status, range.
    fn log(&self) -> Vec<String> {
        let log = String::from_utf8(read(self.folder.path().join("access.log"))).expect("text");
        log.lines().map(str::to_owned).collect()
    }
}

fn configuration(folder: &Path, ports: [u16; 3]) -> String {
    let tls = authority().parent().expect("a folder").display().to_string();
    let here = folder.display();
    let [plain, secure, second] = ports;
    format!(
        r"
daemon off; master_process off; pid {here}/nginx.pid; error_log {here}/error.log;
events {{ worker_connections 256; }}
http {{
    log_format asked '$server_protocol $status $http_range';
    access_log {here}/access.log asked;
    client_body_temp_path {here}/body; proxy_temp_path {here}/proxy; fastcgi_temp_path {here}/fastcgi;
    uwsgi_temp_path {here}/uwsgi; scgi_temp_path {here}/scgi;
    limit_conn_zone $server_name zone=one:1m;
    limit_conn_status 503;
    root {here}/www;
    ssl_certificate {tls}/server.pem; ssl_certificate_key {tls}/server.key;
    server {{
        listen 127.0.0.1:{plain}; server_name plain;
        location /dated/ {{ alias {here}/www/; etag off; }}
        location /slow/ {{ alias {here}/www/; limit_rate 2m; }}
        location /few/ {{ alias {here}/www/; limit_conn one 1; limit_rate 4m; }}
    }}
    server {{ listen 127.0.0.1:{secure} ssl; }}
    server {{ listen 127.0.0.1:{second} ssl http2; }}
}}
"
    )
}

/// Waits until it listens; `false` if it ends before that.
fn is_ready(process: &mut Child, port: u16) -> bool {
    let give_up = std::time::Instant::now() + PATIENCE;
    while std::time::Instant::now() < give_up && process.try_wait().expect("its state").is_none() {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return true;
        }
        // The process cannot notify us, so poll.
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}

/// Writes a file with a modification time this many seconds ago. A date counts as a strong
/// validator only after a while.
fn put(path: &Path, bytes: &[u8], seconds: u64) {
    fs::write(path, bytes).expect("a file");
    let file = File::options().write(true).open(path).expect("a file");
    #[expect(clippy::disallowed_methods, reason = "the time of a file is a date")]
    let now = SystemTime::now();
    file.set_modified(now - Duration::from_secs(seconds)).expect("a time");
}

fn done(finished: &Finished, code: i32) {
    assert_eq!(finished.code, Some(code), "{}", finished.stderr);
}

#[test]
fn a_transfer_that_breaks_off_goes_on_by_tag_and_by_date_within_a_run_and_in_the_next() {
    let file = noise(LENGTH);
    let Some(nginx) = Nginx::start(&[("a.bin", &file)]) else { return };
    for path in ["/a.bin", "/dated/a.bin"] {
        let folder = tempfile::tempdir().expect("a folder");
        let before = nginx.log().len();
        // Two connections break off, the third does not.
        let proxy = Proxy::breaking(nginx.address(0), [KEPT, 200_000], 10_000);
        done(&get(folder.path(), [proxy.url(path)]).args(ALONE).run(), 0);
        assert!(read(folder.path().join("a.bin")) == file, "{path}");
        let log = nginx.log().split_off(before);
        assert_eq!((log.len(), log.iter().filter(|line| line.contains("206 bytes=")).count()), (3, 2), "{log:?}");

        let folder = tempfile::tempdir().expect("a folder");
        let proxy = Proxy::breaking(nginx.address(0), [KEPT], 10_000);
        let run = || get(folder.path(), [proxy.url(path).as_str(), "-c", "--retries", "0"]).args(ALONE).run();
        done(&run(), 6);
        done(&run(), 0);
        assert!(read(folder.path().join("a.bin")) == file && names(folder.path()) == ["a.bin"], "{path}");
        assert!(nginx.log().last().is_some_and(|line| line.contains("206 bytes=")), "{:?}", nginx.log());
    }
}

#[test]
fn a_file_that_changed_in_between_is_fetched_anew_and_one_that_is_whole_is_asked_after() {
    let (old, new) = (noise(LENGTH), noise(LENGTH + 7).split_off(7));
    let Some(nginx) = Nginx::start(&[("a.bin", &old), ("b.bin", &old)]) else { return };
    for path in ["/a.bin", "/dated/a.bin"] {
        put(&nginx.file("a.bin"), &old, 100_000);
        let folder = tempfile::tempdir().expect("a folder");
        let proxy = Proxy::breaking(nginx.address(0), [KEPT], 10_000);
        let run = || get(folder.path(), [proxy.url(path).as_str(), "-c", "--retries", "0"]).args(ALONE).run();
        done(&run(), 6);
        // The same length, but another time.
        put(&nginx.file("a.bin"), &new, 50_000);
        done(&run(), 0);
        assert!(read(folder.path().join("a.bin")) == new, "{path}: not a byte of the old one");
        assert!(nginx.log().last().is_some_and(|line| line.contains("200 bytes=")), "{:?}", nginx.log());
    }

    let folder = tempfile::tempdir().expect("a folder");
    let proxy = Proxy::breaking(nginx.address(0), [KEPT], 10_000);
    let run = || get(folder.path(), [proxy.url("/b.bin").as_str(), "-c", "--retries", "0"]).args(ALONE).run();
    done(&run(), 6);
    let [part, sidecar] = [0, 1].map(|at| folder.path().join(&names(folder.path())[at]));
    fs::write(part, &old).expect("a file");
    let mut said: serde_json::Value = serde_json::from_slice(&read(&sidecar)).expect("JSON");
    (said["received"], said["sha256"]) = (LENGTH.into(), sha256(&old).into());
    fs::write(sidecar, said.to_string()).expect("a file");
    done(&run(), 0);
    assert!(read(folder.path().join("b.bin")) == old && names(folder.path()) == ["b.bin"]);
    assert!(nginx.log().last().is_some_and(|line| line.contains("416 bytes=600000-")), "{:?}", nginx.log());
}

#[test]
fn over_tls_it_is_the_same_also_where_the_server_would_rather_speak_http_2() {
    let file = noise(LENGTH);
    let Some(nginx) = Nginx::start(&[("a.bin", &file)]) else { return };
    for port in [1, 2] {
        let folder = tempfile::tempdir().expect("a folder");
        let direct = format!("https://{}/a.bin", nginx.address(port));
        done(&get(folder.path(), [direct]).run(), 5);
        let (proxy, before) = (Proxy::breaking(nginx.address(port), [KEPT], 10_000), nginx.log().len());
        let url = proxy.url("/a.bin").replace("http://", "https://");
        done(&get(folder.path(), [url.as_str(), "--cacert"]).arg(authority()).args(ALONE).run(), 0);
        assert!(read(folder.path().join("a.bin")) == file);
        let log = nginx.log().split_off(before);
        let answers: Vec<&str> = log.iter().filter_map(|line| line.split(" bytes=").next()).collect();
        assert_eq!(answers, ["HTTP/1.1 200 -", "HTTP/1.1 206"]);
    }
    // HTTP/2 is used if it is requested and the server offers it.
    for (port, protocol) in [(1, "HTTP/1.1"), (2, "HTTP/2.0")] {
        let folder = tempfile::tempdir().expect("a folder");
        let (proxy, before) = (Proxy::breaking(nginx.address(port), [KEPT], 10_000), nginx.log().len());
        let url = proxy.url("/a.bin").replace("http://", "https://");
        done(&get(folder.path(), [url.as_str(), "--http2", "--cacert"]).arg(authority()).args(ALONE).run(), 0);
        assert!(read(folder.path().join("a.bin")) == file);
        let log = nginx.log().split_off(before);
        assert!(log.iter().all(|line| line.starts_with(protocol)), "{log:?}");
        assert!(log.last().is_some_and(|line| line.contains(" 206 bytes=")), "{log:?}");
    }
}

#[test]
fn a_server_that_lets_few_in_and_is_slow_is_waited_for() {
    // Data that does not compress makes the transfer slow.
    let mut file = vec![0; LENGTH];
    fastrand::Rng::with_seed(1).fill(&mut file);
    let archive = |n: u8| zip([("a.csv", format!("n\n{n}\n").as_bytes()), ("noise", &file[usize::from(n)..])]);
    let archives: Vec<(String, Vec<u8>)> = (0..6).map(|n| (format!("{n}.zip"), archive(n))).collect();
    let files: Vec<(&str, &[u8])> = archives.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())).collect();
    let Some(nginx) = Nginx::start(&files) else { return };
    // More requests arrive at once than it accepts: it answers the others with 503.
    let patient = ["--retries", "1000", "-j", "6"];
    let folder = tempfile::tempdir().expect("a folder");
    done(&get(folder.path(), [nginx.url("/few/[0-5].zip")]).args(patient).run(), 0);
    for (name, bytes) in &files {
        assert!(read(folder.path().join(name)) == **bytes, "{name}");
    }
    let finished = raudal(["table", "-q", "--member", "a.csv", &nginx.url("/few/[0-5].zip")])
        .args(["--retry-delay", "1ms"])
        .args(patient)
        .run();
    done(&finished, 0);
    assert_eq!(finished.text(), "n\n0\n1\n2\n3\n4\n5\n");
    let finished = raudal(["table", "-q", "--member", "a.csv", &nginx.url("/slow/[0-5].zip")]).run();
    assert_eq!((finished.code, finished.text()), (Some(0), "n\n0\n1\n2\n3\n4\n5\n"), "{}", finished.stderr);
    println!("{} answers of 503", nginx.log().iter().filter(|line| line.contains(" 503 ")).count());
}
