//! What the bytes of a body are of.

use crate::http::range::Validator;
use raudal_source::Location;
use url::Url;

/// What the bytes of a body are of: a part that is fetched later must be of the same.
#[derive(Debug)]
pub(crate) struct Source {
    /// What was asked for: it says which credentials may go along.
    pub(crate) asked: Url,
    /// Where the bytes come from.
    pub(crate) here: Url,
    pub(crate) validator: Validator,
    pub(crate) total: u64,
}

impl Source {
    /// What its server's limits are counted by.
    pub(crate) fn key(&self) -> Option<String> {
        Location::Url(self.asked.clone()).key()
    }
}
