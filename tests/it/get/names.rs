//! The names of files, and that no two files get the same one.

use super::{get, names, read, sha256};
use crate::common::{Answer, Gate, Server};
use serde_json::Value;
use std::fs;

#[test]
fn many_inputs_become_files_whose_paths_are_told_in_input_order() {
    let gate = Gate::new();
    let server = Server::start([
        ("/1.bin", vec![Answer::ok("one").behind(&gate)]),
        ("/2.bin", vec![Answer::ok("<html>two</html>").header("Content-Type", "text/html")]),
        ("/moved", vec![Answer::redirect("/2.bin")]),
    ]);
    let folder = tempfile::tempdir().expect("a folder");
    let (files, report) = (folder.path().join("new/files"), folder.path().join("report.json"));
    let local = folder.path().join("local.csv");
    fs::write(&local, "x\n1\n").expect("a file");
    let list = format!("{}\tnamed 3.bin\n{}\n", server.url("/moved"), local.display());
    let finished = std::thread::scope(|scope| {
        // The first response comes only after all other requests have arrived.
        scope.spawn(|| {
            server.wait_for_requests(4);
            gate.open();
        });
        get(&files, [server.url("/[1-2].bin")]).args(["-i", "-", "--report"]).arg(&report).stdin(list).run()
    });
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let told: Vec<_> = ["1.bin", "2.bin", "named 3.bin", "local.csv"].map(|name| files.join(name)).into();
    assert!(finished.text().lines().eq(told.iter().map(|path| path.to_str().expect("UTF-8"))), "{}", finished.text());
    assert_eq!(names(&files), ["1.bin", "2.bin", "local.csv", "named 3.bin"]);
    assert_eq!([read(&told[0]), read(&told[3])], [b"one".to_vec(), b"x\n1\n".to_vec()]);
    assert!(finished.stderr.contains("4 files"), "{}", finished.stderr);

    let report: Value = serde_json::from_slice(&read(report)).expect("JSON");
    let file = &report["files"][2];
    assert_eq!((&report["command"], &report["exit_code"]), (&Value::from("get"), &Value::from(0)));
    assert_eq!(file["url"], server.url("/moved"));
    assert_eq!(file["final_url"], server.url("/2.bin"));
    assert_eq!(file["path"], told[2].display().to_string());
    assert_eq!((&file["bytes"], &file["sha256"]), (&Value::from(16), &Value::from(sha256(b"<html>two</html>"))));
    assert_eq!(report["jobs"].as_array().map(Vec::len), Some(4));
}

#[test]
fn the_server_names_a_file_but_never_a_place_for_it() {
    for (header, name) in [
        ("attachment; filename=\"a b.csv\"", "a b.csv"),
        ("attachment; filename=x.csv; filename*=UTF-8''poblaci%C3%B3n.csv", "población.csv"),
        ("attachment; filename=\"../../../evil\"", "evil"),
        ("attachment; filename=\"/etc/passwd\"", "passwd"),
        ("attachment; filename=\"C:\\\\x\\\\evil.exe\"", "evil.exe"),
        ("attachment; filename*=UTF-8''..%2F..%2Fevil%0A.sh", "evil_.sh"),
        ("attachment; filename=\".bashrc\"", "bashrc"),
        ("attachment; filename=\"CON\"", "_CON"),
        ("attachment; filename=\"..\"", "data"),
        ("filename=datos.csv", "datos.csv"),
        ("attachment; filename=\"=?UTF-8?B?UG9ibGFjacOzbi5jc3Y=?=\"", "Población.csv"),
        ("attachment; filename=\"C:\\Users\\x\\datos.csv\"", "datos.csv"),
        ("attachment; filename=\"datos 2020: total.csv\"", "datos 2020_ total.csv"),
        ("attachment; filename=\"\"", "data"),
        ("inline", "data"),
    ] {
        let server = Server::with("/sub/data?x=1", [Answer::ok("1").header("Content-Disposition", header)]);
        let folder = tempfile::tempdir().expect("a folder");
        let files = folder.path().join("files");
        let finished = get(&files, [server.url("/sub/data?x=1")]).run();
        assert_eq!(finished.code, Some(0), "{header}: {}", finished.stderr);
        assert_eq!(
            (names(&files), names(folder.path())),
            (vec![name.to_owned()], vec!["files".to_owned()]),
            "{header}"
        );
    }
}

#[test]
fn a_name_in_latin_1_is_read_and_one_that_is_too_long_keeps_its_ending() {
    let raw = |header: &[u8]| {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\nContent-Disposition: ";
        Answer::raw([head, header, b"\r\n\r\n1"].concat()).then_close()
    };
    let long = |end: &str| format!("attachment; filename=\"{}{end}\"", "n".repeat(250));
    let server = Server::start([
        ("/1", vec![raw(b"attachment; filename=\"Poblaci\xf3n \xd1.csv\"")]),
        ("/2", vec![raw(long("1.csv").as_bytes())]),
        ("/3", vec![raw(long("2.csv.gz").as_bytes())]),
    ]);
    let folder = tempfile::tempdir().expect("a folder");
    let finished = get(folder.path(), [server.url("/[1-3]")]).arg("-c").run();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let names = names(folder.path());
    assert_eq!(names[0], "Población Ñ.csv");
    assert!(names[1..].iter().all(|name| name.starts_with("nnnn") && name.len() < 200), "{names:?}");
    assert!(names.iter().any(|name| name.ends_with(".csv.gz")), "{names:?}");
}

#[test]
fn a_strict_list_refuses_two_inputs_of_one_name_before_anything_is_fetched() {
    let server = Server::start([("/a", vec![Answer::ok("a")]), ("/b", vec![Answer::ok("b")])]);
    let (a, b) = (server.url("/a"), server.url("/b"));
    let folder = tempfile::tempdir().expect("a folder");
    for (list, says) in [
        (format!("{a}\tx.csv\n{b}\tx.csv\n"), vec!["x.csv", a.as_str(), b.as_str(), "hint:"]),
        (format!("{a}\n{b}\n{a}\n"), vec!["the same input twice", a.as_str(), "hint:"]),
        (format!("{a}\t../x.csv\n"), vec!["not a valid file name: ../x.csv", "a valid name would be: x.csv"]),
        (format!("{a}\t..\n"), vec!["not a valid file name: .."]),
    ] {
        let finished = get(folder.path(), ["-i", "-", "--strict-list"]).stdin(list).run();
        assert_eq!(finished.code, Some(2), "{}", finished.stderr);
        assert!(says.iter().all(|part| finished.stderr.contains(part)), "{}", finished.stderr);
    }
    assert!(server.paths().is_empty() && names(folder.path()).is_empty());
    // One input with two names gives two files.
    let finished = get(folder.path(), ["-i", "-"]).stdin(format!("{a}\tx\n{a}\ty\n")).run();
    assert_eq!((finished.code, names(folder.path())), (Some(0), vec!["x".to_owned(), "y".to_owned()]));
}

#[test]
fn of_two_inputs_that_turn_out_to_have_one_name_the_later_fails_and_names_both() {
    let named = |body: &str| Answer::ok(body).header("Content-Disposition", "attachment; filename=same.csv");
    let server = Server::start([("/a", vec![named("a")]), ("/b", vec![named("b")]), ("/c", vec![Answer::ok("c")])]);
    let folder = tempfile::tempdir().expect("a folder");
    let finished = get(folder.path(), ["a", "b", "c"].map(|path| server.url(&format!("/{path}")))).arg("-j1").run();
    assert_eq!(finished.code, Some(3), "{}", finished.stderr);
    let says = format!(
        "{}: another input has the same file name, same.csv: {}\n  hint: give them different names",
        server.url("/b"),
        server.url("/a")
    );
    assert!(finished.stderr.contains(&says), "{}", finished.stderr);
    assert_eq!(
        (names(folder.path()), read(folder.path().join("same.csv"))),
        (vec!["c".into(), "same.csv".into()], b"a".to_vec())
    );
}

#[test]
fn the_first_in_input_order_has_a_name_whichever_comes_first() {
    let gate = Gate::new();
    let named = |body: &str| Answer::ok(body).header("Content-Disposition", "attachment; filename=same.csv");
    let server = Server::start([
        ("/1", vec![named("first").behind(&gate)]),
        ("/2", vec![named("second")]),
        ("/3", vec![Answer::ok("third").header("Content-Disposition", "filename=other.csv")]),
    ]);
    let folder = tempfile::tempdir().expect("a folder");
    let same = folder.path().join("same.csv");
    let finished = std::thread::scope(|scope| {
        // The response to the first comes once the second has been published.
        scope.spawn(|| {
            let begun = std::time::Instant::now();
            while !same.exists() && begun.elapsed() < crate::common::PATIENCE {
                std::thread::yield_now();
            }
            gate.open();
        });
        get(folder.path(), [server.url("/[1-3]")]).args(["-j", "3"]).run()
    });
    assert_eq!(finished.code, Some(3), "{}", finished.stderr);
    let says = format!("{}: another input has the same file name, same.csv: {}", server.url("/2"), server.url("/1"));
    assert!(finished.stderr.contains(&says) && finished.stderr.contains("--name"), "{}", finished.stderr);
    assert_eq!(read(&same), b"first");
    assert_eq!(names(folder.path()), ["other.csv", "same.csv"]);
    assert!(
        finished.text().lines().eq([&same, &folder.path().join("other.csv")].map(|path| path.to_str().expect("UTF-8")))
    );
}

#[test]
fn files_of_one_name_lie_apart_in_folders_or_by_a_template() {
    let csv = |n: &str| vec![Answer::ok(n)];
    let server = Server::start([
        ("/2023/data.csv", csv("2023")),
        ("/2024/data.csv", csv("2024")),
        ("/get?id=1", csv("one")),
        ("/named", vec![Answer::ok("n").header("Content-Disposition", "attachment; filename=\"CON\"")]),
    ]);
    let folder = tempfile::tempdir().expect("a folder");
    let urls = ["/{2023,2024}/data.csv", "/get?id=1", "/named"].map(|path| server.url(path));
    let host = format!("127.0.0.1_{}", server.address().port());

    let (x, again) = (folder.path().join("x"), ["--directories", "--skip-existing"]);
    let finished = get(&x, &urls).arg("--directories").run();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert_eq!(names(&x.join(&host)), ["2023", "2024", "get_id=1", "named"]);
    assert_eq!(read(x.join(&host).join("2024/data.csv")), b"2024");
    // The names are known before, so nobody is asked for what is there.
    let asked = server.paths().len();
    let finished = get(&x, &urls).args(again).run();
    assert_eq!((finished.code, server.paths().len()), (Some(0), asked), "{}", finished.stderr);

    let y = folder.path().join("y");
    let finished = get(&y, &urls).args(["--name", "{n:02}_{name}"]).run();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert_eq!(names(&y), ["01_data.csv", "02_data.csv", "03_get", "04__CON"]);

    for template in ["../{n}", "{x}", "/tmp/{n}", "{n}/"] {
        let finished = get(&y, &urls).args(["--name", template]).run();
        assert_eq!(finished.code, Some(2), "{template}: {}", finished.stderr);
    }
}

#[test]
fn a_file_that_is_there_is_never_replaced_unless_that_was_asked_for() {
    let server = Server::start([("/a.csv", vec![Answer::ok("new")]), ("/b.csv", vec![Answer::ok("other")])]);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.csv");
    fs::write(&path, "old").expect("a file");
    let run = |arguments: &[&str]| get(folder.path(), [server.url("/{a,b}.csv")]).args(arguments).run();

    let finished = run(&[]);
    assert_eq!((finished.code, read(&path)), (Some(3), b"old".to_vec()), "{}", finished.stderr);
    assert!(finished.stderr.contains("the file already exists") && finished.stderr.contains("hint:"));
    assert_eq!(finished.text(), format!("{}\n", folder.path().join("b.csv").display()));

    let finished = run(&["--skip-existing"]);
    assert_eq!((finished.code, read(&path)), (Some(0), b"old".to_vec()), "{}", finished.stderr);
    assert_eq!(finished.text().lines().count(), 2, "what is there is told as well");
    assert!(finished.stderr.contains("2 files") && finished.stderr.contains("2 of them already there"));

    let finished = run(&["--overwrite"]);
    assert_eq!((finished.code, read(&path)), (Some(0), b"new".to_vec()), "{}", finished.stderr);
    assert_eq!(run(&["--overwrite", "--skip-existing"]).code, Some(2));
    assert_eq!(names(folder.path()), ["a.csv", "b.csv"]);
}

#[cfg(unix)]
#[test]
fn a_link_is_neither_followed_nor_replaced() {
    let server = Server::with("/a.csv", [Answer::ok("new")]);
    let folder = tempfile::tempdir().expect("a folder");
    let (other, files) = (folder.path().join("other"), folder.path().join("files"));
    fs::create_dir(&files).expect("a folder");
    std::os::unix::fs::symlink(&other, files.join("a.csv")).expect("a link that leads nowhere");
    let finished = get(&files, [server.url("/a.csv")]).run();
    assert_eq!(finished.code, Some(8), "{}", finished.stderr);
    assert!(!other.exists() && names(&files) == ["a.csv"]);
}

#[test]
fn what_did_not_arrive_leaves_nothing_and_a_list_of_it_can_be_used_again() {
    let server = Server::start([
        ("/cut", vec![Answer::short("half", 8), Answer::short("half", 8), Answer::ok("complete")]),
        ("/gone", vec![Answer::status(404, "no"), Answer::ok("back")]),
        ("/good", vec![Answer::ok("good")]),
    ]);
    let folder = tempfile::tempdir().expect("a folder");
    let (files, again) = (folder.path().join("files"), folder.path().join("again.txt"));
    let list = ["cut", "gone", "good"].map(|path| format!("{}\t{path}\n", server.url(&format!("/{path}")))).concat();
    let finished = get(&files, ["-i", "-", "--retries", "1", "--failed-to"]).arg(&again).stdin(list).run();
    assert_eq!((finished.code, names(&files)), (Some(3), vec!["good".to_owned()]), "{}", finished.stderr);
    let finished = get(&files, ["-i"]).arg(&again).run();
    assert_eq!((finished.code, names(&files).len()), (Some(0), 3), "{}", finished.stderr);
    assert_eq!(read(files.join("cut")), b"complete");
}

#[test]
fn a_dry_run_fetches_nothing_and_a_folder_that_cannot_be_made_is_named() {
    let server = Server::with("/a", [Answer::ok("a")]);
    let folder = tempfile::tempdir().expect("a folder");
    let files = folder.path().join("files");
    let finished = get(&files, [server.url("/a").as_str(), "-n"]).run();
    assert_eq!((finished.code, finished.text()), (Some(0), format!("{}\n", server.url("/a")).as_str()));
    assert!(!files.exists() && server.paths().is_empty());
    fs::write(&files, "no folder").expect("a file");
    let finished = get(&files, [server.url("/a")]).run();
    assert_eq!(finished.code, Some(8), "{}", finished.stderr);
    assert!(finished.stderr.contains("cannot create the folder") && server.paths().is_empty(), "{}", finished.stderr);
}
