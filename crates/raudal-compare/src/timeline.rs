//! The timeline as data: which job ran when, and which limits were set. It holds the median run of
//! each level on one time axis. The terminal, the page and the trace draw it.

use super::comparison::{Comparison, Measured};
use super::workload::Activity;
use raudal_common::units;
use raudal_pipeline::Jobs;
use raudal_pool::{JobReport, LimitChange};
use std::time::Duration;

/// The text that replaces a missing timeline.
pub(super) const NONE: &str = "no timeline: the workload records no job reports";

/// How many stages can be told apart. Further ones share the last look, which the legend then calls
/// "other stages".
pub(super) const LOOKS: usize = 30;

/// The median run of each level, on one time axis.
pub(super) struct Chart<'a> {
    /// The end of the axis: the end of the longest run.
    pub(super) end: Duration,
    /// The names of all stages, in the order of their first appearance.
    pub(super) stages: Vec<&'static str>,
    /// For each stage, whether jobs wait for their turn in it.
    pub(super) waits: Vec<bool>,
    /// The levels, in their order.
    pub(super) levels: Vec<Track<'a>>,
}

/// One run as bars.
pub(super) struct Track<'a> {
    pub(super) jobs: Jobs,
    pub(super) run: &'a Measured,
    /// In the order the jobs began.
    pub(super) bars: Vec<Bar<'a>>,
    /// The number of lanes that the bars need so that no two overlap in a lane.
    pub(super) lanes: usize,
}

/// One job.
pub(super) struct Bar<'a> {
    pub(super) job: &'a JobReport,
    /// When its last attempt ended.
    pub(super) end: Duration,
    /// The lane, from 0: the first one that was free when the job began, like a slot.
    pub(super) lane: usize,
    /// The pieces from when the job was ready until its end, without gaps.
    pub(super) pieces: Vec<StagePiece>,
}

/// A stretch of a job's time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StagePiece {
    pub(super) kind: PieceKind,
    pub(super) start: Duration,
    pub(super) end: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PieceKind {
    /// Ready, but waiting for its first attempt.
    Queued,
    /// In an attempt, outside any stage.
    Running,
    /// In a stage: its index in [`Chart::stages`].
    Stage(usize),
    /// Between attempts: it waits for its retry, without a slot.
    Pause,
}

impl<'a> Chart<'a> {
    /// `None` if no level has a job report.
    pub(super) fn of(comparison: &'a Comparison) -> Option<Self> {
        let runs: Vec<(Jobs, &Measured)> =
            comparison.levels.iter().filter_map(|level| Some((level.jobs, level.median_run()?))).collect();
        let mut stages = Vec::new();
        for span in runs.iter().flat_map(|(_, run)| &run.jobs).flat_map(|job| &job.stages) {
            if !stages.contains(&span.stage) {
                stages.push(span.stage);
            }
        }
        let levels: Vec<Track<'a>> = runs.into_iter().map(|(jobs, run)| Track::of(jobs, run, &stages)).collect();
        let waits = stages
            .iter()
            .map(|stage| matches!(super::stages::activity(&comparison.stages, stage), Some(Activity::Turn(_))));
        let waits = waits.collect();
        let ends = levels.iter().map(|track| track.bars.iter().map(|bar| bar.end).fold(track.run.wall, Duration::max));
        let end = ends.max().filter(|end| !end.is_zero())?;
        levels.iter().any(|track| !track.bars.is_empty()).then_some(Self { end, stages, waits, levels })
    }

    /// A time as a share of the axis.
    pub(super) fn share(&self, time: Duration) -> f64 {
        time.as_secs_f64() / self.end.as_secs_f64()
    }

    /// Returns about as many round times along the axis as asked for: 0 and the multiples of 1, 2
    /// or 5 times a power of ten.
    pub(super) fn ticks(&self, about: usize) -> Vec<Duration> {
        let end = self.end.as_secs_f64();
        let rough = end / about.max(1) as f64;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|m| m * power).find(|step| *step >= rough * 0.999);
        let step = step.unwrap_or(rough);
        let times = (0..=about).map(|i| i as f64 * step).take_while(|time| *time <= end * 1.000_001);
        times.filter_map(|time| Duration::try_from_secs_f64(time).ok()).collect()
    }
}

impl<'a> Track<'a> {
    fn of(jobs: Jobs, run: &'a Measured, stages: &[&'static str]) -> Self {
        // A job that never began has no bar.
        let mut bars: Vec<Bar<'a>> =
            run.jobs.iter().filter(|job| job.attempts > 0).map(|job| Bar::of(job, stages)).collect();
        bars.sort_by_key(|bar| (bar.job.started, bar.job.job));
        let mut free: Vec<Duration> = Vec::new();
        for bar in &mut bars {
            bar.lane = free.iter().position(|end| *end <= bar.job.started).unwrap_or(free.len());
            free.resize(free.len().max(bar.lane + 1), Duration::ZERO);
            free[bar.lane] = bar.end;
        }
        Self { jobs, run, bars, lanes: free.len() }
    }

    /// Returns whether a limit held for at least this long, so that there is room for its number.
    /// If several changes are close together, the last one tells what was allowed.
    pub(super) fn held(&self, change: usize, least: Duration) -> bool {
        let limits = &self.run.limits;
        limits.get(change + 1).is_none_or(|next| next.at.saturating_sub(limits[change].at) >= least)
    }

    /// Returns the number of jobs in flight as steps: each time, and the number from then on.
    pub(super) fn in_flight(&self) -> Vec<(Duration, usize)> {
        let mut edges: Vec<(Duration, isize)> = Vec::new();
        for piece in self.bars.iter().flat_map(|bar| &bar.pieces) {
            if matches!(piece.kind, PieceKind::Running | PieceKind::Stage(_)) {
                edges.extend([(piece.start, 1), (piece.end, -1)]);
            }
        }
        edges.sort_unstable();
        let mut steps = vec![(Duration::ZERO, 0)];
        let mut now = 0_isize;
        for (time, step) in edges {
            now += step;
            let count = now.max(0) as usize;
            match steps.last_mut() {
                Some(last) if last.0 == time => last.1 = count,
                _ => steps.push((time, count)),
            }
        }
        steps
    }

    /// Returns the most informative bars, in the order they began, and the number of other bars.
    /// One half are the retried and the longest jobs. The other half is spread evenly over the
    /// rest, to show the shape of the run.
    pub(super) fn telling(&self, most: usize) -> (Vec<&Bar<'a>>, usize) {
        let others = self.bars.len().saturating_sub(most);
        let mut bars: Vec<&Bar<'a>> = self.bars.iter().collect();
        let began = |bar: &&Bar<'a>| (bar.job.started, bar.job.job);
        if others > 0 {
            bars.sort_by_key(|bar| std::cmp::Reverse((bar.job.attempts, bar.job.running)));
            let mut rest = bars.split_off(most / 2);
            rest.sort_by_key(began);
            let (wanted, there) = (most - bars.len(), rest.len());
            bars.extend((0..wanted).map(|i| rest[i * (there - 1) / wanted.saturating_sub(1).max(1)]));
        }
        bars.sort_by_key(began);
        (bars, others)
    }
}

impl<'a> Bar<'a> {
    fn of(job: &'a JobReport, stages: &[&'static str]) -> Self {
        let mut pieces = Vec::new();
        let mut add = |kind, start: Duration, end: Duration| {
            if end > start {
                pieces.push(StagePiece { kind, start, end });
            }
        };
        add(PieceKind::Queued, job.started.saturating_sub(job.queued), job.started);
        let (mut at, mut attempt) = (job.started, 1);
        for span in &job.stages {
            // Spans of one attempt follow each other without a gap. The time before the first span
            // is outside any stage.
            add(if span.attempt == attempt { PieceKind::Running } else { PieceKind::Pause }, at, span.start);
            let stage = stages.iter().position(|stage| *stage == span.stage).unwrap_or(0);
            add(PieceKind::Stage(stage), span.start.max(at), span.end);
            (at, attempt) = (at.max(span.end), span.attempt);
        }
        // `running` adds up the attempts, so it gives the end of the job only if there was no pause
        // between them.
        let end = at.max(job.started + job.running);
        add(PieceKind::Running, at, end);
        Self { job, end, lane: 0, pieces }
    }
}

/// Describes a change of a limit for people: the new limit, from when on, and why.
pub(super) fn limit_change(change: &LimitChange) -> String {
    let (key, why) = (raudal_common::error::printable(&change.key), raudal_common::error::printable(&change.why));
    format!("{key}: at most {} at a time from {}: {why}", change.limit, units::duration(change.at))
}

/// The name of a piece, for people.
pub(super) fn name(kind: PieceKind, stages: &[&'static str]) -> String {
    match kind {
        PieceKind::Queued => "queued".to_owned(),
        PieceKind::Running => "running".to_owned(),
        PieceKind::Stage(stage) => raudal_common::error::printable(stages.get(stage).copied().unwrap_or_default()),
        PieceKind::Pause => "waiting for a retry".to_owned(),
    }
}

/// Returns the look of a stage: stages with the same number look the same.
pub(super) fn look(stage: usize) -> usize {
    stage.min(LOOKS - 1)
}

/// Returns the kinds that occur in a chart with their names, in the order of a job's life. Each
/// looks different.
pub(super) fn legend(chart: &Chart<'_>) -> Vec<(PieceKind, String)> {
    let all = [PieceKind::Queued, PieceKind::Running].into_iter().chain((0..chart.stages.len()).map(PieceKind::Stage));
    let pieces = || chart.levels.iter().flat_map(|track| &track.bars).flat_map(|bar| &bar.pieces);
    let occurs = |kind: &PieceKind| pieces().any(|piece| piece.kind == *kind);
    let mut legend = Vec::new();
    for kind in all.chain([PieceKind::Pause]).filter(occurs) {
        match kind {
            PieceKind::Stage(stage) if stage >= LOOKS => {}
            PieceKind::Stage(stage) if stage + 1 == LOOKS && chart.stages.len() > LOOKS => {
                legend.push((kind, "other stages".to_owned()));
            }
            _ => legend.push((kind, name(kind, &chart.stages))),
        }
    }
    legend
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{comparison, job, level, ms, run, staged};
    use raudal_pool::StageSpan;

    #[test]
    fn a_job_is_cut_into_pieces_from_ready_to_done() {
        let mut job = staged(0, 100, &[("fetch", 130), ("decode", 150)]);
        job.queued = ms(20);
        // A second attempt, after a pause of 50.
        job.stages.push(StageSpan::new("fetch", 2, ms(200), ms(240)));
        (job.attempts, job.running) = (2, ms(90));
        let bar = Bar::of(&job, &["fetch", "decode"]);
        let pieces: Vec<_> = bar.pieces.iter().map(|piece| (piece.kind, piece.start, piece.end)).collect();
        assert_eq!(
            pieces,
            [
                (PieceKind::Queued, ms(80), ms(100)),
                (PieceKind::Stage(0), ms(100), ms(130)),
                (PieceKind::Stage(1), ms(130), ms(150)),
                (PieceKind::Pause, ms(150), ms(200)),
                (PieceKind::Stage(0), ms(200), ms(240)),
            ]
        );
        assert_eq!(bar.end, ms(240));
    }

    #[test]
    fn bars_share_lanes_and_steps_count_them() {
        let comparison = comparison(vec![level(2, vec![run(1, vec![job(0, 0, 30), job(1, 0, 10), job(2, 10, 20)])])]);
        let chart = Chart::of(&comparison).unwrap();
        let track = &chart.levels[0];
        assert_eq!(track.bars.iter().map(|bar| bar.lane).collect::<Vec<_>>(), [0, 1, 1]);
        assert_eq!(track.lanes, 2);
        assert_eq!(track.in_flight(), [(ms(0), 2), (ms(10), 2), (ms(20), 1), (ms(30), 0)]);
        let (telling, others) = track.telling(1);
        assert_eq!((telling[0].job.job, others), (0, 2));
    }

    #[test]
    fn ticks_are_round_times() {
        let ticks = |end, about| {
            let comparison = comparison(vec![level(1, vec![run(1, vec![job(0, 0, end)])])]);
            Chart::of(&comparison).unwrap().ticks(about)
        };
        assert_eq!(ticks(10_600, 5), [ms(0), ms(5000), ms(10_000)]);
        assert_eq!(ticks(1000, 5), [ms(0), ms(200), ms(400), ms(600), ms(800), ms(1000)]);
        assert_eq!(ticks(1, 2).len(), 3);
    }
}
