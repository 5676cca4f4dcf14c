//! Kills a command with SIGKILL at random moments and repeats it until it is done. The files must
//! be the same as after an undisturbed run. A file under its final name must be complete at all
//! times, and nothing else may be left at the end.
//!
//! A seed chooses the moments: after a number of bytes that the server has sent, or at a line of
//! the progress. `RAUDAL_KILLS=200 cargo test --test it get::kill -- --nocapture` makes 200 kills
//! of each command instead of 15, and prints what it saw.

use super::sha256;
use crate::common::{Answer, PATIENCE, Proxy, Server, noise, zip};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

const INPUTS: usize = 8;
const SHORT: usize = 60;

/// How many kills there are of each command.
fn kills() -> usize {
    std::env::var("RAUDAL_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(15)
}

/// Archives of several sizes: some fit into one block of a partial file, some need many.
fn archives() -> Vec<Vec<u8>> {
    (0..INPUTS)
        .map(|n| {
            let rows: Vec<String> = noise((n + 1) * 40_000).iter().map(u8::to_string).collect();
            // These bytes do not compress.
            let mut other = vec![0; 1 + n * 90_000];
            fastrand::Rng::with_seed(n as u64).fill(&mut other);
            zip([("a.csv", format!("n\n{n}\n{}\n", rows.join("\n")).as_bytes()), ("more/noise.bin", &other)])
        })
        .collect()
}

/// Files that arrive whole before anything is written.
fn short_files() -> Vec<Vec<u8>> {
    (0..SHORT).map(|n| noise(200 + n * 67)).collect()
}

struct Scene {
    server: Server,
    proxy: Proxy,
    random: fastrand::Rng,
    /// How many bytes the server would send without kills.
    bytes: u64,
    last: usize,
}

impl Scene {
    fn new(seed: u64, files: &[Vec<u8>]) -> Self {
        let bytes = files.iter().map(|file| file.len() as u64).sum();
        let routes: Vec<(String, Vec<Answer>)> = files
            .iter()
            .enumerate()
            .map(|(n, file)| {
                (format!("/{n}.zip"), vec![Answer::ranged(file).header("ETag", format!("\"{}\"", sha256(file)))])
            })
            .collect();
        let last = files.len() - 1;
        let server = Server::start(routes.iter().map(|(path, answers)| (path.as_str(), answers.clone())));
        let proxy = Proxy::before(server.address(), 4096);
        Self { server, proxy, random: fastrand::Rng::with_seed(seed), bytes, last }
    }

    fn sources(&self) -> String {
        self.proxy.url(&format!("/[0-{}].zip", self.last))
    }

    /// Runs the command. With `kill`, kills it at a random moment. Returns whether it ended by
    /// itself, and the lines of progress.
    fn run(&mut self, arguments: &[String], folder: &Path, kill: bool, lines: usize) -> (bool, usize) {
        let mut child = Command::new(env!("CARGO_BIN_EXE_raudal"))
            .args(arguments)
            .args(["--progress", "json", "-j", "3", "--retry-delay", "1ms"])
            .current_dir(folder)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut said = BufReader::new(child.stderr.take().expect("a pipe"));
        let child = Arc::new(Mutex::new(child));
        let end = |child: &Mutex<Child>| drop(child.lock().unwrap_or_else(PoisonError::into_inner).kill());
        let mut at_line = usize::MAX;
        match (kill, self.random.bool()) {
            (false, _) => self.proxy.forget(),
            // An early end is harder to resume after. With at most a third of the bytes before each
            // kill, the command still ends.
            (true, true) => {
                let victim = Arc::clone(&child);
                self.proxy.after(self.random.u64(0..self.bytes / 3), move || end(&victim));
            }
            (true, false) => {
                self.proxy.forget();
                at_line = self.random.usize(0..lines);
            }
        }
        let (mut line, mut count, mut text) = (String::new(), 0, String::new());
        let give_up = Instant::now() + PATIENCE;
        loop {
            if count == at_line {
                end(&child);
                let _ = said.read_to_string(&mut text);
                break;
            }
            line.clear();
            if said.read_line(&mut line).expect("text") == 0 {
                break;
            }
            assert!(Instant::now() < give_up, "it did not end: {text}");
            text.push_str(&line);
            count += 1;
        }
        self.proxy.forget();
        let status = child.lock().unwrap_or_else(PoisonError::into_inner).wait().expect("it has ended");
        // After a signal there is no code. On systems without signals, a killed process has the
        // code 1.
        let killed = kill && status.code().is_none_or(|code| cfg!(windows) && code == 1);
        assert!(killed || status.success(), "{status}: {text}");
        (!killed, count)
    }
}

/// Returns every file below a folder, with its path and its bytes.
fn tree(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("below it").to_string_lossy().replace('\\', "/");
                files.insert(name, fs::read(path).expect("a file"));
            }
        }
    }
    files
}

/// Whether only an unfinished run may have left a file of this name.
fn is_unfinished(name: &str) -> bool {
    name.split('/')
        .any(|part| part.contains(".part.") || matches!(part.rsplit_once('.'), Some((_, "part" | "partials"))))
}

/// Kills a command again and again, and compares the files with those of an undisturbed run.
/// With `must_go_on`, some of what was left must have been gone on with.
fn ends_as_if_it_had_never_been_killed(mut scene: Scene, arguments: &[String], must_go_on: bool) {
    let undisturbed = tempfile::tempdir().expect("a folder");
    let (done, lines) = scene.run(arguments, undisturbed.path(), false, 0);
    let expected = tree(undisturbed.path());
    assert!(done && !expected.keys().any(|name| is_unfinished(name)), "{:?}", expected.keys());
    let asked = scene.server.requests().len();
    let resumed = |scene: &Scene| {
        scene.server.requests()[asked..].iter().filter(|request| request.header("range").is_some()).count()
    };
    let (mut killed, mut rounds, mut longest, mut left) = (0, 0, 0, 0);
    // On a busy machine, all of a few kills may come before there is anything to resume.
    while killed < kills() || (must_go_on && resumed(&scene) == 0 && killed < 20 * kills()) {
        let most = killed.max(kills() - 1) + 1;
        let folder = tempfile::tempdir().expect("a folder");
        let before = killed;
        loop {
            let (done, _) = scene.run(arguments, folder.path(), killed < most, lines);
            let found = tree(folder.path());
            // A file with its final name is complete at any moment.
            for (name, bytes) in found.iter().filter(|(name, _)| !is_unfinished(name)) {
                assert!(expected.get(name).is_some_and(|whole| whole == bytes), "after {killed} kills: {name}");
            }
            if done {
                assert!(found == expected, "after {killed} kills: {:?}", found.keys());
                break;
            }
            left += found.keys().filter(|name| name.ends_with(".part.json")).count();
            killed += 1;
        }
        rounds += 1;
        longest = longest.max(killed - before);
    }
    let resumed = resumed(&scene);
    let requests = scene.server.requests().len() - asked;
    println!(
        "{}: {killed} kills in {rounds} rounds (at most {longest} in one), which left {left} sidecars; {requests} requests, {resumed} of them for the rest",
        arguments[0]
    );
    assert!(resumed > 0 || !must_go_on, "some of it was gone on with");
}

#[test]
fn files_are_whole_however_often_a_run_is_killed() {
    let scene = Scene::new(42, &archives());
    let get = ["get", &scene.sources(), "-c", "--extract", "-d", "files"].map(str::to_owned);
    ends_as_if_it_had_never_been_killed(scene, &get, true);
}

#[test]
fn short_files_are_whole_however_often_a_run_is_killed() {
    let scene = Scene::new(5, &short_files());
    let get = ["get", &scene.sources(), "--skip-existing", "-d", "files"].map(str::to_owned);
    ends_as_if_it_had_never_been_killed(scene, &get, false);
}

#[test]
fn a_table_is_whole_however_often_a_run_is_killed() {
    let scene = Scene::new(7, &archives());
    let table = ["table", &scene.sources(), "--member", "a.csv", "--where", "n < 200", "-o", "out.csv", "--overwrite"];
    ends_as_if_it_had_never_been_killed(scene, &table.map(str::to_owned), true);
}
