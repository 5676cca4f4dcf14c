//! Records a run from outside: the reports of its jobs, and the CPU time of this process.

use raudal_common::lock;
use raudal_pool::{Event, EventKind, JobReport, LimitChange, LimitLog, Observer};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The most reports kept for one run; with more, none are kept. A picture is not worth the memory
/// of millions of reports, and a picture of only some of them would mislead.
const KEPT: usize = 10_000;

/// Forwards all events, and keeps the job reports and the limits, so that a workload need not keep
/// them itself.
pub(super) struct Keeper {
    next: Arc<dyn Observer>,
    /// `None` once there were too many.
    jobs: Mutex<Option<Vec<JobReport>>>,
    limits: LimitLog,
}

impl Keeper {
    pub(super) fn new(next: Arc<dyn Observer>) -> Self {
        Self { next, jobs: Mutex::new(Some(Vec::new())), limits: LimitLog::default() }
    }

    /// The limits that were set, in the order of time.
    pub(super) fn limits(&self) -> Vec<LimitChange> {
        self.limits.changes()
    }

    /// Takes the report of each job, in input order.
    pub(super) fn take(&self) -> Vec<JobReport> {
        let mut jobs = lock(&self.jobs).take().unwrap_or_default();
        jobs.sort_by_key(|job| job.job);
        jobs
    }
}

impl Observer for Keeper {
    fn observe(&self, event: &Event<'_>) {
        if let EventKind::JobFinished { report } = &event.kind {
            let mut kept = lock(&self.jobs);
            match kept.as_mut() {
                Some(jobs) if jobs.len() < KEPT => jobs.push((*report).clone()),
                _ => *kept = None,
            }
        }
        self.limits.observe(event);
        self.next.observe(event);
    }
}

/// Returns the CPU time (user and system) that all threads of this process have used so far. Child
/// processes are not counted.
#[cfg(target_os = "linux")]
pub(super) fn cpu_time() -> Option<Duration> {
    ticks(&std::fs::read_to_string("/proc/self/stat").ok()?)
}

/// Not known on this system.
#[cfg(not(target_os = "linux"))]
pub(super) fn cpu_time() -> Option<Duration> {
    None
}

/// Reads the fields 14 and 15 of `/proc/PID/stat` (`proc_pid_stat(5)`), in ticks. A tick is a
/// hundredth of a second (`USER_HZ`) on every architecture that Rust's standard library supports,
/// whatever clock the kernel uses itself.
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
fn ticks(stat: &str) -> Option<Duration> {
    // The second field is the program's name in brackets, and may itself contain blanks and
    // brackets.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Duration::from_millis((user + system) * 10))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::job;
    use raudal_pool::NoObserver;

    #[test]
    fn processor_time_is_read_behind_the_name_whatever_it_is() {
        let stat = "4711 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 150 25 0 0 20 0 8 0 100 1 2";
        assert_eq!(ticks(stat), Some(Duration::from_millis(1750)));
        assert_eq!(ticks("4711 (cut"), None);
        assert_eq!(ticks("4711 (cut) S 1"), None);
    }

    #[test]
    fn reports_are_kept_in_input_order_and_none_of_too_many() {
        let keeper = Keeper::new(Arc::new(NoObserver));
        for number in [2, 0, 1] {
            keeper.observe(&Event::new(1, EventKind::JobFinished { report: &job(number, 0, 10) }));
        }
        assert_eq!(keeper.take().iter().map(|job| job.job).collect::<Vec<_>>(), [0, 1, 2]);

        let keeper = Keeper::new(Arc::new(NoObserver));
        for number in 0..=KEPT as u64 {
            keeper.observe(&Event::new(1, EventKind::JobFinished { report: &job(number, 0, 10) }));
        }
        assert!(keeper.take().is_empty());
    }
}
