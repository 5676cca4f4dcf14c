//! Applies a fault to a response, without I/O: a response in, a response and what its connection
//! does out.

use super::draw::{Faults, Struck};
use super::spec::{RetryAfter, What};
use super::wire::{Act, At, End};
use crate::answer::{Length, OriginResponse};
use crate::pages;
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
pub(crate) struct Asked {
    uri: Uri,
    host: Option<String>,
    is_head: bool,
}

impl Asked {
    pub(crate) fn of<B>(request: &Request<B>) -> Self {
        let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
        Self { uri: request.uri().clone(), host: host.map(str::to_owned), is_head: request.method() == Method::HEAD }
    }

    fn path(&self) -> &str {
        self.uri.path_and_query().map_or("/", |path| path.as_str())
    }
}

/// Returns the response of a path that redirects to itself.
pub(crate) fn circle(path: &str) -> Result<OriginResponse> {
    redirect(path)
}

impl Struck {
    /// Applies the fault to the request, before the request is handled.
    pub(crate) fn to_request(self, headers: &mut HeaderMap) {
        if self.what == What::NoRange {
            headers.remove(header::RANGE);
        }
    }

    /// Applies the fault to the response. Returns what the connection does, if anything.
    pub(crate) fn to_answer(
        self,
        mut answer: OriginResponse,
        asked: &Asked,
        faults: &Faults,
    ) -> Result<(OriginResponse, Option<Act>)> {
        // A response to HEAD has no body, so it cannot break off inside one.
        let length = if asked.is_head { 0 } else { answer.body.len() };
        let at_head = |end| Some(Act { stop: Some((At::Head, end)), head_rate: None });
        let in_body = |at: u64, end| {
            let at = At::Body(at.min(length as u64));
            Some(Act { stop: Some((at, end)), head_rate: None })
        };
        let mut act = None;
        match self.what {
            What::Refuse => act = at_head(End::Reset),
            What::Stall(None) => act = at_head(End::Stall),
            What::Stall(Some(place)) => act = in_body(place.of(length), End::Stall),
            What::Reset(place) => act = in_body(place.of(length), End::Reset),
            What::Cut(place) => act = in_body(place.of(length), End::Close(Bytes::new())),
            What::Changed(place) => {
                faults.change(asked.uri.path());
                act = in_body(place.of(length), End::Close(Bytes::new()));
            }
            What::SlowHead { rate } => act = Some(Act { stop: None, head_rate: Some(rate) }),
            What::Drip { rate } => answer.rate = Some(rate),
            What::Length(place) => {
                let announced = place.of(answer.body.len());
                let announced = if announced == answer.body.len() as u64 { announced + 1 } else { announced };
                answer.length = Length::Other(announced);
                act = in_body(announced, End::Close(answer.body.slice(length.min(announced as usize)..)));
            }
            What::Chunked => answer.length = Length::Unknown,
            // `to_request` has already applied it.
            What::NoRange => {}
            What::ContentRange => shift(&mut answer),
            What::Status(status, wait) => answer = refusal(status, wait)?,
            What::Page => answer = OriginResponse::page(pages::missing()),
            What::Empty => answer.body = Bytes::new(),
            What::Flip(place) => flip(&mut answer, place.map(|place| place.of(length)), self.draw),
            What::Gzip => compress(&mut answer)?,
            What::Loop => answer = redirect(&format!("/~loop{}", asked.path()))?,
            What::Elsewhere => answer = redirect(&elsewhere(asked))?,
            What::BigHead { bytes } => {
                let padding = HeaderValue::from_bytes(&vec![b'x'; bytes as usize]).map_err(internal)?;
                answer.headers.push((HeaderName::from_static("x-padding"), padding));
            }
        }
        Ok((answer, act))
    }
}

/// Makes a partial response say that it begins a byte later than it does.
fn shift(answer: &mut OriginResponse) {
    for (name, value) in &mut answer.headers {
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

fn flip(answer: &mut OriginResponse, at: Option<u64>, draw: u64) {
    let Some(last) = answer.body.len().checked_sub(1) else { return };
    let at = at.unwrap_or(draw % (last as u64 + 1)).min(last as u64) as usize;
    let mut body = answer.body.to_vec();
    body[at] ^= 1 << (draw >> 61);
    answer.body = body.into();
}

fn compress(answer: &mut OriginResponse) -> Result<()> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    answer.body = gzip.write_all(&answer.body).and_then(|()| gzip.finish()).map_err(internal)?.into();
    answer.headers.push((header::CONTENT_ENCODING, HeaderValue::from_static("gzip")));
    Ok(())
}

fn refusal(status: u16, wait: Option<RetryAfter>) -> Result<OriginResponse> {
    let status = StatusCode::from_u16(status).map_err(internal)?;
    let mut answer = OriginResponse::plain(status, "a fault on purpose\n".to_owned());
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
        answer.headers.push((header::RETRY_AFTER, wait.parse().map_err(internal)?));
    }
    Ok(answer)
}

/// Returns the URL of the same file under the other name of this machine.
fn elsewhere(asked: &Asked) -> String {
    let host = asked.host.as_deref().unwrap_or_default();
    let port = host.rsplit_once(':').map(|(_, port)| port).filter(|port| port.bytes().all(|b| b.is_ascii_digit()));
    let name = if host.starts_with("localhost") { "127.0.0.1" } else { "localhost" };
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    format!("http://{name}{port}{}", asked.path())
}

fn redirect(to: &str) -> Result<OriginResponse> {
    let mut answer = OriginResponse::plain(StatusCode::FOUND, format!("{to}\n"));
    answer.headers.push((header::LOCATION, to.parse().map_err(internal)?));
    Ok(answer)
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
            let asked = Asked { uri: "/a?b=c".parse().expect("a path"), host: host.map(str::to_owned), is_head: false };
            assert_eq!(elsewhere(&asked), to);
        }
    }

    #[test]
    fn one_bit_is_flipped_where_it_was_asked_or_anywhere() {
        let body = Bytes::from_static(&[0; 10]);
        for (at, draw, expected) in [(Some(3), 0, Some(3)), (Some(99), u64::MAX, Some(9)), (None, 17, Some(7))] {
            let mut answer = OriginResponse::page(body.clone());
            flip(&mut answer, at, draw);
            assert_eq!(answer.body.iter().position(|byte| byte.is_power_of_two()), expected);
        }
        let mut empty = OriginResponse::page(Bytes::new());
        flip(&mut empty, None, 5);
        assert!(empty.body.is_empty());
    }
}
