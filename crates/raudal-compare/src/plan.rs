//! What is compared, and who is told about it.

use super::comparison::Level;
use super::turn::Turn;
use raudal_common::{Error, Result};
use raudal_pipeline::Jobs;
use raudal_pool::{NoObserver, Observer};
use std::sync::Arc;
use std::time::Duration;

/// Which levels are run, and how often.
///
/// ```
/// use raudal_compare::{Jobs, Plan};
///
/// let plan = Plan::new([1, 10])?.runs(3)?.warmup(1);
/// assert_eq!((plan.levels().len(), plan.baseline(), plan.turns()), (2, 1.into(), 8));
/// assert!(Plan::new([0]).is_err());
///
/// // The level `auto` finds a good number of jobs by itself.
/// let plan = Plan::new([Jobs::Auto, Jobs::Most(8)])?;
/// assert_eq!(plan.baseline(), Jobs::Most(8));
/// # Ok::<(), raudal_common::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    levels: Vec<Jobs>,
    runs: u32,
    warmup: u32,
    /// More runs than `runs`, as long as the means are not precise enough.
    more: Option<More>,
}

/// The limits on runs beyond the minimum of a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct More {
    max: u32,
    budget: Duration,
}

impl Plan {
    /// The default number of runs of each level: a deviation from fewer is mostly chance.
    pub const RUNS: u32 = 5;
    /// The most runs of each level with [`min_runs`](Self::min_runs). The error of a mean falls
    /// with the square root of their number. So a mean that is still imprecise after this many
    /// needs a quieter machine, not more runs.
    pub const MAX_RUNS: u32 = 50;
    /// How long all measured runs of a plan with [`min_runs`](Self::min_runs) may take together.
    pub const BUDGET: Duration = Duration::from_secs(60);
    /// With [`min_runs`](Self::min_runs), a mean is precise enough once its relative standard error
    /// is at most this.
    pub const SURE: f64 = 0.02;
    /// The default number of warm-up runs of each level.
    pub const WARMUP: u32 = 1;

    /// Creates a plan for these levels (limits on jobs in flight, or `auto`), with the default
    /// numbers of runs.
    pub fn new(levels: impl IntoIterator<Item: Into<Jobs>>) -> Result<Self> {
        let levels: Vec<Jobs> = levels.into_iter().map(Into::into).collect();
        if levels.is_empty() {
            return Err(Error::usage("no level to compare").hint("give levels, such as 1,10"));
        }
        for (i, level) in levels.iter().enumerate() {
            if *level == Jobs::Most(0) {
                return Err(Error::usage("a level must allow at least one job in flight: 0")
                    .hint("give numbers of at least 1, such as 1,10"));
            }
            if levels[..i].contains(level) {
                return Err(Error::usage(format!("a level is given twice: {level}"))
                    .hint("give each level once; [`runs`] sets how often each is run"));
            }
        }
        Ok(Self { levels, runs: Self::RUNS, warmup: Self::WARMUP, more: None })
    }

    /// Sets the exact number of measured runs of each level.
    pub fn runs(mut self, runs: u32) -> Result<Self> {
        if runs == 0 {
            return Err(Error::usage("the number of runs must be at least 1: 0").hint("give at least 1 run"));
        }
        (self.runs, self.more) = (runs, None);
        Ok(self)
    }

    /// Sets the minimum number of measured runs of each level, and adds runs until the means are
    /// precise enough.
    ///
    /// Rounds (a run of each level) are added while the standard error of any level's mean,
    /// `s / √n`, is above 2 % of that mean ([`SURE`](Self::SURE)). They stop at
    /// [`MAX_RUNS`](Self::MAX_RUNS) or when the [budget](Self::budget) is spent. A round begins
    /// only if another one as long as the last fits into the budget. A single run has no deviation,
    /// so `min_runs(1)` measures two runs if the budget allows.
    ///
    /// All levels get the same number of runs, because they alternate.
    ///
    /// ```
    /// use raudal_compare::Plan;
    /// use std::time::Duration;
    ///
    /// let plan = Plan::new([1, 10])?.min_runs(3)?.budget(Duration::from_secs(20));
    /// assert_eq!((plan.measured(), plan.max_measured()), (3, Plan::MAX_RUNS));
    /// # Ok::<(), raudal_common::Error>(())
    /// ```
    pub fn min_runs(self, runs: u32) -> Result<Self> {
        let budget = self.more.map_or(Self::BUDGET, |more| more.budget);
        let mut plan = self.runs(runs)?;
        plan.more = Some(More { max: Self::MAX_RUNS.max(runs), budget });
        Ok(plan)
    }

    /// Limits the time of all measured runs together, without warm-up. The runs that
    /// [`min_runs`](Self::min_runs) asks for are made in any case. Without `min_runs`, this has no
    /// effect.
    #[must_use]
    pub fn budget(mut self, budget: Duration) -> Self {
        if let Some(more) = &mut self.more {
            more.budget = budget;
        }
        self
    }

    /// Sets the number of runs of each level before anything is measured.
    #[must_use]
    pub fn warmup(mut self, warmup: u32) -> Self {
        self.warmup = warmup;
        self
    }

    /// Returns the levels, in the order they were named.
    pub fn levels(&self) -> &[Jobs] {
        &self.levels
    }

    /// Returns the level that the others are compared with: 1 if it is among them, otherwise the
    /// first number. `auto` is the baseline only if it is the only level: its number of jobs is not
    /// known in advance, and differs from run to run.
    pub fn baseline(&self) -> Jobs {
        let numbers = || self.levels.iter().copied().filter(|level| *level != Jobs::Auto);
        numbers().find(|level| *level == Jobs::Most(1)).or_else(|| numbers().next()).unwrap_or(Jobs::Auto)
    }

    /// Returns the number of measured runs of each level; with [`min_runs`](Self::min_runs), the
    /// minimum.
    pub fn measured(&self) -> u32 {
        self.runs
    }

    /// Returns the most measured runs of each level.
    pub fn max_measured(&self) -> u32 {
        self.more.map_or(self.runs, |more| more.max)
    }

    /// Returns the number of warm-up runs of each level.
    pub fn warmups(&self) -> u32 {
        self.warmup
    }

    /// Returns the number of all runs, warm-up included, without those beyond
    /// [`min_runs`](Self::min_runs).
    pub fn turns(&self) -> u64 {
        self.turns_with(self.runs)
    }

    fn turns_with(&self, runs: u32) -> u64 {
        (u64::from(self.warmup) + u64::from(runs)) * self.levels.len() as u64
    }

    /// Returns the run with this number, from 1, warm-up first. Levels alternate, and each round
    /// begins with the next level. So drift (a cache that fills, a machine that grows hot, a
    /// network that others use) affects all levels alike.
    pub(super) fn turn(&self, number: u64) -> Turn {
        let levels = self.levels.len() as u64;
        let (round, place) = ((number - 1) / levels, (number - 1) % levels);
        let warmup = round < u64::from(self.warmup);
        let round = if warmup { round } else { round - u64::from(self.warmup) } as u32;
        let jobs = self.levels[((u64::from(round) + place) % levels) as usize];
        let of = self.turns_with(self.runs.max(if warmup { 0 } else { round + 1 }));
        Turn { number, of, round: round + 1, jobs, warmup, more: self.more.is_some() }
    }

    /// Returns whether to make one more round after the measured runs so far. All levels have the
    /// same number of runs.
    pub(super) fn wants_more(&self, levels: &[Level]) -> bool {
        let rounds = levels.iter().map(|level| level.runs.len()).min().unwrap_or(0);
        if rounds < self.runs as usize {
            return true;
        }
        let Some(more) = self.more.filter(|more| rounds < more.max as usize) else { return false };
        let spent: Duration = levels.iter().flat_map(Level::walls).sum();
        let round: Duration = levels.iter().filter_map(|level| level.runs.last()).map(|run| run.wall).sum();
        let unsure = |level: &Level| {
            level.summary().and_then(|summary| summary.relative_error()).is_none_or(|error| error > Self::SURE)
        };
        spent + round <= more.budget && levels.iter().any(unsure)
    }
}

/// Receives the progress of a comparison, for example to show bars or to write a line for each run.
///
/// ```
/// use raudal_compare::{Turn, TurnObserver};
/// use std::time::Duration;
///
/// struct Lines;
///
/// impl TurnObserver for Lines {
///     fn done(&self, turn: &Turn, wall: Duration) {
///         eprintln!("{turn}, {}", raudal_common::units::duration(wall));
///     }
/// }
/// ```
pub trait TurnObserver: Send + Sync {
    /// Called when a run begins; the returned observer watches its jobs.
    fn begin(&self, turn: &Turn) -> Arc<dyn Observer> {
        let _ = turn;
        Arc::new(NoObserver)
    }

    /// Called when a run is over, with the time it took.
    fn done(&self, turn: &Turn, wall: Duration) {
        let _ = (turn, wall);
    }
}

/// Observes nothing.
impl TurnObserver for () {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_take_turns_and_each_begins_a_round() {
        let plan = Plan::new([1, 4, 16]).unwrap().runs(3).unwrap().warmup(1);
        let turns: Vec<Turn> = (1..=plan.turns()).map(|number| plan.turn(number)).collect();
        let levels: Vec<usize> = turns.iter().filter_map(|turn| turn.jobs.number()).collect();
        assert_eq!(levels, [1, 4, 16, 1, 4, 16, 4, 16, 1, 16, 1, 4]);
        assert_eq!(turns[2].to_string(), "run 3 of 12: 16 jobs, warm-up");
        assert_eq!(turns[3].to_string(), "run 4 of 12: 1 job");
        assert_eq!((turns[11].number, turns[11].round), (12, 3));
    }

    #[test]
    fn a_plan_with_more_to_come_says_at_least_so_many() {
        let plan = Plan::new([1, 10]).unwrap().min_runs(2).unwrap().warmup(1);
        assert_eq!(plan.turn(1).to_string(), "run 1 of at least 6: 1 job, warm-up");
        assert_eq!(plan.turn(7).to_string(), "run 7 of at least 8: 1 job");
    }

    #[test]
    fn a_bad_plan_is_a_usage_error_that_names_the_cure() {
        let plans = [
            Plan::new([Jobs::Auto; 0]),
            Plan::new([Jobs::Auto; 2]),
            Plan::new([1, 0]),
            Plan::new([4, 4]),
            Plan::new([1]).and_then(|plan| plan.runs(0)),
        ];
        for plan in plans {
            let error = plan.unwrap_err();
            assert!(error.kind() == raudal_common::Kind::Usage && error.hint_text().is_some(), "{error}");
        }
    }

    #[test]
    fn the_baseline_is_the_sequential_level_or_else_the_first() {
        assert_eq!(Plan::new([10, 1]).unwrap().baseline(), Jobs::Most(1));
        assert_eq!(Plan::new([10, 2]).unwrap().baseline(), Jobs::Most(10));
        assert_eq!(Plan::new([Jobs::Auto, Jobs::Most(4)]).unwrap().baseline(), Jobs::Most(4));
        assert_eq!(Plan::new([Jobs::Auto]).unwrap().baseline(), Jobs::Auto);
    }
}
