//! Judges the head of a response: its body can be read, or what is wrong. Pure; the clock is an
//! argument.

use std::time::{Duration, SystemTime};

use reqwest::header::{self, HeaderMap, HeaderName};
use reqwest::{StatusCode, Version};
use serde::{Deserialize, Serialize};

use crate::http::coding::{self, Coding};
use crate::http::disposition;
use raudal_common::{Error, Kind, Result};

/// What helps where a proxy refuses.
pub(crate) const PROXY_LOGIN: &str = "the proxy requires a login: put the name and password into its URL";

/// The parts of a good response's head that are used later.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    pub(crate) length: Option<u64>,
    pub(crate) media_type: Option<String>,
    /// The parameter `charset` of the media type, as the server sent it.
    #[serde(default)]
    pub(crate) charset: Option<String>,
    pub(crate) etag: Option<String>,
    pub(crate) last_modified: Option<String>,
    /// The header `Content-Disposition`, as the server sent it.
    pub(crate) disposition: Option<String>,
    /// The server forbids storing the response, or varies it with every request.
    #[serde(default)]
    pub(crate) no_store: bool,
    /// The header `Refresh`: where a browser would go on to.
    #[serde(skip)]
    pub(crate) refresh: Option<String>,
    /// The codings to undo, the outermost first. `length` is that of the encoded body.
    #[serde(skip)]
    pub(crate) codings: Vec<Coding>,
    /// There was no head at all (HTTP/0.9).
    #[serde(skip)]
    pub(crate) is_bare: bool,
    /// Faults of the response that were tolerated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) warnings: Vec<String>,
}

impl Head {
    /// Judges the head of the response to a plain GET. `path` is the path of the URL that answered.
    pub(crate) fn judge(status: StatusCode, headers: &HeaderMap, path: &str, now: SystemTime) -> Result<Self> {
        // 203: a proxy has changed something on the way, and says so. It is a good response.
        if status != StatusCode::OK && status != StatusCode::NON_AUTHORITATIVE_INFORMATION {
            return Err(refusal(status, headers, now));
        }
        Ok(Self {
            // The HTTP library has already refused malformed and contradictory lengths.
            length: text(headers, &header::CONTENT_LENGTH)
                .filter(|_| !headers.contains_key(header::TRANSFER_ENCODING))
                .and_then(|length| length.trim().parse().ok()),
            media_type: text(headers, &header::CONTENT_TYPE)
                .map(|value| value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()),
            charset: text(headers, &header::CONTENT_TYPE).and_then(|value| charset(&value)),
            etag: text(headers, &header::ETAG),
            last_modified: text(headers, &header::LAST_MODIFIED),
            disposition: headers.get(header::CONTENT_DISPOSITION).map(|value| disposition::text(value.as_bytes())),
            no_store: says(headers, &header::CACHE_CONTROL, "no-store") || says(headers, &header::VARY, "*"),
            refresh: text(headers, &header::REFRESH),
            codings: coding::codings(headers, path)?,
            is_bare: false,
            warnings: Vec::new(),
        })
    }

    /// Records that the head had invalid lines, or that there was none at all.
    pub(crate) fn put_up_with(&mut self, is_bad_head: bool, version: Version) {
        self.is_bare = version == Version::HTTP_09;
        if is_bad_head {
            self.warnings.push(if self.is_bare {
                "the response has no head (HTTP/0.9): its body was taken as it came".into()
            } else {
                "the head of the response has invalid lines, which were left out".into()
            });
        }
    }

    /// Judges the first bytes of a body: without a head, they may be of another protocol.
    pub(crate) fn check_first(&self, bytes: &[u8]) -> Result<()> {
        if self.is_bare && !may_be_file(bytes) {
            return Err(Error::new(Kind::Impostor, "the response is not HTTP"));
        }
        Ok(())
    }

    /// Whether the `Content-Type` says that the body is an HTML page.
    pub(crate) fn is_page(&self) -> bool {
        matches!(self.media_type.as_deref(), Some("text/html" | "application/xhtml+xml"))
    }
}

/// Returns the charset of a media type (RFC 9110, section 8.3.2).
fn charset(media_type: &str) -> Option<String> {
    let parameters = media_type.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    let mut charsets = parameters.filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    let (_, value) = charsets.next()?;
    Some(value.trim().trim_matches(['"', '\'']).to_owned()).filter(|value| !value.is_empty())
}

/// Whether a content coding changes the bytes of the file at this path.
pub(crate) fn is_encoded(headers: &HeaderMap, path: &str) -> bool {
    coding::codings(headers, path).map_or(true, |codings| !codings.is_empty())
}

/// Returns the error for a status that is not 200.
fn refusal(status: StatusCode, headers: &HeaderMap, now: SystemTime) -> Error {
    let code = status.as_u16();
    let reason = status.canonical_reason().map(|reason| format!(" {reason}")).unwrap_or_default();
    let wait = wait(headers, now);
    let error = Error::new(Kind::Status(code), format!("the server answered: {code}{reason}")).retry_after(wait);
    match code {
        202 => error.hint("the server is still preparing the file: try again later"),
        206 => error.hint("it sent a range although the whole file was requested: a proxy or cache may be broken"),
        401 => error.hint("the server requires a login: check the credentials"),
        // Some services send this status instead of 429.
        403 if wait.is_some() => error.transient(true).hint("the server asks to slow down: allow fewer jobs per host, or a lower rate"),
        403 => error.hint("the server refuses access: credentials may be missing, or it blocks programs: give a name with [`user_agent`], or say who you are with [`contact`]"),
        404 | 410 => error.hint("check the URL"),
        407 => error.hint(PROXY_LOGIN),
        429 => error.hint("the server asks to slow down: allow fewer jobs per host, or a lower rate"),
        _ => error,
    }
}

/// Returns how long a response asks to wait, by the clock of this machine.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    #[expect(clippy::disallowed_methods, reason = "`Retry-After` may be a date")]
    wait(headers, SystemTime::now())
}

fn wait(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    text(headers, &header::RETRY_AFTER).and_then(|value| parse_retry_after(&value, now))
}

/// Returns how long a `Retry-After` header asks to wait: seconds, or a date that is compared with
/// `now`.
///
/// A date in the past asks for no wait. The caller decides how much of the wait it honours.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use raudal_fetch::parse_retry_after;
///
/// let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
/// assert_eq!(parse_retry_after("120", now), Some(Duration::from_secs(120)));
/// assert_eq!(parse_retry_after("Sun, 06 Nov 1994 08:49:47 GMT", now), Some(Duration::from_secs(10)));
/// assert_eq!(parse_retry_after("soon", now), None);
/// ```
pub fn parse_retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        // The number overflows, so the wait is long. The caller has a cap.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// Whether a response without a head may be a file by its first bytes, and not another protocol: an alert of TLS, the
/// greeting of SSH, FTP or mail, another version of HTTP.
pub(crate) fn may_be_file(first: &[u8]) -> bool {
    let is_greeting =
        |word: &&str| first.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word.as_bytes()));
    let is_text = matches!(first, [b'\t' | b'\n' | b'\r' | b' '.., ..] | [0x1f, 0x8b, ..]);
    is_text && !["HTTP/", "SSH-", "220 ", "220-", "ICY ", "RTSP/", "* OK", "+OK"].iter().any(is_greeting)
}

/// Whether a header's comma-separated values include this word.
fn says(headers: &HeaderMap, name: &HeaderName, word: &str) -> bool {
    let words = headers.get_all(name).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    words.map(<[u8]>::trim_ascii).any(|found| found.eq_ignore_ascii_case(word.as_bytes()))
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(status: u16, headers: &[(&'static str, &'static str)], path: &str) -> Result<Head> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(HeaderName::from_static(name), value.parse().expect(value));
        }
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").expect("a date");
        Head::judge(StatusCode::from_u16(status).expect("a status"), &map, path, now)
    }

    #[test]
    fn a_good_head_tells_length_type_and_validators() {
        let head =
            judge(200, &[("content-length", "12"), ("content-type", "Text/HTML; charset=x"), ("etag", "\"a\"")], "/")
                .expect("a head");
        assert_eq!((head.length, head.is_page(), head.etag.as_deref()), (Some(12), true, Some("\"a\"")));
        let head = judge(200, &[("content-length", "12"), ("transfer-encoding", "chunked")], "/").expect("a head");
        assert_eq!(head.length, None, "chunks decide, RFC 9112, section 6.3");
    }

    #[test]
    fn the_charset_is_a_parameter_of_the_media_type() {
        for (media_type, found) in [
            ("text/csv; charset=ISO-8859-1", Some("ISO-8859-1")),
            ("text/csv;header=present;Charset=\"utf-8\"", Some("utf-8")),
            ("text/csv; charset=", None),
            ("text/csv", None),
            ("charset=x", None),
        ] {
            assert_eq!(charset(media_type).as_deref(), found, "{media_type}");
        }
    }

    #[test]
    fn a_status_other_than_200_is_said_as_it_came() {
        for (status, message) in [
            (204, "the server answered: 204 No Content"),
            (206, "the server answered: 206 Partial Content"),
            (304, "the server answered: 304 Not Modified"),
            (404, "the server answered: 404 Not Found"),
            (599, "the server answered: 599"),
        ] {
            let error = judge(status, &[], "/").expect_err("refused");
            assert_eq!((error.kind(), error.message()), (Kind::Status(status), message));
        }
    }

    #[test]
    fn a_wait_is_asked_for_in_seconds_or_until_a_date() {
        let wait = |value| judge(503, &[("retry-after", value)], "/").expect_err("busy").wait();
        assert_eq!(wait("7"), Some(Duration::from_secs(7)));
        assert_eq!(wait("Sun, 06 Nov 1994 08:50:37 GMT"), Some(Duration::from_secs(60)));
        assert_eq!(wait("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(wait("99999999999999999999"), Some(Duration::from_secs(u64::MAX)));
        // The server's clock or ours is wrong: the caller's cap decides.
        assert_eq!(wait("Fri, 31 Dec 9999 23:59:59 GMT").map(|wait| wait.as_secs() / 86_400 / 365), Some(8010));
        assert_eq!(wait("Thu, 01 Jan 1970 00:00:00 GMT"), Some(Duration::ZERO));
        for nothing in ["-1", "+1", "1.5", "", " ", "Sun, 06 Nov 1994", "Sun, 99 Nov 1994 08:49:37 GMT"] {
            assert_eq!(wait(nothing), None, "{nothing}");
        }
        assert_eq!(wait("soon"), None);
    }

    #[test]
    fn a_refusal_with_a_time_to_wait_is_tried_again() {
        let error = judge(403, &[("retry-after", "1")], "/").expect_err("refused");
        assert!(error.is_transient() && error.wait() == Some(Duration::from_secs(1)), "{error:?}");
        assert!(!judge(403, &[], "/").expect_err("refused").is_transient());
    }

    #[test]
    fn another_protocol_is_no_file() {
        for file in [&b"id,name\n"[..], b"\xef\xbb\xbfid", b"PK\x03\x04", b"\x1f\x8b\x08", b"\r\n", b"220,1"] {
            assert!(may_be_file(file), "{file:?}");
        }
        for other in [
            &b"\x15\x03\x03\0\x02"[..],
            b"SSH-2.0-OpenSSH_9",
            b"220 mail ESMTP",
            b"HTTP/9.9 200 OK",
            b"http/1.1 200 OK",
            b"\0\0",
        ] {
            assert!(!may_be_file(other), "{other:?}");
        }
    }
}
