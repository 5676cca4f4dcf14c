//! A bad response gives an error that says what happened and whether a retry may help, and shows no
//! secrets.

use std::sync::Arc;
use std::time::Duration;

use crate::common::{Answer, Arrived, Server};
use raudal::fetch::{Body, Client, Expect, Options};
use raudal::source::Location;
use raudal::{Error, Kind, Result};

fn options() -> Options {
    let mut options = Options::default();
    options.read_timeout = Duration::from_secs(20);
    options
}

async fn fetch(options: &Options, url: &str) -> Result<Body> {
    Client::new(options)?.fetch(&Location::parse(url)?, Expect::Table, &()).await
}

/// Returns the error for this response. Its message must name the input exactly once.
async fn error(answer: Answer) -> Error {
    let server = Server::with("/a.zip", [answer]);
    let error = fetch(&options(), &server.url("/a.zip")).await.expect_err("a bad answer");
    assert_eq!(error.report().matches(&server.url("/a.zip")).count(), 1, "{}", error.report());
    error
}

#[tokio::test]
async fn a_status_that_is_not_200_is_said() {
    for (code, transient) in [
        (404, false),
        (410, false),
        (403, false),
        (500, true),
        (503, true),
        (429, true),
        (206, false),
        (204, false),
        (304, false),
    ] {
        let error = error(Answer::status(code, "")).await;
        assert_eq!((error.kind(), error.is_transient()), (Kind::Status(code), transient));
    }
    let busy = error(Answer::status(503, "wait").header("Retry-After", "17")).await;
    assert_eq!(busy.wait(), Some(Duration::from_secs(17)));
    assert!(busy.to_string().ends_with("/a.zip: the server answered: 503 Service Unavailable"), "{busy}");
}

#[tokio::test]
async fn a_page_is_no_archive_and_is_quoted() {
    let page = error(Answer::page("P\u{e1}gina no encontrada")).await;
    assert_eq!(page.kind(), Kind::Impostor);
    assert_eq!(page.message(), "an HTML page in place of the data: Página no encontrada");
    assert!(page.is_transient(), "INEGI's server has been seen to do so for a while");
    // Without the header and without an end: the first bytes are enough.
    let html = "<!doctype html><title>Login</title>";
    let page = error(Answer::stall_after(html, 1_000_000)).await;
    assert_eq!(page.message(), "an HTML page in place of the data: Login");
    // It breaks off inside the title. The error says that it is a page, which matters more than the
    // break.
    assert_eq!(error(Answer::short("<html><title>Log", 1_000)).await.kind(), Kind::Impostor);
}

#[tokio::test]
async fn a_page_that_was_asked_for_is_fetched() {
    let server = Server::with("/", [Answer::page("Hello")]);
    let client = Client::new(&options()).expect("a client");
    let location = Location::parse(&server.url("/")).expect("a URL");
    assert!(client.fetch(&location, Expect::Any, &()).await.is_ok());
}

#[tokio::test]
async fn an_archive_that_is_called_a_page_is_an_archive() {
    let zip = crate::common::zip([("a.csv", &b"a,b\n1,2\n"[..])]);
    let server = Server::with("/a.zip", [Answer::ok(zip).header("Content-Type", "text/html")]);
    assert!(fetch(&options(), &server.url("/a.zip")).await.is_ok());
}

#[tokio::test]
async fn a_body_that_is_not_whole_is_refused_with_both_numbers() {
    let empty = error(Answer::empty()).await;
    assert_eq!((empty.kind(), empty.message()), (Kind::Empty, "the body is empty"));
    assert_eq!(error(Answer::until_close("")).await.kind(), Kind::Empty);

    let short = error(Answer::short("PK345", 1000)).await;
    assert_eq!((short.kind(), short.message()), (Kind::Length, "the body ended early: 5 of 1000 bytes"));
    assert_eq!(error(Answer::short(vec![1; 2_000_000], 2_000_001)).await.kind(), Kind::Length);
    assert_eq!(error(Answer::short("", 10)).await.kind(), Kind::Length);

    let chunked = error(Answer::chunked("PK345", 3).then_close()).await;
    assert_eq!((chunked.kind(), chunked.message()), (Kind::Reset, "the body broke off after 5 bytes"));

    let reset = error(Answer::reset_after("", 1000)).await;
    assert_eq!((reset.kind(), reset.message()), (Kind::Reset, "the connection broke after 0 of 1000 bytes"));
    for error in [empty, short, chunked, reset] {
        assert!(error.is_transient(), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_stands_still_is_given_up_on() {
    let server = Server::start([("/head", vec![Answer::stall()]), ("/body", vec![Answer::stall_after("PK345", 1000)])]);
    let start = |path| {
        let (location, arrived) = (Location::parse(&server.url(path)).expect("a URL"), Arc::new(Arrived::default()));
        let watch = Arc::clone(&arrived);
        let client = Client::new(&options()).expect("a client");
        (tokio::spawn(async move { client.fetch(&location, Expect::Table, &*watch).await }), arrived)
    };
    let (head, _) = start("/head");
    let (body, arrived) = start("/body");
    arrived.0.notified().await;
    let server = tokio::task::spawn_blocking(move || {
        server.wait_for_in_flight(2);
        server
    });
    let server = server.await.expect("both stand still");
    // From here on the clock jumps to the next timer: the timeouts.
    tokio::time::pause();
    let head = head.await.expect("no panic").expect_err("no answer");
    assert_eq!((head.kind(), head.message()), (Kind::Timeout, "no response within 20s"));
    let body = body.await.expect("no panic").expect_err("no end");
    assert_eq!((body.kind(), body.message()), (Kind::Timeout, "the body stalled after 5 of 1000 bytes for 20s"));
    tokio::task::spawn_blocking(move || server.wait_for_hung_up(2)).await.expect("both transfers were ended");
}

#[tokio::test]
async fn a_slow_body_that_goes_on_is_left_to_go_on() {
    // Each piece arrives well within the timeout; all pieces together may take longer.
    let gate = crate::common::Gate::new();
    let server = Server::with("/a", [Answer::drip("0123456789", 1, &gate)]);
    gate.open();
    assert_eq!(fetch(&options(), &server.url("/a")).await.expect("a body").len(), 10);
}

#[tokio::test]
async fn a_connection_that_fails_is_told_from_one_that_breaks() {
    let gone = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.local_addr().expect("an address")
    };
    let refused = fetch(&options(), &format!("http://{gone}/a")).await.expect_err("refused");
    assert_eq!((refused.kind(), refused.message()), (Kind::Connect, "cannot connect"));
    assert!(refused.report().to_lowercase().contains("refused"), "{}", refused.report());
    assert_eq!(refused.report().matches(&gone.to_string()).count(), 1);

    let closed = error(Answer::close()).await;
    assert_eq!((closed.kind(), closed.message()), (Kind::Reset, "the server closed the connection without a response"));
    assert_eq!(error(Answer::reset()).await.kind(), Kind::Reset);
    let garbage = error(Answer::raw("SSH-2.0-OpenSSH_9.6\r\n\r\n")).await;
    assert_eq!((garbage.kind(), garbage.message()), (Kind::Impostor, "the response is not HTTP"));
    let huge = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(1024 * 1024));
    assert_eq!(error(Answer::raw(huge)).await.kind(), Kind::Bounds);
    let unsure = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx";
    assert_eq!(error(Answer::raw(unsure)).await.kind(), Kind::Impostor);
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_called_so() {
    let error = fetch(&options(), "http://nowhere.invalid/a.zip").await.expect_err("no such name");
    // Some resolvers answer every name; then the connection fails instead.
    assert!(matches!(error.kind(), Kind::Name | Kind::Connect | Kind::Timeout), "{}", error.report());
    assert!(error.to_string().starts_with("http://nowhere.invalid/a.zip: "));
    assert!(error.is_transient());
}

#[tokio::test]
async fn redirects_are_followed_within_bounds() {
    let server = Server::start([
        ("/circle", vec![Answer::redirect("/circle")]),
        ("/out", vec![Answer::redirect("file:///etc/passwd")]),
        ("/lost", vec![Answer::status(302, "")]),
        ("/choice", vec![Answer::status(300, "")]),
    ]);
    let circle = fetch(&options(), &server.url("/circle")).await.expect_err("a circle");
    assert_eq!((circle.kind(), circle.message()), (Kind::Redirect, "too many redirects: more than 10"));
    assert_eq!(server.requests().len(), 11);
    for (path, message) in [
        ("/out", "a redirect to a scheme other than http or https is not followed: file:///etc/passwd"),
        ("/lost", "a redirect without a target"),
    ] {
        let error = fetch(&options(), &server.url(path)).await.expect_err(path);
        assert_eq!((error.kind(), error.message(), error.is_transient()), (Kind::Redirect, message, false));
    }
    assert_eq!(fetch(&options(), &server.url("/choice")).await.expect_err("300").kind(), Kind::Status(300));
}

#[tokio::test]
async fn a_fault_behind_a_redirect_says_where_it_was() {
    let server = Server::with("/a", [Answer::redirect("http://nowhere.invalid/b")]);
    let error = fetch(&options(), &server.url("/a")).await.expect_err("no such name");
    assert!(error.message().starts_with("after a redirect to http://nowhere.invalid/b: "), "{error}");
}

#[tokio::test]
async fn a_body_in_a_coding_that_is_not_known_is_refused() {
    let error = error(Answer::ok("a,b\n").header("Content-Encoding", "compress")).await;
    assert_eq!(error.kind(), Kind::Unsupported);
    assert!(error.message().ends_with(": compress"));
}

#[tokio::test]
async fn no_secret_is_in_any_message() {
    let server = Server::start([("/a", vec![Answer::status(401, "")]), ("/b", vec![Answer::close()])]);
    let mut options = options();
    options.headers = vec![("Authorization".into(), "Bearer hush".into())];
    for path in ["/a", "/b"] {
        let url = server.url(path).replace("http://", "http://me:secret@");
        let error = fetch(&options, &url).await.expect_err("refused");
        let all = format!("{} {error:?} {:?} {options:?}", error.report(), error.hint_text());
        assert!(!all.contains("secret") && !all.contains("hush") && !all.contains("me:"), "{all}");
    }
    let client = format!("{:?}", Client::new(&options).expect("a client"));
    assert!(!client.contains("hush"), "{client}");
}

#[test]
fn options_that_cannot_be_are_refused_before_anything_is_sent() {
    let refused = |change: fn(&mut Options)| {
        let mut options = options();
        change(&mut options);
        let error = Client::new(&options).expect_err("refused");
        assert_eq!(error.kind(), Kind::Usage, "{error}");
        error.to_string()
    };
    assert_eq!(refused(|o| o.headers = vec![("a b".into(), "c".into())]), "not a valid header name: a b");
    assert_eq!(refused(|o| o.headers = vec![("a".into(), "hush\n".into())]), "not a valid value for the header: a");
    assert_eq!(refused(|o| o.headers = vec![("Range".into(), "bytes=0-1".into())]), "this header cannot be set: Range");
    assert_eq!(refused(|o| o.proxy = Some("http://me:secret@".into())), "not the URL of a proxy: http://");
    // Never past a proxy that is asked for.
    assert_eq!(refused(|o| o.proxy = Some("socks5://h:1".into())), "not a proxy for HTTP: socks5://h:1");
    assert_eq!(refused(|o| o.proxy = Some("htp://me:secret@h".into())), "not a proxy for HTTP: htp://h");
    assert_eq!(refused(|o| o.limit_rate = Some(0)), "a rate limit of 0");
    assert_eq!(
        refused(|o| o.user_agent = Some("a\nb".into())),
        "the user agent has characters that are not allowed in a header"
    );
}

#[tokio::test]
async fn a_proxy_that_is_asked_for_is_used_even_for_this_machine() {
    let proxy = Server::with("http://127.0.0.1:9/a", [Answer::ok("from the proxy")]);
    let mut options = options();
    options.proxy = Some(proxy.url(""));
    let body = fetch(&options, "http://127.0.0.1:9/a").await.expect("a body");
    assert_eq!(body.len(), 14);
    assert_eq!(proxy.paths(), ["http://127.0.0.1:9/a"]);
}

#[tokio::test]
async fn what_a_proxy_refuses_is_said_of_the_proxy() {
    let proxy = Server::start([("h.invalid:443", vec![Answer::status(407, ""); 2])]);
    let through = |address: String| {
        let mut options = options();
        options.proxy = Some(address);
        options
    };
    let error = fetch(&through(proxy.url("")), "https://h.invalid/a").await.expect_err("refused");
    assert_eq!((error.kind(), error.is_transient()), (Kind::Status(407), false), "{error}");
    assert!(error.hint_text().is_some_and(|hint| hint.contains("the proxy requires a login")), "{error:?}");
    let error = fetch(&through("http://127.0.0.1:1".into()), "http://h.invalid/a").await.expect_err("nobody there");
    assert_eq!(error.kind(), Kind::Connect, "{error}");
    assert!(error.hint_text().is_some_and(|hint| hint.contains("goes through a proxy")), "{error:?}");
}
