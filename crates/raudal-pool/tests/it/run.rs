//! What the pool promises to whoever hands it jobs.

use futures::{StreamExt, stream};
use raudal_pool::{Backoff, Event, EventKind, JobError, Observer, Outcome, Pool, Retry};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

const SECOND: Duration = Duration::from_secs(1);

/// Counts who is inside, and the most that ever were.
#[derive(Default)]
struct Gauge {
    now: AtomicUsize,
    peak: AtomicUsize,
}

struct Inside<'a>(&'a Gauge);

impl Gauge {
    fn enter(&self) -> Inside<'_> {
        self.peak.fetch_max(self.now.fetch_add(1, SeqCst) + 1, SeqCst);
        Inside(self)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn never_more_jobs_than_asked_for_are_in_flight_and_all_slots_are_used() {
    let gauge = Arc::new(Gauge::default());
    let inside = Arc::clone(&gauge);
    let mut run = Pool::new(7)
        .run(0..100_u64, move |_, n| {
            let gauge = Arc::clone(&inside);
            async move {
                let _inside = gauge.enter();
                sleep(Duration::from_millis(n % 5)).await;
                Ok::<_, String>(n)
            }
        })
        .start();
    let mut sum = 0;
    while let Some(done) = run.next().await {
        sum += done.result.unwrap();
    }
    let report = run.join().await;
    assert_eq!(sum, 4950);
    assert_eq!((gauge.peak.load(SeqCst), report.peak_in_flight), (7, 7));
    assert_eq!((report.succeeded, report.attempts, report.retries), (100, 100, 0));
}

#[tokio::test(start_paused = true)]
async fn no_key_passes_its_limit_and_a_full_key_does_not_hold_back_the_others() {
    let gauges: Arc<HashMap<&str, Gauge>> = Arc::new(["a", "b"].map(|key| (key, Gauge::default())).into());
    let pool = Pool::builder().jobs(6).per_key(2).build().unwrap();
    let inside = Arc::clone(&gauges);
    let start = Instant::now();
    let keys = [["a"; 8].as_slice(), &["b"; 4]].concat();
    let results = pool
        .map(keys, move |_, key| {
            let gauges = Arc::clone(&inside);
            async move {
                let _inside = gauges[key].enter();
                sleep(SECOND).await;
                Ok::<_, String>(())
            }
        })
        .key(|key| (*key).to_owned())
        .await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(gauges["a"].peak.load(SeqCst), 2);
    assert_eq!(gauges["b"].peak.load(SeqCst), 2);
    assert_eq!(start.elapsed(), 4 * SECOND, "eight of a, two at a time, while b runs beside them");
}

#[tokio::test(start_paused = true)]
async fn a_job_that_waits_to_retry_gives_its_slot_back() {
    let mut run = Pool::new(1)
        .run([0, 1, 2], |cx, n| async move { if n == 0 && cx.attempt() == 1 { Err("not yet") } else { Ok(n) } })
        .retry(Backoff::default().first(10 * SECOND).retries(1).jitter(false))
        .start();
    let mut order = Vec::new();
    while let Some(done) = run.next().await {
        order.push(done.result.unwrap());
    }
    assert_eq!(order, [1, 2, 0]);
    assert_eq!(run.join().await.retries, 1);
}

#[tokio::test(start_paused = true)]
async fn an_error_that_asks_for_it_pauses_every_job_of_its_key() {
    let pool = Pool::builder().jobs(8).per_key(1).build().unwrap();
    let start = Instant::now();
    let starts = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&starts);
    let results = pool
        .map([0, 1, 2], move |cx, n| {
            log.lock().unwrap().push((n, start.elapsed().as_secs()));
            async move { if n == 0 && cx.attempt() == 1 { Err(100) } else { Ok(()) } }
        })
        .key(|_| "host".to_owned())
        .retry(Retry::new(Backoff::default()).pause_key(|wait: &u64| Some(Duration::from_secs(*wait))))
        .await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!(*starts.lock().unwrap(), [(0, 0), (0, 100), (1, 100), (2, 100)]);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_takes_too_long_is_dropped_and_tried_again() {
    let results = Pool::new(8)
        .map([1, 2], |cx, attempts| async move {
            if cx.attempt() <= attempts {
                sleep(60 * SECOND).await;
            }
            Ok::<_, String>(cx.attempt())
        })
        .attempt_timeout(SECOND)
        .retry(Backoff::default().retries(1))
        .await;
    assert_eq!(results, [Ok(2), Err(JobError::TimedOut { limit: SECOND, last: None })]);
}

#[tokio::test]
async fn a_panic_is_the_failure_of_its_job_and_of_no_other() {
    let mut run = Pool::new(8)
        .run(0..3, |_, n| {
            assert!(n != 0, "before the first await");
            async move {
                tokio::task::yield_now().await;
                assert!(n != 1, "after it");
                Ok::<_, String>(n)
            }
        })
        .retry(Backoff::default())
        .start();
    let mut results = HashMap::new();
    while let Some(done) = run.next().await {
        assert_eq!(done.report.attempts, 1, "a panic is not tried again");
        results.insert(done.job, done.result);
    }
    assert_eq!(results[&0], Err(JobError::Panicked("before the first await".to_owned())));
    assert_eq!(results[&1], Err(JobError::Panicked("after it".to_owned())));
    assert_eq!(results[&2], Ok(2));
    assert_eq!(run.join().await.failures, [("panic", 2)].into());
}

#[tokio::test]
async fn a_panic_in_blocking_work_is_the_failure_of_its_job() {
    let results = Pool::new(8)
        .map([()], |cx, ()| async move {
            cx.blocking(|| panic!("on a thread")).await;
            Ok::<_, String>(())
        })
        .await;
    assert_eq!(results, [Err(JobError::Panicked("on a thread".to_owned()))]);
}

#[tokio::test]
async fn the_input_is_pulled_only_as_room_comes_free() {
    let pulled = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&pulled);
    let endless = std::iter::repeat_with(move || {
        count.fetch_add(1, SeqCst);
    });
    let mut run = Pool::new(4).run(endless, |_, ()| async { Ok::<_, String>(()) }).buffer(6).start();
    for taken in 0..50 {
        assert!(run.next().await.is_some());
        assert!(pulled.load(SeqCst) <= taken + 1 + 4 + 6 + 1, "jobs, buffer and the one in hand");
    }
    let report = run.shutdown().await;
    assert!(report.total() < 70);
}

#[tokio::test(start_paused = true)]
async fn jobs_go_on_while_the_consumer_is_busy() {
    let done = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&done);
    let mut run = Pool::new(2)
        .run(0..10, move |_, _| {
            let count = Arc::clone(&count);
            async move {
                sleep(SECOND).await;
                count.fetch_add(1, SeqCst);
                Ok::<_, String>(())
            }
        })
        .buffer(100)
        .start();
    assert!(run.next().await.is_some());
    sleep(60 * SECOND).await;
    assert_eq!(done.load(SeqCst), 10, "none of them needed the stream to be polled");
    assert_eq!(run.count().await, 9);
}

#[tokio::test(start_paused = true)]
async fn results_come_in_input_order_when_asked_for() {
    let pool = Pool::new(8);
    let results = pool
        .map(0..50_u64, |_, n| async move {
            sleep(Duration::from_millis((n * 7919) % 101)).await;
            Ok::<_, String>(n)
        })
        .await;
    assert_eq!(results, (0..50).map(Ok).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_stream_that_is_not_ready_yet_does_not_hold_back_what_runs() {
    let gate = Arc::new(Notify::new());
    let (first, second) = (Arc::clone(&gate), Arc::clone(&gate));
    // The second input comes only after the first job has run.
    let inputs = stream::iter([1]).chain(stream::once(async move {
        second.notified().await;
        2
    }));
    let pool = Pool::new(2);
    let run = pool
        .run_stream(inputs, move |_, n| {
            let gate = Arc::clone(&first);
            async move {
                gate.notify_one();
                Ok::<_, String>(n)
            }
        })
        .start();
    assert_eq!(run.map(|done| done.result.unwrap()).collect::<Vec<_>>().await, [1, 2]);
}

#[tokio::test]
async fn a_run_that_is_cancelled_gives_each_pulled_job_one_result_and_leaves_nothing_running() {
    let gauge = Arc::new(Gauge::default());
    let inside = Arc::clone(&gauge);
    let started = Arc::new(Semaphore::new(0));
    let starts = Arc::clone(&started);
    let token = CancellationToken::new();
    let pool = Pool::builder().jobs(3).cancel(token.clone()).build().unwrap();
    let run = pool
        .run(0..100, move |_, _| {
            let (gauge, starts) = (Arc::clone(&inside), Arc::clone(&starts));
            async move {
                let _inside = gauge.enter();
                starts.add_permits(1);
                std::future::pending::<()>().await;
                Ok::<_, String>(())
            }
        })
        .start();
    started.acquire_many(3).await.unwrap().forget();
    token.cancel();
    let results: Vec<_> = run.collect().await;
    assert_eq!(results.len(), 3);
    assert!(results.iter().all(|done| done.result == Err(JobError::CANCELLED)));
    assert!(results.iter().all(|done| done.report.outcome == Outcome::Cancelled));
    assert_eq!(gauge.now.load(SeqCst), 0);
}

#[tokio::test]
async fn finishing_a_run_half_way_awaits_its_tasks_and_its_blocking_work() {
    let gauge = Arc::new(Gauge::default());
    let ended = Arc::new(AtomicBool::new(false));
    let (inside, done) = (Arc::clone(&gauge), Arc::clone(&ended));
    let started = Arc::new(Semaphore::new(0));
    let starts = Arc::clone(&started);
    let pool = Pool::new(2);
    let run = pool
        .run([true, false], move |cx, blocks| {
            let (gauge, done, starts) = (Arc::clone(&inside), Arc::clone(&done), Arc::clone(&starts));
            async move {
                let _inside = gauge.enter();
                if blocks {
                    let token = cx.token().clone();
                    cx.blocking(move || {
                        starts.add_permits(1);
                        while !token.is_cancelled() {
                            std::thread::yield_now();
                        }
                        done.store(true, SeqCst);
                    })
                    .await;
                } else {
                    starts.add_permits(1);
                }
                // A job that came to its end as it was cancelled would be a success.
                std::future::pending::<Result<(), String>>().await
            }
        })
        .start();
    started.acquire_many(2).await.unwrap().forget();
    let report = run.shutdown().await;
    assert_eq!(report.cancelled, 2);
    assert_eq!(gauge.now.load(SeqCst), 0, "no job is left");
    assert!(ended.load(SeqCst), "the blocking work was told, and awaited");
}

#[tokio::test]
async fn the_run_stops_after_so_many_failures() {
    let pool = Pool::new(1);
    let mut run =
        pool.run(0..100, |_, n| async move { if n % 3 == 1 { Err("bad") } else { Ok(n) } }).stop_after(2).start();
    let mut jobs = 0;
    while let Some(done) = run.next().await {
        jobs += u64::from(done.result.is_ok());
    }
    let report = run.join().await;
    assert_eq!((report.failed, report.succeeded, jobs), (2, 3, 3));
}

#[tokio::test]
async fn zero_is_refused_when_the_pool_is_built_never_a_hang() {
    for (builder, what) in [
        (Pool::builder().jobs(0), "the number of jobs must be at least 1: 0"),
        (Pool::builder().per_key(0), "the number of jobs for one key must be at least 1: 0"),
    ] {
        assert_eq!(builder.build().unwrap_err().to_string(), what);
    }
}

/// Keeps what it is told, in words.
#[derive(Default)]
struct Log(Mutex<Vec<String>>);

impl Observer for Log {
    fn observe(&self, event: &Event<'_>) {
        self.0.lock().unwrap().push(match &event.kind {
            EventKind::RunStarted { total, jobs } => format!("run {total:?} {jobs}"),
            EventKind::AttemptStarted { label, attempt, .. } => format!("{label} {attempt}"),
            EventKind::Stage { stage, .. } => format!("stage {stage}"),
            EventKind::Expected { bytes, .. } => format!("of {bytes}"),
            EventKind::Advanced { bytes, items, .. } => format!("+{bytes} {items}"),
            EventKind::AttemptFailed { error, retry_in, bytes, .. } => {
                format!("failed {error} -{bytes} again {}", retry_in.is_some())
            }
            EventKind::JobFinished { report } => format!("{:?} {} {}", report.outcome, report.bytes, report.attempts),
            EventKind::RunFinished { report } => format!("end {} {}", report.bytes, report.attempts),
            other => format!("{other:?}"),
        });
    }
}

#[tokio::test(start_paused = true)]
async fn an_observer_sees_each_attempt_and_its_progress_taken_back() {
    let log = Arc::new(Log::default());
    let pool = Pool::new(8);
    let report = {
        let mut run = pool
            .run([7], |cx, _| async move {
                cx.stage("fetch");
                cx.expect_bytes(10);
                cx.advance(4, 1);
                if cx.attempt() == 1 {
                    return Err("cut");
                }
                cx.stage("decode");
                cx.advance(6, 0);
                Ok(())
            })
            .label(|n| format!("job {n}"))
            .retry(Retry::new(Backoff::default().retries(1)))
            .observer(log.clone())
            .start();
        let done = run.next().await.unwrap();
        let stages: Vec<_> = done.report.stages.iter().map(|span| (span.attempt, span.stage)).collect();
        assert_eq!(stages, [(1, "fetch"), (2, "fetch"), (2, "decode")]);
        assert!(run.next().await.is_none());
        run.join().await
    };
    assert_eq!(
        *log.0.lock().unwrap(),
        [
            "run Some(1) 8",
            "job 7 1",
            "stage fetch",
            "of 10",
            "+4 1",
            "failed cut -4 again true",
            "job 7 2",
            "stage fetch",
            "of 10",
            "+4 1",
            "stage decode",
            "+6 0",
            "Succeeded 10 2",
            "end 10 2",
        ]
    );
    assert!(report.overlap().is_some() || report.wall.is_zero());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_jobs_go_through_in_order() {
    let pool = Pool::new(64);
    let mut run = pool.run(0..100_000_u64, |_, n| async move { Ok::<_, String>(n) }).ordered().start();
    let mut next = 0;
    while let Some(done) = run.next().await {
        assert_eq!(done.result, Ok(next));
        next += 1;
    }
    assert_eq!(next, 100_000);
}
