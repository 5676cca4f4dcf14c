//! What the pool promises about time: rates, deadlines, retries, drains, and the report that tells of them.

use futures::StreamExt;
use raudal_pool::{Backoff, JobError, Pool, Retry};
use std::future::pending;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

const SECOND: Duration = Duration::from_secs(1);

/// Notes when each attempt begins, in milliseconds from the first note on.
#[derive(Clone)]
struct Starts(Instant, Arc<Mutex<Vec<u128>>>);

impl Starts {
    fn new() -> Self {
        Self(Instant::now(), Arc::default())
    }

    fn note(&self) {
        self.1.lock().unwrap().push(self.0.elapsed().as_millis());
    }

    fn all(&self) -> Vec<u128> {
        self.1.lock().unwrap().clone()
    }
}

#[tokio::test(start_paused = true)]
async fn attempts_begin_no_faster_than_the_rate_and_retries_count() {
    let starts = Starts::new();
    let pool = Pool::builder().jobs(100).rate(2.0).retry(Retry::with_delays(|| [Duration::ZERO; 2])).build().unwrap();
    let log = starts.clone();
    let report = pool
        .for_each(0..2, move |cx, _| {
            log.note();
            async move { if cx.attempt() < 3 { Err("again") } else { Ok(()) } }
        })
        .await;
    assert_eq!(report.attempts, 6);
    assert_eq!(starts.all(), [0, 500, 1000, 1500, 2000, 2500]);
}

#[tokio::test(start_paused = true)]
async fn a_high_rate_needs_no_tick_a_job() {
    let pool = Pool::builder().jobs(10_000).rate(50_000.0).build().unwrap();
    let report = pool.for_each(0..100_000, |_, _| async { Ok::<_, String>(()) }).await;
    // 2,500 at once, the others in 1.95 s; the timer of the runtime ticks 1,000 times a second.
    assert!((1950..=1953).contains(&report.wall.as_millis()), "{:?}", report.wall);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_waits_for_the_rate_of_its_key_holds_no_slot() {
    let starts = Starts::new();
    let pool = Pool::builder().jobs(1).key(|key: &&str| Some((*key).to_owned())).rate_per_key(1.0).build().unwrap();
    let log = starts.clone();
    let results = pool
        .map(["a", "a", "a", "b", "b"], move |_, _| {
            log.note();
            async { Ok::<_, String>(()) }
        })
        .await;
    assert_eq!(results.len(), 5);
    assert_eq!(starts.all(), [0, 0, 1000, 1000, 2000]);
}

#[tokio::test(start_paused = true)]
async fn runs_of_one_pool_share_its_rate() {
    let pool = Pool::builder().rate(1.0).build().unwrap();
    let run = || pool.for_each(0..3, |_, _| async { Ok::<_, String>(()) });
    let start = Instant::now();
    tokio::join!(run(), run());
    assert_eq!(start.elapsed(), 5 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn cancelling_a_run_that_waits_for_its_rate_gives_each_pulled_job_its_result() {
    let pool = Pool::builder().rate(0.001).build().unwrap();
    let mut run = pool.run(0..5, |_, n| async move { Ok::<_, String>(n) });
    assert_eq!(run.next().await.unwrap().result, Ok(0));
    run.cancel();
    assert_eq!(run.next().await.unwrap().result, Err(JobError::Cancelled));
    assert!(run.next().await.is_none());
}

#[tokio::test]
async fn a_rate_that_cannot_be_kept_is_refused_when_the_pool_is_built() {
    let built = |rate| Pool::<u32, String>::builder().rate(rate).build().map(drop).map_err(|error| error.to_string());
    let refused = |rate: &str| Err(format!("the rate must be from 0.000001 to 1000000 a second: {rate}"));
    assert_eq!(built(0.0), refused("0"));
    assert_eq!(built(f64::NAN), refused("NaN"));
    assert_eq!(built(f64::INFINITY), refused("inf"));
    assert_eq!(built(0.5), Ok(()));
    let error = Pool::<u32, String>::builder().rate_per_key(1.0).build().unwrap_err();
    assert_eq!(error.to_string(), "a rate for each key needs a key");
}

#[tokio::test(start_paused = true)]
async fn a_deadline_counts_all_attempts_and_the_waits_between_them() {
    let pool = Pool::builder()
        .attempt_timeout(4 * SECOND)
        .deadline(10 * SECOND)
        .retry(Retry::with_delays(|| std::iter::repeat(SECOND / 2)))
        .build()
        .unwrap();
    let start = Instant::now();
    let results = pool.map([()], |_, ()| pending::<Result<(), String>>()).await;
    assert_eq!(results, [Err(JobError::DeadlinePassed(10 * SECOND))]);
    assert_eq!(start.elapsed(), 10 * SECOND, "0 to 4, 4.5 to 8.5, and the third attempt from 9 on");
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_next_attempt_would_pass_the_deadline_fails_at_once_with_its_own_error() {
    let pool = Pool::builder().deadline(10 * SECOND).retry(Retry::with_delays(|| [60 * SECOND])).build().unwrap();
    let start = Instant::now();
    let results = pool.map([()], |_, ()| async { Err::<(), _>("refused") }).await;
    assert_eq!(results, [Err(JobError::Failed("refused"))]);
    assert!(start.elapsed().is_zero());
}

#[tokio::test(start_paused = true)]
async fn a_job_that_finds_no_slot_before_its_deadline_does_not_begin_again() {
    let pool = Pool::builder().jobs(1).deadline(10 * SECOND).retry(Retry::with_delays(|| [SECOND])).build().unwrap();
    let mut run = pool.run([0, 9, 9], |_, seconds| async move {
        sleep(Duration::from_secs(seconds)).await;
        if seconds == 0 { Err("once more") } else { Ok(()) }
    });
    let mut results = Vec::new();
    while let Some(done) = run.next().await {
        results.push((done.job, done.result, done.report.attempts));
    }
    // The retry goes first when the slot comes free, at 9 s: in time. So it fails for good, with its own error.
    assert_eq!(results[1], (0, Err(JobError::Failed("once more")), 2));

    // Held back by its key for longer than that, it does not begin again.
    let retry = Retry::with_delays(|| [SECOND]).pause_key(|pause: &u64| Some(Duration::from_secs(*pause)));
    let pool = Pool::builder().key(|_| Some("host".to_owned())).deadline(10 * SECOND).retry(retry).build().unwrap();
    let results = pool
        .map([0, 30], |_, pause| async move {
            sleep(Duration::from_millis(pause)).await;
            Err::<(), _>(pause)
        })
        .await;
    assert_eq!(results, [Err(JobError::DeadlinePassed(10 * SECOND)), Err(JobError::Failed(30))]);
}

#[tokio::test(start_paused = true)]
async fn progress_begins_the_waits_anew_only_where_that_was_asked_for() {
    for (reset, attempts) in [(true, 5), (false, 3)] {
        let retry = Retry::new(Backoff::default().retries(2)).reset_on_progress(reset);
        let pool = Pool::builder().retry(retry).build().unwrap();
        let report = pool
            .for_each([()], |cx, ()| async move {
                if cx.attempt() < 4 {
                    cx.advance(u64::from(cx.attempt()), 0);
                }
                Err("cut")
            })
            .await;
        assert_eq!(report.attempts, attempts, "the third attempt is the last that gets further: two more follow");
    }
}

#[tokio::test(start_paused = true)]
async fn a_drain_lets_what_runs_finish_and_begins_nothing() {
    let attempts = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&attempts);
    let soon = CancellationToken::new();
    let pool =
        Pool::builder().jobs(2).retry(Retry::with_delays(|| [100 * SECOND; 9])).drain(soon.clone()).build().unwrap();
    // 0 fails at once and waits; 1 and 2 run, and 2 fails while the run drains; 3 never begins.
    let run = pool.run(0.., move |_, n: u32| {
        count.fetch_add(1, SeqCst);
        async move {
            if n > 0 {
                sleep(10 * SECOND).await;
            }
            if n == 1 { Ok(()) } else { Err("bad") }
        }
    });
    let start = Instant::now();
    sleep(SECOND).await;
    soon.cancel();
    let mut results: Vec<_> = run.map(|done| (done.job, done.result)).collect().await;
    results.sort_by_key(|(job, _)| *job);
    assert_eq!(results, [(0, Err(JobError::Cancelled)), (1, Ok(())), (2, Err(JobError::Failed("bad")))]);
    assert_eq!((attempts.load(SeqCst), start.elapsed()), (3, 10 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn a_drain_can_still_be_cancelled() {
    let pool = Pool::builder().jobs(2).build().unwrap();
    let started = Arc::new(Notify::new());
    let notify = Arc::clone(&started);
    let run = pool.run(0.., move |_, _: u32| {
        notify.notify_one();
        pending::<Result<(), String>>()
    });
    started.notified().await;
    run.drain();
    tokio::task::yield_now().await;
    run.cancel();
    assert!(run.all(|done| async move { done.result == Err(JobError::Cancelled) }).await);
}

#[tokio::test(start_paused = true)]
async fn the_report_tells_how_long_jobs_queued_and_ran_and_json_has_seconds() {
    let pool = Pool::builder().jobs(100).per_key(1, |_: &u64| Some("one at a time".to_owned())).build().unwrap();
    let report = pool
        .for_each(0..11, |_, _| async {
            sleep(SECOND).await;
            Ok::<_, String>(())
        })
        .await;
    let (queued, running) = (report.queued.unwrap(), report.running.unwrap());
    assert_eq!((queued.max, running.max), (10 * SECOND, SECOND));
    assert!((4.84..=5.16).contains(&queued.p50.as_secs_f64()), "{queued:?}");
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!((&json["queued"]["max"], &json["running"]["max"]), (&10.0.into(), &1.0.into()));
    let empty = pool.for_each([], |_, _| async { Ok::<_, String>(()) }).await;
    assert_eq!((empty.queued, empty.running, empty.overlap()), (None, None, None));
}
