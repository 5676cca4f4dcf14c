//! `raudal get --nats`: the folder is that of one machine.

use super::common::{Answer, Gate, zip};
use super::harness::{Fleet, Running, serve, until};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

impl Fleet {
    /// Starts a run of files with parts in the folder, and a short lease.
    fn get(&self, dir: &str, more: &[&str]) -> Running {
        let parts = self.parts();
        let parts = parts.to_str().expect("text");
        let mut arguments = vec!["get", "-d", dir, "--parts", parts, "--lease", "1s", "--progress", "none"];
        arguments.extend(more);
        self.spawn(arguments)
    }

    /// Fetches the same files on this machine alone. Returns the exit code and what was said.
    fn get_alone(&self, dir: &str, more: &[&str]) -> (Option<i32>, String) {
        let arguments = ["get", "-d", dir, "--progress", "none"].into_iter().chain(more.iter().copied());
        self.spawn_by(&["env", "-u", "RAUDAL_NATS"], arguments).end()
    }

    /// All files of a folder, with their bytes.
    fn folder(&self, dir: &str) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        collect(&self.at(dir), "", &mut files);
        files
    }
}

fn collect(folder: &Path, before: &str, files: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        let name = format!("{before}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            collect(&entry.path(), &format!("{name}/"), files);
        } else {
            files.insert(name, fs::read(entry.path()).expect("a file"));
        }
    }
}

/// So many files: `/0.bin`, `/1.bin`, …
fn routes(count: usize) -> Vec<(String, Vec<Answer>)> {
    (0..count).map(|n| (format!("/{n}.bin"), vec![Answer::ok(content(n))])).collect()
}

/// Some are larger than what a part or a request holds in memory.
fn content(n: usize) -> Vec<u8> {
    (0..500 + n * 40_000).map(|at| (at * 31 + n) as u8).collect()
}

#[test]
fn names_bytes_failures_and_exit_code_are_those_of_one_machine() {
    let Some(fleet) = Fleet::start() else { return };
    let mut routes = routes(12);
    routes[2].1 = vec![Answer::status(404, "no")];
    routes[3].1 = vec![Answer::ok("named").header("Content-Disposition", "attachment; filename=\"by server.csv\"")];
    // Once for each of the two runs.
    let second = [Answer::status(503, "later"), Answer::ok("at the second attempt")];
    routes[4].1 = [second.clone(), second].concat();
    // Its name is that of the first input, and known only from the response.
    routes[5].1 = vec![Answer::ok("a collision").header("Content-Disposition", "attachment; filename=0.bin")];
    let server = serve(&routes);
    let url = server.url("/7.bin");
    let more = ["\tgiven.bin", "", "\tno/such/name", "\tgiven.bin"].map(|name| format!("{url}{name}"));
    let urls = (0..12).map(|n| server.url(&format!("/{n}.bin")));
    let list = urls.chain(["ftp://h/x".to_owned()]).chain(more).collect::<Vec<_>>().join("\n");
    fs::write(fleet.at("list.txt"), list).expect("room");
    let more = |name: &str| {
        let [failed, report] = [format!("--failed-to={name}.txt"), format!("--report={name}.json")];
        ["-ilist.txt".to_owned(), "--retry-delay=1ms".to_owned(), failed, report]
    };
    let (alone, here) = (more("alone"), more("fleet"));
    fs::create_dir(fleet.at("alone")).expect("room");
    fs::create_dir(fleet.at("fleet")).expect("room");
    // A file that is there is no file of the run.
    for dir in ["alone", "fleet"] {
        fs::write(fleet.at(dir).join("9.bin"), "a stranger's").expect("room");
    }
    let (code, of_one) = fleet.get_alone("alone", &alone.each_ref().map(String::as_str));
    assert_eq!(code, Some(3), "{of_one}");
    let _workers = ["a", "b"].map(|name| fleet.worker(name, &["-j", "3"]));
    let (found, said) = fleet.get("fleet", &here.each_ref().map(String::as_str)).end();
    assert_eq!(found, code, "{said}");
    assert_eq!(fleet.folder("fleet"), fleet.folder("alone"));
    assert_eq!(fleet.read("fleet.txt"), fleet.read("alone.txt"));
    assert!(fleet.folder("fleet").contains_key("by server.csv"));

    let report = |name: &str| serde_json::from_str::<serde_json::Value>(&fleet.read(name)).expect("JSON");
    let (of_fleet, of_one) = (report("fleet.json"), report("alone.json"));
    for field in ["exit_code", "files", "failed", "warnings", "unfinished"] {
        let of_fleet = of_fleet[field].to_string().replace("fleet/", "alone/");
        assert_eq!(of_fleet, of_one[field].to_string(), "{field}");
    }
    for count in ["succeeded", "failed", "failures", "attempts", "retries", "bytes", "items"] {
        assert_eq!(of_fleet["run"][count], of_one["run"][count], "{count}");
    }
    assert_eq!(fs::read_dir(fleet.parts()).expect("a folder").count(), 0, "parts are removed");
    assert_eq!(fleet.runs(&["list"]), "", "and so is the run");
}

#[test]
fn the_files_of_a_worker_that_was_killed_are_fetched_by_another() {
    let Some(fleet) = Fleet::start() else { return };
    let gate = Gate::new();
    let mut routes = routes(12);
    routes[4].1 = vec![Answer::ok(content(4)).behind(&gate), Answer::ok(content(4))];
    let server = serve(&routes);
    let source = server.url("/[0-11].bin");
    let first = fleet.worker("first", &["-j", "2"]);
    let run = fleet.get("fleet", &[&source]);
    until("the request that is held back", || server.paths().iter().any(|path| path == "/4.bin").then_some(()));
    first.kill();
    let _second = fleet.worker("second", &[]);
    let (code, said) = run.end();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(fleet.get_alone("alone", &[&source]).0, Some(0));
    assert_eq!(fleet.folder("fleet"), fleet.folder("alone"));
}

#[test]
fn a_submitter_that_was_killed_goes_on_with_its_own_files_and_leaves_others_alone() {
    let Some(fleet) = Fleet::start() else { return };
    let gate = Gate::new();
    let mut routes = routes(9);
    routes[8].1 = vec![Answer::ok(content(8)).behind(&gate)];
    let server = serve(&routes);
    let source = server.url("/[0-8].bin");
    let _worker = fleet.worker("w", &["-j", "4"]);
    let first = fleet.get("fleet", &[&source]);
    until("all files but the last", || (0..8).all(|n| fleet.at(&format!("fleet/{n}.bin")).exists()).then_some(()));
    first.kill();
    fs::write(fleet.at("fleet/8.bin"), "a stranger's").expect("room");
    gate.open();
    let (code, said) = fleet.get("fleet", &[&source, "--report", "report.json"]).end();
    assert_eq!(code, Some(3), "{said}");
    assert!(said.contains("goes on") && said.contains("/8.bin: the file already exists"), "{said}");
    assert_eq!(fleet.read("fleet/8.bin"), "a stranger's");
    let mut files = fleet.folder("fleet");
    files.remove("8.bin");
    assert_eq!(files, (0..8).map(|n| (format!("{n}.bin"), content(n))).collect(), "and no note is left");
    let report: serde_json::Value = serde_json::from_str(&fleet.read("report.json")).expect("JSON");
    assert_eq!(report["files"].as_array().map(Vec::len), Some(8), "{report}");
    assert_eq!(server.requests().len(), 9, "nothing was fetched twice");
}

#[test]
fn bytes_that_are_damaged_or_gone_are_fetched_again() {
    let Some(fleet) = Fleet::start() else { return };
    let server = serve(&routes(6));
    let source = server.url("/[0-5].bin");
    let (code, said) = fleet.get("fleet", &[&source, "--run", "r", "--detach", "--chunk", "2"]).end();
    assert_eq!(code, Some(0), "{said}");
    let worker = fleet.worker("w", &[]);
    until("all chunks", || fleet.runs(&["list"]).contains("\t3\t3\t0\t").then_some(()));
    let names = fs::read_dir(fleet.parts().join("raudal-r")).expect("parts").map(|part| part.expect("a part").path());
    let mut bytes: Vec<_> = names.filter(|path| path.extension().is_some_and(|end| end == "file")).collect();
    bytes.sort();
    assert_eq!(bytes.len(), 6);
    fs::remove_file(&bytes[1]).expect("bytes");
    fs::write(&bytes[4], "damage").expect("bytes");
    let (code, said) = fleet.get("fleet", &[&source, "--run", "r", "--chunk", "2"]).end();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(said.matches("is damaged: its input is fetched again").count(), 2, "{said}");
    assert_eq!(fleet.folder("fleet"), (0..6).map(|n| (format!("{n}.bin"), content(n))).collect());
    drop(worker);
}

#[test]
fn files_may_come_through_the_broker_and_archives_are_extracted() {
    let Some(fleet) = Fleet::start() else { return };
    let zip = |text: &[u8]| Answer::ok(zip([("a/b.csv", text), ("c.txt", b"c")]));
    let server = serve(&[("/x.zip".to_owned(), vec![zip(b"1")]), ("/y.zip".to_owned(), vec![zip(&content(30))])]);
    let source = server.url("/{x,y}.zip");
    let more = [source.as_str(), "--extract=**/*.csv", "--name", "{n:02}/{name}"];
    let (code, said) = fleet.get_alone("alone", &more);
    assert_eq!(code, Some(0), "{said}");
    let _worker = fleet.worker("w", &[]);
    let (code, said) = fleet.spawn(["get", "-d", "fleet"].iter().chain(&more)).end();
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(fleet.folder("fleet"), fleet.folder("alone"));
    assert_eq!(fleet.folder("fleet").len(), 4);
}

#[test]
fn checksums_and_files_that_are_here_are_those_of_one_machine() {
    use sha2::{Digest, Sha256};
    use std::fmt::Write;
    let Some(fleet) = Fleet::start() else { return };
    let mut routes = routes(4);
    // Damage on the way: the worker sees it, and asks again.
    routes[1].1 = vec![Answer::ok("damage"), Answer::ok(content(1))];
    let server = serve(&routes);
    let list: String = [0, 1, 3].iter().zip([0, 1, 2]).fold(String::new(), |mut list, (name, of)| {
        let digest = Sha256::digest(content(of)).iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("memory");
            text
        });
        writeln!(list, "{digest}  {name}.bin").expect("memory");
        list
    });
    fs::write(fleet.at("sums"), list).expect("room");
    let urls: Vec<String> = (0..4).map(|n| format!("{}\t{n}.bin", server.url(&format!("/{n}.bin")))).collect();
    fs::write(fleet.at("list"), urls.join("\n")).expect("room");
    let more = ["-i", "list", "--checksums", "sums", "--retry-delay", "1ms", "--retries", "1", "--skip-existing"];
    fs::create_dir(fleet.at("fleet")).expect("room");
    fs::write(fleet.at("fleet/0.bin"), content(0)).expect("room");
    let _worker = fleet.worker("w", &[]);
    let (code, said) = fleet.get("fleet", &more).end();
    assert_eq!(code, Some(3), "{said}");
    for part in ["/2.bin: not in the list of checksums: 2.bin", "/3.bin: the SHA-256 differs"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(fleet.folder("fleet"), (0..2).map(|n| (format!("{n}.bin"), content(n))).collect());
    assert!(!server.paths().iter().any(|path| path == "/2.bin"), "it was refused before");
}

#[test]
fn what_has_no_meaning_over_a_fleet_is_refused_with_the_cure() {
    let Some(fleet) = Fleet::start() else { return };
    for (option, cure) in [
        ("--update", "leave --nats out"),
        ("-c", "--skip-existing keeps the files that are here"),
        ("--cache", "leave it out"),
        ("--proxy=http://p", "raudal worker --proxy"),
    ] {
        let (code, said) = fleet.get("fleet", &["http://127.0.0.1:1/x", option]).end();
        assert_eq!(code, Some(2), "{option}: {said}");
        assert!(said.contains(cure), "{option}: {said}");
    }
    assert!(!fleet.at("fleet").exists());
}
