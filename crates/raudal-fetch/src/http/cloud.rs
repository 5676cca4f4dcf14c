//! Requests for objects in cloud stores, with the feature `cloud`.
//!
//! An object keeps its own name, such as `s3://bucket/key`, in all that a transfer does: messages, partial files,
//! validators, the cache. The address that its request goes to, and the signature, exist only within that request. So
//! no message or file can show them. Each request, also of a retry or a segment, gets a new signature.

use url::Url;

use raudal_source::Service;

/// Whether a URL is that of an object.
pub(crate) fn is_object(url: &Url) -> bool {
    Service::of(url.scheme()).is_some()
}

/// Whether a response to a request for an object is one that a transfer judges: a body, a part of it, or
/// nothing new.
pub(crate) fn is_expected(status: u16) -> bool {
    matches!(status, 200 | 203 | 206 | 304 | 412 | 416)
}

/// What to do after a refusal.
#[cfg_attr(not(feature = "cloud"), expect(dead_code, reason = "without stores nothing is refused"))]
pub(crate) enum Refusal {
    /// Send the request again, with a new signature.
    Again,
    /// Give up, for this reason.
    Error(raudal_common::Error),
}
