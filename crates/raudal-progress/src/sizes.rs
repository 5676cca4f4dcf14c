//! How long the rest of a run takes, from the sizes of its jobs. Where too little is known of them,
//! there is no answer: a wrong one is worse.

use std::collections::BTreeMap;
use std::time::Duration;

/// An estimate from a sample must have the true value within this share of it, in most cases.
const TOLERANCE: f64 = 0.2;
/// A sample of sizes is at least a quarter of the jobs, or this many.
const SAMPLE: f64 = 100.0;

/// The sizes of the jobs of a run, or of several runs together.
///
/// Each job has a weight: its size, which may be approximate, if the run announced all sizes in
/// advance; otherwise 1. Jobs whose real size is known give the bytes for each unit of weight.
#[derive(Debug, Default)]
pub(super) struct Sizes {
    /// The sizes that were announced in advance, by the number of the run.
    told: BTreeMap<u64, Vec<u64>>,
    /// The weight of all jobs that have begun.
    begun: f64,
    /// The jobs that have succeeded.
    known: Known,
}

/// Jobs whose size is known.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
    jobs: f64,
    /// The weight of these jobs.
    weight: f64,
    bytes: f64,
    /// The sum of the squares of the sizes.
    squares: f64,
}

impl Known {
    pub(super) fn add(&mut self, weight: f64, bytes: u64) {
        self.jobs += 1.0;
        self.weight += weight;
        self.bytes += bytes as f64;
        self.squares += (bytes as f64).powi(2);
    }

    /// Returns whether the mean of these sizes is good enough for as many further `jobs`, if they
    /// come in no particular order.
    fn speaks_for(&self, further: f64, left: f64) -> bool {
        let n = self.jobs;
        if n < 2.0 || n < ((n + further) / 4.0).min(SAMPLE) {
            return false;
        }
        let mean = self.bytes / n;
        let deviation = ((self.squares / n - mean.powi(2)).max(0.0) * n / (n - 1.0)).sqrt();
        2.0 * deviation * (further + further.powi(2) / n).sqrt() <= TOLERANCE * left
    }
}

/// A job that has begun and is not over.
pub(super) struct StartedJob {
    pub(super) weight: f64,
    pub(super) expected: Option<u64>,
    pub(super) moved: u64,
}

impl Sizes {
    /// Takes the sizes that a run announced before its jobs begin.
    pub(super) fn tell(&mut self, run: u64, bytes: &[u64]) {
        self.told.insert(run, bytes.to_vec());
    }

    /// Counts a job that begins. Returns its weight.
    pub(super) fn begin(&mut self, run: u64, job: u64) -> f64 {
        let told = usize::try_from(job).ok().and_then(|job| self.told.get(&run)?.get(job));
        let weight = told.map_or(0.0, |bytes| *bytes as f64);
        self.begun += weight;
        weight
    }

    /// Counts a job that has succeeded.
    pub(super) fn succeed(&mut self, weight: f64, bytes: u64) {
        self.known.add(weight, bytes);
    }

    /// Returns whether the sizes of all jobs were announced in advance.
    pub(super) fn are_told(&self, total: u64) -> bool {
        self.told.values().map(Vec::len).sum::<usize>() as u64 == total
    }

    /// Returns the bytes that are left, if enough is known: of `total` jobs, `to_come` have not
    /// begun, and these are in flight.
    pub(super) fn left(&self, total: u64, to_come: u64, in_flight: &[StartedJob]) -> Option<f64> {
        let told: f64 = self.told.values().flatten().map(|bytes| *bytes as f64).sum();
        let is_told = self.are_told(total);
        let (mut known, mut left, mut unknown) = (self.known, 0.0, 0.0);
        let mut further = to_come;
        for job in in_flight {
            if let Some(bytes) = job.expected {
                known.add(job.weight, bytes);
                left += bytes.saturating_sub(job.moved) as f64;
            } else {
                unknown += job.weight;
                further += 1;
                left -= job.moved as f64;
            }
        }
        if known.bytes == 0.0 {
            return None;
        }
        left += if is_told {
            known.bytes / known.weight.max(1.0) * (told - self.begun + unknown)
        } else {
            known.bytes / known.jobs * further as f64
        };
        let left = left.max(0.0);
        (further == 0 || is_told || known.speaks_for(further as f64, left)).then_some(left)
    }
}

/// Returns how long this many bytes take.
pub(super) fn time(bytes: f64, per_second: f64) -> Option<Duration> {
    if per_second > 0.0 { Duration::try_from_secs_f64(bytes / per_second).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::super::model::Model;
    use proptest::prelude::*;
    use raudal_pool::{Event, EventKind, JobReport, Outcome};
    use std::time::Duration;

    const STEP: Duration = Duration::from_millis(100);

    /// A run whose bytes come at a constant rate, shared by the jobs in flight.
    struct Line {
        model: Model,
        sizes: Vec<u64>,
        moved: Vec<u64>,
        in_flight: Vec<usize>,
        next: usize,
        now: Duration,
        step: u64,
    }

    impl Line {
        fn new(sizes: Vec<u64>, told: Option<Vec<u64>>, steps: u64) -> Self {
            let mut model = Model::default();
            let total = Some(sizes.len() as u64);
            model.apply(&Event::new(1, EventKind::RunStarted { total, jobs: 8 }), Duration::ZERO);
            if let Some(told) = told {
                model.apply(&Event::new(1, EventKind::Sizes { bytes: &told }), Duration::ZERO);
            }
            let step = (sizes.iter().sum::<u64>() / steps).max(1);
            let (moved, in_flight) = (vec![0; sizes.len()], Vec::new());
            Self { model, sizes, moved, in_flight, next: 0, now: Duration::ZERO, step }
        }

        fn tell(&mut self, kind: EventKind<'_>) {
            self.model.apply(&Event::new(1, kind), self.now);
        }

        fn begin(&mut self, jobs: usize) {
            while self.in_flight.len() < jobs && self.next < self.sizes.len() {
                let (job, bytes) = (self.next as u64, self.sizes[self.next]);
                self.tell(EventKind::AttemptStarted { job, label: "a", attempt: 1 });
                self.tell(EventKind::Expected { job, bytes });
                self.in_flight.push(self.next);
                self.next += 1;
            }
        }

        /// Moves the bytes of a step. Returns whether some are left.
        fn pass(&mut self, jobs: usize) -> bool {
            self.begin(jobs);
            self.now += STEP;
            let mut step = self.step;
            while step > 0 && !self.in_flight.is_empty() {
                let share = (step / self.in_flight.len() as u64).max(1);
                for job in self.in_flight.clone() {
                    let bytes = share.min(self.sizes[job] - self.moved[job]).min(step);
                    step -= bytes;
                    self.moved[job] += bytes;
                    self.tell(EventKind::Advanced { job: job as u64, bytes, items: 0 });
                    if self.moved[job] == self.sizes[job] {
                        self.in_flight.retain(|other| *other != job);
                        let mut report = JobReport::new(job as u64, "a".to_owned(), Outcome::Succeeded);
                        report.bytes = self.sizes[job];
                        self.tell(EventKind::JobFinished { report: &report });
                        self.begin(jobs);
                    }
                }
            }
            self.model.pass(self.now);
            !self.in_flight.is_empty()
        }

        fn left(&self) -> f64 {
            (self.sizes.iter().sum::<u64>() - self.moved.iter().sum::<u64>()) as f64
        }

        /// Checks the estimate against the truth: within a fifth, or two steps.
        fn is_right(&self, estimate: Duration) -> bool {
            let truth = self.left() / self.step as f64 * STEP.as_secs_f64();
            (estimate.as_secs_f64() - truth).abs() <= (0.2 * truth).max(2.0 * STEP.as_secs_f64())
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn at_a_constant_rate_the_time_left_is_within_a_fifth_from_a_quarter_of_the_way_on(
            mut sizes in prop::collection::vec(1_000_u64..50_000_000, 1..60),
            jobs in 1_usize..12,
            steps in 40_u64..400,
            scale in prop::sample::select(vec![0.01, 1.0, 30.0]),
            biggest_first in any::<bool>(),
        ) {
            if biggest_first {
                sizes.sort_unstable_by_key(|size| std::cmp::Reverse(*size));
            }
            let told = sizes.iter().map(|size| (*size as f64 * scale) as u64 + 1).collect();
            let all = sizes.iter().sum::<u64>() as f64;
            let mut line = Line::new(sizes, Some(told), steps);
            while line.pass(jobs) {
                if line.left() <= 0.75 * all {
                    let estimate = line.model.remaining(line.now).expect("sizes are known");
                    prop_assert!(line.is_right(estimate), "{estimate:?} for {} bytes", line.left());
                    let share = line.model.share().expect("sizes are known");
                    prop_assert!((share - (1.0 - line.left() / all)).abs() < 0.05, "{share}");
                }
            }
        }
    }

    #[test]
    fn sizes_that_are_not_told_but_alike_are_enough_from_a_quarter_of_the_jobs_on() {
        let sizes: Vec<u64> = (0..200).map(|job| 100_000 + job * 7919 % 20_000).collect();
        let mut line = Line::new(sizes, None, 100);
        let mut shown = 0;
        while line.pass(4) {
            let estimate = line.model.remaining(line.now);
            assert!(estimate.is_none_or(|estimate| line.is_right(estimate)), "{estimate:?}");
            assert_eq!(estimate.is_some(), line.next >= 50 || line.next == 200, "of {} jobs", line.next);
            shown += u32::from(estimate.is_some());
        }
        assert!(shown > 60, "{shown}");
    }

    #[test]
    fn sizes_that_differ_widely_give_no_time_until_all_are_known() {
        let sizes: Vec<u64> = (0..40).map(|job| if job % 10 == 9 { 9_000_000 } else { 1_000 }).collect();
        let mut line = Line::new(sizes, None, 200);
        let mut last = None;
        while line.pass(4) {
            last = line.model.remaining(line.now);
            assert!(last.is_none() || line.next == 40, "{} have begun", line.next);
        }
        assert!(last.is_some());
    }

    #[test]
    fn without_bytes_there_is_no_time() {
        let mut model = Model::default();
        model.apply(&Event::new(1, EventKind::RunStarted { total: Some(4), jobs: 1 }), Duration::ZERO);
        for job in 0..3 {
            model.apply(&Event::new(1, EventKind::AttemptStarted { job, label: "a", attempt: 1 }), STEP);
            let report = JobReport::new(job, "a".to_owned(), Outcome::Succeeded);
            model.apply(&Event::new(1, EventKind::JobFinished { report: &report }), STEP * 10);
            assert_eq!(model.remaining(STEP * 20), None);
        }
    }
}
