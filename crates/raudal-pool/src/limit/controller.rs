//! Decides how many jobs of one key should be in flight. Pure: the caller passes the time and the counts.
//!
//! The controller watches throughput: the progress of all jobs of the key together. It does not watch how long a job
//! takes, which depends on the size of the job. At first the limit doubles with each round of answers, as TCP does in
//! its slow start: a small server never gets more than twice the requests that it has answered. The doubling ends
//! with the first round that brings no more throughput. After that, a step up is kept only if throughput grew by 5 %.
//! Otherwise the step is taken back, and the limit is held for a while. When the other side refuses or resets
//! attempts, the limit is at least halved, and then grows back in steps of one. What an earlier run has learned
//! replaces the first limit.

use super::Learned;
use std::time::Duration;
use tokio::time::Instant;

/// The first limit: the number of connections that browsers open to a host. Every public server accepts that many.
pub(super) const FIRST: usize = 6;
/// How much throughput a step up must bring to be kept.
const GAIN: f64 = 1.05;
/// Measure throughput for at least this long; longer where answers take longer.
const WINDOW: Duration = Duration::from_millis(100);
/// A round of answers takes at least this long: shorter ones say nothing about throughput.
const ROUND: Duration = Duration::from_millis(30);
/// The time between two checks: while it doubles, and after that.
const START_LOOK: Duration = Duration::from_millis(10);
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
pub(crate) struct LoadSample {
    pub(super) at: Instant,
    pub(super) progress: u64,
    /// Attempts that have made any progress.
    pub(super) answers: u64,
    pub(super) in_flight: usize,
    /// Attempts that were refused, reset, or ran out of time.
    pub(super) trouble: u64,
    /// Whether another job would be useful: one waits, and the consumer keeps up.
    pub(super) may_grow: bool,
}

#[derive(Clone, Copy, Debug)]
enum Mode {
    /// Waits for a round of answers: until as many attempts have made progress as the last step added (in the first
    /// round, as the limit allows). Then compares throughput with that of the round before.
    Start {
        since: Instant,
        progress: u64,
        answers: u64,
        from: Option<(usize, f64)>,
    },
    /// Waits before measuring, because new jobs make no progress at first. After a step up, `from` has the limit
    /// before it and its throughput.
    Settle {
        until: Instant,
        from: Option<(usize, f64)>,
    },
    /// Measures throughput. After a step up, compares it with the throughput of the limit before.
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
    /// Whether the limit was changed on evidence.
    is_settled: bool,
    /// The length of the next hold, in windows.
    hold: u32,
    mode: Mode,
}

impl Controller {
    /// Creates a controller whose limit never exceeds `most`.
    pub(super) fn new(most: usize, known: Option<Learned>, now: Instant) -> Self {
        let ceiling = known.and_then(|known| known.refused).map_or(most, |refused| below(refused).min(most));
        Self {
            limit: known.map_or(FIRST, |known| known.bore.max(1)).min(ceiling),
            most,
            ceiling,
            began: now,
            first_byte: Duration::ZERO,
            trouble: 0,
            burst: None,
            is_settled: false,
            hold: HOLD,
            mode: Mode::Start { since: now, progress: 0, answers: 0, from: None },
        }
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// Returns how long to wait before the next check.
    pub(super) fn next_look(&self) -> Duration {
        if matches!(self.mode, Mode::Start { .. }) { START_LOOK } else { LOOK }
    }

    /// Returns what has been learned; `None` if the limit is still the first one.
    pub(super) fn learned(&self) -> Option<Learned> {
        let refused = (self.ceiling < self.most).then(|| self.ceiling + 1);
        self.is_settled.then(|| Learned::new(self.limit, refused))
    }

    fn window(&self) -> Duration {
        WINDOW.max(2 * self.first_byte)
    }

    /// Caps the limit at `most` from now on. Counts `trouble` as dealt with.
    pub(super) fn lower(&mut self, most: usize, trouble: u64) {
        (self.most, self.trouble, self.is_settled) = (most, trouble, true);
        (self.limit, self.ceiling) = (self.limit.min(most), self.ceiling.min(most));
    }

    /// Checks a sample. Returns the reason if the limit changes.
    pub(super) fn look(&mut self, sample: &LoadSample) -> Option<&'static str> {
        let why = self.judge(sample);
        self.is_settled |= why.is_some();
        why
    }

    fn judge(&mut self, sample: &LoadSample) -> Option<&'static str> {
        let trouble = sample.trouble.saturating_sub(self.trouble);
        self.trouble = sample.trouble;
        if trouble > 0 {
            return self.shrink(sample.at, trouble);
        }
        if sample.answers > 0 && self.first_byte.is_zero() {
            self.first_byte = sample.at - self.began;
        }
        match self.mode {
            Mode::Start { since, progress, answers, from } => self.judge_round(sample, since, progress, answers, from),
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
            Mode::Measure { since, progress, from } => self.judge_window(sample, since, progress, from),
        }
    }

    /// Judges a round of answers, while the limit doubles.
    fn judge_round(
        &mut self,
        sample: &LoadSample,
        since: Instant,
        progress: u64,
        answers: u64,
        from: Option<(usize, f64)>,
    ) -> Option<&'static str> {
        let added = self.limit - from.map_or(0, |(before, _)| before);
        let (elapsed, answered) = (sample.at - since, sample.answers.saturating_sub(answers));
        if elapsed < ROUND || answered < added as u64 {
            return None;
        }
        let throughput = sample.progress.saturating_sub(progress) as f64 / elapsed.as_secs_f64();
        if from.is_some_and(|(_, earlier)| throughput < GAIN * earlier) {
            // The answers of a round come at different times. Wait for the last ones before judging.
            if elapsed >= self.window() {
                self.mode = Mode::Measure { since, progress, from };
            }
            return None;
        }
        let before = self.limit;
        let grew = self.grow(sample);
        let (since, progress, answers) = (sample.at, sample.progress, sample.answers);
        self.mode = if grew {
            Mode::Start { since, progress, answers, from: Some((before, throughput)) }
        } else if self.limit >= self.most.min(self.ceiling) {
            Mode::Measure { since, progress, from: None }
        } else {
            // The limit is not fully used, so this round says nothing.
            Mode::Start { since, progress, answers, from }
        };
        grew.then_some("all answers of the round arrived")
    }

    /// Judges a window of measurement. After a step up, keeps the step or takes it back.
    fn judge_window(
        &mut self,
        sample: &LoadSample,
        since: Instant,
        progress: u64,
        from: Option<(usize, f64)>,
    ) -> Option<&'static str> {
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
                return Some("more jobs did not help");
            }
        }
        let before = self.limit;
        let grew = self.grow(sample);
        self.mode = if grew {
            Mode::Settle { until: sample.at + self.first_byte, from: Some((before, throughput)) }
        } else {
            Mode::Measure { since: sample.at, progress: sample.progress, from: None }
        };
        grew.then_some("testing whether more jobs help")
    }

    /// Raises the limit if it is fully used: doubles it, or adds one once the other side has refused.
    fn grow(&mut self, sample: &LoadSample) -> bool {
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
        // If 58 of 64 attempts were refused, the server takes 6.
        let taken = burst.limit.saturating_sub(usize::try_from(burst.refused).unwrap_or(usize::MAX));
        let limit = taken.min(burst.limit / 2).min(self.limit).max(1);
        self.ceiling = below(burst.limit).min(self.ceiling);
        self.mode = Mode::Hold { until: now + AFTER_BURST };
        (std::mem::replace(&mut self.limit, limit) != limit).then_some("the server refuses or resets requests")
    }
}

/// Returns the highest limit below a refused one.
fn below(refused: usize) -> usize {
    refused.saturating_sub(1).max(1)
}

#[cfg(test)]
mod tests;
