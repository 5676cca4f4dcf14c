//! Decides where a redirect may lead, and which credentials it may take. Pure: takes addresses and
//! headers, returns addresses and headers.
//!
//! This module follows redirects, not the client library, so that one rule decides on credentials:
//! they are sent only to the origin that they were given for. There is one exception: they follow a
//! redirect from http to https on the same host, if both use their default ports.

use std::borrow::Cow;

use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use url::Url;

use crate::Netrc;
use raudal_common::error::redact;
use raudal_common::{Error, Kind, Result};

/// Statuses whose `Location` is followed with another GET (RFC 9110, section 15.4).
pub(crate) const fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// Returns the address that a response from `here` redirects to.
pub(crate) fn next(here: &Url, location: Option<&[u8]>, allow_http: bool) -> Result<Url> {
    let refused = |message: String| Error::new(Kind::Redirect, message);
    let location = location.ok_or_else(|| refused("a redirect without a target".into()))?;
    let location = text(location);
    let mut next = here
        .join(&location)
        .map_err(|error| refused(format!("a redirect to an invalid URL: {}", redact(&location))).because(error))?;
    match (here.scheme(), next.scheme()) {
        (_, "https") | ("http", "http") => {}
        (_, "http") if allow_http => {}
        (_, "http") => {
            return Err(refused(format!("a redirect from https to http is not followed: {}", redact(next.as_str())))
                .hint("if you trust the network, give the http URL itself or [`allow_http`]"));
        }
        _ => {
            return Err(refused(format!(
                "a redirect to a scheme other than http or https is not followed: {}",
                redact(next.as_str())
            )));
        }
    }
    next.set_fragment(None);
    // A server may not set credentials. `join` keeps the user's own on a relative redirect; `dress`
    // adds them again.
    without_credentials(&mut next);
    Ok(next)
}

/// Returns the text of a `Location`. Bytes that are not UTF-8 go back to the server as they came, in
/// percent-encoding: it named the file by them.
fn text(location: &[u8]) -> Cow<'_, str> {
    let encoded = |byte: &u8| if byte.is_ascii() { char::from(*byte).to_string() } else { format!("%{byte:02X}") };
    std::str::from_utf8(location).map_or_else(|_| location.iter().map(encoded).collect(), Cow::Borrowed)
}

/// Returns the address and the headers for a request to `here`. The user asked for `start` with
/// `headers`; `logins` are for hosts without credentials in the URL or the headers.
pub(crate) fn dress(start: &Url, here: &Url, headers: &HeaderMap, logins: &Netrc) -> (Url, HeaderMap) {
    let mut here = here.clone();
    if is_home(start, &here) {
        // An http URL has a host, and so these cannot fail.
        let _ = here.set_username(start.username());
        let _ = here.set_password(start.password());
        let mut headers = headers.clone();
        if let Some(login) = login(start, &headers, logins) {
            headers.insert(header::AUTHORIZATION, login);
        }
        return (here, headers);
    }
    without_credentials(&mut here);
    (here, without_secrets(headers))
}

/// Returns the headers that may go to any host.
pub(crate) fn without_secrets(headers: &HeaderMap) -> HeaderMap {
    let harmless = headers.iter().filter(|(name, _)| tells_nothing(name));
    harmless.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// Returns the login from the list for the host of `start`, unless the URL or a header already has
/// one.
fn login(start: &Url, headers: &HeaderMap, logins: &Netrc) -> Option<HeaderValue> {
    let is_given = headers.contains_key(header::AUTHORIZATION) || has_credentials(start);
    (!is_given).then(|| logins.authorization(start)).flatten()
}

/// Whether a request for `start` identifies the user. The response may then be private. Any header
/// that is not known to be neutral counts.
pub(crate) fn is_personal(start: &Url, headers: &HeaderMap, logins: &Netrc) -> bool {
    has_credentials(start) || headers.keys().any(|name| !tells_nothing(name)) || login(start, headers, logins).is_some()
}

fn has_credentials(url: &Url) -> bool {
    !url.username().is_empty() || url.password().is_some()
}

fn without_credentials(url: &mut Url) {
    let _ = url.set_username("");
    let _ = url.set_password(None);
}

/// Whether `here` is the origin that the user's credentials were given for, or the same host
/// upgraded to https.
pub(crate) fn is_home(start: &Url, here: &Url) -> bool {
    let upgraded =
        start.scheme() == "http" && start.port().is_none() && here.scheme() == "https" && here.port().is_none();
    start.host() == here.host()
        && (upgraded
            || (start.scheme() == here.scheme() && start.port_or_known_default() == here.port_or_known_default()))
}

/// Whether a header may go to any host. Other headers may be keys, under a name that cannot be
/// known in advance (`X-Api-Key`).
fn tells_nothing(name: &HeaderName) -> bool {
    [
        header::ACCEPT,
        header::ACCEPT_ENCODING,
        header::ACCEPT_LANGUAGE,
        header::CACHE_CONTROL,
        header::PRAGMA,
        header::USER_AGENT,
    ]
    .contains(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect(text)
    }

    fn next_url(here: &str, location: &str) -> Result<String> {
        next(&url(here), Some(location.as_bytes()), false).map(String::from)
    }

    #[test]
    fn a_redirect_stays_on_the_web_and_is_never_less_secure() {
        assert_eq!(next_url("http://h/a/b", "c?d#e").expect("relative"), "http://h/a/c?d");
        assert_eq!(next_url("http://h/a", "https://h/a").expect("secured"), "https://h/a");
        assert_eq!(next_url("https://h/a", "//other/b").expect("a host"), "https://other/b");
        let less = |location: &[u8]| next(&url("https://u:p@h/"), Some(location), true).map(String::from);
        assert_eq!(less(b"http://h/").expect("as it was allowed"), "http://h/");
        assert!(less(b"file:///etc/passwd").is_err());
        for (here, location, message) in [
            ("https://h/", "http://h/", "a redirect from https to http is not followed: http://h/"),
            (
                "http://h/",
                "file:///etc/passwd",
                "a redirect to a scheme other than http or https is not followed: file:///etc/passwd",
            ),
            ("http://h/", "ftp://u:p@h/", "a redirect to a scheme other than http or https is not followed: ftp://h/"),
            ("http://h/", "http://u:p@:x/", "a redirect to an invalid URL: http://:x/"),
        ] {
            let error = next_url(here, location).expect_err(location);
            assert_eq!((error.kind(), error.message()), (Kind::Redirect, message));
        }
        assert_eq!(next(&url("http://h/"), None, false).expect_err("none").message(), "a redirect without a target");
    }

    #[test]
    fn bytes_of_a_target_that_are_no_utf_8_go_back_as_they_came() {
        for (location, target) in [
            (&b"/Poblaci\xf3n.csv"[..], "http://h/Poblaci%F3n.csv"),
            (b"?q=A\xf1o", "http://h/a?q=A%F1o"),
            ("/Población.csv".as_bytes(), "http://h/Poblaci%C3%B3n.csv"),
        ] {
            assert_eq!(next(&url("http://h/a"), Some(location), false).map(String::from).expect("a target"), target);
        }
    }

    #[test]
    fn credentials_go_to_the_origin_they_were_given_for_and_nowhere_else() {
        let start = url("http://me:secret@h/a");
        let mut headers = HeaderMap::new();
        for name in ["authorization", "cookie", "x-api-key", "accept"] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static("x"));
        }
        let sent = |here: &str| {
            let (url, headers) = dress(&start, &url(here), &headers, &Netrc::default());
            (url.to_string(), headers.len())
        };
        assert_eq!(sent("http://h/b"), ("http://me:secret@h/b".into(), 4));
        assert_eq!(sent("https://h/b"), ("https://me:secret@h/b".into(), 4));
        for elsewhere in ["http://other/", "http://h:8080/", "https://h:8443/", "http://sub.h/"] {
            assert_eq!(sent(elsewhere), (elsewhere.into(), 1));
        }
        assert_eq!(next_url("http://me:secret@h/a", "b").expect("relative"), "http://h/b");
        assert_eq!(next_url("http://h/a", "http://u:p@other/b").expect("theirs"), "http://other/b");
    }

    #[test]
    fn a_login_of_a_list_goes_to_the_origin_that_was_asked_for_and_yields_to_what_was_given() {
        let logins = Netrc::parse("machine h login me password secret\ndefault login any password any").expect("good");
        let sent = |start: &str, here: &str, own: Option<&'static str>| {
            let own = own.map(|value| (header::AUTHORIZATION, HeaderValue::from_static(value)));
            let (_, headers) = dress(&url(start), &url(here), &own.into_iter().collect(), &logins);
            headers.get(header::AUTHORIZATION).map(|value| value.to_str().expect("ASCII").to_owned())
        };
        let basic = Some("Basic bWU6c2VjcmV0".to_owned());
        assert_eq!(sent("http://h/a", "http://h/a", None), basic);
        assert_eq!(sent("http://h/a", "http://h/b", None), basic);
        assert_eq!(sent("http://h/a", "https://h/b", None), basic);
        for elsewhere in ["http://other/", "http://h:8080/", "http://sub.h/"] {
            assert_eq!(sent("http://h/a", elsewhere, None), None, "{elsewhere}");
        }
        // The login of the redirect's target is not sent either: else any server could choose where
        // it is used.
        assert_eq!(sent("http://other/", "http://h/", None), None);
        assert_eq!(sent("http://h/a", "http://h/a", Some("Bearer x")).as_deref(), Some("Bearer x"));
        assert_eq!(sent("http://you@h/a", "http://h/a", None), None, "the URL's own is sent by the library");
    }
}
