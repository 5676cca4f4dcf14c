//! A machine that has little to give, or takes it away: said, and nothing half-done.

use super::{ended, folder, table};
use crate::common::{Answer, Finished, Gate, Server, noise, raudal};
use std::process::Command;

/// The program, after a shell has set limits.
#[cfg(unix)]
fn limited<A: AsRef<std::ffi::OsStr>>(limits: &str, arguments: impl IntoIterator<Item = A>) -> Finished {
    let output = Command::new("sh")
        .args(["-c", &format!("{limits}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_raudal")])
        .args(arguments)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .output()
        .expect("a shell");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    Finished { code: output.status.code(), stdout: output.stdout, stderr }
}

#[cfg(unix)]
#[test]
fn where_few_files_may_be_open_fewer_transfers_run_and_it_is_said() {
    let folder = folder();
    let paths: Vec<String> = (1..=32).map(|n| format!("/{n}.csv")).collect();
    let routes = paths.iter().enumerate().map(|(n, path)| (path.as_str(), vec![Answer::ok(format!("n\n{}\n", n + 1))]));
    let server = Server::start(routes);
    let url = format!("{}[1-32].csv", server.url("/"));
    let expected: String = std::iter::once("n\n".to_owned()).chain((1..=32).map(|n| format!("{n}\n"))).collect();
    let says = "warning: at most 1 at once in place of 32, as only 24 files may be open (ulimit -n)";
    let finished = limited("ulimit -n 24", ["table", url.as_str(), "-j", "32", "--no-netrc"]);
    ended(&finished, 0, &[says]);
    assert_eq!(finished.text(), expected);
    let output = folder.path().join("out.csv");
    let to = output.to_str().expect("UTF-8");
    ended(&limited("ulimit -n 24", ["table", url.as_str(), "-j", "32", "--no-netrc", "-o", to]), 0, &[says]);
    assert_eq!(super::read(&output), expected);
    let dir = folder.path().join("files");
    let to = dir.to_str().expect("UTF-8");
    ended(&limited("ulimit -n 24", ["get", url.as_str(), "-j", "32", "--no-netrc", "-d", to]), 0, &[says]);
    assert_eq!(std::fs::read_dir(&dir).expect("a folder").count(), 32);
    // A soft limit alone is raised.
    let finished = limited("ulimit -S -n 24", ["table", url.as_str(), "-j", "32", "--no-netrc"]);
    ended(&finished, 0, &[]);
    assert_eq!(finished.text(), expected);
    assert!(!finished.stderr.contains("ulimit"), "{}", finished.stderr);
    let iter = ["iter", "--mirror", "embedded", "--scale", "0.01", "-j", "32", "--no-netrc"];
    let finished = limited("ulimit -n 24", iter);
    ended(&finished, 0, &[says]);
    assert_eq!(finished.text().lines().count(), 33);
}

#[cfg(unix)]
#[test]
fn a_disk_that_fills_up_under_a_transfer_is_named_and_nothing_is_left() {
    let folder = folder();
    let big = format!("n\n{}", "12345678\n".repeat(100_000));
    let server = Server::start([("/a.csv", vec![Answer::ok(&big)]), ("/a.bin", vec![Answer::ok(noise(2_000_000))])]);
    // SIGXFSZ would end the program; when it is ignored, writing fails as on a full disk.
    let full = "trap '' XFSZ; ulimit -f 64";
    let to = folder.path().join("files");
    let dir = to.to_str().expect("UTF-8");
    let finished = limited(full, ["get", &server.url("/a.bin"), "--no-netrc", "--retries", "0", "-d", dir]);
    ended(&finished, 8, &["cannot write", "a.bin"]);
    assert_eq!(std::fs::read_dir(&to).expect("a folder").count(), 0);
    let output = folder.path().join("out.csv");
    let path = output.to_str().expect("UTF-8");
    let finished = limited(full, ["table", &server.url("/a.csv"), "--no-netrc", "--retries", "0", "-o", path]);
    ended(&finished, 8, &["a.csv", "in a temporary file", "TMPDIR"]);
    assert!(!output.exists());
}

#[test]
fn a_folder_that_vanishes_is_an_error_and_not_a_table() {
    let folder = folder();
    let gone = folder.path().join("gone");
    std::fs::create_dir(&gone).expect("a folder");
    let gate = Gate::new();
    let server = Server::with("/a.csv", [Answer::ok("a\n1\n").behind(&gate)]);
    let program = table([server.url("/a.csv").as_str(), "-o"]).arg(gone.join("out.csv"));
    let running = std::thread::spawn(|| program.run());
    server.wait_for_requests(1);
    std::fs::remove_dir_all(&gone).expect("removed");
    gate.open();
    let finished = running.join().expect("a run");
    ended(&finished, 8, &["out.csv"]);
    assert!(!gone.exists());
}

#[test]
fn of_ten_thousand_inputs_the_good_half_comes_and_the_bad_half_is_named() {
    let folder = folder();
    let again = folder.path().join("again.txt");
    let paths: Vec<String> = (1..=10_000).step_by(2).map(|n| format!("/{n}.csv")).collect();
    let server = Server::start(paths.iter().map(|path| {
        let n = path.trim_start_matches('/').trim_end_matches(".csv");
        (path.as_str(), vec![Answer::ok(format!("n\n{n}\n"))])
    }));
    let url = format!("{}[1-10000].csv", server.url("/"));
    let finished = raudal(["table", url.as_str(), "-j", "16", "--progress", "none", "--failed-to"]).arg(&again).run();
    ended(&finished, 3, &["404", "and 4,980 more", "5,000 of 10,000 inputs failed"]);
    let rows: Vec<usize> = finished.text().lines().skip(1).map(|line| line.parse().expect("a number")).collect();
    assert!(rows.iter().copied().eq((1..=10_000).step_by(2)), "each good one, in its place");
    assert_eq!(super::read(&again).lines().count(), 5_000);
    assert_eq!(server.requests().len(), 10_000, "each is asked for once");
    assert!(server.peak() <= 16);
}
