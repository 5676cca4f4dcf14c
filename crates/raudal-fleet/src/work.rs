//! One job of a worker: reads the inputs of a chunk, one after the other, and writes its part.

use super::allow::Allow;
use super::broker::Broker;
use super::journal::Journal;
use super::lead::{nonce, wait_for_rate};
use super::lease::Lease;
use super::part::PartWriter;
use super::pauses::Pauses;
use super::protocol::{Begun, Event, InputLine, Job, JobInput, RunRecord, bytes, chunk_of, live_subject, pause_key};
use super::store::{Store, part_name};
use async_nats::jetstream::{AckKind, Message};
use futures::future::BoxFuture;
use raudal_common::{Error, Kind, Result, blocking};
use raudal_pipeline::{Gate, InputRead, Reader};
use raudal_pool::{EventKind, Observer};
use raudal_source::Input;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How long a job that could not be finished waits before it is delivered again, at most.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// How long to wait for the queue of a message that may be lost.
const BRIEF: Duration = Duration::from_millis(20);

/// What all jobs of a worker share.
pub(crate) struct Machine {
    pub(crate) broker: Broker,
    pub(crate) name: String,
    pub(crate) allow: Arc<Allow>,
    pub(crate) pauses: Arc<Pauses>,
    pub(crate) say: super::options::Say,
    pub(crate) running: AtomicUsize,
    pub(crate) inputs: AtomicU64,
    pub(crate) bytes: AtomicU64,
}

/// A run that a worker takes part in.
pub(crate) struct ActiveRun {
    pub(crate) record: RunRecord,
    pub(crate) store: Store,
    pub(crate) reader: Reader,
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
        self.running.fetch_add(1, Ordering::Relaxed);
        let ended = self.attempt(&run, &lease, &subject, delivered).await;
        self.running.fetch_sub(1, Ordering::Relaxed);
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
        let (name, record) = (part_name(job.chunk), &run.record);
        // Another worker may have written it after it lost its lease.
        if delivered > 1 && run.store.has(&name).await? {
            return self.tell_part(run, job.chunk, 0, 0, Vec::new()).await.map(|()| Ended::Done);
        }
        let mut journal = Journal::open(&self.broker, &record.run, job.chunk, delivered, record.deliveries).await?;
        let mut part = PartWriter::new()?;
        let (mut lines, mut rows) = (Vec::with_capacity(inputs.len()), 0);
        for (of, input) in job.inputs.iter().zip(inputs) {
            if !lease.holds() {
                (self.say)(&format!(
                    "chunk {} of {} was lost: this worker stood still for too long",
                    job.chunk, record.run
                ));
                return Ok(Ended::Abandoned);
            }
            self.tell_begun(&record.run, Begun { chunk: job.chunk, i: of.i, name: input.name.clone() }).await;
            let Some(read) = self.journaled(run, &mut journal, of, input).await? else {
                return Ok(Ended::Stopped);
            };
            self.inputs.fetch_add(1, Ordering::Relaxed);
            self.bytes.fetch_add(read.report.bytes, Ordering::Relaxed);
            let line = InputLine::of(of.i, &read.report, read.result.as_ref().err(), read.locked);
            rows += read.result.as_ref().map_or(0, raudal_table::Rows::rows_kept);
            let (result, of_part) = (read.result.ok(), line.clone());
            part = blocking(move || part.add(&of_part, result).map(|()| part)).await??;
            lines.push(line);
        }
        let (object, length) = blocking(move || part.finish()).await??;
        run.store.put(&name, object).await?;
        self.tell_part(run, job.chunk, rows, length, lines).await?;
        Ok(Ended::Done)
    }

    /// Reads an input, unless it has killed too many workers. `None` if it was stopped.
    async fn journaled(
        &self,
        run: &ActiveRun,
        journal: &mut Option<Journal>,
        of: &JobInput,
        input: Input,
    ) -> Result<Option<InputRead>> {
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
    async fn read(&self, run: &ActiveRun, of: &JobInput, input: Input) -> Result<Option<InputRead>> {
        if let Err(error) = self.allow.check(&input.location) {
            return Ok(Some(InputRead::failed(error, &input)));
        }
        let checksums = of.checksums(&input)?;
        let fleet = Fleet { broker: self.broker.clone(), run: run.record.run.clone(), worker: self.name.clone() };
        let gate = FleetGate {
            pauses: Arc::clone(&self.pauses),
            rate: run.record.rate.map(|_| self.broker.clone()),
            run: run.record.run.clone(),
        };
        Ok(run.reader.read(input, checksums, Arc::new(gate), Arc::new(fleet), &run.cancel).await)
    }

    /// Shows the input to those who watch. Not worth any wait.
    async fn tell_begun(&self, run: &str, begun: Begun) {
        if let Ok(value) = bytes(&begun) {
            let client = self.broker.js.client();
            // While the broker is gone, messages queue up, and then they wait.
            let _ = tokio::time::timeout(BRIEF, client.publish(live_subject(run), value)).await;
        }
    }

    async fn tell_part(
        &self,
        run: &ActiveRun,
        chunk: u32,
        rows: u64,
        bytes: u64,
        inputs: Vec<InputLine>,
    ) -> Result<()> {
        let event = Event::Part { chunk, worker: self.name.clone(), rows, bytes, inputs };
        self.broker.tell(&run.record.run, &event, None).await
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

/// Reads a job and its inputs.
fn read_job(subject: &str, payload: &[u8]) -> Result<(Job, Vec<Input>), String> {
    let job: Job = serde_json::from_slice(payload).map_err(|error| error.to_string())?;
    if chunk_of(subject) != Some(job.chunk) {
        return Err(format!("it is about another chunk: {}", job.chunk));
    }
    let inputs = job.inputs.iter().map(super::protocol::JobInput::input);
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
