//! What can happen to an output, in every format: a full disk, a killed run, two runs at once, a place that cannot be
//! written. Nothing half-done has the final name, nothing that is left stops the next run, and that run cleans it up.

use crate::common::{Answer, Gate, Server, raudal};
use crate::out::names;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A file of each format that this build writes.
const OUTPUTS: &[&str] = &[
    "out.csv",
    "out.tsv",
    "out.jsonl",
    "out.json",
    "out.csv.gz",
    "out.jsonl.gz",
    #[cfg(feature = "formats")]
    "out.csv.zst",
    #[cfg(feature = "parquet")]
    "out.parquet",
    #[cfg(feature = "arrow")]
    "out.arrow",
    #[cfg(feature = "sqlite")]
    "out.sqlite",
];

/// Rows that no format makes small.
fn rows(count: usize) -> String {
    let mut cells = vec![0; count * 8];
    fastrand::Rng::with_seed(7).fill(&mut cells);
    let row = |bytes: &[u8]| format!("{:016x},x\n", bytes.iter().fold(0_u64, |all, byte| all << 8 | u64::from(*byte)));
    "key,n\n".to_owned() + &cells.chunks(8).map(row).collect::<String>()
}

fn read(folder: &Path, name: &str) -> Vec<u8> {
    fs::read(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Writes the table of these sources without disturbance. Returns the bytes of the output.
fn undisturbed(sources: &[&str], output: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let finished = raudal(["table", "-q", "-o", output]).args(sources).in_folder(folder.path()).run();
    assert_eq!(finished.code, Some(0), "{output}: {}", finished.stderr);
    read(folder.path(), output)
}

/// Runs the program below a shell that has run this line. Returns the exit code and what was said.
#[cfg(unix)]
fn below(line: &str, folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new("sh")
        .args(["-c", &format!("{line}; exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_raudal")])
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("a shell");
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[cfg(unix)]
#[test]
fn a_file_that_may_not_grow_is_an_error_and_nothing_stays() {
    let folder = tempfile::tempdir().expect("a folder");
    let input = tempfile::tempdir().expect("a folder");
    let source = input.path().join("in.csv");
    fs::write(&source, rows(5_000)).expect("a file");
    let source = source.to_str().expect("text");
    for output in OUTPUTS {
        // 8 KiB of each file: as a full disk, but for this process alone.
        let run = below("trap '' XFSZ; ulimit -f 16", folder.path(), &["table", source, "-q", "-o", output]);
        assert_eq!(run.0, Some(8), "{output}: {}", run.1);
        assert!(run.1.contains(output) && run.1.starts_with("error: "), "{output}: {}", run.1);
        assert!(names(folder.path()).is_empty(), "{output}: {:?}", names(folder.path()));
        let finished = raudal(["table", source, "-q", "-o", output]).in_folder(folder.path()).run();
        assert_eq!(finished.code, Some(0), "{output}: {}", finished.stderr);
        // What is there stays as it is.
        let before = read(folder.path(), output);
        let replacing = &["table", source, "-q", "-o", output, "--overwrite", "--select", "n,key"];
        let run = below("trap '' XFSZ; ulimit -f 16", folder.path(), replacing);
        assert_eq!(run.0, Some(8), "{output}: {}", run.1);
        assert!(names(folder.path()) == [*output] && read(folder.path(), output) == before, "{output}");
        fs::remove_file(folder.path().join(output)).expect("the output");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_device_that_is_full_is_an_error_in_every_format() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("in.csv"), rows(5_000)).expect("a file");
    for output in OUTPUTS.iter().filter(|output| !output.ends_with("sqlite")) {
        let format = output.split_once('.').expect("an ending").1;
        let run = ["table", "in.csv", "-q", "-o", "/dev/full", "--format", format];
        let finished = raudal(run).in_folder(folder.path()).run();
        assert_eq!(finished.code, Some(8), "{format}: {}", finished.stderr);
        for words in ["/dev/full", "cannot write", "No space left"] {
            assert!(finished.stderr.contains(words), "{format}: {}", finished.stderr);
        }
    }
}

/// A file system of 64 KiB. Only root can make one.
#[cfg(target_os = "linux")]
pub(crate) struct Small(pub(crate) tempfile::TempDir);

#[cfg(target_os = "linux")]
impl Small {
    pub(crate) fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(folder.path()).stderr(Stdio::null());
        mount.status().is_ok_and(|status| status.success()).then_some(Self(folder))
    }
}

#[cfg(target_os = "linux")]
impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_is_full_is_named_and_nothing_stays_on_it() {
    let Some(small) = Small::mount() else {
        eprintln!("skipped: no small file system can be made here");
        return;
    };
    let (folder, input) = (small.0.path(), tempfile::tempdir().expect("a folder"));
    let source = input.path().join("in.csv");
    fs::write(&source, rows(12_000)).expect("a file");
    for output in OUTPUTS {
        let finished = raudal(["table", source.to_str().expect("text"), "-o", output]).in_folder(folder).run();
        assert_eq!(finished.code, Some(8), "{output}: {}", finished.stderr);
        let is_said = ["No space left", "is full"].iter().any(|words| finished.stderr.contains(words));
        assert!(is_said && finished.stderr.contains(output), "{output}: {}", finished.stderr);
        assert!(names(folder).is_empty(), "{output}: {:?}", names(folder));
    }
}

/// Starts a run, and waits until its first input is done.
pub(crate) fn begun(folder: &Path, arguments: &[&str]) -> Child {
    let mut child = Command::new(env!("CARGO_BIN_EXE_raudal"))
        .arg("table")
        .args(arguments)
        .args(["--progress", "json"])
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("\"job_finished\"")), "an input is read");
    // Nobody reads on, but the pipe must stay open.
    std::thread::spawn(move || lines.for_each(drop));
    child
}

#[test]
fn a_killed_run_leaves_no_half_table_and_the_next_one_cleans_up() {
    let (first, second) = (rows(500), rows(300));
    for output in OUTPUTS {
        let gate = Gate::new();
        let server = Server::start([
            ("/1.csv", vec![Answer::ok(&first)]),
            ("/2.csv", vec![Answer::ok(&second).behind(&gate), Answer::ok(&second)]),
        ]);
        let sources = server.url("/[1-2].csv");
        let folder = tempfile::tempdir().expect("a folder");
        let mut child = begun(folder.path(), &[&sources, "-o", output]);
        child.kill().expect("it runs");
        child.wait().expect("it has ended");
        assert!(!folder.path().join(output).exists(), "{output}: {:?}", names(folder.path()));
        let left = names(folder.path());
        let is_ours = |name: &String| name.starts_with(".raudal-out") || *name == format!("{output}.partials");
        assert!(left.iter().all(is_ours), "{output}: {left:?}");
        let finished = raudal(["table", "-q", &sources, "-o", output]).in_folder(folder.path()).run();
        gate.open();
        assert_eq!(finished.code, Some(0), "{output}: {}", finished.stderr);
        assert_eq!(names(folder.path()), [*output], "the next run cleans up");
        assert!(read(folder.path(), output) == undisturbed(&[&sources], output), "{output}");
    }
}

#[test]
fn a_killed_run_leaves_an_existing_output_as_it_was() {
    for output in OUTPUTS {
        for how in ["--overwrite", "--append"] {
            let appends =
                ["csv", "tsv", "jsonl", "sqlite"].iter().any(|format| output.ends_with(&format!("out.{format}")));
            if how == "--append" && !appends {
                continue;
            }
            let gate = Gate::new();
            let server = Server::start([
                ("/0.csv", vec![Answer::ok("key,n\n1,2\n")]),
                ("/1.csv", vec![Answer::ok(rows(500))]),
                ("/2.csv", vec![Answer::ok(rows(10)).behind(&gate), Answer::ok(rows(10))]),
            ]);
            let folder = tempfile::tempdir().expect("a folder");
            let run = |source: &str, how: &[&str]| {
                let finished = raudal(["table", "-q", source, "-o", output]).args(how).in_folder(folder.path()).run();
                assert_eq!(finished.code, Some(0), "{output}: {}", finished.stderr);
                read(folder.path(), output)
            };
            let before = run(&server.url("/0.csv"), &[]);
            let mut child = begun(folder.path(), &[&server.url("/[1-2].csv"), "-o", output, how]);
            child.kill().expect("it runs");
            child.wait().expect("it has ended");
            gate.open();
            // A database may have to undo what was begun, and does so when it is opened.
            #[cfg(feature = "sqlite")]
            if output.ends_with("sqlite") {
                let database = rusqlite::Connection::open(folder.path().join(output)).expect("a database");
                let count = database.query_row("SELECT count(*) FROM data", [], |row| row.get::<_, u32>(0));
                assert_eq!(count.expect("a count"), 1, "{how}");
            }
            assert!(output.ends_with("sqlite") || read(folder.path(), output) == before, "{output} {how}");
            run(&server.url("/[1-2].csv"), &[how]);
            assert_eq!(names(folder.path()), [*output], "{how}");
        }
    }
}

#[test]
fn the_second_of_two_runs_at_one_output_is_refused_before_it_fetches() {
    for output in OUTPUTS {
        let gate = Gate::new();
        let server = Server::start([
            ("/1.csv", vec![Answer::ok(rows(500))]),
            ("/2.csv", vec![Answer::ok(rows(10)).behind(&gate), Answer::ok(rows(10))]),
        ]);
        let sources = server.url("/[1-2].csv");
        let folder = tempfile::tempdir().expect("a folder");
        let mut first = begun(folder.path(), &[&sources, "-o", output]);
        let finished = raudal(["table", "-q", &sources, "-o", output]).in_folder(folder.path()).run();
        assert_eq!(finished.code, Some(8), "{output}: {}", finished.stderr);
        assert!(finished.stderr.contains("another run is writing this file"), "{output}: {}", finished.stderr);
        assert!(server.paths().iter().filter(|path| *path == "/1.csv").count() == 1, "nothing was fetched");
        gate.open();
        assert!(first.wait().expect("it ends").success(), "{output}");
        assert_eq!(names(folder.path()), [*output]);
        assert!(read(folder.path(), output) == undisturbed(&[&sources], output), "{output}");
    }
}

#[cfg(feature = "sqlite")]
#[test]
fn a_database_that_another_run_adds_to_is_named() {
    let gate = Gate::new();
    let server = Server::start([
        ("/1.csv", vec![Answer::ok("key,n\n1,2\n")]),
        ("/2.csv", vec![Answer::ok("key,n\n3,4\n").behind(&gate), Answer::ok("key,n\n3,4\n")]),
    ]);
    let folder = tempfile::tempdir().expect("a folder");
    let append =
        |source: &str| raudal(["table", "-q", source, "-o", "out.sqlite", "--append"]).in_folder(folder.path()).run();
    assert_eq!(append(&server.url("/1.csv")).code, Some(0));
    let sources = server.url("/[1-2].csv");
    let mut first = begun(folder.path(), &[&sources, "-o", "out.sqlite", "--append"]);
    let finished = append(&server.url("/1.csv"));
    assert_eq!(finished.code, Some(8), "{}", finished.stderr);
    assert!(finished.stderr.contains("wait until it is done"), "{}", finished.stderr);
    gate.open();
    assert!(first.wait().expect("it ends").success());
    let database = rusqlite::Connection::open(folder.path().join("out.sqlite")).expect("a database");
    let count = database.query_row("SELECT count(*) FROM data", [], |row| row.get::<_, u32>(0));
    assert_eq!(count.expect("a count"), 3);
}

#[test]
fn an_output_that_cannot_be_reached_is_refused_before_anything_is_fetched() {
    let server = Server::with("/a.csv", [Answer::ok("key,n\n1,2\n")]);
    for output in OUTPUTS {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("file"), "").expect("a file");
        fs::create_dir(folder.path().join(output)).expect("a folder");
        let ending = output.split_once('.').expect("an ending").1;
        let mut places = vec![
            (format!("none/{output}"), "the folder does not exist"),
            (format!("file/{output}"), ""),
            ((*output).to_owned(), "name a "),
            (format!("{}.{ending}", "x".repeat(300)), "choose a shorter name"),
        ];
        let closed = folder.path().join("closed");
        fs::create_dir(&closed).expect("a folder");
        let mut permissions = fs::metadata(&closed).expect("a folder").permissions();
        permissions.set_readonly(true);
        fs::set_permissions(&closed, permissions).expect("permissions");
        // Root may write anywhere, and so may others on some systems.
        if fs::write(closed.join("x"), "").is_err() {
            places.push((format!("closed/{output}"), ""));
        }
        for (place, hint) in places {
            let finished = raudal(["table", &server.url("/a.csv"), "-o", &place]).in_folder(folder.path()).run();
            assert_eq!(finished.code, Some(8), "{place}: {}", finished.stderr);
            assert!(finished.stderr.contains(&place) && finished.stderr.contains(hint), "{place}: {}", finished.stderr);
        }
    }
    assert!(server.paths().is_empty(), "{:?}", server.paths());
}
