//! What one run leaves for the next: partial files with a sidecar, which are used only if they can
//! be verified.

use super::{ALONE, get, names, read, sha256};
use crate::common::{Answer, Server, noise, raudal};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// Larger than the blocks in which a partial file is written.
const LENGTH: usize = 500_000;
const KEPT: usize = 300_000;

fn file() -> Vec<u8> {
    noise(LENGTH)
}

fn ranged(file: &[u8]) -> Answer {
    Answer::ranged(file).header("ETag", "\"v1\"")
}

/// Returns the partial file in a folder, and its sidecar.
fn partial(folder: &Path) -> (PathBuf, PathBuf) {
    let names = names(folder);
    let [part, sidecar] = names.as_slice() else { panic!("a partial file and its sidecar: {names:?}") };
    assert_eq!(format!("{part}.json"), *sidecar);
    (folder.join(part), folder.join(sidecar))
}

/// Makes a first run whose only attempt breaks off after [`KEPT`] bytes, and a second run with
/// these responses. `between` may change the partial file. Returns the range headers of the second
/// run.
fn broken_off(between: impl FnOnce(&Path, &Path), second: Vec<Answer>) -> Vec<Option<String>> {
    let answers = [ranged(&file()).cut_after(KEPT)].into_iter().chain(second);
    let server = Server::with("/a.zip", answers);
    let folder = tempfile::tempdir().expect("a folder");
    let finished = get(folder.path(), [server.url("/a.zip").as_str(), "-c", "--retries", "0"]).args(ALONE).run();
    assert_eq!(finished.code, Some(6), "{}", finished.stderr);
    let (part, sidecar) = partial(folder.path());
    assert_eq!(read(&part), file()[..KEPT], "all that has arrived is kept");
    between(&part, &sidecar);
    let finished = get(folder.path(), [server.url("/a.zip").as_str(), "-c", "--retries", "2"]).args(ALONE).run();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert!(read(folder.path().join("a.zip")) == file(), "the same bytes");
    assert_eq!(names(folder.path()), ["a.zip"], "nothing else is left");
    server.requests().iter().skip(1).map(|request| request.header("range").map(str::to_owned)).collect()
}

#[test]
fn the_next_run_asks_for_the_rest_alone() {
    let asked = broken_off(
        |_, sidecar| {
            let said: Value = serde_json::from_slice(&read(sidecar)).expect("JSON");
            assert!(said["url"].as_str().is_some_and(|url| url.ends_with("/a.zip")));
            assert_eq!((&said["total"], &said["received"]), (&Value::from(LENGTH), &Value::from(KEPT)));
            assert_eq!(said["validator"]["etag"], "\"v1\"");
            assert_eq!(said["sha256"], sha256(&file()[..KEPT]));
        },
        vec![ranged(&file())],
    );
    assert_eq!(asked, [Some(format!("bytes={KEPT}-"))]);
}

#[test]
fn bytes_behind_those_that_the_sidecar_names_are_dropped() {
    let longer =
        |part: &Path, _: &Path| fs::write(part, [&file()[..KEPT], b"tail of nothing"].concat()).expect("a file");
    assert_eq!(broken_off(longer, vec![ranged(&file())]), [Some(format!("bytes={KEPT}-"))]);
}

#[test]
fn a_partial_file_that_does_not_fit_is_thrown_away() {
    type Damage = Box<dyn FnOnce(&Path, &Path)>;
    let edit = |key: &'static str, value: Value| -> Damage {
        Box::new(move |_, sidecar| {
            let mut said: Value = serde_json::from_slice(&read(sidecar)).expect("JSON");
            said[key] = value;
            fs::write(sidecar, said.to_string()).expect("a file");
        })
    };
    let damages: Vec<(&str, Damage)> = vec![
        ("another URL", edit("url", "http://other/a.zip".into())),
        ("another form", edit("form", 2.into())),
        ("more than there is", edit("received", 400_000.into())),
        ("more than the whole", edit("total", 100.into())),
        ("nothing", edit("received", 0.into())),
        ("another hash", edit("sha256", sha256(b"x").into())),
        ("no validator", edit("validator", Value::Null)),
        ("no JSON", Box::new(|_, sidecar| fs::write(sidecar, "{").expect("a file"))),
        ("no text", Box::new(|_, sidecar| fs::write(sidecar, [0xff; 100]).expect("a file"))),
        ("no sidecar", Box::new(|_, sidecar| fs::remove_file(sidecar).expect("it is there"))),
        ("no bytes", Box::new(|part, _| fs::remove_file(part).expect("it is there"))),
        ("a shorter file", Box::new(|part, _| fs::write(part, &file()[..KEPT - 1]).expect("a file"))),
        (
            "a flipped bit",
            Box::new(|part, _| {
                let mut bytes = read(part);
                bytes[1000] ^= 1;
                fs::write(part, bytes).expect("a file");
            }),
        ),
    ];
    for (what, damage) in damages {
        assert_eq!(broken_off(damage, vec![ranged(&file())]), [None], "{what}");
    }
}

#[test]
fn what_the_server_answers_decides_whether_the_bytes_are_still_the_files() {
    let rest = format!("bytes={KEPT}-");
    let changed = || Answer::ranged(file()).header("ETag", "\"v2\"");
    let wrong = |range: &str| {
        Answer::ok(&file()[KEPT..]).with_status(206).header("ETag", "\"v1\"").header("Content-Range", range)
    };
    // Another version: the 200 brings the whole file at once.
    assert_eq!(broken_off(|_, _| (), vec![changed()]), [Some(rest.clone())]);
    // A part that is not the requested one is refused, and the whole file is requested.
    for range in [
        format!("bytes {}-{}/{LENGTH}", KEPT - 1, LENGTH - 2),
        format!("bytes {KEPT}-{}/{}", LENGTH - 1, LENGTH + 1),
        "bytes */500000".into(),
    ] {
        assert_eq!(broken_off(|_, _| (), vec![wrong(&range), ranged(&file())]), [Some(rest.clone()), None], "{range}");
    }
    let other = wrong(&format!("bytes {KEPT}-{}/{LENGTH}", LENGTH - 1)).header("ETag", "\"v2\"");
    assert_eq!(broken_off(|_, _| (), vec![other, ranged(&file())]), [Some(rest), None], "two validators");
}

#[test]
fn a_file_that_has_arrived_whole_is_only_asked_after() {
    let asked = broken_off(
        |part, sidecar| {
            // As if the run had been killed between the last byte and the renaming.
            fs::write(part, file()).expect("a file");
            let mut said: Value = serde_json::from_slice(&read(sidecar)).expect("JSON");
            (said["received"], said["sha256"]) = (LENGTH.into(), sha256(&file()).into());
            fs::write(sidecar, said.to_string()).expect("a file");
        },
        vec![ranged(&file())],
    );
    assert_eq!(asked, [Some(format!("bytes={LENGTH}-"))], "and the answer is 416");
}

#[test]
fn without_a_strong_validator_or_without_continue_nothing_is_kept() {
    for (answer, option) in [
        (Answer::ranged(file()).header("ETag", "W/\"v1\"").cut_after(KEPT), "-c"),
        (Answer::ranged(file()).cut_after(KEPT), "-c"),
        (ranged(&file()).cut_after(KEPT), "--skip-existing"),
    ] {
        let server = Server::with("/a.zip", [answer]);
        let folder = tempfile::tempdir().expect("a folder");
        let finished = get(folder.path(), [server.url("/a.zip").as_str(), option, "--retries", "0"]).args(ALONE).run();
        assert_eq!((finished.code, names(folder.path())), (Some(6), Vec::new()), "{option}: {}", finished.stderr);
    }
}

#[test]
fn credentials_are_not_written_to_a_sidecar() {
    let server = Server::with("/a.zip", [ranged(&file()).cut_after(KEPT), ranged(&file())]);
    let folder = tempfile::tempdir().expect("a folder");
    let url = server.url("/a.zip").replace("http://", "http://me:secret@");
    get(folder.path(), [url.as_str(), "-c", "--retries", "0", "-H", "X-Key: hidden"]).args(ALONE).run();
    let (_, sidecar) = partial(folder.path());
    let said = String::from_utf8(read(sidecar)).expect("text");
    assert!(!said.contains("secret") && !said.contains("hidden"), "{said}");
}

#[test]
fn a_digest_of_the_whole_is_verified_over_what_an_earlier_run_has_brought() {
    use base64::Engine as _;
    use sha2::{Digest, Sha256};
    let encoded = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(b"something else"));
    let first = ranged(&file()).header("Repr-Digest", format!("sha-256=:{encoded}:")).cut_after(KEPT);
    let server = Server::with("/a.zip", [first, ranged(&file())]);
    let folder = tempfile::tempdir().expect("a folder");
    let run = || get(folder.path(), [server.url("/a.zip").as_str(), "-c", "--retries", "0"]).args(ALONE).run();
    run();
    let finished = run();
    assert!(finished.stderr.contains("Repr-Digest"), "{}", finished.stderr);
    assert_eq!((finished.code, names(folder.path())), (Some(6), Vec::new()), "what is bad is not kept");
    assert_eq!(run().code, Some(0));
}

#[test]
fn two_runs_into_one_folder_do_not_write_to_one_file() {
    let gate = crate::common::Gate::new();
    let server =
        Server::with("/a.zip", [Answer::drip(file(), 100_000, &gate).header("ETag", "\"v1\""), ranged(&file())]);
    let folder = tempfile::tempdir().expect("a folder");
    let url = server.url("/a.zip");
    std::thread::scope(|scope| {
        let first = scope.spawn(|| get(folder.path(), [url.as_str(), "-c"]).args(ALONE).run());
        server.wait_for_requests(1);
        let second = get(folder.path(), [url.as_str(), "-c"]).args(ALONE).run();
        assert_eq!(second.code, Some(8), "{}", second.stderr);
        assert!(second.stderr.contains("another run is writing to this file") && second.stderr.contains("hint:"));
        gate.open();
        let first = first.join().expect("no panic");
        assert_eq!(first.code, Some(0), "{}", first.stderr);
    });
    assert!(read(folder.path().join("a.zip")) == file() && names(folder.path()).len() == 1);
}

#[test]
fn two_runs_of_short_files_into_one_folder_leave_each_file_whole() {
    let files: Vec<Vec<u8>> = (0..60).map(|n| noise(200 + n * 67)).collect();
    let paths: Vec<String> = (0..files.len()).map(|n| format!("/{n}.bin")).collect();
    let answers = files.iter().map(|file| vec![Answer::ok(file)]);
    let server = Server::start(paths.iter().map(String::as_str).zip(answers));
    let url = server.url(&format!("/[0-{}].bin", files.len() - 1));
    for option in ["--overwrite", "--skip-existing"] {
        let folder = tempfile::tempdir().expect("a folder");
        let run = || get(folder.path(), [url.as_str(), option, "-j", "8", "--retries", "0"]).run();
        let runs =
            std::thread::scope(|scope| [scope.spawn(run), scope.spawn(run)].map(std::thread::ScopedJoinHandle::join));
        for finished in runs.map(|run| run.expect("no panic")) {
            // Both may come to one file at the same moment.
            let known = ["another run is writing to this file", "the file already exists"];
            let failed = finished.stderr.lines().filter(|line| line.contains(".bin:"));
            assert!(matches!(finished.code, Some(0 | 3 | 8)), "{}", finished.stderr);
            for line in failed {
                assert!(known.iter().any(|words| line.contains(words)), "{line}");
            }
        }
        assert_eq!(names(folder.path()).len(), files.len(), "{:?}", names(folder.path()));
        for (n, file) in files.iter().enumerate() {
            assert!(read(folder.path().join(format!("{n}.bin"))) == *file, "{n} with {option}");
        }
    }
}

/// A CSV that is larger than a block and not an archive.
fn table_file() -> String {
    let rows: Vec<String> = (0..40_000).map(|i| format!("{i},{}", i * 7)).collect();
    format!("x,y\n{}\n", rows.join("\n"))
}

#[test]
fn a_table_goes_on_with_inputs_that_an_earlier_run_has_left_beside_it() {
    let csv = table_file();
    let server = Server::start([
        ("/a.csv", vec![ranged(csv.as_bytes())]),
        ("/b.csv", vec![ranged(csv.as_bytes()).cut_after(KEPT), ranged(csv.as_bytes())]),
        ("/c.csv", vec![Answer::ok("x,y\n1,2\n")]),
    ]);
    let folder = tempfile::tempdir().expect("a folder");
    let (output, kept) = (folder.path().join("out.csv"), folder.path().join("out.csv.partials"));
    let overwrite = std::cell::Cell::new(false);
    let run = |where_: &str| {
        raudal(["table", &server.url("/{a,b,c}.csv"), "--progress", "none", "--retries", "0", "--where", where_, "-o"])
            .arg(&output)
            .args(ALONE)
            .args(overwrite.get().then_some("--overwrite"))
            .run()
    };
    let finished = run("x == 7");
    assert_eq!(finished.code, Some(3), "{}", finished.stderr);
    assert!(finished.stderr.contains("out.csv.partials"), "it is said: {}", finished.stderr);
    assert_eq!(names(&kept).len(), 4, "the one that broke off, and the one that can be had again for a question");
    assert!(finished.stderr.contains("with --overwrite resumes it"), "{}", finished.stderr);
    assert_eq!(run("x == 7").code, Some(8), "the first table is there");
    assert_eq!(server.requests().len(), 3, "nothing was asked for");
    overwrite.set(true);
    let finished = run("x == 7");
    assert_eq!((finished.code, read(&output)), (Some(0), b"x,y\n7,49\n7,49\n".to_vec()), "{}", finished.stderr);
    let asked: Vec<_> = server.requests()[3..]
        .iter()
        .map(|request| (request.path.clone(), request.header("range").map(str::to_owned)))
        .collect();
    for expected in [("/a.csv", Some(csv.len())), ("/b.csv", Some(KEPT)), ("/c.csv", None)] {
        let expected = (expected.0.to_owned(), expected.1.map(|from| format!("bytes={from}-")));
        assert!(asked.contains(&expected), "{asked:?}");
    }
    assert_eq!(names(folder.path()), ["out.csv"]);
}

#[test]
fn a_table_is_made_also_where_nothing_can_be_kept_beside_it() {
    let csv = table_file();
    let server = Server::start([("/a.csv", vec![ranged(csv.as_bytes())])]);
    let folder = tempfile::tempdir().expect("a folder");
    // A file has the name that the folder needs.
    fs::write(folder.path().join("out.csv.partials"), "mine").expect("a file");
    let finished = raudal(["table", &server.url("/a.csv"), "-q", "--where", "x == 7", "-o", "out.csv"])
        .in_folder(folder.path())
        .run();
    assert_eq!((finished.code, read(folder.path().join("out.csv"))), (Some(0), b"x,y\n7,49\n".to_vec()));
    assert_eq!(read(folder.path().join("out.csv.partials")), b"mine");
}

#[test]
fn two_runs_do_not_write_one_table() {
    let gate = crate::common::Gate::new();
    let server =
        Server::start([("/a.csv", vec![Answer::ok("x\n1\n").behind(&gate)]), ("/b.csv", vec![Answer::ok("x\n2\n")])]);
    let folder = tempfile::tempdir().expect("a folder");
    let table = |path: &str| raudal(["table", &server.url(path), "-q", "-o", "out.csv"]).in_folder(folder.path()).run();
    std::thread::scope(|scope| {
        let first = scope.spawn(|| table("/a.csv"));
        server.wait_for_requests(1);
        let second = table("/b.csv");
        assert_eq!(second.code, Some(8), "{}", second.stderr);
        assert!(second.stderr.contains("another run is writing this file") && second.stderr.contains("hint:"));
        gate.open();
        assert_eq!(first.join().expect("no panic").code, Some(0));
    });
    assert_eq!((server.paths().len(), read(folder.path().join("out.csv"))), (1, b"x\n1\n".to_vec()));
    assert_eq!(names(folder.path()), ["out.csv"]);
}

#[test]
fn a_table_on_stdout_and_one_that_cannot_be_completed_leave_nothing() {
    let csv = table_file();
    let server = Server::start([("/a.csv", vec![ranged(csv.as_bytes())])]);
    let folder = tempfile::tempdir().expect("a folder");
    let table =
        || raudal(["table", &server.url("/{a,missing}.csv"), "-q", "--where", "x == 7"]).in_folder(folder.path());
    assert_eq!(table().run().code, Some(3));
    assert!(names(folder.path()).is_empty());
    assert_eq!(table().args(["-o", "out.csv"]).run().code, Some(3));
    assert_eq!(names(folder.path()), ["out.csv"], "another try would bring nothing more");
}

#[cfg(unix)]
#[test]
fn a_run_that_is_interrupted_keeps_what_has_arrived_if_it_is_to_be_gone_on_with() {
    let (asked, left) = interrupted("-c");
    assert_eq!((asked, left.len()), (Some(format!("bytes={KEPT}-")), 2), "{left:?}");
    let (asked, left) = interrupted("--overwrite");
    assert_eq!((asked, left), (None, Vec::new()));
}

/// Interrupts a run when [`KEPT`] bytes have arrived, then starts another one. Returns the range
/// header of the second run, and the files that the first one left.
#[cfg(unix)]
fn interrupted(option: &str) -> (Option<String>, Vec<String>) {
    use rustix::process::{Pid, Signal, kill_process};
    use std::io::BufRead as _;
    let gate = crate::common::Gate::new();
    let dripping = Answer::drip(file(), KEPT, &gate).header("ETag", "\"v1\"");
    let server = Server::with("/a.zip", [dripping, ranged(&file())]);
    let folder = tempfile::tempdir().expect("a folder");
    let url = server.url("/a.zip");
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_raudal"))
        .args(["get", &url, option, "--progress", "json", "-d"])
        .arg(folder.path())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("the program starts");
    gate.let_through(1);
    // The progress events say when the bytes have arrived.
    let mut lines = std::io::BufReader::new(child.stderr.take().expect("a pipe")).lines();
    let mut arrived = 0;
    while arrived < KEPT as u64 {
        let line = lines.next().expect("it goes on").expect("text");
        let event: Value = serde_json::from_str(&line).expect("JSON");
        if event["event"] == "advanced" {
            arrived += event["bytes"].as_u64().unwrap_or_default();
        }
    }
    let pid = Pid::from_raw(child.id().try_into().expect("a process id")).expect("a process id");
    kill_process(pid, Signal::INT).expect("it runs");
    lines.for_each(drop);
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    let left = names(folder.path());
    if !left.is_empty() {
        assert!(read(folder.path().join(&left[0])) == file()[..KEPT], "to the last byte");
    }
    let finished = get(folder.path(), [url.as_str(), option]).args(ALONE).run();
    assert_eq!((finished.code, names(folder.path())), (Some(0), vec!["a.zip".to_owned()]), "{}", finished.stderr);
    assert!(read(folder.path().join("a.zip")) == file());
    (server.requests()[1].header("range").map(str::to_owned), left)
}
