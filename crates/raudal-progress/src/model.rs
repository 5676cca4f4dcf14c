//! The state of a run at one moment: events and the time in, numbers out. Nothing here reads a
//! clock or writes.

use super::peers::PeerView;
use super::rate_meter::RateMeter;
use super::sizes::{Sizes, StartedJob, time};
use raudal_pool::{Event, EventKind, Outcome};
use std::collections::BTreeMap;
use std::time::Duration;

/// The speed in this first part of a run does not predict the rest, unless at least one part in `FIRST_SHARE` of the
/// bytes has moved.
const BEGINNING: Duration = Duration::from_secs(10);
const FIRST_SHARE: f64 = 20.0;

/// The progress of a run, or of several runs together.
#[derive(Debug, Default)]
pub(super) struct Model {
    /// When the first of the runs began; `None` while nothing runs.
    pub(super) started: Option<Duration>,
    /// The number of active runs.
    runs: usize,
    pub(super) total: Option<u64>,
    pub(super) succeeded: u64,
    pub(super) failed: u64,
    pub(super) cancelled: u64,
    /// The bytes moved, without those of failed attempts.
    pub(super) bytes: u64,
    pub(super) items: u64,
    /// Jobs that have begun and are not over, by run number and job number.
    pub(super) jobs: BTreeMap<(u64, u64), JobView>,
    /// Paused keys, and until when.
    pub(super) pauses: BTreeMap<String, Duration>,
    /// The machines that do the work, if the run is spread over several.
    pub(super) peers: Vec<PeerView>,
    sizes: Sizes,
    meter: RateMeter,
}

/// A job that has begun and is not over.
#[derive(Debug)]
pub(super) struct JobView {
    pub(super) label: String,
    pub(super) attempt: u32,
    pub(super) stage: Option<&'static str>,
    pub(super) expected: Option<u64>,
    pub(super) bytes: u64,
    pub(super) items: u64,
    /// When its first attempt began.
    pub(super) since: Duration,
    /// Set while it waits for its next attempt.
    pub(super) waiting: Option<WaitingView>,
    /// Its part of the run, in units of [`Sizes`].
    weight: f64,
    meter: RateMeter,
}

/// Why a job waits, and until when.
#[derive(Debug)]
pub(super) struct WaitingView {
    pub(super) reason: String,
    pub(super) until: Duration,
}

impl Model {
    /// Applies one event.
    pub(super) fn apply(&mut self, event: &Event<'_>, now: Duration) {
        let run = event.run;
        match &event.kind {
            EventKind::RunStarted { total, .. } if self.runs == 0 => {
                let meter = RateMeter::new(now);
                *self = Self { started: Some(now), runs: 1, total: *total, meter, ..Self::default() };
            }
            EventKind::RunStarted { total, .. } => {
                self.runs += 1;
                self.total = self.total.zip(*total).map(|(all, more)| all + more);
            }
            EventKind::Sizes { bytes } => self.sizes.tell(run, bytes),
            EventKind::Spawned { .. } => self.total = self.total.map(|total| total + 1),
            EventKind::AttemptStarted { job, label, attempt } => {
                let sizes = &mut self.sizes;
                let begun = || JobView::new(label, sizes.begin(run, *job), now);
                self.jobs.entry((run, *job)).or_insert_with(begun).begin(*attempt, now);
            }
            EventKind::Stage { job, stage } => self.with((run, *job), |job| job.stage = Some(stage)),
            EventKind::Expected { job, bytes } => self.with((run, *job), |job| job.expected = Some(*bytes)),
            EventKind::Advanced { job, bytes, items } => self.advance((run, *job), (*bytes, *items), now),
            EventKind::AttemptFailed { job, error, retry_in, bytes, items, .. } => {
                let waiting =
                    retry_in.map(|wait| WaitingView { reason: (*error).to_owned(), until: now.saturating_add(wait) });
                self.take_back((run, *job), (*bytes, *items), waiting);
            }
            EventKind::KeyPaused { key, pause } => {
                self.pauses.insert((*key).to_owned(), now.saturating_add(*pause));
            }
            EventKind::JobFinished { report } => self.end_job((run, report.job), report.outcome),
            EventKind::RunFinished { .. } => {
                self.runs = self.runs.saturating_sub(1);
                self.jobs.retain(|(other, _), _| *other != run);
                if self.runs == 0 {
                    self.started = None;
                }
            }
            _ => {}
        }
    }

    /// Counts the bytes and items that a job has moved.
    fn advance(&mut self, job: (u64, u64), (bytes, items): (u64, u64), now: Duration) {
        self.bytes += bytes;
        self.items += items;
        self.meter.add(bytes, now);
        self.with(job, |job| {
            job.bytes += bytes;
            job.items += items;
            job.meter.add(bytes, now);
        });
    }

    /// Takes back the bytes and items of a failed attempt.
    fn take_back(&mut self, job: (u64, u64), (bytes, items): (u64, u64), waiting: Option<WaitingView>) {
        // The meter keeps them: they did cross the network, and a speed is never negative.
        self.bytes = self.bytes.saturating_sub(bytes);
        self.items = self.items.saturating_sub(items);
        self.with(job, |job| {
            job.bytes = job.bytes.saturating_sub(bytes);
            job.items = job.items.saturating_sub(items);
            job.expected = None;
            job.stage = None;
            job.waiting = waiting;
        });
    }

    fn end_job(&mut self, job: (u64, u64), outcome: Outcome) {
        let job = self.jobs.remove(&job);
        match outcome {
            Outcome::Succeeded => {
                self.succeeded += 1;
                if let Some(job) = job {
                    self.sizes.succeed(job.weight, job.expected.unwrap_or(job.bytes));
                }
            }
            Outcome::Failed => self.failed += 1,
            _ => self.cancelled += 1,
        }
    }

    /// Lets time pass without an event: a stall must lower the speed.
    pub(super) fn pass(&mut self, now: Duration) {
        self.meter.sample(now);
        for job in self.jobs.values_mut() {
            job.meter.sample(now);
        }
        self.peers.iter_mut().for_each(|peer| peer.pass(now));
        self.pauses.retain(|_, until| *until > now);
    }

    fn with(&mut self, job: (u64, u64), change: impl FnOnce(&mut JobView)) {
        if let Some(job) = self.jobs.get_mut(&job) {
            change(job);
        }
    }

    /// Jobs that are over, however they ended.
    pub(super) fn done(&self) -> u64 {
        self.succeeded + self.failed + self.cancelled
    }

    /// Jobs that hold a slot.
    pub(super) fn in_flight(&self) -> usize {
        self.jobs.values().filter(|job| job.waiting.is_none()).count()
    }

    /// Returns the bytes per second over the last seconds.
    pub(super) fn speed(&self, now: Duration) -> Option<f64> {
        self.meter.per_second(now)
    }

    /// Returns how much of the run is done, from 0 to 1: by bytes if all sizes were announced in advance, otherwise
    /// by finished jobs plus the known shares of the jobs in flight.
    pub(super) fn share(&self) -> Option<f64> {
        let total = self.total.filter(|total| *total > 0)?;
        if let Some(left) = self.left().filter(|_| self.sizes.are_told(total)) {
            let moved = self.bytes as f64;
            return Some(moved / (moved + left).max(1.0));
        }
        let parts: f64 = self.jobs.values().filter_map(JobView::share).sum();
        Some(((self.done() as f64 + parts) / total as f64).clamp(0.0, 1.0))
    }

    /// Estimates how long the rest will take: the bytes that are left, at the current speed. There
    /// is no estimate if too little is known of the sizes, if nothing moves, or if the run has just begun.
    pub(super) fn remaining(&self, now: Duration) -> Option<Duration> {
        let left = self.left()?;
        let is_begun = now.saturating_sub(self.started?) >= BEGINNING;
        // In the beginning connections are opened, and the limit of an adaptive run grows.
        if !is_begun && (self.bytes as f64) * FIRST_SHARE < left {
            return None;
        }
        time(left, self.speed(now)?)
    }

    /// Returns how many bytes are left, if enough is known.
    fn left(&self) -> Option<f64> {
        let total = self.total?;
        let to_come = total.saturating_sub(self.done() + self.jobs.len() as u64);
        let begun = |job: &JobView| StartedJob { weight: job.weight, expected: job.expected, moved: job.bytes };
        let in_flight: Vec<StartedJob> = self.jobs.values().map(begun).collect();
        self.sizes.left(total, to_come, &in_flight)
    }
}

impl JobView {
    fn new(label: &str, weight: f64, now: Duration) -> Self {
        Self {
            label: raudal_common::error::printable(label),
            attempt: 0,
            stage: None,
            expected: None,
            bytes: 0,
            items: 0,
            since: now,
            waiting: None,
            weight,
            meter: RateMeter::new(now),
        }
    }

    fn begin(&mut self, attempt: u32, now: Duration) {
        self.attempt = attempt;
        self.waiting = None;
        self.stage = None;
        self.meter = RateMeter::new(now);
    }

    /// Returns how much of it is done, from 0 to 1, if its length is known.
    pub(super) fn share(&self) -> Option<f64> {
        let expected = self.expected.filter(|expected| *expected > 0)?;
        Some((self.bytes as f64 / expected as f64).clamp(0.0, 1.0))
    }

    /// Returns the bytes per second over the last seconds.
    pub(super) fn speed(&self, now: Duration) -> Option<f64> {
        self.meter.per_second(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn started(total: u64) -> Model {
        let mut model = Model::default();
        model.apply(&Event::new(1, EventKind::RunStarted { total: Some(total), jobs: 8 }), at(0));
        model
    }

    fn begin(model: &mut Model, job: u64, now: Duration) {
        model.apply(&Event::new(1, EventKind::AttemptStarted { job, label: "a.zip", attempt: 1 }), now);
    }

    #[test]
    fn a_retry_takes_its_bytes_back_and_the_speed_stays_positive() {
        let mut model = started(2);
        begin(&mut model, 0, at(0));
        model.apply(&Event::new(1, EventKind::Expected { job: 0, bytes: 1000 }), at(0));
        model.apply(&Event::new(1, EventKind::Advanced { job: 0, bytes: 600, items: 3 }), at(500));
        model.apply(
            &Event::new(
                1,
                EventKind::AttemptFailed {
                    job: 0,
                    label: "a.zip",
                    attempt: 1,
                    error: "reset",
                    kind: "status",
                    retry_in: Some(at(500)),
                    bytes: 600,
                    items: 3,
                },
            ),
            at(1000),
        );
        assert_eq!((model.bytes, model.items, model.jobs[&(1, 0)].bytes, model.in_flight()), (0, 0, 0, 0));
        assert_eq!(model.speed(at(1000)), Some(600.0));
        assert_eq!(model.jobs[&(1, 0)].waiting.as_ref().map(|waiting| waiting.until), Some(at(1500)));
    }

    #[test]
    fn two_runs_at_a_time_add_up() {
        let mut model = started(2);
        model.apply(&Event::new(2, EventKind::RunStarted { total: Some(3), jobs: 8 }), at(10));
        begin(&mut model, 0, at(20));
        model.apply(&Event::new(2, EventKind::AttemptStarted { job: 0, label: "b.zip", attempt: 1 }), at(20));
        model.apply(&Event::new(2, EventKind::Advanced { job: 0, bytes: 7, items: 0 }), at(30));
        assert_eq!((model.total, model.jobs.len(), model.bytes), (Some(5), 2, 7));
        assert_eq!(model.jobs[&(1, 0)].bytes, 0);
        model.apply(&Event::new(2, EventKind::RunFinished { report: &raudal_pool::RunReport::default() }), at(40));
        assert_eq!((model.started, model.jobs.len()), (Some(at(0)), 1), "one still runs");
    }

    #[test]
    fn the_speed_is_that_of_the_last_seconds_and_a_stall_brings_it_to_nothing() {
        let mut model = started(1);
        begin(&mut model, 0, at(0));
        assert_eq!(model.speed(at(100)), None, "there is nothing to divide by yet");
        for second in 0..20 {
            model.apply(&Event::new(1, EventKind::Advanced { job: 0, bytes: 1000, items: 0 }), at(second * 1000));
        }
        let steady = model.speed(at(20_000)).unwrap();
        assert!((800.0..=1200.0).contains(&steady), "{steady}");
        for second in 20..30 {
            model.pass(at(second * 1000));
        }
        assert_eq!(model.speed(at(30_000)), Some(0.0));
    }

    #[test]
    fn the_beginning_of_a_run_tells_no_remaining_time() {
        let mut model = started(2);
        begin(&mut model, 0, at(0));
        begin(&mut model, 1, at(0));
        for job in [0, 1] {
            model.apply(&Event::new(1, EventKind::Expected { job, bytes: 10_000 }), at(0));
        }
        model.apply(&Event::new(1, EventKind::Advanced { job: 0, bytes: 900, items: 0 }), at(1000));
        assert_eq!(model.remaining(at(1000)), None);
        model.apply(&Event::new(1, EventKind::Advanced { job: 1, bytes: 60, items: 0 }), at(2000));
        assert!(model.remaining(at(2000)).is_some(), "a share has moved");
        let mut slow = started(1);
        begin(&mut slow, 0, at(0));
        slow.apply(&Event::new(1, EventKind::Expected { job: 0, bytes: 1_000_000 }), at(0));
        for second in 1..=10 {
            slow.apply(&Event::new(1, EventKind::Advanced { job: 0, bytes: 100, items: 0 }), at(second * 1000));
            assert_eq!(slow.remaining(at(second * 1000)).is_some(), second == 10, "{second}");
        }
    }

    #[test]
    fn the_remaining_time_comes_from_bytes_where_sizes_are_known_and_elsewhere_there_is_none() {
        let mut model = started(4);
        begin(&mut model, 0, at(0));
        begin(&mut model, 1, at(0));
        for job in [0, 1] {
            model.apply(&Event::new(1, EventKind::Expected { job, bytes: 1000 }), at(0));
            model.apply(&Event::new(1, EventKind::Advanced { job, bytes: 500, items: 0 }), at(1000));
        }
        // 1000 bytes are missing in flight, and two jobs of 1000 are to come, at 1000 bytes a
        // second.
        assert_eq!(model.remaining(at(1000)), Some(at(3000)));
        assert_eq!(model.share(), Some(0.25));

        let mut model = started(4);
        model.succeeded = 1;
        assert_eq!(model.remaining(at(1000)), None);
        assert_eq!(Model::default().remaining(at(1000)), None);
    }
}
