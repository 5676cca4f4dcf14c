//! Logins, certificates and names are sent to their own host, and to no other.

use super::{ended, folder, read, table, write};
use crate::common::{Answer, SecureServer, Server, authority, client};
use raudal::fetch::{Client, Expect, Options};
use raudal::source::Location;
use raudal::{Kind, Result};

const TABLE: &str = "town,people\nAyala,31\n";
const NETRC: &str = "machine 127.0.0.1 login me password s3cret";
/// `me:s3cret`, as it is sent.
const BASIC: &str = "Basic bWU6czNjcmV0";

fn authorization(server: &Server) -> Vec<Option<String>> {
    server.requests().iter().map(|request| request.header("authorization").map(str::to_owned)).collect()
}

#[test]
fn logins_are_found_where_the_user_keeps_them_unless_they_are_not_wanted() {
    let folder = folder();
    let (named, home) = (write(&folder, "logins", NETRC), write(&folder, ".netrc", NETRC));
    let other = write(&folder, "other", "machine other login you password no");
    let server = Server::with("/a.csv", [Answer::ok(TABLE)]);
    let url = server.url("/a.csv");
    let run = |program: crate::common::Program| ended(&program.run(), 0, &[]);
    run(table([url.as_str(), "--netrc-file"]).arg(&named));
    run(table([url.as_str()]).env("NETRC", &named));
    run(table([url.as_str()]).env("HOME", home.parent().expect("a folder")));
    let sent = Some(BASIC.to_owned());
    assert_eq!(authorization(&server), [sent.clone(), sent.clone(), sent]);
    run(table([url.as_str(), "--no-netrc"]).env("NETRC", &named).env("HOME", folder.path()));
    run(table([url.as_str(), "--netrc-file"]).arg(&other).env("NETRC", &named));
    run(table([url.as_str()]));
    assert_eq!(authorization(&server)[3..], [None, None, None]);
}

#[test]
fn a_login_does_not_follow_a_redirect_to_another_host_nor_port() {
    let folder = folder();
    let netrc = write(&folder, "logins", format!("{NETRC}\ndefault login any password s3cret"));
    let target = Server::with("/b.csv", [Answer::ok(TABLE)]);
    let elsewhere = target.url("/b.csv").replace("127.0.0.1", "localhost");
    let routes = [
        ("/port.csv", vec![Answer::redirect(target.url("/b.csv"))]),
        ("/host.csv", vec![Answer::redirect(elsewhere)]),
        ("/here.csv", vec![Answer::redirect("/c.csv")]),
        ("/c.csv", vec![Answer::ok(TABLE)]),
    ];
    let server = Server::start(routes);
    for path in ["/port.csv", "/host.csv", "/here.csv"] {
        ended(&table([server.url(path).as_str(), "--netrc-file"]).arg(&netrc).run(), 0, &[]);
    }
    assert_eq!(authorization(&target), [None, None]);
    assert!(authorization(&server).iter().all(|sent| sent.as_deref() == Some(BASIC)), "a redirect within the host");
}

#[test]
fn what_was_given_with_the_url_or_as_a_header_wins() {
    let folder = folder();
    let netrc = write(&folder, "logins", NETRC);
    let server = Server::with("/a.csv", [Answer::ok(TABLE)]);
    let own = server.url("/a.csv").replace("http://", "http://you:other@");
    ended(&table([own.as_str(), "--netrc-file"]).arg(&netrc).run(), 0, &[]);
    let header = ["-H", "Authorization: Bearer x", "--netrc-file"];
    ended(&table([server.url("/a.csv").as_str()]).args(header).arg(&netrc).run(), 0, &[]);
    assert_eq!(authorization(&server), [Some("Basic eW91Om90aGVy".to_owned()), Some("Bearer x".to_owned())]);
}

#[test]
fn no_login_is_ever_shown_or_written() {
    let folder = folder();
    let netrc = write(&folder, "logins", NETRC);
    let server = Server::with("/a.csv", [Answer::status(401, "no")]);
    let (report, again) = (folder.path().join("report.json"), folder.path().join("again.txt"));
    let finished = table([server.url("/a.csv").as_str(), "-v", "--retries", "1", "--retry-on", "401", "--netrc-file"])
        .arg(&netrc)
        .args(["--report".as_ref(), report.as_os_str(), "--failed-to".as_ref(), again.as_os_str()])
        .run();
    ended(&finished, 5, &["401"]);
    assert_eq!(authorization(&server).len(), 2);
    for text in [&finished.stderr, finished.text(), &read(report), &read(again)] {
        for secret in ["s3cret", "bWU6czNjcmV0", "me:s", "me@"] {
            assert!(!text.contains(secret), "{secret} in: {text}");
        }
    }
    let bad = write(&folder, "bad", "machine 127.0.0.1 login me s3cret");
    let finished = table([server.url("/a.csv").as_str(), "--netrc-file"]).arg(&bad).run();
    ended(&finished, 2, &["bad: line 1: a word that is not one of the keywords machine", "--no-netrc"]);
    assert!(!finished.stderr.contains("s3cret"), "{}", finished.stderr);
    let finished = table([server.url("/a.csv").as_str(), "--netrc-file", "no/such/logins"]).run();
    ended(&finished, 8, &["no/such/logins: cannot read the logins"]);
    assert_eq!(server.requests().len(), 2, "nothing was fetched");
}

#[test]
fn the_user_agent_says_how_to_reach_whoever_asks() {
    let server = Server::with("/a.csv", [Answer::ok(TABLE)]);
    let url = server.url("/a.csv");
    ended(&table([url.as_str(), "--contact", "me@example.org"]).run(), 0, &[]);
    ended(&table([url.as_str(), "--contact", "https://example.org/x", "-A", "census/1"]).run(), 0, &[]);
    ended(&table([url.as_str()]).env("RAUDAL_CONTACT", "").run(), 0, &[]);
    let agents: Vec<String> =
        server.requests().iter().map(|request| request.header("user-agent").unwrap_or_default().to_owned()).collect();
    let own = format!("raudal/{}", env!("CARGO_PKG_VERSION"));
    assert_eq!(agents, [format!("{own} (+me@example.org)"), "census/1 (+https://example.org/x)".into(), own]);
    for (contact, says) in [("a\nb", "\\n"), ("a) evil (", ")"), ("ñ", "\\u{f1}")] {
        ended(
            &table([url.as_str(), "--contact", contact]).run(),
            2,
            &["a character that is not allowed in a contact", says],
        );
    }
    ended(
        &table([url.as_str(), "--contact", "x", "-H", "User-Agent: y"]).run(),
        2,
        &["a contact together with a User-Agent header"],
    );
    assert_eq!(server.requests().len(), 3);
}

const GOOD: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

async fn fetch(options: &Options, url: &str) -> Result<u64> {
    Ok(Client::new(options)?.fetch(&Location::parse(url)?, Expect::Table, &()).await?.len())
}

#[tokio::test]
async fn a_certificate_of_our_own_opens_the_host_that_was_asked_for_and_is_not_shown_after_a_redirect() {
    let server = SecureServer::for_known_clients(GOOD);
    let mut options = Options::default();
    options.ca_cert = Some(authority());
    assert!(fetch(&options, &server.url("/a")).await.is_err(), "nobody in particular");
    options.cert = Some(client());
    assert_eq!(fetch(&options, &server.url("/a")).await.expect("a known client"), 2);
    let elsewhere = Server::with("/a", [Answer::redirect(server.url("/a"))]);
    assert!(fetch(&options, &elsewhere.url("/a")).await.is_err(), "led there by another host");
}

#[tokio::test]
async fn a_certificate_and_its_key_may_be_two_files_and_a_bad_one_is_named() {
    let folder = folder();
    let pem = read(client());
    let (cert, key) = pem.split_at(pem.find("-----BEGIN PRIVATE KEY").expect("a key"));
    let (cert, key) = (write(&folder, "cert.pem", cert), write(&folder, "key.pem", key));
    let server = SecureServer::for_known_clients(GOOD);
    let mut options = Options::default();
    options.ca_cert = Some(authority());
    (options.cert, options.key) = (Some(cert.clone()), Some(key.clone()));
    assert_eq!(fetch(&options, &server.url("/a")).await.expect("a known client"), 2);
    for (cert, own, message) in [
        (Some(cert.clone()), None, "the file does not hold a certificate and its key"),
        (Some(key.clone()), None, "the file does not hold a certificate and its key"),
        (Some(cert), Some("no/such".into()), "cannot read the certificate or its key"),
        (None, Some(key), "a key without its certificate"),
    ] {
        (options.cert, options.key) = (cert, own);
        let error = Client::new(&options).expect_err(message);
        assert_eq!(error.message(), message);
        assert!(matches!(error.kind(), Kind::Usage | Kind::Io));
        assert!(!error.report().contains("BEGIN"), "{error:?}");
    }
}
