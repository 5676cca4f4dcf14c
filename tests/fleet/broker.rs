//! A broker that dies, or loses all it had; messages that are none.

use super::common::{Answer, Gate};
use super::harness::{Fleet, pattern, serve, table, tables, until};

#[test]
fn a_run_goes_on_when_its_broker_was_killed_and_restarted() {
    let Some(mut fleet) = Fleet::start() else { return };
    let gate = Gate::new();
    let mut routes = tables(30);
    routes[7].1 = vec![Answer::ok(table(7)).behind(&gate), Answer::ok(table(7))];
    let server = serve(&routes);
    let _workers = ["a", "b"].map(|name| fleet.worker(name, &["-j", "2"]));
    let run = fleet.submit("out.csv", &[&pattern(&server, 30)]);
    until("the request that is held back", || server.paths().iter().any(|path| path == "/7.csv").then_some(()));
    fleet.kill_broker();
    gate.open();
    fleet.start_broker();
    let (code, said) = run.end();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(fleet.read("out.csv").lines().count(), 1 + 60);
}

#[test]
fn a_run_goes_on_from_its_parts_when_its_broker_has_lost_everything() {
    let Some(mut fleet) = Fleet::start() else { return };
    let gate = Gate::new();
    let mut routes = tables(20);
    routes[19].1 = vec![Answer::ok(table(19)).behind(&gate), Answer::ok(table(19))];
    let server = serve(&routes);
    let _workers = ["a", "b"].map(|name| fleet.worker(name, &["-j", "2"]));
    let run = fleet.submit("out.csv", &[&pattern(&server, 20), "--run", "wiped"]);
    let parts = fleet.parts().join("raudal-wiped");
    until("all parts but one", || {
        let names = std::fs::read_dir(&parts).ok()?.flatten().map(|entry| entry.file_name());
        (names.filter(|name| name.to_string_lossy().ends_with(".part")).count() == 19).then_some(())
    });
    fleet.kill_broker();
    fleet.wipe_broker();
    gate.open();
    fleet.start_broker();
    let (code, said) = run.end();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(fleet.read("out.csv").lines().count(), 1 + 40);
    let asked = server.requests().len();
    assert!(asked <= 21, "what had a part was not read again: {asked} requests");
}

#[test]
fn a_message_that_is_none_is_set_aside_and_named_and_its_chunk_is_done() {
    let Some(fleet) = Fleet::start() else { return };
    let server = serve(&tables(3));
    let source = pattern(&server, 3);
    let (code, said) = fleet.submit("out.csv", &[&source, "--run", "bad", "--detach"]).end();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("the run goes on, 0 of 3 chunks done: bad"), "{said}");
    fleet.publish("raudal.jobs.bad.1", "{\"chunk\":1,");
    fleet.publish("raudal.jobs.bad.odd", "?");
    fleet.publish("raudal.events.bad", "not an event");
    let worker = fleet.worker("w", &[]);
    worker.wait_for("raudal.jobs.bad.1");
    let (code, said) = fleet.submit("out.csv", &[&source, "--run", "bad"]).end();
    assert_eq!(code, Some(0), "{said}");
    for part in
        ["w set a message aside: raudal.jobs.bad.1: EOF", "aside: raudal.jobs.bad.odd", "an event that cannot be read"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(fleet.read("out.csv").lines().count(), 1 + 6);
}

#[test]
fn a_part_that_is_damaged_is_put_aside_and_read_again() {
    let Some(fleet) = Fleet::start() else { return };
    let server = serve(&tables(3));
    let source = pattern(&server, 3);
    let (code, _) = fleet.submit("out.csv", &[&source, "--run", "flip", "--detach"]).end();
    assert_eq!(code, Some(0));
    let folder = fleet.parts().join("raudal-flip");
    std::fs::write(folder.join("00000002.part"), "raudal part 1\nsomething else").expect("room");
    let _worker = fleet.worker("w", &[]);
    let (code, said) = fleet.submit("out.csv", &[&source, "--run", "flip"]).end();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("00000002.part is damaged: its inputs are read again"), "{said}");
    assert_eq!(fleet.read("out.csv").lines().count(), 1 + 6);
}

#[test]
fn a_place_for_parts_that_is_gone_is_waited_for() {
    let Some(fleet) = Fleet::start() else { return };
    let gate = Gate::new();
    let mut routes = tables(5);
    routes[2].1 = vec![Answer::ok(table(2)).behind(&gate), Answer::ok(table(2))];
    let server = serve(&routes);
    let _worker = fleet.worker("w", &[]);
    let run = fleet.submit("out.csv", &[&pattern(&server, 5), "--run", "away"]);
    let (folder, away) = (fleet.parts().join("raudal-away"), fleet.at("away"));
    until("all parts but one", || {
        let names = std::fs::read_dir(&folder).ok()?.flatten().map(|entry| entry.file_name());
        (names.filter(|name| name.to_string_lossy().ends_with(".part")).count() == 4).then_some(())
    });
    std::fs::rename(&folder, &away).expect("room");
    gate.open();
    run.wait_for("w: cannot use the parts: ");
    std::fs::rename(&away, &folder).expect("room");
    let (code, said) = run.end();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(fleet.read("out.csv").lines().count(), 1 + 10);
}
