//! Starts or resumes a run, and merges its parts into one table.

use super::announce::{announce, plan};
use super::broker::Broker;
use super::events::{Events, Next};
use super::lead::{Leader, nonce};
use super::options::Say;
use super::options::SubmitOptions;
use super::part;
use super::protocol::{Event, InputLine, RunRecord, State, live_subject, run_key};
use super::reports::Reports;
use super::runs;
use super::store::{SpooledOrFile, Store, part_name};
use super::windows::{Window, Windows};
use async_nats::jetstream::kv::Operation;
use futures::StreamExt;
use raudal_common::{Error, Kind, Portable, Result, blocking, lock};
use raudal_pipeline::{Merge, Options, Summary};
use raudal_pool::EventKind;
use raudal_source::Input;
use raudal_table::{Rows, Sink};
use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
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
                let redone = self.store.quarantine(&part_name(chunk)).await;
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
