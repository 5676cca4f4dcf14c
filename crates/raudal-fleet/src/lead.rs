//! Admits the chunks of a run: one process leads at a time, the submitter or, when it is gone, a
//! worker.
//!
//! The leader holds an entry that expires. Whoever takes over finds the same state: the parts say
//! what is done, and the stream of jobs what is open.

use super::admission::Admission;
use super::broker::{Broker, RETRY, failed};
use super::events::{Events, Next};
use super::plan::{self, Plan};
use super::protocol::{self, Event, RunRecord, job_subject, jobs_stream, lead_key, nonce};
use super::store::{PLAN, Store};
use async_nats::jetstream::kv::Operation;
use async_nats::jetstream::message::PublishMessage;
use futures::StreamExt;
use futures::future::try_join_all;
use raudal_common::{Result, blocking};
use std::collections::BTreeSet;
use std::future::IntoFuture;
use std::time::Duration;
use tokio::time::{Instant, interval};
use tokio_util::sync::CancellationToken;

/// How long a leader that does not answer stays the leader.
const TERM: Duration = Duration::from_secs(6);
/// How often what the events say is compared with what is there.
const COMPARE: Duration = Duration::from_secs(15);
/// Jobs that are published before their acknowledgements are awaited.
const AT_ONCE: usize = 256;

/// A run, as its leader knows it.
pub(crate) struct Leader {
    pub(crate) broker: Broker,
    pub(crate) store: Store,
    pub(crate) record: RunRecord,
    pub(crate) plan: Option<Plan>,
    /// The name of this process.
    pub(crate) who: String,
    /// Whether it goes on once all parts are there: one may turn out to be damaged.
    pub(crate) stays: bool,
}

/// Why a term has ended.
enum Term {
    /// All parts are there.
    Done,
    /// Another process leads.
    Lost,
}

impl Leader {
    /// Leads the run whenever no other process does, until it is stopped, or all parts are there and
    /// it does not stay.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut revision = None;
        let led = async {
            loop {
                if let Ok(Some(acquired)) = self.acquire().await {
                    revision = Some(acquired);
                    // If the broker was gone, or another leads: look again.
                    if matches!(self.term(&mut revision).await, Ok(Term::Done)) {
                        break;
                    }
                }
                tokio::time::sleep(TERM / 4).await;
            }
        };
        let _ = Box::pin(stop.run_until_cancelled(led)).await;
        if let Some(revision) = revision {
            // If this fails, the entry expires.
            let _ = self.broker.kv.delete_expect_revision(lead_key(&self.record.run), Some(revision)).await;
        }
    }

    /// Takes the lead, if it is free. Returns the revision of the entry.
    async fn acquire(&self) -> Result<Option<u64>> {
        let key = lead_key(&self.record.run);
        let entry = self.broker.kv.entry(key).await.map_err(|error| failed("cannot look for the leader", error))?;
        let free = match &entry {
            None => 0,
            Some(entry) if entry.operation != Operation::Put || entry.value == self.who.as_bytes() => entry.revision,
            Some(_) => return Ok(None),
        };
        Ok(self.hold(free).await.ok())
    }

    async fn hold(&self, revision: u64) -> Result<u64> {
        let key = lead_key(&self.record.run);
        self.broker.put_expiring(&key, self.who.clone().into(), TERM, Some(revision)).await
    }

    async fn term(&mut self, revision: &mut Option<u64>) -> Result<Term> {
        self.broker.ensure(&self.record).await?;
        if self.plan.is_none() {
            let mut object = self.store.get(PLAN).await?;
            self.plan = Some(blocking(move || Plan::read(plan::into_file(&mut object)?)).await??);
        }
        let rate = self.serve_rate().await?;
        let ended = self.admit(revision).await;
        if let Some(rate) = rate {
            rate.abort();
        }
        ended
    }

    async fn admit(&mut self, revision: &mut Option<u64>) -> Result<Term> {
        let mut events = Events::new(&self.broker, &self.record.run);
        let mut done = self.store.chunks().await?;
        let mut admission = self.compare(&done).await?;
        let (mut renew, mut compare) = (interval(TERM / 3), interval(COMPARE));
        compare.reset();
        loop {
            self.open(&mut admission).await?;
            if !self.stays && self.is_done(&done) {
                return Ok(Term::Done);
            }
            tokio::select! {
                next = events.next() => match next {
                    Next::Event(Event::Part(written)) => {
                        done.insert(written.chunk);
                        admission.done(written.chunk);
                    }
                    Next::Event(Event::Redo { chunk }) if self.store.chunks().await?.contains(&chunk) => {}
                    Next::Event(Event::Redo { chunk }) => {
                        done.remove(&chunk);
                        if !admission.is_open(chunk) {
                            self.reopen(&mut admission, chunk).await?;
                        }
                    }
                    Next::Gone => return Ok(Term::Lost),
                    _ => {}
                },
                _ = renew.tick() => match self.hold(revision.unwrap_or_default()).await {
                    Ok(held) => *revision = Some(held),
                    Err(_) => return Ok(Term::Lost),
                },
                _ = compare.tick() => {
                    // What is neither done nor open was lost on the way.
                    let before = admission;
                    done = self.store.chunks().await?;
                    admission = self.compare(&done).await?;
                    let open: Vec<u32> = before.opened().filter(|chunk| admission.waits(*chunk)).collect();
                    for chunk in open {
                        self.reopen(&mut admission, chunk).await?;
                    }
                }
            }
        }
    }

    fn is_done(&self, done: &BTreeSet<u32>) -> bool {
        self.plan.as_ref().is_some_and(|plan| done.len() >= plan.chunks.len())
    }

    /// Returns what is open and what waits.
    async fn compare(&self, done: &BTreeSet<u32>) -> Result<Admission> {
        let mut admission = Admission::new(self.record.per_host, self.record.open);
        let open = self.broker.open_jobs(&self.record.run).await?;
        for (chunk, of) in self.plan.iter().flat_map(|plan| (0u32..).zip(&plan.chunks)) {
            if open.contains(&chunk) && !done.contains(&chunk) {
                admission.add_open(chunk, &of.hosts);
            } else if !done.contains(&chunk) {
                admission.add(chunk, &of.hosts);
            }
        }
        Ok(admission)
    }

    /// Publishes what may open.
    async fn open(&mut self, admission: &mut Admission) -> Result<()> {
        loop {
            let chunks: Vec<u32> = std::iter::from_fn(|| admission.next()).take(AT_ONCE).collect();
            if chunks.is_empty() {
                return Ok(());
            }
            self.publish(&chunks, false).await?;
        }
    }

    /// Publishes a chunk again that the broker has forgotten.
    async fn reopen(&mut self, admission: &mut Admission, chunk: u32) -> Result<()> {
        let hosts =
            self.plan.as_ref().and_then(|plan| plan.chunks.get(chunk as usize)).map(|chunk| chunk.hosts.clone());
        admission.forget(chunk);
        admission.add_open(chunk, &hosts.unwrap_or_default());
        self.publish(&[chunk], true).await
    }

    /// Publishes the jobs of these chunks. The broker drops a job that it got a short time ago, by its
    /// `Nats-Msg-Id`. With `again`, the job gets a new one.
    async fn publish(&mut self, chunks: &[u32], again: bool) -> Result<()> {
        let Some(plan) = &mut self.plan else { return Ok(()) };
        let run = &self.record.run;
        let mut sent = Vec::with_capacity(chunks.len());
        for chunk in chunks {
            let payload = protocol::bytes(&plan.job(*chunk)?)?;
            let id = if again { format!("{run}.{chunk}.{}", nonce()) } else { format!("{run}.{chunk}") };
            let message = PublishMessage::build().payload(payload).message_id(id);
            let ack = self.broker.js.send_publish(job_subject(run, *chunk), message).await;
            sent.push(ack.map_err(|error| failed("cannot publish a job", error))?.into_future());
        }
        try_join_all(sent).await.map(drop).map_err(|error| failed("the broker did not take a job", error))
    }

    /// Answers workers that ask when they may begin an attempt, if the run has a rate.
    async fn serve_rate(&self) -> Result<Option<tokio::task::JoinHandle<()>>> {
        let Some(rate) = self.record.rate else { return Ok(None) };
        let client = self.broker.js.client();
        let asked = client.subscribe(rate_subject(&self.record.run)).await;
        let mut asked = asked.map_err(|error| failed("cannot listen to the workers", error))?;
        let every = Duration::from_secs_f64(1.0 / rate);
        Ok(Some(tokio::spawn(async move {
            let mut free = Instant::now();
            while let Some(message) = asked.next().await {
                let now = Instant::now();
                free = free.max(now);
                let wait = free.duration_since(now).as_micros().to_string();
                free += every;
                if let Some(reply) = message.reply {
                    let _ = client.publish(reply, wait.into()).await;
                }
            }
        })))
    }
}

/// Where workers ask when they may begin an attempt.
pub(crate) fn rate_subject(run: &str) -> String {
    format!("raudal.rate.{run}")
}

/// Waits until an attempt may begin, for a run with a rate.
pub(crate) async fn wait_for_rate(broker: &Broker, run: &str) {
    loop {
        let answer = broker.js.client().request(rate_subject(run), bytes::Bytes::new()).await;
        let wait = answer.ok().and_then(|answer| std::str::from_utf8(&answer.payload).ok()?.parse().ok());
        match wait {
            Some(micros) => return tokio::time::sleep(Duration::from_micros(micros)).await,
            // Nobody leads at the moment.
            None => tokio::time::sleep(RETRY).await,
        }
    }
}

impl Broker {
    /// The chunks whose jobs are in the stream: waiting, or in the hands of a worker.
    pub(crate) async fn open_jobs(&self, run: &str) -> Result<BTreeSet<u32>> {
        let stream = self.js.get_stream(jobs_stream(run)).await;
        let stream = stream.map_err(|error| failed("cannot find the jobs of the run", error))?;
        let subjects = stream.info_with_subjects(format!("raudal.jobs.{run}.*")).await;
        let mut subjects = subjects.map_err(|error| failed("cannot list the jobs of the run", error))?;
        let mut open = BTreeSet::new();
        while let Some(subject) = subjects.next().await {
            let (subject, _) = subject.map_err(|error| failed("cannot list the jobs of the run", error))?;
            open.extend(protocol::chunk_of(&subject));
        }
        Ok(open)
    }
}
