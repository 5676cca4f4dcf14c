//! What is seen of a run: on the terminal, as events, and in a browser.

use super::common::{Answer, Gate};
use super::harness::{Fleet, pattern, serve, table, tables, until};
use std::io::{Read, Write};
use std::net::TcpStream;

#[test]
fn each_worker_is_shown_with_what_it_has_done_while_the_run_goes_on() {
    let Some(fleet) = Fleet::start() else { return };
    for style in ["json", "plain"] {
        let gate = Gate::new();
        let mut routes = tables(6);
        routes[5].1 = vec![Answer::ok(table(5)).behind(&gate)];
        let server = serve(&routes);
        let worker = fleet.worker("w7", &[]);
        let out = format!("{style}.csv");
        let run = fleet.spawn(["table", "-o", &out, "--progress", style, &pattern(&server, 6)]);
        let is_shown = |said: &str| {
            let events = said.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
            let mut workers = events.filter(|event| event["event"] == "worker");
            let is_event = workers.any(|event| event["worker"] == "w7" && event["inputs"] == 5 && event["rows"] == 10);
            if style == "json" { is_event } else { said.contains("5/6 done, 1 worker") }
        };
        until("a worker with five inputs", || is_shown(&run.said()).then_some(()));
        gate.open();
        let (code, said) = run.end();
        assert_eq!(code, Some(0), "{said}");
        drop(worker);
    }
}

/// Asks the page for a path, as a browser on this machine does.
fn ask(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("the page");
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").expect("the page");
    let mut said = String::new();
    stream.read_to_string(&mut said).expect("text");
    said
}

#[test]
fn a_page_shows_the_runs_their_workers_and_their_timeline() {
    let Some(fleet) = Fleet::start() else { return };
    let mut routes = tables(6);
    routes[3].1 = vec![Answer::status(404, "no")];
    let server = serve(&routes);
    let _worker = fleet.worker("w7", &[]);
    let (code, said) = fleet.submit("out.csv", &[&pattern(&server, 6), "--run", "seen", "--detach"]).end();
    assert_eq!(code, Some(0), "{said}");
    let page = fleet.spawn(["runs", "serve"]);
    page.wait_for("a page of the fleet on http://127.0.0.1:");
    let address = page.said().split("http://").nth(1).expect("a URL").split('/').next().expect("a URL").to_owned();
    assert!(ask(&address, "/").contains("<title>raudal: the fleet</title>"));
    until("all chunks", || ask(&address, "/runs").contains("\"state\":\"done\"").then_some(()));
    let said = ask(&address, "/run/seen?from=0");
    let run: serde_json::Value = serde_json::from_str(said.split("\r\n\r\n").nth(1).expect("a body")).expect("JSON");
    assert_eq!((run["inputs"].as_u64(), run["failed"].as_u64(), run["rows"].as_u64()), (Some(6), Some(1), Some(10)));
    assert_eq!(run["names"], serde_json::json!(["w7"]));
    assert_eq!(run["spans"].as_array().map(Vec::len), Some(6));
    assert!(run["messages"][0].as_str().is_some_and(|line| line.contains("/3.csv")), "{run}");
    assert!(ask(&address, "/run/other").starts_with("HTTP/1.1 404"));
    page.signal(rustix::process::Signal::TERM);
    let (code, said) = page.end();
    assert_eq!(code, Some(143), "{said}");
    let (code, said) = fleet.spawn(["runs", "serve", "--listen", "0.0.0.0:0"]).end();
    assert_eq!(code, Some(2), "{said}");
}
