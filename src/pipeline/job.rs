//! One input, one attempt: fetched, verified, decoded, filtered.

use crate::fetch::{Client, Expect, Transfer};
use crate::pool::Context;
use crate::source::Input;
use crate::table::{self, Query, Rows, Watch};
use crate::{Error, Kind, Result};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// What all jobs of a run share.
pub(super) struct Shared {
    pub(super) client: Client,
    pub(super) query: Query,
    /// Decoding is bound by the processor, not by the network: it has a limit of its own.
    pub(super) decoders: Arc<Semaphore>,
}

pub(super) async fn attempt(shared: Arc<Shared>, context: Context, input: Input) -> Result<Rows> {
    context.stage("fetch");
    let body = shared.client.fetch(&input.location, Expect::Table, &Progress(&context)).await?;
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
