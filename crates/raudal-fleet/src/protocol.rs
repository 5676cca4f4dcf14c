//! The messages of a fleet, and the names of what the broker holds.
//!
//! All messages are JSON. A change that an older version would misread raises [`PROTOCOL`].

use raudal_common::{Error, Kind, Portable, Result};
use raudal_fetch::Carried;
use raudal_pipeline::Locked;
use raudal_pool::{JobReport, Outcome};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// The version of the messages. A worker takes part only in runs of its own.
pub const PROTOCOL: u32 = 2;

/// The bucket that holds what is true of each run, pause and worker.
pub(crate) const BUCKET: &str = "raudal";

pub(crate) fn jobs_stream(run: &str) -> String {
    format!("raudal-jobs-{run}")
}

pub(crate) fn events_stream(run: &str) -> String {
    format!("raudal-events-{run}")
}

pub(crate) fn job_subject(run: &str, chunk: u32) -> String {
    format!("raudal.jobs.{run}.{chunk}")
}

/// Returns the chunk of a job's subject.
pub(crate) fn chunk_of(subject: &str) -> Option<u32> {
    subject.rsplit('.').next()?.parse().ok()
}

pub(crate) fn event_subject(run: &str) -> String {
    format!("raudal.events.{run}")
}

/// What is worth knowing only now goes here. Nothing of it is stored.
pub(crate) fn live_subject(run: &str) -> String {
    format!("raudal.live.{run}")
}

pub(crate) fn run_key(run: &str) -> String {
    format!("run.{run}")
}

pub(crate) fn lead_key(run: &str) -> String {
    format!("lead.{run}")
}

pub(crate) fn begun_key(run: &str, chunk: u32) -> String {
    format!("begun.{run}.{chunk}")
}

pub(crate) fn worker_key(worker: &str) -> String {
    format!("worker.{worker}")
}

/// The key of a pause. Keys may not hold every character of a host, so they hold its hash.
pub(crate) fn pause_key(run: &str, host: &str) -> String {
    format!("pause.{run}.{:016x}", host_hash(host))
}

/// Identifies a host in little memory.
pub(crate) fn host_hash(host: &str) -> u64 {
    let digest = Sha256::digest(host.as_bytes());
    digest.iter().take(8).fold(0, |hash, byte| (hash << 8) | u64::from(*byte))
}

/// Whether this is the name of a run. It becomes the name of streams and of a folder.
pub(crate) fn is_name(run: &str) -> bool {
    (1..=64).contains(&run.len()) && run.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
}

/// Whether a run goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum State {
    /// Workers take its jobs.
    Running,
    /// Somebody ended it.
    Cancelled,
}

/// What every version understands of a run.
#[derive(Deserialize)]
pub(crate) struct Versions {
    pub(crate) protocol: u32,
    pub(crate) raudal: String,
}

/// All that a worker needs to know of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunRecord {
    pub(crate) protocol: u32,
    pub(crate) raudal: String,
    pub(crate) run: String,
    pub(crate) state: State,
    /// A hash of the plan and of the words below.
    pub(crate) digest: String,
    /// What to do with each input, in the words of the command line.
    pub(crate) spec: Vec<String>,
    /// Whether its inputs are fetched as files, and not read as tables.
    pub(crate) files: bool,
    pub(crate) parts: String,
    pub(crate) inputs: u64,
    pub(crate) chunks: u32,
    pub(crate) per_host: usize,
    /// At most this many chunks are open.
    pub(crate) open: usize,
    /// Whether what the inputs were is recorded, for a lock file.
    pub(crate) lock: bool,
    /// Attempts a second, of all workers together.
    pub(crate) rate: Option<f64>,
    pub(crate) lease_ms: u64,
    /// After so many deliveries without a result, an input is given up.
    pub(crate) deliveries: u32,
    /// The machine that submitted it, and when by its clock, in seconds since 1970. For people only.
    pub(crate) from: String,
    pub(crate) begun: u64,
}

impl RunRecord {
    #[cfg(test)]
    pub(crate) fn sample() -> Self {
        Self {
            protocol: PROTOCOL,
            raudal: "0.1.0".to_owned(),
            run: "sample".to_owned(),
            state: State::Running,
            digest: "00".to_owned(),
            spec: Vec::new(),
            files: false,
            parts: "nats".to_owned(),
            inputs: 2,
            chunks: 1,
            per_host: 8,
            open: 16,
            lock: false,
            rate: None,
            lease_ms: 1_000,
            deliveries: 5,
            from: "here".to_owned(),
            begun: 7,
        }
    }

    pub(crate) fn lease(&self) -> Duration {
        Duration::from_millis(self.lease_ms)
    }
}

/// What became of an input, without its rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct InputLine {
    pub(crate) i: u64,
    pub(crate) name: String,
    pub(crate) attempts: u32,
    pub(crate) queued_us: u64,
    pub(crate) running_us: u64,
    pub(crate) bytes: u64,
    pub(crate) items: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<Portable>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) locked: Option<Locked>,
    /// What was fetched, if it is a file. Its bytes are beside the part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<Carried>,
}

impl InputLine {
    pub(crate) fn of(i: u64, report: &JobReport, error: Option<&Error>, locked: Option<Locked>) -> Self {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        Self {
            i,
            name: report.label.clone(),
            attempts: report.attempts,
            queued_us: micros(report.queued),
            running_us: micros(report.running),
            bytes: report.bytes,
            items: report.items,
            error: error.map(Portable::from),
            locked,
            file: None,
        }
    }

    /// Returns it as the report of a job that ended so long after the start of the run.
    pub(crate) fn report(&self, ended: Duration) -> JobReport {
        let outcome = if self.error.is_some() { Outcome::Failed } else { Outcome::Succeeded };
        let mut report = JobReport::new(self.i, self.name.clone(), outcome);
        report.attempts = self.attempts;
        report.queued = Duration::from_micros(self.queued_us);
        report.running = Duration::from_micros(self.running_us);
        report.started = ended.saturating_sub(report.running);
        (report.bytes, report.items) = (self.bytes, self.items);
        if let Some(error) = self.error.clone().map(Portable::into_error) {
            report.kind = Some(error.kind().word());
            report.error = Some(error.report());
        }
        report
    }
}

/// What happened in a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(crate) enum Event {
    /// The part of a chunk is written.
    Part(Written),
    /// A part was damaged. A worker must do its chunk again.
    Redo { chunk: u32 },
    /// A message could not be read, and was set aside.
    Aside { subject: String, worker: String, reason: String },
    /// A worker cannot take part.
    Refused { worker: String, reason: String },
    /// A host asked for a pause.
    Paused { host: String, ms: u64, worker: String },
}

/// A part that a worker has written. What became of each input is in the part.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Written {
    pub(crate) chunk: u32,
    pub(crate) worker: String,
    pub(crate) inputs: u64,
    pub(crate) failed: u64,
    pub(crate) rows: u64,
    /// Of the part.
    pub(crate) bytes: u64,
    /// How long the chunk took the worker.
    pub(crate) ms: u64,
    /// The first failures, for people who watch.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) errors: Vec<Portable>,
}

/// What a worker does in a run, and has done in it so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WorkerStatus {
    /// Its name.
    pub worker: String,
    /// The machine that it runs on.
    pub host: String,
    /// Chunks that it works through now.
    pub running: usize,
    /// Inputs that it has read, those that failed among them.
    pub inputs: u64,
    /// Inputs that failed.
    pub failed: u64,
    /// Rows that it has kept.
    pub rows: u64,
    /// Bytes that it has fetched.
    pub bytes: u64,
}

/// A worker that is there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Presence {
    pub(crate) worker: String,
    pub(crate) host: String,
    pub(crate) protocol: u32,
    pub(crate) raudal: String,
    pub(crate) slots: usize,
    pub(crate) running: usize,
    pub(crate) inputs: u64,
    pub(crate) bytes: u64,
}

/// Serializes a message. Plain fields cannot fail to.
pub(crate) fn bytes(message: &impl Serialize) -> Result<bytes::Bytes> {
    serde_json::to_vec(message)
        .map(Into::into)
        .map_err(|error| Error::new(Kind::Internal, "cannot write a message").because(error))
}

/// Makes an id that no other message has.
pub(crate) fn nonce() -> String {
    format!("{:016x}", std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), std::process::id()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_run_leads_to_no_other_folder() {
        assert!(is_name("run-7_b") && is_name(&"x".repeat(64)));
        for bad in ["", "../x", "a/b", "a.b", "a b", "*", "é"] {
            assert!(!is_name(bad), "{bad}");
        }
        assert!(!is_name(&"x".repeat(65)));
    }

    #[test]
    fn keys_and_subjects_hold_no_character_of_a_host() {
        let key = pause_key("r-1", "http://[::1]:80/*>");
        assert!(key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte)), "{key}");
        assert_eq!(chunk_of(&job_subject("run-7", 12)), Some(12));
        assert_eq!(chunk_of("raudal.jobs.run-7.x"), None);
    }
}
