//! Decides how many jobs of one key should be in flight. Pure: the caller passes the time and the counts.
//!
//! The controller watches throughput: the progress of all jobs of the key together. It does not watch how long a job
//! takes, which depends on the size of the job. Until the first progress the limit doubles. From then on a step up is
//! kept only if throughput grew by 5 %; otherwise the step is taken back and the limit holds for a while. When the other
//! side refuses or resets attempts, the limit is at least halved, and then approaches the old one in steps of one.

use std::time::Duration;
use tokio::time::Instant;

/// The first limit.
pub(super) const FIRST: usize = 4;
/// How much throughput a step up must bring to be kept.
const GAIN: f64 = 1.05;
/// Measure throughput for at least this long; longer where answers take longer.
const WINDOW: Duration = Duration::from_millis(100);
/// The time between two checks: before the first progress, and after it.
const BLIND_LOOK: Duration = Duration::from_millis(10);
const LOOK: Duration = Duration::from_millis(50);
/// A step has this many windows to bring more: servers and networks send in bursts.
const VERDICT: u32 = 3;
/// After a step that brought nothing, hold the limit for this many windows. Each further one doubles it, up to
/// `LONGEST_HOLD`.
const HOLD: u32 = 8;
const LONGEST_HOLD: u32 = 64;
/// Refusals within `BURST` belong together. After them, hold the limit for `AFTER_BURST`.
const BURST: Duration = Duration::from_secs(1);
const AFTER_BURST: Duration = Duration::from_secs(3);

/// What was measured of a key at one moment. Counts are totals.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(super) at: Instant,
    pub(super) progress: u64,
    pub(super) in_flight: usize,
    /// Attempts that were refused, reset, or ran out of time.
    pub(super) trouble: u64,
    /// Whether another job would be of use: one waits, and the consumer keeps up.
    pub(super) may_grow: bool,
}

#[derive(Clone, Copy, Debug)]
enum Mode {
    /// No progress yet. The limit was set at `since`.
    Blind {
        since: Instant,
    },
    /// Wait before measuring. After a step up, from a limit and its throughput: new jobs make no progress at first. Or
    /// after the first progress of all: buffered data comes faster than the rest will.
    Settle {
        until: Instant,
        from: Option<(usize, f64)>,
    },
    /// Measure throughput since then; after a step, compare it with the throughput of the limit before.
    Measure {
        since: Instant,
        progress: u64,
        from: Option<(usize, f64)>,
    },
    Hold {
        until: Instant,
    },
}

/// A burst of refusals: when it started, the limit then, and how many there were.
#[derive(Clone, Copy, Debug)]
struct Burst {
    began: Instant,
    limit: usize,
    refused: u64,
}

#[derive(Debug)]
pub(super) struct Controller {
    limit: usize,
    most: usize,
    /// One less than the lowest limit at which the other side refused.
    ceiling: usize,
    began: Instant,
    first_byte: Duration,
    trouble: u64,
    burst: Option<Burst>,
    /// The length of the next hold, in windows.
    hold: u32,
    mode: Mode,
}

impl Controller {
    /// Creates a controller whose limit never exceeds `most`.
    pub(super) fn new(most: usize, now: Instant) -> Self {
        Self {
            limit: FIRST.min(most),
            most,
            ceiling: most,
            began: now,
            first_byte: Duration::ZERO,
            trouble: 0,
            burst: None,
            hold: HOLD,
            mode: Mode::Blind { since: now },
        }
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Returns how long to wait before the next check.
    pub(super) fn next_look(&self) -> Duration {
        if matches!(self.mode, Mode::Blind { .. }) { BLIND_LOOK } else { LOOK }
    }

    fn window(&self) -> Duration {
        WINDOW.max(2 * self.first_byte)
    }

    /// Caps the limit at `most` from now on. Counts `trouble` as dealt with.
    pub(super) fn lower(&mut self, most: usize, trouble: u64) {
        (self.most, self.trouble) = (most, trouble);
        (self.limit, self.ceiling) = (self.limit.min(most), self.ceiling.min(most));
    }

    /// Checks a sample. Returns the reason if the limit changes.
    pub(super) fn look(&mut self, sample: &Sample) -> Option<&'static str> {
        let trouble = sample.trouble.saturating_sub(self.trouble);
        self.trouble = sample.trouble;
        if trouble > 0 {
            return self.shrink(sample.at, trouble);
        }
        match self.mode {
            Mode::Blind { .. } if sample.progress > 0 => {
                self.first_byte = sample.at - self.began;
                self.mode = Mode::Settle { until: sample.at + WINDOW, from: None };
                None
            }
            Mode::Blind { since } => {
                // Give the other side time to refuse the attempts that the last step allowed.
                if sample.at - since < BLIND_LOOK || !self.grow(sample) {
                    return None;
                }
                self.mode = Mode::Blind { since: sample.at };
                Some("no data has arrived yet")
            }
            Mode::Hold { until } => {
                if sample.at >= until {
                    self.mode = Mode::Measure { since: sample.at, progress: sample.progress, from: None };
                }
                None
            }
            Mode::Settle { until, from } => {
                if sample.at >= until {
                    self.mode = Mode::Measure { since: sample.at, progress: sample.progress, from };
                }
                None
            }
            Mode::Measure { since, progress, from } => {
                let elapsed = sample.at - since;
                if elapsed < self.window() {
                    return None;
                }
                let throughput = sample.progress.saturating_sub(progress) as f64 / elapsed.as_secs_f64();
                if let Some((before, earlier)) = from {
                    if throughput >= GAIN * earlier {
                        self.hold = HOLD;
                    } else if elapsed < VERDICT * self.window() {
                        return None;
                    } else {
                        self.limit = before;
                        self.mode = Mode::Hold { until: sample.at + self.hold * self.window() };
                        self.hold = (2 * self.hold).min(LONGEST_HOLD);
                        return Some("more did not help");
                    }
                }
                let before = self.limit;
                let grew = self.grow(sample);
                self.mode = if grew {
                    Mode::Settle { until: sample.at + self.first_byte, from: Some((before, throughput)) }
                } else {
                    Mode::Measure { since: sample.at, progress: sample.progress, from: None }
                };
                grew.then_some("testing whether more helps")
            }
        }
    }

    /// Raises the limit if it is fully used: doubles it, or adds one once the other side has refused.
    fn grow(&mut self, sample: &Sample) -> bool {
        let highest = self.most.min(self.ceiling);
        let is_used = sample.may_grow && sample.in_flight >= self.limit;
        if !is_used || self.limit >= highest {
            return false;
        }
        self.limit = if self.ceiling < self.most { self.limit + 1 } else { (self.limit * 2).min(highest) };
        true
    }

    fn shrink(&mut self, now: Instant, trouble: u64) -> Option<&'static str> {
        let fresh = Burst { began: now, limit: self.limit, refused: 0 };
        let burst = self.burst.get_or_insert(fresh);
        if now - burst.began > BURST {
            *burst = fresh;
        }
        burst.refused += trouble;
        // Of 64 attempts 58 were refused: it takes 6.
        let taken = burst.limit.saturating_sub(usize::try_from(burst.refused).unwrap_or(usize::MAX));
        let limit = taken.min(burst.limit / 2).min(self.limit).max(1);
        self.ceiling = burst.limit.saturating_sub(1).max(1).min(self.ceiling);
        self.mode = Mode::Hold { until: now + AFTER_BURST };
        (std::mem::replace(&mut self.limit, limit) != limit).then_some("the server refuses requests or breaks off")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A simulated server: its latency, its throughput, and the number of jobs above which it refuses.
    struct Link {
        latency: Duration,
        each: f64,
        all: f64,
        refuses_above: usize,
    }

    const FREE: Link =
        Link { latency: Duration::from_millis(80), each: f64::INFINITY, all: 1e9, refuses_above: usize::MAX };

    /// Returns the limit after each check, over `time`.
    fn run(link: &Link, most: usize, time: Duration) -> Vec<usize> {
        let start = Instant::now();
        let mut controller = Controller::new(most, start);
        let (mut at, mut progress, mut trouble, mut limits) = (start, 0.0, 0, Vec::new());
        while at - start < time {
            let step = controller.next_look();
            at += step;
            let taken = controller.limit().min(link.refuses_above);
            trouble += (controller.limit() - taken) as u64;
            if at - start > link.latency {
                progress += (link.each * taken as f64).min(link.all) * step.as_secs_f64();
            }
            let in_flight = controller.limit();
            controller.look(&Sample { at, progress: progress as u64, in_flight, trouble, may_grow: true });
            limits.push(controller.limit());
        }
        limits
    }

    fn last(link: &Link) -> usize {
        *run(link, 64, Duration::from_secs(20)).last().expect("looks")
    }

    #[test]
    fn while_no_byte_has_come_the_limit_doubles() {
        let limits = run(&FREE, 64, Duration::from_millis(80));
        assert_eq!(limits[..4], [8, 16, 32, 64]);
    }

    #[test]
    fn a_cap_for_each_connection_is_overcome_and_a_shared_one_is_not_fought() {
        let near = Duration::from_millis(1);
        assert_eq!(last(&Link { latency: near, each: 1e6, ..FREE }), 64);
        // 8 use all of it: 16 would bring nothing.
        let shared = run(&Link { latency: near, each: 1e6, all: 8e6, ..FREE }, 64, Duration::from_secs(20));
        let at_eight = shared.iter().filter(|limit| **limit == 8).count();
        assert!(at_eight * 10 > shared.len() * 7, "{at_eight} of {}", shared.len());
        assert!(shared.iter().max() <= Some(&16));
    }

    #[test]
    fn what_a_server_refuses_is_not_asked_of_it_again() {
        for latency in [1, 80] {
            let link = Link { latency: Duration::from_millis(latency), each: 1e6, refuses_above: 6, ..FREE };
            let limits = run(&link, 64, Duration::from_secs(60));
            assert_eq!(limits.last(), Some(&6), "{latency} ms");
            let too_many = limits.iter().filter(|limit| **limit > 6).count();
            assert!(too_many * 20 < limits.len(), "{too_many} of {}", limits.len());
        }
    }

    #[test]
    fn it_never_grows_past_its_most_nor_while_something_speaks_against_it() {
        assert!(run(&FREE, 3, Duration::from_secs(5)).iter().all(|limit| *limit == 3));
        let start = Instant::now();
        let mut controller = Controller::new(64, start);
        for look in 1..100 {
            let at = start + look * LOOK;
            let sample = Sample { at, progress: 0, in_flight: 4, trouble: 0, may_grow: false };
            assert_eq!(controller.look(&sample), None);
        }
        assert_eq!(controller.limit(), FIRST);
        controller.look(&Sample { at: start + 101 * LOOK, progress: 0, in_flight: 4, trouble: 9, may_grow: true });
        assert_eq!(controller.limit(), 1, "one is always allowed");
    }
}
