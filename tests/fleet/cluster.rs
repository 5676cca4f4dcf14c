//! A cluster of three brokers, each of which leads something.

use super::common::{Answer, Gate};
use super::harness::{Fleet, pattern, serve, table, tables, until};

const INPUTS: usize = 24;

#[test]
fn a_run_survives_the_loss_of_each_broker_and_waits_when_two_of_three_are_gone() {
    let Some(mut fleet) = Fleet::start_cluster() else { return };
    let gates: Vec<Gate> = (0..4).map(|_| Gate::new()).collect();
    let mut routes = tables(INPUTS);
    for (n, gate) in gates.iter().enumerate() {
        let held = 5 + 6 * n;
        routes[held].1 = vec![Answer::ok(table(held)).behind(gate), Answer::ok(table(held))];
    }
    let server = serve(&routes);
    let _workers = ["a", "b"].map(|name| fleet.worker(name, &["-j", "3"]));
    let run = fleet.submit("out.csv", &[&pattern(&server, INPUTS), "--per-host", "5"]);
    let asked = |n: usize| {
        let path = format!("/{}.csv", 5 + 6 * n);
        until("a request that is held back", || server.paths().contains(&path).then_some(()));
    };
    // One after the other: among them are the leader of each stream, and that of the cluster.
    for (n, gate) in gates.iter().enumerate().take(3) {
        asked(n);
        fleet.kill_member(n);
        gate.open();
        fleet.start_member(n);
        fleet.wait_for_cluster();
    }
    asked(3);
    fleet.kill_member(0);
    fleet.kill_member(1);
    gates[3].open();
    fleet.start_member(0);
    fleet.start_member(1);
    let (code, said) = run.end();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(fleet.alone("alone.csv", &[&pattern(&server, INPUTS)]), Some(0));
    assert_eq!(fleet.read("out.csv"), fleet.read("alone.csv"));
}
