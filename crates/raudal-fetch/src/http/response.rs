//! Judges the head of a response: its body can be read, or what is wrong. Pure; the clock is an
//! argument.

use std::time::{Duration, SystemTime};

use reqwest::StatusCode;
use reqwest::header::{self, HeaderMap, HeaderName};
use serde::{Deserialize, Serialize};

use crate::http::disposition;
use raudal_common::error::printable;
use raudal_common::{Error, Kind, Result};

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
}

impl Head {
    /// Judges the head of the response to a plain GET. `path` is the path of the URL that answered.
    pub(crate) fn judge(status: StatusCode, headers: &HeaderMap, path: &str, now: SystemTime) -> Result<Self> {
        // 203: a proxy has changed something on the way, and says so. It is a good answer.
        if status != StatusCode::OK && status != StatusCode::NON_AUTHORITATIVE_INFORMATION {
            return Err(refusal(status, headers, now));
        }
        if let Some(encoding) = compressed(headers, path) {
            let message = format!("the body has a content encoding that was not requested: {}", printable(&encoding));
            return Err(Error::new(Kind::Unsupported, message)
                .hint("the server or proxy must send the file without a content encoding"));
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
        })
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

/// Returns the content coding if it changes the bytes of the file at this path.
pub(crate) fn compressed(headers: &HeaderMap, path: &str) -> Option<String> {
    text(headers, &header::CONTENT_ENCODING).filter(|encoding| !is_harmless_encoding(encoding, path))
}

/// Whether the coding leaves the file's bytes as they are. Servers often send a `.gz` file with
/// `Content-Encoding: gzip` instead of `application/gzip`; its bytes are still the file.
fn is_harmless_encoding(encoding: &str, path: &str) -> bool {
    let encoding = encoding.trim().to_ascii_lowercase();
    let extension = path.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    match encoding.as_str() {
        "" | "identity" => true,
        "gzip" | "x-gzip" => extension == "gz" || extension == "tgz",
        _ => false,
    }
}

/// Returns the error for a status that is not 200.
fn refusal(status: StatusCode, headers: &HeaderMap, now: SystemTime) -> Error {
    let code = status.as_u16();
    let reason = status.canonical_reason().map(|reason| format!(" {reason}")).unwrap_or_default();
    let wait = text(headers, &header::RETRY_AFTER).and_then(|value| parse_retry_after(&value, now));
    let error = Error::new(Kind::Status(code), format!("the server answered: {code}{reason}")).retry_after(wait);
    match code {
        202 => error.hint("the server is still preparing the file: try again later"),
        206 => error.hint("it sent a range although the whole file was requested: a proxy or cache may be broken"),
        401 => error.hint("the server requires a login: check the credentials"),
        403 => error.hint("the server refuses access: credentials may be missing, or it blocks programs: give a name with [`user_agent`], or say who you are with [`contact`]"),
        404 | 410 => error.hint("check the URL"),
        407 => error.hint("the proxy requires a login: put the name and password into its URL"),
        429 => error.hint("the server asks to slow down: allow fewer jobs per host, or a lower rate"),
        _ => error,
    }
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
    fn a_body_compressed_for_the_transfer_is_refused() {
        let error = judge(200, &[("content-encoding", "br")], "/a.zip").expect_err("br");
        assert_eq!(error.kind(), Kind::Unsupported);
        assert!(error.message().ends_with(": br"));
        assert!(judge(200, &[("content-encoding", "gzip")], "/a.csv").is_err());
        assert!(judge(200, &[("content-encoding", "x-gzip")], "/a.csv.GZ").is_ok());
        assert!(judge(200, &[("content-encoding", "identity")], "/a.csv").is_ok());
    }
}
