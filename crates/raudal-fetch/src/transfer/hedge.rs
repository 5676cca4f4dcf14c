//! Fetches a segment on a second connection, and hands it to its transfer.

use std::fs::File;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::Response;
use reqwest::header::{self, HeaderValue};
use tokio::time::Instant;

use crate::body::file_writer::BLOCK;
use crate::body::spool::{Spool, Stored};
use crate::body::streaming::{TAIL, Tail};
use crate::http::client_pool::Load;
use crate::http::digest::Digests;
use crate::http::failure;
use crate::http::range::{self, RangeReply, ResumePoint};
use crate::http::source::BodySource;
use crate::progress::TransferProgress;
use crate::transfer::segments::{Cut, PieceHandle, Wanted};
use crate::transfer::transport::Transport;
use raudal_common::blocking;
use raudal_common::{Error, Kind, Result};

/// Receives bytes in order.
pub(crate) trait Intake {
    async fn take(&mut self, bytes: &[u8]) -> Result<()>;
}

/// Fetches a segment. Its transfer learns the outcome, whatever it is.
pub(crate) async fn fetch_segment(transport: &Transport, mut cut: Cut) {
    let (wanted, unwanted) = cut.watch();
    let answered = tokio::select! {
        answered = part(transport, &wanted.source, wanted.first, wanted.end) => answered,
        // The transfer is gone.
        () = unwanted => return,
    };
    if answered.is_ok() && !cut.begin() {
        return;
    }
    let (wanted, unwanted) = cut.watch();
    let mut spool = Spool::new(&transport.budget, Some(wanted.end - wanted.first));
    let brought = tokio::select! {
        brought = bring(transport, wanted, answered, &mut spool) => brought,
        () = unwanted => return,
    };
    if brought.is_err() && spool.len() == 0 && cut.undo() {
        return;
    }
    match spool.finish().await {
        Ok(stored) => cut.deliver((stored, brought)),
        // Dropping the cut tells the transfer. Its next attempt resumes from here.
        Err(_) => drop(cut),
    }
}

async fn bring(transport: &Transport, cut: &Wanted, answered: Result<PartResponse>, spool: &mut Spool) -> Result<()> {
    let source = &cut.source;
    let PartResponse { mut response, part, took } = answered?;
    let mut digests = Digests::of_part(response.headers());
    let end = cut.end.min(cut.first.saturating_add(part));
    let progress = &cut.progress;
    let piece = transport.transfers.enter(Arc::clone(source), (cut.first, end), took, Arc::clone(progress), cut.asks);
    let mut received = 0_u64;
    while let Some(bytes) = next(&mut response, Some(&piece))
        .await
        .map_err(|error| failure::in_body(&error, cut.first + received, Some(source.total), transport.options()))?
    {
        let own = piece.take(bytes.len(), Instant::now()).min((end - cut.first - received) as usize);
        pass(transport, &bytes[..own], |bytes| progress.add(bytes), spool, &mut digests).await?;
        received += own as u64;
        if own < bytes.len() || piece.is_cut_here() {
            break;
        }
    }
    drop(response);
    if piece.is_cut_here() {
        append(&piece, None, &mut SegmentIntake { spool, digests: &mut digests }).await?;
    }
    let brought = spool.len();
    if brought == part {
        digests.verify()?;
    }
    if brought < cut.end - cut.first {
        return Err(failure::too_short(cut.first + brought, Some(source.total)));
    }
    Ok(())
}

/// Requests a range of a body, up to the byte before `end`.
async fn part(transport: &Transport, source: &BodySource, first: u64, end: u64) -> Result<PartResponse> {
    let wanted = HeaderValue::from_str(&format!("bytes={first}-{}", end - 1));
    let wanted = wanted.map_err(|error| Error::new(Kind::Internal, error.to_string()))?;
    let places = (&source.asked, &source.here);
    let request = transport.requests.get(places, false, |headers| {
        headers.insert(header::RANGE, wanted);
        headers.insert(header::IF_RANGE, source.validator.value().clone());
    });
    let (request, load) = request.await?;
    let begin = Instant::now();
    let sent = request.send().await;
    let mut response = sent.map_err(|error| failure::before_answer(&error, transport.options()))?;
    response.extensions_mut().insert(load);
    let path = source.here.path();
    let kept = ResumePoint { received: first, total: Some(source.total), validator: &source.validator, path };
    let judged = range::judge(kept, response.status().as_u16(), response.headers());
    let Ok(RangeReply::Rest { part, .. }) = judged else {
        // The server does not support ranges, has another version now, or refuses the request.
        transport.transfers.refuse(source);
        return Err(broken("the server does not send ranges"));
    };
    Ok(PartResponse { response, part, took: begin.elapsed() })
}

/// Fetches the last bytes of a body that is arriving.
pub(crate) async fn tail(transport: &Transport, source: &BodySource) -> Result<Tail> {
    if transport.transfers.is_refused(source) {
        return Err(broken("the server does not send ranges"));
    }
    let first = source.total.saturating_sub(TAIL);
    let PartResponse { mut response, part, .. } = part(transport, source, first, source.total).await?;
    let mut digests = Digests::of_part(response.headers());
    let mut tail = Vec::with_capacity((source.total - first) as usize);
    loop {
        let received = first + tail.len() as u64;
        let more = response.chunk().await;
        let more = more.map_err(|error| failure::in_body(&error, received, Some(source.total), transport.options()))?;
        let Some(bytes) = more.filter(|_| received <= source.total) else { break };
        for bytes in transport.paced(&bytes) {
            transport.wait_for(bytes).await;
            digests.update(bytes);
            tail.extend_from_slice(bytes);
        }
    }
    if part != source.total - first || tail.len() as u64 != part {
        return Err(failure::too_short(first + tail.len() as u64, Some(source.total)));
    }
    digests.verify()?;
    Ok(Tail(tail.into()))
}

async fn pass(
    transport: &Transport,
    bytes: &[u8],
    tell: impl Fn(u64),
    spool: &mut Spool,
    digests: &mut Digests,
) -> Result<()> {
    for bytes in transport.paced(bytes) {
        transport.wait_for(bytes).await;
        digests.update(bytes);
        spool.write(bytes).await?;
        tell(bytes.len() as u64);
    }
    Ok(())
}

/// Appends the segments that were cut from a finished piece. Reports their bytes to `progress` as they
/// arrive.
pub(crate) async fn append(
    piece: &PieceHandle,
    progress: Option<&dyn TransferProgress>,
    intake: &mut impl Intake,
) -> Result<()> {
    while let Some(mut tail) = piece.next_tail() {
        let brought = loop {
            let Some(progress) = progress else { break (&mut tail).await };
            tokio::select! {
                biased;
                brought = &mut tail => {
                    progress.advanced(piece.progress().take());
                    break brought;
                }
                () = piece.progress().more() => progress.advanced(piece.progress().take()),
            }
        };
        let (stored, result) = brought.map_err(|_| broken("gave up on a second connection"))?;
        match stored {
            Stored::Memory(held) => intake.take(held.as_ref()).await?,
            Stored::File(file) | Stored::Kept(file, _) => copy(file, intake).await?,
        }
        result.map_err(|error| match error.kind() {
            kind if kind.leaves_good_bytes() || kind == Kind::Io => error,
            _ => broken("a second connection broke off").because(error),
        })?;
    }
    Ok(())
}

/// Returns the next bytes of a response. Returns `None` at its end, and when another connection has
/// taken over all missing bytes.
pub(crate) async fn next(response: &mut Response, piece: Option<&PieceHandle>) -> reqwest::Result<Option<Bytes>> {
    let since = Instant::now();
    let next = match piece {
        None => response.chunk().await,
        Some(piece) => {
            piece.wait(since);
            tokio::select! {
                biased;
                bytes = response.chunk() => bytes,
                () = piece.taken_over() => Ok(None),
            }
        }
    };
    if let Some(load) = response.extensions().get::<Load>() {
        load.waited(since.elapsed());
    }
    next
}

/// The response to a range request.
struct PartResponse {
    response: Response,
    /// The length of the range, in bytes.
    part: u64,
    took: Duration,
}

/// Passes on a file from its current position. Reads it on blocking threads.
async fn copy(mut file: File, intake: &mut impl Intake) -> Result<()> {
    let mut buffer = vec![0; BLOCK];
    loop {
        let (read, back) = blocking(move || (file.read(&mut buffer).map(|count| (count, buffer)), file)).await?;
        let (count, bytes) = read.map_err(|error| Error::io("cannot read a temporary file", error))?;
        if count == 0 {
            return Ok(());
        }
        intake.take(&bytes[..count]).await?;
        (buffer, file) = (bytes, back);
    }
}

/// Returns the error for a failed segment. The whole transfer breaks off there, and its next attempt
/// resumes from there.
fn broken(message: &str) -> Error {
    Error::new(Kind::Reset, message)
}

/// A segment in flight. It may have segments of its own, which are appended to it.
struct SegmentIntake<'a> {
    spool: &'a mut Spool,
    digests: &'a mut Digests,
}

impl Intake for SegmentIntake<'_> {
    async fn take(&mut self, bytes: &[u8]) -> Result<()> {
        self.digests.update(bytes);
        self.spool.write(bytes).await
    }
}
