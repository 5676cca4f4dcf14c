//! `--metrics`: what Prometheus sees of the runs.

use crate::common::{Answer, Server, raudal};

#[test]
fn each_command_adds_its_runs_to_the_metrics() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start([("/1.csv", vec![Answer::ok(*b"n\n1\n")]), ("/2.csv", vec![Answer::status(404, "")])]);
    let url = server.url("/[1-2].csv");
    let with = |arguments: &[&str]| {
        raudal(arguments.iter().copied()).args(["--metrics", "nightly.prom", "--overwrite"]).in_folder(&folder).run()
    };
    for _ in 0..2 {
        assert_eq!(with(&["get", &url, "-d", "files"]).code, Some(3));
    }
    assert_eq!(with(&["table", &url, "-o", "out.csv"]).code, Some(3));
    assert_eq!(
        with(&["iter", "--mirror", "embedded", "--scale", "0.02", "--entities", "06", "-o", "i.csv"]).code,
        Some(0)
    );
    // An error that ends a run before it begins is a run too; a dry run is none.
    assert_eq!(with(&["table", "no-such-folder/a.csv", "-o", "no-such-folder/out.csv"]).code, Some(8));
    assert_eq!(with(&["get", &url, "-n"]).code, Some(0));
    let text = std::fs::read_to_string(folder.path().join("nightly.prom")).expect("the metrics");
    for line in [
        "raudal_runs_total{name=\"nightly\",command=\"get\",exit_code=\"3\"} 2",
        "raudal_runs_total{name=\"nightly\",command=\"table\",exit_code=\"3\"} 1",
        "raudal_runs_total{name=\"nightly\",command=\"table\",exit_code=\"8\"} 1",
        "raudal_runs_total{name=\"nightly\",command=\"iter\",exit_code=\"0\"} 1",
        "raudal_bytes_total{name=\"nightly\",command=\"get\"} 8",
        "raudal_inputs_total{name=\"nightly\",command=\"get\",outcome=\"succeeded\"} 2",
        "raudal_failures_total{name=\"nightly\",command=\"get\",kind=\"status\"} 2",
        "raudal_last_run_failures{name=\"nightly\",command=\"table\",kind=\"io\"} 1",
        "raudal_last_run_failures{name=\"nightly\",command=\"table\",kind=\"status\"} 0",
        "# TYPE raudal_runs_total counter",
    ] {
        assert!(text.lines().any(|there| there == line), "{line}\n{text}");
    }
    let seconds =
        text.lines().find(|line| line.starts_with("raudal_run_seconds_total{name=\"nightly\",command=\"get\"}"));
    let seconds: f64 = seconds.and_then(|line| line.rsplit_once(' ')).expect("seconds").1.parse().expect("a number");
    assert!(seconds > 0.0, "{text}");
}

#[test]
fn a_dash_is_refused_where_standard_output_has_something_else() {
    for option in ["--metrics", "--report", "--failed-to"] {
        let folder = tempfile::tempdir().expect("a folder");
        let finished = raudal(["get", "http://127.0.0.1:1/a.csv", option, "-"]).in_folder(&folder).run();
        assert_eq!(std::fs::read_dir(folder.path()).expect("the folder").count(), 0, "{option} made a file");
        assert_eq!((finished.code, finished.text()), (Some(2), ""), "{option}: {}", finished.stderr);
        assert!(finished.stderr.contains("give the name of a file"), "{option}: {}", finished.stderr);
    }
}

#[test]
fn a_file_of_something_else_is_refused_before_anything_is_fetched() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("node.prom"), "node_load1 0.5\n").expect("a file");
    let server = Server::with("/1.csv", [Answer::ok(*b"n\n1\n")]);
    let finished = raudal(["get", &server.url("/1.csv"), "--metrics", "node.prom"]).in_folder(&folder).run();
    assert_eq!((finished.code, finished.text()), (Some(2), ""), "{}", finished.stderr);
    assert_eq!(
        finished.stderr.matches("not a metrics file of raudal (line 1): node.prom").count(),
        1,
        "{}",
        finished.stderr
    );
    assert_eq!(std::fs::read_to_string(folder.path().join("node.prom")).expect("the file"), "node_load1 0.5\n");
}
