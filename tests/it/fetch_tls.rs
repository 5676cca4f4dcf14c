//! A certificate is trusted if the system, `--cacert` or the user with `-k` says so.

use crate::common::{Answer, SecureServer, Server};
use raudal::fetch::{Body, Client, Expect, Options};
use raudal::source::Location;
use raudal::{Kind, Result};

const GOOD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

async fn fetch(options: &Options, url: &str) -> Result<Body> {
    Client::new(options)?.fetch(&Location::parse(url)?, Expect::Table, &()).await
}

fn believing() -> Options {
    let mut options = Options::default();
    options.ca_cert = Some(crate::common::authority());
    options
}

#[tokio::test]
async fn a_stranger_is_not_believed_and_trying_again_does_not_help() {
    let server = SecureServer::start(GOOD);
    let error = fetch(&Options::default(), &server.url("/a")).await.expect_err("a stranger");
    assert_eq!((error.kind(), error.is_transient()), (Kind::Tls, false));
    assert!(error.hint_text().is_some_and(|hint| hint.contains("cacert")), "{error:?}");
}

#[tokio::test]
async fn an_authority_that_is_named_is_believed() {
    let server = SecureServer::start(GOOD);
    assert_eq!(fetch(&believing(), &server.url("/a")).await.expect("a body").len(), 2);
    // Only for the names in the certificate.
    let error = fetch(&believing(), &server.url("/a").replace("localhost", "other.localhost")).await;
    // Not every machine resolves names below localhost.
    assert!(matches!(error.expect_err("another name").kind(), Kind::Tls | Kind::Name | Kind::Connect));
}

#[tokio::test]
async fn a_user_may_believe_anyone() {
    let server = SecureServer::start(GOOD);
    let mut options = Options::default();
    options.insecure = true;
    assert_eq!(fetch(&options, &server.url("/a")).await.expect("a body").len(), 2);
}

#[tokio::test]
async fn a_body_cut_off_under_tls_is_not_whole() {
    let server = SecureServer::start("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nok");
    let error = fetch(&believing(), &server.url("/a")).await.expect_err("cut");
    assert_eq!((error.kind(), error.message()), (Kind::Length, "the body ended early: 2 of 1000 bytes"));
}

#[tokio::test]
async fn https_is_not_left_for_http_but_http_for_https_is() {
    let plain = Server::with("/a", [Answer::ok("x")]);
    let down = SecureServer::start(format!(
        "HTTP/1.1 302 Found\r\nLocation: {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        plain.url("/a")
    ));
    let error = fetch(&believing(), &down.url("/a")).await.expect_err("less secure");
    assert_eq!(error.kind(), Kind::Redirect);
    assert_eq!(plain.requests().len(), 0);

    let secure = SecureServer::start(GOOD);
    let up = Server::with("/a", [Answer::redirect(secure.url("/a"))]);
    let body = fetch(&believing(), &up.url("/a")).await.expect("more secure");
    assert_eq!(body.location().to_string(), secure.url("/a"));
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls_is_told_from_a_bad_certificate() {
    let server = Server::with("/a", [Answer::ok("x")]);
    let error = fetch(&believing(), &server.url("/a").replace("http://", "https://")).await.expect_err("plain");
    assert_eq!((error.kind(), error.message()), (Kind::Tls, "cannot make a secure connection"), "{error:?}");
}

#[test]
fn a_file_that_holds_no_certificate_is_named() {
    let mut options = Options::default();
    options.ca_cert = Some("no/such.pem".into());
    let error = Client::new(&options).expect_err("missing");
    assert_eq!((error.kind(), error.to_string().as_str()), (Kind::Io, "no/such.pem: cannot read the certificates"));
    options.ca_cert = Some(env!("CARGO_MANIFEST_DIR").to_owned().into());
    assert!(Client::new(&options).is_err());
    let file = tempfile::NamedTempFile::new().expect("a file");
    options.ca_cert = Some(file.path().into());
    let error = Client::new(&options).expect_err("nothing in it");
    assert_eq!((error.kind(), error.message()), (Kind::Usage, "the file does not hold a certificate"));
}
