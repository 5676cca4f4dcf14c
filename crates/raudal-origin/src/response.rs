//! A response before it is sent: a plain value, which a fault may still change.

use super::archives::ServedArchive;
use super::body::PacedBody;
use super::pace::Pacer;
use super::response_plan::{self, Resource, ResponsePlan};
use super::stats::InFlight;
use hyper::body::Bytes;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use tokio::time::Instant;

/// A response before it is sent.
#[derive(Debug)]
pub(super) struct OriginResponse {
    pub(super) status: StatusCode,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    pub(super) body: Bytes,
    pub(super) length: Length,
    /// Bytes per second for this body only, instead of the link's.
    pub(super) rate: Option<u64>,
}

/// The length that a response announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    True,
    /// A wrong length. The connection ends after the real bytes: see `fault`.
    Other(u64),
    /// No length: the body is chunked.
    Unknown,
}

impl OriginResponse {
    fn new(status: StatusCode, media_type: &'static str, body: Bytes) -> Self {
        let headers = vec![(header::CONTENT_TYPE, HeaderValue::from_static(media_type))];
        Self { status, headers, body, length: Length::True, rate: None }
    }

    pub(super) fn page(html: impl Into<Bytes>) -> Self {
        Self::new(StatusCode::OK, "text/html; charset=utf-8", html.into())
    }

    pub(super) fn json((status, text): (StatusCode, String)) -> Self {
        Self::new(status, "application/json", text.into())
    }

    pub(super) fn plain(status: StatusCode, text: String) -> Self {
        Self::new(status, "text/plain; charset=utf-8", text.into())
    }

    /// An archive, or the part of it that the headers ask for.
    pub(super) fn archive<B>(request: &Request<B>, archive: &ServedArchive) -> Self {
        let resource =
            Resource { len: archive.bytes.len() as u64, etag: &archive.etag, modified: archive.modified.into() };
        let ResponsePlan { status, body, content_range } =
            response_plan::plan(request.method(), request.headers(), resource);
        let mut headers = vec![
            (header::ACCEPT_RANGES, HeaderValue::from_static("bytes")),
            (header::ETAG, value(&archive.etag)),
            (header::LAST_MODIFIED, value(&archive.modified.to_string())),
            (HeaderName::from_static("x-raudal-synthetic"), HeaderValue::from_static("1")),
        ];
        if status.is_success() {
            headers.push((header::CONTENT_TYPE, HeaderValue::from_static("application/x-zip-compressed")));
        }
        headers.extend(content_range.map(|range| (header::CONTENT_RANGE, value(&range))));
        let body = archive.bytes.slice(body.start as usize..body.end as usize);
        Self { status, headers, body, length: Length::True, rate: None }
    }

    pub(super) fn into_response(self, method: &Method, pacer: &Pacer, in_flight: InFlight) -> Response<PacedBody> {
        let own = self.rate.map(|rate| Pacer::new(Some(rate), None, Instant::now()));
        let pacer = own.unwrap_or_else(|| pacer.clone());
        let (length, body) = match self.length {
            Length::True => (Some(self.body.len() as u64), self.body),
            Length::Other(length) => (Some(length), resized(&self.body, length as usize)),
            Length::Unknown => (None, self.body),
        };
        // A response to HEAD has the length of the body, but ends after its head (section 9.3.2).
        let body = if method == Method::HEAD { Bytes::new() } else { body };
        let mut response = Response::new(PacedBody::new(body, length.is_some(), pacer, in_flight));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(header::SERVER, HeaderValue::from_static("raudal-origin"));
        if let Some(length) = length.filter(|_| self.status != StatusCode::NOT_MODIFIED) {
            headers.insert(header::CONTENT_LENGTH, length.into());
        }
        headers.extend(self.headers);
        response
    }
}

/// Makes the body as long as announced, because hyper sends no other length. The added bytes are
/// never sent.
fn resized(body: &Bytes, length: usize) -> Bytes {
    let mut bytes = body.to_vec();
    bytes.resize(length, 0);
    bytes.into()
}

/// Makes a header value from our own text, which is always visible ASCII.
fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}
