//! Classifies failed transfers: finds the cause that a library nests in its errors, and reports it
//! once.

use std::error::Error as StdError;
use std::io;
use std::time::Duration;

use crate::Options;
use crate::http::guard::{self, RefusedName};
use crate::http::response::PROXY_LOGIN;
use raudal_common::{Error, Kind};

/// Returns whether a request failed because its reused connection had ended or held unexpected bytes. No byte of a
/// response to it has arrived.
pub(crate) fn is_stale(error: &reqwest::Error) -> bool {
    if error.is_timeout() || error.is_connect() {
        return false;
    }
    let ended = |io: &io::Error| matches!(io.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe);
    match find::<hyper::Error>(error) {
        Some(hyper) if hyper.is_parse_too_large() => false,
        Some(hyper) if hyper.is_parse() || hyper.is_incomplete_message() || hyper.is_canceled() => true,
        _ => find::<io::Error>(error).is_some_and(ended),
    }
}

/// Returns whether the head of the response is invalid HTTP that a lenient reader may accept.
pub(crate) fn is_bad_head(error: &reqwest::Error) -> bool {
    find::<hyper::Error>(error).is_some_and(|hyper| hyper.is_parse() && !hyper.is_parse_too_large())
}

/// Returns the error for a request that got no response.
pub(crate) fn before_answer(error: &reqwest::Error, options: &Options) -> Error {
    if let Some(tls) = find::<rustls::Error>(error) {
        return tls_fault(tls);
    }
    if let Some(name) = find::<RefusedName>(error) {
        return guard::refused(&name.to_string());
    }
    if error.is_timeout() {
        return if error.is_connect() {
            timeout("connecting took longer than", options.connect_timeout)
        } else {
            timeout("no response within", options.read_timeout)
        };
    }
    let (kind, message) = if error.is_dns() {
        (Kind::Name, "cannot resolve the host name")
    } else if error.is_connect() {
        (Kind::Connect, "cannot connect")
    } else if let Some(hyper) = find::<hyper::Error>(error) {
        match hyper {
            e if e.is_parse_too_large() => (Kind::Bounds, "the head of the response is too large"),
            e if e.is_parse() => (Kind::Impostor, "the response is not valid HTTP"),
            e if e.is_incomplete_message() => (Kind::Reset, "the server closed the connection without a response"),
            _ => (Kind::Reset, "the connection broke before the response"),
        }
    } else if error.is_builder() || error.is_request() && find::<io::Error>(error).is_none() {
        (Kind::Usage, "cannot send this request")
    } else {
        (Kind::Reset, "the connection broke before the response")
    };
    let cause = root(error);
    // The library has no type for it: the answer of a proxy to CONNECT.
    if cause.ends_with("proxy authorization required") {
        return Error::new(Kind::Status(407), "the proxy answered: 407 Proxy Authentication Required")
            .transient(false)
            .hint(PROXY_LOGIN);
    }
    let has_proxy = options.proxy.as_deref().is_some_and(|proxy| !proxy.is_empty());
    let error = Error::new(kind, message).because(cause);
    match error.kind() {
        Kind::Name | Kind::Connect if has_proxy => error.hint("the connection goes through a proxy: check [`proxy`]"),
        _ => error,
    }
}

/// Returns the error for a body that did not arrive whole.
pub(crate) fn in_body(error: &reqwest::Error, received: u64, length: Option<u64>, options: &Options) -> Error {
    if error.is_timeout() {
        return timeout(&format!("the body stalled after {} for", progress(received, length)), options.read_timeout);
    }
    let is_cut = find::<io::Error>(error).is_some_and(|error| error.kind() == io::ErrorKind::UnexpectedEof)
        || find::<hyper::Error>(error).is_some_and(hyper::Error::is_incomplete_message);
    match (is_cut, length) {
        (true, Some(_)) => too_short(received, length),
        (true, None) => Error::new(Kind::Reset, format!("the body broke off after {}", progress(received, length))),
        (false, _) => Error::new(Kind::Reset, format!("the connection broke after {}", progress(received, length)))
            .because(root(error)),
    }
}

/// Returns the error for a body whose length is not the announced one.
pub(crate) fn too_short(received: u64, length: Option<u64>) -> Error {
    Error::new(Kind::Length, format!("the body ended early: {}", progress(received, length)))
}

fn progress(received: u64, length: Option<u64>) -> String {
    match length {
        Some(length) => format!("{received} of {length} bytes"),
        None => format!("{received} bytes"),
    }
}

fn timeout(what: &str, limit: Duration) -> Error {
    Error::new(Kind::Timeout, format!("{what} {limit:?}"))
}

fn tls_fault(error: &rustls::Error) -> Error {
    // Only the server can fix its certificate, so a retry does not help.
    match error {
        rustls::Error::InvalidCertificate(_) => Error::new(Kind::Tls, "the certificate of the server is not trusted")
            .hint("if your own authority signed it, give the authority's certificate with [`cacert`]"),
        _ => Error::new(Kind::Tls, "cannot make a secure connection"),
    }
    .because(error.clone())
}

/// Finds the first error of this type among the causes. Looks inside `io::Error` too, whose
/// `source` skips the error that it wraps.
fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

/// Returns the message of the innermost cause. The outer errors only say that something failed, and
/// one of them repeats the URL.
fn root(error: &(dyn StdError + 'static)) -> String {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    match innermost.downcast_ref::<reqwest::Error>() {
        Some(error) => match error.url() {
            // This error holds only a URL, which the message already has.
            Some(_) => "the request failed".into(),
            None => error.to_string(),
        },
        None => innermost.to_string(),
    }
}
