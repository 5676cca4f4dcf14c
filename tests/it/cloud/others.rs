//! Google Cloud Storage and Azure: the requests that reach a server. No server of theirs is at hand, so what
//! it makes of a signature is not tested here.

use super::listing;
use crate::common::{Answer, Server, raudal};
use std::fmt::Write as _;

const CSV: &str = "x\n1\n";

#[test]
fn a_request_to_google_has_the_token_in_a_header() {
    let page = listing(&[("d/a b.csv", 4), ("d/c.txt", 4)], None);
    let server = Server::start([
        ("/bucket/d/a%20b.csv", vec![Answer::ok(CSV)]),
        ("/bucket?list-type=2&delimiter=%2F&prefix=d%2F", vec![Answer::ok(page)]),
    ]);
    for source in ["gs://bucket/d/a b.csv", "gs://bucket/d/*.csv"] {
        let program = raudal(["table", source, "-v", "--retries", "0"]).env("GOOGLE_BASE_URL", server.url(""));
        let done = program.env("GOOGLE_BEARER_TOKEN", "ya29.hidden").run();
        assert_eq!((done.code, done.text()), (Some(0), CSV), "{} {:?}", done.stderr, server.paths());
        assert!(!done.stderr.contains("ya29"), "{}", done.stderr);
    }
    assert!(server.requests().iter().all(|request| request.header("authorization") == Some("Bearer ya29.hidden")));
}

#[test]
fn an_emulator_of_google_needs_no_credentials() {
    let server = Server::with("/bucket/a.csv", [Answer::ok(CSV)]);
    let host = server.address().to_string();
    let done = raudal(["table", "gs://bucket/a.csv"]).env("STORAGE_EMULATOR_HOST", host).run();
    assert_eq!((done.code, done.text()), (Some(0), CSV), "{}", done.stderr);
    assert_eq!(server.requests()[0].header("authorization"), None);
    let done = raudal(["table", "gs://bucket/a.csv"]).env("GOOGLE_APPLICATION_CREDENTIALS", "no/such/file").run();
    assert_eq!(done.code, Some(2), "{}", done.stderr);
    assert!(done.stderr.contains("cannot use the credentials for Google Cloud"), "{}", done.stderr);
}

/// What Azure says when it lists.
fn blobs(names: &[&str]) -> String {
    let mut blobs = String::new();
    for name in names {
        let properties = "<Last-Modified>Thu, 01 Jan 2026 00:00:00 GMT</Last-Modified><Content-Length>4</Content-Length>\
                          <Content-Type>text/csv</Content-Type><Etag>x</Etag>";
        let _ = write!(blobs, "<Blob><Name>{name}</Name><Properties>{properties}</Properties></Blob>");
    }
    format!("<?xml version=\"1.0\"?><EnumerationResults><Blobs>{blobs}</Blobs><NextMarker /></EnumerationResults>")
}

#[test]
fn a_request_to_azure_is_signed_with_the_key_of_the_account() {
    let server = Server::start([
        ("/tables/d/a.csv", vec![Answer::ok(CSV)]),
        ("/tables?restype=container&comp=list&prefix=d%2F&delimiter=%2F", vec![Answer::ok(blobs(&["d/a.csv", "d/b"]))]),
    ]);
    for source in ["az://tables/d/a.csv", "az://tables/d/*.csv"] {
        let program = raudal(["table", source, "-v", "--retries", "0"]).env("AZURE_STORAGE_ENDPOINT", server.url(""));
        let program = program.env("AZURE_STORAGE_ACCOUNT", "mine").env("AZURE_STORAGE_KEY", "c2VjcmV0");
        let done = program.run();
        assert_eq!((done.code, done.text()), (Some(0), CSV), "{} {:?}", done.stderr, server.paths());
        assert!(!done.stderr.contains("c2VjcmV0") && !done.stderr.contains("SharedKey"), "{}", done.stderr);
    }
    for request in server.requests() {
        assert!(
            request.header("authorization").is_some_and(|header| header.starts_with("SharedKey mine:")),
            "{request:?}"
        );
        assert!(request.header("x-ms-version").is_some(), "{request:?}");
    }
}

#[test]
fn a_shared_access_signature_goes_to_azure_and_nowhere_else() {
    let server = Server::with("/tables/a.csv?sv=2024&sig=hidden%2B1", [Answer::status(500, ""), Answer::reset()]);
    let folder = tempfile::tempdir().expect("a folder");
    let arguments =
        ["get", "az://tables/a.csv", "-v", "--retries", "1", "--retry-delay", "1ms", "--report", "report.json"];
    let program = raudal(arguments).env("AZURE_STORAGE_ENDPOINT", server.url("")).env("AZURE_STORAGE_ACCOUNT", "mine");
    let done = program.env("AZURE_STORAGE_SAS_TOKEN", "sv=2024&sig=hidden%2B1").in_folder(folder.path()).run();
    assert_eq!(done.code, Some(4), "{} {:?}", done.stderr, server.paths());
    let report = std::fs::read_to_string(folder.path().join("report.json")).expect("a report");
    assert!(!format!("{report}{}", done.stderr).contains("hidden"), "{}", done.stderr);
    let none = raudal(["table", "az://tables/a.csv"]).run();
    assert_eq!(none.code, Some(2), "{}", none.stderr);
    assert!(none.stderr.contains("hint: set AZURE_STORAGE_ACCOUNT"), "{}", none.stderr);
}
