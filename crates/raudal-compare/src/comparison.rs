//! What a comparison measured. Every figure is computed from the individual runs.

use super::conditions::{Conditions, machine, settings};
use super::stats::{SpeedUp, Summary};
use super::turn::Turn;
use super::workload::{Stage, Unit};
use raudal_common::units::date;
use raudal_pipeline::Jobs;
use raudal_pool::{JobReport, LimitChange, RunReport};
use std::time::{Duration, SystemTime};

/// A workload, measured at several levels. It exists only if all its runs gave the same result.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Comparison {
    /// The workload's name.
    pub workload: String,
    /// The digest of the result, the same for every run.
    pub digest: String,
    /// Rows in the result.
    pub rows: u64,
    /// CPU cores that this process may use, if the system reports them.
    pub cores: Option<usize>,
    /// Warm-up runs of each level, which are not among `levels`.
    pub warmup: u32,
    /// The run that was stopped or not begun, if the comparison was cancelled. The complete runs are
    /// kept, so levels may differ in their number of runs.
    pub stopped: Option<Turn>,
    /// The conditions: machine, version, settings, date.
    pub conditions: Conditions,
    /// The level that the others are compared with.
    pub baseline: Jobs,
    /// The levels, in the order they were asked for.
    pub levels: Vec<Level>,
    /// What the stages of the jobs spend their time on, as the workload declares it.
    pub stages: Vec<Stage>,
    /// What the throughput counts.
    pub unit: Unit,
}

impl Comparison {
    /// Returns the conditions for people: a name and a value each. An unknown one is left out.
    pub fn described_conditions(&self) -> Vec<(&'static str, String)> {
        let conditions = &self.conditions;
        let mut all = Vec::new();
        all.extend(conditions.command.clone().map(|command| ("command", command)));
        if !conditions.settings.is_empty() {
            all.push(("settings", settings(&conditions.settings, ", ")));
        }
        all.push(("version", format!("raudal {}", conditions.version)));
        all.push(("machine", machine(&conditions.machine, self.cores)));
        all.push(("date", format!("{} to {}", date(conditions.started), date(conditions.ended))));
        // Commands, URLs and folders come from outside.
        all.into_iter().map(|(name, value)| (name, raudal_common::error::printable(&value))).collect()
    }
}

/// The measured runs of one level.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Level {
    /// The limit on jobs in flight.
    pub jobs: Jobs,
    /// The runs, in the order they were made. Empty only if the comparison was stopped.
    pub runs: Vec<Measured>,
}

/// One measured run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Measured {
    /// The number of the run among all runs, from 1, warm-up included.
    pub turn: u64,
    /// When the run began.
    pub started: SystemTime,
    /// The time from the call of the workload to its result.
    pub wall: Duration,
    /// CPU time (user and system) that this whole process used during the run. With an embedded
    /// origin, this includes the server. The clock counts in steps of 10 ms on Linux; `None`
    /// elsewhere.
    pub cpu: Option<Duration>,
    /// The report of the workload.
    pub report: RunReport,
    /// The limits that were set for keys (hosts) during the run, in the order of time. Empty if
    /// none was set, or if the observer was not told.
    pub limits: Vec<LimitChange>,
    /// The report of each job, for a timeline. Empty if the workload neither kept the reports nor
    /// told the observer.
    pub jobs: Vec<JobReport>,
}

impl Comparison {
    /// Returns the level with this limit on jobs.
    pub fn level(&self, jobs: impl Into<Jobs>) -> Option<&Level> {
        let jobs = jobs.into();
        self.levels.iter().find(|level| level.jobs == jobs)
    }

    /// Returns the speed-up of a level over the baseline: the ratio of their mean times. `None` for
    /// the baseline itself.
    pub fn speed_up(&self, level: &Level) -> Option<SpeedUp> {
        let baseline = self.level(self.baseline).filter(|baseline| baseline.jobs != level.jobs)?;
        SpeedUp::of(&baseline.summary()?, &level.summary()?)
    }

    /// Returns how much of the added concurrency became speed: the speed-up over the ratio of the
    /// jobs. 1 means all of it. `None` for the baseline itself, and for `auto`, which has no number
    /// to divide by.
    pub fn efficiency(&self, level: &Level) -> Option<f64> {
        let (baseline, jobs) = (self.baseline.number()?, level.jobs.number()?);
        self.speed_up(level).map(|speed_up| speed_up.ratio * baseline as f64 / jobs as f64)
    }
}

impl Level {
    /// Returns the wall times of its runs.
    pub fn walls(&self) -> Vec<Duration> {
        self.runs.iter().map(|run| run.wall).collect()
    }

    /// Summarizes the wall times of its runs.
    pub fn summary(&self) -> Option<Summary> {
        Summary::of(&self.walls())
    }

    /// Returns how many jobs ran at once on average: the sum of all job times over the sum of all
    /// wall times.
    pub fn overlap(&self) -> Option<f64> {
        let jobs: f64 = self.runs.iter().map(|run| run.report.job_time.as_secs_f64()).sum();
        self.seconds().map(|wall| jobs / wall)
    }

    /// Returns the most jobs that were in flight at one moment of any run.
    pub fn peak_in_flight(&self) -> usize {
        self.runs.iter().map(|run| run.report.peak_in_flight).max().unwrap_or(0)
    }

    /// Returns the highest limit that was set for a key (a host) in any run: how far `auto` went.
    /// `None` if none was set.
    pub fn highest_limit(&self) -> Option<usize> {
        self.runs.iter().flat_map(|run| &run.limits).map(|change| change.limit).max()
    }

    /// Returns the bytes per second over all runs; `None` if the workload counts no bytes.
    pub fn bytes_per_second(&self) -> Option<f64> {
        let bytes: u64 = self.runs.iter().map(|run| run.report.bytes).sum();
        self.seconds().filter(|_| bytes > 0).map(|wall| bytes as f64 / wall)
    }

    /// Returns the throughput over all runs, in this unit per second; `None` if nothing was done.
    pub fn per_second(&self, unit: Unit) -> Option<f64> {
        let Unit::Jobs(_) = unit else { return self.bytes_per_second() };
        let done: u64 = self.runs.iter().map(|run| run.report.succeeded).sum();
        self.seconds().filter(|_| done > 0).map(|wall| done as f64 / wall)
    }

    /// Returns how many CPU cores this process kept busy on average: its CPU time over the wall
    /// time, over all runs. `None` if the system does not report it, or if the total wall time is
    /// under 0.1 s, too short for a clock of 10 ms.
    pub fn busy_cores(&self) -> Option<f64> {
        let cpu: Duration = self.runs.iter().map(|run| run.cpu).sum::<Option<_>>()?;
        self.seconds().filter(|wall| *wall >= 0.1).map(|wall| cpu.as_secs_f64() / wall)
    }

    /// Returns the median run by wall time, the faster of two in the middle. Timelines show this
    /// run.
    pub fn median_run(&self) -> Option<&Measured> {
        let mut runs: Vec<&Measured> = self.runs.iter().collect();
        runs.sort_by_key(|run| run.wall);
        runs.get(runs.len().saturating_sub(1) / 2).copied()
    }

    /// Returns the sum of all wall times; `None` if it is 0.
    fn seconds(&self) -> Option<f64> {
        let wall: f64 = self.runs.iter().map(|run| run.wall.as_secs_f64()).sum();
        (wall > 0.0).then_some(wall)
    }
}
