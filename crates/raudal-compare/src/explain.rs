//! Explains what bounds a level. The evidence is the reports of its jobs, the other levels, and the
//! CPU time of this process.
//!
//! The rules are tried in this order, and the first that holds is the finding. `N` is the level,
//! `n` the number of jobs, `T` the mean job time and `W` the mean wall time. The baseline is the
//! level that the others are compared with.
//!
//! The level `auto` is not a number, so `N` is then the peak in flight. The rules about allowed but
//! unused slots (slots, limit, the end of the run) do not apply to `auto`.
//!
//! | bound | holds if |
//! |---|---|
//! | processor | CPU time ≥ 85 % of what `min(N, cores)` cores could give, or jobs slow each other down and lose most of that time in a stage that computes |
//! | bandwidth | jobs slow each other down (`T` ≥ 1.5 times `T` at the baseline), and either lose most of that time in a stage that transfers, or move no more bytes per second than with fewer jobs |
//! | disk | jobs slow each other down, and lose most of that time in a stage that writes or reads files |
//! | shared | jobs slow each other down otherwise: they take turns at one connection, lock or writer |
//! | the longest job | in the median run, the longest job ≥ 85 % of the wall time, and ≥ 1.5 `T` if there are several jobs |
//! | latency | all jobs were in flight at once (`n` ≤ `N`), and `W` is about `T`; or, with one job at a time, the job waits for the other side |
//! | one connection | one job at a time, and its bytes explain most of its time |
//! | slots | overlap ≥ 85 % of `N`, while other jobs wait |
//! | limit | never more than 85 % of `min(N, n)` in flight: another limit was reached first |
//! | the end of the run | at least half of the slots' idle time comes after the last job began |
//!
//! None of this is a proof. So a finding says what a level looks bound by, and gives the figures
//! behind it.

use super::comparison::{Comparison, Level, Measured};
use super::finding::{Bound, Finding};
use super::stages;
use super::stats::{line, mean};
use super::workload::{Activity, Unit};
use raudal_common::units;
use raudal_pipeline::Jobs;
use raudal_pool::JobReport;
use std::fmt::Write as _;
use std::time::Duration;

/// A share that counts as nearly all.
const NEARLY: f64 = 0.85;
/// Jobs slow each other down if they take at least this many times as long as at the baseline.
const SLOWED: f64 = 1.5;
/// A rate that rose by less than this factor counts as flat.
const FLAT: f64 = 1.1;

/// The shortest wall time that a level could have if its jobs did not slow each other down.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Ideal {
    /// The larger of `share` and `longest`.
    pub time: Duration,
    /// The level, as a number.
    pub slots: usize,
    /// The sum of the baseline's job times, divided by the number of slots.
    pub share: Duration,
    /// The longest job of the baseline, which one slot runs alone; `None` without job reports.
    pub longest: Option<Duration>,
    /// How close the level came: the ideal over the mean wall time. 1 means that it reached the
    /// ideal.
    pub reached: f64,
}

impl Comparison {
    /// Returns the ideal of a level: `max(longest job, Σ job times / N)`. The job times are those
    /// of the baseline, whose jobs slow each other down the least. `None` if the workload reports
    /// no job times, and for `auto`, which has no `N`.
    ///
    /// A level may beat the ideal (`reached` above 1) if jobs take less time together than apart,
    /// for example because they reuse a connection.
    pub fn ideal(&self, level: &Level) -> Option<Ideal> {
        let (baseline, slots) = (self.level(self.baseline)?, level.jobs.number()?);
        let sums: Vec<f64> = baseline.runs.iter().map(|run| run.report.job_time.as_secs_f64()).collect();
        let sum = mean(&sums).filter(|sum| *sum > 0.0)?;
        let share = Duration::try_from_secs_f64(sum / slots as f64).ok()?;
        let longest = baseline.median_run().and_then(|run| run.jobs.iter().map(|job| job.running).max());
        let time = longest.map_or(share, |longest| longest.max(share));
        let wall = level.summary()?.mean.as_secs_f64();
        (wall > 0.0).then(|| Ideal { time, slots, share, longest, reached: time.as_secs_f64() / wall })
    }

    /// Returns what seems to bound a level; `None` if the figures do not show it. The source file
    /// lists the rules in a table.
    pub fn finding(&self, level: &Level) -> Option<Finding> {
        let facts = Facts::of(self, level)?;
        facts
            .processor()
            .or_else(|| facts.slowed())
            .or_else(|| facts.longest_job())
            .or_else(|| facts.all_at_once())
            .or_else(|| facts.one_at_a_time())
            .or_else(|| facts.slots())
            .or_else(|| facts.limit())
            .or_else(|| facts.tail())
    }
}

/// The input of the rules.
struct Facts<'a> {
    comparison: &'a Comparison,
    level: &'a Level,
    run: &'a Measured,
    /// The baseline, unless it is this level.
    base: Option<(&'a Level, &'a Measured)>,
    /// The level as a number; with `auto`, the peak in flight.
    slots: usize,
    /// Jobs in a run.
    count: u64,
    /// The mean job time, over all runs.
    job: f64,
    overlap: f64,
}

impl<'a> Facts<'a> {
    fn of(comparison: &'a Comparison, level: &'a Level) -> Option<Self> {
        let run = level.median_run()?;
        let base = comparison.level(comparison.baseline).filter(|base| base.jobs != level.jobs);
        Some(Self {
            comparison,
            level,
            run,
            base: base.and_then(|base| Some((base, base.median_run()?))),
            slots: level.jobs.number().unwrap_or_else(|| level.peak_in_flight()),
            count: run.report.total(),
            job: job_time(level)?,
            overlap: level.overlap()?,
        })
    }

    /// The most jobs that can be in flight: the slots, or all jobs if they are fewer.
    fn most(&self) -> f64 {
        (self.count.min(self.slots as u64)) as f64
    }

    fn processor(&self) -> Option<Finding> {
        let (busy, cores) = (self.level.busy_cores()?, self.comparison.cores?);
        let usable = self.slots.min(cores);
        if busy < NEARLY * usable as f64 {
            return None;
        }
        let advice = if usable < cores {
            "more jobs could use the remaining cores"
        } else {
            "more jobs would only share the cores; less work per byte or more cores would help"
        };
        let because = format!(
            "this process kept {busy:.2} cores busy on average of the {usable} that {} could use",
            super::turn::jobs(self.level.jobs)
        );
        Some(Finding::new(Bound::Processor, because, advice))
    }

    /// Jobs that take longer together than apart share a saturated resource.
    fn slowed(&self) -> Option<Finding> {
        let (base, base_run) = self.base?;
        let times = self.job / job_time(base).filter(|time| *time > 0.0)?;
        if times < SLOWED || base.jobs.number().is_some_and(|base| self.slots < base) {
            return None;
        }
        let stage = stages::most_slowed(&base_run.jobs, &self.run.jobs);
        let mut because = format!("a job took {times:.1} times as long as with {}", super::turn::jobs(base.jobs));
        if let Some((stage, share)) = stage {
            let _ = write!(because, ", with {:.0} % of the extra time in `{stage}`", share * 100.0);
        }
        let activity = stage.and_then(|(stage, _)| stages::activity(&self.comparison.stages, stage));
        if let Some(Activity::Turn(what)) = activity {
            let _ = write!(because, " waiting for {what}");
        }
        let flat = self.flat_rate();
        if let Some((rate, below)) = flat {
            let _ = write!(
                because,
                ", and {} is no faster than with {}",
                self.comparison.unit.rate(rate),
                super::turn::jobs(below)
            );
        }
        let enough = (self.overlap / times).ceil().max(1.0);
        let advice = format!("about {enough:.0} jobs in flight would be as fast");
        let is_by_bytes = self.comparison.unit == Unit::Bytes && base_run.report.bytes > 0;
        let bound = match activity {
            Some(Activity::Compute) => Bound::Processor,
            Some(Activity::Transfer) => Bound::Bandwidth,
            Some(Activity::Disk) => Bound::Disk,
            Some(Activity::Answer) | None if flat.is_some() && is_by_bytes => Bound::Bandwidth,
            Some(Activity::Turn(_) | Activity::Answer) | None => Bound::Shared,
        };
        Some(Finding::new(bound, because, advice))
    }

    /// Returns the throughput and the next smaller level, if that level was about as fast.
    fn flat_rate(&self) -> Option<(f64, Jobs)> {
        let levels = self.comparison.levels.iter().filter_map(|level| Some((level.jobs.number()?, level)));
        let (_, below) = levels.filter(|(jobs, _)| *jobs < self.slots).max_by_key(|(jobs, _)| *jobs)?;
        let (rate, before) = (self.level.per_second(self.comparison.unit)?, below.per_second(self.comparison.unit)?);
        (rate < FLAT * before).then_some((rate, below.jobs))
    }

    fn longest_job(&self) -> Option<Finding> {
        let longest = self.run.jobs.iter().max_by_key(|job| job.running)?;
        let (time, wall) = (longest.running.as_secs_f64(), self.run.wall.as_secs_f64());
        if time < NEARLY * wall || (time < SLOWED * self.job && self.count > 1) {
            return None;
        }
        let label = raudal_common::error::printable(&longest.label);
        let because =
            format!("{label} alone took {} of {}", units::duration(longest.running), units::duration(self.run.wall));
        Some(Finding::new(
            Bound::LongestJob,
            because,
            "more jobs at once cannot help; make the job shorter, or split it",
        ))
    }

    /// With all jobs in flight at once, the run takes as long as one job.
    fn all_at_once(&self) -> Option<Finding> {
        if self.count < 2 || self.count > self.slots as u64 || self.overlap < NEARLY * self.most() {
            return None;
        }
        let because = format!(
            "all {} jobs were in flight at once, and each took about as long as the whole run: {}",
            self.count,
            units::duration(Duration::try_from_secs_f64(self.job).ok()?)
        );
        Some(Finding::new(Bound::Latency, because, "more slots cannot help; a faster response would"))
    }

    /// Finds what a single job in flight waits for: the answer, or its bytes.
    fn one_at_a_time(&self) -> Option<Finding> {
        if self.level.jobs != Jobs::Most(1) || self.overlap < NEARLY {
            return None;
        }
        let idle = self.level.busy_cores().map(|busy| (1.0 - busy).max(0.0));
        let mut because = "one job at a time was in flight, mostly waiting".to_owned();
        if let Some(idle) = idle {
            if idle < 0.5 {
                return None;
            }
            let _ = write!(because, " (a core would have been idle for {:.0} % of the time)", idle * 100.0);
        }
        if let Some((stage, share)) = stages::longest(&self.run.jobs) {
            let _ = write!(because, ", {:.0} % of its time in `{stage}`", share * 100.0);
        }
        if let Some((latency, rate, share)) = self.by_bytes() {
            let _ =
                write!(because, "; a job takes {} plus its bytes at {}", units::duration(latency), units::rate(rate));
            if share > 0.5 {
                let advice = "more connections would raise the throughput, up to the total bandwidth";
                return Some(Finding::new(Bound::Connection, because, advice));
            }
        }
        Some(Finding::new(Bound::Latency, because, "concurrent jobs would overlap their waits"))
    }

    /// Fits the times of the jobs to `latency + bytes / rate` by least squares. Returns the
    /// latency, the rate, and the share of all job time that the bytes explain. `None` for fewer
    /// than eight jobs, or if the line explains less than 80 %.
    fn by_bytes(&self) -> Option<(Duration, f64, f64)> {
        let away = |job: &JobReport| stages::away(job, &self.comparison.stages).as_secs_f64();
        let points: Vec<(f64, f64)> = self.run.jobs.iter().map(|job| (job.bytes as f64, away(job))).collect();
        let (latency, seconds_per_byte, explained) = line(&points).filter(|_| points.len() >= 8)?;
        if explained < 0.8 || seconds_per_byte <= 0.0 {
            return None;
        }
        let latency = latency.max(0.0);
        let all: f64 = points.iter().map(|point| point.1).sum();
        let share = 1.0 - latency * points.len() as f64 / all;
        Some((Duration::try_from_secs_f64(latency).ok()?, 1.0 / seconds_per_byte, share))
    }

    fn slots(&self) -> Option<Finding> {
        let jobs = self.level.jobs.number()?;
        if self.overlap < NEARLY * jobs as f64 || self.count <= jobs as u64 {
            return None;
        }
        let mut because = format!("{:.1} of {jobs} were busy on average", self.overlap);
        if let Some(times) = self.base.and_then(|(base, _)| Some(self.job / job_time(base)?)).filter(|t| t.is_finite())
        {
            let _ = write!(
                because,
                " and a job took only {times:.2} times as long as with {}",
                super::turn::jobs(self.comparison.baseline)
            );
        }
        Some(Finding::new(Bound::Slots, because, "more jobs at once would probably help"))
    }

    fn limit(&self) -> Option<Finding> {
        let (peak, allowed) = (self.level.peak_in_flight(), self.level.jobs.number()?);
        if peak as f64 > NEARLY * self.most() || self.overlap < NEARLY * peak as f64 {
            return None;
        }
        let because = format!("at most {peak} jobs were in flight, although {allowed} were allowed");
        Some(Finding::new(Bound::Limit, because, "check the limit for each host or key, and the rate"))
    }

    /// Jobs of unequal length: some slots finish long before others.
    fn tail(&self) -> Option<Finding> {
        let jobs = self.level.jobs.number()?;
        let (slots, wall) = (jobs as f64, self.run.wall.as_secs_f64());
        let last = self.run.jobs.iter().map(|job| job.started).max()?;
        let rest = wall - last.as_secs_f64();
        let after: Duration =
            self.run.jobs.iter().map(|job| (job.started + job.running).saturating_sub(job.started.max(last))).sum();
        let after = after.as_secs_f64();
        let idle = slots * wall - self.run.report.job_time.as_secs_f64();
        if self.count <= jobs as u64 || rest <= 0.0 || slots * rest - after < 0.5 * idle {
            return None;
        }
        let because = format!(
            "the last job began after {} of {}; from then on only {:.1} of {jobs} slots were busy on average",
            units::duration(last),
            units::duration(self.run.wall),
            after / rest,
        );
        Some(Finding::new(Bound::Tail, because, "start long jobs first; more jobs at once help less"))
    }
}

/// The mean job time, over all runs of a level.
fn job_time(level: &Level) -> Option<f64> {
    let count: u64 = level.runs.iter().map(|run| run.report.total()).sum();
    let sum: f64 = level.runs.iter().map(|run| run.report.job_time.as_secs_f64()).sum();
    (count > 0 && sum > 0.0).then(|| sum / count as f64)
}
