//! Runs the plan: warm-up first, then the levels alternate. Each result must equal the first.

use super::comparison::{Comparison, Level, Measured};
use super::conditions::{Conditions, Machine};
use super::observe::{Keeper, cpu_time};
use super::plan::{Plan, TurnObserver};
use super::turn::{Turn, jobs};
use crate::workload::{Workload, WorkloadRun};
use raudal_common::units::now;
use raudal_common::{Error, Kind, Result};
use raudal_pipeline::Jobs;
use raudal_pool::{LimitChange, NoObserver};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long a cancelled run may take to stop. After that it is dropped.
const GRACE: Duration = Duration::from_millis(900);

/// Runs a workload at the levels of a plan, and measures it.
///
/// To be fair, it uses the same code at each level, does not count the warm-up runs, alternates the
/// levels run by run, and checks that every run, warm-up included, gives the same result.
///
/// If `cancel` is cancelled, the run in flight is stopped and dropped. The complete runs are
/// returned, and [`Comparison::stopped`] says which run is missing first.
///
/// # Errors
///
/// - [`Kind::Checksum`] if a run gave a different result from the first, or if one of its jobs
///   failed: unequal work is not compared. The message names the level and the run. It also names
///   the first part that differs, if the workload reports parts.
/// - [`Kind::Cancelled`] if `cancel` was cancelled before any measured run was complete.
/// - [`Kind::Usage`] if `auto` is among the levels and the workload does not support it. Nothing is
///   run then.
/// - Any error that the workload itself returns.
///
/// ```
/// # use futures::future::BoxFuture;
/// # use raudal_pool::{Observer, RunReport};
/// # use raudal_compare::workload::{Workload, WorkloadRun};
/// # use std::sync::Arc;
/// use raudal_compare::{Plan, compare};
/// use tokio_util::sync::CancellationToken;
///
/// # struct Nothing;
/// # impl Workload for Nothing {
/// #     fn name(&self) -> &str { "nothing" }
/// #     fn run(&self, _: usize, _: Arc<dyn Observer>, _: CancellationToken) -> BoxFuture<'_, raudal_common::Result<WorkloadRun>> {
/// #         Box::pin(async { Ok(WorkloadRun::new(RunReport::default(), "empty")) })
/// #     }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> raudal_common::Result<()> {
/// let plan = Plan::new([1, 10])?.runs(2)?;
/// let comparison = compare(&Nothing, &plan, &(), CancellationToken::new()).await?;
/// assert_eq!(comparison.levels.len(), 2);
/// # Ok(())
/// # }
/// ```
pub async fn compare(
    workload: &dyn Workload,
    plan: &Plan,
    turns: &dyn TurnObserver,
    cancel: CancellationToken,
) -> Result<Comparison> {
    if plan.levels().contains(&Jobs::Auto) && workload.run_auto(Arc::new(NoObserver), cancel.child_token()).is_none() {
        return Err(no_auto(workload));
    }
    let started = now();
    cancel.run_until_cancelled(workload.prepare()).await.ok_or_else(cancelled)??;

    let mut levels: Vec<Level> = plan.levels().iter().map(|jobs| Level { jobs: *jobs, runs: Vec::new() }).collect();
    let mut first: Option<(Turn, WorkloadRun)> = None;
    let mut stopped = None;
    for number in 1.. {
        // A round is always finished. If one level had a run more than another, drift would not
        // affect them alike.
        if (number - 1) % plan.levels().len() as u64 == 0 && !plan.wants_more(&levels) {
            break;
        }
        let turn = plan.turn(number);
        let Some(timed) = run_once(workload, &turn, turns, &cancel).await? else {
            stopped = Some(turn);
            break;
        };
        check_jobs(&turn, &timed.run)?;
        if let Some((first_turn, first_run)) = &first {
            check_equal(first_turn, first_run, &turn, &timed.run)?;
        }
        turns.done(&turn, timed.wall);
        if let Some(level) = levels.iter_mut().find(|level| level.jobs == turn.jobs).filter(|_| !turn.warmup) {
            level.runs.push(timed.measured(&turn));
        }
        first.get_or_insert((turn, timed.run));
    }
    if stopped.is_some() && levels.iter().all(|level| level.runs.is_empty()) {
        return Err(cancelled());
    }
    let (digest, rows) = first.map(|(_, run)| (run.digest, run.rows)).unwrap_or_default();
    Ok(Comparison {
        workload: workload.name().to_owned(),
        digest,
        rows,
        cores: std::thread::available_parallelism().ok().map(usize::from),
        warmup: plan.warmups(),
        stopped,
        conditions: conditions(workload, started),
        baseline: plan.baseline(),
        levels,
        stages: workload.stages(),
        unit: workload.unit(),
    })
}

fn conditions(workload: &dyn Workload, started: SystemTime) -> Conditions {
    Conditions {
        started,
        ended: now(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        machine: Machine::this(),
        command: None,
        settings: workload.settings(),
    }
}

fn no_auto(workload: &dyn Workload) -> Error {
    Error::usage(format!("this workload does not support the level auto: {}", workload.name()))
        .hint("give numbers as levels, such as 1,10")
}

fn cancelled() -> Error {
    Error::new(Kind::Cancelled, "the comparison was cancelled before a measured run was complete")
}

/// One run, and what was measured around it.
struct TimedRun {
    run: WorkloadRun,
    started: SystemTime,
    wall: Duration,
    cpu: Option<Duration>,
    limits: Vec<LimitChange>,
}

impl TimedRun {
    fn measured(&self, turn: &Turn) -> Measured {
        Measured {
            turn: turn.number,
            started: self.started,
            wall: self.wall,
            cpu: self.cpu,
            report: self.run.report.clone(),
            limits: self.limits.clone(),
            jobs: self.run.jobs.clone(),
        }
    }
}

/// Returns `None` if the run was cancelled: its result says nothing about the workload.
async fn run_once(
    workload: &dyn Workload,
    turn: &Turn,
    turns: &dyn TurnObserver,
    cancel: &CancellationToken,
) -> Result<Option<TimedRun>> {
    if cancel.is_cancelled() {
        return Ok(None);
    }
    let keeper = Arc::new(Keeper::new(turns.begin(turn)));
    let (started, begin, cpu_begin) = (now(), Instant::now(), cpu_time());
    let running = match turn.jobs {
        Jobs::Most(jobs) => workload.run(jobs, Arc::clone(&keeper) as _, cancel.child_token()),
        Jobs::Auto => {
            workload.run_auto(Arc::clone(&keeper) as _, cancel.child_token()).ok_or_else(|| no_auto(workload))?
        }
    };
    let given_up = async {
        cancel.cancelled().await;
        tokio::time::sleep(GRACE).await;
    };
    let result = tokio::select! {
        biased;
        result = running => result,
        () = given_up => return Ok(None),
    };
    let wall = begin.elapsed();
    let cpu = cpu_time().zip(cpu_begin).map(|(end, begin)| end.saturating_sub(begin));
    if cancel.is_cancelled() {
        return Ok(None);
    }
    let mut run = result?;
    if run.jobs.is_empty() {
        run.jobs = keeper.take();
    }
    Ok(Some(TimedRun { run, started, wall, cpu, limits: keeper.limits() }))
}

/// Refuses a run that left out some of the work: it is not faster.
fn check_jobs(turn: &Turn, run: &WorkloadRun) -> Result<()> {
    let report = &run.report;
    if report.failed == 0 && report.cancelled == 0 {
        return Ok(());
    }
    let kinds: Vec<String> = report.failures.iter().map(|(kind, count)| format!("{kind}: {count}")).collect();
    let kinds = if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join(", ")) };
    let first = run.jobs.iter().find_map(|job| Some(format!("; the first: {}: {}", job.label, job.error.as_ref()?)));
    Err(Error::new(
        Kind::Checksum,
        format!(
            "{turn}: not every job succeeded, so the levels cannot be compared: {} failed, {} cancelled, of {}{kinds}{}",
            report.failed,
            report.cancelled,
            report.total(),
            raudal_common::error::printable(&first.unwrap_or_default()),
        ),
    )
    .hint("run the workload alone until it works, or use fewer jobs if the server refuses that many"))
}

/// Checks that two runs gave the same result.
fn check_equal(first_turn: &Turn, first: &WorkloadRun, turn: &Turn, run: &WorkloadRun) -> Result<()> {
    let same_parts = first.parts == run.parts;
    if first.digest == run.digest && first.rows == run.rows && same_parts {
        return Ok(());
    }
    let place = if same_parts { String::new() } else { format!("; {}", first_difference(first, run)) };
    let place = raudal_common::error::printable(&place);
    Err(Error::new(
        Kind::Checksum,
        format!(
            "{turn}: the result differs from that of run {} ({}), so the levels cannot be compared: {} rows, digest {}, \
             instead of {} rows, digest {}{place}",
            first_turn.number,
            jobs(first_turn.jobs),
            run.rows,
            run.digest,
            first.rows,
            first.digest,
        ),
    )
    .hint("the data may have changed between the runs, or the workload depends on the order of its jobs"))
}

fn first_difference(first: &WorkloadRun, run: &WorkloadRun) -> String {
    match (1..).zip(first.parts.iter().zip(&run.parts)).find(|(_, (a, b))| a != b) {
        Some((place, (a, b))) if a.label == b.label => {
            format!(
                "the first part that differs is number {place}, {}: digest {} instead of {}",
                a.label, b.digest, a.digest
            )
        }
        Some((place, (a, b))) => {
            format!("the first part that differs is number {place}: {} instead of {}", b.label, a.label)
        }
        None => {
            let (more, fewer) = if run.parts.len() > first.parts.len() { (run, first) } else { (first, run) };
            let extra = &more.parts[fewer.parts.len()].label;
            let word = if more.parts.len() == run.parts.len() { "only here" } else { "only there" };
            format!("{} parts instead of {}: {word}: {extra}", run.parts.len(), first.parts.len())
        }
    }
}
