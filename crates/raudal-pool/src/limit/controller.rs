//! Decides how many jobs of one key are worth having in flight. Pure: the time and the counts are handed in.
//!
//! The controller watches throughput: the progress of all jobs of the key together. It does not watch how long a job
//! takes, since that measures the size of the job. While nothing has progressed there is nothing to watch, and the
//! limit doubles. From then on a step up is kept only if throughput grew by 5 %; otherwise the step is taken back and
//! the limit holds for a while. When the other side refuses or breaks off, the limit is at least halved, and then
//! approaches the old one in steps of one.

use std::time::Duration;
use tokio::time::Instant;

/// Where it begins.
pub(super) const FIRST: usize = 4;
/// What a step up must bring to be kept.
const GAIN: f64 = 1.05;
/// The least time for which throughput is measured; longer where answers take longer to come.
const WINDOW: Duration = Duration::from_millis(100);
/// Between two looks, while no byte has come and from then on.
const BLIND_LOOK: Duration = Duration::from_millis(10);
const LOOK: Duration = Duration::from_millis(50);
/// A step is given so many windows to show that it brings more: what servers and networks send comes in bursts.
const VERDICT: u32 = 3;
/// For so many windows a limit holds after a step that brought nothing; for twice as many each time that it happens again,
/// up to the second number.
const HOLD: u32 = 8;
const LONGEST_HOLD: u32 = 64;
/// Refusals within this are of one burst; for so long the limit holds after it.
const BURST: Duration = Duration::from_secs(1);
const AFTER_BURST: Duration = Duration::from_secs(3);

/// What there is to see of a key at a moment. Counts are totals.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(super) at: Instant,
    pub(super) progress: u64,
    pub(super) in_flight: usize,
    /// Attempts that were refused, reset, or ran out of time.
    pub(super) trouble: u64,
    /// Whether nothing speaks against a further connection: a job or a transfer wants one, and decoding keeps up.
    pub(super) may_grow: bool,
}

#[derive(Clone, Copy, Debug)]
enum Mode {
    /// No byte has come; the limit was set then.
    Blind {
        since: Instant,
    },
    /// A step up was made from this limit, whose throughput is known; new transfers bring nothing before their first byte. Or
    /// the first progress of all have come: those that a server and its buffers had ready, and more than it will bring.
    Settle {
        until: Instant,
        from: Option<(usize, f64)>,
    },
    /// Goodput is measured from here on, for a limit that may have come from another one.
    Measure {
        since: Instant,
        progress: u64,
        from: Option<(usize, f64)>,
    },
    Hold {
        until: Instant,
    },
}

/// A burst of refusals: when it began, under which limit, and how many there were.
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
    /// What the server has refused once: one less is allowed.
    ceiling: usize,
    began: Instant,
    first_byte: Duration,
    trouble: u64,
    burst: Option<Burst>,
    /// For so many windows the next hold is.
    hold: u32,
    mode: Mode,
}

impl Controller {
    /// For a host of which at most so many transfers may ever be in flight.
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

    /// When to look again.
    pub(super) fn next_look(&self) -> Duration {
        if matches!(self.mode, Mode::Blind { .. }) { BLIND_LOOK } else { LOOK }
    }

    fn window(&self) -> Duration {
        WINDOW.max(2 * self.first_byte)
    }

    /// From now on the limit is never more than this. So many attempts that went wrong are accounted for by it.
    pub(super) fn lower(&mut self, most: usize, trouble: u64) {
        (self.most, self.trouble) = (most, trouble);
        (self.limit, self.ceiling) = (self.limit.min(most), self.ceiling.min(most));
    }

    /// Looks at a sample. If the limit changes: why.
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
                // What was allowed last has just been asked for: a server that refuses has not had the time to say so.
                if sample.at - since < BLIND_LOOK || !self.grow(sample) {
                    return None;
                }
                self.mode = Mode::Blind { since: sample.at };
                Some("no byte has come yet")
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
                        return Some("more brought nothing");
                    }
                }
                let before = self.limit;
                let grew = self.grow(sample);
                self.mode = if grew {
                    Mode::Settle { until: sample.at + self.first_byte, from: Some((before, throughput)) }
                } else {
                    Mode::Measure { since: sample.at, progress: sample.progress, from: None }
                };
                grew.then_some("to see whether more brings more")
            }
        }
    }

    /// Doubles the limit, or comes near what was refused by one, if all that is allowed is used.
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
        // Of 64 of which 58 are refused, 6 are what it takes.
        let taken = burst.limit.saturating_sub(usize::try_from(burst.refused).unwrap_or(usize::MAX));
        let limit = taken.min(burst.limit / 2).min(self.limit).max(1);
        self.ceiling = burst.limit.saturating_sub(1).max(1).min(self.ceiling);
        self.mode = Mode::Hold { until: now + AFTER_BURST };
        (std::mem::replace(&mut self.limit, limit) != limit).then_some("the server refuses, or breaks off")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server as it is seen through so many transfers for a while: its throughput, and how many it refuses.
    struct Link {
        latency: Duration,
        each: f64,
        all: f64,
        refuses_above: usize,
    }

    const FREE: Link =
        Link { latency: Duration::from_millis(80), each: f64::INFINITY, all: 1e9, refuses_above: usize::MAX };

    /// The limit after each look, for as long as given.
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
        // 8 fill it: 16 would bring nothing.
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
