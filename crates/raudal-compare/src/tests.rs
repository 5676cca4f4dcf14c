//! Compares an invented workload on a simulated clock: every figure is known in advance.

mod export;

use super::*;
use crate::workload::{Unit, Workload, WorkloadRun};
use futures::future::BoxFuture;
use raudal_common::{Error, Kind, Result};
use raudal_pool::{Event, EventKind, Observer, RunReport};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Takes `time(run, jobs)` and returns `result(run, jobs)`; `run` counts all runs from 0.
struct Fake {
    calls: Mutex<Vec<usize>>,
    prepared: AtomicUsize,
    time: fn(usize, usize) -> Duration,
    result: fn(usize, usize) -> Result<WorkloadRun>,
    cancel_at: Option<usize>,
}

impl Fake {
    fn new() -> Self {
        Self {
            calls: Mutex::default(),
            prepared: AtomicUsize::new(0),
            time: |run, jobs| Duration::from_millis(10_000 + 100 * run as u64) / jobs as u32,
            result: |_, jobs| Ok(WorkloadRun::new(report(jobs), "d1").rows(32).part("01", "a").part("02", "b")),
            cancel_at: None,
        }
    }
}

fn report(jobs: usize) -> RunReport {
    let mut report = RunReport::default();
    (report.jobs, report.peak_in_flight) = (jobs, jobs);
    (report.succeeded, report.attempts) = (32, 32);
    (report.bytes, report.job_time) = (1_000_000, Duration::from_secs(10));
    report
}

impl Workload for Fake {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn unit(&self) -> Unit {
        Unit::Bytes
    }

    fn prepare(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async {
            self.prepared.fetch_add(1, Ordering::Relaxed);
            Ok(())
        })
    }

    fn run(
        &self,
        jobs: usize,
        observer: Arc<dyn Observer>,
        cancel: CancellationToken,
    ) -> BoxFuture<'_, Result<WorkloadRun>> {
        Box::pin(async move {
            let run = self.calls.lock().unwrap().len();
            self.calls.lock().unwrap().push(jobs);
            observer.observe(&Event::new(1, EventKind::RunStarted { total: Some(32), jobs }));
            if self.cancel_at == Some(run) {
                cancel.cancelled().await;
                return Err(Error::new(Kind::Cancelled, "stopped"));
            }
            tokio::time::sleep((self.time)(run, jobs)).await;
            (self.result)(run, jobs)
        })
    }
}

async fn measure(fake: &Fake, runs: u32) -> Result<Comparison> {
    let plan = Plan::new([1, 10])?.runs(runs)?;
    compare(fake, &plan, &(), CancellationToken::new()).await
}

/// Records what it is told, and cancels when a given run begins.
#[derive(Default)]
struct Told {
    lines: Mutex<Vec<String>>,
    seen: Arc<Seen>,
    cancel: Option<(u64, CancellationToken)>,
}

#[derive(Default)]
struct Seen(AtomicUsize);

impl Observer for Seen {
    fn observe(&self, _: &Event<'_>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl TurnObserver for Told {
    fn begin(&self, turn: &Turn) -> Arc<dyn Observer> {
        if let Some((number, cancel)) = &self.cancel
            && turn.number == *number
        {
            cancel.cancel();
        }
        Arc::clone(&self.seen) as Arc<dyn Observer>
    }

    fn done(&self, turn: &Turn, wall: Duration) {
        self.lines.lock().unwrap().push(format!("{turn}, {}", raudal_common::units::duration(wall)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_comparison_is_shown_as_a_table_with_spread_and_uncertainty() {
    let mut comparison = measure(&Fake::new(), 3).await.unwrap();
    // The clock is simulated, but the CPU time and the machine are real.
    comparison.conditions = fixture::conditions();
    comparison.levels.iter_mut().flat_map(|level| &mut level.runs).for_each(|run| run.cpu = None);
    assert_eq!(
        render_text(&comparison),
        "\
fake: 3 runs of each level after 1 warm-up run; the result was the same every
time (32 rows)

  jobs           mean ± σ           min … max      speed-up   efficiency
     1   10.433 ± 0.208 s   10.200 … 10.600 s             1            –
    10    1.047 ± 0.021 s     1.030 … 1.070 s   9.97 ± 0.28        100 %

  jobs   overlap   peak   throughput
     1      0.96      1    95.8 kB/s
    10      9.55     10     955 kB/s

  1 job: the ideal time is 10.0 s (all job times divided among 1 slot), and the
         level reached 96 % of that speed; it is probably bound by latency: one
         job at a time was in flight, mostly waiting; concurrent jobs would
         overlap their waits
  10 jobs: the ideal time is 1.00 s (all job times divided among 10 slots), and
           the level reached 96 % of that speed; it is probably bound by the
           number of slots: 9.6 of 10 were busy on average and a job took only
           1.00 times as long as with 1 job; more jobs at once would probably
           help

  command: raudal compare fake --seed=7
  settings: latency 80ms, seed 7
  version: raudal 1.2.3
  machine: linux x86_64, Some CPU, 2 cores, 8.2 GB of memory
  date: 2026-01-02T03:04:05.000Z to 2026-01-02T03:04:15.000Z
"
    );
}

#[tokio::test(start_paused = true)]
async fn warm_up_is_run_and_not_measured_and_levels_take_turns() {
    let fake = Fake::new();
    let comparison = measure(&fake, 2).await.unwrap();
    assert_eq!(*fake.calls.lock().unwrap(), [1, 10, 1, 10, 10, 1]);
    assert_eq!(fake.prepared.load(Ordering::Relaxed), 1);
    let turns: Vec<Vec<u64>> =
        comparison.levels.iter().map(|level| level.runs.iter().map(|run| run.turn).collect()).collect();
    assert_eq!(turns, [[3, 6], [4, 5]]);
}

#[tokio::test(start_paused = true)]
async fn who_watches_is_told_of_each_run_and_of_its_jobs() {
    let told = Told::default();
    let plan = Plan::new([1, 10]).unwrap().runs(1).unwrap();
    compare(&Fake::new(), &plan, &told, CancellationToken::new()).await.unwrap();
    let lines = told.lines.lock().unwrap();
    assert_eq!(lines.len(), 4);
    assert!(lines[0].starts_with("run 1 of 4: 1 job, warm-up, 10.0 s"), "{lines:?}");
    assert!(lines[3].starts_with("run 4 of 4: 10 jobs, 1.03 s"), "{lines:?}");
    assert_eq!(told.seen.0.load(Ordering::Relaxed), 4);
}

#[tokio::test(start_paused = true)]
async fn unequal_results_are_an_error_that_names_the_level_the_run_and_the_part() {
    let mut fake = Fake::new();
    fake.result = |run, jobs| {
        let digest = if run == 3 { "d2" } else { "d1" };
        Ok(WorkloadRun::new(report(jobs), digest).rows(32).part("01", "a").part("02", digest))
    };
    let error = measure(&fake, 3).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Checksum);
    assert_eq!(
        error.to_string(),
        "run 4 of 8: 10 jobs: the result differs from that of run 1 (1 job), so the levels cannot be compared: \
         32 rows, digest d2, instead of 32 rows, digest d1; the first part that differs is number 2, 02: digest d2 instead of d1"
    );
}

#[tokio::test(start_paused = true)]
async fn parts_with_other_names_or_too_many_are_named_without_control_characters() {
    let mut fake = Fake::new();
    fake.result = |run, jobs| {
        let label = if run == 1 { "02\u{1b}[2J" } else { "02" };
        Ok(WorkloadRun::new(report(jobs), "d1").rows(32).part("01", "a").part(label, "b"))
    };
    let error = measure(&fake, 1).await.unwrap_err().to_string();
    assert!(error.ends_with("the first part that differs is number 2: 02\\u{1b}[2J instead of 02"), "{error}");

    fake = Fake::new();
    fake.result = |run, jobs| {
        let all = WorkloadRun::new(report(jobs), "d1").rows(32).part("01", "a");
        Ok(if run == 0 { all.part("02", "b") } else { all })
    };
    let error = measure(&fake, 1).await.unwrap_err().to_string();
    assert!(error.ends_with("; 1 parts instead of 2: only there: 02"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_plan_with_at_least_so_many_runs_goes_on_while_the_means_are_unsure() {
    // The times are steady from the third run of each level on. The error of the mean falls below 2
    // % only some runs later.
    let mut fake = Fake::new();
    fake.time = |run, jobs| Duration::from_millis(if run < 4 { 1200 } else { 1000 }) / jobs as u32;
    let plan = Plan::new([1, 10]).unwrap().min_runs(3).unwrap().warmup(1);
    let comparison = compare(&fake, &plan, &(), CancellationToken::new()).await.unwrap();
    let runs: Vec<usize> = comparison.levels.iter().map(|level| level.runs.len()).collect();
    assert_eq!(runs, [10, 10]);
    assert!(render_text(&comparison).starts_with("fake: 10 runs of each level"));
    for level in &comparison.levels {
        assert!(level.summary().unwrap().relative_error().unwrap() <= Plan::SURE);
    }

    // Unsteady times end with the budget: after 5.5 s, a fourth round does not fit into 6 s.
    fake = Fake::new();
    fake.time = |run, jobs| Duration::from_millis(if run / 2 % 2 == 0 { 3000 } else { 1000 }) / jobs as u32;
    let plan = plan.budget(Duration::from_secs(6));
    let comparison = compare(&fake, &plan, &(), CancellationToken::new()).await.unwrap();
    assert_eq!(comparison.levels[0].runs.len(), 3);

    // Steady times need no more runs than asked for.
    fake = Fake::new();
    fake.time = |_, jobs| Duration::from_secs(1) / jobs as u32;
    let comparison = compare(&fake, &plan, &(), CancellationToken::new()).await.unwrap();
    assert_eq!(comparison.levels[1].runs.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_the_observer_is_told_of_jobs_is_kept_for_the_timeline() {
    struct Pooled;
    impl Workload for Pooled {
        fn name(&self) -> &'static str {
            "pooled"
        }

        fn run(
            &self,
            jobs: usize,
            observer: Arc<dyn Observer>,
            _: CancellationToken,
        ) -> BoxFuture<'_, Result<WorkloadRun>> {
            Box::pin(async move {
                observer.observe(&Event::new(1, EventKind::JobFinished { report: &fixture::job(1, 0, 5) }));
                observer.observe(&Event::new(1, EventKind::JobFinished { report: &fixture::job(0, 0, 5) }));
                Ok(WorkloadRun::new(report(jobs), "d1"))
            })
        }
    }
    let plan = Plan::new([1]).unwrap().runs(1).unwrap();
    let comparison = compare(&Pooled, &plan, &(), CancellationToken::new()).await.unwrap();
    let run = &comparison.levels[0].runs[0];
    assert_eq!(run.jobs.iter().map(|job| job.job).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(run.cpu.is_some(), cfg!(target_os = "linux"));
}

#[tokio::test(start_paused = true)]
async fn a_warm_up_run_with_another_result_is_found_as_well() {
    let mut fake = Fake::new();
    fake.result = |run, jobs| Ok(WorkloadRun::new(report(jobs), if run == 0 { "d0" } else { "d1" }));
    let error = measure(&fake, 3).await.unwrap_err();
    assert!(error.to_string().starts_with("run 2 of 8: 10 jobs, warm-up: the result differs"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_run_in_which_a_job_failed_is_not_compared() {
    let mut fake = Fake::new();
    fake.result = |_, jobs| {
        let mut report = report(jobs);
        if jobs == 10 {
            (report.succeeded, report.failed) = (31, 1);
            report.failures.insert("status", 1);
        }
        Ok(WorkloadRun::new(report, "d1"))
    };
    let error = measure(&fake, 3).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Checksum);
    assert_eq!(
        error.to_string(),
        "run 2 of 8: 10 jobs, warm-up: not every job succeeded, so the levels cannot be compared: \
         1 failed, 0 cancelled, of 32 (status: 1)"
    );
}

#[tokio::test(start_paused = true)]
async fn an_error_of_the_workload_is_handed_on() {
    let mut fake = Fake::new();
    fake.result = |_, _| Err(Error::new(Kind::Connect, "refused"));
    assert_eq!(measure(&fake, 1).await.unwrap_err().kind(), Kind::Connect);
}

#[tokio::test(start_paused = true)]
async fn a_workload_without_a_level_of_its_own_refuses_auto_before_anything_is_run() {
    let fake = Fake::new();
    let plan = Plan::new([Jobs::Most(1), Jobs::Auto]).unwrap();
    let error = compare(&fake, &plan, &(), CancellationToken::new()).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Usage);
    assert_eq!(error.to_string(), "this workload does not support the level auto: fake");
    assert!(error.hint_text().is_some_and(|hint| hint.contains("1,10")));
    assert_eq!((fake.prepared.load(Ordering::Relaxed), fake.calls.lock().unwrap().len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_comparison_that_is_cancelled_before_a_measured_run_is_complete_has_no_result() {
    // Cancelled before anything begins, during a run that stops, and during a run that does not.
    for (turn, stops, begun) in [(0, false, 0), (3, true, 3), (3, false, 3)] {
        let mut fake = Fake::new();
        fake.cancel_at = stops.then_some(2);
        let cancel = CancellationToken::new();
        if turn == 0 {
            cancel.cancel();
        }
        let told = Told { cancel: Some((turn, cancel.clone())), ..Told::default() };
        let plan = Plan::new([1, 10]).unwrap();
        let error = compare(&fake, &plan, &told, cancel).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Cancelled);
        assert_eq!(fake.calls.lock().unwrap().len(), begun);
    }
}

/// Cancels when the run with this number begins, in the middle of the run.
async fn cancelled_in(turn: u64) -> Comparison {
    let mut fake = Fake::new();
    fake.cancel_at = Some(turn as usize - 1);
    let cancel = CancellationToken::new();
    let told = Told { cancel: Some((turn, cancel.clone())), ..Told::default() };
    compare(&fake, &Plan::new([1, 10]).unwrap().runs(3).unwrap(), &told, cancel).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_comparison_that_is_cancelled_keeps_and_exports_its_complete_runs() {
    let comparison = cancelled_in(6).await;
    let runs: Vec<usize> = comparison.levels.iter().map(|level| level.runs.len()).collect();
    assert_eq!((runs, comparison.stopped.map(|turn| turn.number)), (vec![1, 2], Some(6)));
    assert_eq!(words(&comparison)[0], "stopped");
    assert!(comparison.warnings()[0].to_string().starts_with("the comparison was stopped in run 6 of 8: 1 job;"));
    let text = render_text(&comparison);
    assert!(text.starts_with("fake: 1 to 2 runs of each level after"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&to_json(&comparison).unwrap()).unwrap();
    assert_eq!((&json["stopped"], json["levels"][1]["runs"].as_array().unwrap().len()), (&true.into(), 2));
    assert_eq!(to_csv(&comparison).lines().count(), 1 + 3);
}

fn words(comparison: &Comparison) -> Vec<&'static str> {
    comparison.warnings().iter().map(Warning::word).collect()
}

#[tokio::test(start_paused = true)]
async fn doubtful_figures_are_warned_of_with_what_to_do() {
    let mut fake = Fake::new();
    assert_eq!(words(&measure(&fake, 1).await.unwrap()), ["single-run"]);

    fake = Fake::new();
    fake.time = |_, _| Duration::from_millis(2);
    let comparison = measure(&fake, 3).await.unwrap();
    assert_eq!(words(&comparison), ["short", "short"]);
    assert_eq!(conclusion(&comparison), "10 jobs: as fast as 1 job");

    fake = Fake::new();
    fake.time = |run, jobs| Duration::from_millis(if jobs == 1 { 10_000 } else { 9_000 + 800 * (run as u64 % 3) });
    let comparison = measure(&fake, 3).await.unwrap();
    assert!(words(&comparison).contains(&"not-established"), "{:?}", words(&comparison));
    assert_eq!(conclusion(&comparison), "10 jobs: no clear difference from 1 job");

    // The first measured run of the level 1 takes ten times as long.
    fake = Fake::new();
    fake.time =
        |run, jobs| Duration::from_millis(if run == 2 { 100_000 } else { 10_000 + 50 * run as u64 } / jobs as u64);
    let comparison = measure(&fake, 5).await.unwrap();
    assert_eq!(words(&comparison)[0], "slow-first");
    assert!(comparison.warnings()[0].to_string().contains("warm up with at least 3 runs"));

    fake = Fake::new();
    fake.time = |run, jobs| Duration::from_millis(if run % 3 == 0 { 20_000 } else { 8000 } / jobs as u64);
    assert!(words(&measure(&fake, 4).await.unwrap()).contains(&"spread"));

    fake = Fake::new();
    fake.result = |_, jobs| {
        let mut report = report(jobs);
        (report.attempts, report.retries) = (35, 3);
        Ok(WorkloadRun::new(report, "d1"))
    };
    assert_eq!(words(&measure(&fake, 3).await.unwrap()), ["retried", "retried"]);
}
