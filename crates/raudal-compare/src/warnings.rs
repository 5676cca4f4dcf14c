//! What makes a figure doubtful, and what to do about it.

use super::comparison::{Comparison, Level};
use super::stats::{SpeedUp, differ, mean, robust_scores, trend};
use super::turn::{Turn, jobs};
use raudal_common::units;
use raudal_pipeline::Jobs;
use std::fmt;
use std::time::Duration;

/// In runs shorter than this, starting tasks and reading the clock weigh as much as the work.
const SHORT: Duration = Duration::from_millis(5);
/// A run is an outlier if its robust score is beyond this. This is ten times the usual limit of
/// 1.4826 deviations, as in hyperfine: with only a few runs, a lower limit would warn of chance.
const STRAY: f64 = 14.826;
/// With a deviation above this share of the mean, a speed-up has hardly one reliable digit.
const SPREAD: f64 = 0.25;
/// The fewest rounds in which a trend can be told from chance.
const TREND_ROUNDS: usize = 5;
/// Without any order, `ρ · √(n − 1)` of a rank correlation is about normally distributed. Chance
/// exceeds this limit one time in twenty.
const TREND: f64 = 1.96;
/// A smaller drift is not worth a warning: the levels alternate, so it hardly affects a speed-up.
const DRIFT: f64 = 0.05;

/// A reason to doubt what was measured. `Display` writes a sentence that says what to do.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Warning {
    /// The comparison was stopped, so levels may differ in their number of runs.
    Stopped {
        /// The first run that is missing.
        turn: Turn,
    },
    /// Each level was measured once: there is no deviation.
    SingleRun,
    /// Runs are too short to say much.
    Short {
        /// The level.
        jobs: Jobs,
        /// The shortest run.
        min: Duration,
    },
    /// The first run was much slower than the others: something was cold.
    SlowFirst {
        /// The level.
        jobs: Jobs,
        /// The first run.
        first: Duration,
        /// The median of all.
        median: Duration,
    },
    /// Some runs are outliers, or all runs vary widely.
    Spread {
        /// The level.
        jobs: Jobs,
        /// The number of outliers; 0 if all runs vary widely.
        strays: usize,
        /// The deviation over the mean.
        relative: f64,
        /// The outliers: the number of each among all runs, and its time.
        runs: Vec<(u64, Duration)>,
        /// The median of all.
        median: Duration,
    },
    /// All levels became slower, or quicker, from round to round.
    Drift {
        /// How much longer the second half of the rounds took than the first, as a share; negative
        /// if it was faster.
        change: f64,
    },
    /// The difference is within the uncertainty.
    NotEstablished {
        /// The level.
        jobs: Jobs,
        /// The level that it is compared with.
        baseline: Jobs,
        /// The speed-up.
        speed_up: SpeedUp,
    },
    /// Jobs were retried, and their waits count as time.
    Retried {
        /// The level.
        jobs: Jobs,
        /// Attempts beyond the first, in all runs.
        retries: u64,
    },
}

impl Warning {
    /// Returns the kind of warning as one word, for programs.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Stopped { .. } => "stopped",
            Self::SingleRun => "single-run",
            Self::Short { .. } => "short",
            Self::SlowFirst { .. } => "slow-first",
            Self::Spread { .. } => "spread",
            Self::Drift { .. } => "drift",
            Self::NotEstablished { .. } => "not-established",
            Self::Retried { .. } => "retried",
        }
    }

    /// Returns the level that the warning is about, if there is one.
    pub fn level(&self) -> Option<Jobs> {
        match self {
            Self::Stopped { .. } | Self::SingleRun | Self::Drift { .. } => None,
            Self::Short { jobs, .. }
            | Self::SlowFirst { jobs, .. }
            | Self::Spread { jobs, .. }
            | Self::NotEstablished { jobs, .. }
            | Self::Retried { jobs, .. } => Some(*jobs),
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(level) = self.level() {
            write!(f, "{}", jobs(level))?;
            if let Self::NotEstablished { baseline, .. } = self {
                write!(f, " against {}", jobs(*baseline))?;
            }
            f.write_str(": ")?;
        }
        match self {
            Self::Stopped { turn } => write!(
                f,
                "the comparison was stopped in {turn}; the levels may differ in their number of runs, so a drift does \
                 not affect them alike; let it run to its end"
            ),
            Self::SingleRun => {
                f.write_str("each level was measured once, so the spread is unknown; measure at least 5 runs")
            }
            Self::Short { min, .. } => write!(
                f,
                "a run of {} measures its start-up as much as the work; use a larger workload",
                units::duration(*min)
            ),
            Self::SlowFirst { first, median, .. } => write!(
                f,
                "the first run took {}, the median is {}; something was not warm yet, so warm up with at least 3 runs",
                units::duration(*first),
                units::duration(*median)
            ),
            Self::Spread { strays: 0, relative, .. } => write!(
                f,
                "the runs spread widely, by {:.0} % of their mean; measure more runs, or use a quieter machine or network",
                relative * 100.0
            ),
            Self::Spread { runs, median, .. } => write_outliers(f, runs, *median),
            Self::Drift { change } => write_drift(f, *change),
            Self::NotEstablished { speed_up, .. } => write!(
                f,
                "the difference is within the uncertainty, so no speed-up is proved ({:.2} ± {:.2}); measure more runs",
                speed_up.ratio,
                speed_up.uncertainty.unwrap_or_default()
            ),
            Self::Retried { retries, .. } => {
                write!(f, "waits for retries count as time: {retries}; find out why attempts fail, or use fewer jobs")
            }
        }
    }
}

fn write_outliers(f: &mut fmt::Formatter<'_>, runs: &[(u64, Duration)], median: Duration) -> fmt::Result {
    let runs: Vec<String> =
        runs.iter().map(|(turn, wall)| format!("run {turn} ({})", units::duration(*wall))).collect();
    write!(
        f,
        "some runs are far from the median of {}: {}; something else was running, so measure again on a quieter \
         machine or network",
        units::duration(median),
        runs.join(", ")
    )
}

fn write_drift(f: &mut fmt::Formatter<'_>, change: f64) -> fmt::Result {
    let (became, took, advice) = if change > 0.0 {
        ("slower", "longer", "check what grows or fills up (disk, cache, temperature), and measure again")
    } else {
        ("quicker", "less", "something was still warming up, so warm up with at least 5 runs")
    };
    write!(
        f,
        "every level became {became} from round to round: the second half of the runs took {:.0} % {took} than the \
         first; the levels took turns, so the times are affected, but the speed-up hardly is; {advice}",
        change.abs() * 100.0
    )
}

impl Comparison {
    /// Returns the reasons to doubt the figures.
    pub fn warnings(&self) -> Vec<Warning> {
        let mut warnings = Vec::new();
        warnings.extend(self.stopped.map(|turn| Warning::Stopped { turn }));
        if self.levels.iter().all(|level| level.runs.len() <= 1) {
            warnings.push(Warning::SingleRun);
        }
        for level in &self.levels {
            of_level(level, &mut warnings);
            // Levels that are equally fast need no more runs to show it.
            let is_open = |speed_up: &SpeedUp| speed_up.is_established() == Some(false) && !speed_up.is_negligible();
            let speed_up = self.speed_up(level).filter(is_open);
            warnings.extend(speed_up.map(|speed_up| Warning::NotEstablished {
                jobs: level.jobs,
                baseline: self.baseline,
                speed_up,
            }));
        }
        warnings.extend(self.drift().map(|change| Warning::Drift { change }));
        warnings
    }

    /// Returns how much longer the second half of the rounds took, if all levels share a trend.
    ///
    /// Each run's time is divided by the mean of its level; a round's value is the mean of these
    /// over the levels. There is a trend if three things hold: the rank correlation `ρ` of `n` ≥ 5
    /// rounds with their order has `|ρ| · √(n − 1) ≥ 1.96`, the halves differ by at least 5 %, and
    /// they differ in the same direction at every level.
    fn drift(&self) -> Option<f64> {
        let rounds = self.levels.iter().map(|level| level.runs.len()).min().filter(|rounds| *rounds >= TREND_ROUNDS)?;
        let relative = |level: &Level| -> Option<Vec<f64>> {
            let mean = level.summary()?.mean.as_secs_f64();
            (mean > 0.0).then(|| level.runs.iter().map(|run| run.wall.as_secs_f64() / mean).collect())
        };
        let levels: Vec<Vec<f64>> = self.levels.iter().map(relative).collect::<Option<_>>()?;
        let of_round = |round: usize| levels.iter().map(|level| level[round]).sum::<f64>() / levels.len() as f64;
        let all: Vec<f64> = (0..rounds).map(of_round).collect();
        let change =
            |times: &[f64]| Some(mean(&times[rounds.div_ceil(2)..rounds])? / mean(&times[..rounds / 2])? - 1.0);
        let change_of_all = change(&all)?;
        let shared = levels.iter().filter_map(|level| change(level)).all(|one| one * change_of_all > 0.0);
        let certain = trend(&all)?.abs() * (rounds as f64 - 1.0).sqrt() >= TREND;
        (certain && shared && change_of_all.abs() >= DRIFT).then_some(change_of_all)
    }
}

fn of_level(level: &Level, warnings: &mut Vec<Warning>) {
    let (jobs, walls) = (level.jobs, level.walls());
    let Some(summary) = level.summary() else { return };
    if summary.min < SHORT {
        warnings.push(Warning::Short { jobs, min: summary.min });
    }
    // Very even runs have tiny deviations, so that a run may be far from them and yet the same.
    let scores = robust_scores(&walls);
    let strays = |score: f64, wall| score > STRAY && differ(wall, summary.median);
    let stray = scores.iter().zip(&level.runs).filter(|(score, run)| strays(score.abs(), run.wall));
    let runs: Vec<(u64, Duration)> = stray.map(|(_, run)| (run.turn, run.wall)).collect();
    let relative = match summary.stddev {
        Some(stddev) if differ(summary.max, summary.min) && !summary.mean.is_zero() => {
            stddev.as_secs_f64() / summary.mean.as_secs_f64()
        }
        _ => 0.0,
    };
    if scores.first().is_some_and(|score| strays(*score, walls[0])) {
        warnings.push(Warning::SlowFirst { jobs, first: walls[0], median: summary.median });
    } else if !runs.is_empty() || relative > SPREAD {
        warnings.push(Warning::Spread { jobs, strays: runs.len(), relative, runs, median: summary.median });
    }
    let retries = level.runs.iter().map(|run| run.report.retries).sum();
    if retries > 0 {
        warnings.push(Warning::Retried { jobs, retries });
    }
}
