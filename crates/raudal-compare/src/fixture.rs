//! Invented comparisons for tests: every time is known.

use super::comparison::{Comparison, Level, Measured};
use super::conditions::{Conditions, Machine};
use super::workload::{Activity, Setting, Stage, Unit};
use raudal_pipeline::Jobs;
use raudal_pool::{JobReport, LimitChange, Outcome, RunReport, StageSpan};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub(super) fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// A job that ran from `start` to `end`, in milliseconds, in one attempt without stages.
pub(super) fn job(number: u64, start: u64, end: u64) -> JobReport {
    let mut job = JobReport::new(number, format!("job {number}"), Outcome::Succeeded);
    (job.attempts, job.items) = (1, 1);
    (job.started, job.running) = (ms(start), ms(end - start));
    job
}

/// The same with stages, each with its end time.
pub(super) fn staged(number: u64, start: u64, stages: &[(&'static str, u64)]) -> JobReport {
    let mut job = job(number, start, stages.last().map_or(start, |stage| stage.1));
    let mut from = start;
    for (stage, end) in stages {
        job.stages.push(StageSpan::new(stage, 1, ms(from), ms(*end)));
        from = *end;
    }
    job
}

/// A limit that was set for the only host, at a time in milliseconds.
pub(super) fn limit(at: u64, limit: usize, why: &str) -> LimitChange {
    LimitChange::new(ms(at), "https://a.example:443", limit, why)
}

/// A run that ended with the last of its jobs.
pub(super) fn run(turn: u64, jobs: Vec<JobReport>) -> Measured {
    let wall = jobs.iter().map(|job| job.started + job.running).max().unwrap_or_default();
    let (mut report, mut edges) = (RunReport::default(), Vec::new());
    report.wall = wall;
    for job in &jobs {
        report.count(job);
        edges.extend([(job.started, 1_i64), (job.started + job.running, -1)]);
    }
    edges.sort_unstable();
    let mut in_flight = 0;
    for (_, step) in edges {
        in_flight += step;
        report.peak_in_flight = report.peak_in_flight.max(in_flight as usize);
    }
    Measured { turn, started: moment(), wall, cpu: None, report, limits: Vec::new(), jobs }
}

pub(super) fn level(jobs: impl Into<Jobs>, runs: Vec<Measured>) -> Level {
    Level { jobs: jobs.into(), runs }
}

/// A level with a run for each of `times`. Each run has `count` jobs that take this many
/// milliseconds each, `jobs` at a time.
pub(super) fn even(jobs: usize, count: u64, times: &[u64]) -> Level {
    let runs = (1..).zip(times).map(|(turn, time)| {
        let jobs = jobs as u64;
        run(turn, (0..count).map(|i| job(i, i / jobs * time, (i / jobs + 1) * time)).collect())
    });
    level(jobs, runs.collect())
}

/// 2026-01-02T03:04:05Z.
pub(super) fn moment() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_767_323_045)
}

pub(super) fn conditions() -> Conditions {
    Conditions {
        started: moment(),
        ended: moment() + Duration::from_secs(10),
        version: "1.2.3".to_owned(),
        machine: Machine {
            system: "linux".to_owned(),
            architecture: "x86_64".to_owned(),
            processor: Some("Some CPU".to_owned()),
            memory: Some(8_192_000_000),
        },
        command: Some("raudal compare fake --seed=7".to_owned()),
        settings: vec![Setting::new("latency", "80ms"), Setting::new("seed", 7)],
    }
}

pub(super) fn comparison(levels: Vec<Level>) -> Comparison {
    Comparison {
        workload: "fake".to_owned(),
        digest: "d1".to_owned(),
        rows: 32,
        cores: Some(2),
        warmup: 1,
        stopped: None,
        conditions: conditions(),
        baseline: levels[0].jobs,
        levels,
        stages: vec![
            Stage::new("fetch", Activity::Transfer),
            Stage::new("decode", Activity::Compute),
            Stage::new("acquire", Activity::Turn("a connection of the pool")),
            Stage::new("query", Activity::Answer),
            Stage::new("sync", Activity::Disk),
        ],
        unit: Unit::Bytes,
    }
}
