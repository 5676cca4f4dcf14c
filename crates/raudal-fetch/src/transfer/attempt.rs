//! One attempt: the request, redirects, the head and the body. It starts at the first byte, or resumes
//! where an earlier attempt broke off.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use reqwest::{Response, StatusCode, Version};
use tokio::time::Instant;
use url::Url;

use crate::body::decode;
use crate::body::file_writer::FileWriter;
use crate::body::resume;
use crate::body::spool::Spool;
use crate::body::streaming;
use crate::http::conditional::Validators;
use crate::http::digest::Digests;
use crate::http::failure;
use crate::http::html::{self, Look};
use crate::http::range::{RangeReply, Validator};
use crate::http::response::{self, Head};
use crate::progress::{Stage, TransferProgress};
use crate::request::{Expect, Request, ResponseHead};
use crate::transfer::hedge::{self, Intake};
use crate::transfer::respond::{self, FinalResponse, respond};
use crate::transfer::segments::{ASKS, PieceHandle};
use crate::transfer::transport::Transport;
use crate::{Body, Partial, PartialFile};
use raudal_common::blocking;
use raudal_common::error::redact;
use raudal_common::{Error, Kind, Result};
use raudal_source::Location;

/// A body that is about to arrive.
struct IncomingBody {
    response: Response,
    took: Duration,
    /// The length of the range in bytes, if it is the rest and not the whole body.
    part: Option<u64>,
}

/// A URL and the request for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) url: &'a Url,
    pub(crate) request: &'a Request<'a>,
}

/// The outcome of a successful attempt.
#[expect(clippy::large_enum_variant, reason = "nearly always it is the large one, and it is moved on at once")]
pub(crate) enum Loaded {
    /// A complete body.
    Body(Body),
    /// The server says that the known body is still current.
    NotModified,
    /// [`Request::accept`] declined it.
    Declined,
}

/// Fetches a URL. `kept` holds the bytes of an earlier attempt, and after a failure those of this one.
pub(crate) async fn load(
    transport: &Transport,
    ask: Ask<'_>,
    kept: &mut Option<Partial>,
    known: Option<&Validators>,
) -> Result<Loaded> {
    if let Some(partial) = kept {
        partial.told = false;
    }
    let fetched = load_once(transport, ask, kept, known).await;
    // Only the segment failed, not the transfer itself. So resume once where the segment broke off,
    // without spending an attempt.
    let segment_failed = kept.as_mut().is_some_and(|partial| std::mem::take(&mut partial.segment_failed));
    if fetched.is_err() && segment_failed {
        return load_once(transport, ask, kept, known).await;
    }
    fetched
}

async fn load_once(
    transport: &Transport,
    ask: Ask<'_>,
    kept: &mut Option<Partial>,
    known: Option<&Validators>,
) -> Result<Loaded> {
    let Ask { url, request } = ask;
    let (expect, place) = (request.expect, request.file);
    if let (None, Some(place)) = (&kept, place.filter(|place| place.keeps())) {
        *kept = restore(transport, place, url, expect).await?;
    }
    kept.take_if(|partial| !partial.is_of(url, expect) || !partial.can_go_on());
    let mut answer = respond(transport, url, kept.as_ref(), known, request.progress).await?;
    if answer.is_to_range
        && let Some(partial) = kept.as_ref()
    {
        match partial.judge(answer.response.status().as_u16(), answer.response.headers()) {
            Ok(RangeReply::Rest { part, total }) => {
                if let Some(mut partial) = kept.take() {
                    (partial.here, partial.total) = (answer.here, Some(total));
                    let arriving = IncomingBody { response: answer.response, took: answer.took, part: Some(part) };
                    return arrive(transport, arriving, partial, request, kept).await;
                }
            }
            Ok(RangeReply::Done) => {
                if let Some(mut partial) = kept.take() {
                    partial.total = Some(partial.received());
                    if announce(&mut partial, request).is_break() {
                        return Ok(Loaded::Declined);
                    }
                    return whole(transport, partial, request).await.map(Loaded::Body);
                }
            }
            Ok(RangeReply::Whole) => {}
            // The server is up, so request the whole body at once without spending an attempt. Do not
            // read this response.
            Err(_) => {
                *kept = None;
                drop(answer.response);
                answer = respond(transport, url, None, known, request.progress).await?;
            }
        }
    }
    let FinalResponse { response, here, took, is_conditional, is_bad_head, .. } = answer;
    if is_conditional && response.status() == StatusCode::NOT_MODIFIED {
        return Ok(Loaded::NotModified);
    }
    let mut partial = begin(transport, ask, &response, here)?;
    partial.head.is_bare = response.version() == Version::HTTP_09;
    if is_bad_head {
        let warning = if partial.head.is_bare {
            "the response has no head (HTTP/0.9): its body was taken as it came"
        } else {
            "the head of the response has invalid lines, which were left out"
        };
        partial.head.warnings.push(warning.into());
    }
    arrive(transport, IncomingBody { response, took, part: None }, partial, request, kept).await
}

/// Creates an empty body, as the head of its response announces it.
fn begin(transport: &Transport, ask: Ask<'_>, response: &Response, here: Url) -> Result<Partial> {
    let (expect, file, headers) = (ask.request.expect, ask.request.file, response.headers());
    #[expect(clippy::disallowed_methods, reason = "`Retry-After` may be a date")]
    let head = Head::judge(response.status(), headers, here.path(), SystemTime::now())
        .map_err(|error| respond::behind_redirect(error, ask.url, &here))?;
    // What is stored of an encoded body is of no use to another attempt: its encoding may differ each time.
    let is_encoded = !head.codings.is_empty();
    let mut partial = Partial {
        asked: ask.url.clone(),
        expect,
        here,
        validator: Validator::strong(headers).filter(|_| !is_encoded),
        total: head.length,
        spool: Spool::new(&transport.budget, head.length.filter(|_| file.is_none() || is_encoded)),
        digests: Digests::of_whole(headers),
        look: expect.look(ask.url, &head).filter(|_| !is_encoded),
        told: false,
        segment_failed: false,
        head,
    };
    if let Some(file) = file.filter(|_| !is_encoded) {
        let sidecar = resume::sidecar(&partial, headers);
        partial.spool = Spool::kept(&transport.budget, FileWriter::new(file, sidecar));
    }
    Ok(partial)
}

/// Returns the partial file of an earlier run. Hashes it on a blocking thread.
async fn restore(transport: &Transport, place: &PartialFile, url: &Url, expect: Expect) -> Result<Option<Partial>> {
    let (place, budget, url) = (place.clone(), Arc::clone(&transport.budget), url.clone());
    blocking(move || resume::restore(&place, &budget, &url, expect)).await
}

/// Receives the body to its last byte. If it breaks off, leaves the received bytes in `kept`.
async fn arrive(
    transport: &Transport,
    arriving: IncomingBody,
    mut partial: Partial,
    request: &Request<'_>,
    kept: &mut Option<Partial>,
) -> Result<Loaded> {
    if announce(&mut partial, request).is_break() {
        return Ok(Loaded::Declined);
    }
    request.progress.stage(Stage::Transfer);
    match read(transport, arriving, &mut partial, request, kept).await {
        Ok(()) => {
            *kept = None;
            whole(transport, partial, request).await.map(Loaded::Body)
        }
        Err(error) => {
            partial.spool.break_off();
            // Only a transfer that ended too early leaves good bytes. A page in place of the data
            // does not change `kept`: the bytes of an earlier attempt may be resumed once the page is
            // gone.
            if error.kind().leaves_good_bytes() && partial.can_go_on() {
                *kept = Some(partial);
            } else {
                partial.spool.abandon();
            }
            Err(error)
        }
    }
}

async fn read(
    transport: &Transport,
    IncomingBody { mut response, took, part }: IncomingBody,
    partial: &mut Partial,
    request: &Request<'_>,
    kept: &mut Option<Partial>,
) -> Result<()> {
    let progress = request.progress;
    let end = part.map(|part| partial.received().saturating_add(part));
    let of_part = end.map(|_| Digests::of_part(response.headers())).unwrap_or_default();
    let source = partial.source(end.is_some(), response.headers()).map(Arc::new);
    if let Some(total) = partial.total.filter(|total| streaming::is_worth(*total) && partial.head.codings.is_empty())
        && let Some(arriving) = &request.arriving
        && let Some(feed) = partial.spool.feed()
    {
        // A closed channel means that nobody reads the body while it arrives.
        let _ = arriving.send(feed.arriving(total, source.clone()));
    }
    let piece = source.map(|source| {
        let whole = (partial.received(), end.unwrap_or(source.total));
        transport.transfers.enter(source, whole, took, Arc::default(), ASKS)
    });
    let mut taking = Taking { partial, of_part, kept };
    let ended = receive(transport, &mut response, piece.as_ref(), end, &mut taking, progress).await?;
    // No more bytes are needed from this connection.
    drop(response);
    if ended.is_ok()
        && let Some(piece) = piece.filter(PieceHandle::is_cut_here)
    {
        let appended = hedge::append(&piece, Some(progress), &mut taking).await;
        taking.partial.segment_failed = appended.is_err();
        appended?;
    }
    let Taking { partial, of_part, .. } = taking;
    // "It is a page" explains more than "it broke off", so check that first.
    if let Some(look) = &partial.look {
        look.end().map_err(|page| page.error())?;
    }
    ended?;
    if end.is_none_or(|end| end == partial.received()) {
        of_part.verify()?;
    }
    if partial.total.is_some_and(|total| total != partial.received()) {
        return Err(failure::too_short(partial.received(), partial.total));
    }
    if partial.received() == 0 {
        return Err(empty(partial));
    }
    Ok(())
}

fn empty(partial: &Partial) -> Error {
    let error = Error::new(Kind::Empty, "the body is empty");
    match partial.head.refresh.as_deref().and_then(html::refresh_url) {
        Some(url) => {
            let url = partial.here.join(&url).map_or(url, |url| redact(url.as_str()));
            error.hint(format!("the server sends browsers on to another URL, which may have the data: {url}"))
        }
        None => error,
    }
}

/// Receives the body of one response, to its end or to where another connection continues. The inner result says how
/// the transfer ended. The outer one is an error of this side, or of a server that sends too much.
async fn receive(
    transport: &Transport,
    response: &mut Response,
    piece: Option<&PieceHandle>,
    end: Option<u64>,
    taking: &mut Taking<'_>,
    progress: &dyn TransferProgress,
) -> Result<Result<()>> {
    loop {
        let bytes = match hedge::next(response, piece).await {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(Ok(())),
            Err(error) => {
                let (received, total) = (taking.partial.received(), taking.partial.total);
                return Ok(Err(failure::in_body(&error, received, total, transport.options())));
            }
        };
        let own = piece.map_or(bytes.len(), |piece| piece.take(bytes.len(), Instant::now()));
        let received = taking.partial.received().saturating_add(own as u64);
        if end.is_some_and(|end| received > end) {
            // It is unknown which of its bytes are the requested ones.
            taking.partial.validator = None;
            return Err(Error::new(Kind::Length, "the server sent more than the range that it announced"));
        }
        for bytes in transport.paced(&bytes[..own]) {
            transport.wait_for(bytes).await;
            taking.take(bytes).await?;
            progress.advanced(bytes.len() as u64);
        }
        if let Some(piece) = piece {
            progress.advanced(piece.progress().take());
            if piece.is_cut_here() {
                return Ok(Ok(()));
            }
        }
    }
}

/// A body that receives its bytes.
struct Taking<'a> {
    partial: &'a mut Partial,
    of_part: Digests,
    kept: &'a mut Option<Partial>,
}

impl Intake for Taking<'_> {
    async fn take(&mut self, bytes: &[u8]) -> Result<()> {
        if self.partial.head.is_bare && self.partial.received() == 0 && !response::may_be_file(bytes) {
            return Err(Error::new(Kind::Impostor, "the response is not HTTP"));
        }
        if let Some(look) = &mut self.partial.look {
            look.more(bytes).map_err(|page| page.error())?;
        }
        if self.partial.look.as_ref().is_none_or(Look::is_done) {
            // These bytes are no HTML page, so the bytes of the earlier attempt can be dropped.
            *self.kept = None;
        }
        self.partial.digests.update(bytes);
        self.of_part.update(bytes);
        self.partial.spool.write(bytes).await
    }
}

/// Reports the length of the body, and the bytes that are already there. The observer discarded its
/// count of them when the earlier attempt failed. Breaks if the body is declined.
fn announce(partial: &mut Partial, request: &Request<'_>) -> ControlFlow<()> {
    let head =
        ResponseHead { from: &partial.here, disposition: partial.head.disposition.as_deref(), length: partial.total };
    request.judge(&head)?;
    if !std::mem::replace(&mut partial.told, true) {
        if let Some(total) = partial.total {
            request.progress.expected(total);
        }
        if partial.received() > 0 {
            request.progress.advanced(partial.received());
        }
    }
    ControlFlow::Continue(())
}

/// Returns the complete body after verifying its digests and undoing its codings.
async fn whole(transport: &Transport, mut partial: Partial, request: &Request<'_>) -> Result<Body> {
    let length = partial.received();
    if let Err(error) = std::mem::take(&mut partial.digests).verify() {
        partial.spool.abandon();
        return Err(error);
    }
    let (mut stored, mut length, mut head) = (partial.spool.finish().await?, length, partial.head);
    if !head.codings.is_empty() {
        let spool = match request.file {
            Some(file) => Spool::kept(&transport.budget, FileWriter::new(file, None)),
            None => Spool::new(&transport.budget, None),
        };
        let look = request.expect.look(&partial.asked, &head);
        let decoded = decode::decode(stored, length, &head.codings, spool, look).await?;
        (stored, length, head.length) = (decoded.stored, decoded.length, Some(decoded.length));
        head.warnings.extend(decoded.missing.iter().map(|coding| {
            let name = coding.name();
            format!(
                "the server says Content-Encoding: {name}, but the bytes are no {name}: they were taken as they are"
            )
        }));
        if decoded.extra > 0 {
            head.warnings.push(format!(
                "{} bytes after the end of the encoded body are something else; they were left out",
                decoded.extra
            ));
        }
    }
    Ok(Body { location: Location::Url(partial.here), length, head, stored })
}
