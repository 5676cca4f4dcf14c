//! Where jobs spend their time, stage by stage.

use super::workload::{Activity, Stage};
use raudal_pool::JobReport;
use std::time::Duration;

/// Returns what a stage spends its time on, if the workload has declared it.
pub(super) fn activity(stages: &[Stage], name: &str) -> Option<Activity> {
    stages.iter().find(|stage| stage.name == name).map(|stage| stage.activity)
}

/// Returns the stages of some jobs in the order of their first appearance, each with its total
/// time.
pub(super) fn totals(jobs: &[JobReport]) -> Vec<(&'static str, Duration)> {
    let mut totals: Vec<(&'static str, Duration)> = Vec::new();
    for span in jobs.iter().flat_map(|job| &job.stages) {
        let time = span.end.saturating_sub(span.start);
        match totals.iter_mut().find(|(stage, _)| *stage == span.stage) {
            Some((_, total)) => *total += time,
            None => totals.push((span.stage, time)),
        }
    }
    totals
}

/// Returns the stage that took the most time, with its share of all job time.
pub(super) fn longest(jobs: &[JobReport]) -> Option<(&'static str, f64)> {
    let all: Duration = jobs.iter().map(|job| job.running).sum();
    let (stage, time) = totals(jobs).into_iter().max_by_key(|(_, time)| *time)?;
    (!all.is_zero()).then(|| (stage, time.as_secs_f64() / all.as_secs_f64()))
}

/// Returns the stage that lost the most time from `before` to `after`, with its share of what all
/// stages lost. `None` if there are no stages, or none lost time.
pub(super) fn most_slowed(before: &[JobReport], after: &[JobReport]) -> Option<(&'static str, f64)> {
    let before = totals(before);
    let lost: Vec<(&'static str, f64)> = totals(after)
        .into_iter()
        .map(|(stage, time)| {
            let was = before.iter().find(|(name, _)| *name == stage).map_or(Duration::ZERO, |(_, was)| *was);
            (stage, time.saturating_sub(was).as_secs_f64())
        })
        .collect();
    let all: f64 = lost.iter().map(|(_, lost)| lost).sum();
    let (stage, most) = lost.into_iter().max_by(|a, b| a.1.total_cmp(&b.1))?;
    (all > 0.0).then(|| (stage, most / all))
}

/// Returns the time of a job without the time in which it computed or waited for its turn.
pub(super) fn away(job: &JobReport, stages: &[Stage]) -> Duration {
    let is_here = |name| matches!(activity(stages, name), Some(Activity::Compute | Activity::Turn(_)));
    let here = job.stages.iter().filter(|span| is_here(span.stage));
    job.running.saturating_sub(here.map(|span| span.end.saturating_sub(span.start)).sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{ms, staged};

    #[test]
    fn stages_are_summed_up_in_the_order_they_are_met() {
        let jobs = [staged(0, 0, &[("fetch", 30), ("decode", 40)]), staged(1, 40, &[("fetch", 60), ("decode", 90)])];
        assert_eq!(totals(&jobs), [("fetch", ms(50)), ("decode", ms(40))]);
        let (stage, share) = longest(&jobs).unwrap();
        assert_eq!(stage, "fetch");
        assert!((share - 50.0 / 90.0).abs() < 1e-9);
        let stages = [Stage::new("decode", Activity::Compute)];
        assert_eq!(away(&jobs[1], &stages), ms(20));
        assert_eq!(away(&jobs[1], &[]), ms(50), "of a stage that is not declared nothing is known");
    }

    #[test]
    fn what_jobs_lose_is_traced_to_a_stage() {
        let alone = [staged(0, 0, &[("fetch", 10), ("decode", 20)])];
        let together = [staged(0, 0, &[("fetch", 40), ("decode", 60)])];
        let (stage, share) = most_slowed(&alone, &together).unwrap();
        assert_eq!(stage, "fetch");
        assert!((share - 0.75).abs() < 1e-9);
        assert_eq!(most_slowed(&alone, &alone), None);
    }
}
