//! Conditional requests: a server is asked for a body only if it has changed (RFC 9110, section 13).

use reqwest::header::{self, HeaderMap, HeaderValue};
use url::Url;

use raudal_common::error::redact;

/// The validators of a body that is here already.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    /// Where it came from, after all redirects, without credentials.
    final_url: String,
    etag: Option<HeaderValue>,
    last_modified: Option<HeaderValue>,
}

impl Known {
    pub(crate) fn new(final_url: &str, etag: Option<&str>, last_modified: Option<&str>) -> Self {
        let value = |text: Option<&str>| HeaderValue::from_str(text?).ok();
        Self { final_url: final_url.to_owned(), etag: value(etag), last_modified: value(last_modified) }
    }

    /// Adds the headers that make a request to this address conditional, and says whether there are any. A validator
    /// belongs to one resource: a request to another address stays as it is.
    pub(crate) fn ask(&self, here: &Url, headers: &mut HeaderMap) -> bool {
        let mut here = here.clone();
        here.set_fragment(None);
        if redact(here.as_str()) != self.final_url {
            return false;
        }
        let (tag, date) = (self.etag.clone(), self.last_modified.clone());
        let asks = tag.is_some() || date.is_some();
        headers.extend(tag.map(|tag| (header::IF_NONE_MATCH, tag)));
        headers.extend(date.map(|date| (header::IF_MODIFIED_SINCE, date)));
        asks
    }
}
