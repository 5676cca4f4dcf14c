//! What `raudal compare` says about how it measured, and what is left when it is stopped.

use crate::common::{Finished, raudal};
use serde_json::Value;

fn compare(arguments: &[&str]) -> Finished {
    raudal(["compare", "sleep", "-j", "1,4", "-w", "0", "--sleeps", "4", "--progress", "plain"]).args(arguments).run()
}

#[test]
fn an_export_to_a_dash_is_alone_on_standard_output() {
    let finished = compare(&["-r", "2", "--latency", "2ms", "--seed", "7", "--export-json", "-"]);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let json: Value = serde_json::from_slice(&finished.stdout).expect("JSON alone");
    let command = json["conditions"]["command"].as_str().expect("the command line");
    for part in ["raudal compare sleep", "--jobs=1,4", "--latency=2ms", "--seed=7"] {
        assert!(command.contains(part), "{part}: {command}");
    }
    assert_eq!(
        (&json["conditions"]["settings"]["latency"], &json["conditions"]["settings"]["seed"]),
        (&"2ms".into(), &"7".into())
    );
    assert!(finished.stderr.contains("speed-up"), "the report goes to stderr: {}", finished.stderr);

    let csv = compare(&["-r", "1", "--latency", "1ms", "--export-csv", "-", "-q"]);
    assert!(csv.text().starts_with("workload,jobs,") && csv.text().lines().count() == 3 && csv.stderr.is_empty());
}

#[test]
fn two_exports_to_standard_output_are_refused_before_anything_runs() {
    let finished = compare(&["--export-csv", "-", "--export-json", "-"]);
    assert_eq!((finished.code, finished.text()), (Some(2), ""), "{}", finished.stderr);
    assert!(!finished.stderr.contains("run 1 of"), "{}", finished.stderr);
}

#[test]
fn settings_from_the_environment_are_in_the_command_line() {
    let finished = raudal(["compare", "sleep", "-j", "1,4", "-r", "1", "-w", "0", "--export-markdown", "-"])
        .env("RAUDAL_LATENCY", "1ms")
        .env("RAUDAL_SLEEPS", "3")
        .run();
    let text = finished.text();
    assert!(text.contains("--latency=1ms") && text.contains("--sleeps=3"), "{text}{}", finished.stderr);
}

#[cfg(unix)]
#[test]
fn ctrl_c_keeps_and_exports_the_runs_that_are_complete() {
    use rustix::process::{Pid, Signal, kill_process};
    use std::io::{BufRead as _, BufReader};
    use std::process::{Command, Stdio};

    let folder = tempfile::tempdir().expect("a folder");
    let export = folder.path().join("a.json");
    let mut child = Command::new(env!("CARGO_BIN_EXE_raudal"))
        .args(["compare", "sleep", "-j", "1,4", "-r", "1000", "-w", "0", "--sleeps", "4", "--latency", "5ms"])
        .args(["--progress", "plain", "--export-json"])
        .arg(&export)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stderr = BufReader::new(child.stderr.take().expect("a pipe")).lines().map_while(Result::ok);
    assert!(stderr.any(|line| line.starts_with("run 3 of 2000: ")), "three runs end");
    let pid = Pid::from_raw(child.id().try_into().expect("a process id")).expect("a process id");
    kill_process(pid, Signal::INT).expect("it runs");
    let rest: Vec<String> = stderr.collect();
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(130), "{rest:?}");
    assert!(rest.iter().any(|line| line == "interrupted: the complete runs are kept"), "{rest:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("warning: the comparison was stopped in run"));
    let json: Value = serde_json::from_slice(&std::fs::read(export).expect("an export")).expect("JSON");
    let runs: usize = (0..2).map(|level| json["levels"][level]["runs"].as_array().expect("runs").len()).sum();
    assert!(json["stopped"] == true && (3..2000).contains(&runs), "{runs}");
}
