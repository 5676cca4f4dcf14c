//! Applies a fault to a response, without I/O: a response in, a response and what its connection
//! does out.

use super::draw::{FaultInjector, InjectedFault};
use super::spec::{FaultKind, RetryAfter};
use super::wire::{ConnectionEnd, WireFault, WirePosition};
use crate::pages;
use crate::response::{Length, OriginResponse};
use flate2::Compression;
use flate2::write::GzEncoder;
use httpdate::HttpDate;
use hyper::body::Bytes;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, StatusCode, Uri};
use raudal_common::{Error, Kind, Result};
use std::io::Write as _;
use std::time::SystemTime;

/// What a response needs to know about its request.
#[derive(Clone, Debug)]
pub(crate) struct RequestInfo {
    uri: Uri,
    host: Option<String>,
    is_head: bool,
}

impl RequestInfo {
    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
        Self { uri: request.uri().clone(), host: host.map(str::to_owned), is_head: request.method() == Method::HEAD }
    }

    fn path(&self) -> &str {
        self.uri.path_and_query().map_or("/", |path| path.as_str())
    }
}

/// Returns the response of a path that redirects to itself.
pub(crate) fn redirect_loop(path: &str) -> Result<OriginResponse> {
    redirect(path)
}

impl InjectedFault {
    /// Applies the fault to the request, before the request is handled.
    pub(crate) fn to_request(self, headers: &mut HeaderMap) {
        if self.what == FaultKind::NoRange {
            headers.remove(header::RANGE);
        }
    }

    /// Applies the fault to the response. Returns what the connection does, if anything.
    pub(crate) fn to_response(
        self,
        mut response: OriginResponse,
        asked: &RequestInfo,
        faults: &FaultInjector,
    ) -> Result<(OriginResponse, Option<WireFault>)> {
        // A response to HEAD has no body, so it cannot break off inside one.
        let length = if asked.is_head { 0 } else { response.body.len() };
        let at_head = |end| Some(WireFault { stop: Some((WirePosition::Head, end)), head_rate: None });
        let in_body = |at: u64, end| {
            let at = WirePosition::Body(at.min(length as u64));
            Some(WireFault { stop: Some((at, end)), head_rate: None })
        };
        let mut act = None;
        match self.what {
            FaultKind::Refuse => act = at_head(ConnectionEnd::Reset),
            FaultKind::Stall(None) => act = at_head(ConnectionEnd::Stall),
            FaultKind::Stall(Some(place)) => act = in_body(place.of(length), ConnectionEnd::Stall),
            FaultKind::Reset(place) => act = in_body(place.of(length), ConnectionEnd::Reset),
            FaultKind::Cut(place) => act = in_body(place.of(length), ConnectionEnd::Close(Bytes::new())),
            FaultKind::Changed(place) => {
                faults.change(asked.uri.path());
                act = in_body(place.of(length), ConnectionEnd::Close(Bytes::new()));
            }
            FaultKind::SlowHead { rate } => act = Some(WireFault { stop: None, head_rate: Some(rate) }),
            FaultKind::Drip { rate } => response.rate = Some(rate),
            FaultKind::Length(place) => {
                let announced = place.of(response.body.len());
                let announced = if announced == response.body.len() as u64 { announced + 1 } else { announced };
                response.length = Length::Other(announced);
                act = in_body(announced, ConnectionEnd::Close(response.body.slice(length.min(announced as usize)..)));
            }
            FaultKind::Chunked => response.length = Length::Unknown,
            // `to_request` has already applied it.
            FaultKind::NoRange => {}
            FaultKind::ContentRange => shift(&mut response),
            FaultKind::Status(status, wait) => response = refusal(status, wait)?,
            FaultKind::Page => response = OriginResponse::page(pages::missing()),
            FaultKind::Empty => response.body = Bytes::new(),
            FaultKind::Flip(place) => flip(&mut response, place.map(|place| place.of(length)), self.draw),
            FaultKind::Gzip => compress(&mut response)?,
            FaultKind::Loop => response = redirect(&format!("/~loop{}", asked.path()))?,
            FaultKind::Elsewhere => response = redirect(&elsewhere(asked))?,
            FaultKind::BigHead { bytes } => {
                let padding = HeaderValue::from_bytes(&vec![b'x'; bytes as usize]).map_err(internal)?;
                response.headers.push((HeaderName::from_static("x-padding"), padding));
            }
        }
        Ok((response, act))
    }
}

/// Makes a partial response say that it begins a byte later than it does.
fn shift(response: &mut OriginResponse) {
    for (name, value) in &mut response.headers {
        if *name == header::CONTENT_RANGE
            && let Some(shifted) = value.to_str().ok().and_then(shifted)
        {
            *value = shifted;
        }
    }
}

fn shifted(range: &str) -> Option<HeaderValue> {
    let (first, rest) = range.strip_prefix("bytes ")?.split_once('-')?;
    format!("bytes {}-{rest}", first.parse::<u64>().ok()? + 1).parse().ok()
}

fn flip(response: &mut OriginResponse, at: Option<u64>, draw: u64) {
    let Some(last) = response.body.len().checked_sub(1) else { return };
    let at = at.unwrap_or(draw % (last as u64 + 1)).min(last as u64) as usize;
    let mut body = response.body.to_vec();
    body[at] ^= 1 << (draw >> 61);
    response.body = body.into();
}

fn compress(response: &mut OriginResponse) -> Result<()> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    response.body = gzip.write_all(&response.body).and_then(|()| gzip.finish()).map_err(internal)?.into();
    response.headers.push((header::CONTENT_ENCODING, HeaderValue::from_static("gzip")));
    Ok(())
}

fn refusal(status: u16, wait: Option<RetryAfter>) -> Result<OriginResponse> {
    let status = StatusCode::from_u16(status).map_err(internal)?;
    let mut response = OriginResponse::plain(status, "a fault on purpose\n".to_owned());
    let wait = wait.map(|wait| match wait {
        RetryAfter::Seconds(seconds) => seconds.to_string(),
        RetryAfter::Date(wait) => {
            // If the date would be too late for the system's clock, it is now.
            #[expect(clippy::disallowed_methods, reason = "`Retry-After` is a date here")]
            let date = SystemTime::now().checked_add(wait).unwrap_or_else(SystemTime::now);
            HttpDate::from(date).to_string()
        }
    });
    if let Some(wait) = wait {
        response.headers.push((header::RETRY_AFTER, wait.parse().map_err(internal)?));
    }
    Ok(response)
}

/// Returns the URL of the same file under the other name of this machine.
fn elsewhere(asked: &RequestInfo) -> String {
    let host = asked.host.as_deref().unwrap_or_default();
    let port = host.rsplit_once(':').map(|(_, port)| port).filter(|port| port.bytes().all(|b| b.is_ascii_digit()));
    let name = if host.starts_with("localhost") { "127.0.0.1" } else { "localhost" };
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    format!("http://{name}{port}{}", asked.path())
}

fn redirect(to: &str) -> Result<OriginResponse> {
    let mut response = OriginResponse::plain(StatusCode::FOUND, format!("{to}\n"));
    response.headers.push((header::LOCATION, to.parse().map_err(internal)?));
    Ok(response)
}

fn internal(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(Kind::Internal, "cannot inject a fault").because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_says_that_it_begins_a_byte_later() {
        assert_eq!(shifted("bytes 5-9/10").expect("a range"), "bytes 6-9/10");
        assert_eq!(shifted("bytes */10"), None);
    }

    #[test]
    fn another_host_is_the_other_name_of_this_machine() {
        for (host, to) in [
            (Some("127.0.0.1:8000"), "http://localhost:8000/a?b=c"),
            (Some("localhost:8000"), "http://127.0.0.1:8000/a?b=c"),
            (Some("[::1]:80"), "http://localhost:80/a?b=c"),
            (Some("example.org"), "http://localhost/a?b=c"),
            (None, "http://localhost/a?b=c"),
        ] {
            let asked =
                RequestInfo { uri: "/a?b=c".parse().expect("a path"), host: host.map(str::to_owned), is_head: false };
            assert_eq!(elsewhere(&asked), to);
        }
    }

    #[test]
    fn one_bit_is_flipped_where_it_was_asked_or_anywhere() {
        let body = Bytes::from_static(&[0; 10]);
        for (at, draw, expected) in [(Some(3), 0, Some(3)), (Some(99), u64::MAX, Some(9)), (None, 17, Some(7))] {
            let mut response = OriginResponse::page(body.clone());
            flip(&mut response, at, draw);
            assert_eq!(response.body.iter().position(|byte| byte.is_power_of_two()), expected);
        }
        let mut empty = OriginResponse::page(Bytes::new());
        flip(&mut empty, None, 5);
        assert!(empty.body.is_empty());
    }
}
