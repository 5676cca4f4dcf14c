//! Submitters that die, leave or come back; runs that are cancelled and forgotten.

use super::common::{Answer, Gate};
use super::harness::{Fleet, pattern, serve, table, tables, until};
use rustix::process::Signal;

#[test]
fn a_submitter_that_was_killed_is_resumed_by_the_same_command_elsewhere() {
    let Some(fleet) = Fleet::start() else { return };
    let gate = Gate::new();
    let mut routes = tables(10);
    routes[9].1 = vec![Answer::ok(table(9)).behind(&gate)];
    let server = serve(&routes);
    let source = pattern(&server, 10);
    let _worker = fleet.worker("w", &["-j", "4"]);
    let first = fleet.submit("out.csv", &[&source]);
    server.wait_for_requests(10);
    first.kill();
    assert!(!fleet.at("out.csv").exists(), "nothing half-done has its name");
    // While nobody submits, a worker leads.
    gate.open();
    // Another machine has another output.
    let (code, said) = fleet.submit("elsewhere.csv", &[&source]).end();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("the run was begun before, and goes on"), "{said}");
    assert_eq!(fleet.read("elsewhere.csv").lines().count(), 1 + 20);
    assert_eq!(server.requests().len(), 10, "nothing was read twice");
}

#[test]
fn a_run_goes_on_without_its_submitter_and_with_a_few_chunks_open() {
    let Some(fleet) = Fleet::start() else { return };
    let server = serve(&tables(12));
    let source = pattern(&server, 12);
    let (code, said) = fleet.submit("out.csv", &[&source, "--run", "alone", "--detach", "--per-host", "2"]).end();
    assert_eq!(code, Some(0), "{said}");
    let _worker = fleet.worker("w", &[]);
    until("all chunks", || fleet.runs(&["list"]).contains("\t12\t12\t0\t").then_some(()));
    let (code, said) = fleet.submit("out.csv", &[&source, "--run", "alone", "--per-host", "2"]).end();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!((server.requests().len(), server.peak() <= 2), (12, true));
}

#[test]
fn an_interrupt_keeps_the_run_and_says_how_to_go_on() {
    let Some(fleet) = Fleet::start() else { return };
    let gate = Gate::new();
    let mut routes = tables(3);
    routes[1].1 = vec![Answer::ok(table(1)).behind(&gate)];
    let server = serve(&routes);
    let source = pattern(&server, 3);
    let _worker = fleet.worker("w", &[]);
    let run = fleet.submit("out.csv", &[&source, "--run", "kept"]);
    server.wait_for_requests(3);
    run.signal(Signal::INT);
    let (code, said) = run.end();
    assert_eq!(code, Some(130), "{said}");
    assert!(said.contains("interrupted: the run goes on") && said.contains("raudal runs cancel kept"), "{said}");
    assert!(!fleet.at("out.csv").exists());
    gate.open();
    let (code, said) = fleet.submit("out.csv", &[&source, "--run", "kept"]).end();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn a_run_that_is_cancelled_stops_everywhere_and_one_that_is_forgotten_leaves_nothing() {
    let Some(fleet) = Fleet::start() else { return };
    let gate = Gate::new();
    let mut routes = tables(4);
    routes[2].1 = vec![Answer::ok(table(2)).behind(&gate), Answer::ok(table(2))];
    let server = serve(&routes);
    let source = pattern(&server, 4);
    let worker = fleet.worker("w", &[]);
    let run = fleet.submit("out.csv", &[&source, "--run", "gone"]);
    server.wait_for_requests(4);
    fleet.runs(&["cancel", "gone"]);
    let (code, said) = run.end();
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains("the run was cancelled: gone"), "{said}");
    // The worker hangs up at once.
    server.wait_for_hung_up(1);
    worker.wait_for("is done with gone");
    let folder = fleet.parts().join("raudal-gone");
    let parts = || std::fs::read_dir(&folder).expect("a folder").flatten().map(|entry| entry.file_name());
    assert!(parts().all(|name| !name.to_string_lossy().ends_with(".tmp")), "no half part");
    // The same command goes on with what is there.
    let (code, said) = fleet.submit("out.csv", &[&source, "--run", "gone"]).end();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(fleet.read("out.csv").lines().count(), 1 + 8);

    let (_, _) = fleet.submit("out.csv", &[&source, "--run", "forgotten", "--detach", "--overwrite"]).end();
    assert!(fleet.runs(&["list"]).starts_with("forgotten\trunning\t"));
    fleet.runs(&["forget", "forgotten"]);
    assert_eq!(fleet.runs(&["list"]), "");
    assert!(!fleet.parts().join("raudal-forgotten").exists());
}

#[test]
fn another_run_does_not_take_the_name_of_one_that_is_there() {
    let Some(fleet) = Fleet::start() else { return };
    let server = serve(&tables(3));
    let (code, _) = fleet.submit("out.csv", &[&pattern(&server, 3), "--run", "mine", "--detach"]).end();
    assert_eq!(code, Some(0));
    let (code, said) = fleet.submit("out.csv", &[&pattern(&server, 2), "--run", "mine"]).end();
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("another run has this name: mine"), "{said}");
}
