//! An observer that keeps what became of each job.

use crate::error::Result;
use crate::pool::{Event, JobReport, LimitChange, LimitLog, Observer, RunReport};
use serde::Serialize;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Keeps every [`JobReport`], every [`LimitChange`] and the [`RunReport`], for `--report` and for timelines.
///
/// Its memory grows with the number of jobs: a run of millions goes without.
///
/// ```
/// use raudal::pool::{Event, Observer, RunReport};
/// use raudal::progress::Recorder;
///
/// let recorder = Recorder::default();
/// recorder.observe(&Event::RunFinished { report: &RunReport::default() });
/// let recording = recorder.recording();
/// assert!(recording.jobs.is_empty() && recording.run.is_some());
/// ```
#[derive(Debug, Default)]
pub struct Recorder {
    recording: Mutex<Recording>,
    limits: LimitLog,
}

/// What a [`Recorder`] kept. In JSON, times are seconds.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Recording {
    /// What became of the run, once it is over.
    pub run: Option<RunReport>,
    /// Attempts that failed and were followed by another.
    pub retries: u64,
    /// How often a key was held back.
    pub pauses: u64,
    /// The limits that were set for keys (hosts), in the order of time.
    pub limits: Vec<LimitChange>,
    /// What became of each job, in the order of the input.
    pub jobs: Vec<JobReport>,
}

impl Recorder {
    /// What was kept so far, jobs in the order of the input.
    pub fn recording(&self) -> Recording {
        let mut recording = self.lock().clone();
        recording.jobs.sort_by_key(|job| job.job);
        recording.limits = self.limits.changes();
        recording
    }

    /// What was kept so far, as pretty JSON with a newline at its end.
    pub fn to_json(&self) -> Result<String> {
        let json = serde_json::to_string_pretty(&self.recording());
        let json = json.map_err(|e| crate::Error::new(crate::Kind::Internal, "cannot write the report").because(e))?;
        Ok(json + "\n")
    }

    fn lock(&self) -> MutexGuard<'_, Recording> {
        self.recording.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Recorder {
    fn observe(&self, event: &Event<'_>) {
        self.limits.observe(event);
        match event {
            Event::AttemptFailed { retry_in: Some(_), .. } => self.lock().retries += 1,
            Event::KeyPaused { .. } => self.lock().pauses += 1,
            Event::JobFinished { report } => self.lock().jobs.push((*report).clone()),
            Event::RunFinished { report } => self.lock().run = Some((*report).clone()),
            _ => {}
        }
    }
}
