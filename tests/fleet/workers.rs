//! Workers that die, freeze, or are of another version; inputs that kill them; hosts that ask for a
//! pause.

use super::common::{Answer, Gate};
use super::harness::{Fleet, pattern, serve, table, tables, until};
use rustix::process::Signal;
use std::time::{Duration, Instant};

#[test]
fn the_jobs_of_a_worker_that_was_killed_are_done_by_another() {
    let Some(fleet) = Fleet::start() else { return };
    let gate = Gate::new();
    let mut routes = tables(12);
    routes[4].1 = vec![Answer::ok(table(4)).behind(&gate), Answer::ok(table(4))];
    let server = serve(&routes);
    let first = fleet.worker("first", &["-j", "2"]);
    let run = fleet.submit("out.csv", &[&pattern(&server, 12)]);
    until("the request that is held back", || server.paths().iter().any(|path| path == "/4.csv").then_some(()));
    first.kill();
    let _second = fleet.worker("second", &[]);
    let (code, said) = run.end();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(fleet.alone("alone.csv", &[&pattern(&server, 12)]), Some(0));
    assert_eq!(fleet.read("out.csv"), fleet.read("alone.csv"));
}

#[test]
fn a_worker_that_was_frozen_past_its_lease_and_wakes_changes_nothing() {
    let Some(fleet) = Fleet::start() else { return };
    let (held, last) = (Gate::new(), Gate::new());
    let mut routes = tables(6);
    routes[2].1 = vec![Answer::ok(table(2)).behind(&held), Answer::ok(table(2))];
    routes[5].1 = vec![Answer::ok(table(5)).behind(&last)];
    let server = serve(&routes);
    // One chunk of four, of which the first worker reads the third when it is frozen.
    let first = fleet.worker("first", &["-j", "1"]);
    let run = fleet.submit("out.csv", &[&pattern(&server, 6), "--chunk", "4"]);
    until("the request that is held back", || server.paths().iter().any(|path| path == "/2.csv").then_some(()));
    first.signal(Signal::STOP);
    let second = fleet.worker("second", &["-j", "2"]);
    until("the last input, by the second worker", || {
        (server.paths().iter().filter(|path| *path == "/3.csv").count() == 1
            && server.paths().iter().any(|path| path == "/5.csv"))
        .then_some(())
    });
    held.open();
    first.signal(Signal::CONT);
    first.wait_for("was lost: this worker was still, or cut off, for too long");
    last.open();
    let (code, said) = run.end();
    assert_eq!(code, Some(0), "{said}");
    let asked = server.paths();
    let threes = asked.iter().filter(|path| *path == "/3.csv").count();
    assert_eq!(threes, 1, "the woken worker looked at its lease before the next input: {asked:?}");
    drop(second);
    assert_eq!(fleet.read("out.csv").lines().count(), 1 + 12);
}

#[test]
fn an_input_that_kills_its_workers_is_given_up_alone() {
    let Some(fleet) = Fleet::start() else { return };
    let gate = Gate::new();
    let mut routes = tables(8);
    routes[3].1 = vec![Answer::ok(table(3)).behind(&gate)];
    let server = serve(&routes);
    let run = fleet.submit("out.csv", &[&pattern(&server, 8), "--chunk", "8", "--deliveries", "2"]);
    for killed in 1..=2 {
        let worker = fleet.worker("w", &["-j", "1"]);
        until("the poison", || {
            (server.paths().iter().filter(|path| *path == "/3.csv").count() == killed).then_some(())
        });
        worker.kill();
    }
    let _worker = fleet.worker("w", &["-j", "1"]);
    let (code, said) = run.end();
    assert_eq!(code, Some(1), "a fault that somebody must look at: {said}");
    assert!(said.contains("/3.csv: given up: 2 workers have begun this input"), "{said}");
    assert_eq!(fleet.read("out.csv").lines().count(), 1 + 14, "all others are there");
}

#[test]
fn a_pause_that_a_host_asked_for_holds_for_all_workers() {
    let Some(fleet) = Fleet::start() else { return };
    let gate = Gate::new();
    let mut routes = tables(4);
    routes[0].1 = vec![Answer::status(429, "slow down").header("Retry-After", "5"), Answer::ok(table(0))];
    routes[1].1 = vec![Answer::ok(table(1)).behind(&gate)];
    let server = serve(&routes);
    let _workers = ["a", "b"].map(|name| fleet.worker(name, &["-j", "1"]));
    let run = fleet.submit("out.csv", &[&pattern(&server, 4), "--per-host", "2", "--run", "paused"]);
    server.wait_for_requests(2);
    let told = Instant::now();
    let watch = fleet.spawn(["runs", "watch", "paused"]);
    watch.wait_for("asked for a pause of 5");
    // The other worker is free for the next input now, and must wait.
    gate.open();
    server.wait_for_requests(3);
    assert!(told.elapsed() > Duration::from_secs(3), "after {:?}", told.elapsed());
    let (code, said) = run.end();
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = watch.end();
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn a_worker_that_is_told_to_end_ends_what_it_has_begun_and_takes_no_more() {
    let Some(fleet) = Fleet::start() else { return };
    let gate = Gate::new();
    let routes: Vec<_> = (0..9).map(|n| (format!("/{n}.csv"), vec![Answer::ok(table(n)).behind(&gate)])).collect();
    let server = serve(&routes);
    let first = fleet.worker("first", &["-j", "2"]);
    let run = fleet.submit("out.csv", &[&pattern(&server, 9)]);
    server.wait_for_in_flight(2);
    first.signal(Signal::TERM);
    first.wait_for("takes no more jobs");
    gate.open();
    let (code, said) = first.end();
    assert_eq!(code, Some(143), "{said}");
    assert_eq!(server.requests().len(), 2, "no more than it had begun");
    let _second = fleet.worker("second", &[]);
    let (code, said) = run.end();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(server.requests().len(), 9, "and nothing twice");
}

/// The library that gives a program another clock.
fn faketime() -> Option<String> {
    let folders = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let found = folders.map(|folder| folder.path().join("faketime/libfaketime.so.1")).find(|path| path.is_file());
    if found.is_none() && cfg!(target_os = "linux") {
        eprintln!("SKIPPED: libfaketime is not here (Debian: faketime)");
    }
    found.map(|path| path.display().to_string())
}

#[test]
fn workers_whose_clocks_are_an_hour_off_keep_leases_and_pauses() {
    let (Some(library), Some(fleet)) = (faketime(), Fleet::start()) else { return };
    let mut routes = tables(12);
    routes[2].1 = vec![Answer::status(429, "slow down").header("Retry-After", "2"), Answer::ok(table(2))];
    let server = serve(&routes);
    let preload = format!("LD_PRELOAD={library}");
    let _workers = [("ahead", "FAKETIME=+1h"), ("behind", "FAKETIME=-1h")].map(|(name, shift)| {
        let by = ["env", &preload, shift, "DONT_FAKE_MONOTONIC=1"];
        let worker = fleet.spawn_by(&by, ["worker", "--name", name, "--allow", "127.0.0.1", "-j", "1"]);
        worker.wait_for("waits for runs");
        worker
    });
    let begun = Instant::now();
    let (code, said) = fleet.submit("out.csv", &[&pattern(&server, 12), "--chunk", "3"]).end();
    assert_eq!(code, Some(0), "{said}");
    assert!(begun.elapsed() > Duration::from_secs(2), "the pause was kept: {:?}", begun.elapsed());
    assert_eq!(server.requests().len(), 13, "no lease was lost, and nothing was read twice");
    assert_eq!(fleet.alone("alone.csv", &[&pattern(&server, 12)]), Some(0));
    assert_eq!(fleet.read("out.csv"), fleet.read("alone.csv"));
}

#[test]
fn a_rate_holds_for_all_workers_together() {
    let Some(fleet) = Fleet::start() else { return };
    let server = serve(&tables(10));
    let _workers = ["a", "b", "c"].map(|name| fleet.worker(name, &[]));
    let run = fleet.submit("out.csv", &[&pattern(&server, 10), "--rate", "5/s"]);
    server.wait_for_requests(1);
    let first = Instant::now();
    server.wait_for_requests(10);
    // Nine more at five a second. The first may have been noticed late.
    assert!(first.elapsed() > Duration::from_millis(1_400), "after {:?}", first.elapsed());
    let (code, said) = run.end();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(server.requests().len(), 10);
}

#[test]
fn a_worker_of_another_version_says_so_and_takes_no_job() {
    let Some(fleet) = Fleet::start() else { return };
    let server = serve(&tables(3));
    let url = fleet.url();
    let stop = tokio_util::sync::CancellationToken::new();
    let other = std::thread::spawn({
        let stop = stop.clone();
        move || {
            use raudal::fleet::{Broker, Login, Prepared, WorkerOptions, work};
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let mut login = Login::default();
                login.servers = url;
                let broker = Broker::connect(&login, "other").await.expect("a broker");
                let mut options = WorkerOptions::default();
                (options.name, options.version) = ("old".into(), "0.0.1".into());
                let build = |_: &[String]| {
                    Ok(Prepared::new(raudal::fetch::Options::default(), raudal::pipeline::Options::default()))
                };
                work(broker, options, std::sync::Arc::new(build), stop).await.expect("it ends well");
            });
        }
    });
    let run = fleet.submit("out.csv", &[&pattern(&server, 3)]);
    run.wait_for("old: the run needs raudal 0.1.0 (protocol 2), and this worker is 0.0.1 (protocol 2)");
    assert!(server.requests().is_empty());
    let _worker = fleet.worker("new", &[]);
    let (code, said) = run.end();
    stop.cancel();
    other.join().expect("no panic");
    assert_eq!(code, Some(0), "{said}");
}
