//! The messages of a fleet, and the names of what the broker holds.
//!
//! All messages are JSON. A change that an older version would misread raises [`PROTOCOL`].

use raudal_common::{Error, Kind, Portable, Result};
use raudal_fetch::Carried;
use raudal_pipeline::files::Fetch;
use raudal_pipeline::{Locked, known_checksum};
use raudal_pool::{JobReport, Outcome};
use raudal_source::{Checksums, Input, Location};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::sync::Arc;
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

/// A chunk of inputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Job {
    pub(crate) chunk: u32,
    pub(crate) inputs: Vec<JobInput>,
}

/// An input of a chunk. It holds no credentials.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JobInput {
    /// Its place among all inputs.
    pub(crate) i: u64,
    pub(crate) place: String,
    /// The name that a list gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) member: Option<String>,
    /// The SHA-256 that it must have; empty if the list of checksums lacks it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sha256: Option<String>,
    /// Why it is no input, but a line of a list that fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) refused: Option<Portable>,
}

impl JobInput {
    /// Returns the job of an input that is read as a table. With checksums, it must be in their list.
    ///
    /// # Errors
    ///
    /// As [`plain`](Self::plain).
    pub(crate) fn of(i: u64, input: &Input, checksums: Option<&Checksums>) -> Result<Self> {
        if let Some(refusal) = input.refusal() {
            return Ok(Self::refused(i, input, &refusal));
        }
        let sha256 = checksums.map(|sums| known_checksum(sums, input).unwrap_or_default().to_owned());
        Ok(Self { sha256, ..Self::plain(i, input)? })
    }

    /// Returns the job of an input that is fetched as a file.
    ///
    /// # Errors
    ///
    /// As [`plain`](Self::plain).
    pub(crate) fn of_file(i: u64, (input, expected): &Fetch) -> Result<Self> {
        match expected {
            Ok(sha256) => Ok(Self { sha256: sha256.clone(), ..Self::plain(i, input)? }),
            Err(refusal) => Ok(Self::refused(i, input, refusal)),
        }
    }

    /// Returns the job of an input that has failed already.
    fn refused(i: u64, input: &Input, refusal: &Error) -> Self {
        let (place, refused) = (input.location.to_string(), Some(Portable::from(refusal)));
        Self { i, place, name: None, member: None, sha256: None, refused }
    }

    /// # Errors
    ///
    /// A usage error for an input with a login, standard input, and a path that is no text.
    fn plain(i: u64, input: &Input) -> Result<Self> {
        let place = match &input.location {
            Location::Url(url) if !url.username().is_empty() || url.password().is_some() => {
                return Err(Error::usage("a login in the URL of an input would be sent to all workers")
                    .input(input.location.to_string())
                    .hint("give the login to the workers, in their netrc file"));
            }
            Location::Url(url) => url.to_string(),
            Location::Stdin => {
                return Err(Error::usage("standard input cannot be sent to workers")
                    .hint("write it to a file that they can read, or to a server"));
            }
            // A worker has another working folder.
            Location::File(path) => std::path::absolute(path)
                .ok()
                .and_then(|path| path.to_str().map(str::to_owned))
                .ok_or_else(|| Error::usage("the path is not text").input(input.location.to_string()))?,
        };
        let (name, member) = (input.is_named.then(|| input.name.clone()), input.member.clone());
        Ok(Self { i, place, name, member, sha256: None, refused: None })
    }

    /// The list of checksums that has this input alone, or not even that.
    pub(crate) fn checksums(&self, input: &Input) -> Result<Option<Arc<Checksums>>> {
        let Some(digest) = &self.sha256 else { return Ok(None) };
        let line = if digest.is_empty() { String::new() } else { format!("{digest}  {}\n", input.location) };
        Checksums::read(line.as_bytes(), "the checksum of the job").map(Arc::new).map(Some)
    }

    pub(crate) fn input(&self) -> Result<Input> {
        if self.refused.is_some() {
            return Ok(Input::new(Location::File(self.place.clone().into())));
        }
        let mut input = Input::new(Location::parse(&self.place)?);
        if let Some(name) = &self.name {
            input = input.named(name);
        }
        input.member.clone_from(&self.member);
        Ok(input)
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
    /// A part was damaged: its chunk is to be done again.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_input_comes_through_with_its_name_and_member_and_never_with_a_login() {
        let parse = |text: &str| Input::new(Location::parse(text).expect("a location"));
        let input = parse("https://h/a%20b.zip?v=1").named("a\tb").with_member("**/*.csv");
        let sent = serde_json::to_string(&JobInput::of(7, &input, None).expect("no login")).expect("JSON");
        let back: JobInput = serde_json::from_str(&sent).expect("the same");
        assert_eq!((back.i, back.input().expect("an input")), (7, input));
        let error = JobInput::of(0, &parse("https://me:secret@h/a.zip"), None).expect_err("a login");
        assert!(!format!("{error:?}").contains("secret") && error.hint_text().is_some(), "{error:?}");
        let list = raudal_source::read_list("https://h/a.zip\nftp://h/b.zip\n".as_bytes(), "urls.txt").expect("a list");
        let line = JobInput::of(1, &list[1], None).expect("a line that fails");
        assert_eq!(line.input().expect("a place").name, list[1].name);
        let error = line.refused.expect("a reason").into_error();
        assert_eq!(Some(error.report()), list[1].refusal().map(|error| error.report()));
        assert!(JobInput::of(0, &Input::new(Location::Stdin), None).is_err());
        let file = JobInput::of(0, &parse("a b.csv"), None).expect("a path");
        assert!(std::path::Path::new(&file.place).is_absolute());
    }

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
