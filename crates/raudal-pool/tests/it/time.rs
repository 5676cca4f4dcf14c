//! What the pool promises about time: deadlines, retries, drains, and the report that tells of them.

use futures::StreamExt;
use raudal_pool::{Backoff, JobError, Pool, Retry};
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_deadline_counts_all_attempts_and_the_waits_between_them() {
    let pool = Pool::new(8);
    let start = Instant::now();
    let results = pool
        .map([()], |_, ()| pending::<Result<(), String>>())
        .attempt_timeout(4 * SECOND)
        .deadline(10 * SECOND)
        .retry(Retry::with_delays(|| std::iter::repeat(SECOND / 2)))
        .await;
    assert_eq!(results, [Err(JobError::DeadlinePassed { deadline: 10 * SECOND, last: None })]);
    assert_eq!(start.elapsed(), 10 * SECOND, "0 to 4, 4.5 to 8.5, and the third attempt from 9 on");
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_next_attempt_would_pass_the_deadline_fails_at_once_with_its_own_error() {
    let pool = Pool::new(8);
    let start = Instant::now();
    let results = pool
        .map([()], |_, ()| async { Err::<(), _>("refused") })
        .deadline(10 * SECOND)
        .retry(Retry::with_delays(|| [60 * SECOND]))
        .await;
    assert_eq!(results, [Err(JobError::Failed("refused"))]);
    assert!(start.elapsed().is_zero());
}

#[tokio::test(start_paused = true)]
async fn a_job_that_finds_no_slot_before_its_deadline_does_not_begin_again() {
    let pool = Pool::new(1);
    let mut run = pool
        .run([0, 9, 9], |_, seconds| async move {
            sleep(Duration::from_secs(seconds)).await;
            if seconds == 0 { Err("once more") } else { Ok(()) }
        })
        .deadline(10 * SECOND)
        .retry(Retry::with_delays(|| [SECOND]))
        .start();
    let mut results = Vec::new();
    while let Some(done) = run.next().await {
        results.push((done.job, done.result, done.report.attempts));
    }
    // The retry goes first when the slot comes free, at 9 s: in time. So it fails for good, with its own error.
    assert_eq!(results[1], (0, Err(JobError::Failed("once more")), 2));

    // Held back by its key for longer than that, it does not begin again.
    let retry = Retry::with_delays(|| [SECOND]).pause_key(|pause: &u64| Some(Duration::from_secs(*pause)));
    let pool = Pool::new(8);
    let results = pool
        .map([0, 30], |_, pause| async move {
            sleep(Duration::from_millis(pause)).await;
            Err::<(), _>(pause)
        })
        .key(|_| Some("host".to_owned()))
        .deadline(10 * SECOND)
        .retry(retry)
        .await;
    assert_eq!(
        results,
        [Err(JobError::DeadlinePassed { deadline: 10 * SECOND, last: Some(0) }), Err(JobError::Failed(30))]
    );
}

#[tokio::test(start_paused = true)]
async fn progress_begins_the_waits_anew_only_where_that_was_asked_for() {
    for (reset, attempts) in [(true, 5), (false, 3)] {
        let retry = Retry::new(Backoff::default().retries(2)).reset_on_progress(reset);
        let pool = Pool::new(8);
        let report = pool
            .for_each([()], |cx, ()| async move {
                if cx.attempt() < 4 {
                    cx.advance(u64::from(cx.attempt()), 0);
                }
                Err("cut")
            })
            .retry(retry)
            .await;
        assert_eq!(report.attempts, attempts, "the third attempt is the last that gets further: two more follow");
    }
}

#[tokio::test(start_paused = true)]
async fn a_drain_lets_what_runs_finish_and_begins_nothing() {
    let attempts = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&attempts);
    let soon = CancellationToken::new();
    let pool = Pool::builder().jobs(2).drain(soon.clone()).build().unwrap();
    // 0 fails at once and waits; 1 and 2 run, and 2 fails while the run drains; 3 never begins.
    let run = pool
        .run(0.., move |_, n: u32| {
            count.fetch_add(1, SeqCst);
            async move {
                if n > 0 {
                    sleep(10 * SECOND).await;
                }
                if n == 1 { Ok(()) } else { Err("bad") }
            }
        })
        .retry(Retry::with_delays(|| [100 * SECOND; 9]))
        .start();
    let start = Instant::now();
    sleep(SECOND).await;
    soon.cancel();
    let mut results: Vec<_> = run.map(|done| (done.job, done.result)).collect().await;
    results.sort_by_key(|(job, _)| *job);
    assert_eq!(
        results,
        [(0, Err(JobError::Cancelled { last: Some("bad") })), (1, Ok(())), (2, Err(JobError::Failed("bad")))]
    );
    assert_eq!((attempts.load(SeqCst), start.elapsed()), (3, 10 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn a_drain_can_still_be_cancelled() {
    let pool = Pool::new(2);
    let started = Arc::new(Notify::new());
    let notify = Arc::clone(&started);
    let run = pool
        .run(0.., move |_, _: u32| {
            notify.notify_one();
            pending::<Result<(), String>>()
        })
        .start();
    started.notified().await;
    run.drain();
    tokio::task::yield_now().await;
    run.cancel();
    assert!(run.all(|done| async move { done.result == Err(JobError::CANCELLED) }).await);
}

#[tokio::test(start_paused = true)]
async fn the_report_tells_how_long_jobs_queued_and_ran_and_json_has_seconds() {
    let pool = Pool::builder().jobs(100).per_key(1).build().unwrap();
    let report = pool
        .for_each(0..11, |_, _| async {
            sleep(SECOND).await;
            Ok::<_, String>(())
        })
        .key(|_| Some("one at a time".to_owned()))
        .await;
    let (queued, running) = (report.queued.unwrap(), report.running.unwrap());
    assert_eq!((queued.max, running.max), (10 * SECOND, SECOND));
    assert!((4.84..=5.16).contains(&queued.p50.as_secs_f64()), "{queued:?}");
    #[cfg(feature = "serde")]
    {
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!((&json["queued"]["max"], &json["running"]["max"]), (&10.0.into(), &1.0.into()));
    }
    let empty =
        pool.for_each(0..0, |_, _| async { Ok::<_, String>(()) }).key(|_| Some("one at a time".to_owned())).await;
    assert_eq!((empty.queued, empty.running, empty.overlap()), (None, None, None));
}
