//! Where inputs come from: standard input, globs, the links on a page. And what is said of one among several.

use crate::common::{Answer, Finished, Server, raudal};
use std::fs;

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir_all(folder.path().join("data/2020")).expect("a folder");
    for (name, text) in [("data/b.csv", "x\n2\n"), ("data/a.csv", "x\n1\n"), ("data/2020/c.csv", "x\n3\n")] {
        fs::write(folder.path().join(name), text).expect("a file");
    }
    folder
}

fn good(finished: &Finished) -> &str {
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    finished.text()
}

#[test]
fn a_hyphen_is_standard_input_and_is_read_once() {
    let folder = folder();
    let done = raudal(["table", "data/a.csv", "-", "--source-column", "from"]).in_folder(folder.path());
    assert_eq!(good(&done.stdin("x\n7\n").run()), "from,x\na.csv,1\nstdin,7\n");
    let zipped = crate::common::gzip(b"x\n7\n");
    assert_eq!(good(&raudal(["table", "-"]).stdin(zipped).run()), "x\n7\n");
    let bad = raudal(["table", "-"]).stdin("x,y\n7\n").run();
    assert_eq!(bad.code, Some(7));
    assert!(bad.stderr.contains("standard input: line 2: this record has 1 field"), "{}", bad.stderr);
    assert_eq!(raudal(["table", "-"]).stdin("").run().code, Some(7));
    for arguments in [&["table", "-", "-"][..], &["table", "-", "-i", "-"], &["table", "{a,-}"]] {
        let refused = raudal(arguments.iter().copied()).stdin("x\n").run();
        assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    }
}

#[test]
fn a_glob_is_files_in_the_order_of_their_names() {
    let folder = folder();
    let table = |glob: &str| raudal(["table", glob, "-q"]).in_folder(folder.path()).run();
    assert_eq!(good(&table("data/*.csv")), "x\n1\n2\n");
    assert_eq!(good(&table("data/**/*.csv")), "x\n1\n2\n3\n");
    assert_eq!(good(&table("**/[2020-2020]/?.csv")), "x\n3\n");
    // Each value of a set must be there: a year that is missing is no detail.
    let none = table("data/[2020-2021]/*.csv");
    assert_eq!(none.code, Some(8), "{}", none.stderr);
    assert!(none.stderr.contains("data/2021/*.csv: no file matches"), "{}", none.stderr);
    let none = table("data/*.tsv");
    assert_eq!(none.code, Some(8), "{}", none.stderr);
    assert!(none.stderr.contains("data/*.tsv: no file matches"), "{}", none.stderr);
}

#[test]
fn the_links_on_a_page_are_inputs() {
    let page = "<a href='../'>up</a><a href='2.csv'>2</a><a href='1.csv'>1</a><a href='2.csv'>2</a><a href='n.pdf'>n</a>\
                <a href='http://other.invalid/3.csv'>3</a>";
    let server = Server::start([
        ("/data", vec![Answer::redirect("/data/")]),
        ("/data/", vec![Answer::status(503, "later"), Answer::ok(page).header("Content-Type", "text/html")]),
        ("/data/1.csv", vec![Answer::ok("x\n1\n")]),
        ("/data/2.csv", vec![Answer::ok("x\n2\n")]),
    ]);
    let url = server.url("/data");
    let run =
        |arguments: &[&str]| raudal(["table", &url, "--links", "*.csv", "--retry-delay", "1ms"]).args(arguments).run();
    let done = run(&[]);
    assert_eq!(good(&done), "x\n2\n1\n");
    assert!(done.stderr.contains("1 link that matches leads to other hosts (other.invalid)"), "{}", done.stderr);
    assert!(done.stderr.contains("--links-any-host"), "{}", done.stderr);
    let planned = run(&["-n", "-q"]);
    assert_eq!(good(&planned), format!("{0}\n{1}\n", server.url("/data/2.csv"), server.url("/data/1.csv")));
    assert!(planned.stderr.is_empty(), "{}", planned.stderr);
    let any = run(&["-n", "--links-any-host"]);
    assert!(good(&any).ends_with("http://other.invalid/3.csv\n"));
    let folder = tempfile::tempdir().expect("a folder");
    let files = raudal(["get", &url, "-d", "got", "-q"]).env("RAUDAL_LINKS", "1.*").in_folder(folder.path()).run();
    good(&files);
    assert_eq!(fs::read_to_string(folder.path().join("got/1.csv")).expect("a file"), "x\n1\n");
    let none = raudal(["table", &url, "--links", "*.zip"]).run();
    assert_eq!(none.code, Some(7), "{}", none.stderr);
    assert!(none.stderr.contains("hint: its links are 2.csv, 1.csv, n.pdf"), "{}", none.stderr);
    let missing = raudal(["table", &server.url("/nothing"), "--links", "*.csv"]).run();
    assert_eq!((missing.code, missing.text()), (Some(5), ""), "{}", missing.stderr);
    assert_eq!(raudal(["table", &url, "--links", "[a"]).run().code, Some(2));
}

#[test]
fn one_bad_input_among_several_is_a_partial_success_and_is_named_with_its_folder() {
    let folder = folder();
    for (name, text) in
        [("data/2020/twice.csv", "x,x\n1,2\n"), ("data/2020/other.csv", "y\n1\n"), ("data/2020/e.csv", "")]
    {
        fs::write(folder.path().join(name), text).expect("a file");
        let run = |options: &[&str]| raudal(["table", "data/a.csv", name]).args(options).in_folder(folder.path()).run();
        let done = run(&[]);
        assert_eq!((done.code, done.text()), (Some(3), "x\n1\n"), "{}", done.stderr);
        assert!(done.stderr.contains(&format!("error: {name}: ")), "{}", done.stderr);
        let alone = raudal(["table", name, "--select", "x"]).in_folder(folder.path()).run();
        assert_eq!(alone.code, Some(7), "{}", alone.stderr);
    }
}

#[test]
fn quiet_silences_warnings_and_a_switch_is_yes_or_no() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("a.csv"), "x\nx\n1\n").expect("a file");
    let run = || raudal(["table", "a.csv"]).in_folder(folder.path());
    assert!(run().run().stderr.contains("warning: a.csv: 1 record repeats the header"));
    assert_eq!(run().arg("-q").run().stderr, "");
    for (value, code) in [("no", 0), ("", 0), ("0", 0), ("Yes", 0), ("maybe", 2), ("2", 2)] {
        let done = run().env("RAUDAL_BOM", value).run();
        assert_eq!(done.code, Some(code), "{value}: {}", done.stderr);
        assert_eq!(done.stdout.starts_with(b"\xef\xbb\xbf"), value == "Yes", "{value}");
    }
}

#[test]
fn a_store_in_place_of_an_output_is_refused_and_leaves_no_folder() {
    let folder = folder();
    for arguments in
        [["table", "data/a.csv", "-o", "s3://bucket/a.csv"], ["get", "data/a.csv", "-d", "s3://bucket/folder"]]
    {
        let refused = raudal(arguments).in_folder(folder.path()).run();
        assert_eq!(refused.code, Some(2), "{}", refused.stderr);
        assert!(refused.stderr.contains("not written to s3:// addresses"), "{}", refused.stderr);
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }
}

#[cfg(not(feature = "cloud"))]
#[test]
fn a_program_without_cloud_stores_says_how_to_get_them() {
    for source in ["s3://bucket/a.csv", "gs://bucket/*.csv", "az://container/a.csv"] {
        let refused = raudal(["table", source]).run();
        assert_eq!(refused.code, Some(2), "{}", refused.stderr);
        assert!(refused.stderr.contains("this program was built without cloud stores"), "{}", refused.stderr);
        assert!(refused.stderr.contains("cargo feature `cloud`"), "{}", refused.stderr);
    }
}
