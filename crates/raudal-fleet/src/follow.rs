//! Follows a run as its submitter: fetches its parts as they come, and has them gathered.

use super::arrivals::{Arrivals, Arrived};
use super::broker::{Broker, RETRY, failed, parse_record};
use super::events::{Events, Next};
use super::gather::{Gather, Gathered};
use super::options::Say;
use super::protocol::{Event, RunRecord, State, live_subject, run_key};
use super::reports::Reports;
use super::runs;
use super::store::{Store, part_name};
use async_nats::jetstream::kv::Operation;
use futures::StreamExt;
use raudal_common::{Error, Kind, Result, lock};
use raudal_pipeline::Summary;
use raudal_pool::EventKind;
use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::time::interval;
use tokio_util::sync::CancellationToken;

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
pub enum Ended<S = Summary> {
    /// All inputs are here, or as many as were wanted. The run is forgotten.
    Merged(Box<S>),
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

/// Says each message once.
pub(crate) struct Said {
    say: Say,
    said: HashSet<String>,
}

impl Said {
    pub(crate) fn new(say: Say) -> Self {
        Self { say, said: HashSet::new() }
    }

    fn once(&mut self, text: &str) {
        if self.said.insert(text.to_owned()) {
            (self.say)(text);
        }
    }
}

/// Brings the parts together.
pub(crate) struct Follower<G> {
    pub(crate) broker: Broker,
    pub(crate) store: Store,
    pub(crate) record: RunRecord,
    pub(crate) arrivals: Arrivals,
    pub(crate) gather: G,
    /// Ends when it is cancelled; the run goes on.
    pub(crate) leave: CancellationToken,
    pub(crate) reports: Arc<Mutex<Reports>>,
    pub(crate) said: Said,
    pub(crate) begun: Instant,
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

impl<G: Gather> Follower<G> {
    pub(crate) async fn run(mut self) -> Result<Ended<G::Summary>> {
        let total = Some(self.record.inputs);
        lock(&self.reports).observe(EventKind::RunStarted { total, jobs: self.record.open });
        let stopped = match self.follow().await? {
            None => false,
            Some(Stop::Leave) => {
                let (run, done) = (self.record.run.clone(), self.arrivals.known());
                lock(&self.reports).finish(true);
                return Ok(Ended::Left { run, done, chunks: self.arrivals.all() });
            }
            Some(Stop::Full) => true,
            Some(Stop::Failures) => {
                self.merge_rest().await?;
                true
            }
        };
        self.arrivals.stop().await;
        let mut report = lock(&self.reports).finish(stopped);
        report.jobs = self.record.open;
        let Gathered { mut summary, is_needed } = self.gather.finish(report).await?;
        if is_needed {
            G::warn(&mut summary, format!("the run was kept; the same command resumes it: {}", self.record.run));
            return Ok(Ended::Merged(Box::new(summary)));
        }
        // The result is there, so the run is not needed any more.
        let removed = runs::remove(&self.broker, &self.store, &self.record.run).await;
        if let Err(error) = removed {
            let warning = format!("the run could not be forgotten: {}: {}", self.record.run, error.report());
            G::warn(&mut summary, warning);
        }
        Ok(Ended::Merged(Box::new(summary)))
    }

    /// Merges parts as they come.
    async fn follow(&mut self) -> Result<Option<Stop>> {
        let mut events = Events::new(&self.broker, &self.record.run);
        let live = self.broker.js.client().subscribe(live_subject(&self.record.run)).await;
        let mut live = live.map_err(|error| failed("cannot follow the run", error))?;
        let (mut compare, mut look) = (interval(COMPARE), interval(LOOK));
        let leave = self.leave.clone();
        loop {
            if self.gather.go_on().await? {
                return Ok(Some(Stop::Full));
            }
            if self.gather.is_done() {
                self.hear_the_rest(&mut events).await;
                return Ok(None);
            }
            if lock(&self.reports).is_enough() {
                return Ok(Some(Stop::Failures));
            }
            self.arrivals.fetch();
            tokio::select! {
                next = events.next() => self.heed(next).await,
                Some(status) = live.next() => {
                    if let Ok(status) = serde_json::from_slice(&status.payload) {
                        lock(&self.reports).hear(status);
                    }
                }
                Some(fetched) = self.arrivals.next() => {
                    let (chunk, fetched) = fetched?;
                    self.put(chunk, fetched).await?;
                }
                changed = self.gather.changed() => if let Some(chunk) = changed {
                    self.redo(chunk).await;
                },
                () = leave.cancelled() => return Ok(Some(Stop::Leave)),
                _ = compare.tick() => self.compare().await,
                _ = look.tick() => {
                    lock(&self.reports).show_workers();
                    self.look().await?;
                }
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

    async fn put(&mut self, chunk: u32, fetched: Result<Arrived>) -> Result<()> {
        let (part, lines) = match fetched {
            Ok(fetched) => fetched,
            Err(error) if error.kind() == Kind::Corrupt => {
                self.said.once(&format!("{} is damaged: its inputs are read again", part_name(chunk)));
                self.redo(chunk).await;
                return Ok(());
            }
            Err(error) => {
                self.said.once(&format!("waits for the parts: {}", error.report()));
                tokio::time::sleep(RETRY).await;
                self.arrivals.again(chunk);
                return Ok(());
            }
        };
        self.gather.put(chunk, part, lines).await
    }

    /// Has a damaged part put aside, and its chunk done again.
    async fn redo(&mut self, chunk: u32) {
        let redo = Event::Redo { chunk };
        let aside = self.store.quarantine(&part_name(chunk)).await;
        if aside.is_ok() && self.broker.tell(&self.record.run, &redo, None).await.is_ok() {
            self.arrivals.forget(chunk);
        } else {
            self.arrivals.again(chunk);
        }
    }

    /// Merges what is there of a run that was stopped.
    async fn merge_rest(&mut self) -> Result<()> {
        runs::stop(&self.broker, &self.record.run).await?;
        while let Some(fetched) = self.arrivals.next().await {
            let (chunk, fetched) = fetched?;
            self.put(chunk, fetched).await?;
        }
        self.gather.rest().await
    }

    async fn heed(&mut self, next: Next) {
        match next {
            Next::Event(Event::Part(written)) => self.arrivals.know(written.chunk),
            Next::Event(Event::Aside { subject, worker, reason }) => {
                self.said.once(&format!("{worker} set a message aside: {subject}: {reason}"));
            }
            Next::Event(Event::Refused { worker, reason }) => self.said.once(&format!("{worker}: {reason}")),
            Next::Event(Event::Paused { host, ms, .. }) => {
                lock(&self.reports).observe(EventKind::KeyPaused { key: &host, pause: Duration::from_millis(ms) });
            }
            Next::Event(Event::Redo { .. }) => {}
            Next::Unreadable(reason) => {
                self.said.once(&format!("an event that cannot be read was left out: {reason}"));
            }
            Next::Gone => {
                self.said.once("the broker has lost the run: it is announced again, and goes on from its parts");
                // If the broker is not there, this comes again.
                let _ = self.broker.ensure(&self.record).await;
                self.compare().await;
            }
        }
    }

    async fn compare(&mut self) {
        match self.store.chunks().await {
            Ok(chunks) => chunks.into_iter().for_each(|chunk| self.arrivals.know(chunk)),
            Err(error) => self.said.once(&format!("waits for the parts: {}", error.report())),
        }
        if self.arrivals.known() == 0
            && self.begun.elapsed() > LONELY
            && runs::workers(&self.broker).await.is_ok_and(|all| all.is_empty())
        {
            self.said.once("no worker is there: start some with the address of this broker");
        }
    }

    /// Looks whether somebody has ended the run.
    async fn look(&mut self) -> Result<()> {
        let Ok(Some(entry)) = self.broker.kv.entry(run_key(&self.record.run)).await else { return Ok(()) };
        let ended = match entry.operation {
            Operation::Put => parse_record(&entry.value).is_ok_and(|now| now.state == State::Cancelled),
            Operation::Delete | Operation::Purge => true,
        };
        if !ended {
            return Ok(());
        }
        Err(Error::new(Kind::Cancelled, format!("the run was cancelled: {}", self.record.run))
            .hint("run the same command again to resume it"))
    }
}
