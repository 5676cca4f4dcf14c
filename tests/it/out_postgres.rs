//! A table of a real PostgreSQL server, which the tests start themselves.
#![cfg(all(unix, feature = "postgres"))]

use crate::common::{Answer, Finished, Gate, PATIENCE, Server as Web, raudal};
use crate::out_conditions::begun;
use crate::workload_postgres::{PASSWORD, Server, USER};
use std::fs;
use tokio_postgres::NoTls;

/// Runs a query. Returns the first column of all rows as text.
async fn ask(server: &Server, query: &str) -> Vec<Option<String>> {
    let (client, connection) =
        tokio_postgres::connect(&server.url(PASSWORD, "postgres"), NoTls).await.expect("a connection");
    tokio::spawn(connection);
    let rows = client.query(query, &[]).await.expect("an answer");
    rows.iter().map(|row| row.get(0)).collect()
}

fn is_secret(finished: &Finished) {
    for secret in [USER, "castellanos", "1925"] {
        assert!(!finished.stderr.contains(secret), "{}", finished.stderr);
    }
}

#[tokio::test]
async fn a_table_is_copied_in_one_transaction_and_its_password_is_never_shown() {
    let Some(server) = Server::start().await else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let csv = "k,n,f,d\n007,1,1.5,2020-03-15\n\"a\\b\tc\r\n\\N\",,,\n";
    fs::write(folder.path().join("in.csv"), csv).expect("a file");
    fs::write(folder.path().join("bad.csv"), "k,n,f,d\n1,x,,\n").expect("a file");
    let url = server.url(PASSWORD, "postgres");
    let run = |input: &str, more: &[&str]| {
        let finished = raudal(["table", input, "--table", "towns", "--types", "n:int,f:float,d:date", "-v"])
            .args(["--report", "report.json", "-o", &url])
            .args(more)
            .in_folder(folder.path())
            .run();
        is_secret(&finished);
        finished
    };
    let finished = run("in.csv", &[]);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let report = fs::read_to_string(folder.path().join("report.json")).expect("a report");
    assert!(report.contains("127.0.0.1") && !report.contains("castellanos"), "{report}");
    let cells = "SELECT concat_ws('|', k, n, f, d) FROM towns ORDER BY n";
    let rows = ask(&server, cells).await;
    assert_eq!(rows, [Some("007|1|1.5|2020-03-15".to_owned()), Some("a\\b\tc\r\n\\N".to_owned())]);
    let types = "SELECT string_agg(data_type, ',' ORDER BY ordinal_position) FROM information_schema.columns \
                 WHERE table_name = 'towns'";
    assert_eq!(ask(&server, types).await, [Some("text,bigint,double precision,date".to_owned())]);

    // It is there now.
    let finished = run("in.csv", &[]);
    assert!(finished.code == Some(8) && finished.stderr.contains("--append"), "{}", finished.stderr);
    assert_eq!(run("in.csv", &["--append"]).code, Some(0));
    let count = "SELECT count(*)::text FROM towns";
    assert_eq!(ask(&server, count).await, [Some("4".to_owned())]);
    assert_eq!(run("bad.csv", &["--append"]).code, Some(7));
    assert_eq!(run("in.csv", &["--append", "--select", "k,n"]).code, Some(7));
    assert_eq!(ask(&server, count).await, [Some("4".to_owned())]);
    assert_eq!(run("in.csv", &["--overwrite", "--select", "k,n,f,d"]).code, Some(0));
    assert_eq!(ask(&server, count).await, [Some("2".to_owned())]);

    // A run that is stopped leaves the table as it was.
    let web = Web::start([("/1.csv", vec![Answer::ok(csv)]), ("/2.csv", vec![Answer::stall()])]);
    let finished = run(&web.url("/[1-2].csv"), &["--overwrite", "--deadline", "500ms"]);
    assert_eq!(finished.code, Some(124), "{}", finished.stderr);
    assert!(finished.stderr.contains("nothing was written to: postgres://127.0.0.1"), "{}", finished.stderr);
    assert_eq!(ask(&server, count).await, [Some("2".to_owned())]);
    let finished = run("in.csv", &["--format", "csv"]);
    assert_eq!(finished.code, Some(2), "{}", finished.stderr);
}

#[tokio::test]
async fn what_the_server_refuses_is_named_before_anything_is_fetched() {
    let Some(server) = Server::start().await else { return };
    let web = Web::with("/a.csv", [Answer::ok("a\n1\n")]);
    for (url, code, words) in [
        (server.url("nonsense", "postgres"), 8, "refuses the user or the password"),
        (server.url(PASSWORD, "no_such_database"), 8, "no_such_database"),
        ("postgres://rosario:castellanos@127.0.0.1:1/x".to_owned(), 4, "no connection to the database"),
        (server.url(PASSWORD, "postgres?sslmode=require"), 4, "no connection to the database"),
        ("postgres://rosario:castellanos@127.0.0.1/x?no_such=1".to_owned(), 2, "cannot be read"),
    ] {
        let finished = raudal(["table", &web.url("/a.csv"), "-o", &url]).run();
        assert_eq!(finished.code, Some(code), "{}", finished.stderr);
        assert!(finished.stderr.contains(words) && finished.stderr.contains("hint: "), "{}", finished.stderr);
        assert!(!finished.stderr.contains("nonsense"), "{}", finished.stderr);
        is_secret(&finished);
    }
    assert!(web.paths().is_empty());
}

#[tokio::test]
async fn a_view_gets_no_rows() {
    let Some(server) = Server::start().await else { return };
    let web = Web::with("/a.csv", [Answer::ok("k\n1\n")]);
    make(&server, "CREATE TABLE base (k text); CREATE VIEW seen AS SELECT * FROM base").await;
    let url = server.url(PASSWORD, "postgres");
    for how in ["--append", "--overwrite"] {
        let finished = raudal(["table", &web.url("/a.csv"), "-o", &url, "--table", "seen", how]).run();
        assert_eq!(finished.code, Some(8), "{how}: {}", finished.stderr);
        for words in ["no table, but a view: seen", "hint: name another one with --table"] {
            assert!(finished.stderr.contains(words), "{how}: {}", finished.stderr);
        }
        is_secret(&finished);
    }
    assert!(web.paths().is_empty());
    assert_eq!(ask(&server, "SELECT count(*)::text FROM base").await, [Some("0".to_owned())]);
}

#[tokio::test]
async fn a_killed_run_and_the_second_of_two_leave_the_table_to_others() {
    let Some(server) = Server::start().await else { return };
    let url = server.url(PASSWORD, "postgres");
    let gate = Gate::new();
    let slow = || vec![Answer::ok("k\n2\n").behind(&gate), Answer::ok("k\n2\n")];
    let web = Web::start([("/1.csv", vec![Answer::ok("k\n1\n")]), ("/2.csv", slow()), ("/3.csv", slow())]);
    let folder = tempfile::tempdir().expect("a folder");
    let killed = [web.url("/[1-2].csv"), "-o".to_owned(), url.clone()];
    let mut child = begun(folder.path(), &killed.each_ref().map(String::as_str));
    child.kill().expect("it runs");
    child.wait().expect("it has ended");
    let is_there = "SELECT to_regclass('data')::text";
    assert_eq!(ask(&server, is_there).await, [None]);

    // The server makes the second run wait for the first one.
    let both = [web.url("/{1,3}.csv"), "-o".to_owned(), url.clone()];
    let mut first = begun(folder.path(), &both.each_ref().map(String::as_str));
    until(&server, "SELECT count(*)::text FROM pg_stat_activity WHERE query LIKE 'COPY%'", "1").await;
    let (source, to) = (web.url("/1.csv"), url.clone());
    let second = std::thread::spawn(move || raudal(["table", &source, "-o", &to]).run());
    until(&server, "SELECT count(*)::text FROM pg_stat_activity WHERE wait_event_type = 'Lock'", "1").await;
    gate.open();
    assert!(first.wait().expect("it ends").success());
    let finished = second.join().expect("it ends");
    assert_eq!(finished.code, Some(8), "{}", finished.stderr);
    assert!(finished.stderr.contains("another program made the table meanwhile"), "{}", finished.stderr);
    is_secret(&finished);
    assert_eq!(ask(&server, "SELECT count(*)::text FROM data").await, [Some("2".to_owned())]);
}

/// Runs statements.
async fn make(server: &Server, statements: &str) {
    let (client, connection) =
        tokio_postgres::connect(&server.url(PASSWORD, "postgres"), NoTls).await.expect("a connection");
    tokio::spawn(connection);
    client.batch_execute(statements).await.expect("done");
}

/// Waits until the server answers so.
async fn until(server: &Server, query: &str, answer: &str) {
    let begin = std::time::Instant::now();
    while ask(server, query).await != [Some(answer.to_owned())] {
        assert!(begin.elapsed() < PATIENCE, "{query}");
    }
}
