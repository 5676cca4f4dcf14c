//! Each bad input has its own message and exit code, and does not affect the good ones.

use crate::common::{Answer, Finished, Program, Server, gzip, raudal, zip};
use std::path::{Path, PathBuf};

const TABLE: &str = "town,people,code\nAyala,31,000\nXico,7,001\n";

fn table<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Program {
    raudal(["table", "--retry-delay", "1ms", "--progress", "none"]).args(arguments)
}

/// Writes a file in a temporary folder.
fn file(folder: &tempfile::TempDir, name: &str, bytes: impl AsRef<[u8]>) -> String {
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).expect("a file in a temporary folder");
    path.to_str().expect("a UTF-8 path").to_owned()
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

#[track_caller]
fn refused(finished: &Finished, code: i32, says: &[&str]) {
    assert_eq!(finished.code, Some(code), "{}", finished.stderr);
    for text in says {
        assert!(finished.stderr.contains(text), "`{text}` is not in:\n{}", finished.stderr);
    }
    assert!(!finished.stderr.contains("panicked"), "{}", finished.stderr);
}

/// Runs `table` over one response, and checks the exit code, the message and the number of
/// requests.
#[track_caller]
fn answered(answer: Answer, arguments: &[&str], code: i32, tries: usize, says: &[&str]) {
    let server = Server::with("/a.zip", [answer]);
    let url = server.url("/a.zip");
    let finished = table([url.as_str()]).args(arguments.iter().copied()).run();
    refused(&finished, code, says);
    assert!(finished.stderr.contains(&url), "the input is named:\n{}", finished.stderr);
    assert!(finished.stdout.is_empty());
    assert_eq!(server.paths().len(), tries);
    if tries > 1 {
        assert!(finished.stderr.contains(&format!("({tries} tries)")), "{}", finished.stderr);
    }
}

#[test]
fn an_unknown_column_names_the_nearest() {
    let folder = folder();
    let path = file(&folder, "a.csv", TABLE);
    refused(
        &table([path.as_str(), "--where", "peple > 3"]).run(),
        7,
        &["a.csv", "no such column: \"peple\"", "\"people\""],
    );
    refused(&table([path.as_str(), "--select", "town,Code"]).run(), 7, &["no such column: \"Code\"", "\"code\""]);
}

#[test]
fn a_bad_expression_shows_where_before_anything_is_fetched() {
    let server = Server::with("/a.csv", [Answer::ok(TABLE)]);
    let url = server.url("/a.csv");
    for (expression, says) in [
        ("people >", "people >"),
        ("0 <= people <= 5", "0 <= people and people <= 5"),
        ("people == 3 town", "town"),
        ("sum(people) > 3", "sum"),
    ] {
        refused(&table([url.as_str(), "--where", expression]).run(), 2, &["hint:", says]);
    }
    assert!(server.paths().is_empty(), "nothing was fetched");
}

#[test]
fn a_pattern_that_never_closes_is_a_usage_error() {
    refused(&table(["http://127.0.0.1:9/a[01-32.zip"]).run(), 2, &["a[01-32.zip", "hint:"]);
    refused(&table(["http://127.0.0.1:9/{a,b.zip"]).run(), 2, &["{a,b.zip", "hint:"]);
}

#[test]
fn limits_of_zero_are_usage_errors() {
    for option in ["--jobs", "--per-host", "--max-failures"] {
        refused(&table(["a.csv", option, "0"]).run(), 2, &[option, "at least 1"]);
    }
    for option in ["--connect-timeout", "--read-timeout"] {
        refused(&table(["a.csv", option, "0s"]).run(), 2, &[option, "more than 0", "24h"]);
    }
}

#[test]
fn an_unknown_entity_is_a_usage_error() {
    refused(&raudal(["iter", "--mirror", "embedded", "--entities", "01,33"]).run(), 2, &["33", "hint:"]);
}

#[test]
fn an_option_of_the_embedded_origin_is_refused_for_another_server() {
    refused(&raudal(["iter", "--latency", "80ms"]).run(), 2, &["--latency", "--mirror embedded"]);
}

#[test]
fn a_refused_connection_may_be_tried_again() {
    // This port was free a moment ago.
    let port =
        std::net::TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("an address").port();
    let url = format!("http://127.0.0.1:{port}/a.zip");
    refused(&table([url.as_str(), "--retries", "1"]).run(), 4, &[&url, "(2 tries)", "refused"]);
}

#[test]
fn a_name_that_does_not_resolve_is_named() {
    let url = "http://no-such-host.invalid/a.zip";
    refused(&table([url, "--retries", "0"]).run(), 4, &[url, "no-such-host.invalid"]);
}

#[test]
fn a_missing_file_is_not_asked_for_again() {
    answered(Answer::status(404, "no"), &[], 5, 1, &["404"]);
}

#[test]
fn a_server_that_fails_for_ever_is_given_up_after_the_retries() {
    answered(Answer::status(500, "no"), &[], 4, 4, &["500"]);
    answered(Answer::status(503, "no"), &["--retries", "1"], 4, 2, &["503"]);
}

#[test]
fn a_page_in_place_of_an_archive_is_an_impostor() {
    answered(Answer::page("No existe"), &["--retries", "1"], 4, 2, &["HTML", "No existe"]);
}

#[test]
fn an_empty_body_is_no_archive() {
    answered(Answer::empty(), &["--retries", "1"], 4, 2, &["empty"]);
}

#[test]
fn a_body_shorter_than_its_length_is_an_integrity_failure() {
    let archive = zip([("a.csv", TABLE.as_bytes())]);
    answered(
        Answer::short(&archive[..40], archive.len()),
        &["--retries", "1"],
        6,
        2,
        &["40", &archive.len().to_string()],
    );
}

#[test]
fn bytes_that_are_no_zip_fail_after_the_tries() {
    answered(Answer::ok("town,people\n"), &["--retries", "2"], 5, 3, &["zip"]);
}

#[test]
fn a_transfer_that_recovers_costs_nothing_but_time() {
    let archive = zip([("a.csv", TABLE.as_bytes())]);
    let server = Server::with(
        "/a.zip",
        [
            Answer::empty(),
            Answer::page("Mantenimiento"),
            Answer::short(&archive[..40], archive.len()),
            Answer::ok(&archive),
        ],
    );
    let finished = table([server.url("/a.zip").as_str()]).run();
    assert_eq!((finished.code, finished.text()), (Some(0), TABLE), "{}", finished.stderr);
    assert!(finished.stderr.contains("3 retries"), "{}", finished.stderr);
}

#[test]
fn a_zip_cut_at_any_offset_is_refused() {
    let folder = folder();
    let archive = zip([("a.csv", TABLE.as_bytes())]);
    for cut in (1..archive.len()).step_by(5) {
        let path = file(&folder, "cut.zip", &archive[..cut]);
        let finished = table([path.as_str()]).run();
        assert!(matches!(finished.code, Some(5 | 6)), "cut at {cut}: {:?} {}", finished.code, finished.stderr);
        refused(&finished, finished.code.unwrap_or_default(), &["cut.zip"]);
        assert!(finished.stdout.is_empty());
    }
}

#[test]
fn a_flipped_byte_never_gives_rows() {
    let folder = folder();
    // Stored, not deflated: a flipped byte is still text, so only the CRC can detect it.
    let mut archive = zip([("a.csv", TABLE.as_bytes())]);
    let at = archive.windows(5).position(|window| window == b"a.csv").expect("the name") + 5 + 20;
    archive[at] ^= 1;
    let path = file(&folder, "flipped.zip", &archive);
    let finished = table([path.as_str()]).run();
    refused(&finished, 6, &["flipped.zip", "a.csv"]);
    assert!(finished.stdout.is_empty());
    let mut packed = gzip(TABLE);
    let at = packed.len() - 6;
    packed[at] ^= 1;
    refused(&table([file(&folder, "a.csv.gz", packed).as_str()]).run(), 6, &["a.csv.gz"]);
}

#[test]
fn an_encrypted_member_is_named() {
    let folder = folder();
    let mut archive = zip([("a.csv", TABLE.as_bytes())]);
    // The lowest bit of the general purpose flag, in the local header and in the directory (APPNOTE
    // 4.4.4).
    let directory = archive.windows(4).position(|window| window == b"PK\x01\x02").expect("a directory");
    archive[6] |= 1;
    archive[directory + 8] |= 1;
    let path = file(&folder, "secret.zip", archive);
    refused(&table([path.as_str()]).run(), 7, &["secret.zip", "a.csv", "encrypted"]);
}

#[test]
fn a_zip_bomb_is_refused() {
    let folder = folder();
    let mut bomb = b"a\n".to_vec();
    bomb.resize(8 << 20, b'0');
    let path = file(&folder, "bomb.zip", zip([("a.csv", &*bomb)]));
    refused(&table([path.as_str()]).run(), 7, &["bomb.zip", "--max-ratio"]);
}

#[test]
fn a_member_whose_name_climbs_out_of_a_folder_is_read_but_never_written() {
    let folder = folder();
    let path = file(&folder, "climbs.zip", zip([("../../climbed.csv", TABLE.as_bytes())]));
    let finished = table([path.as_str()]).in_folder(folder.path()).run();
    assert_eq!((finished.code, finished.text()), (Some(0), TABLE));
    assert!(
        finished.stderr.contains("warning:") && finished.stderr.contains("../../climbed.csv"),
        "{}",
        finished.stderr
    );
    assert_eq!(names(folder.path()), ["climbs.zip"]);
}

#[test]
fn a_ragged_row_is_named_by_its_line() {
    let folder = folder();
    let path = file(&folder, "a.csv", "a,b\n1,2\n3\n");
    refused(&table([path.as_str()]).run(), 7, &["a.csv", "line 3"]);
}

#[test]
fn a_field_of_two_mebibytes_is_refused_and_can_be_allowed() {
    let folder = folder();
    let path = file(&folder, "a.csv", format!("a,b\n1,{}\n", "x".repeat(2 << 20)));
    refused(&table([path.as_str()]).run(), 7, &["a.csv", "line 2", "--max-field-size"]);
    assert_eq!(table([path.as_str(), "--max-field-size", "4MiB"]).run().code, Some(0));
}

#[test]
fn bytes_that_are_not_of_the_encoding_are_named_with_a_way_out() {
    let folder = folder();
    let path = file(&folder, "a.csv", b"town,people\nM\xe9rida,3\n");
    refused(&table([path.as_str()]).run(), 7, &["a.csv", "line 2", "town", "--encoding windows-1252"]);
    let finished = table([path.as_str(), "--encoding", "windows-1252"]).run();
    assert_eq!(finished.text(), "town,people\nMérida,3\n");
    refused(&table([path.as_str(), "--encoding", "windows-1253x"]).run(), 2, &["windows-1253x"]);
}

#[test]
fn headers_that_differ_name_the_column_and_those_in_another_order_are_aligned() {
    let folder = folder();
    let first = file(&folder, "a.csv", "x,y\n1,2\n");
    let turned = file(&folder, "b.csv", "y,x\n4,3\n");
    let other = file(&folder, "c.csv", "x,z\n5,6\n");
    let finished = table([first.as_str(), &turned, &other]).run();
    refused(&finished, 3, &["c.csv", "a.csv"]);
    assert!(finished.stderr.contains('z') || finished.stderr.contains('y'), "{}", finished.stderr);
    assert_eq!(finished.text(), "x,y\n1,2\n3,4\n");
}

#[test]
fn several_members_are_listed_never_guessed() {
    let folder = folder();
    let path = file(&folder, "two.zip", zip([("data/a.csv", TABLE.as_bytes()), ("meta/b.csv", b"x\n1\n")]));
    refused(&table([path.as_str()]).run(), 7, &["data/a.csv", "meta/b.csv", "--member"]);
    assert_eq!(table([path.as_str(), "--member", "data/*"]).run().text(), TABLE);
    refused(&table([path.as_str(), "--member", "none/*"]).run(), 7, &["none/*", "data/a.csv"]);
}

#[test]
fn a_folder_that_does_not_exist_is_said_before_anything_is_fetched() {
    let server = Server::with("/a.csv", [Answer::ok(TABLE)]);
    let folder = folder();
    let output = folder.path().join("none/out.csv");
    let output = output.to_str().expect("a UTF-8 path");
    for option in ["--output", "--report", "--failed-to"] {
        refused(&table([server.url("/a.csv").as_str(), option, output]).run(), 8, &["out.csv", "hint:"]);
    }
    assert!(server.paths().is_empty(), "nothing was fetched");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_output_error() {
    let folder = folder();
    let path = file(&folder, "a.csv", TABLE);
    refused(&table([path.as_str(), "-o", "/dev/full"]).run(), 8, &["/dev/full"]);
}

#[test]
fn a_local_file_that_is_not_there_is_named() {
    let folder = folder();
    let path = folder.path().join("none.csv");
    refused(&table([path.to_str().expect("a UTF-8 path")]).run(), 8, &["none.csv"]);
}

#[test]
fn one_bad_archive_among_thirty_two_costs_only_itself() {
    let archives: Vec<(String, Vec<u8>)> =
        (1..=32).map(|n| (format!("/ITER_{n:02}.zip"), zip([("a.csv", format!("n,m\n{n},x\n").as_bytes())]))).collect();
    let server = Server::start(archives.iter().map(|(path, archive)| {
        let answer = if path == "/ITER_17.zip" { Answer::page("No existe") } else { Answer::ok(archive) };
        (path.as_str(), vec![answer])
    }));
    let folder = folder();
    let (failed, report) = (folder.path().join("failed.txt"), folder.path().join("report.json"));
    let pattern = server.url("/ITER_[01-32].zip");
    for jobs in ["1", "8", "32"] {
        let finished = table([pattern.as_str(), "-j", jobs, "--retries", "2"])
            .args(["--failed-to".as_ref(), failed.as_os_str(), "--report".as_ref(), report.as_os_str()])
            .run();
        refused(&finished, 3, &["ITER_17.zip", "HTML", "(3 tries)", "1 of 32 inputs failed"]);
        let expected: Vec<String> = (1..=32).filter(|n| *n != 17).map(|n| format!("{n},x")).collect();
        assert_eq!(finished.text(), format!("n,m\n{}\n", expected.join("\n")));
        let bad = std::fs::read_to_string(&failed).expect("the list of failures");
        assert_eq!(bad.lines().next(), Some(server.url("/ITER_17.zip").as_str()));
        let report: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&report).expect("a report")).expect("a report in JSON");
        assert_eq!(report["exit_code"], 3);
        assert_eq!(report["archives"], 31);
        assert_eq!(report["failed"][0]["attempts"], 3);
        assert_eq!(report["failed"][0]["kind"], "impostor");
        assert_eq!(report["jobs"].as_array().map(Vec::len), Some(32));
    }
    // The list of failed inputs is valid input.
    let again = raudal(["table", "--retries", "0", "--progress", "none", "-i"]).args([failed.as_os_str()]).run();
    refused(&again, 4, &["ITER_17.zip", "1 of 1 input failed"]);
}

#[test]
fn the_first_failure_ends_a_run_that_must_not_go_on() {
    let good = zip([("a.csv", TABLE.as_bytes())]);
    let server = Server::start([("/1.zip", vec![Answer::ok(&good)]), ("/3.zip", vec![Answer::ok(&good)])]);
    let folder = folder();
    let (output, failed) = (folder.path().join("out.csv"), folder.path().join("failed.txt"));
    let finished = table([server.url("/[1-3].zip").as_str(), "-j", "1", "--fail-fast"])
        .args(["-o".as_ref(), output.as_os_str(), "--failed-to".as_ref(), failed.as_os_str()])
        .run();
    refused(&finished, 3, &["/2.zip", "404", "not done"]);
    assert_eq!(server.paths(), ["/1.zip", "/2.zip"]);
    assert!(!output.exists(), "nothing half-done stands under the final name");
    assert_eq!(std::fs::read_to_string(folder.path().join("out.csv.partial")).expect("the complete part"), TABLE);
    let failed = std::fs::read_to_string(failed).expect("the list");
    assert_eq!(failed.lines().collect::<Vec<_>>(), [server.url("/2.zip"), server.url("/3.zip")]);
}

#[test]
fn nothing_is_written_when_nothing_succeeded() {
    let folder = folder();
    let output = folder.path().join("out.csv");
    std::fs::write(&output, "from before").expect("a file");
    let bad = file(&folder, "bad.zip", "PK\x03\x04 and no more");
    let finished = table([bad.as_str(), "--overwrite", "-o"]).args([output.as_os_str()]).run();
    refused(&finished, 6, &["bad.zip", "nothing was written to"]);
    assert_eq!(std::fs::read_to_string(&output).expect("the old file"), "from before");
    assert_eq!(names(folder.path()), ["bad.zip", "out.csv"]);
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| PathBuf::from(entry.expect("an entry").file_name()).display().to_string())
        .collect();
    names.sort();
    names
}
