//! `--update`: only what has changed on the server is fetched again.

use super::{get, names, read};
use crate::common::{Answer, Finished, Server, zip};
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

const VERSIONS: &str = ".raudal-versions.jsonl";
const OLD: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
const NEW: &str = "Mon, 07 Nov 1994 08:49:37 GMT";

fn update(folder: &Path, server: &Server, path: &str) -> Finished {
    get(folder, [server.url(path)]).args(["--update", "-j1"]).run()
}

fn modified(path: &Path) -> SystemTime {
    fs::metadata(path).and_then(|there| there.modified()).expect("a file")
}

fn date(text: &str) -> SystemTime {
    httpdate::parse_http_date(text).expect("a date")
}

fn tagged(body: &str, tag: &str, date: &str) -> Answer {
    Answer::ok(body).header("ETag", tag).header("Last-Modified", date)
}

fn not_modified() -> Answer {
    Answer::status(304, "")
}

#[test]
fn what_has_not_changed_costs_one_304_and_what_has_is_replaced_with_the_servers_time() {
    let named = |answer: Answer| answer.header("Content-Disposition", "attachment; filename=theirs.csv");
    let server = Server::with(
        "/a",
        [named(tagged("old", "\"1\"", OLD)), not_modified(), named(tagged("newer", "\"2\"", NEW)), not_modified()],
    );
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("theirs.csv");
    for (body, time, says) in [
        ("old", OLD, "1 file, 3 B\n"),
        ("old", OLD, "1 of them unchanged"),
        ("newer", NEW, "1 file, 5 B\n"),
        ("newer", NEW, "unchanged"),
    ] {
        let finished = update(folder.path(), &server, "/a");
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        assert!(finished.stderr.contains(says), "{says}: {}", finished.stderr);
        assert_eq!(finished.text(), format!("{}\n", file.display()));
        assert_eq!((read(&file), modified(&file)), (body.as_bytes().to_vec(), date(time)));
    }
    let asked: Vec<_> = server
        .requests()
        .iter()
        .map(|request| {
            (request.header("if-none-match").map(str::to_owned), request.header("if-modified-since").map(str::to_owned))
        })
        .collect();
    let by = |tag: &str, date: &str| (Some(tag.to_owned()), Some(date.to_owned()));
    assert_eq!(asked, [(None, None), by("\"1\"", OLD), by("\"1\"", OLD), by("\"2\"", NEW)]);
    assert_eq!(names(folder.path()), [VERSIONS, "theirs.csv"]);
}

#[test]
fn a_file_of_another_program_is_asked_after_by_its_time() {
    let server = Server::with("/a.csv", [not_modified(), Answer::ok("new").header("Last-Modified", NEW)]);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a.csv");
    fs::write(&file, "theirs").expect("a file");
    fs::File::options().write(true).open(&file).and_then(|file| file.set_modified(date(OLD))).expect("a time");
    assert_eq!(update(folder.path(), &server, "/a.csv").code, Some(0));
    assert_eq!(read(&file), b"theirs");
    assert_eq!(update(folder.path(), &server, "/a.csv").code, Some(0));
    assert_eq!((read(&file), modified(&file)), (b"new".to_vec(), date(NEW)));
    let asked = server.requests();
    assert!(asked.iter().all(|request| request.header("if-modified-since") == Some(OLD)));
}

#[test]
fn a_file_that_was_changed_here_or_is_another_inputs_is_fetched_again() {
    let server = Server::start([
        ("/a.csv", vec![tagged("good", "\"1\"", OLD), tagged("good", "\"1\"", OLD)]),
        ("/sub/a.csv", vec![tagged("other", "\"1\"", OLD)]),
    ]);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a.csv");
    for _ in 0..2 {
        assert_eq!(update(folder.path(), &server, "/a.csv").code, Some(0));
        assert_eq!(read(&file), b"good");
        fs::write(&file, "edited").expect("a file");
    }
    fs::write(&file, "good").expect("a file");
    assert_eq!(update(folder.path(), &server, "/sub/a.csv").code, Some(0));
    assert_eq!(read(&file), b"other");
    assert!(server.requests().iter().all(|request| request.header("if-none-match").is_none()));
}

#[test]
fn what_fails_leaves_the_file_that_is_there() {
    let server =
        Server::with("/a.csv", [tagged("old", "\"1\"", OLD), Answer::short("ne", 3), Answer::status(404, "no")]);
    let folder = tempfile::tempdir().expect("a folder");
    let run = || get(folder.path(), [server.url("/a.csv")]).args(["--update", "--retries", "0"]).run().code;
    assert_eq!([run(), run(), run()], [Some(0), Some(6), Some(5)]);
    assert_eq!(read(folder.path().join("a.csv")), b"old");
    assert_eq!(names(folder.path()), [VERSIONS, "a.csv"]);
}

#[test]
fn the_folder_of_an_archive_is_replaced_when_the_archive_changes() {
    let archive = |text: &str, tag: &str| Answer::ok(zip([("a.txt", text.as_bytes())])).header("ETag", tag);
    let server = Server::with("/a.zip", [archive("1", "\"1\""), not_modified(), archive("2", "\"2\""), not_modified()]);
    let folder = tempfile::tempdir().expect("a folder");
    for text in ["1", "1", "2", "2"] {
        let finished = get(folder.path(), [server.url("/a.zip")]).args(["--update", "--extract"]).run();
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        assert_eq!(read(folder.path().join("a/a.txt")), text.as_bytes());
    }
    assert_eq!(names(folder.path()), [VERSIONS, "a", "a.zip"]);
}

#[test]
fn a_local_file_is_copied_when_its_size_or_time_differs() {
    let folder = tempfile::tempdir().expect("a folder");
    let (source, files) = (folder.path().join("a.csv"), folder.path().join("files"));
    let run = || get(&files, [source.as_os_str()]).arg("--update").run();
    fs::write(&source, "one").expect("a file");
    assert!(!run().stderr.contains("unchanged"));
    assert!(run().stderr.contains("unchanged"));
    fs::write(&source, "two").expect("a file");
    let later = modified(&source) + Duration::from_secs(5);
    fs::File::options().write(true).open(&source).and_then(|file| file.set_modified(later)).expect("a time");
    assert_eq!(run().code, Some(0));
    assert_eq!((read(files.join("a.csv")), modified(&files.join("a.csv"))), (b"two".to_vec(), later));
}

#[test]
fn an_update_excludes_the_other_ways_to_treat_a_file_that_is_there() {
    let folder = tempfile::tempdir().expect("a folder");
    for option in ["--overwrite", "--skip-existing"] {
        assert_eq!(get(folder.path(), ["http://127.0.0.1:1/a"]).args(["--update", option]).run().code, Some(2));
    }
}
