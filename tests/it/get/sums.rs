//! `--checksums`: an input that is not in the list, or does not match it, is refused.

use super::{get, names, read, sha256};
use crate::common::{Answer, Server, raudal};
use std::fs;

const CSV: &str = "x\n1\n";

#[test]
fn a_file_is_saved_only_if_its_checksum_is_the_lists() {
    let server = Server::start([("/a.csv", vec![Answer::ok(CSV)]), ("/b.csv", vec![Answer::ok("damaged")])]);
    let folder = tempfile::tempdir().expect("a folder");
    let (files, list) = (folder.path().join("files"), folder.path().join("SHA256SUMS"));
    fs::write(&list, format!("{}  a.csv\nSHA256 (b.csv) = {}\n", sha256(CSV.as_bytes()), sha256(b"whole")))
        .expect("a list");
    let run = |paths: &str| get(&files, [server.url(paths)]).args(["--retries", "1", "--checksums"]).arg(&list).run();

    let finished = run("/a.csv");
    assert_eq!((finished.code, read(files.join("a.csv"))), (Some(0), CSV.into()), "{}", finished.stderr);
    let finished = run("/b.csv");
    assert_eq!((finished.code, names(&files)), (Some(6), vec!["a.csv".to_owned()]), "{}", finished.stderr);
    assert!(finished.stderr.contains(&sha256(b"damaged")) && finished.stderr.contains(&sha256(b"whole")));
    assert!(finished.stderr.contains("(2 tries)"), "it may arrive whole the next time: {}", finished.stderr);
    let finished = run("/c.csv");
    assert_eq!(finished.code, Some(5), "404 comes before the name is known: {}", finished.stderr);
    let listed = format!("{}\tc.csv\n", server.url("/a.csv"));
    let finished = get(&files, ["-i", "-", "--checksums"]).arg(&list).stdin(listed).run();
    assert_eq!(finished.code, Some(6), "{}", finished.stderr);
    assert!(finished.stderr.contains("not in the list of checksums: c.csv"), "{}", finished.stderr);
    assert_eq!(server.paths(), ["/a.csv", "/b.csv", "/b.csv", "/c.csv"], "what is not in the list is not fetched");
}

#[test]
fn a_file_that_is_there_already_is_verified_as_well() {
    let server = Server::with("/a.csv", [Answer::ok(CSV)]);
    let folder = tempfile::tempdir().expect("a folder");
    let (files, list) = (folder.path().join("files"), folder.path().join("SHA256SUMS"));
    fs::create_dir(&files).expect("a folder");
    fs::write(files.join("a.csv"), "something else").expect("a file");
    fs::write(&list, format!("{} *a.csv\n", sha256(CSV.as_bytes()))).expect("a list");
    let run = |option: &str| get(&files, [server.url("/a.csv").as_str(), option, "--checksums"]).arg(&list).run();
    let finished = run("--skip-existing");
    assert_eq!(finished.code, Some(6), "{}", finished.stderr);
    assert!(finished.stderr.contains("--overwrite"), "{}", finished.stderr);
    assert_eq!(run("--overwrite").code, Some(0));
    assert_eq!((run("--skip-existing").code, read(files.join("a.csv"))), (Some(0), CSV.into()));
}

#[test]
fn a_table_is_made_of_verified_inputs_alone() {
    let server = Server::start([("/a.csv", vec![Answer::ok(CSV)]), ("/b.csv", vec![Answer::ok("x\n2\n")])]);
    let folder = tempfile::tempdir().expect("a folder");
    let (local, list) = (folder.path().join("c.csv"), folder.path().join("SHA256SUMS"));
    fs::write(&local, "x\n3\n").expect("a file");
    let line = |name: &str, text: &str| format!("{}  {name}\n", sha256(text.as_bytes()));
    let table = |sums: String, sources: &[String]| {
        fs::write(&list, sums).expect("a list");
        raudal(["table", "--progress", "none", "--retry-delay", "1ms", "--retries", "1", "--checksums"])
            .arg(&list)
            .args(sources)
            .run()
    };
    let (a, b, c) = (server.url("/a.csv"), server.url("/b.csv"), local.display().to_string());
    let all = line("a.csv", CSV) + &line("data/b.csv", "x\n2\n") + &line("c.csv", "x\n3\n");
    let finished = table(all.clone(), &[a.clone(), b.clone(), c.clone()]);
    assert_eq!((finished.code, finished.text()), (Some(0), "x\n1\n2\n3\n"), "{}", finished.stderr);
    // The same when inputs arrive in files.
    let output = folder.path().join("out.csv");
    let finished = table(all, &[a.clone(), b.clone(), c, format!("--output={}", output.display())]);
    assert_eq!((finished.code, read(&output)), (Some(0), b"x\n1\n2\n3\n".to_vec()), "{}", finished.stderr);
    assert_eq!(names(folder.path()), ["SHA256SUMS", "c.csv", "out.csv"]);

    let finished = table(line("a.csv", "x\n9\n"), std::slice::from_ref(&a));
    assert_eq!((finished.code, finished.text()), (Some(6), ""), "{}", finished.stderr);
    assert!(finished.stderr.contains("(2 tries)"), "{}", finished.stderr);
    let before = server.paths().len();
    let finished = table(line("a.csv", CSV), std::slice::from_ref(&b));
    assert_eq!((finished.code, server.paths().len()), (Some(6), before), "{}", finished.stderr);
    assert!(finished.stderr.contains(&b) && finished.stderr.contains("not in the list of checksums: b.csv"));
    let finished = table(line("a.csv", CSV), &[a, b]);
    assert_eq!((finished.code, finished.text()), (Some(3), CSV), "{}", finished.stderr);
}

#[test]
fn a_list_that_is_none_is_refused_before_anything_is_fetched() {
    let server = Server::with("/a.csv", [Answer::ok(CSV)]);
    let folder = tempfile::tempdir().expect("a folder");
    let list = folder.path().join("SHA256SUMS");
    fs::write(&list, "hello\n").expect("a list");
    for command in ["get", "table"] {
        let run = |list: &std::path::Path| raudal([command, &server.url("/a.csv"), "--checksums"]).arg(list).run();
        let finished = run(&list);
        assert_eq!(finished.code, Some(2), "{}", finished.stderr);
        assert!(finished.stderr.contains("SHA256SUMS: line 1: not a line from a list"), "{}", finished.stderr);
        assert_eq!(run(&folder.path().join("missing")).code, Some(8));
    }
    assert!(server.paths().is_empty());
}

#[test]
fn partial_data_is_said_to_be_kept_only_if_there_is_some() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::with("/a.zip", [Answer::status(404, "")]);
    let finished = get(folder.path(), ["-c".to_owned(), server.url("/a.zip")]).run();
    assert!(!finished.stderr.contains("partial data"), "{}", finished.stderr);
    let cut = || Answer::short(vec![b'x'; 100_000], 200_000).header("ETag", "\"a\"");
    let server = Server::with("/a.zip", [cut()]);
    let finished = get(folder.path(), ["-c".to_owned(), "--retries=0".to_owned(), server.url("/a.zip")]).run();
    assert!(finished.stderr.contains("partial data is kept"), "{}", finished.stderr);
}
