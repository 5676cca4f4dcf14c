//! One machine of a fleet. It holds no state: what it has begun is lost with it, and done again.

use super::allow::Allow;
use super::announce::hostname;
use super::broker::{Broker, RETRY, parse_record};
use super::counters::Counters;
use super::lead::Leader;
use super::made::Work;
use super::options::Say;
use super::pauses::Pauses;
use super::protocol::nonce;
use super::protocol::{Event, PROTOCOL, Presence, RunRecord, State, Versions, bytes, worker_key};
use super::store::{Parts, Store};
use super::work::{ActiveRun, Machine};
use async_nats::jetstream::AckKind;
use async_nats::jetstream::consumer::{self, pull};
use async_nats::jetstream::kv::{Entry, Operation};
use futures::StreamExt;
use raudal_common::{Error, Kind, Result};
use raudal_fetch::Client;
use raudal_pipeline::Reader;
use raudal_pipeline::files::Fetcher;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How often a worker says that it is there.
const HERE: Duration = Duration::from_secs(2);
/// How long it is believed to be there.
const GONE: Duration = Duration::from_secs(6);
/// How long a request for jobs waits. A worker that ends waits as long for the jobs that may still
/// be on their way to it, to give them back.
const PULL: Duration = Duration::from_secs(2);

/// Turns what a run asks for, in the words of the command line, into options of this machine.
pub type Build = Arc<dyn Fn(&[String]) -> Result<Prepared> + Send + Sync>;

/// What a run asks for, as options of this machine.
#[derive(Debug)]
#[non_exhaustive]
pub struct Prepared {
    /// How to fetch: what the run asks for, and the logins of this machine.
    pub fetch: raudal_fetch::Options,
    /// How to read each input.
    pub table: raudal_pipeline::Options,
}

impl Prepared {
    /// Options of this machine.
    pub fn new(fetch: raudal_fetch::Options, table: raudal_pipeline::Options) -> Self {
        Self { fetch, table }
    }
}

/// How a worker behaves.
#[derive(Clone)]
#[non_exhaustive]
pub struct WorkerOptions {
    /// Its name. Default: one that no other worker has.
    pub name: String,
    /// How many chunks it works through at once. Default: 16.
    pub slots: usize,
    /// What it may read. Default: public addresses, no files.
    pub allow: Allow,
    /// Where the parts are, if this machine sees them under another path. Default: where the run
    /// says.
    pub parts: Option<Parts>,
    /// How long jobs that have begun may go on once the worker is told to end. Default: 30 s.
    pub drain: Duration,
    /// Shows messages. Default: nobody sees them.
    pub say: Say,
    /// The version that it takes part in. Default: that of this crate.
    pub version: String,
}

impl Default for WorkerOptions {
    fn default() -> Self {
        Self {
            name: format!("worker-{}", &nonce()[..8]),
            slots: 16,
            allow: Allow::default(),
            parts: None,
            drain: Duration::from_secs(30),
            say: Arc::new(|_| ()),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

impl fmt::Debug for WorkerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerOptions")
            .field("name", &self.name)
            .field("slots", &self.slots)
            .field("allow", &self.allow)
            .finish_non_exhaustive()
    }
}

/// Takes jobs of all runs until it is told to stop. Then it takes no more, ends those that it has
/// begun, and gives back the others.
///
/// # Errors
///
/// A usage error for options that do not go together. A broker that is gone is waited for.
pub async fn work(broker: Broker, options: WorkerOptions, build: Build, stop: CancellationToken) -> Result<()> {
    if options.slots == 0 {
        return Err(Error::usage("a worker needs at least one job at once: 0"));
    }
    let machine = Machine {
        broker: broker.clone(),
        name: options.name.clone(),
        host: hostname(),
        allow: Arc::new(options.allow.clone()),
        pauses: Arc::new(Pauses::default()),
        say: Arc::clone(&options.say),
        counters: Counters::default(),
    };
    let worker = Worker {
        machine: Arc::new(machine),
        slots: Arc::new(Semaphore::new(options.slots)),
        jobs: TaskTracker::new(),
        stop: stop.clone(),
        abort: CancellationToken::new(),
        options: Arc::new(options),
        build,
    };
    let presence = tokio::spawn(worker.clone().presence());
    worker.clone().watch().await;
    (worker.options.say)("takes no more jobs, and ends those it has begun");
    worker.jobs.close();
    if tokio::time::timeout(worker.options.drain, worker.jobs.wait()).await.is_err() {
        worker.abort.cancel();
        worker.jobs.wait().await;
    }
    presence.abort();
    let _ = broker.kv.purge(worker_key(&worker.options.name)).await;
    Ok(())
}

#[derive(Clone)]
struct Worker {
    machine: Arc<Machine>,
    options: Arc<WorkerOptions>,
    build: Build,
    slots: Arc<Semaphore>,
    /// All jobs, and all that brings some.
    jobs: TaskTracker,
    /// Take no more jobs.
    stop: CancellationToken,
    /// Give back those that were begun.
    abort: CancellationToken,
}

impl Worker {
    async fn presence(self) {
        loop {
            let counts = self.machine.counters.now();
            let here = Presence {
                worker: self.options.name.clone(),
                host: self.machine.host.clone(),
                protocol: PROTOCOL,
                raudal: self.options.version.clone(),
                slots: self.options.slots,
                running: counts.running,
                inputs: counts.inputs,
                bytes: counts.bytes,
            };
            if let Ok(value) = bytes(&here) {
                let _ = self.machine.broker.put_expiring(&worker_key(&here.worker), value, GONE, None).await;
            }
            tokio::time::sleep(HERE).await;
        }
    }

    /// Follows what is said of runs and pauses. Ends when the worker is to stop.
    async fn watch(self) {
        let mut runs: HashMap<String, CancellationToken> = HashMap::new();
        let mut refused = HashSet::new();
        while !self.stop.is_cancelled() {
            // All that is there, then all that changes.
            let watched = self.machine.broker.kv.watch_many_with_history(["run.>", "pause.>"]).await;
            let Ok(mut watched) = watched else {
                tokio::select! {
                    () = tokio::time::sleep(RETRY) => continue,
                    () = self.stop.cancelled() => return,
                }
            };
            loop {
                let next = tokio::select! {
                    next = watched.next() => next,
                    () = self.stop.cancelled() => return,
                };
                match next {
                    Some(Ok(entry)) => self.heed(&entry, &mut runs, &mut refused).await,
                    // The broker was gone.
                    Some(Err(_)) | None => break,
                }
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn heed(&self, entry: &Entry, runs: &mut HashMap<String, CancellationToken>, refused: &mut HashSet<String>) {
        let is_there = entry.operation == Operation::Put;
        if entry.key.starts_with("pause.") {
            match serde_json::from_slice(&entry.value) {
                Ok(Event::Paused { ms, .. }) if is_there => {
                    self.machine.pauses.begin(&entry.key, Duration::from_millis(ms));
                }
                _ => self.machine.pauses.end(&entry.key),
            }
            return;
        }
        let Some(run) = entry.key.strip_prefix("run.") else { return };
        let record = match is_there.then(|| self.read_record(&entry.value)) {
            Some(Ok(record)) if record.state == State::Running => record,
            Some(Err(error)) => {
                if refused.insert(run.to_owned()) {
                    self.machine.tell_refused(run, &error).await;
                }
                return;
            }
            _ => {
                if let Some(cancel) = runs.remove(run) {
                    cancel.cancel();
                }
                return;
            }
        };
        if runs.get(run).is_some_and(|cancel| !cancel.is_cancelled()) {
            return;
        }
        let cancel = self.abort.child_token();
        runs.insert(run.to_owned(), cancel.clone());
        self.jobs.spawn(self.clone().take_part(record, cancel));
    }

    fn read_record(&self, value: &[u8]) -> Result<RunRecord> {
        let versions: Versions = serde_json::from_slice(value)
            .map_err(|error| Error::new(Kind::Unsupported, "a run that cannot be read was set aside").because(error))?;
        if (versions.protocol, versions.raudal.as_str()) != (PROTOCOL, self.options.version.as_str()) {
            return Err(Error::new(
                Kind::Unsupported,
                format!(
                    "the run needs raudal {} (protocol {}), and this worker is {} (protocol {PROTOCOL})",
                    versions.raudal, versions.protocol, self.options.version
                ),
            ));
        }
        parse_record(value)
    }

    /// Takes jobs of a run until it ends.
    async fn take_part(self, record: RunRecord, cancel: CancellationToken) {
        let mut said = None;
        let run = loop {
            match self.prepare(&record, &cancel).await {
                Ok(run) => break Arc::new(run),
                Err(error) => {
                    let reason = error.report();
                    if said.as_ref() != Some(&reason) {
                        self.machine.tell_refused(&record.run, &error).await;
                        said = Some(reason);
                    }
                    // The folder may be mounted later, the broker may come back.
                    tokio::select! {
                        () = tokio::time::sleep(Duration::from_secs(5)) => {}
                        () = cancel.cancelled() => return,
                        () = self.stop.cancelled() => return,
                    }
                }
            }
        };
        (self.machine.say)(&format!("takes part in {}", record.run));
        let ends = CancellationToken::new();
        let leader = Leader {
            broker: self.machine.broker.clone(),
            store: run.store.clone(),
            record,
            plan: None,
            who: self.options.name.clone(),
            stays: false,
        };
        let leading = tokio::spawn(leader.run(ends.clone()));
        tokio::select! {
            () = self.pull(&run) => {}
            () = self.machine.show(&run) => {}
            () = cancel.cancelled() => {}
        }
        ends.cancel();
        let _ = leading.await;
        (self.machine.say)(&format!("is done with {}", run.record.run));
    }

    async fn prepare(&self, record: &RunRecord, cancel: &CancellationToken) -> Result<ActiveRun> {
        let parts = match &self.options.parts {
            Some(parts) => parts.clone(),
            None => record.parts.parse()?,
        };
        let store = Store::open(&parts, &record.run, &self.machine.broker.js).await?;
        let Prepared { mut fetch, mut table } = (self.build)(&record.spec)?;
        fetch.guard = Some(Arc::clone(&self.machine.allow) as _);
        table.run.lock = record.lock.then(Arc::default);
        let client = Client::new(&fetch)?;
        let kind = if record.files {
            Work::Files(Box::new(Fetcher::new(&client, table.run)))
        } else {
            Work::Tables(Box::new(Reader::new(&client, table)))
        };
        Ok(ActiveRun { record: record.clone(), store, kind, counters: Counters::default(), cancel: cancel.clone() })
    }

    /// Takes jobs while there are free slots. Ends when the worker is to stop.
    async fn pull(&self, run: &Arc<ActiveRun>) {
        let mut consumer = None;
        while !self.stop.is_cancelled() {
            let free = tokio::select! {
                free = self.slots.acquire() => free,
                () = self.stop.cancelled() => return,
            };
            let Ok(free) = free else { return };
            let most = self.slots.available_permits() + 1;
            drop(free);
            if self.batch(run, most, &mut consumer).await.is_err() {
                consumer = None;
                tokio::time::sleep(RETRY).await;
            }
        }
    }

    async fn batch(
        &self,
        run: &Arc<ActiveRun>,
        most: usize,
        consumer: &mut Option<consumer::Consumer<pull::Config>>,
    ) -> Result<()> {
        let consumer = match consumer {
            Some(consumer) => consumer,
            none => none.insert(self.machine.broker.consumer(&run.record.run).await?),
        };
        let asked = consumer.batch().max_messages(most).expires(PULL).messages().await;
        let mut messages = asked.map_err(|error| super::broker::failed("cannot take jobs", error))?;
        while let Some(message) = messages.next().await {
            let message = message.map_err(|error| Error::new(Kind::Connect, "cannot take jobs").because(error))?;
            // The slot is taken here, so that the next request for jobs does not count it as free. There is
            // one, unless another run has taken it meanwhile.
            let slot = Arc::clone(&self.slots).acquire_owned().await;
            let (Ok(slot), false) = (slot, self.stop.is_cancelled()) else {
                let _ = message.ack_with(AckKind::Nak(None)).await;
                continue;
            };
            let (machine, run) = (Arc::clone(&self.machine), Arc::clone(run));
            self.jobs.spawn(async move {
                machine.work(run, message).await;
                drop(slot);
            });
        }
        Ok(())
    }
}
