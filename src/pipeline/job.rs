//! One input, one attempt: fetched, verified, decoded, filtered.

use crate::fetch::{Client, Expect, Partial, Transfer};
use crate::pool::{Context, Event, Observer};
use crate::source::Input;
use crate::table::{self, Query, Rows, Watch};
use crate::{Error, Kind, Result};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// What all jobs of a run share.
pub(super) struct Shared {
    pub(super) client: Client,
    pub(super) query: Query,
    /// Decoding is bound by the processor, not by the network: it has a limit of its own.
    pub(super) decoders: Arc<Semaphore>,
    pub(super) partials: Arc<Partials>,
}

/// What broken transfers have left for the next attempt of their job. A job takes its own out while it runs.
///
/// It watches the run, so that a job that is over leaves nothing here, however it ended: its result may have to wait
/// long for its turn, and what it kept is memory, or an open file.
#[derive(Debug, Default)]
pub(super) struct Partials(Mutex<HashMap<u64, Partial>>);

impl Partials {
    fn take(&self, job: u64) -> Option<Partial> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&job)
    }

    fn keep(&self, job: u64, partial: Option<Partial>) {
        if let Some(partial) = partial {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(job, partial);
        }
    }
}

impl Observer for Partials {
    fn observe(&self, event: &Event<'_>) {
        if let Event::JobFinished { report } = event {
            drop(self.take(report.job));
        }
    }
}

pub(super) async fn attempt(shared: Arc<Shared>, context: Context, input: Input) -> Result<Rows> {
    context.stage("fetch");
    // A body that arrived whole leaves nothing: if it cannot be decoded, the next attempt begins at zero.
    let mut kept = shared.partials.take(context.job());
    let fetched = shared.client.resume(&input.location, Expect::Table, &Progress(&context), &mut kept).await;
    shared.partials.keep(context.job(), kept);
    let body = fetched?;
    context.stage("wait");
    let decoder = Arc::clone(&shared.decoders).acquire_owned().await;
    context.stage("decode");
    let remote = input.location.is_remote();
    // The name says what separates the fields and appears in errors, so it is the whole of it.
    let place = input.location.to_string();
    let watch = Decoding(context.clone());
    context
        .blocking(move || {
            let _decoder = decoder;
            let member = input.member.or_else(|| shared.query.member.clone());
            let query = Query { member, ..shared.query.clone() };
            table::read(body.into_reader(), &place, &query, &watch)
        })
        .await
        .map_err(|error| {
            let again = remote && may_arrive_whole_next_time(error.kind());
            error.transient(again)
        })
}

/// Whether a network, or a server under load, may have done this to a good archive on its way.
const fn may_arrive_whole_next_time(kind: Kind) -> bool {
    matches!(kind, Kind::Checksum | Kind::Corrupt | Kind::NotAnArchive | Kind::Length | Kind::Empty | Kind::Impostor)
}

struct Progress<'a>(&'a Context);

impl Transfer for Progress<'_> {
    fn expected(&self, bytes: u64) {
        self.0.expect_bytes(bytes);
    }

    fn advanced(&self, bytes: u64) {
        self.0.advance(bytes, 0);
    }
}

struct Decoding(Context);

impl Watch for Decoding {
    fn advance(&self, _: u64, rows: u64) {
        self.0.advance(0, rows);
    }

    fn cancelled(&self) -> bool {
        self.0.token().is_cancelled()
    }
}

/// The error of a job for events and reports: the input is named there already.
pub(super) fn describe(error: &Error) -> String {
    let report = error.report();
    match error.input_name() {
        Some(input) => report.strip_prefix(&format!("{input}: ")).map_or(report.clone(), str::to_owned),
        None => report,
    }
}
