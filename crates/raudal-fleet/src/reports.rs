//! What the observer of a run is told of the inputs that workers read, and the report at the end.

use super::options::{Say, SubmitOptions, Watch};
use super::protocol::{InputLine, WorkerStatus};
use raudal_pipeline::Options;
use raudal_pool::{EventKind, RunReport};
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
    options: Options,
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
    pub(crate) fn new(options: &Options, submit: &SubmitOptions) -> Self {
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
        self.options.run.observer.observe(&raudal_pool::Event::new(self.number, kind));
    }

    /// Tells of the inputs of a chunk, once.
    pub(crate) fn tell(&mut self, chunk: u32, inputs: &[InputLine]) {
        if inputs.is_empty() || !self.told.insert(chunk) {
            return;
        }
        for line in inputs {
            let report = line.report(self.begun.elapsed());
            self.report.count(&report);
            let attempt = line.attempts.max(1);
            self.observe(EventKind::AttemptStarted { job: line.i, label: &line.name, attempt });
            self.observe(EventKind::Advanced { job: line.i, bytes: line.bytes, items: line.items });
            if let Some(error) = &report.error {
                self.failed += 1;
                if self.failed <= FAILURES && self.begun.elapsed() > SHORT {
                    (self.say)(&format!("failed: {error}"));
                }
                self.observe(EventKind::AttemptFailed {
                    job: line.i,
                    label: &line.name,
                    attempt,
                    error,
                    kind: report.kind.unwrap_or("failed"),
                    retry_in: None,
                    bytes: line.bytes,
                    items: line.items,
                });
            }
            self.observe(EventKind::JobFinished { report: &report });
        }
    }

    pub(crate) fn is_enough(&self) -> bool {
        self.options.run.stop_after.is_some_and(|most| self.failed >= most)
    }

    pub(crate) fn finish(mut self, stopped: bool) -> RunReport {
        (self.report.stopped, self.report.wall) = (stopped, self.begun.elapsed());
        self.observe(EventKind::RunFinished { report: &self.report });
        self.report
    }
}
