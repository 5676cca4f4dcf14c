//! The lock file records the inputs, and a run with `--locked` accepts no others.

use super::{ended, folder, read, table, write};
use crate::common::{Answer, Server, raudal, zip};
use serde_json::Value;

const TABLE: &str = "town,people\nAyala,31\nXico,7\n";

fn tagged(body: impl AsRef<[u8]>, tag: &str) -> Answer {
    Answer::ok(body).header("ETag", format!("\"{tag}\""))
}

#[test]
fn what_each_input_was_is_written_down_the_same_each_time() {
    let folder = folder();
    let archive = zip([("a.csv", TABLE.as_bytes())]);
    let server = Server::start([
        ("/b.zip", vec![tagged(&archive, "v1").header("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT")]),
        ("/a.csv", vec![Answer::redirect("/c.csv")]),
        ("/c.csv", vec![Answer::ok(TABLE)]),
    ]);
    let (one, two) = (folder.path().join("one.json"), folder.path().join("two.json"));
    let named = server.url("/b.zip").replace("http://", "http://me:s3cret@");
    let urls = [named.as_str(), &server.url("/a.csv"), "--where", "people > 10", "--lock"];
    let table = |jobs: &str| table(["-j", jobs]).args(urls);
    ended(&table("1").arg(&one).run(), 0, &[]);
    ended(&table("2").arg(&two).run(), 0, &[]);
    assert_eq!(read(&one), read(&two));
    assert!(!read(&one).contains("s3cret"));
    let lock: Value = serde_json::from_str(&read(&one)).expect("JSON");
    let inputs = lock["inputs"].as_array().expect("a list");
    let (a, b) = (&inputs[0], &inputs[1]);
    assert_eq!((a["url"].as_str(), b["url"].as_str()), (Some(&*server.url("/a.csv")), Some(&*server.url("/b.zip"))));
    assert_eq!(a["final_url"], server.url("/c.csv"));
    assert_eq!((&a["size"], &b["size"]), (&Value::from(TABLE.len()), &Value::from(archive.len())));
    assert_eq!((&b["etag"], &b["last_modified"]), (&"\"v1\"".into(), &"Sun, 06 Nov 1994 08:49:37 GMT".into()));
    assert_eq!((&b["members"][0], &b["rows"]), (&"a.csv".into(), &2.into()), "rows before the filter");
    assert_eq!(b["sha256"].as_str().map(str::len), Some(64));
    let held = table("2").arg(&one).arg("--locked").run();
    ended(&held, 0, &[]);
    assert_eq!(held.text(), "town,people\nAyala,31\nAyala,31\n");
}

#[test]
fn what_has_changed_is_named_and_nothing_is_published() {
    let folder = folder();
    let (lock, output) = (folder.path().join("lock.json"), folder.path().join("out.csv"));
    let changed = TABLE.replace("31", "310");
    let server = Server::start([
        ("/a.csv", vec![Answer::ok(TABLE)]),
        ("/b.csv", vec![tagged(TABLE, "v1"), tagged(&changed, "v2")]),
    ]);
    let (a, b) = (server.url("/a.csv"), server.url("/b.csv"));
    let urls = [a.as_str(), b.as_str(), "--lock"];
    ended(&table(urls).arg(&lock).run(), 0, &[]);
    let before = read(&lock);
    let sizes = format!("size: {} instead of {}", changed.len(), TABLE.len());
    let tags = "etag: \"v2\" instead of \"v1\"";
    let finished = table(urls).arg(&lock).arg("--locked").run();
    ended(&finished, 6, &[&b, "it differs from the lock file in sha256: ", &sizes, tags, "hint: "]);
    assert_eq!(finished.text(), "", "not even what came before it");
    let finished = table(urls).arg(&lock).args(["--locked", "-o"]).arg(&output).run();
    ended(&finished, 6, &[&b, &sizes]);
    assert!(!output.exists());
    assert_eq!(read(&lock), before);
}

#[test]
fn other_inputs_than_those_of_the_lock_are_refused_before_anything_is_fetched() {
    let folder = folder();
    let lock = folder.path().join("lock.json");
    let server = Server::start([("/a.csv", vec![Answer::ok(TABLE)]), ("/b.csv", vec![Answer::ok(TABLE)])]);
    let (a, b) = (server.url("/a.csv"), server.url("/b.csv"));
    ended(&table([a.as_str(), "--lock"]).arg(&lock).run(), 0, &[]);
    let more = table([a.as_str(), b.as_str(), "--locked", "--lock"]).arg(&lock).run();
    ended(&more, 6, &[&b, "not in the lock file"]);
    let other = table([b.as_str(), "--locked", "--lock"]).arg(&lock).run();
    ended(&other, 6, &["not in the lock file"]);
    ended(&table([a.as_str(), b.as_str(), "--lock"]).arg(&lock).run(), 0, &[]);
    let fewer = table([a.as_str(), "--locked", "--lock"]).arg(&lock).run();
    ended(&fewer, 6, &[&b, "in the lock file, but not among the inputs"]);
    assert_eq!(server.requests().len(), 3);
    ended(&table([a.as_str(), "--locked"]).run(), 2, &["--lock"]);
    let none = write(&folder, "none.json", "{}");
    ended(&table([a.as_str(), "--locked", "--lock"]).arg(&none).run(), 2, &["not a lock file"]);
}

#[test]
fn half_a_run_writes_no_lock() {
    let folder = folder();
    let lock = write(&folder, "lock.json", "before");
    let server = Server::with("/a.csv", [Answer::ok(TABLE)]);
    let finished = table([server.url("/a.csv").as_str(), &server.url("/none.csv"), "--lock"]).arg(&lock).run();
    ended(&finished, 3, &["the lock file is not written"]);
    assert_eq!(read(&lock), "before");
}

#[test]
fn a_file_that_has_changed_does_not_get_its_name() {
    let folder = folder();
    let lock = folder.path().join("lock.json");
    let server = Server::with("/a.csv", [tagged(TABLE, "v1"), tagged(TABLE, "v1"), tagged("other", "v2")]);
    let url = server.url("/a.csv");
    let get = |to: &str| {
        raudal(["get", url.as_str(), "--progress", "none", "--retry-delay", "1ms", "-d"])
            .arg(folder.path().join(to))
            .arg("--lock")
            .arg(&lock)
    };
    ended(&get("one").run(), 0, &[]);
    ended(&get("two").arg("--locked").run(), 0, &[]);
    ended(&get("three").arg("--locked").run(), 6, &[&url, "it differs from the lock file in"]);
    assert_eq!(std::fs::read_dir(folder.path().join("three")).expect("a folder").count(), 0);
    assert_eq!(server.requests().len(), 3, "a new version is no damage: it is not fetched again");
    std::fs::write(folder.path().join("two/a.csv"), "edited").expect("a file");
    ended(&get("two").args(["--locked", "--skip-existing"]).run(), 6, &["sha256: "]);
}

#[test]
fn bytes_that_were_damaged_on_their_way_are_fetched_again() {
    let folder = folder();
    let lock = folder.path().join("lock.json");
    let damaged = TABLE.replace("31", "32");
    let server = Server::with("/a.csv", [tagged(TABLE, "v1"), tagged(damaged, "v1"), tagged(TABLE, "v1")]);
    let run = |more: &[&str]| table([server.url("/a.csv").as_str(), "--lock"]).arg(&lock).args(more).run();
    ended(&run(&[]), 0, &[]);
    let held = run(&["--locked"]);
    ended(&held, 0, &[]);
    assert_eq!(held.text(), TABLE);
    assert_eq!(server.requests().len(), 3);
}
