//! Lists of inputs with bad lines: they fail, and the others go on.

use super::{get, names, read};
use crate::common::{Answer, Server, raudal};
use std::fs;

#[test]
fn a_bad_line_is_a_failed_input_and_the_rest_goes_on() {
    let server = Server::start([("/a.csv", vec![Answer::ok("n\n1\n")]), ("/b.csv", vec![Answer::ok("n\n2\n")])]);
    let (a, b) = (server.url("/a.csv"), server.url("/b.csv"));
    let folder = tempfile::tempdir().expect("a folder");
    let (files, list, again) =
        (folder.path().join("files"), folder.path().join("list.txt"), folder.path().join("again"));
    let bad = format!("ftp://h/x\n{b}\ta/b.csv\n\tname\n");
    fs::write(&list, [format!("# files\n{a}\n{bad}{a}#top\n").as_bytes(), b"\xff\n", b.as_bytes(), b"\n"].concat())
        .expect("a file");

    let finished = get(&files, ["--failed-to"]).arg(&again).arg("-i").arg(&list).run();
    assert_eq!(finished.code, Some(3), "{}", finished.stderr);
    for says in [
        "list.txt: line 3: ftp://h/x: unsupported scheme: ftp",
        "list.txt: line 4: not a valid file name: a/b.csv",
        "list.txt: line 5: a name without a source: name",
        "list.txt: line 7: a line that is not UTF-8",
        "4 of 6 inputs failed",
        &format!("an input is given twice, and fetched once: {a}"),
    ] {
        assert!(finished.stderr.contains(says), "{says}: {}", finished.stderr);
    }
    let mut asked = server.paths();
    asked.sort();
    assert_eq!((names(&files), asked), (vec!["a.csv".into(), "b.csv".into()], vec!["/a.csv".into(), "/b.csv".into()]));
    let left = String::from_utf8(read(&again)).expect("UTF-8");
    assert_eq!(left, format!("{bad}\u{fffd}\n"), "what failed can be corrected");

    let table = |option: &[&str]| raudal(["table", "--progress", "none", "-i"]).arg(&list).args(option).run();
    let finished = table(&[]);
    assert_eq!((finished.code, finished.text()), (Some(3), "n\n1\n2\n1\n2\n"), "{}", finished.stderr);
    let finished = table(&["--strict-list"]);
    assert_eq!((finished.code, finished.text()), (Some(2), ""), "{}", finished.stderr);
    let finished = table(&["-n"]);
    assert_eq!((finished.code, finished.text().lines().count()), (Some(3), 5 - 1), "{}", finished.stderr);
    assert!(finished.stderr.contains("line 3"), "{}", finished.stderr);
}

#[test]
fn a_list_of_bad_lines_alone_is_a_wrong_use_and_one_that_is_no_text_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let finished = get(folder.path(), ["-i", "-"]).stdin("ftp://h/x\ngopher://h\n").run();
    assert_eq!(finished.code, Some(2), "{}", finished.stderr);
    let finished = get(folder.path(), ["-i", "-"]).stdin(crate::common::zip([("a", b"1".as_slice())])).run();
    assert_eq!(finished.code, Some(2), "{}", finished.stderr);
    assert!(finished.stderr.contains("not a text file"), "{}", finished.stderr);
    assert!(names(folder.path()).is_empty());
}

#[test]
fn bad_lines_count_as_failures_that_stop_a_run() {
    let server = Server::start([("/a", vec![Answer::ok("a")]), ("/b", vec![Answer::ok("b")])]);
    let folder = tempfile::tempdir().expect("a folder");
    let list = format!("{}\nftp://h/x\n{}\n", server.url("/a"), server.url("/b"));
    let finished = get(folder.path(), ["-i", "-", "--fail-fast", "-j1"]).stdin(list).run();
    assert_eq!((finished.code, names(folder.path())), (Some(3), vec!["a".to_owned()]), "{}", finished.stderr);
    assert!(finished.stderr.contains("1 of 3 inputs not done"), "{}", finished.stderr);
}
