//! A machine whose limits or permissions are tight: the program says so and leaves nothing
//! unfinished.

use super::{ended, folder, table, write};
use crate::common::{Answer, Finished, Gate, Server, noise, raudal};
use std::process::Command;

/// Runs the program with limits that a shell has set.
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
    let says = " at once instead of 32, because only 24 files may be open (ulimit -n)";
    let finished = limited("ulimit -n 24", ["table", url.as_str(), "-j", "32", "--no-netrc"]);
    ended(&finished, 0, &[says]);
    let (before, _) = finished.stderr.split_once(says).expect("the warning");
    let most: usize = before.rsplit(' ').next().and_then(|most| most.parse().ok()).expect("a number");
    assert!((4..=8).contains(&most) && server.peak() <= most, "{most}: {}", finished.stderr);
    assert_eq!(finished.text(), expected);
    let output = folder.path().join("out.csv");
    let to = output.to_str().expect("UTF-8");
    ended(&limited("ulimit -n 24", ["table", url.as_str(), "-j", "32", "--no-netrc", "-o", to]), 0, &[says]);
    assert_eq!(super::read(&output), expected);
    let dir = folder.path().join("files");
    let to = dir.to_str().expect("UTF-8");
    ended(&limited("ulimit -n 24", ["get", url.as_str(), "-j", "32", "--no-netrc", "-d", to]), 0, &[says]);
    assert_eq!(std::fs::read_dir(&dir).expect("a folder").count(), 32);
    // If only the soft limit is low, the program raises it.
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
    // SIGXFSZ would end the program. If it is ignored, writing fails as on a full disk.
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
fn a_condition_of_the_machine_stops_a_run_once_with_one_message() {
    let folder = folder();
    let files = folder.path().join("files");
    let gate = Gate::new();
    let paths: Vec<String> = (1..=20).map(|n| format!("/{n}.bin")).collect();
    let routes = paths.iter().enumerate().map(|(n, path)| {
        let answer = Answer::ok("1");
        (path.as_str(), vec![if n == 1 { answer.behind(&gate) } else { answer }])
    });
    let server = Server::start(routes);
    let failed = folder.path().join("failed");
    let finished = std::thread::scope(|scope| {
        // Nothing can be written to a folder that is a file.
        scope.spawn(|| {
            server.wait_for_requests(2);
            std::fs::remove_dir_all(&files).expect("the folder");
            std::fs::write(&files, "a file").expect("a file");
            gate.open();
        });
        let url = server.url("/[1-20].bin");
        raudal(["get", &url, "-j1", "--progress", "none", "--no-netrc", "-d"])
            .arg(&files)
            .arg("--failed-to")
            .arg(&failed)
            .run()
    });
    ended(&finished, 8, &["cannot create the folder", "19 of 20 inputs not done"]);
    assert_eq!(finished.stderr.matches("cannot create the folder").count(), 1, "{}", finished.stderr);
    assert!(server.paths().len() <= 2, "{:?}", server.paths());
    assert_eq!(super::read(&failed).lines().count(), 19);
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_many_short_files_fill_up_is_named_once_and_what_is_on_it_is_whole() {
    let Some(small) = crate::out_conditions::Small::mount() else {
        eprintln!("skipped: no small file system can be made here");
        return;
    };
    let paths: Vec<String> = (0..30).map(|n| format!("/{n}.bin")).collect();
    let file = noise(5000);
    let server = Server::start(paths.iter().map(|path| (path.as_str(), vec![Answer::ok(&file)])));
    let failed = folder();
    let list = failed.path().join("failed");
    let url = server.url("/[0-29].bin");
    let finished = raudal(["get", &url, "-j8", "--progress", "none", "-d"])
        .arg(small.0.path())
        .arg("--failed-to")
        .arg(&list)
        .run();
    ended(&finished, 8, &["cannot write", "of 30 inputs not done"]);
    assert_eq!(finished.stderr.matches("cannot write").count(), 1, "{}", finished.stderr);
    let rest = super::read(&list);
    let is_left = |path: &String| rest.lines().any(|line| line.contains(path));
    let names = std::fs::read_dir(small.0.path()).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    let names: Vec<String> = names.map(|name| format!("/{}", name.to_string_lossy())).collect();
    assert!(!names.is_empty() && paths.iter().all(|path| names.contains(path) || is_left(path)), "{names:?}: {rest}");
    for name in names {
        let is_whole = std::fs::read(small.0.path().join(&name[1..])).expect("a file") == file;
        assert!(is_whole && paths.contains(&name), "{name}");
    }
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
fn a_result_that_cannot_take_its_name_is_an_error_and_the_next_run_puts_it_right() {
    for (command, option) in [("table", "-o"), ("get", "-d")] {
        let folder = folder();
        let output = folder.path().join("out.csv");
        let gate = Gate::new();
        let answer = || Answer::ok("a\n1\n");
        let server = Server::with("/out.csv", [answer().behind(&gate), answer()]);
        let to = if command == "table" { output.as_os_str() } else { folder.path().as_os_str() };
        let run = || raudal([command, server.url("/out.csv").as_str(), "--retries", "0", option]).arg(to);
        let program = run();
        let running = std::thread::spawn(|| program.run());
        server.wait_for_requests(1);
        std::fs::create_dir_all(output.join("in the way")).expect("a folder");
        gate.open();
        ended(&running.join().expect("a run"), 8, &["out.csv"]);
        assert!(output.join("in the way").is_dir());
        std::fs::remove_dir_all(&output).expect("removed");
        ended(&run().run(), 0, &[]);
        assert_eq!(super::read(&output), "a\n1\n");
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 1, "{command}: nothing else is left");
    }
}

/// Returns the program without root's right to write everywhere. `None` if that is not possible.
#[cfg(target_os = "linux")]
fn unprivileged(folder: &std::path::Path) -> Option<Command> {
    if std::fs::write(folder.join("probe"), "").is_err() {
        return Some(Command::new(env!("CARGO_BIN_EXE_raudal")));
    }
    std::fs::remove_file(folder.join("probe")).expect("removed");
    let mut command = Command::new("setpriv");
    command.arg("--bounding-set=-dac_override");
    let works = command.args(["test", "-w", "/"]).output().is_ok_and(|output| output.stderr.is_empty());
    let mut command = Command::new("setpriv");
    command.args(["--bounding-set=-dac_override", env!("CARGO_BIN_EXE_raudal")]);
    works.then_some(command)
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_without_permission_is_named_and_stays_as_it_was() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let closed = folder.path().join("closed");
    std::fs::create_dir(&closed).expect("a folder");
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o555)).expect("ours");
    let server = Server::with("/a.csv", (0..9).map(|_| Answer::ok("a\n1\n").header("ETag", "\"1\"")));
    let url = server.url("/a.csv");
    let (output, list) = (closed.join("out.csv"), closed.join("again.txt"));
    let (output, list) = (output.to_str().expect("UTF-8"), list.to_str().expect("UTF-8"));
    let dir = closed.to_str().expect("UTF-8");
    let missing = server.url("/missing.csv");
    for (arguments, code, says) in [
        (vec!["table", &url, "-o", output], 8, output),
        (vec!["get", &url, "-d", dir], 8, dir),
        (vec!["get", &url, "-c", "-d", dir], 8, dir),
        (vec!["table", &missing, "--failed-to", list], 8, list),
        (vec!["table", &url, "--report", list], 8, list),
        (vec!["table", &url, "--lock", list], 8, list),
        // The cache is optional: if nothing can be stored, the program says so and goes on.
        (vec!["table", &url, "--cache", "--cache-dir", dir], 0, dir),
    ] {
        let Some(mut command) = unprivileged(&closed) else {
            let said = "SKIPPED: no permission: this user may write everywhere, and there is no setpriv";
            let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{said}\n").as_bytes());
            return;
        };
        let done = command.args(&arguments).args(["--no-netrc", "--retries", "0"]).output().expect("it runs");
        let stderr = String::from_utf8_lossy(&done.stderr).into_owned();
        let finished = Finished { code: done.status.code(), stdout: done.stdout, stderr };
        ended(&finished, code, &[says, "ermission"]);
        assert_eq!(std::fs::read_dir(&closed).expect("a folder").count(), 0, "{arguments:?}");
    }
}

#[test]
fn whoever_reads_the_output_may_stop_reading() {
    let folder = folder();
    let big = write(&folder, "a.csv", format!("n\n{}", "12345678\n".repeat(100_000)));
    let mut child = Command::new(env!("CARGO_BIN_EXE_raudal"))
        .args(["table", "--no-netrc", "--progress", "none"])
        .arg(&big)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut line = String::new();
    let mut stdout = std::io::BufReader::new(child.stdout.take().expect("a pipe"));
    std::io::BufRead::read_line(&mut stdout, &mut line).expect("a line");
    assert_eq!(line, "n\n");
    drop(stdout);
    let done = child.wait_with_output().expect("it ends");
    let finished = Finished {
        code: done.status.code(),
        stdout: Vec::new(),
        stderr: String::from_utf8_lossy(&done.stderr).into_owned(),
    };
    ended(&finished, 0, &[]);
    assert!(!finished.stderr.contains("error"), "{}", finished.stderr);
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
