//! Makes the plan of a run, and what its workers need.

use super::broker::{Broker, RETRY};
use super::jobs::JobInput;
use super::options::SubmitOptions;
use super::part;
use super::plan::{InputJob, Plan, chunk_size};
use super::protocol::{PROTOCOL, RunRecord, State, is_name};
use super::store::{PLAN, Store};
use raudal_common::atomic_file::hex;
use raudal_common::{Error, Result, blocking};
use raudal_pipeline::RunOptions;
use raudal_pipeline::files::Fetch;
use raudal_source::{Checksums, Input};
use sha2::{Digest, Sha256};
use std::io::Read;
use std::sync::Arc;
use std::time::SystemTime;

/// The chunks of a run, and what they follow from.
pub(crate) struct Planned {
    pub(crate) plan: Plan,
    digest: String,
    inputs: u64,
    /// Whether its inputs are fetched as files.
    files: bool,
}

/// Cuts inputs that are read as tables into chunks.
pub(crate) async fn plan<In>(inputs: In, checksums: Option<Arc<Checksums>>, submit: &SubmitOptions) -> Result<Planned>
where
    In: Iterator<Item = Input> + Clone + Send + 'static,
{
    let counted = inputs.clone();
    let jobs = (0..).zip(inputs).map(move |(i, input)| Ok((JobInput::of(i, &input, checksums.as_deref())?, input)));
    cut(jobs, move || counted.count(), false, submit).await
}

/// Cuts inputs that are fetched as files into chunks.
pub(crate) async fn plan_of_files<In>(inputs: In, submit: &SubmitOptions) -> Result<Planned>
where
    In: Iterator<Item = Fetch> + Clone + Send + 'static,
{
    let counted = inputs.clone();
    let jobs = (0..).zip(inputs).map(|(i, fetch)| Ok((JobInput::of_file(i, &fetch)?, fetch.0)));
    cut(jobs, move || counted.count(), true, submit).await
}

/// Cuts inputs into chunks.
async fn cut(
    jobs: impl Iterator<Item = Result<InputJob>> + Send + 'static,
    count: impl FnOnce() -> usize + Send + 'static,
    files: bool,
    submit: &SubmitOptions,
) -> Result<Planned> {
    let (chunk, spec) = (submit.chunk, submit.spec.clone());
    blocking(move || {
        let size = match chunk {
            Some(size) => size.max(1),
            None => chunk_size(count() as u64),
        };
        let plan = Plan::new(jobs, size)?;
        let mut hasher = Sha256::new();
        let words = [env!("CARGO_PKG_VERSION")].into_iter().chain(files.then_some("files"));
        for word in words.chain(spec.iter().map(String::as_str)) {
            hasher.update((word.len() as u64).to_le_bytes());
            hasher.update(word);
        }
        let (mut reader, mut buffer) = (plan.reader()?, vec![0; 64 << 10]);
        loop {
            let read = reader.read(&mut buffer).map_err(|error| Error::io("cannot read the plan of the run", error))?;
            if read == 0 {
                break;
            }
            hasher.update(&buffer[..read]);
        }
        let inputs = plan.chunks.iter().map(|chunk| u64::from(chunk.inputs)).sum();
        Ok(Planned { plan, digest: hex(&hasher.finalize()), inputs, files })
    })
    .await?
}

/// How often to announce a run while the broker does not answer: it may just be starting.
const TRIES: u32 = 5;

/// Makes all that the workers need, or finds it.
pub(crate) async fn announce(
    broker: &Broker,
    planned: &Planned,
    options: &RunOptions,
    submit: &SubmitOptions,
) -> Result<(RunRecord, Store)> {
    let mut tries = TRIES;
    loop {
        tries -= 1;
        match announce_once(broker, planned, options, submit).await {
            Err(error) if tries > 0 && error.is_transient() => {
                (submit.say)(&format!("waits for the broker: {}", error.report()));
                tokio::time::sleep(RETRY).await;
            }
            announced => return announced,
        }
    }
}

async fn announce_once(
    broker: &Broker,
    planned: &Planned,
    options: &RunOptions,
    submit: &SubmitOptions,
) -> Result<(RunRecord, Store)> {
    let mut record = record(planned, options, submit)?;
    if let Some(there) = broker.record(&record.run).await? {
        if there.digest != record.digest {
            return Err(Error::usage(format!("another run has this name: {}", record.run))
                .hint("its inputs or its query differ: give another name, or forget that run first"));
        }
        (submit.say)(&format!("the run was begun before, and goes on: {}", record.run));
        record.begun = there.begun;
    }
    let store = Store::create(&submit.parts, &record.run, &broker.js).await?;
    let mut object = part::spool();
    let mut reader = planned.plan.reader()?;
    let object = blocking(move || {
        std::io::copy(&mut reader, &mut object).and_then(|_| std::io::Seek::rewind(&mut object)).map(|()| object)
    });
    let object = object.await?.map_err(|error| Error::io("cannot hold the plan of the run", error))?;
    store.put(PLAN, object).await?;
    broker.ensure(&record).await?;
    // A run that was cancelled goes on.
    broker.put_record(&record).await?;
    Ok((record, store))
}

/// What the workers need to know of a run.
fn record(planned: &Planned, options: &RunOptions, submit: &SubmitOptions) -> Result<RunRecord> {
    let Planned { plan, digest, inputs, files } = planned;
    let run = submit.run.clone().unwrap_or_else(|| digest[..12].to_owned());
    if !is_name(&run) {
        return Err(Error::usage(format!("not a name for a run: {run}")).hint("use letters, digits, - and _"));
    }
    #[expect(clippy::disallowed_methods, reason = "a date for people")]
    let begun = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Ok(RunRecord {
        protocol: PROTOCOL,
        raudal: env!("CARGO_PKG_VERSION").to_owned(),
        run,
        state: State::Running,
        digest: digest.clone(),
        spec: submit.spec.clone(),
        files: *files,
        parts: submit.parts.to_string(),
        inputs: *inputs,
        chunks: plan.chunks.len() as u32,
        per_host: submit.per_host.max(1),
        open: submit.open.max(1),
        lock: options.lock.is_some(),
        rate: options.rate,
        lease_ms: u64::try_from(submit.lease.as_millis()).unwrap_or(u64::MAX).max(100),
        deliveries: submit.deliveries.max(1),
        from: hostname(),
        begun: begun.as_secs(),
    })
}

/// The name of this machine, for people.
pub(crate) fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .ok()
        .or_else(|| std::env::var("HOSTNAME").ok())
        .map_or_else(|| "unknown".to_owned(), |name| name.trim().to_owned())
}
