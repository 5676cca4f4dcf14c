//! One job of a worker: reads the inputs of a chunk, one after the other, and writes its part.

use super::allow::Allow;
use super::broker::Broker;
use super::counters::Counters;
use super::jobs::{Job, JobInput};
use super::journal::Journal;
use super::lead::wait_for_rate;
use super::lease::Lease;
use super::made::{Around, Made, Work};
use super::part::PartWriter;
use super::pauses::Pauses;
use super::protocol::nonce;
use super::protocol::{Event, InputLine, RunRecord, WorkerStatus, Written, bytes, chunk_of, live_subject, pause_key};
use super::store::{Store, part_name};
use async_nats::jetstream::{AckKind, Message};
use futures::future::BoxFuture;
use raudal_common::{Error, Kind, Portable, Result, blocking};
use raudal_pipeline::{Gate, InputRead};
use raudal_pool::{EventKind, Observer};
use raudal_source::Input;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// How long a job that could not be finished waits before it is delivered again, at most.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// How often those who watch are shown what this worker does, and how often if that is the same.
const SHOWN: Duration = Duration::from_millis(500);
const SAME: Duration = Duration::from_secs(2);

/// Failures of a chunk that are shown to those who watch: a message has an upper limit.
const ERRORS: usize = 8;

/// How long to wait for the queue of a message that may be lost.
const BRIEF: Duration = Duration::from_millis(20);

/// What all jobs of a worker share.
pub(crate) struct Machine {
    pub(crate) broker: Broker,
    pub(crate) name: String,
    /// The machine that it runs on.
    pub(crate) host: String,
    pub(crate) allow: Arc<Allow>,
    pub(crate) pauses: Arc<Pauses>,
    pub(crate) say: super::options::Say,
    /// What was done in all runs.
    pub(crate) counters: Counters,
}

/// A run that a worker takes part in.
pub(crate) struct ActiveRun {
    pub(crate) record: RunRecord,
    pub(crate) store: Store,
    pub(crate) kind: Work,
    pub(crate) counters: Counters,
    /// Cancelled when the run is, and when the worker gives back what it has begun.
    pub(crate) cancel: CancellationToken,
}

/// How a job ended.
enum Ended {
    /// Its part is there.
    Done,
    /// It cannot be read, and never will.
    Unreadable(String),
    /// It is no longer ours, or its run was cancelled. Nothing is left of it.
    Abandoned,
    /// It was stopped by this worker.
    Stopped,
    /// Something is wrong here, and may be better later or elsewhere.
    Failed(Error),
}

impl Machine {
    /// Does a job, and tells the broker how it ended.
    pub(crate) async fn work(self: Arc<Self>, run: Arc<ActiveRun>, message: Message) {
        let delivered = message.info().map_or(1, |info| info.delivered);
        let subject = message.subject.to_string();
        let lease = Lease::new(message, run.record.lease());
        self.counters.begin();
        run.counters.begin();
        let ended = self.attempt(&run, &lease, &subject, delivered).await;
        self.counters.end();
        run.counters.end();
        match ended {
            Ended::Done => lease.done().await,
            Ended::Unreadable(reason) => self.quarantine(&run, lease, subject, reason).await,
            Ended::Abandoned => {}
            Ended::Stopped => lease.give_back(Duration::ZERO).await,
            Ended::Failed(error) => {
                self.tell_refused(&run.record.run, &error).await;
                let wait = Duration::from_secs(u64::try_from(delivered).unwrap_or(1));
                lease.give_back(wait.min(LONGEST_WAIT)).await;
            }
        }
    }

    async fn attempt(&self, run: &ActiveRun, lease: &Lease, subject: &str, delivered: i64) -> Ended {
        let (job, inputs) = match read_job(subject, &lease.message().payload) {
            Ok(read) => read,
            Err(reason) => return Ended::Unreadable(reason),
        };
        match self.chunk(run, lease, &job, inputs, delivered).await {
            Ok(ended) => ended,
            Err(_) if run.cancel.is_cancelled() => Ended::Abandoned,
            Err(error) => Ended::Failed(error),
        }
    }

    async fn chunk(
        &self,
        run: &ActiveRun,
        lease: &Lease,
        job: &Job,
        inputs: Vec<Input>,
        delivered: i64,
    ) -> Result<Ended> {
        let (name, record, begun) = (part_name(job.chunk), &run.record, Instant::now());
        let mut written = Written { chunk: job.chunk, worker: self.name.clone(), ..Written::default() };
        // Another worker may have written it after it lost its lease.
        if delivered > 1 && run.store.has(&name).await? {
            return self.tell_part(run, written).await.map(|()| Ended::Done);
        }
        let mut journal = Journal::open(&self.broker, &record.run, job.chunk, delivered, record.deliveries).await?;
        let mut part = PartWriter::new()?;
        for (of, input) in job.inputs.iter().zip(inputs) {
            if !lease.holds() {
                (self.say)(&format!(
                    "chunk {} of {} was lost: this worker was still, or cut off, for too long",
                    job.chunk, record.run
                ));
                return Ok(Ended::Abandoned);
            }
            let Some(read) = self.journaled(run, &mut journal, of, input).await? else {
                return Ok(Ended::Stopped);
            };
            self.counters.count(&read);
            run.counters.count(&read);
            count(&mut written, &read);
            let mut line = InputLine::of(of.i, &read.report, read.result.as_ref().err(), read.locked);
            let rows = match read.result.ok() {
                Some(Made::Rows(rows)) => Some(rows),
                Some(Made::File(file)) => {
                    line.file = Some(file);
                    None
                }
                None => None,
            };
            if part.is_quick(rows.as_ref()) {
                part.add(&line, rows)?;
            } else {
                part = blocking(move || part.add(&line, rows).map(|()| part)).await??;
            }
        }
        let (object, length) = if part.is_small() { part.finish()? } else { blocking(move || part.finish()).await?? };
        run.store.put(&name, object).await?;
        (written.bytes, written.ms) = (length, u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX));
        self.tell_part(run, written).await?;
        Ok(Ended::Done)
    }

    /// Reads an input, unless it has killed too many workers. `None` if it was stopped.
    async fn journaled(
        &self,
        run: &ActiveRun,
        journal: &mut Option<Journal>,
        of: &JobInput,
        input: Input,
    ) -> Result<Option<InputRead<Made>>> {
        let Some(journal) = journal else { return self.read(run, of, input).await };
        match journal.begin(of.i).await {
            Ok(()) => {}
            // Its count stays, so that it is given up again if the chunk comes again.
            Err(error) if error.kind() == Kind::Internal => return Ok(Some(InputRead::failed(error, &input))),
            Err(error) => return Err(error),
        }
        let read = self.read(run, of, input).await?;
        match &read {
            Some(_) => journal.end(of.i),
            None => journal.release(of.i).await,
        }
        Ok(read)
    }

    /// Reads an input, if it is allowed. `None` if it was stopped.
    async fn read(&self, run: &ActiveRun, of: &JobInput, input: Input) -> Result<Option<InputRead<Made>>> {
        if let Some(refused) = &of.refused {
            return Ok(Some(InputRead::failed(refused.clone().into_error(), &input)));
        }
        if let Err(error) = self.allow.check(&input.location) {
            return Ok(Some(InputRead::failed(error, &input)));
        }
        let fleet = Fleet { broker: self.broker.clone(), run: run.record.run.clone(), worker: self.name.clone() };
        let gate = FleetGate {
            pauses: Arc::clone(&self.pauses),
            rate: run.record.rate.map(|_| self.broker.clone()),
            run: run.record.run.clone(),
        };
        let (gate, fleet) = (Arc::new(gate), Arc::new(fleet));
        run.kind.read(&run.store, of, input, Around { gate, observer: fleet, cancel: &run.cancel }).await
    }

    /// Shows those who watch a run what this worker does in it.
    pub(crate) async fn show(&self, run: &ActiveRun) {
        let (client, subject) = (self.broker.js.client(), live_subject(&run.record.run));
        let mut last = None;
        let mut clock = tokio::time::interval(SHOWN);
        loop {
            clock.tick().await;
            let counts = run.counters.now();
            if last.is_some_and(|(shown, at): (_, Instant)| shown == counts && at.elapsed() < SAME) {
                continue;
            }
            last = Some((counts, Instant::now()));
            let status = WorkerStatus {
                worker: self.name.clone(),
                host: self.host.clone(),
                running: counts.running,
                inputs: counts.inputs,
                failed: counts.failed,
                rows: counts.rows,
                bytes: counts.bytes,
            };
            if let Ok(value) = bytes(&status) {
                // While the broker is gone, messages queue up, and then they wait.
                let _ = tokio::time::timeout(BRIEF, client.publish(subject.clone(), value)).await;
            }
        }
    }

    async fn tell_part(&self, run: &ActiveRun, written: Written) -> Result<()> {
        self.broker.tell(&run.record.run, &Event::Part(written), None).await
    }

    /// Names a message that cannot be read, keeps it, and has its chunk done again.
    async fn quarantine(&self, run: &ActiveRun, lease: Lease, subject: String, reason: String) {
        (self.say)(&format!("a message that cannot be read was set aside: {subject}: {reason}"));
        let run_name = &run.record.run;
        let mut object = super::part::spool();
        let kept = std::io::Write::write_all(&mut object, &lease.message().payload)
            .and_then(|()| std::io::Seek::rewind(&mut object));
        if kept.is_ok() {
            let name = format!("aside-{}", nonce());
            let _ = run.store.put(&name, object).await;
        }
        let event = Event::Aside { subject: subject.clone(), worker: self.name.clone(), reason };
        let told = self.broker.tell(run_name, &event, None).await;
        if told.is_ok() {
            let _ = lease.message().ack_with(AckKind::Term).await;
            if let Some(chunk) = chunk_of(&subject) {
                let _ = self.broker.tell(run_name, &Event::Redo { chunk }, None).await;
            }
        }
    }

    /// Says why this worker cannot do what a run asks for. Said once in a while for each reason.
    pub(crate) async fn tell_refused(&self, run: &str, error: &Error) {
        let reason = error.report();
        (self.say)(&format!("{run}: {reason}"));
        let id = format!("{run}.{}.{:016x}", self.name, super::protocol::host_hash(&reason));
        let event = Event::Refused { worker: self.name.clone(), reason };
        let _ = self.broker.tell(run, &event, Some(id)).await;
    }
}

impl fmt::Debug for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Counts an input of a part.
fn count(written: &mut Written, read: &InputRead<Made>) {
    written.inputs += 1;
    match &read.result {
        Ok(made) => written.rows += made.rows(),
        Err(error) => {
            written.failed += 1;
            if written.errors.len() < ERRORS {
                written.errors.push(Portable::from(error));
            }
        }
    }
}

/// Reads a job and its inputs.
fn read_job(subject: &str, payload: &[u8]) -> Result<(Job, Vec<Input>), String> {
    let job: Job = serde_json::from_slice(payload).map_err(|error| error.to_string())?;
    if chunk_of(subject) != Some(job.chunk) {
        return Err(format!("it is about another chunk: {}", job.chunk));
    }
    let inputs = job.inputs.iter().map(JobInput::input);
    let inputs = inputs.collect::<Result<Vec<Input>>>().map_err(|error| error.report())?;
    Ok((job, inputs))
}

/// Lets an attempt begin once its host has no pause and the rate of the run allows it.
struct FleetGate {
    pauses: Arc<Pauses>,
    rate: Option<Broker>,
    run: String,
}

impl Gate for FleetGate {
    fn pass(&self, input: &Input) -> BoxFuture<'_, ()> {
        let host = input.location.key();
        Box::pin(async move {
            if let Some(host) = &host {
                self.pauses.wait(&self.run, host).await;
            }
            if let Some(broker) = &self.rate {
                wait_for_rate(broker, &self.run).await;
            }
        })
    }
}

/// Tells the whole fleet of a host that asked for a pause.
struct Fleet {
    broker: Broker,
    run: String,
    worker: String,
}

impl Observer for Fleet {
    fn observe(&self, event: &raudal_pool::Event<'_>) {
        let EventKind::KeyPaused { key, pause } = event.kind else { return };
        let (broker, run, worker, host) = (self.broker.clone(), self.run.clone(), self.worker.clone(), key.to_owned());
        tokio::spawn(async move {
            let ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
            let event = Event::Paused { host: host.clone(), ms, worker };
            if let Ok(value) = bytes(&event) {
                let _ = broker.put_expiring(&pause_key(&run, &host), value, pause, None).await;
            }
            let _ = broker.tell(&run, &event, None).await;
        });
    }
}
