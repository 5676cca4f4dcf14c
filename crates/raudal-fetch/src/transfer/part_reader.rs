//! Reads parts of an input, in any order, without fetching the rest.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;
use std::time::SystemTime;

use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{Response, StatusCode};
use tokio::runtime::Handle;
use url::Url;

use crate::http::failure;
use crate::http::range::{self, Validator};
use crate::http::response::Head;
use crate::transfer::respond::{self, FinalResponse, follow_redirects};
use crate::transfer::transport::Transport;
use crate::{Body, BodyReader};
use raudal_common::{Error, Kind, Result};
use raudal_source::Location;

/// How much is fetched at the beginning and at the end of a file. The directory of a zip archive is at its end.
const EDGE: u64 = 64 << 10;
/// How much is fetched where reading jumps to. Reading on doubles it.
const JUMP: u64 = 32 << 10;
/// The largest range.
const LARGEST: u64 = 256 << 10;

/// Reads parts of an input. Of a URL it fetches ranges, as they are read, and no more bytes than it may. Reading
/// blocks: do it where blocking is allowed. [`Client::open`](crate::Client::open) returns one.
///
/// Nothing is verified: the whole is not there. If the server sends no ranges, only the beginning can be read.
pub struct PartReader {
    from: From,
    location: Location,
    head: Head,
    length: Option<u64>,
    at: u64,
}

enum From {
    /// A local file, or what came from standard input.
    Whole(BodyReader),
    Ranges(Box<Ranges>),
    /// The server sends no ranges. `more` says that more bytes would have followed.
    Beginning {
        bytes: Vec<u8>,
        more: bool,
    },
}

/// What identifies the file, and the ranges of it so far.
struct Ranges {
    transport: Arc<Transport>,
    runtime: Handle,
    asked: Url,
    here: Url,
    validator: Option<Validator>,
    total: u64,
    /// By their first byte. They do not overlap.
    parts: BTreeMap<u64, Vec<u8>>,
    /// The last range, to tell reading on from a jump.
    last: Range<u64>,
    most: u64,
    fetched: u64,
}

impl PartReader {
    pub(crate) fn of_body(body: Body) -> Self {
        let (location, head, length) = (body.location.clone(), body.head.clone(), Some(body.length));
        Self { from: From::Whole(body.into_reader()), location, head, length, at: 0 }
    }

    /// Requests the beginning of a URL.
    pub(crate) async fn open(transport: &Arc<Transport>, url: &Url, most: u64) -> Result<Self> {
        let first = format!("bytes=0-{}", EDGE.min(most).max(1) - 1);
        let first = HeaderValue::from_str(&first).map_err(|error| Error::new(Kind::Internal, error.to_string()))?;
        let mut last = follow_redirects(transport, url, &(), |_, headers| {
            headers.insert(header::RANGE, first.clone());
        })
        .await?;
        if last.response.status() == StatusCode::PARTIAL_CONTENT {
            let position = range::position(last.response.headers(), last.here.path());
            if let Some((0, end, total)) = position {
                return Self::in_ranges(transport, url, last, (end + 1, total), most).await;
            }
        }
        if matches!(last.response.status().as_u16(), 206 | 400 | 412 | 416 | 501) {
            // It does not like ranges, or the file is empty.
            last = follow_redirects(transport, url, &(), |_, _| ()).await?;
        }
        Self::beginning(transport, url, last, most).await
    }

    async fn in_ranges(
        transport: &Arc<Transport>,
        asked: &Url,
        last: FinalResponse,
        (end, total): (u64, u64),
        most: u64,
    ) -> Result<Self> {
        let FinalResponse { response, here, is_bad_head, .. } = last;
        let headers = response.headers();
        let mut head = Head { length: Some(total), ..judge(StatusCode::OK, headers, &here)? };
        head.put_up_with(is_bad_head, response.version());
        let validator = Validator::strong(headers);
        let bytes = receive(transport, response, end).await?;
        let ranges = Ranges {
            transport: Arc::clone(transport),
            runtime: Handle::current(),
            asked: asked.clone(),
            here: here.clone(),
            validator,
            total,
            last: 0..bytes.len() as u64,
            fetched: bytes.len() as u64,
            parts: BTreeMap::from([(0, bytes)]),
            most,
        };
        let location = Location::Url(here);
        Ok(Self { from: From::Ranges(Box::new(ranges)), location, head, length: Some(total), at: 0 })
    }

    async fn beginning(transport: &Transport, asked: &Url, last: FinalResponse, most: u64) -> Result<Self> {
        let FinalResponse { response, here, is_bad_head, .. } = last;
        let mut head = judge(response.status(), response.headers(), &here)
            .map_err(|error| respond::behind_redirect(error, asked, &here))?;
        head.put_up_with(is_bad_head, response.version());
        if !head.codings.is_empty() {
            head.length = None;
            head.warnings
                .push("the server sends it compressed (Content-Encoding): the bytes are looked at as sent".into());
        }
        // One byte more tells whether it goes on.
        let mut bytes = receive(transport, response, most.saturating_add(1)).await?;
        let more = bytes.len() as u64 > most;
        bytes.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        if bytes.is_empty() {
            return Err(Error::new(Kind::Empty, "the body is empty"));
        }
        head.check_first(&bytes)?;
        let length = if more { head.length } else { Some(bytes.len() as u64) };
        Ok(Self { from: From::Beginning { bytes, more }, location: Location::Url(here), head, length, at: 0 })
    }

    /// The address of the bytes, after all redirects.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// How many bytes the whole has, if that is known.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// The media type that the server sent, in lower case and without parameters.
    pub fn media_type(&self) -> Option<&str> {
        self.head.media_type.as_deref()
    }

    /// The encoding that the server sent with the media type, as it was written.
    pub fn charset(&self) -> Option<&str> {
        self.head.charset.as_deref()
    }

    /// The header `Content-Disposition`, as the server sent it.
    pub fn disposition(&self) -> Option<&str> {
        self.head.disposition.as_deref()
    }

    /// What was wrong with the response and was put up with.
    pub fn warnings(&self) -> &[String] {
        &self.head.warnings
    }

    /// How many bytes were fetched so far. `None` of what is on this machine.
    pub fn fetched(&self) -> Option<u64> {
        match &self.from {
            From::Whole(_) => None,
            From::Ranges(ranges) => Some(ranges.fetched),
            From::Beginning { bytes, .. } => Some(bytes.len() as u64),
        }
    }

    /// How many requests were sent for ranges so far.
    pub fn ranges(&self) -> u64 {
        match &self.from {
            From::Ranges(ranges) => ranges.parts.len() as u64,
            From::Whole(_) | From::Beginning { .. } => 0,
        }
    }

    /// Whether it can be read in any order. Otherwise the server sends no ranges, and it is longer than what may be
    /// fetched.
    pub fn is_whole(&self) -> bool {
        !matches!(self.from, From::Beginning { more: true, .. })
    }
}

impl Ranges {
    /// Returns the bytes from here on that are there. Fetches some if there are none.
    fn at(&mut self, at: u64) -> Result<&[u8]> {
        if self.part(at).is_none() {
            let wanted = self.wanted(at)?;
            let bytes = self.runtime.block_on(self.fetch(&wanted))?;
            self.fetched += bytes.len() as u64;
            self.last = wanted.start..wanted.start + bytes.len() as u64;
            self.parts.insert(wanted.start, bytes);
        }
        self.part(at).ok_or_else(|| Error::new(Kind::Length, "the server sent less than the range that was requested"))
    }

    fn part(&self, at: u64) -> Option<&[u8]> {
        let (first, bytes) = self.parts.range(..=at).next_back()?;
        bytes.get(usize::try_from(at - first).ok()?..).filter(|rest| !rest.is_empty())
    }

    /// Returns what to fetch for the byte at this place.
    fn wanted(&self, at: u64) -> Result<Range<u64>> {
        let left = self.most.saturating_sub(self.fetched);
        if left == 0 {
            return Err(Error::new(
                Kind::Bounds,
                format!("more than {} bytes of it would have to be fetched", self.most),
            )
            .hint("fetch more of it with [`max_fetch`]"));
        }
        let tail = self.total.saturating_sub(EDGE);
        let before = self.parts.range(..=at).next_back().map_or(0, |(first, bytes)| first + bytes.len() as u64);
        let size = if at == self.last.end { (self.last.end - self.last.start) * 2 } else { JUMP };
        let start = if at >= tail { before.max(tail) } else { at };
        let end = if at >= tail { self.total } else { at.saturating_add(size.clamp(JUMP, LARGEST)) };
        let next = self.parts.range(at..).next().map_or(self.total, |(first, _)| *first);
        // What is left may not reach the byte that is needed.
        let start = if at - start < left { start } else { at };
        Ok(start..end.min(next).min(start.saturating_add(left)))
    }

    async fn fetch(&self, wanted: &Range<u64>) -> Result<Vec<u8>> {
        let text = format!("bytes={}-{}", wanted.start, wanted.end - 1);
        let value = HeaderValue::from_str(&text).map_err(|error| Error::new(Kind::Internal, error.to_string()))?;
        let (request, load) = self
            .transport
            .requests
            .get((&self.asked, &self.here), false, |headers| {
                headers.insert(header::RANGE, value);
                if let Some(validator) = &self.validator {
                    headers.insert(header::IF_RANGE, validator.value().clone());
                }
            })
            .await?;
        let sent = request.send().await;
        let mut response = sent.map_err(|error| failure::before_answer(&error, self.transport.options()))?;
        response.extensions_mut().insert(load);
        let headers = response.headers();
        let position = range::position(headers, self.here.path())
            .filter(|(first, last, total)| *first == wanted.start && *last < wanted.end && *total == self.total);
        let is_same = self.validator.as_ref().is_none_or(|validator| validator.is_kept_by(headers));
        match position.filter(|_| is_same && response.status() == StatusCode::PARTIAL_CONTENT) {
            Some((first, last, _)) => receive(&self.transport, response, last + 1 - first).await,
            None if !response.status().is_success() => Err(judge(response.status(), headers, &self.here)
                .err()
                .unwrap_or_else(|| Error::new(Kind::Length, "the server did not send the range"))),
            None => Err(Error::new(Kind::Length, "the server sent another range, or another version of the file")
                .transient(true)),
        }
    }
}

/// Receives the beginning of a body, or all of it.
async fn receive(transport: &Transport, mut response: Response, most: u64) -> Result<Vec<u8>> {
    let (mut received, length) = (Vec::new(), response.content_length());
    while (received.len() as u64) < most {
        let chunk = response
            .chunk()
            .await
            .map_err(|error| failure::in_body(&error, received.len() as u64, length, transport.options()))?;
        let Some(chunk) = chunk else { break };
        let own = usize::try_from(most - received.len() as u64).unwrap_or(usize::MAX).min(chunk.len());
        for bytes in transport.paced(&chunk[..own]) {
            transport.wait_for(bytes).await;
            received.extend_from_slice(bytes);
        }
    }
    Ok(received)
}

fn judge(status: StatusCode, headers: &HeaderMap, here: &Url) -> Result<Head> {
    #[expect(clippy::disallowed_methods, reason = "`Retry-After` may be a date")]
    Head::judge(status, headers, here.path(), SystemTime::now())
}

impl Read for PartReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (at, length) = (self.at, self.length);
        let rest = match &mut self.from {
            From::Whole(reader) => return reader.read(buffer),
            _ if buffer.is_empty() || length.is_some_and(|length| at >= length) => return Ok(0),
            From::Ranges(ranges) => ranges.at(at).map_err(io::Error::other)?,
            From::Beginning { bytes, more } => {
                match usize::try_from(at).ok().and_then(|at| bytes.get(at..)).filter(|rest| !rest.is_empty()) {
                    Some(rest) => rest,
                    None if *more => return Err(io::Error::other(no_ranges(length))),
                    None => return Ok(0),
                }
            }
        };
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for PartReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        if let From::Whole(reader) = &mut self.from {
            return reader.seek(to);
        }
        let to = match (to, self.length) {
            (SeekFrom::Start(at), _) => Some(at),
            (SeekFrom::End(step), Some(length)) => length.checked_add_signed(step),
            (SeekFrom::End(_), None) => return Err(io::Error::other(no_ranges(None))),
            (SeekFrom::Current(step), _) => self.at.checked_add_signed(step),
        };
        self.at = to.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

fn no_ranges(length: Option<u64>) -> Error {
    let all = length.map_or_else(String::new, |length| format!(" of {length} bytes"));
    Error::new(Kind::Bounds, format!("the server sends no ranges, so only the beginning{all} was looked at"))
        .hint("fetch more of it with [`max_fetch`]")
}

impl fmt::Debug for PartReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartReader")
            .field("location", &self.location.to_string())
            .field("length", &self.length)
            .field("fetched", &self.fetched())
            .finish_non_exhaustive()
    }
}
