//! What can be seen and done from any machine: the runs that are there, and their workers.

use super::broker::{Broker, failed, no_run, parse_record};
use super::protocol::{Presence, RunRecord, State};
use super::store::Store;
use async_nats::jetstream::kv::Operation;
use futures::TryStreamExt;
use raudal_common::Result;
use serde::Serialize;

/// A run, as the broker knows it.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct RunInfo {
    /// Its name.
    pub run: String,
    /// Whether it goes on.
    pub state: State,
    /// The machine that submitted it.
    pub from: String,
    /// When it was submitted, by the clock of that machine: seconds since 1970.
    pub begun: u64,
    /// All inputs.
    pub inputs: u64,
    /// All chunks.
    pub chunks: u32,
    /// Chunks whose part is there; `None` if this machine does not see the parts.
    pub done: Option<usize>,
    /// Chunks that are in the hands of a worker, or that the next one gets; `None` if the broker
    /// does not know.
    pub open: Option<usize>,
    /// Where the parts are.
    pub parts: String,
}

/// A worker that is there.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct WorkerInfo {
    /// Its name.
    pub worker: String,
    /// The machine that it runs on.
    pub host: String,
    /// Its version of raudal.
    pub raudal: String,
    /// How many chunks it works through at once.
    pub slots: usize,
    /// How many of them it has.
    pub running: usize,
    /// Inputs that it has read since it began.
    pub inputs: u64,
    /// Bytes that it has fetched since it began.
    pub bytes: u64,
}

async fn entries(broker: &Broker, prefix: &str) -> Result<Vec<bytes::Bytes>> {
    let keys = broker.kv.keys().await.map_err(|error| failed("cannot list the runs", error))?;
    let keys: Vec<String> = keys.try_collect().await.map_err(|error| failed("cannot list the runs", error))?;
    let mut values = Vec::new();
    for key in keys.iter().filter(|key| key.starts_with(prefix)) {
        let entry = broker.kv.entry(key).await.map_err(|error| failed("cannot look for the run", error))?;
        values.extend(entry.filter(|entry| entry.operation == Operation::Put).map(|entry| entry.value));
    }
    Ok(values)
}

/// Lists the runs, by name.
///
/// # Errors
///
/// If the broker does not answer.
pub async fn runs(broker: &Broker) -> Result<Vec<RunInfo>> {
    let mut all = Vec::new();
    for record in records(broker).await? {
        all.push(info(broker, record).await);
    }
    Ok(all)
}

/// The records of all runs, by name. One of another version is not ours to show.
pub(crate) async fn records(broker: &Broker) -> Result<Vec<RunRecord>> {
    let values = entries(broker, "run.").await?;
    let mut all: Vec<RunRecord> = values.iter().filter_map(|value| parse_record(value).ok()).collect();
    all.sort_by(|a, b| a.run.cmp(&b.run));
    Ok(all)
}

async fn info(broker: &Broker, record: RunRecord) -> RunInfo {
    let done = match open_store(broker, &record).await {
        Ok(store) => store.chunks().await.ok().map(|chunks| chunks.len()),
        Err(_) => None,
    };
    let open = broker.open_jobs(&record.run).await.ok().map(|open| open.len());
    let RunRecord { run, state, from, begun, inputs, chunks, parts, .. } = record;
    RunInfo { run, state, from, begun, inputs, chunks, done, open, parts }
}

async fn open_store(broker: &Broker, record: &RunRecord) -> Result<Store> {
    Store::open(&record.parts.parse()?, &record.run, &broker.js).await
}

/// Lists the workers that are there, by name.
///
/// # Errors
///
/// If the broker does not answer.
pub async fn workers(broker: &Broker) -> Result<Vec<WorkerInfo>> {
    let values = entries(broker, "worker.").await?;
    let here = values.iter().filter_map(|value| serde_json::from_slice::<Presence>(value).ok());
    let mut all: Vec<WorkerInfo> = here
        .map(|Presence { worker, host, raudal, slots, running, inputs, bytes, .. }| WorkerInfo {
            worker,
            host,
            raudal,
            slots,
            running,
            inputs,
            bytes,
        })
        .collect();
    all.sort_by(|a, b| a.worker.cmp(&b.worker));
    Ok(all)
}

/// Ends a run: workers stop its jobs, and write no more parts. Those that are there stay, so that
/// the same command can go on.
///
/// # Errors
///
/// A usage error if there is no such run; or if the broker does not answer.
pub async fn cancel(broker: &Broker, run: &str) -> Result<()> {
    stop(broker, run).await
}

pub(crate) async fn stop(broker: &Broker, run: &str) -> Result<()> {
    broker.set_state(run, State::Cancelled).await?;
    // Nobody takes a job that is not there.
    match broker.js.get_stream(super::protocol::jobs_stream(run)).await {
        Ok(jobs) => jobs.purge().await.map(drop).map_err(|error| failed("cannot remove the jobs of the run", error)),
        Err(_) => Ok(()),
    }
}

/// Removes all of a run: its jobs, its events and its parts.
///
/// # Errors
///
/// A usage error if there is no such run; if the broker does not answer; if this machine cannot
/// remove the parts.
pub async fn forget(broker: &Broker, run: &str) -> Result<()> {
    let record = broker.record(run).await?.ok_or_else(|| no_run(run))?;
    broker.set_state(run, State::Cancelled).await?;
    let store = open_store(broker, &record).await?;
    remove(broker, &store, run).await
}

pub(crate) async fn remove(broker: &Broker, store: &Store, run: &str) -> Result<()> {
    broker.remove(run).await?;
    store.remove().await
}
