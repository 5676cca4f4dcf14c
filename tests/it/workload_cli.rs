//! The workloads of `raudal compare` as a user meets them: what they print, and how they fail.

use crate::common::{Answer, Finished, Server, raudal, zip};
use std::path::Path;

/// Runs a quick comparison of a workload with these options.
fn compare(arguments: &[&str]) -> Finished {
    raudal(["compare"]).args(arguments).args(["-j", "1,4", "-r", "2", "-w", "0", "--progress", "plain"]).run()
}

fn entries(folder: &Path) -> usize {
    std::fs::read_dir(folder).expect("the folder").count()
}

#[test]
fn each_workload_proves_equality_says_the_speed_up_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let place = folder.path().to_str().expect("a path in UTF-8");
    for (arguments, rows) in [
        (&["sleep", "--sleeps", "8", "--latency", "lognormal:1ms,0.5", "--seed", "7"][..], 8),
        (&["requests", "--requests", "8", "--latency", "uniform:0ms..2ms", "--timeout", "20s"], 8),
        (&["files", "--files", "8", "--size", "10kB", "--sync", "all", "--temp-dir", place], 8),
        (&["database", "--queries", "8", "--latency", "1ms", "--connections", "4", "--temp-dir", place], 8),
        (&["database", "--queries", "8", "--latency", "fixed:1ms", "--write", "--temp-dir", place], 8),
        (&["mixed", "--pace", "0.001", "--file-time", "4s", "--temp-dir", place], 4),
    ] {
        let finished = compare(arguments);
        assert_eq!(finished.code, Some(0), "{arguments:?}: {}", finished.stderr);
        let report = finished.text();
        assert!(report.contains("speed-up") && report.contains(&format!("({rows} rows)")), "{arguments:?}: {report}");
        assert!(finished.stderr.contains("run 4 of 4"), "{arguments:?}: {}", finished.stderr);
        assert_eq!(entries(folder.path()), 0, "{arguments:?}");
    }
}

#[test]
fn mixed_has_as_many_jobs_as_operations_unless_told_otherwise() {
    let finished = raudal(["compare", "mixed", "--pace", "0.001", "-r", "1", "-w", "0", "--progress", "plain"]).run();
    let levels: Vec<&str> =
        finished.stderr.lines().filter_map(|line| line.split_once(" of 2: ")).map(|(_, it)| it).collect();
    assert!(
        levels.len() == 2 && levels[0].starts_with("1 job,") && levels[1].starts_with("4 jobs,"),
        "{}",
        finished.stderr
    );
    assert!(finished.text().contains("(4 rows)"), "{}", finished.text());
}

#[test]
fn what_is_about_to_be_run_is_said_with_its_two_ends() {
    let finished = compare(&["sleep", "--sleeps", "2", "--latency", "2ms"]);
    assert!(
        finished.stderr.contains("2 sleeps, 2.00 ms each: 4.00 ms in sequence, 2.00 ms the longest"),
        "{}",
        finished.stderr
    );
}

#[test]
fn more_jobs_than_connections_gain_nothing_and_it_says_why() {
    let finished = compare(&["database", "--queries", "6", "--latency", "1ms", "--connections", "2"]);
    let report = finished.text();
    assert!(report.contains("note: 4 jobs in flight, but at most 2 at work: there are 2 connections"), "{report}");
}

#[test]
fn one_writer_gains_nothing_and_it_says_why() {
    let finished = compare(&["database", "--queries", "4", "--latency", "1ms", "--write"]);
    let report = finished.text();
    assert!(report.contains("at most 1 at work: SQLite has one writer"), "{report}");
}

#[test]
fn a_level_of_no_jobs_is_refused_for_every_workload() {
    for workload in ["iter", "mixed", "database", "files", "requests", "sleep"] {
        let finished = raudal(["compare", workload, "-j", "1,0"]).run();
        assert_eq!((finished.code, finished.text()), (Some(2), ""), "{workload}");
        assert!(finished.stderr.contains("at least 1"), "{workload}: {}", finished.stderr);
    }
}

#[test]
fn auto_is_refused_where_there_is_nothing_it_could_go_by() {
    for workload in ["mixed", "database", "files", "sleep"] {
        let finished = raudal(["compare", workload, "-j", "1,auto"]).run();
        assert_eq!((finished.code, finished.text()), (Some(2), ""), "{workload}");
        assert!(finished.stderr.contains("give numbers, such as 1,10"), "{workload}: {}", finished.stderr);
    }
    for bad in ["1,auto,auto", "automatic"] {
        let finished = raudal(["compare", "requests", "-j", bad]).run();
        assert_eq!((finished.code, finished.text()), (Some(2), ""), "{bad}: {}", finished.stderr);
    }
}

#[test]
fn auto_is_a_level_beside_others_and_is_named_in_every_export() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for workload in [
        &["requests", "--requests", "12", "--latency", "30ms"][..],
        &["iter", "--entities", "01-09", "--scale", "0.02", "--latency", "40ms"],
    ] {
        let file = |name: &str| folder.path().join(name).to_str().expect("UTF-8").to_owned();
        let files = [file("a.json"), file("a.csv"), file("a.md"), file("a.html"), file("a.trace")];
        let [json, csv, markdown, html, trace] = files.each_ref();
        let finished = raudal(["compare"])
            .args(workload)
            .args(["-j", "1,4,auto", "-r", "1", "-w", "0", "--progress", "plain", "--export-json", json])
            .args(["--export-csv", csv, "--export-markdown", markdown, "--timeline", html, "--trace", trace])
            .run();
        assert_eq!(finished.code, Some(0), "{workload:?}: {}", finished.stderr);
        assert!(finished.stderr.contains("run 3 of 3: auto, "), "{}", finished.stderr);
        let report = finished.text();
        let unwrapped = report.replace('\n', " ");
        assert!(unwrapped.contains("the result was the same every time") && report.contains("  auto ("), "{report}");
        let read = |path: &String| std::fs::read_to_string(path).expect("an export");
        let figures: serde_json::Value = serde_json::from_str(&read(json)).expect("JSON");
        let auto = &figures["levels"][2];
        assert_eq!(auto["jobs"], "auto");
        assert!(auto["highest_limit"].as_u64() >= Some(4) && auto["efficiency"].is_null(), "{auto}");
        assert!(read(csv).lines().any(|line| line.starts_with(&format!("{},auto,1,3,", workload[0]))));
        assert!(read(markdown).contains("| auto (") && read(html).contains("<h3>auto "));
        assert!(read(trace).contains(&format!("{}: auto", workload[0])));
    }
}

#[test]
fn the_limit_for_a_host_holds_at_every_level() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let csv = folder.path().join("a.csv");
    let finished =
        raudal(["compare", "iter", "--entities", "01-06", "--scale", "0.02", "-j", "4,auto", "--per-host", "2"])
            .args(["-r", "1", "-w", "0", "--export-csv"])
            .arg(&csv)
            .run();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let csv = std::fs::read_to_string(csv).expect("an export");
    let peaks: Vec<&str> = csv.lines().filter_map(|line| line.split(',').nth(8)).collect();
    assert_eq!(peaks, ["peak_in_flight", "2", "2"]);
}

#[test]
fn an_archive_that_changes_between_two_levels_is_named_and_nothing_is_concluded() {
    let table = |people: u8| format!("MUN,LOC,POBTOT\n0,0,{people}\n1,0,1\n");
    let archive = |n: u8, people: u8| Answer::ok(zip([(&*format!("ITER_{n:02}CSV20.csv"), table(people).as_bytes())]));
    let server = Server::start([
        ("/ITER_01_2020_csv.zip", vec![archive(1, 5)]),
        ("/ITER_02_2020_csv.zip", vec![archive(2, 5), archive(2, 6)]),
        ("/ITER_03_2020_csv.zip", vec![archive(3, 5), archive(3, 7)]),
    ]);
    let finished = compare(&["iter", "--mirror", &server.url("/"), "--entities", "01-03"]);
    assert_eq!((finished.code, finished.text()), (Some(6), ""), "{}", finished.stderr);
    for part in ["run 2 of 4: 4 jobs", "the first part that differs is number 2, ITER_02_2020_csv.zip"] {
        assert!(finished.stderr.contains(part), "{part}: {}", finished.stderr);
    }
    assert!(!finished.stderr.contains("ITER_03"), "{}", finished.stderr);
}

#[test]
fn bad_options_are_usage_errors_that_name_the_cure() {
    for (arguments, cure) in [
        (&["sleep", "--latency", "normal:5ms"][..], "lognormal:50ms,0.5"),
        (&["requests", "--latency", "uniform:9ms..1ms"], "the shorter time first"),
        (&["database", "--connections", "0"], "at least 1"),
        (&["database", "--queries", "0"], "at least 1"),
        (
            &["database", "--write", "--database", "postgres://me:secret@127.0.0.1:1/x"],
            "leave out --write or --database",
        ),
        (&["database", "--database", "mysql://me:secret@127.0.0.1:1/x"], "postgres://"),
        (&["files", "--sync", "never"], "none, data or all"),
        (&["mixed", "--pace", "0"], "0.1 for a tenth"),
        (&["sleep", "--write"], "--write"),
        (&["nothing"], "raudal compare"),
    ] {
        let finished = raudal(["compare"]).args(arguments).run();
        assert_eq!((finished.code, finished.text()), (Some(2), ""), "{arguments:?}: {}", finished.stderr);
        assert!(finished.stderr.contains(cure), "{arguments:?}: {}", finished.stderr);
        assert!(!finished.stderr.contains("secret"), "{arguments:?}: {}", finished.stderr);
    }
}

#[test]
#[cfg(not(feature = "postgres"))]
fn without_the_feature_a_server_is_a_usage_error_that_says_how_to_build() {
    let finished = raudal(["compare", "database"]).env("RAUDAL_DATABASE", "postgres://me:secret@127.0.0.1:1/x").run();
    assert_eq!((finished.code, finished.text()), (Some(2), ""), "{}", finished.stderr);
    assert!(finished.stderr.contains("--features postgres"), "{}", finished.stderr);
    assert!(!finished.stderr.contains("secret"), "{}", finished.stderr);
}

#[test]
#[cfg(feature = "postgres")]
fn a_server_that_refuses_is_named_without_credentials() {
    let finished = raudal(["compare", "database"]).env("RAUDAL_DATABASE", "postgres://me:secret@127.0.0.1:1/x").run();
    assert_eq!((finished.code, finished.text()), (Some(4), ""), "{}", finished.stderr);
    assert!(finished.stderr.contains("postgres://127.0.0.1:1: cannot connect to the database"), "{}", finished.stderr);
    assert!(!finished.stderr.contains("secret"), "{}", finished.stderr);
}

#[test]
fn a_job_that_is_too_slow_is_named_with_the_limit() {
    for workload in ["database", "requests"] {
        let finished = compare(&[workload, "--latency", "1h", "--timeout", "20ms"]);
        assert_eq!((finished.code, finished.text()), (Some(4), ""), "{workload}: {}", finished.stderr);
        assert!(finished.stderr.contains("20.0 ms"), "{workload}: {}", finished.stderr);
    }
}

#[test]
fn a_temporary_folder_that_is_none_is_named() {
    let file = tempfile::NamedTempFile::new().expect("a file");
    for workload in ["database", "files", "mixed"] {
        let finished = raudal(["compare", workload, "--temp-dir"]).arg(file.path()).run();
        assert_eq!((finished.code, finished.text()), (Some(8), ""), "{workload}: {}", finished.stderr);
        let place = file.path().to_str().expect("a path in UTF-8");
        assert!(finished.stderr.contains(place) && finished.stderr.contains("--temp-dir"), "{}", finished.stderr);
    }
}

/// A test cannot fill a disk, but it can forbid a process to write large files: that fails at the
/// same places.
#[test]
#[cfg(unix)]
fn a_temporary_folder_that_is_full_is_an_error_with_a_cure_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for workload in ["database", "files", "mixed"] {
        // SIGXFSZ would end the program. If it is ignored, writing fails instead.
        let output = std::process::Command::new("sh")
            .args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_raudal")])
            .args(["compare", workload, "-r", "1", "-w", "0", "--progress", "none", "--temp-dir"])
            .arg(folder.path())
            .output()
            .expect("a shell");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(8), &b""[..]), "{workload}: {stderr}");
        assert!(stderr.contains("--temp-dir"), "{workload}: {stderr}");
        assert_eq!(entries(folder.path()), 0, "{workload}");
    }
}

#[test]
fn what_was_measured_before_workloads_had_their_own_options_still_can_be() {
    let finished = raudal(["compare", "iter", "-j", "1,2", "-r", "1", "-w", "0", "--entities", "06"])
        .args(["--scale", "0.02", "--latency", "1ms", "-q"])
        .run();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
}
