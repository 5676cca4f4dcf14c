//! The main job from end to end: the installed program reads archives of the embedded origin into
//! one table.

use crate::common::{Answer, Gate, Server, raudal, zip};
use raudal::origin::{self, Origin};
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Duration;

/// The archives are small, because the tests check the path through all crates, not the size.
const SCALE: f64 = 0.02;

/// An origin with its own runtime, beside the test.
struct Beside {
    runtime: tokio::runtime::Runtime,
    origin: Option<Origin>,
}

impl Beside {
    fn start(latency: Duration) -> Self {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let mut options = origin::Options::default();
        options.scale = SCALE;
        options.latency = latency;
        let origin = runtime.block_on(Origin::start(options)).expect("an origin");
        Self { runtime, origin: Some(origin) }
    }

    fn origin(&self) -> &Origin {
        self.origin.as_ref().expect("it runs until it is dropped")
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        if let Some(origin) = self.origin.take() {
            self.runtime.block_on(origin.shutdown());
        }
    }
}

fn column<'a>(table: &'a str, name: &str) -> Vec<&'a str> {
    let mut lines = table.lines();
    let at = lines.next().and_then(|header| header.split(',').position(|column| column == name)).expect("the column");
    lines.map(|line| line.split(',').nth(at).expect("a cell")).collect()
}

#[test]
fn thirty_two_archives_become_thirty_two_rows_in_entity_order() {
    let finished = raudal(["iter", "--mirror", "embedded", "--scale", "0.02"]).run();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let table = finished.text();
    let codes: Vec<String> = (1..=32).map(|n| format!("{n:02}")).collect();
    assert_eq!(column(table, "ENTIDAD"), codes);
    assert!(column(table, "MUN").iter().all(|mun| *mun == "000"), "zero-padded text stays as it was");
    let people: u64 = column(table, "POBTOT").iter().map(|people| people.parse::<u64>().expect("a number")).sum();
    assert_eq!(people, 126_014_024);
    assert!(finished.stderr.contains("32 archives"), "{}", finished.stderr);
    assert!(finished.stderr.contains("32 kept") && finished.stderr.contains("in flight at the peak"));
}

#[test]
fn the_table_is_the_same_byte_for_byte_whatever_the_number_of_jobs() {
    let beside = Beside::start(Duration::ZERO);
    let url = beside.origin().url();
    let run = |arguments: &[&str]| {
        let finished = raudal(["iter", "--mirror", &url, "-q", "--where", "LOC == 0"]).args(arguments).run();
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        finished.stdout
    };
    let one = run(&["--sequential"]);
    assert!(one.len() > 10_000);
    for jobs in ["1", "8", "32"] {
        assert!(run(&["-j", jobs]) == one, "-j {jobs}");
    }
    assert!(run(&["--edition", "datosabiertos"]) == one, "the other edition has the same rows");
}

#[test]
fn the_origin_never_sees_more_requests_in_flight_than_were_allowed() {
    // The latency makes requests overlap long enough to expose a limit that does not hold.
    let beside = Beside::start(Duration::from_millis(20));
    let url = beside.origin().url();
    for (arguments, allowed) in
        [(["-j", "8", "--per-host", "3"], 3), (["-j", "5", "--per-host", "32"], 5), (["-j", "1", "--per-host", "8"], 1)]
    {
        beside.origin().reset_stats();
        let finished = raudal(["iter", "--mirror", &url, "-q"]).args(arguments).run();
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        let stats = beside.origin().stats();
        assert_eq!(stats.requests, 32);
        assert!(stats.peak_in_flight <= allowed, "{} of {allowed}", stats.peak_in_flight);
    }
}

#[test]
fn some_entities_go_to_a_file_that_appears_whole() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("out.tsv");
    let finished = raudal(["iter", "--mirror", "embedded", "--scale", "0.02", "--entities", "01,09,14-16", "-o"])
        .args([&path])
        .args(["--select", "ENTIDAD,NOM_ENT", "--source-column", "archive"])
        .run();
    assert_eq!((finished.code, finished.text()), (Some(0), ""), "{}", finished.stderr);
    let table = std::fs::read_to_string(&path).expect("the table");
    assert_eq!(table.lines().next(), Some("archive\tENTIDAD\tNOM_ENT"));
    assert_eq!(table.lines().nth(2), Some("ITER_09_2020_csv.zip\t09\tCiudad de México"));
    assert_eq!(table.lines().count(), 6);
    assert_eq!(std::fs::read_dir(folder.path()).expect("the folder").count(), 1, "nothing else is left there");
}

#[test]
fn a_dry_run_says_what_it_would_fetch_and_fetches_nothing() {
    let finished = raudal(["iter", "-n", "--entities", "1,2"]).run();
    let base = "https://www.inegi.org.mx/contenidos/programas/ccpv/2020/microdatos/iter";
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert_eq!(finished.text(), format!("{base}/ITER_01_2020_csv.zip\n{base}/ITER_02_2020_csv.zip\n"));
    // The output is valid input for another run.
    let server = Server::with("/a.csv", [Answer::ok("x\n1\n")]);
    let planned = raudal(["table", "--dry-run", &server.url("/a.csv")]).run();
    assert!(server.paths().is_empty());
    let finished = raudal(["table", "-q", "-i", "-"]).stdin(planned.stdout).run();
    assert_eq!((finished.code, finished.text()), (Some(0), "x\n1\n"), "{}", finished.stderr);
}

#[test]
fn any_mix_of_sources_becomes_one_table_in_their_order() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let at = |name: &str| folder.path().join(name).to_str().expect("a UTF-8 path").to_owned();
    std::fs::write(at("a.csv"), "\u{feff}x,y\r\n1,\"a,b\"\r\n").expect("a file");
    std::fs::write(at("b.csv.gz"), crate::common::gzip("y,x\nc,2")).expect("a file");
    let server = Server::with("/c.zip", [Answer::ok(zip([("c.csv", b"x,y\n3,\"d \"\"e\"\"\"\n".as_slice())]))]);
    let sources = [at("a.csv"), at("b.csv.gz"), server.url("/c.zip")];
    let finished = raudal(["table", "-q", "--format", "jsonl"]).args(&sources).run();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert_eq!(
        finished.text(),
        "{\"x\":\"1\",\"y\":\"a,b\"}\n{\"x\":\"2\",\"y\":\"c\"}\n{\"x\":\"3\",\"y\":\"d \\\"e\\\"\"}\n"
    );
    let finished = raudal(["table", "-q", "--where", "x != 2"]).args(&sources).run();
    assert_eq!(finished.text(), "x,y\n1,\"a,b\"\n3,\"d \"\"e\"\"\"\n");
}

#[test]
fn each_option_can_come_from_the_environment() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("a.csv");
    std::fs::write(&path, "x\n1\n2\n").expect("a file");
    let finished = raudal(["table"]).args([&path]).env("RAUDAL_WHERE", "x > 1").env("RAUDAL_QUIET", "1").run();
    assert_eq!((finished.code, finished.text(), finished.stderr.as_str()), (Some(0), "x\n2\n", ""));
}

#[test]
fn progress_as_json_is_an_object_a_line_on_stderr() {
    let finished = raudal(["iter", "--mirror", "embedded", "--scale", "0.02", "--progress", "json"]).run();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let events: Vec<serde_json::Value> =
        finished.stderr.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let count = |name: &str| events.iter().filter(|event| event["event"] == name).count();
    assert_eq!((count("attempt_started"), count("job_finished"), count("run_finished")), (32, 32, 1));
}

#[test]
fn whoever_has_read_enough_of_the_table_is_no_error() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("a.csv");
    // More than any pipe buffer holds.
    std::fs::write(&path, format!("x\n{}", "1234567\n".repeat(1 << 19))).expect("a file");
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_raudal"))
        .args(["table", "--progress", "none"])
        .args([&path])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a line");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(line, "x\n");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn a_comparison_proves_equality_and_says_the_speed_up() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (json, markdown) = (folder.path().join("c.json"), folder.path().join("c.md"));
    let finished = raudal(["compare", "iter", "-j", "1,8", "-r", "2", "-w", "0", "--entities", "01-08"])
        .args(["--scale", "0.02", "--latency", "5ms", "--progress", "plain", "--export-json"])
        .args([&json])
        .arg("--export-markdown")
        .args([&markdown])
        .run();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert!(finished.text().contains("speed-up") && finished.text().contains("± "), "{}", finished.text());
    assert!(finished.stderr.contains("run 4 of 4"), "{}", finished.stderr);
    let figures: serde_json::Value =
        serde_json::from_slice(&std::fs::read(json).expect("figures")).expect("figures in JSON");
    assert_eq!(figures["rows"], 8);
    assert!(std::fs::read_to_string(markdown).expect("a table").contains("| 8 |"));
}

#[test]
fn a_comparison_of_what_fails_says_why_and_no_speed_up() {
    let server = Server::start([]);
    let finished = raudal(["compare", "iter", "--entities", "01", "--mirror", &server.url("/")]).run();
    assert_eq!((finished.code, finished.text()), (Some(5), ""), "{}", finished.stderr);
    assert!(finished.stderr.contains("404"), "{}", finished.stderr);
}

#[test]
fn the_report_of_auto_tells_each_limit_with_its_time_its_host_and_its_reason() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = Server::with("/a.csv", [Answer::ok("n\n1\n")]);
    for (jobs, limits) in [("auto", 1), ("8", 0)] {
        let report = folder.path().join(jobs);
        let finished = raudal(["table", &server.url("/a.csv"), "-j", jobs, "--report"]).arg(&report).run();
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        let report: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&report).expect("a report")).expect("a report in JSON");
        assert_eq!(report["limits"].as_array().expect("a list").len(), limits, "{report}");
        if let Some(first) = report["limits"].get(0) {
            assert_eq!((&first["limit"], &first["why"]), (&6.into(), &"to begin with".into()));
            assert_eq!(first["key"], server.url("/").trim_end_matches('/'));
            assert!(first["at"].is_f64(), "{first}");
        }
    }
}

#[cfg(unix)]
mod signals {
    use super::*;
    use rustix::process::{Pid, Signal, kill_process};

    fn kill(child: &std::process::Child, signal: Signal) {
        let pid = Pid::from_raw(child.id().try_into().expect("a process id")).expect("a process id");
        kill_process(pid, signal).expect("it runs");
    }

    #[test]
    fn an_interrupted_run_keeps_what_is_complete_and_leaves_nothing_half_done() {
        let archive = |n: u8| zip([("a.csv", format!("n\n{n}\n").as_bytes())]);
        let gate = Gate::new();
        let server = Server::start([
            ("/1.zip", vec![Answer::ok(archive(1))]),
            ("/2.zip", vec![Answer::ok(archive(2)).behind(&gate)]),
            ("/3.zip", vec![Answer::ok(archive(3))]),
        ]);
        for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
            let folder = tempfile::tempdir().expect("a temporary folder");
            let (output, report) = (folder.path().join("out.csv"), folder.path().join("report.json"));
            std::fs::write(&output, "from before").expect("a file");
            let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_raudal"))
                .args(["table", &server.url("/[1-3].zip"), "--progress", "json", "--overwrite", "-o"])
                .args([&output])
                .arg("--report")
                .args([&report])
                .stderr(Stdio::piped())
                .spawn()
                .expect("the program starts");
            // Two jobs are done and the third waits behind the gate: only now is the run in its
            // middle.
            let mut stderr = BufReader::new(child.stderr.take().expect("a pipe")).lines();
            for _ in 0..2 {
                let ended = stderr.find(|line| line.as_ref().is_ok_and(|line| line.contains("job_finished")));
                assert!(ended.is_some(), "two jobs end");
            }
            kill(&child, signal);
            let rest: Vec<String> = stderr.map(|line| line.expect("a line")).collect();
            assert_eq!(child.wait().expect("it ends").code(), Some(code), "{rest:?}");
            assert!(rest.iter().any(|line| line.contains("1 of 3 inputs not done")), "{rest:?}");
            assert_eq!(std::fs::read_to_string(&output).expect("the file of before"), "from before");
            let kept = std::fs::read_to_string(folder.path().join("out.csv.partial")).expect("what is complete");
            assert_eq!(kept, "n\n1\n3\n");
            let report: serde_json::Value =
                serde_json::from_slice(&std::fs::read(&report).expect("a report")).expect("a report in JSON");
            assert_eq!(report["exit_code"], code);
            assert_eq!(report["unfinished"][0], server.url("/2.zip"));
            assert_eq!(std::fs::read_dir(folder.path()).expect("the folder").count(), 3, "nothing else is left");
        }
        gate.open();
    }

    #[test]
    fn a_deadline_ends_a_run_that_hangs() {
        let server = Server::with("/a.zip", [Answer::stall()]);
        let finished = raudal(["table", &server.url("/a.zip"), "--deadline", "50ms"]).run();
        assert_eq!(finished.code, Some(124), "{}", finished.stderr);
        assert!(finished.stderr.contains("the deadline passed: 1 of 1 input not done"), "{}", finished.stderr);
    }

    #[test]
    fn the_origin_says_where_it_serves_and_ends_when_it_is_told() {
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_raudal"))
            .args(["serve", "--scale", "0.02"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        let mut url = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut url).expect("a line");
        let finished = raudal(["iter", "-q", "--entities", "06", "--mirror", url.trim()]).run();
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        kill(&child, Signal::TERM);
        assert_eq!(child.wait().expect("it ends").code(), Some(143));
    }
}
