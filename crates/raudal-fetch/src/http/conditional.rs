//! Conditional requests: a server is asked for a body only if it has changed (RFC 9110, section 13).

use std::time::SystemTime;

use reqwest::header::{self, HeaderMap, HeaderValue};
use url::Url;

use crate::http::range::is_strong_tag;
use crate::http::source::is_same_origin;
use raudal_common::error::redact;

/// Identifies the version of a local copy.
///
/// ```
/// use raudal_fetch::Validators;
/// use std::time::{Duration, SystemTime};
///
/// // As an earlier response has given them.
/// let of_a_response = Validators::new("https://example.org/a.zip", Some("\"v1\""), None);
/// // The time of a file, if nothing else is known of it.
/// let of_a_file = Validators::since(SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777));
/// ```
#[derive(Clone, Debug)]
pub struct Validators {
    /// Where it came from, after all redirects, without credentials. `None` if that is unknown.
    final_url: Option<String>,
    etag: Option<HeaderValue>,
    last_modified: Option<HeaderValue>,
}

impl Validators {
    /// Creates the validators of a response. `final_url` is the URL that sent it, after all redirects,
    /// and the others are its headers `ETag` and `Last-Modified`.
    pub fn new(final_url: &str, etag: Option<&str>, last_modified: Option<&str>) -> Self {
        let value = |text: Option<&str>| HeaderValue::from_str(text?).ok();
        Self { final_url: Some(redact(final_url)), etag: value(etag), last_modified: value(last_modified) }
    }

    /// Creates validators from the time of a file, for a file without a stored `ETag`. They apply to
    /// every URL.
    pub fn since(modified: SystemTime) -> Self {
        // A date before 1970 or after 9999 cannot be written.
        let last = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(253_402_300_799);
        let fits = (SystemTime::UNIX_EPOCH..=last).contains(&modified);
        let date = fits.then(|| httpdate::fmt_http_date(modified));
        Self { final_url: None, etag: None, last_modified: date.and_then(|date| HeaderValue::from_str(&date).ok()) }
    }

    /// Adds the headers that make a request to this address conditional, and says whether there are any. A validator
    /// belongs to one resource: a request to another address stays as it is.
    pub(crate) fn ask(&self, here: &Url, headers: &mut HeaderMap) -> bool {
        let (tag, date) = match &self.final_url {
            Some(from) => match place(from, here) {
                AddressMatch::Same => (self.etag.as_ref(), self.last_modified.as_ref()),
                AddressMatch::OtherQuery => (self.etag.as_ref().filter(|tag| is_strong_tag(tag.as_bytes())), None),
                AddressMatch::Other => (None, None),
            },
            None => (None, self.last_modified.as_ref()),
        };
        headers.extend(tag.map(|tag| (header::IF_NONE_MATCH, tag.clone())));
        headers.extend(date.map(|date| (header::IF_MODIFIED_SINCE, date.clone())));
        tag.is_some() || date.is_some()
    }
}

/// How an address compares with the one that a body came from.
enum AddressMatch {
    Same,
    /// Storage services redirect to one path with a new signature in the query each time: there a
    /// strong tag is enough, as it is to resume.
    OtherQuery,
    Other,
}

fn place(from: &str, here: &Url) -> AddressMatch {
    let mut here = here.clone();
    here.set_fragment(None);
    if redact(here.as_str()) == from {
        return AddressMatch::Same;
    }
    match Url::parse(from) {
        Ok(from) if is_same_origin(&from, &here) && from.path() == here.path() => AddressMatch::OtherQuery,
        _ => AddressMatch::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validators_are_sent_to_the_address_that_they_belong_to() {
        let asked = |validators: &Validators, here: &str| {
            let mut headers = HeaderMap::new();
            let asks = validators.ask(&Url::parse(here).expect(here), &mut headers);
            assert_eq!(asks, !headers.is_empty());
            (headers.contains_key(header::IF_NONE_MATCH), headers.contains_key(header::IF_MODIFIED_SINCE))
        };
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        let strong = Validators::new("https://me:secret@h/a?s=1", Some("\"a\""), Some(date));
        let weak = Validators::new("https://h/a?s=1", Some("W/\"a\""), Some(date));
        let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(784_111_777);
        let since = Validators::since(time);
        assert_eq!(since.last_modified.as_ref().map(HeaderValue::as_bytes), Some(date.as_bytes()));
        for (here, of_strong, of_weak) in [
            ("https://h/a?s=1#b", (true, true), (true, true)),
            ("https://h/a?s=2", (true, false), (false, false)),
            ("https://h/b?s=1", (false, false), (false, false)),
            ("https://other/a?s=1", (false, false), (false, false)),
        ] {
            assert_eq!((asked(&strong, here), asked(&weak, here)), (of_strong, of_weak), "{here}");
            assert_eq!(asked(&since, here), (false, true));
        }
        assert!(Validators::since(SystemTime::UNIX_EPOCH - std::time::Duration::from_secs(1)).last_modified.is_none());
    }
}
