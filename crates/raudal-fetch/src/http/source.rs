//! Identifies the file that the bytes of a body belong to.

use crate::http::range::Validator;
use raudal_source::Location;
use url::Url;

/// Identifies the file that the bytes of a body belong to. A part that is fetched later must belong
/// to the same file.
#[derive(Debug)]
pub(crate) struct BodySource {
    /// The requested URL. It decides which credentials may be sent.
    pub(crate) asked: Url,
    /// The URL that the bytes come from.
    pub(crate) here: Url,
    pub(crate) validator: Validator,
    pub(crate) total: u64,
}

impl BodySource {
    /// Returns the key that the server's limits are counted by.
    pub(crate) fn key(&self) -> Option<String> {
        Location::Url(self.asked.clone()).key()
    }
}

/// Whether two URLs have the same scheme, host and port. [`Url::origin`] takes the bucket of a cloud store for
/// another one each time.
pub(crate) fn is_same_origin(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme()
        && one.host() == other.host()
        && one.port_or_known_default() == other.port_or_known_default()
}
