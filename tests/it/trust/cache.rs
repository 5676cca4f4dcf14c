//! The cache: unchanged bodies are not fetched, damaged ones are not used, private ones are not
//! stored.

use super::{ended, folder, table, write};
use crate::common::{Answer, Finished, Gate, Request, Server, raudal, zip};
use std::path::{Path, PathBuf};

const ONE: &str = "town,people\nAyala,31\n";
const TWO: &str = "town,people\nXico,7\n";
const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

fn tagged(body: impl AsRef<[u8]>, tag: &str) -> Answer {
    Answer::ok(body).header("ETag", format!("\"{tag}\""))
}

fn unchanged() -> Answer {
    Answer::status(304, "")
}

fn cached<'a>(folder: &Path, arguments: impl IntoIterator<Item = &'a str>) -> Finished {
    table(arguments).arg("--cache-dir").arg(folder).run()
}

/// Returns the files of a cache, except its tag.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.filter(|path| path.file_name().is_some_and(|name| name != "CACHEDIR.TAG")).collect()
}

fn conditions(requests: &[Request]) -> Vec<Option<&str>> {
    requests.iter().map(|request| request.header("if-none-match")).collect()
}

#[track_caller]
fn gave(finished: &Finished, rows: &str) {
    ended(finished, 0, &[]);
    assert_eq!(finished.text(), rows);
}

#[test]
fn what_has_not_changed_is_asked_about_and_not_fetched() {
    let folder = folder();
    let server =
        Server::with("/a.csv", [tagged(ONE, "v1").header("Last-Modified", DATE), unchanged(), tagged(TWO, "v2")]);
    let url = server.url("/a.csv");
    gave(&cached(folder.path(), [url.as_str()]), ONE);
    let again = raudal(["table", url.as_str(), "--cache-dir"]).arg(folder.path()).run();
    gave(&again, ONE);
    assert!(again.stderr.contains("1 input from the cache"), "{}", again.stderr);
    gave(&cached(folder.path(), [url.as_str()]), TWO);
    gave(&cached(folder.path(), [url.as_str(), "--offline"]), TWO);
    let requests = server.requests();
    assert_eq!(conditions(&requests), [None, Some("\"v1\""), Some("\"v1\"")]);
    assert_eq!(requests[1].header("if-modified-since"), Some(DATE));
    assert_eq!(files(folder.path()).len(), 2, "what was replaced is gone");
}

#[test]
fn offline_asks_nobody_and_names_what_it_does_not_have() {
    let folder = folder();
    let server = Server::start([("/a.csv", vec![Answer::ok(ONE)]), ("/b.csv", vec![Answer::ok(TWO)])]);
    let (a, b) = (server.url("/a.csv"), server.url("/b.csv"));
    gave(&cached(folder.path(), [a.as_str()]), ONE);
    gave(&cached(folder.path(), [a.as_str(), "--offline"]), ONE);
    let finished = cached(folder.path(), [b.as_str(), "--offline"]);
    ended(&finished, 5, &[&b, "not in the cache", "hint: leave out --offline"]);
    ended(&cached(folder.path(), [a.as_str(), b.as_str(), "--offline"]), 3, &["not in the cache"]);
    assert_eq!(server.paths(), ["/a.csv"]);
    gave(&cached(folder.path(), [a.as_str()]), ONE);
    assert_eq!(conditions(&server.requests()), [None, None], "without a validator there is nothing to ask");
    ended(&cached(folder.path(), [a.as_str(), "--offline", "--no-cache"]), 2, &[]);
}

#[test]
fn refresh_fetches_anew_and_replaces() {
    let folder = folder();
    let server = Server::with("/a.csv", [tagged(ONE, "v1"), tagged(TWO, "v1")]);
    let url = server.url("/a.csv");
    gave(&cached(folder.path(), [url.as_str()]), ONE);
    gave(&cached(folder.path(), [url.as_str(), "--refresh"]), TWO);
    gave(&cached(folder.path(), [url.as_str(), "--offline"]), TWO);
    assert_eq!(conditions(&server.requests()), [None, None]);
}

#[test]
fn bytes_that_were_damaged_on_the_disk_are_not_used() {
    let folder = folder();
    let server = Server::with("/a.csv", [tagged(ONE, "v1"), unchanged(), tagged(ONE, "v1")]);
    let url = server.url("/a.csv");
    gave(&cached(folder.path(), [url.as_str()]), ONE);
    let body = files(folder.path()).into_iter().find(|path| path.extension().is_some_and(|e| e == "body"));
    std::fs::write(body.expect("a body"), ONE.replace("31", "32")).expect("damaged");
    ended(&cached(folder.path(), [url.as_str(), "--offline"]), 5, &["the cached copy is damaged"]);
    gave(&cached(folder.path(), [url.as_str()]), ONE);
    assert_eq!(conditions(&server.requests()), [None, Some("\"v1\""), None]);
    gave(&cached(folder.path(), [url.as_str(), "--offline"]), ONE);
}

#[test]
fn an_archive_that_came_damaged_is_not_taken_from_the_cache_again() {
    let folder = folder();
    let good = zip([("a.csv", ONE.as_bytes())]);
    let mut bad = good.clone();
    bad[40] ^= 0xff;
    let server = Server::with("/a.zip", [tagged(&bad, "v1"), tagged(&good, "v1"), unchanged()]);
    let url = server.url("/a.zip");
    gave(&cached(folder.path(), [url.as_str()]), ONE);
    assert_eq!(conditions(&server.requests()), [None, None]);
    gave(&cached(folder.path(), [url.as_str()]), ONE);
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn what_is_private_or_not_to_be_stored_is_not_kept() {
    let folder = folder();
    let netrc = write(&folder, "logins", "machine 127.0.0.1 login me password s3cret");
    let cache = folder.path().join("cache");
    let no_store = Answer::ok(ONE).header("Cache-Control", "private, No-Store");
    let server = Server::start([("/a.csv", vec![Answer::ok(ONE)]), ("/b.csv", vec![no_store])]);
    let url = server.url("/a.csv");
    let named = url.replace("http://", "http://me:s3cret@");
    let netrc = netrc.to_str().expect("UTF-8");
    for arguments in [
        vec![named.as_str()],
        vec![url.as_str(), "-H", "Authorization: Bearer s3cret"],
        vec![url.as_str(), "-H", "X-Api-Key: s3cret"],
        vec![url.as_str(), "--netrc-file", netrc],
        vec![server.url("/b.csv").as_str()],
    ] {
        gave(&cached(&cache, arguments.iter().copied()), ONE);
        assert_eq!(files(&cache), [""; 0].map(PathBuf::from), "{arguments:?}");
    }
    ended(&cached(&cache, [named.as_str(), "--offline"]), 5, &["never holds what is fetched with credentials"]);
    gave(&cached(&cache, [url.as_str()]), ONE);
    assert_eq!(files(&cache).len(), 2);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&cache).expect("a folder").permissions().mode();
        assert_eq!(mode & 0o077, 0, "nobody else looks in");
    }
}

#[test]
fn nothing_is_kept_unless_it_is_asked_for() {
    let folder = folder();
    let server = Server::with("/a.csv", [tagged(ONE, "v1")]);
    let url = server.url("/a.csv");
    let run = |arguments: &[&str]| {
        let finished = table([url.as_str()]).args(arguments).env("XDG_CACHE_HOME", folder.path()).run();
        gave(&finished, ONE);
        files(folder.path()).len()
    };
    assert_eq!(run(&[]), 0);
    assert_eq!(run(&["--cache", "--no-cache"]), 0);
    assert_eq!(run(&["--cache"]), 1, "the folder raudal");
    let compared = raudal(["compare", "iter", "--cache"]).run();
    ended(&compared, 2, &["--cache"]);
}

#[test]
fn a_cache_that_cannot_be_written_to_costs_no_input() {
    let folder = folder();
    let file = write(&folder, "file", "");
    let server = Server::with("/a.csv", [Answer::ok(ONE)]);
    let finished = cached(&file.join("cache"), [server.url("/a.csv").as_str()]);
    gave(&finished, ONE);
    ended(&finished, 0, &["warning: cannot write to the cache"]);
}

#[test]
fn the_cache_is_shown_and_emptied_by_its_own_command() {
    let folder = folder();
    let server = Server::start([("/a.csv", vec![Answer::ok(ONE)]), ("/b.csv", vec![Answer::ok(TWO)])]);
    let (a, b) = (server.url("/a.csv"), server.url("/b.csv"));
    ended(&cached(folder.path(), [b.as_str(), a.as_str()]), 0, &[]);
    let theirs = write(&folder, "thesis.json", "{}");
    let run = |what: &str| {
        let finished = raudal(["cache", what, "--cache-dir"]).arg(folder.path()).run();
        ended(&finished, 0, &[]);
        finished.text().to_owned()
    };
    assert_eq!(run("path"), format!("{}\n", folder.path().display()));
    let list = run("list");
    let lines: Vec<&str> = list.lines().collect();
    assert!(lines.len() == 2 && lines[0].starts_with(&format!("{a}\t{}\t", ONE.len())), "{list}");
    assert!(lines[1].starts_with(&format!("{b}\t{}\t", TWO.len())), "{list}");
    run("clean");
    assert_eq!((run("list").as_str(), files(folder.path())), ("", vec![theirs]));
    let own = raudal(["cache", "path"]).env("XDG_CACHE_HOME", folder.path()).run();
    assert_eq!(own.text(), format!("{}\n", folder.path().join("raudal").display()));
}

#[test]
fn two_runs_at_once_leave_a_cache_that_is_whole() {
    let folder = folder();
    let gate = Gate::new();
    let routes = ["/1.csv", "/2.csv", "/3.csv", "/4.csv"];
    let server = Server::start(routes.map(|path| (path, vec![tagged(ONE, path).behind(&gate)])));
    let url = format!("{}[1-4].csv", server.url("/"));
    std::thread::scope(|scope| {
        let runs = [0, 1].map(|_| scope.spawn(|| cached(folder.path(), [url.as_str()])));
        server.wait_for_in_flight(8);
        gate.open();
        for run in runs {
            ended(&run.join().expect("a run"), 0, &[]);
        }
    });
    assert_eq!(files(folder.path()).len(), 8, "{:?}", files(folder.path()));
    ended(&cached(folder.path(), [url.as_str(), "--offline"]), 0, &[]);
}

#[test]
fn a_file_comes_from_the_cache_as_it_came_from_the_server() {
    let folder = folder();
    let page =
        Answer::page("x").header("ETag", "\"p\"").header("Content-Disposition", "attachment; filename=\"x.html\"");
    let server = Server::with("/a", [page, unchanged()]);
    let url = server.url("/a");
    let cache = folder.path().join("cache");
    let get = |to: &str| {
        let program = raudal(["get", url.as_str(), "--progress", "none", "-d"]).arg(folder.path().join(to));
        ended(&program.arg("--cache-dir").arg(&cache).run(), 0, &[]);
        super::read(folder.path().join(to).join("x.html"))
    };
    assert_eq!(get("one"), get("two"));
    assert_eq!(conditions(&server.requests()), [None, Some("\"p\"")]);
    ended(&cached(&cache, [url.as_str(), "--offline"]), 5, &["page"]);
}
