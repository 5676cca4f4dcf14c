//! Decides whether a body that broke off can be resumed, and whether the response to a `Range` can
//! be used (RFC 9110, sections 8.8, 13.1.5 and 14). Pure: takes headers, returns a decision.
//!
//! Parts are joined only if the server says, by a strong validator, that they are parts of the same
//! bytes (section 15.3.7.3). In all other cases the whole file is requested again: slower, but
//! never wrong.

use std::time::Duration;

use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::http::response;

/// How much older than the response a `Last-Modified` must be to count as strong. A file may change
/// twice within one second, which a date cannot tell apart. The `Date` and the `Last-Modified` may
/// also come from two different clocks. Section 8.8.2.2 asks for a difference that makes an error
/// unlikely; RFC 7232 set it to a minute.
const CLOCKS_APART: Duration = Duration::from_secs(60);

/// A validator that identifies exactly these bytes, as the server wrote it. `If-Range` returns it
/// unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Validator {
    Tag(HeaderValue),
    Date(HeaderValue),
}

impl Validator {
    /// Returns the strong validator of a response, if it has one.
    ///
    /// A date never replaces a weak tag: a client that has any tag must not send a date (section
    /// 13.1.5).
    pub(crate) fn strong(headers: &HeaderMap) -> Option<Self> {
        if headers.contains_key(header::ETAG) {
            let tag = only(headers, &header::ETAG)?;
            return is_strong_tag(tag.as_bytes()).then(|| Self::Tag(tag.clone()));
        }
        let modified = only(headers, &header::LAST_MODIFIED)?;
        let date = |value: &HeaderValue| httpdate::parse_http_date(value.to_str().ok()?).ok();
        let age = date(only(headers, &header::DATE)?)?.duration_since(date(modified)?).ok()?;
        (age >= CLOCKS_APART).then(|| Self::Date(modified.clone()))
    }

    /// The value for `If-Range`.
    pub(crate) fn value(&self) -> &HeaderValue {
        match self {
            Self::Tag(value) | Self::Date(value) => value,
        }
    }

    /// Whether a part belongs to the same bytes. A 206 must repeat the tag. It may leave out the
    /// date, because the request has named it (section 15.3.7).
    pub(crate) fn is_kept_by(&self, part: &HeaderMap) -> bool {
        match self {
            Self::Tag(tag) => only(part, &header::ETAG) == Some(tag),
            Self::Date(date) => {
                !part.contains_key(header::LAST_MODIFIED) || only(part, &header::LAST_MODIFIED) == Some(date)
            }
        }
    }
}

/// Returns the header's value if there is exactly one. Two values may contradict each other, so
/// neither counts.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// Whether this is a strong tag: `"…"` with printable characters. A weak tag begins with `W/`
/// (section 8.8.3).
pub(crate) fn is_strong_tag(tag: &[u8]) -> bool {
    tag.len() >= 2
        && tag.starts_with(b"\"")
        && tag.ends_with(b"\"")
        && tag[1..tag.len() - 1].iter().all(|b| matches!(b, 0x21 | 0x23..=0x7e | 0x80..))
}

/// The state of an unfinished body, as far as the decision needs it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResumePoint<'a> {
    pub(crate) received: u64,
    pub(crate) total: Option<u64>,
    pub(crate) validator: &'a Validator,
    /// The path of the URL. It tells whether a content coding belongs to the file itself.
    pub(crate) path: &'a str,
}

/// What the response to a `Range` contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RangeReply {
    /// The next bytes: `part` bytes of `total` in all.
    Rest { part: u64, total: u64 },
    /// Nothing is missing.
    Done,
    /// Not a part. The response is judged like any other; if it is good, its body is the whole
    /// file.
    Whole,
}

/// Judges the response to `Range: bytes=N-`. The error says why it cannot be used: then the whole
/// file must be requested.
pub(crate) fn judge(kept: ResumePoint<'_>, status: u16, headers: &HeaderMap) -> Result<RangeReply, &'static str> {
    match status {
        206 => rest(kept, headers),
        416 => nothing_left(kept, headers),
        // A plain GET does not get these statuses: the server rejects the range or the condition.
        400 | 412 | 501 => Err("the server rejects the range"),
        _ => Ok(RangeReply::Whole),
    }
}

fn rest(kept: ResumePoint<'_>, headers: &HeaderMap) -> Result<RangeReply, &'static str> {
    let media_type = headers.get(header::CONTENT_TYPE).map_or(&b""[..], HeaderValue::as_bytes);
    if media_type.to_ascii_lowercase().trim_ascii_start().starts_with(b"multipart/byteranges") {
        return Err("several ranges instead of one");
    }
    if response::is_encoded(headers, kept.path) {
        return Err("the range is of a compressed body");
    }
    if !kept.validator.is_kept_by(headers) {
        return Err("the range is of another version");
    }
    let Some(ContentRange::Part { first, last, complete }) = content_range(headers) else {
        return Err("a range without its position");
    };
    if first != kept.received {
        return Err("another range than the one requested");
    }
    // If the server does not know the length, and the part ends before our total, the total may
    // differ.
    let total = complete
        .or(kept.total.filter(|total| last.checked_add(1) == Some(*total)))
        .ok_or("a range without the total length")?;
    if kept.total.is_some_and(|known| known != total) {
        return Err("the range is of a file with another length");
    }
    let part = last - first + 1;
    if announced(headers)?.is_some_and(|length| length != part) {
        return Err("the range has two different lengths");
    }
    Ok(RangeReply::Rest { part, total })
}

/// Returns the first and the last byte of a part, and the length of the whole. `None` if it is no part of the file as
/// it is at this path.
pub(crate) fn position(headers: &HeaderMap, path: &str) -> Option<(u64, u64, u64)> {
    match content_range(headers)? {
        ContentRange::Part { first, last, complete: Some(complete) } if !response::is_encoded(headers, path) => {
            Some((first, last, complete))
        }
        _ => None,
    }
}

/// A 416 says that nothing follows the bytes we have. The body is complete only if the length in it
/// agrees.
fn nothing_left(kept: ResumePoint<'_>, headers: &HeaderMap) -> Result<RangeReply, &'static str> {
    let is_other_version = match kept.validator {
        Validator::Tag(tag) => headers.contains_key(header::ETAG) && only(headers, &header::ETAG) != Some(tag),
        date @ Validator::Date(_) => !date.is_kept_by(headers),
    };
    if is_other_version {
        return Err("the length is of another version");
    }
    match content_range(headers) {
        Some(ContentRange::Nothing { complete })
            if complete == kept.received && kept.total.is_none_or(|total| total == complete) =>
        {
            Ok(RangeReply::Done)
        }
        _ => Err("the file is shorter than what has arrived"),
    }
}

/// Returns the announced length, if there is one.
fn announced(headers: &HeaderMap) -> Result<Option<u64>, &'static str> {
    match headers.get(header::CONTENT_LENGTH).filter(|_| !headers.contains_key(header::TRANSFER_ENCODING)) {
        None => Ok(None),
        Some(length) => {
            let length = length.to_str().ok().and_then(|length| number(length.trim()));
            length.map(Some).ok_or("the length of the range is not a number")
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ContentRange {
    /// `bytes 0-4/10`, `bytes 0-4/*`
    Part { first: u64, last: u64, complete: Option<u64> },
    /// `bytes */10`
    Nothing { complete: u64 },
}

fn content_range(headers: &HeaderMap) -> Option<ContentRange> {
    parse_content_range(only(headers, &header::CONTENT_RANGE)?.to_str().ok()?)
}

/// Parses a `Content-Range` (section 14.4). `None` if it contradicts itself.
fn parse_content_range(value: &str) -> Option<ContentRange> {
    let (unit, range) = value.trim().split_once(' ')?;
    let (range, complete) = range.trim().split_once('/')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    let complete = match complete {
        "*" => None,
        digits => Some(number(digits)?),
    };
    if range == "*" {
        return complete.map(|complete| ContentRange::Nothing { complete });
    }
    let (first, last) = range.split_once('-')?;
    let (first, last) = (number(first)?, number(last)?);
    // If `last` were the largest possible number, the lengths would overflow. No file is that long.
    let is_sound = first <= last && last < u64::MAX && complete.is_none_or(|complete| last < complete);
    is_sound.then_some(ContentRange::Part { first, last, complete })
}

/// Accepts only digits: `parse` alone would accept a sign.
fn number(digits: &str) -> Option<u64> {
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Parses `name: value` lines.
    fn headers(lines: &[&str]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for line in lines {
            let (name, value) = line.split_once(": ").expect(line);
            map.append(name.parse::<HeaderName>().expect(name), value.parse().expect(value));
        }
        map
    }

    #[test]
    fn a_validator_is_strong_or_none() {
        const DATE: &str = "date: Sun, 06 Nov 1994 08:50:37 GMT";
        for (lines, strong) in [
            (&[r#"etag: "a""#][..], Some(r#""a""#)),
            (&[r#"etag: """#], Some(r#""""#)),
            (&[r#"etag: "a""#, "last-modified: Sun, 06 Nov 1994 08:49:37 GMT", DATE], Some(r#""a""#)),
            (&["last-modified: Sun, 06 Nov 1994 08:49:37 GMT", DATE], Some("Sun, 06 Nov 1994 08:49:37 GMT")),
            // A weak tag excludes the date too.
            (&[r#"etag: W/"a""#], None),
            (&[r#"etag: W/"a""#, "last-modified: Sun, 06 Nov 1994 08:49:37 GMT", DATE], None),
            // Not a tag at all, or two of them.
            (&["etag: a"], None),
            (&[r#"etag: ""#], None),
            (&[r#"etag: "a"b""#], None),
            (&[r#"etag: "a b""#], None),
            (&[r#"etag: "a""#, r#"etag: "b""#], None),
            // Too young, from the future, without a `Date`, not a date.
            (&["last-modified: Sun, 06 Nov 1994 08:49:38 GMT", DATE], None),
            (&["last-modified: Sun, 06 Nov 1994 09:00:00 GMT", DATE], None),
            (&["last-modified: Sun, 06 Nov 1994 08:49:37 GMT"], None),
            (&["last-modified: yesterday", DATE], None),
            (&[], None),
        ] {
            let found = Validator::strong(&headers(lines));
            assert_eq!(found.as_ref().map(|v| v.value().to_str().expect("text")), strong, "{lines:?}");
        }
    }

    #[test]
    fn a_content_range_is_read_to_the_letter() {
        use ContentRange::{Nothing, Part};
        for (value, read) in [
            ("bytes 0-4/10", Some(Part { first: 0, last: 4, complete: Some(10) })),
            ("Bytes 9-9/10", Some(Part { first: 9, last: 9, complete: Some(10) })),
            ("bytes 5-9/*", Some(Part { first: 5, last: 9, complete: None })),
            ("bytes */10", Some(Nothing { complete: 10 })),
            ("bytes */*", None),
            ("bytes 5-4/10", None),
            ("bytes 5-10/10", None),
            ("bytes 5-/10", None),
            ("bytes -5/10", None),
            ("bytes +5-9/10", None),
            ("bytes 5-9", None),
            ("bytes 5-9/", None),
            ("bytes=5-9/10", None),
            ("lines 5-9/10", None),
            ("bytes 0-18446744073709551615/*", None),
            ("bytes 0-99999999999999999999/*", None),
            ("", None),
        ] {
            assert_eq!(parse_content_range(value), read, "{value}");
        }
    }

    /// Judges a response for a client that has 40 bytes, of this total, with the tag `"a"`.
    fn worth(total: Option<u64>, status: u16, lines: &[&str]) -> Result<RangeReply, &'static str> {
        let validator = Validator::Tag(HeaderValue::from_static("\"a\""));
        judge(ResumePoint { received: 40, total, validator: &validator, path: "/a.zip" }, status, &headers(lines))
    }

    const REST: Result<RangeReply, &str> = Ok(RangeReply::Rest { part: 60, total: 100 });

    #[test]
    fn a_part_is_taken_only_if_it_is_the_very_rest_of_the_same_bytes() {
        const TAG: &str = r#"etag: "a""#;
        const RANGE: &str = "content-range: bytes 40-99/100";
        for (total, lines, expected) in [
            (Some(100), &[TAG, RANGE][..], REST),
            (Some(100), &[TAG, RANGE, "content-length: 60"], REST),
            (Some(100), &[TAG, RANGE, "transfer-encoding: chunked"], REST),
            // An unknown length is learned; a known length need not be repeated.
            (None, &[TAG, RANGE], REST),
            (Some(100), &[TAG, "content-range: bytes 40-99/*"], REST),
            // The server may send less than requested (section 15.3.7).
            (Some(100), &[TAG, "content-range: bytes 40-49/100"], Ok(RangeReply::Rest { part: 10, total: 100 })),
            (None, &[TAG, "content-range: bytes 40-99/*"], Err("a range without the total length")),
            (Some(100), &[TAG, "content-range: bytes 40-49/*"], Err("a range without the total length")),
            (Some(100), &[TAG, "content-range: bytes 39-99/100"], Err("another range than the one requested")),
            (Some(100), &[TAG, "content-range: bytes 41-99/100"], Err("another range than the one requested")),
            (Some(100), &[TAG, "content-range: bytes 0-99/100"], Err("another range than the one requested")),
            (Some(100), &[TAG, "content-range: bytes 40-100/101"], Err("the range is of a file with another length")),
            (Some(101), &[TAG, RANGE], Err("the range is of a file with another length")),
            (Some(100), &[TAG, RANGE, "content-length: 61"], Err("the range has two different lengths")),
            (Some(100), &[TAG, RANGE, "content-length: many"], Err("the length of the range is not a number")),
            (Some(100), &[TAG], Err("a range without its position")),
            (Some(100), &[TAG, RANGE, RANGE], Err("a range without its position")),
            (Some(100), &[TAG, "content-range: bytes */100"], Err("a range without its position")),
            (Some(100), &[r#"etag: "b""#, RANGE], Err("the range is of another version")),
            (Some(100), &[r#"etag: W/"a""#, RANGE], Err("the range is of another version")),
            (Some(100), &[RANGE], Err("the range is of another version")),
            (Some(100), &[TAG, RANGE, "content-encoding: gzip"], Err("the range is of a compressed body")),
            (Some(100), &[TAG, RANGE, "content-encoding: identity"], REST),
            (
                Some(100),
                &[TAG, RANGE, "content-type: Multipart/Byteranges; boundary=x"],
                Err("several ranges instead of one"),
            ),
        ] {
            assert_eq!(worth(total, 206, lines), expected, "{total:?} {lines:?}");
        }
    }

    #[test]
    fn a_part_may_leave_out_the_date_but_not_change_it() {
        let validator = Validator::Date(HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT"));
        let kept = ResumePoint { received: 40, total: Some(100), validator: &validator, path: "/a.zip" };
        for (date, expected) in [
            (None, REST),
            (Some("last-modified: Sun, 06 Nov 1994 08:49:37 GMT"), REST),
            (Some("last-modified: Sun, 06 Nov 1994 08:49:38 GMT"), Err("the range is of another version")),
        ] {
            let lines: Vec<&str> = ["content-range: bytes 40-99/100"].into_iter().chain(date).collect();
            assert_eq!(judge(kept, 206, &headers(&lines)), expected, "{date:?}");
        }
    }

    #[test]
    fn nothing_left_means_done_only_if_all_has_arrived() {
        for (total, lines, expected) in [
            (None, &["content-range: bytes */40"][..], Ok(RangeReply::Done)),
            (Some(40), &["content-range: bytes */40", r#"etag: "a""#], Ok(RangeReply::Done)),
            (Some(100), &["content-range: bytes */40"], Err("the file is shorter than what has arrived")),
            (None, &["content-range: bytes */39"], Err("the file is shorter than what has arrived")),
            (None, &["content-range: bytes */41"], Err("the file is shorter than what has arrived")),
            (None, &["content-range: bytes 0-39/40"], Err("the file is shorter than what has arrived")),
            (None, &[], Err("the file is shorter than what has arrived")),
            (None, &["content-range: bytes */40", r#"etag: "b""#], Err("the length is of another version")),
        ] {
            assert_eq!(worth(total, 416, lines), expected, "{total:?} {lines:?}");
        }
    }

    #[test]
    fn any_other_answer_is_judged_as_if_the_whole_had_been_asked_for() {
        for status in [200, 203, 301, 304, 403, 404, 429, 500, 503] {
            assert_eq!(
                worth(Some(100), status, &["content-range: bytes 40-99/100"]),
                Ok(RangeReply::Whole),
                "{status}"
            );
        }
        for status in [400, 412, 501] {
            assert!(worth(Some(100), status, &[]).is_err(), "{status}");
        }
    }
}
