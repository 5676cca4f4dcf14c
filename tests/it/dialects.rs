//! What a server says about a table, and the options that read tables as they are written.

use crate::common::{Answer, Finished, Server, raudal};

fn table(server: &Server, path: &str, arguments: &[&str]) -> Finished {
    let url = server.url(path);
    raudal(["table", "--retries", "1", "--retry-delay", "1ms", "--progress", "none", &url]).args(arguments).run()
}

#[test]
fn a_table_with_tabs_is_known_by_what_the_server_says() {
    let tabs = || Answer::ok("id\tname\n1\ta, b\n");
    for answer in [
        tabs().header("Content-Type", "text/tab-separated-values; charset=utf-8"),
        tabs().header("Content-Disposition", "attachment; filename=\"x.tsv\""),
    ] {
        let done = table(&Server::with("/tsv", [answer]), "/tsv", &[]);
        assert_eq!((done.code, done.text()), (Some(0), "id,name\n1,\"a, b\"\n"), "{}", done.stderr);
    }
    let done = table(&Server::with("/x", [tabs()]), "/x", &[]);
    assert_eq!(done.code, Some(7));
    assert!(
        done.stderr.contains("hint: its fields seem to be separated otherwise: --delimiter tab"),
        "{}",
        done.stderr
    );
}

#[test]
fn a_charset_counts_where_no_encoding_is_given_and_is_said() {
    let answer = || Answer::ok(b"id,name\n1,Poblaci\xf3n\n").header("Content-Type", "text/csv; charset=ISO-8859-1");
    let server = Server::with("/a.csv", [answer()]);
    let done = table(&server, "/a.csv", &["-v"]);
    assert_eq!((done.code, done.text()), (Some(0), "id,name\n1,Población\n"), "{}", done.stderr);
    assert!(done.stderr.contains("its encoding, as the server says: windows-1252"), "{}", done.stderr);
    let done = table(&Server::with("/a.csv", [answer()]), "/a.csv", &["--encoding", "utf-8"]);
    assert_eq!(done.code, Some(7), "{}", done.stderr);
    assert!(done.stderr.contains("--encoding windows-1252 (Población)"), "{}", done.stderr);
}

#[test]
fn json_in_place_of_a_table_is_tried_again_and_then_refused() {
    let json = || {
        Answer::ok("{\"error\":{\"message\":\"quota exceeded\",\"code\":429}}\n")
            .header("Content-Type", "application/json")
    };
    let server = Server::with("/json.csv", [json()]);
    let done = table(&server, "/json.csv", &[]);
    assert_eq!(done.code, Some(4), "{}", done.stderr);
    assert!(done.stderr.contains("JSON stands where a table should be: {\"error\""), "{}", done.stderr);
    assert_eq!(server.paths().len(), 2);
    assert!(done.stdout.is_empty());
    let server = Server::with("/json.csv", [json(), Answer::ok("id,name\n1,a\n")]);
    assert_eq!(table(&server, "/json.csv", &[]).text(), "id,name\n1,a\n");
}

#[test]
fn a_dialect_is_given_by_options_or_variables() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a.txt"), "x\n'id';n\n# no\n'a;b' ;1.234,5\n2;3\nend\n").expect("a file");
    let arguments = ["table", "a.txt", "--skip-rows", "1", "--quote", "'", "--comment", "#", "--footer", "1", "--trim"];
    let numbers = ["--decimal", ",", "--thousands", ".", "--where", "n > 1000"];
    let program = || raudal(arguments).args(numbers).in_folder(folder.path());
    let done = program().args(["--delimiter", ";"]).run();
    assert_eq!((done.code, done.text()), (Some(0), "id,n\na;b,\"1.234,5\"\n"), "{}", done.stderr);
    let by_variable = program().env("RAUDAL_DELIMITER", ";").run();
    assert_eq!(by_variable.text(), done.text());
    let bad = program().args(["--delimiter", "'"]).run();
    assert_eq!(bad.code, Some(2), "{}", bad.stderr);
}

#[test]
fn one_option_takes_the_line_of_a_tables_header_and_the_headers_of_requests() {
    let server = Server::with("/a.csv", [Answer::ok("1,a\n2,b\n")]);
    for http in ["-H", "--header", "--http-header"] {
        let done = table(&server, "/a.csv", &["--header", "none", "--columns", "id,name", http, "X-Y: z"]);
        assert_eq!((done.code, done.text()), (Some(0), "id,name\n1,a\n2,b\n"), "{}", done.stderr);
        assert_eq!(
            server.requests().last().and_then(|request| request.header("x-y").map(str::to_owned)),
            Some("z".into())
        );
    }
    let done = table(&server, "/a.csv", &["--header", "nothing"]);
    assert_eq!(done.code, Some(2));
    assert!(done.stderr.contains("'Name: value'") && done.stderr.contains("none"), "{}", done.stderr);
    let folder = tempfile::tempdir().expect("a folder");
    let got = raudal(["get", &server.url("/a.csv"), "--header", "none"]).in_folder(folder.path()).run();
    assert_eq!(got.code, Some(2));
    assert!(got.stderr.contains("reads no table"), "{}", got.stderr);
}
