//! `raudal peek`: what it shows of an input, what that costs, and that the command it prints works.

use crate::common::{Answer, Finished, Server, gzip, raudal, tar, workbook, zip};
use serde_json::Value;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const CSV: &str = "id,name,n\n007,a,1\n008,b,2\n";

fn peek(folder: &Path, arguments: &[&str]) -> Finished {
    raudal(["peek"]).args(arguments).in_folder(folder).run()
}

fn json(folder: &Path, arguments: &[&str]) -> Value {
    let finished = peek(folder, &[arguments, &["--format", "json"]].concat());
    serde_json::from_slice(&finished.stdout).unwrap_or_else(|error| panic!("{error}: {}", finished.stderr))
}

/// Runs the command that was printed, and returns the table.
fn run(folder: &Path, seen: &Value) -> Finished {
    let words = seen["arguments"].as_array().unwrap_or_else(|| panic!("no command: {seen:#}"));
    let words: Vec<&str> = words.iter().map(|word| word.as_str().expect("a word")).collect();
    assert_eq!(words[..2], ["raudal", "table"]);
    raudal(&words[1..]).args(["--format", "csv"]).in_folder(folder).run()
}

/// Serves ranges of a file that is too large to hold: its beginning, its end, and zeros between them. Counts the bytes
/// of all bodies.
struct Huge {
    url: String,
    sent: Arc<AtomicU64>,
}

impl Huge {
    fn serve(name: &str, beginning: Vec<u8>, end: Vec<u8>, total: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}/{name}", listener.local_addr().expect("an address"));
        let sent = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&sent);
        // It ends with the process.
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let (beginning, end, counted) = (beginning.clone(), end.clone(), Arc::clone(&counted));
                std::thread::spawn(move || {
                    let lines = BufReader::new(stream.try_clone().expect("a socket")).lines().map_while(Result::ok);
                    let mut range = None;
                    for line in lines {
                        let line = line.to_lowercase();
                        if let Some(given) = line.strip_prefix("range: bytes=") {
                            let (first, last) = given.trim().split_once('-').expect("a range");
                            range =
                                Some((first.parse::<u64>().expect("a number"), last.parse::<u64>().expect("a number")));
                        }
                        if !line.is_empty() {
                            continue;
                        }
                        let (first, last) = range.take().expect("only ranges are asked for");
                        let last = last.min(total - 1);
                        let from_end = total - end.len() as u64;
                        let byte = |at: u64| {
                            let of_end = at.checked_sub(from_end).and_then(|at| end.get(at as usize));
                            *beginning.get(at as usize).or(of_end).unwrap_or(&0)
                        };
                        let body: Vec<u8> = (first..=last).map(byte).collect();
                        counted.fetch_add(body.len() as u64, Ordering::SeqCst);
                        let head = format!(
                            "HTTP/1.1 206 Partial Content\r\nContent-Length: {}\r\nContent-Range: bytes {first}-{last}/{total}\r\nETag: \"a\"\r\n\r\n",
                            body.len()
                        );
                        if stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body)).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Self { url, sent }
    }
}

/// Returns the beginning and the end of an archive of this many bytes: a table, and a member of zeros that is stored.
fn huge_archive(csv: &str, total: u64) -> (Vec<u8>, Vec<u8>) {
    let small = zip([("data/a.csv", csv.as_bytes())]);
    let directory_at = small.windows(4).position(|four| four == b"PK\x01\x02").expect("a directory");
    let (members, directory) = small.split_at(directory_at);
    let end_at = directory.windows(4).position(|four| four == b"PK\x05\x06").expect("an end");
    let name = b"zeros.bin";
    let header = |size: u32| {
        let mut header = Vec::new();
        for half in [20_u16, 0, 0, 0, 0x21] {
            header.extend_from_slice(&half.to_le_bytes());
        }
        for word in [0, size, size] {
            header.extend_from_slice(&word.to_le_bytes());
        }
        header.extend_from_slice(&(name.len() as u16).to_le_bytes());
        header
    };
    let ends = 46 + name.len() + end_at + 22;
    let size = (total - (members.len() + 30 + name.len() + ends) as u64) as u32;
    let mut beginning = [members, b"PK\x03\x04"].concat();
    beginning.extend_from_slice(&header(size));
    beginning.extend_from_slice(&[&[0, 0], &name[..]].concat());
    let mut end = directory[..end_at].to_vec();
    end.extend_from_slice(b"PK\x01\x02\x14\x00");
    end.extend_from_slice(&header(size));
    end.extend_from_slice(&[0; 12]);
    end.extend_from_slice(&(members.len() as u32).to_le_bytes());
    end.extend_from_slice(name);
    let directory_size = end.len() as u32;
    end.extend_from_slice(b"PK\x05\x06\0\0\0\0\x02\0\x02\0");
    end.extend_from_slice(&directory_size.to_le_bytes());
    end.extend_from_slice(&((total - u64::from(directory_size) - 22) as u32).to_le_bytes());
    end.extend_from_slice(&[0, 0]);
    (beginning, end)
}

#[test]
fn an_archive_of_two_gigabytes_costs_less_than_a_megabyte() {
    let rows: Vec<String> = (0..100_000).map(|at| format!("{at:05},name {at},{}\n", at * 7)).collect();
    let total = 2_000_000_000;
    let (beginning, end) = huge_archive(&format!("id,name,n\n{}", rows.concat()), total);
    let server = Huge::serve("big.zip", beginning, end, total);
    let folder = tempfile::tempdir().expect("a folder");
    let seen = json(folder.path(), &[&server.url]);
    assert_eq!((&seen["bytes"], &seen["problem"]), (&total.into(), &Value::Null), "{seen:#}");
    let members: Vec<&str> =
        seen["members"].as_array().expect("members").iter().filter_map(|member| member["path"].as_str()).collect();
    assert_eq!(members, ["data/a.csv", "zeros.bin"]);
    assert_eq!(
        (seen["members"][1]["bytes"].as_u64() > Some(1_000_000_000), &seen["table"]["rows"][1][1]),
        (true, &"name 1".into())
    );
    let sent = server.sent.load(Ordering::SeqCst);
    assert!(sent < 1_000_000 && seen["fetched"] == sent, "{sent} bytes: {seen:#}");
    assert!(sent < 400_000, "a few ranges: {sent} bytes");
    assert_eq!(seen["command"], format!("raudal table {}", server.url));
}

#[test]
fn no_more_is_fetched_than_may_be() {
    // The directory at the end is beyond that.
    let total = 2_000_000_000;
    let inner = zip([("a.csv", CSV.as_bytes())]);
    let (beginning, end) = huge_archive(CSV, total);
    let server = Huge::serve("big.zip", beginning, end, total);
    let folder = tempfile::tempdir().expect("a folder");
    let finished = peek(folder.path(), &[&server.url, "--max-fetch", "20kB"]);
    assert!(server.sent.load(Ordering::SeqCst) <= 20_000);
    assert_eq!(finished.code, Some(7), "{}", finished.stderr);
    assert!(finished.stderr.contains("hint: fetch more of it with --max-fetch"), "{}", finished.stderr);
    let server = Server::with("/in.zip", [Answer::ranged(&inner).header("ETag", "\"a\"")]);
    assert_eq!(json(folder.path(), &[&server.url("/in.zip")])["table"]["rows"][0][1], "a");
}

#[test]
fn a_server_without_ranges_sends_no_more_than_may_be_fetched() {
    let rows = format!("id;name\n{}", "1;a\n".repeat(500_000));
    let small = zip([("a.csv", CSV.as_bytes())]);
    let server = Server::start([
        ("/a.csv", vec![Answer::ok(&rows)]),
        ("/small.zip", vec![Answer::ok(&small)]),
        ("/chunked.csv", vec![Answer::chunked(&rows, 1000)]),
        ("/large.zip", vec![Answer::ok([&b"PK\x03\x04"[..], &[0; 3_000_000]].concat())]),
    ]);
    let folder = tempfile::tempdir().expect("a folder");
    for path in ["/a.csv", "/chunked.csv"] {
        let seen = json(folder.path(), &[&server.url(path)]);
        assert_eq!((&seen["fetched"], &seen["ranges"]), (&1_000_000.into(), &0.into()), "{seen:#}");
        assert_eq!(seen["command"], format!("raudal table {} --delimiter ';'", server.url(path)));
    }
    let seen = json(folder.path(), &[&server.url("/small.zip")]);
    assert_eq!((&seen["members"][0]["path"], &seen["table"]["rows"][1][1]), (&"a.csv".into(), &"b".into()));
    let finished = peek(folder.path(), &[&server.url("/large.zip")]);
    assert!(finished.code != Some(0) && finished.stderr.contains("--max-fetch"), "{}", finished.stderr);
}

#[test]
fn the_command_that_is_printed_reads_the_input() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).expect("a file");
    let inner = zip([("d/a.csv", CSV.as_bytes()), ("d/it's [1].csv", format!("{CSV}009,c,3\n").as_bytes())]);
    write("plain.csv", CSV.as_bytes());
    write("packed.csv.gz", &gzip(CSV));
    write("hard.csv", b"Informe del a\xf1o\n\nid;name;n\n007;\xe1;1,5\n008;b;2,5\nFuente: INEGI\n");
    write("quotes.tsv", b"id\tname\tn\n007\t\"a\t1\n008\tb\t2\n");
    write("in a folder.zip", &inner);
    write("outer.zip", &zip([("2019.zip", inner.as_slice()), ("2020.zip", inner.as_slice())]));
    write("a.tar.gz", &gzip(tar([("a.csv", CSV.as_bytes()), ("b.csv", format!("{CSV}009,c,3\n").as_bytes())])));
    let sheet: &[&[&str]] = &[&["id", "name", "n"], &["007", "a", "1"], &["008", "b", "2"]];
    write("book.xlsx", &workbook(&[("Población 2020", sheet), ("other", &[&["k"], &["1"]])]));
    for (name, options) in [
        ("plain.csv", ""),
        ("packed.csv.gz", ""),
        ("hard.csv", " --encoding windows-1252 --delimiter ';' --skip-rows 2 --footer 1 --decimal ,"),
        ("quotes.tsv", " --quote none"),
        ("in a folder.zip", r" --member 'd/it'\''s \[1\].csv'"),
        ("outer.zip", r" --member '2019.zip!/d/it'\''s \[1\].csv'"),
        ("a.tar.gz", " --member b.csv"),
        ("book.xlsx", " --sheet 'Población 2020'"),
    ] {
        let seen = json(folder.path(), &[name]);
        let quoted = if name.contains(' ') { format!("'{name}'") } else { name.to_owned() };
        assert_eq!(seen["command"], format!("raudal table {quoted}{options}"), "{seen:#}");
        let finished = run(folder.path(), &seen);
        assert_eq!(finished.code, Some(0), "{name}: {}", finished.stderr);
        assert!(finished.text().starts_with("id,name,n\n007,"), "{name}: {}", finished.text());
        let shown = peek(folder.path(), &[name]);
        assert_eq!(shown.code, Some(0), "{name}: {}", shown.stderr);
        assert!(
            shown.text().ends_with(&format!("read it with\n  raudal table {quoted}{options}\n")),
            "{}",
            shown.text()
        );
        assert!(shown.text().contains("kinds guessed from "), "{}", shown.text());
    }
    let piped = raudal(["peek", "-", "--format", "json"]).stdin(CSV).in_folder(folder.path()).run();
    let seen: Value = serde_json::from_slice(&piped.stdout).expect("JSON");
    assert_eq!((&seen["command"], &seen["fetched"]), (&"raudal table -".into(), &Value::Null));
    let given = json(folder.path(), &["outer.zip", "--member", "2020.zip!/d/a*", "--null", "b", "--trim"]);
    assert_eq!(given["command"], "raudal table outer.zip --member '2020.zip!/d/a*' --trim --null b");
    assert_eq!(run(folder.path(), &given).text(), CSV);
}

#[test]
fn pages_folders_and_globs_are_lists() {
    let page = "<html><a href='a.csv'>a</a> <a href=b.csv>b</a> <a href='x.pdf'>x</a> <a href='https://h/c.csv'>c</a>";
    let server = Server::start([
        ("/d/", vec![Answer::ok(page).header("Content-Type", "text/html")]),
        ("/d/a.csv", vec![Answer::ok(CSV)]),
        ("/d/b.csv", vec![Answer::ok(CSV)]),
    ]);
    let folder = tempfile::tempdir().expect("a folder");
    let url = server.url("/d/");
    let seen = json(folder.path(), &[&url]);
    assert_eq!(
        seen["links"],
        serde_json::json!([server.url("/d/a.csv"), server.url("/d/b.csv"), server.url("/d/x.pdf")])
    );
    assert_eq!(seen["command"], format!("raudal table {url} --links '*.csv'"));
    assert_eq!(run(folder.path(), &seen).text().lines().count(), 5);
    let shown = peek(folder.path(), &[&url]);
    assert!(
        shown.code == Some(0) && shown.text().contains("an HTML page") && shown.text().contains("3 links to files"),
        "{}",
        shown.text()
    );

    for name in ["1.csv", "2.csv", "x.pdf", ".hidden.csv"] {
        fs::write(folder.path().join(name), CSV).expect("a file");
    }
    fs::create_dir(folder.path().join("more")).expect("a folder");
    let seen = json(folder.path().parent().expect("a parent"), &[folder.path().to_str().expect("text")]);
    let names: Vec<_> = seen["files"]
        .as_array()
        .expect("files")
        .iter()
        .map(|file| file["path"].as_str().expect("a path").rsplit('/').next())
        .collect();
    assert_eq!((names, &seen["folders"]), (vec![Some("1.csv"), Some("2.csv"), Some("x.pdf")], &1.into()));
    assert_eq!(run(folder.path(), &seen).text().lines().count(), 5);
    let seen = json(folder.path(), &["*.csv"]);
    assert_eq!((&seen["files"][1]["path"], &seen["command"]), (&"2.csv".into(), &"raudal table '*.csv'".into()));
    let shown = peek(folder.path(), &["*.csv"]);
    assert!(shown.text().starts_with("*.csv: 2 files\n"), "{}", shown.text());
}

#[test]
fn what_is_no_table_is_named_and_what_is_broken_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).expect("a file");
    write("a.jsonl", b"{\"a\":1}\n{\"a\":2}\n");
    write("a.pdf", b"%PDF-1.7\n");
    write("page.html", b"<!doctype html><p>hello");
    for (name, what) in [("a.jsonl", "JSON Lines"), ("a.pdf", "a PDF"), ("page.html", "an HTML page")] {
        let shown = peek(folder.path(), &[name]);
        assert_eq!((shown.code, shown.stderr.as_str()), (Some(0), ""), "{name}");
        assert!(
            shown.text().starts_with(&format!("{name}: {what}, ")) && shown.text().contains("\n  hint: "),
            "{}",
            shown.text()
        );
        assert!(!shown.text().contains("read it with"), "{}", shown.text());
        let seen = json(folder.path(), &[name]);
        assert!(seen["command"].is_null() && seen["problem"]["hint"].is_string(), "{seen:#}");
    }
    let whole = zip([("a.csv", CSV.as_bytes())]);
    write("cut.zip", &whole[..whole.len() - 30]);
    write("empty.csv", b"");
    for (name, code) in [("cut.zip", 6), ("empty.csv", 7), ("missing.csv", 8)] {
        let shown = peek(folder.path(), &[name]);
        assert_eq!(shown.code, Some(code), "{name}: {}{}", shown.text(), shown.stderr);
        assert!(shown.stderr.starts_with(&format!("error: {name}: ")), "{}", shown.stderr);
    }
    let server = Server::with("/a.csv", [Answer::status(404, "")]);
    let shown = peek(folder.path(), &[&server.url("/b.csv"), "--retries", "0"]);
    assert_eq!(shown.code, Some(5), "{}", shown.stderr);
}

#[test]
fn a_response_that_is_not_as_it_should_be_is_judged_as_for_a_table() {
    let peeked = |answer: Answer| {
        let server = Server::with("/a.csv", [answer]);
        let folder = tempfile::tempdir().expect("a folder");
        let shown = peek(folder.path(), &[&server.url("/a.csv"), "--retries", "0"]);
        (shown.code, format!("{}{}", shown.text(), shown.stderr))
    };
    let said = |answer, code, what: &str| {
        let (found, text) = peeked(answer);
        assert!(found == Some(code) && text.contains(what), "{found:?} {what}: {text}");
    };
    said(Answer::raw("SSH-2.0-OpenSSH_9.6\r\n"), 4, "the response is not HTTP");
    said(Answer::raw(CSV), 0, "the response has no head (HTTP/0.9)");
    said(Answer::ok(CSV).header("X Bad", "1"), 0, "the head of the response has invalid lines");
    said(Answer::short("id,n\n", 50), 6, "5 of 50 bytes");
}

#[test]
fn a_failure_that_may_pass_is_tried_again_and_credentials_are_not_shown() {
    let server = Server::with("/a.csv", [Answer::status(503, ""), Answer::ranged(CSV).header("ETag", "\"a\"")]);
    let folder = tempfile::tempdir().expect("a folder");
    let secret = server.url("/a.csv").replace("http://", "http://me:hunter2@");
    let finished = peek(folder.path(), &[&secret, "-H", "X-Key: hunter3", "-k"]);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let said = format!("{}{}", finished.text(), finished.stderr);
    assert!(!said.contains("hunter"), "{said}");
    assert!(said.contains("--insecure") && said.contains("the login is left out"), "{said}");
    assert!(server.requests().iter().all(|request| request.header("x-key") == Some("hunter3")));
    assert_eq!(server.requests().len(), 2);
}
