//! What the observer of a run is told of the inputs that workers read, and the report at the end.

use super::options::{Say, SubmitOptions, Watch};
use super::protocol::{InputLine, WorkerStatus};
use raudal_pipeline::RunOptions;
use raudal_pool::{EventKind, JobReport, RunReport};
use std::collections::{BTreeMap, HashSet};
use std::time::{Duration, Instant};

/// How long a worker that says nothing is shown.
const GONE: Duration = Duration::from_secs(6);
/// Failures that are said as they come. The end of the run names them too, so a short run says
/// them only there.
const FAILURES: u64 = 20;
const SHORT: Duration = Duration::from_secs(5);

/// What the observer of the run is told, and the report at the end.
pub(crate) struct Reports {
    options: RunOptions,
    report: RunReport,
    number: u64,
    begun: Instant,
    failed: u64,
    told: HashSet<u32>,
    /// What each worker said, and when.
    workers: BTreeMap<String, (WorkerStatus, Instant)>,
    say: Say,
    watch: Watch,
}

impl Reports {
    pub(crate) fn new(options: &RunOptions, submit: &SubmitOptions) -> Self {
        // Runs of pools count from 0: no other run of this process has this number.
        Self {
            options: options.clone(),
            report: RunReport::default(),
            number: u64::MAX,
            begun: Instant::now(),
            failed: 0,
            told: HashSet::new(),
            workers: BTreeMap::new(),
            say: submit.say.clone(),
            watch: submit.watch.clone(),
        }
    }

    /// A worker says what it does.
    pub(crate) fn hear(&mut self, status: WorkerStatus) {
        self.workers.insert(status.worker.clone(), (status, Instant::now()));
    }

    /// Shows what the workers do.
    pub(crate) fn show_workers(&mut self) {
        self.workers.retain(|_, (_, at)| at.elapsed() < GONE);
        let all: Vec<WorkerStatus> = self.workers.values().map(|(status, _)| status.clone()).collect();
        (self.watch)(&all);
    }

    pub(crate) fn observe(&self, kind: EventKind<'_>) {
        self.options.observer.observe(&raudal_pool::Event::new(self.number, kind));
    }

    /// Tells of the inputs of a chunk, once.
    pub(crate) fn tell(&mut self, chunk: u32, inputs: &[InputLine]) {
        if inputs.is_empty() || !self.told.insert(chunk) {
            return;
        }
        for line in inputs {
            self.tell_of(&line.report(self.begun.elapsed()));
        }
    }

    /// Tells of an input that is over.
    pub(crate) fn tell_of(&mut self, report: &JobReport) {
        self.report.count(report);
        let (job, label, attempt) = (report.job, report.label.as_str(), report.attempts.max(1));
        let (bytes, items) = (report.bytes, report.items);
        self.observe(EventKind::AttemptStarted { job, label, attempt });
        self.observe(EventKind::Advanced { job, bytes, items });
        if let Some(error) = &report.error {
            self.failed += 1;
            if self.failed <= FAILURES && self.begun.elapsed() > SHORT {
                (self.say)(&format!("failed: {error}"));
            }
            let kind = report.kind.unwrap_or("failed");
            let retry_in = None;
            self.observe(EventKind::AttemptFailed { job, label, attempt, error, kind, retry_in, bytes, items });
        }
        self.observe(EventKind::JobFinished { report });
    }

    pub(crate) fn is_enough(&self) -> bool {
        self.options.stop_after.is_some_and(|most| self.failed >= most)
    }

    /// How long the run has lasted.
    pub(crate) fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Ends the run, once.
    pub(crate) fn finish(&mut self, stopped: bool) -> RunReport {
        (self.report.stopped, self.report.wall) = (stopped, self.begun.elapsed());
        self.observe(EventKind::RunFinished { report: &self.report });
        std::mem::take(&mut self.report)
    }
}
