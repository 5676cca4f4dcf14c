//! A body that broke off, kept from one attempt to the next.

use std::fmt;

use reqwest::header::{self, HeaderMap, HeaderValue};
use url::Url;

use crate::Expect;
use crate::body::spool::Spool;
use crate::http::digest::Digests;
use crate::http::html::Look;
use crate::http::range::{self, RangeReply, ResumePoint, Validator};
use crate::http::response::Head;
use crate::http::source::{BodySource, is_same_origin};

/// A body that has not arrived whole, with the validator that a server must confirm before it is
/// resumed.
///
/// [`Client::resume`](crate::Client::resume) fills and uses it. Dropping it releases its memory or
/// its temporary file.
pub struct Partial {
    /// The request: its URL and its purpose. A different request needs a different body.
    pub(crate) asked: Url,
    pub(crate) expect: Expect,
    /// The URL that the bytes came from, after all redirects.
    pub(crate) here: Url,
    /// The head of the response that brought the first byte.
    pub(crate) head: Head,
    /// Without a validator, only the attempt that began the body can finish it.
    pub(crate) validator: Option<Validator>,
    pub(crate) total: Option<u64>,
    pub(crate) spool: Spool,
    /// The digests in the first response, for the whole body.
    pub(crate) digests: Digests,
    /// The first bytes, until they are known not to be an HTML page.
    pub(crate) look: Option<Look>,
    /// Whether the observer of this attempt has been told how many bytes are already here.
    pub(crate) told: bool,
    /// Whether a segment broke off, and not the transfer itself.
    pub(crate) segment_failed: bool,
}

impl Partial {
    /// How many bytes have arrived.
    pub fn received(&self) -> u64 {
        self.spool.len()
    }

    /// How many bytes there will be, if the server has said so.
    pub fn total(&self) -> Option<u64> {
        self.total
    }

    /// Whether another attempt can resume this body.
    pub(crate) fn can_go_on(&self) -> bool {
        self.validator.is_some() && self.received() > 0
    }

    /// Identifies the file, if other connections may fetch parts of it. The server must support
    /// ranges: it has sent a part, or says so in `Accept-Ranges`.
    pub(crate) fn source(&self, is_part: bool, answer: &HeaderMap) -> Option<BodySource> {
        let says = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"bytes");
        let knows_ranges = is_part || answer.get(header::ACCEPT_RANGES).is_some_and(says);
        let (validator, total) = (self.validator.clone()?, self.total?);
        knows_ranges.then(|| BodySource { asked: self.asked.clone(), here: self.here.clone(), validator, total })
    }

    /// Whether it belongs to this request.
    pub(crate) fn is_of(&self, asked: &Url, expect: Expect) -> bool {
        self.asked == *asked && self.expect == expect
    }

    /// Adds the headers that request the rest from this address. Returns `false` if the validator
    /// may not apply to that address.
    pub(crate) fn ask(&self, here: &Url, headers: &mut HeaderMap) -> bool {
        let Some(validator) = self.validator.as_ref().filter(|validator| is_same_place(&self.here, here, validator))
        else {
            return false;
        };
        let Ok(range) = HeaderValue::from_str(&format!("bytes={}-", self.received())) else { return false };
        headers.insert(header::RANGE, range);
        headers.insert(header::IF_RANGE, validator.value().clone());
        true
    }

    /// Judges the response to such a request.
    pub(crate) fn judge(&self, status: u16, headers: &HeaderMap) -> Result<RangeReply, &'static str> {
        let Some(validator) = &self.validator else { return Ok(RangeReply::Whole) };
        let kept = ResumePoint { received: self.received(), total: self.total, validator, path: self.here.path() };
        match range::judge(kept, status, headers)? {
            RangeReply::Rest { .. } if self.digests.contradict(headers) => {
                Err("the range is of another version, by its digest")
            }
            next => Ok(next),
        }
    }
}

impl fmt::Debug for Partial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Partial")
            .field("here", &raudal_common::error::redact(self.here.as_str()))
            .field("received", &self.received())
            .field("total", &self.total)
            .field("validator", &self.validator)
            .finish_non_exhaustive()
    }
}

/// Whether a validator from one address is valid for the other. A validator belongs to one
/// resource; another resource may have the same one by chance, and the same date more easily than
/// the same tag. Storage services often redirect to the same path with a new signature in the query
/// each time: there a tag is enough.
fn is_same_place(one: &Url, other: &Url, validator: &Validator) -> bool {
    is_same_origin(one, other)
        && one.path() == other.path()
        && (one.query() == other.query() || matches!(validator, Validator::Tag(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_validator_counts_at_its_own_address_and_a_tag_under_another_signature() {
        let url = |text| Url::parse(text).expect(text);
        let tag = Validator::Tag(HeaderValue::from_static("\"a\""));
        let date = Validator::Date(HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT"));
        let one = url("https://h/a?signature=1");
        for (other, by_tag, by_date) in [
            ("https://h/a?signature=1", true, true),
            ("https://me:secret@h:443/a?signature=1#b", true, true),
            ("https://h/a?signature=2", true, false),
            ("https://h/b?signature=1", false, false),
            ("https://other/a?signature=1", false, false),
            ("http://h/a?signature=1", false, false),
            ("s3://h/a?signature=1", false, false),
        ] {
            assert_eq!(is_same_place(&one, &url(other), &tag), by_tag, "{other}");
            assert_eq!(is_same_place(&one, &url(other), &date), by_date, "{other}");
        }
        let object = url("s3://bucket/a");
        assert!(is_same_place(&object, &url("s3://bucket/a"), &date), "an object is always at the same place");
        assert!(!is_same_place(&object, &url("s3://other/a"), &tag));
    }
}
