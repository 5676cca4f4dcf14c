//! One attempt at one input: fetch, verify, decode, filter.

use super::shared::TableRun;
use super::streaming::StreamingDecode;
use crate::run::lock::Locked;
use crate::run::partials::{KeptTransfer, open_partial_file};
use crate::run::verify;
use crate::run::watch::JobWatch;
use raudal_common::{Error, Kind, Result};
use raudal_fetch::{Arriving, Body, PartialFile, Request};
use raudal_pool::Attempt;
use raudal_source::Input;
use raudal_table::{Encoding, Rows, Served};
use std::io::{Seek, SeekFrom};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::mpsc::{self, UnboundedSender};

pub(crate) async fn attempt(shared: Arc<TableRun>, context: Attempt, input: Input) -> Result<Rows> {
    if let Some(error) = input.refusal() {
        return Err(error);
    }
    let promised = shared.checksums.as_ref().map(|sums| verify::promised_of(sums, &input)).transpose();
    let promised = promised.map_err(|error| error.input(input.location.to_string()))?;
    let (arriving, bodies) = mpsc::unbounded_channel();
    let fetching = fetch(&shared, &context, &input, arriving);
    let (fetched, ahead) = tokio::join!(fetching, StreamingDecode::begin(&shared, &context, &input, bodies));
    let (body, partial_file) = fetched?;
    context.stage("wait");
    let ahead = match ahead {
        Some(ahead) => ahead.rows(&context).await,
        None => None,
    };
    let decoder = shared.decoders.acquire(body.len()).await;
    context.stage("decode");
    let (remote, length) = (input.location.is_remote(), body.len());
    let decode = Decode { shared: Arc::clone(&shared), job: context.job(), input: input.clone(), promised };
    let watch = JobWatch::new(context.clone());
    let location = input.location.clone();
    let rows = context
        .blocking(move || {
            let _decoder = decoder;
            decode.run(body, ahead, &watch)
        })
        .await
        .map_err(|error: Error| {
            let is_damage = error.kind().may_be_damage_on_the_way();
            if is_damage || error.kind() == Kind::Drift {
                shared.client.forget(&location);
            }
            // For a lock, its own error says whether the bytes may be damaged.
            let again = remote && (is_damage || error.is_transient() && error.kind() == Kind::Drift);
            error.transient(again)
        });
    if let Some(partial_file) = partial_file {
        let is_bad = |error: &Error| error.kind().may_be_damage_on_the_way() || error.kind() == Kind::Drift;
        shared.settle(&partial_file, length, !rows.as_ref().is_err_and(is_bad));
    }
    rows
}

/// What is needed to verify and to decode a body.
struct Decode {
    shared: Arc<TableRun>,
    job: u64,
    input: Input,
    promised: Option<String>,
}

impl Decode {
    /// Verifies the body and reads its rows, unless they were read while it arrived. It blocks.
    fn run(self, body: Body, ahead: Option<Rows>, watch: &JobWatch) -> Result<Rows> {
        let Self { shared, job, input, promised } = self;
        // The name sets the delimiter and appears in errors, so use the whole location.
        let (mut query, source) = (shared.query_for(&input), input.location.to_string());
        query.served = served(body.media_type(), body.charset(), body.disposition());
        // Rows that were read while the input arrived did not use what the server says about it.
        let ahead = ahead.filter(|_| !query.served.changes_reading());
        let warnings = body.warnings().to_vec();
        let known = body.sha256().map(str::to_owned);
        let mut locked = shared.lock.as_ref().map(|_| Locked::of(&input, &body, String::new()));
        let mut reader = body.into_reader();
        if promised.is_some() || locked.is_some() {
            let found = known.map_or_else(|| verify::digest(&mut reader), Ok);
            let verified = found.and_then(|found| {
                promised.map_or(Ok(()), |promised| verify::compare(&found, &promised))?;
                if let (Some(lock), Some(locked)) = (&shared.lock, &mut locked) {
                    locked.sha256 = found;
                    lock.compare(locked)?;
                }
                reader.seek(SeekFrom::Start(0)).map_err(|error| Error::io("cannot read the input", error))
            });
            verified.map_err(|error| error.input(&source))?;
        }
        let mut rows = match ahead {
            Some(rows) => raudal_table::confirm(reader, &source, &query).map(|()| rows)?,
            None => raudal_table::read(reader, &source, &query, watch)?,
        };
        for warning in warnings {
            rows.warn(warning);
        }
        if let (Some(lock), Some(locked)) = (&shared.lock, locked) {
            lock.hold(job, locked.read(&rows)).map_err(|error| error.input(&source))?;
        }
        Ok(rows)
    }
}

/// Returns what the server says about a body in these headers.
pub(crate) fn served(media_type: Option<&str>, charset: Option<&str>, disposition: Option<&str>) -> Served {
    let mut served = Served::default();
    served.media_type = media_type.map(str::to_owned);
    // An unknown label is ignored.
    served.charset = charset.and_then(|label| Encoding::parse(label).ok());
    served.file_name = disposition.and_then(raudal_fetch::file_name);
    served
}

/// Fetches the body of an input. Also returns its partial file, if that outlives the run.
async fn fetch(
    shared: &TableRun,
    context: &Attempt,
    input: &Input,
    arriving: UnboundedSender<Arriving>,
) -> Result<(Body, Option<PartialFile>)> {
    let location = &input.location;
    // A complete body leaves nothing to resume: if it cannot be decoded, the next attempt starts at
    // zero.
    let KeptTransfer { mut partial, file: mut partial_file } = shared.partials.take(context.job());
    let folder = shared.folder.as_ref().filter(|_| location.is_remote() && !shared.full.load(Ordering::Relaxed));
    if let (None, Some(folder)) = (&partial_file, folder) {
        partial_file = open_partial_file(context, folder, input, true).await.ok();
    }
    let request = Request::new(location).progress(context).arriving(arriving);
    let in_file = match &partial_file {
        Some(file) => request.clone().into_file(file),
        None => request.clone(),
    };
    let mut fetched = shared.client.send(in_file, &mut partial).await;
    // Resuming is optional: if the disk is full, fetch without it.
    if let Some(unusable) = partial_file.take_if(|_| fetched.as_ref().is_err_and(|error| error.kind() == Kind::Io)) {
        unusable.remove();
        shared.full.store(true, Ordering::Relaxed);
        partial = None;
        fetched = shared.client.send(request, &mut partial).await;
    }
    match fetched {
        Ok(ControlFlow::Continue(body)) => Ok((body, partial_file)),
        Ok(ControlFlow::Break(())) => Err(Error::new(Kind::Internal, "a body was declined without a check")),
        Err(error) => {
            shared.partials.keep(context.job(), KeptTransfer { partial, file: partial_file });
            Err(error)
        }
    }
}
