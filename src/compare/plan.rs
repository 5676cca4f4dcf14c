//! What is to be compared, and who is told of it.

use crate::pool::{NoObserver, Observer};
use crate::{Error, Result};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// Which levels are run, and how often.
///
/// ```
/// use raudal::compare::Plan;
///
/// let plan = Plan::new([1, 10])?.runs(3)?.warmup(1);
/// assert_eq!((plan.levels(), plan.baseline(), plan.turns()), (&[1, 10][..], 1, 8));
/// assert!(Plan::new([0]).is_err());
/// # Ok::<(), raudal::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    levels: Vec<usize>,
    runs: u32,
    warmup: u32,
}

impl Plan {
    /// Runs of each level unless told otherwise: a deviation from fewer is mostly luck.
    pub const RUNS: u32 = 5;
    /// Warm-up runs of each level unless told otherwise.
    pub const WARMUP: u32 = 1;

    /// A plan for these levels (at most so many jobs in flight), with the default numbers of runs.
    pub fn new(levels: impl IntoIterator<Item = usize>) -> Result<Self> {
        let levels: Vec<usize> = levels.into_iter().collect();
        if levels.is_empty() {
            return Err(Error::usage("there is no level to compare").hint("name some, such as 1,10"));
        }
        for (i, level) in levels.iter().enumerate() {
            if *level == 0 {
                return Err(Error::usage("a level has no job in flight and would never end: 0")
                    .hint("levels are numbers from 1 on, such as 1,10"));
            }
            if levels[..i].contains(level) {
                return Err(Error::usage(format!("a level is named twice: {level}"))
                    .hint("name each level once; -r says how often each is run"));
            }
        }
        Ok(Self { levels, runs: Self::RUNS, warmup: Self::WARMUP })
    }

    /// With so many measured runs of each level.
    pub fn runs(mut self, runs: u32) -> Result<Self> {
        if runs == 0 {
            return Err(Error::usage("nothing is measured in so many runs: 0").hint("ask for 1 run at least"));
        }
        self.runs = runs;
        Ok(self)
    }

    /// With so many runs of each level before anything is measured.
    #[must_use]
    pub fn warmup(mut self, warmup: u32) -> Self {
        self.warmup = warmup;
        self
    }

    /// The levels, in the order they were named.
    pub fn levels(&self) -> &[usize] {
        &self.levels
    }

    /// The level that the others are compared with: 1 if it is among them, the first otherwise.
    pub fn baseline(&self) -> usize {
        if self.levels.contains(&1) { 1 } else { self.levels[0] }
    }

    /// Measured runs of each level.
    pub fn measured(&self) -> u32 {
        self.runs
    }

    /// Warm-up runs of each level.
    pub fn warmups(&self) -> u32 {
        self.warmup
    }

    /// All runs, warm-up included.
    pub fn turns(&self) -> u64 {
        (u64::from(self.warmup) + u64::from(self.runs)) * self.levels.len() as u64
    }

    /// All runs in their order, warm-up first. Levels take turns, and who begins moves on by one each round, so that
    /// what drifts (a cache that fills, a machine that grows hot, a network that others use) hits all of them alike.
    pub(super) fn schedule(&self) -> impl Iterator<Item = Turn> + '_ {
        let of = self.turns();
        let rounds = (0..self.warmup).map(|round| (true, round)).chain((0..self.runs).map(|round| (false, round)));
        rounds
            .flat_map(move |(warmup, round)| {
                let first = round as usize % self.levels.len();
                let order = self.levels[first..].iter().chain(&self.levels[..first]);
                order.map(move |jobs| (warmup, round + 1, *jobs))
            })
            .zip(1..)
            .map(move |((warmup, round, jobs), number)| Turn { number, of, round, jobs, warmup })
    }
}

/// One run of a comparison.
///
/// It reads `run 3 of 8: 10 jobs`, for a line of its own or a heading above the bars.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Turn {
    /// Which of all runs it is, from 1, warm-up included.
    pub number: u64,
    /// All runs, warm-up included.
    pub of: u64,
    /// Which run of its level, from 1; warm-up and measured runs count apart.
    pub round: u32,
    /// At most so many jobs in flight.
    pub jobs: usize,
    /// Whether it is run only to make ready, and not measured.
    pub warmup: bool,
}

impl fmt::Display for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "run {} of {}: {}", self.number, self.of, jobs(self.jobs))?;
        if self.warmup { f.write_str(", warm-up") } else { Ok(()) }
    }
}

/// `1 job`, `10 jobs`.
pub(super) fn jobs(jobs: usize) -> String {
    if jobs == 1 { "1 job".to_owned() } else { format!("{jobs} jobs") }
}

/// Who is told how a comparison goes on: shows bars, writes a line for each run.
///
/// ```
/// use raudal::compare::{Turn, Watch};
/// use std::time::Duration;
///
/// struct Lines;
///
/// impl Watch for Lines {
///     fn done(&self, turn: &Turn, wall: Duration) {
///         eprintln!("{turn}, {}", raudal::units::duration(wall));
///     }
/// }
/// ```
pub trait Watch: Send + Sync {
    /// A run begins; what is returned watches its jobs.
    fn begin(&self, turn: &Turn) -> Arc<dyn Observer> {
        let _ = turn;
        Arc::new(NoObserver)
    }

    /// A run is over, and took so long.
    fn done(&self, turn: &Turn, wall: Duration) {
        let _ = (turn, wall);
    }
}

/// Watches nothing.
impl Watch for () {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_take_turns_and_each_begins_a_round() {
        let plan = Plan::new([1, 4, 16]).unwrap().runs(3).unwrap().warmup(1);
        let turns: Vec<Turn> = plan.schedule().collect();
        let levels: Vec<usize> = turns.iter().map(|turn| turn.jobs).collect();
        assert_eq!(levels, [1, 4, 16, 1, 4, 16, 4, 16, 1, 16, 1, 4]);
        assert_eq!(turns[2].to_string(), "run 3 of 12: 16 jobs, warm-up");
        assert_eq!(turns[3].to_string(), "run 4 of 12: 1 job");
        assert_eq!((turns[11].number, turns[11].round), (12, 3));
    }

    #[test]
    fn a_bad_plan_is_a_usage_error_that_names_the_cure() {
        let plans = [Plan::new([]), Plan::new([1, 0]), Plan::new([4, 4]), Plan::new([1]).and_then(|plan| plan.runs(0))];
        for plan in plans {
            let error = plan.unwrap_err();
            assert!(error.kind() == crate::Kind::Usage && error.hint_text().is_some(), "{error}");
        }
    }

    #[test]
    fn the_baseline_is_the_sequential_level_or_else_the_first() {
        assert_eq!(Plan::new([10, 1]).unwrap().baseline(), 1);
        assert_eq!(Plan::new([10, 2]).unwrap().baseline(), 10);
    }
}
