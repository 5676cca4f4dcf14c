//! Decides on the response to a request: method and headers in, status and range out, with no body
//! and no socket.
//!
//! Follows RFC 9110: conditional requests in the order of section 13.2.2, ranges of section 14. A
//! single range gets a partial response. Several ranges get the whole, which section 14.2 allows.

use hyper::header::{self, HeaderMap, HeaderName};
use hyper::{Method, StatusCode};
use std::ops::Range;
use std::time::SystemTime;

/// What is known of the requested resource.
#[derive(Clone, Copy, Debug)]
pub(super) struct Resource<'a> {
    pub(super) len: u64,
    /// A strong entity tag, with its quotes.
    pub(super) etag: &'a str,
    /// In whole seconds, as HTTP dates are.
    pub(super) modified: SystemTime,
}

/// The response: its status, and which bytes of the resource are its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ResponsePlan {
    pub(super) status: StatusCode,
    pub(super) body: Range<u64>,
    pub(super) content_range: Option<String>,
}

impl ResponsePlan {
    fn whole(len: u64) -> Self {
        Self { status: StatusCode::OK, body: 0..len, content_range: None }
    }

    fn empty(status: StatusCode) -> Self {
        Self { status, body: 0..0, content_range: None }
    }
}

/// Decides on the response to a GET or HEAD of this resource.
pub(super) fn plan(method: &Method, headers: &HeaderMap, resource: Resource<'_>) -> ResponsePlan {
    if let Some(status) = precondition(headers, resource) {
        return ResponsePlan::empty(status);
    }
    // Range is defined only for GET (section 14.2).
    if method != Method::GET || !if_range(headers, resource) {
        return ResponsePlan::whole(resource.len);
    }
    match text(headers, &header::RANGE).map(|range| parse_range(range, resource.len)) {
        None | Some(RequestedRange::Whole) => ResponsePlan::whole(resource.len),
        Some(RequestedRange::Unsatisfiable) => ResponsePlan {
            content_range: Some(format!("bytes */{}", resource.len)),
            ..ResponsePlan::empty(StatusCode::RANGE_NOT_SATISFIABLE)
        },
        Some(RequestedRange::Part(body)) => ResponsePlan {
            status: StatusCode::PARTIAL_CONTENT,
            content_range: Some(format!("bytes {}-{}/{}", body.start, body.end - 1, resource.len)),
            body,
        },
    }
}

/// Returns the status if a condition ends the request. The conditions follow the order of section
/// 13.2.2.
fn precondition(headers: &HeaderMap, resource: Resource<'_>) -> Option<StatusCode> {
    let date = |name| text(headers, &name).and_then(|value| httpdate::parse_http_date(value).ok());
    if headers.contains_key(header::IF_MATCH) {
        if !lists(headers, &header::IF_MATCH, |tag| tag == resource.etag) {
            return Some(StatusCode::PRECONDITION_FAILED);
        }
    } else if date(header::IF_UNMODIFIED_SINCE).is_some_and(|since| resource.modified > since) {
        return Some(StatusCode::PRECONDITION_FAILED);
    }
    let unchanged = if headers.contains_key(header::IF_NONE_MATCH) {
        // The weak comparison (section 8.8.3.2) ignores the `W/` mark.
        lists(headers, &header::IF_NONE_MATCH, |tag| tag.strip_prefix("W/").unwrap_or(tag) == resource.etag)
    } else {
        date(header::IF_MODIFIED_SINCE).is_some_and(|since| resource.modified <= since)
    };
    unchanged.then_some(StatusCode::NOT_MODIFIED)
}

/// Returns whether a Range header counts: there is no If-Range, or it matches the current resource
/// (section 13.1.5). The comparison of tags is strong, so a weak tag never matches. A date must be
/// exactly the same.
fn if_range(headers: &HeaderMap, resource: Resource<'_>) -> bool {
    if !headers.contains_key(header::IF_RANGE) {
        return true;
    }
    match text(headers, &header::IF_RANGE) {
        Some(tag) if tag.starts_with('"') || tag.starts_with("W/") => tag == resource.etag,
        Some(date) => httpdate::parse_http_date(date).is_ok_and(|date| date == resource.modified),
        None => false,
    }
}

/// Returns the value of a header that may appear only once. A header that appears twice or is not
/// text is ignored.
fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value.trim())
}

/// Returns whether a list of entity tags has a match, or is `*`. A tag may contain a comma, so a
/// comma inside quotes does not separate tags.
fn lists(headers: &HeaderMap, name: &HeaderName, matches: impl Fn(&str) -> bool) -> bool {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).any(|list| {
        let mut quoted = false;
        list.split(|c| {
            quoted ^= c == '"';
            c == ',' && !quoted
        })
        .map(str::trim)
        .any(|tag| tag == "*" || matches(tag))
    })
}

/// What a Range header asks for.
#[derive(Debug, PartialEq, Eq)]
enum RequestedRange {
    /// All of it. A header with another unit, several ranges or no range is ignored (section 14.2).
    Whole,
    Part(Range<u64>),
    Unsatisfiable,
}

/// Reads a Range header (sections 14.1.1 and 14.1.2).
fn parse_range(value: &str, len: u64) -> RequestedRange {
    let Some((unit, set)) = value.split_once('=') else {
        return RequestedRange::Whole;
    };
    let Some((first, last)) = set.trim().split_once('-') else {
        return RequestedRange::Whole;
    };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return RequestedRange::Whole;
    }
    match (number(first), number(last)) {
        // The last `n` bytes. A number larger than the length means all bytes; 0 leaves nothing to
        // send.
        (Position::Absent, Position::At(n)) if n == 0 || len == 0 => RequestedRange::Unsatisfiable,
        (Position::Absent, Position::At(n)) => RequestedRange::Part(len.saturating_sub(n)..len),
        (Position::At(first), Position::At(last)) if last < first => RequestedRange::Whole,
        (Position::At(first), Position::Absent | Position::At(_)) if first >= len => RequestedRange::Unsatisfiable,
        (Position::At(first), Position::Absent) => RequestedRange::Part(first..len),
        (Position::At(first), Position::At(last)) => RequestedRange::Part(first..last.saturating_add(1).min(len)),
        _ => RequestedRange::Whole,
    }
}

/// One side of the hyphen.
enum Position {
    Absent,
    At(u64),
    Malformed,
}

/// Reads digits. A number too large for any file becomes the largest number, not an error.
fn number(text: &str) -> Position {
    let text = text.trim();
    if text.is_empty() {
        Position::Absent
    } else if text.bytes().all(|b| b.is_ascii_digit()) {
        Position::At(text.parse().unwrap_or(u64::MAX))
    } else {
        Position::Malformed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const DATE: &str = "Tue, 16 Mar 2021 12:00:00 GMT";
    const LATER: &str = "Wed, 17 Mar 2021 12:00:00 GMT";
    const EARLIER: &str = "Mon, 15 Mar 2021 12:00:00 GMT";

    /// The status, and the bytes of a resource of 100 bytes, for a request with these headers.
    fn asked(method: &Method, headers: &[(HeaderName, &str)]) -> (u16, Range<u64>, Option<String>) {
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(1_615_896_000);
        let resource = Resource { len: 100, etag: "\"a,b\"", modified };
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().expect("a value"))).collect();
        let plan = plan(method, &headers, resource);
        (plan.status.as_u16(), plan.body, plan.content_range)
    }

    fn get(name: HeaderName, value: &str) -> (u16, Range<u64>) {
        let (status, body, _) = asked(&Method::GET, &[(name, value)]);
        (status, body)
    }

    #[test]
    fn one_range_is_a_part() {
        for (range, body) in [
            ("bytes=0-0", 0..1),
            ("bytes=10-19", 10..20),
            ("bytes=90-", 90..100),
            ("bytes=99-", 99..100),
            ("bytes=90-1000", 90..100),
            ("bytes=0-99999999999999999999999", 0..100),
            ("bytes=-1", 99..100),
            ("bytes=-1000", 0..100),
            ("Bytes= 5-6 ", 5..7),
        ] {
            assert_eq!(get(header::RANGE, range), (206, body.clone()), "{range}");
            let (_, _, content_range) = asked(&Method::GET, &[(header::RANGE, range)]);
            assert_eq!(content_range, Some(format!("bytes {}-{}/100", body.start, body.end - 1)));
        }
    }

    #[test]
    fn a_range_that_begins_behind_the_end_is_416_with_the_length() {
        for range in ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=99999999999999999999999-"] {
            let answer = asked(&Method::GET, &[(header::RANGE, range)]);
            assert_eq!(answer, (416, 0..0, Some("bytes */100".to_owned())), "{range}");
        }
    }

    #[test]
    fn a_range_that_is_none_is_ignored() {
        for range in ["bytes=20-10", "bytes=0-1,5-6", "lines=1-2", "bytes=a-b", "bytes=-", "bytes", "bytes=+1-2", ""] {
            assert_eq!(get(header::RANGE, range), (200, 0..100), "{range}");
        }
        assert_eq!(asked(&Method::HEAD, &[(header::RANGE, "bytes=0-1")]), (200, 0..100, None));
        let twice = [(header::RANGE, "bytes=0-1"), (header::RANGE, "bytes=2-3")];
        assert_eq!(asked(&Method::GET, &twice), (200, 0..100, None));
    }

    #[test]
    fn if_range_keeps_the_range_only_for_the_very_same_thing() {
        let with = |value| asked(&Method::GET, &[(header::RANGE, "bytes=50-"), (header::IF_RANGE, value)]).0;
        for value in ["\"a,b\"", DATE] {
            assert_eq!(with(value), 206, "{value}");
        }
        for value in ["W/\"a,b\"", "\"b\"", LATER, EARLIER, "yesterday", ""] {
            assert_eq!(with(value), 200, "{value}");
        }
    }

    #[test]
    fn what_the_client_has_already_is_304() {
        for tags in ["\"a,b\"", "W/\"a,b\"", "\"x\", \"a,b\"", "*"] {
            assert_eq!(get(header::IF_NONE_MATCH, tags), (304, 0..0), "{tags}");
        }
        for tags in ["\"a\"", "\"a\", \"b\"", "a,b"] {
            assert_eq!(get(header::IF_NONE_MATCH, tags).0, 200, "{tags}");
        }
        for (date, status) in [(DATE, 304), (LATER, 304), (EARLIER, 200), ("yesterday", 200)] {
            assert_eq!(get(header::IF_MODIFIED_SINCE, date).0, status, "{date}");
        }
        // A tag is more precise, so the date is ignored.
        let both = [(header::IF_NONE_MATCH, "\"other\""), (header::IF_MODIFIED_SINCE, LATER)];
        assert_eq!(asked(&Method::GET, &both).0, 200);
    }

    #[test]
    fn a_condition_that_fails_is_412() {
        assert_eq!(get(header::IF_MATCH, "\"other\"").0, 412);
        assert_eq!(get(header::IF_MATCH, "W/\"a,b\"").0, 412);
        assert_eq!(get(header::IF_MATCH, "\"a,b\"").0, 200);
        assert_eq!(get(header::IF_UNMODIFIED_SINCE, EARLIER).0, 412);
        assert_eq!(get(header::IF_UNMODIFIED_SINCE, DATE).0, 200);
    }
}
