//! An observer that keeps the report of each job.

use raudal_common::error::Result;
use raudal_common::lock;
use raudal_common::units::{date, now};
use raudal_pool::{Event, EventKind, JobReport, LimitChange, LimitLog, Observer, RunReport};
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::SystemTime;

/// Keeps every [`JobReport`], every [`LimitChange`] and the [`RunReport`], for `--report` and for
/// timelines.
///
/// Several runs may share one recorder; each has its own recording. Memory grows with the number of
/// jobs, so do not use it for a run of millions.
///
/// ```
/// use raudal_pool::{Event, EventKind, Observer, RunReport};
/// use raudal_progress::Recorder;
///
/// let recorder = Recorder::default();
/// recorder.observe(&Event::new(1, EventKind::RunFinished { report: &RunReport::default() }));
/// let recording = recorder.recording();
/// assert!(recording.jobs.is_empty() && recording.run.is_some());
/// ```
#[derive(Debug, Default)]
pub struct Recorder {
    /// By the number of the run.
    runs: Mutex<BTreeMap<u64, (Recording, LimitLog)>>,
}

/// What a [`Recorder`] kept. In JSON, dates are those of RFC 3339, and other times are seconds.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Recording {
    /// When the run began. All offsets in the reports of the run and of its jobs count from here.
    #[serde(serialize_with = "as_date")]
    pub started: Option<SystemTime>,
    /// When the run was over.
    #[serde(serialize_with = "as_date")]
    pub ended: Option<SystemTime>,
    /// The report of the run, once it is over.
    pub run: Option<RunReport>,
    /// Attempts that failed and were followed by another.
    pub retries: u64,
    /// How often a key was paused.
    pub pauses: u64,
    /// The limits that were set for keys (hosts), in the order of time.
    pub limits: Vec<LimitChange>,
    /// The report of each job, in the order of the input.
    pub jobs: Vec<JobReport>,
}

impl Recorder {
    /// Returns what was kept so far of the run that began last, with its jobs in the order of the
    /// input.
    pub fn recording(&self) -> Recording {
        self.lock().last_key_value().map(|(_, kept)| whole(kept)).unwrap_or_default()
    }

    /// Returns what was kept so far of each run, in the order in which they began.
    pub fn recordings(&self) -> Vec<Recording> {
        self.lock().values().map(whole).collect()
    }

    /// Returns the recording of the run that began last, as pretty JSON with a final newline.
    pub fn to_json(&self) -> Result<String> {
        let json = serde_json::to_string_pretty(&self.recording());
        let json = json.map_err(|e| {
            raudal_common::Error::new(raudal_common::Kind::Internal, "cannot write the report").because(e)
        })?;
        Ok(json + "\n")
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, (Recording, LimitLog)>> {
        lock(&self.runs)
    }
}

#[expect(clippy::ref_option, reason = "serde hands it over like this")]
fn as_date<S: Serializer>(moment: &Option<SystemTime>, to: S) -> std::result::Result<S::Ok, S::Error> {
    moment.map(date).serialize(to)
}

fn whole((recording, limits): &(Recording, LimitLog)) -> Recording {
    let mut recording = recording.clone();
    recording.jobs.sort_by_key(|job| job.job);
    recording.limits = limits.changes();
    recording
}

impl Observer for Recorder {
    fn observe(&self, event: &Event<'_>) {
        if matches!(event.kind, EventKind::Advanced { .. } | EventKind::Stage { .. } | EventKind::Expected { .. }) {
            return;
        }
        let mut runs = self.lock();
        let (recording, limits) = runs.entry(event.run).or_default();
        limits.observe(event);
        match &event.kind {
            EventKind::RunStarted { .. } => recording.started = Some(now()),
            EventKind::AttemptFailed { retry_in: Some(_), .. } => recording.retries += 1,
            EventKind::KeyPaused { .. } => recording.pauses += 1,
            EventKind::JobFinished { report } => recording.jobs.push((*report).clone()),
            EventKind::RunFinished { report } => {
                // This uses the clock of the run, so a change of the system's date has no effect.
                recording.ended = recording.started.and_then(|started| started.checked_add(report.wall));
                recording.run = Some((*report).clone());
            }
            _ => {}
        }
    }
}
