//! The result is the same as on one machine.

use super::common::Answer;
use super::harness::{Fleet, pattern, serve, table, tables};

#[test]
fn the_table_the_exit_code_and_the_failed_inputs_are_those_of_one_machine() {
    let Some(fleet) = Fleet::start() else { return };
    let mut routes = tables(40);
    routes[3].1 = vec![Answer::status(404, "no")];
    routes[17].1 = vec![Answer::ok("n,other\n1,2\n")];
    routes[30].1 = vec![Answer::status(503, "later"), Answer::ok("square,n\n9,30\n")];
    let (one, two) = (serve(&routes), serve(&tables(9)));
    let sources = [pattern(&one, 40), pattern(&two, 9)];
    let query = ["--where", "n != 5", "--source-column", "of", "--retry-delay", "1ms"];
    let all: Vec<&str> = sources.iter().map(String::as_str).chain(query).collect();

    let mut alone = all.clone();
    alone.extend(["--failed-to", "alone.txt", "--lock", "alone.lock", "--report", "alone.json"]);
    let code = fleet.alone("alone.csv", &alone);
    let _workers = ["a", "b"].map(|name| fleet.worker(name, &["-j", "3"]));
    let mut spread = all;
    spread.extend(["--failed-to", "fleet.txt", "--report", "fleet.json", "--chunk", "2"]);
    let (found, said) = fleet.submit("fleet.csv", &spread).end();
    assert_eq!(found, code, "{said}");
    assert_eq!(fleet.read("fleet.csv"), fleet.read("alone.csv"));
    assert_eq!(fleet.read("fleet.txt"), fleet.read("alone.txt"));
    for part in ["/3.csv", "columns"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let report = |name: &str| serde_json::from_str::<serde_json::Value>(&fleet.read(name)).expect("JSON");
    let (fleet_report, alone_report) = (report("fleet.json"), report("alone.json"));
    for field in ["exit_code", "archives", "rows_read", "rows_kept", "table_bytes", "failed", "warnings"] {
        assert_eq!(fleet_report[field], alone_report[field], "{field}");
    }
    assert_eq!(fleet_report["jobs"].as_array().map(Vec::len), Some(49));
    assert_eq!(std::fs::read_dir(fleet.parts()).expect("a folder").count(), 0, "parts are removed");
    assert_eq!(fleet.runs(&["list"]), "", "and so is the run");
}

#[test]
fn a_bad_line_of_a_list_fails_alone_as_on_one_machine() {
    let Some(fleet) = Fleet::start() else { return };
    let server = serve(&tables(3));
    let [a, b, c] = [0, 1, 2].map(|n| server.url(&format!("/{n}.csv")));
    let list = format!("# a list\n{a}\nftp://h/x.csv\tX\n{b}\n\tname\nhttp://me:secret@h:x/c\n{c}\n");
    std::fs::write(fleet.at("list.txt"), list).expect("room");
    let alone = fleet.alone("alone.csv", &["-i", "list.txt", "--failed-to", "alone.txt"]);
    assert_eq!(alone, Some(3));
    let _worker = fleet.worker("w", &[]);
    let (code, said) = fleet.submit("fleet.csv", &["-i", "list.txt", "--failed-to", "fleet.txt"]).end();
    assert_eq!(code, alone, "{said}");
    assert_eq!(fleet.read("fleet.csv"), fleet.read("alone.csv"));
    assert_eq!(fleet.read("fleet.txt"), fleet.read("alone.txt"));
    assert_eq!(fleet.read("fleet.txt").lines().count(), 3);
    for part in ["error: list.txt: line 3: ftp://h/x.csv: unsupported scheme: ftp", "list.txt: line 6: http://h:x/c: "]
    {
        assert!(said.contains(part) && !said.contains("secret"), "{part}: {said}");
    }
    let (code, said) = fleet.submit("no.csv", &["-i", "list.txt", "--strict-list"]).end();
    assert_eq!(code, Some(2), "{said}");
}

#[test]
fn parts_may_live_in_the_broker_and_a_lock_file_is_that_of_one_machine() {
    let Some(fleet) = Fleet::start() else { return };
    let server = serve(&tables(12));
    let source = pattern(&server, 12);
    assert_eq!(fleet.alone("alone.csv", &[&source, "--lock", "alone.lock"]), Some(0));
    let _worker = fleet.worker("a", &[]);
    let submit = |more: &[&str]| {
        let mut arguments = vec!["table", "-o", "fleet.csv", "--overwrite", source.as_str(), "--parts", "nats"];
        arguments.extend(more);
        fleet.spawn(arguments).end()
    };
    let (code, said) = submit(&["--lock", "fleet.lock"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(fleet.read("fleet.csv"), fleet.read("alone.csv"));
    assert_eq!(fleet.read("fleet.lock"), fleet.read("alone.lock"));
    let (code, said) = submit(&["--lock", "alone.lock", "--locked"]);
    assert_eq!(code, Some(0), "{said}");
    let lock = fleet.read("alone.lock").replacen("\"rows\": 2", "\"rows\": 3", 1);
    std::fs::write(fleet.at("other.lock"), lock).expect("room");
    let (code, said) = submit(&["--lock", "other.lock", "--locked"]);
    assert_eq!(code, Some(6), "{said}");
}

#[test]
fn checksums_are_compared_by_the_workers() {
    use sha2::{Digest, Sha256};
    let Some(fleet) = Fleet::start() else { return };
    let server = serve(&tables(4));
    let digest = |n: usize| {
        use std::fmt::Write;
        Sha256::digest(table(n)).iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("memory");
            text
        })
    };
    let list = format!("{}  0.csv\n{}  1.csv\n{}  3.csv\n", digest(0), digest(2), digest(3));
    std::fs::write(fleet.at("sums"), list).expect("room");
    let _worker = fleet.worker("a", &[]);
    let arguments = [pattern(&server, 4), "--checksums=sums".to_owned()];
    let arguments = arguments.each_ref().map(String::as_str);
    assert_eq!(fleet.alone("alone.csv", &arguments), Some(3));
    let (code, said) = fleet.submit("fleet.csv", &arguments).end();
    assert_eq!(code, Some(3), "{said}");
    assert_eq!(fleet.read("fleet.csv"), fleet.read("alone.csv"));
    for part in ["/1.csv: the SHA-256 differs", "/2.csv: not in the list of checksums: 2.csv"] {
        assert!(said.contains(part), "{part}: {said}");
    }
}

#[test]
fn no_host_sees_more_at_once_than_its_limit_however_many_workers_there_are() {
    let Some(fleet) = Fleet::start() else { return };
    let server = serve(&tables(60));
    let _workers = ["a", "b", "c"].map(|name| fleet.worker(name, &[]));
    let (code, said) = fleet.submit("out.csv", &[&pattern(&server, 60), "--per-host", "2"]).end();
    assert_eq!(code, Some(0), "{said}");
    assert!(server.peak() <= 2, "{} at once", server.peak());
    assert_eq!(server.requests().len(), 60, "each input once");
}

#[test]
fn a_limit_on_rows_ends_the_run_and_a_count_is_that_of_one_machine() {
    let Some(fleet) = Fleet::start() else { return };
    let server = serve(&tables(20));
    let source = pattern(&server, 20);
    let _worker = fleet.worker("a", &[]);
    for (name, query) in [("limit", ["--limit", "7"].as_slice()), ("count", ["--count"].as_slice())] {
        let query: Vec<&str> = std::iter::once(source.as_str()).chain(query.iter().copied()).collect();
        let (alone, spread) = (format!("{name}-alone.csv"), format!("{name}-fleet.csv"));
        assert_eq!(fleet.alone(&alone, &query), Some(0));
        let (code, said) = fleet.submit(&spread, &query).end();
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(fleet.read(&spread), fleet.read(&alone));
    }
}
