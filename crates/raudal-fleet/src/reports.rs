//! What the observer of a run is told of the inputs that workers read, and the report at the end.

use super::protocol::{Begun, InputLine};
use raudal_pipeline::Options;
use raudal_pool::{EventKind, RunReport};
use std::collections::HashSet;
use std::time::Instant;

/// What the observer of the run is told, and the report at the end.
pub(crate) struct Reports {
    options: Options,
    report: RunReport,
    number: u64,
    begun: Instant,
    failed: u64,
    told: HashSet<u32>,
    /// The inputs that workers have begun.
    begun_inputs: HashSet<u64>,
}

impl Reports {
    pub(crate) fn new(options: &Options) -> Self {
        // Runs of pools count from 0: no other run of this process has this number.
        Self {
            options: options.clone(),
            report: RunReport::default(),
            number: u64::MAX,
            begun: Instant::now(),
            failed: 0,
            told: HashSet::new(),
            begun_inputs: HashSet::new(),
        }
    }

    /// Tells of an input that a worker begins.
    pub(crate) fn begin(&mut self, begun: &Begun) {
        if !self.told.contains(&begun.chunk) && self.begun_inputs.insert(begun.i) {
            self.observe(EventKind::AttemptStarted { job: begun.i, label: &begun.name, attempt: 1 });
        }
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
            if !self.begun_inputs.remove(&line.i) {
                let attempt = line.attempts.max(1);
                self.observe(EventKind::AttemptStarted { job: line.i, label: &line.name, attempt });
            }
            self.observe(EventKind::Advanced { job: line.i, bytes: line.bytes, items: line.items });
            if let Some(error) = &report.error {
                self.failed += 1;
                self.observe(EventKind::AttemptFailed {
                    job: line.i,
                    label: &line.name,
                    attempt: line.attempts.max(1),
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
