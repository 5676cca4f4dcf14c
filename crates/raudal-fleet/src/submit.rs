//! Starts or resumes a run, and merges its parts into one table.

use super::broker::Broker;
use super::events::{Events, Next};
use super::lead::{Leader, nonce};
use super::part;
use super::plan::{Plan, chunk_size};
use super::protocol::{Event, InputLine, PROTOCOL, RunRecord, State, is_name, live_subject, run_key};
use super::reports::Reports;
use super::runs;
use super::store::{PLAN, Parts, SpooledOrFile, Store, part_name};
use super::windows::{Window, Windows};
use super::worker::Say;
use async_nats::jetstream::kv::Operation;
use futures::StreamExt;
use raudal_common::atomic_file::hex;
use raudal_common::{Error, Kind, Portable, Result, blocking, lock};
use raudal_pipeline::{Merge, Options, Summary};
use raudal_pool::EventKind;
use raudal_source::{Checksums, Input};
use raudal_table::{Rows, Sink};
use sha2::{Digest, Sha256};
use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::io::Read;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};
use tokio::task::JoinSet;
use tokio::time::interval;
use tokio_util::sync::CancellationToken;

/// Parts that are fetched at once.
const FETCHES: usize = 4;
/// How often the list of parts is compared with what the events say.
const COMPARE: Duration = Duration::from_secs(10);
/// How often the state of the run is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// How long to listen to what is left at the end.
const REST: Duration = Duration::from_secs(3);
/// When to say that no worker is there.
const LONELY: Duration = Duration::from_secs(5);

/// How a run is spread over the fleet.
#[derive(Clone)]
#[non_exhaustive]
pub struct SubmitOptions {
    /// Where the parts are written. Default: the broker.
    pub parts: Parts,
    /// The name of the run: letters, digits, `-` and `_`. Default: the hash of its inputs and of the
    /// query, so that the same command finds it again.
    pub run: Option<String>,
    /// What to do with each input, in words that the workers' [`Build`](crate::Build) understands.
    /// They must hold no secret.
    pub spec: Vec<String>,
    /// At most this many chunks of a host are open. Default: 8.
    pub per_host: usize,
    /// At most this many chunks are open. Default: 4096.
    pub open: usize,
    /// How long a worker that does not answer keeps its jobs. Default: 10 s.
    pub lease: Duration,
    /// An input that was begun this often, and never ended, is given up. Default: 5.
    pub deliveries: u32,
    /// Leave once the run is announced. Default: no.
    pub detach: bool,
    /// Inputs of a chunk. Default: as many as suit the number of inputs.
    pub chunk: Option<usize>,
    /// Shows messages. Default: nobody sees them.
    pub say: Say,
}

impl Default for SubmitOptions {
    fn default() -> Self {
        Self {
            parts: Parts::Nats,
            run: None,
            spec: Vec::new(),
            per_host: 8,
            open: 4096,
            lease: Duration::from_secs(10),
            deliveries: 5,
            detach: false,
            chunk: None,
            say: Arc::new(|_| ()),
        }
    }
}

impl fmt::Debug for SubmitOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubmitOptions")
            .field("parts", &self.parts)
            .field("run", &self.run)
            .field("spec", &self.spec)
            .finish_non_exhaustive()
    }
}

/// How a submission ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum Ended {
    /// All inputs are merged, or as many as were wanted. The run is forgotten.
    Merged(Box<Summary>),
    /// The run goes on without us: by its name, the same command finds it again.
    Left {
        /// The name of the run.
        run: String,
        /// Chunks that are done.
        done: usize,
        /// All chunks.
        chunks: usize,
    },
}

/// Starts a run over the fleet, or goes on with one, and merges its parts as
/// [`raudal_pipeline::run`] does on one machine.
///
/// When `options.run.cancel` is cancelled, the run goes on: [`cancel`](crate::cancel()) ends it.
///
/// # Errors
///
/// As [`raudal_pipeline::run`]; and if the broker or the place of the parts cannot be used at the
/// start, or somebody cancelled the run. Later, both are waited for.
pub async fn submit<In>(
    broker: &Broker,
    inputs: In,
    options: Options,
    sink: Sink,
    submit: SubmitOptions,
) -> Result<Ended>
where
    In: Iterator<Item = Input> + Clone + Send + 'static,
{
    let planned = plan(inputs.clone(), options.run.checksums.clone(), &submit).await?;
    let submission = announce(broker, planned, &options, &submit).await?;
    let (record, chunks) = (submission.record.clone(), submission.plan.chunks.len());
    (submit.say)(&format!("the run is {} ({} inputs in {chunks} chunks)", record.run, record.inputs));
    if submit.detach {
        return Ok(Ended::Left { run: record.run, done: submission.store.chunks().await?.len(), chunks });
    }
    let merge = Merge::begin(sink, &options)?;
    let leads = CancellationToken::new();
    let leader = Leader {
        broker: broker.clone(),
        store: submission.store.clone(),
        record: record.clone(),
        plan: Some(submission.plan),
        who: format!("submitter-{}", nonce()),
    };
    let leading = tokio::spawn(leader.run(leads.clone()));
    let windows = Windows::new(record.inputs)?;
    let merger = Merger {
        broker: broker.clone(),
        store: submission.store,
        record,
        chunks,
        inputs,
        merge,
        windows: Arc::new(Mutex::new(windows)),
        known: HashSet::new(),
        queue: BTreeSet::new(),
        fetching: JoinSet::new(),
        reports: Reports::new(&options),
        options,
        say: submit.say,
        said: HashSet::new(),
        begun: Instant::now(),
        merged: 0,
    };
    let ended = merger.run().await;
    leads.cancel();
    let _ = leading.await;
    ended
}

/// The chunks of a run, and what they follow from.
struct Planned {
    plan: Plan,
    digest: String,
    inputs: u64,
}

struct Submission {
    plan: Plan,
    record: RunRecord,
    store: Store,
}

async fn plan<In>(inputs: In, checksums: Option<Arc<Checksums>>, submit: &SubmitOptions) -> Result<Planned>
where
    In: Iterator<Item = Input> + Clone + Send + 'static,
{
    let (chunk, spec) = (submit.chunk, submit.spec.clone());
    blocking(move || {
        let size = match chunk {
            Some(size) => size.max(1),
            None => chunk_size(inputs.clone().count() as u64),
        };
        let plan = Plan::new(inputs, size, checksums.as_deref())?;
        let mut hasher = Sha256::new();
        for word in std::iter::once(env!("CARGO_PKG_VERSION")).chain(spec.iter().map(String::as_str)) {
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
        Ok(Planned { plan, digest: hex(&hasher.finalize()), inputs })
    })
    .await?
}

/// Makes all that the workers need, or finds it.
async fn announce(broker: &Broker, planned: Planned, options: &Options, submit: &SubmitOptions) -> Result<Submission> {
    let Planned { plan, digest, inputs } = planned;
    let run = submit.run.clone().unwrap_or_else(|| digest[..12].to_owned());
    if !is_name(&run) {
        return Err(Error::usage(format!("not a name for a run: {run}")).hint("use letters, digits, - and _"));
    }
    #[expect(clippy::disallowed_methods, reason = "a date for people")]
    let begun = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let mut record = RunRecord {
        protocol: PROTOCOL,
        raudal: env!("CARGO_PKG_VERSION").to_owned(),
        run: run.clone(),
        state: State::Running,
        digest,
        spec: submit.spec.clone(),
        parts: submit.parts.to_string(),
        inputs,
        chunks: plan.chunks.len() as u32,
        per_host: submit.per_host.max(1),
        open: submit.open.max(1),
        lock: options.run.lock.is_some(),
        rate: options.run.rate,
        lease_ms: u64::try_from(submit.lease.as_millis()).unwrap_or(u64::MAX).max(100),
        deliveries: submit.deliveries.max(1),
        from: hostname(),
        begun: begun.as_secs(),
    };
    if let Some(there) = broker.record(&run).await? {
        if there.digest != record.digest {
            return Err(Error::usage(format!("another run has this name: {run}"))
                .hint("its inputs or its query differ: give another name, or forget that run first"));
        }
        (submit.say)(&format!("the run was begun before, and goes on: {run}"));
        record.begun = there.begun;
    }
    let store = Store::create(&submit.parts, &run, &broker.js).await?;
    let mut object = part::spool();
    let mut reader = plan.reader()?;
    let object = blocking(move || {
        std::io::copy(&mut reader, &mut object).and_then(|_| std::io::Seek::rewind(&mut object)).map(|()| object)
    });
    let object = object.await?.map_err(|error| Error::io("cannot hold the plan of the run", error))?;
    store.put(PLAN, object).await?;
    broker.ensure(&record).await?;
    // A run that was cancelled goes on.
    broker.put_record(&record).await?;
    Ok(Submission { plan, record, store })
}

fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .ok()
        .or_else(|| std::env::var("HOSTNAME").ok())
        .map_or_else(|| "unknown".to_owned(), |name| name.trim().to_owned())
}

/// A part that has come, checked, or why it has not.
type Fetched = (u32, Result<(SpooledOrFile, Vec<InputLine>)>);

/// Brings the parts together.
struct Merger<In> {
    broker: Broker,
    store: Store,
    record: RunRecord,
    chunks: usize,
    /// The inputs that are not merged yet.
    inputs: In,
    merge: Merge,
    windows: Arc<Mutex<Windows>>,
    /// The chunks whose parts are there.
    known: HashSet<u32>,
    /// Those that are not fetched yet.
    queue: BTreeSet<u32>,
    fetching: JoinSet<Fetched>,
    options: Options,
    reports: Reports,
    say: Say,
    said: HashSet<String>,
    begun: Instant,
    /// How many inputs are merged.
    merged: u64,
}

/// Why the merger stops before all is merged.
enum Stop {
    /// The table has all the rows that it may have.
    Full,
    /// Too many inputs failed.
    Failures,
    /// We were told to leave.
    Leave,
}

impl<In: Iterator<Item = Input> + Send + 'static> Merger<In> {
    async fn run(mut self) -> Result<Ended> {
        let total = Some(self.record.inputs);
        self.reports.observe(EventKind::RunStarted { total, jobs: self.record.open });
        let stopped = match self.follow().await? {
            None => false,
            Some(Stop::Leave) => {
                let (run, done) = (self.record.run.clone(), self.known.len());
                self.reports.finish(true);
                return Ok(Ended::Left { run, done, chunks: self.chunks });
            }
            Some(Stop::Full) => true,
            Some(Stop::Failures) => {
                self.merge_rest().await?;
                true
            }
        };
        self.fetching.shutdown().await;
        let mut report = self.reports.finish(stopped);
        report.jobs = self.record.open;
        let mut summary = self.merge.finish(report).await?;
        // The table is there, so the run is not needed any more.
        let removed = runs::remove(&self.broker, &self.store, &self.record.run).await;
        if let Err(error) = removed {
            summary.warnings.push(format!("the run could not be forgotten: {}: {}", self.record.run, error.report()));
        }
        Ok(Ended::Merged(Box::new(summary)))
    }

    /// Merges parts as they come.
    async fn follow(&mut self) -> Result<Option<Stop>> {
        let mut events = Events::new(&self.broker, &self.record.run);
        let live = self.broker.js.client().subscribe(live_subject(&self.record.run)).await;
        let mut live = live.map_err(|error| super::broker::failed("cannot follow the run", error))?;
        let (mut compare, mut look) = (interval(COMPARE), interval(LOOK));
        let cancel = self.options.run.cancel.clone();
        loop {
            if self.merge_windows().await? {
                return Ok(Some(Stop::Full));
            }
            if lock(&self.windows).is_done() {
                self.hear_the_rest(&mut events).await;
                return Ok(None);
            }
            if self.reports.is_enough() {
                return Ok(Some(Stop::Failures));
            }
            self.fetch();
            tokio::select! {
                next = events.next() => self.heed(next).await,
                Some(begun) = live.next() => {
                    if let Ok(begun) = serde_json::from_slice(&begun.payload) {
                        self.reports.begin(&begun);
                    }
                }
                Some(fetched) = self.fetching.join_next() => self.put(fetched).await?,
                () = cancel.cancelled() => return Ok(Some(Stop::Leave)),
                _ = compare.tick() => self.compare().await,
                _ = look.tick() => self.look().await?,
            }
        }
    }

    /// Says what workers have said and nobody has heard yet, in a run that was merged from its parts.
    async fn hear_the_rest(&mut self, events: &mut Events) {
        let heard = async {
            while events.is_behind().await {
                let next = events.next().await;
                self.heed(next).await;
            }
        };
        let _ = tokio::time::timeout(REST, heard).await;
    }

    fn fetch(&mut self) {
        while self.fetching.len() < FETCHES
            && let Some(chunk) = self.queue.pop_first()
        {
            let store = self.store.clone();
            self.fetching.spawn(async move { (chunk, fetch(&store, chunk).await) });
        }
    }

    async fn put(&mut self, fetched: Result<Fetched, tokio::task::JoinError>) -> Result<()> {
        let (chunk, fetched) =
            fetched.map_err(|error| Error::new(Kind::Internal, "a panic while a part was fetched").because(error))?;
        let (mut part, lines) = match fetched {
            Ok(fetched) => fetched,
            Err(error) if error.kind() == Kind::Corrupt => {
                self.say_once(&format!("{} is damaged: its inputs are read again", part_name(chunk)));
                let redo = Event::Redo { chunk };
                let redone = self.store.set_aside(&part_name(chunk)).await;
                if redone.is_ok() && self.broker.tell(&self.record.run, &redo, None).await.is_ok() {
                    self.known.remove(&chunk);
                } else {
                    self.queue.insert(chunk);
                }
                return Ok(());
            }
            Err(error) => {
                self.say_once(&format!("waits for the parts: {}", error.report()));
                tokio::time::sleep(super::broker::RETRY).await;
                self.queue.insert(chunk);
                return Ok(());
            }
        };
        self.reports.tell(chunk, &lines);
        let windows = Arc::clone(&self.windows);
        blocking(move || lock(&windows).put(&mut part)).await?
    }

    /// Merges the windows that are complete. Returns whether the table is full.
    async fn merge_windows(&mut self) -> Result<bool> {
        loop {
            let windows = Arc::clone(&self.windows);
            let Some(window) = blocking(move || lock(&windows).take()).await?? else { return Ok(false) };
            self.merge_window(window, false).await?;
            if self.merge.is_full() {
                return Ok(true);
            }
        }
    }

    /// Merges what is there of a run that was stopped.
    async fn merge_rest(&mut self) -> Result<()> {
        runs::stop(&self.broker, &self.record.run).await?;
        while let Some(fetched) = self.fetching.join_next().await {
            self.put(fetched).await?;
        }
        loop {
            let windows = Arc::clone(&self.windows);
            let Some(window) = blocking(move || lock(&windows).take_partial()).await?? else { return Ok(()) };
            self.merge_window(window, true).await?;
        }
    }

    /// Merges the inputs of a window. In a run that was stopped, some may be missing.
    async fn merge_window(&mut self, mut window: Window, stopped: bool) -> Result<()> {
        let memory = self.options.query.memory;
        loop {
            let (back, some) = blocking(move || {
                let some = window.some(memory);
                (window, some)
            })
            .await?;
            window = back;
            let some = some?;
            if some.is_empty() {
                return Ok(());
            }
            for (line, rows) in some {
                self.merge_input(line, rows, stopped).await?;
                if self.merge.is_full() {
                    return Ok(());
                }
            }
        }
    }

    async fn merge_input(&mut self, line: InputLine, rows: Option<Rows>, stopped: bool) -> Result<()> {
        let mut input = self.inputs.next();
        while stopped && self.merged < line.i {
            self.merged += 1;
            if let Some(never) = input {
                self.merge.skip(never);
            }
            input = self.inputs.next();
        }
        let (Some(input), true) = (input, self.merged == line.i) else {
            return Err(Error::new(Kind::Internal, format!("an input is missing: {}", self.merged)));
        };
        self.merged += 1;
        let recorded = match (&self.options.run.lock, line.locked) {
            (Some(lock), Some(locked)) => lock.record(line.i, locked),
            _ => Ok(()),
        };
        let result = match (rows, line.error) {
            (Some(rows), _) => recorded.map(|()| rows).map_err(|error| error.input(input.location.to_string())),
            (None, Some(error)) => Err(Portable::into_error(error)),
            (None, None) => Err(Error::new(Kind::Internal, "a part without rows and without an error")),
        };
        self.merge.put(input, result, line.attempts).await
    }

    async fn heed(&mut self, next: Next) {
        match next {
            Next::Event(Event::Part { chunk, inputs, .. }) => {
                self.reports.tell(chunk, &inputs);
                self.know(chunk);
            }
            Next::Event(Event::Aside { subject, worker, reason }) => {
                self.say_once(&format!("{worker} set a message aside: {subject}: {reason}"));
            }
            Next::Event(Event::Refused { worker, reason }) => self.say_once(&format!("{worker}: {reason}")),
            Next::Event(Event::Paused { host, ms, .. }) => {
                self.reports.observe(EventKind::KeyPaused { key: &host, pause: Duration::from_millis(ms) });
            }
            Next::Event(Event::Redo { .. }) => {}
            Next::Unreadable(reason) => self.say_once(&format!("an event that cannot be read was left out: {reason}")),
            Next::Gone => {
                self.say_once("the broker has lost the run: it is announced again, and goes on from its parts");
                // If the broker is not there, this comes again.
                let _ = self.broker.ensure(&self.record).await;
                self.compare().await;
            }
        }
    }

    fn know(&mut self, chunk: u32) {
        if (chunk as usize) < self.chunks && self.known.insert(chunk) {
            self.queue.insert(chunk);
        }
    }

    async fn compare(&mut self) {
        match self.store.chunks().await {
            Ok(chunks) => chunks.into_iter().for_each(|chunk| self.know(chunk)),
            Err(error) => self.say_once(&format!("waits for the parts: {}", error.report())),
        }
        if self.known.is_empty()
            && self.begun.elapsed() > LONELY
            && runs::workers(&self.broker).await.is_ok_and(|all| all.is_empty())
        {
            self.say_once("no worker is there: start some with the address of this broker");
        }
    }

    /// Looks whether somebody has ended the run.
    async fn look(&mut self) -> Result<()> {
        let Ok(Some(entry)) = self.broker.kv.entry(run_key(&self.record.run)).await else { return Ok(()) };
        let ended = match entry.operation {
            Operation::Put => super::broker::parse_record(&entry.value).is_ok_and(|now| now.state == State::Cancelled),
            Operation::Delete | Operation::Purge => true,
        };
        if !ended {
            return Ok(());
        }
        Err(Error::new(Kind::Cancelled, format!("the run was cancelled: {}", self.record.run))
            .hint("the same command goes on with what is there"))
    }

    fn say_once(&mut self, text: &str) {
        if self.said.insert(text.to_owned()) {
            (self.say)(text);
        }
    }
}

/// Fetches a part, and checks all of it.
async fn fetch(store: &Store, chunk: u32) -> Result<(SpooledOrFile, Vec<InputLine>)> {
    let mut part = store.get(&part_name(chunk)).await?;
    blocking(move || {
        part::check(&mut part)?;
        let mut lines = Vec::new();
        while let Some((rest, text)) = part::next(&mut part)? {
            lines.push(part::line(&text)?);
            skip(&mut part, rest)?;
        }
        part::rewind(&mut part)?;
        Ok((part, lines))
    })
    .await?
}

fn skip(part: &mut SpooledOrFile, bytes: u64) -> Result<()> {
    let to = std::io::SeekFrom::Current(i64::try_from(bytes).unwrap_or(i64::MAX));
    std::io::Seek::seek(part, to).map(drop).map_err(|error| Error::io("cannot read a part", error))
}
