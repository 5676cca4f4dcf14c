//! Workers whose way to the broker is cut or slow, and places for parts that refuse them.

use super::common::{Answer, Gate};
use super::harness::{Fleet, pattern, serve, table, tables, until};
use super::wire::Wire;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

#[test]
fn a_worker_whose_network_was_cut_changes_nothing_and_works_again_once_it_is_healed() {
    let Some(fleet) = Fleet::start() else { return };
    let (held, last) = (Gate::new(), Gate::new());
    let mut routes = tables(6);
    routes[1].1 = vec![Answer::ok(table(1)).behind(&held), Answer::ok(table(1))];
    routes[5].1 = vec![Answer::ok(table(5)).behind(&last)];
    let server = serve(&routes);
    let asked = |path: &str| server.paths().iter().filter(|asked| *asked == path).count();
    let wire = Wire::to(fleet.port());
    let _first = fleet.worker("first", &["-j", "1", "--nats", &wire.url()]);
    let run = fleet.submit("out.csv", &[&pattern(&server, 6), "--chunk", "3", "--run", "cut"]);
    until("the request that is held back", || (asked("/1.csv") == 1).then_some(()));
    // It can still read its inputs, and write its part, but the broker does not hear of it.
    wire.cut();
    let second = fleet.worker("second", &["-j", "2"]);
    let part = fleet.parts().join("raudal-cut/00000000.part");
    until("both chunks, by the second worker", || (part.exists() && asked("/5.csv") == 1).then_some(()));
    wire.heal();
    held.open();
    last.open();
    let (code, said) = run.end();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(fleet.alone("alone.csv", &[&pattern(&server, 6)]), Some(0));
    assert_eq!(fleet.read("out.csv"), fleet.read("alone.csv"));
    drop(second);
    let (code, said) = fleet.submit("again.csv", &[&pattern(&server, 6), "--run", "again"]).end();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(fleet.read("again.csv"), fleet.read("alone.csv"));
}

/// A table of about so many bytes.
fn big(bytes: usize) -> String {
    let row = "7,\"some words, and a few more of them\"\n";
    format!("n,words\n{}", row.repeat(bytes / row.len()))
}

#[test]
fn a_part_that_takes_longer_than_the_lease_to_write_is_written_once() {
    let Some(fleet) = Fleet::start() else { return };
    let server = serve(&[("/0.csv".to_owned(), vec![Answer::ok(big(1_500_000))])]);
    let wire = Wire::to(fleet.port());
    let _worker = fleet.worker("slow", &["-j", "1", "--nats", &wire.url()]);
    // Some 800 kB a second.
    wire.slow(Duration::from_millis(5));
    let arguments = ["table", "-o", "out.csv", "--parts", "nats", "--lease", "1s", &server.url("/0.csv")];
    let (code, said) = fleet.spawn(arguments).end();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(server.requests().len(), 1, "and its input was read once");
    assert_eq!(fleet.alone("alone.csv", &[&server.url("/0.csv")]), Some(0));
    assert_eq!(fleet.read("out.csv"), fleet.read("alone.csv"));
}

#[test]
fn a_place_for_parts_that_is_full_is_said_and_another_worker_writes_the_part() {
    let Some(fleet) = Fleet::start() else { return };
    let server = serve(&[("/0.csv".to_owned(), vec![Answer::ok(big(100_000))])]);
    // A file of more than 8 blocks cannot be written. SIGXFSZ would end the program; ignored, writing fails as on a
    // full disk.
    let wrapper = ["sh", "-c", "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\""];
    let full = fleet.spawn_by(&wrapper, ["worker", "--name", "full", "--allow", "127.0.0.1"]);
    full.wait_for("waits for runs");
    let run = fleet.submit("out.csv", &[&server.url("/0.csv"), "--run", "full"]);
    run.wait_for("full: cannot use the parts: ");
    assert!(!fleet.parts().join("raudal-full/00000000.part").exists(), "no half part");
    drop(full);
    let _worker = fleet.worker("other", &[]);
    let (code, said) = run.end();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(fleet.read("out.csv"), big(100_000));
}

#[test]
fn a_place_for_parts_that_is_read_only_is_said_and_waited_for() {
    let Some(fleet) = Fleet::start() else { return };
    let server = serve(&tables(2));
    let source = pattern(&server, 2);
    let (code, said) = fleet.submit("out.csv", &[&source, "--run", "shut", "--detach"]).end();
    assert_eq!(code, Some(0), "{said}");
    let folder = fleet.parts().join("raudal-shut");
    let set = |mode| std::fs::set_permissions(&folder, PermissionsExt::from_mode(mode)).expect("our folder");
    set(0o555);
    // Root may write everywhere, unless it gives that up.
    let root = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override"];
    let wrapper: &[&str] = if rustix::process::geteuid().is_root() { &root } else { &[] };
    let worker = fleet.spawn_by(wrapper, ["worker", "--name", "w", "--allow", "127.0.0.1"]);
    worker.wait_for("cannot use the parts: ");
    set(0o755);
    let (code, said) = fleet.submit("out.csv", &[&source, "--run", "shut"]).end();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("w: cannot use the parts: ") && said.contains("ermission denied"), "{said}");
    assert_eq!(fleet.read("out.csv").lines().count(), 1 + 4);
}
