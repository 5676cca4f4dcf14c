//! Retries: what the predicates see, waits without end, and the failure that is carried.

use raudal_pool::{Backoff, CancellationToken, Event, EventKind, JobError, NoObserver, Observer, Pool, Retry};
use std::future::pending;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{Instant, sleep};

const SECOND: Duration = Duration::from_secs(1);

async fn wait() -> Result<(), String> {
    sleep(SECOND).await;
    Ok(())
}

fn four_times<E>() -> Retry<E> {
    Retry::with_delays(|| [Duration::ZERO; 3])
}

#[tokio::test(start_paused = true)]
async fn a_predicate_says_of_time_outs_too_whether_they_are_tried_again() {
    let attempts = |retry: Retry<String>| async {
        let never = |_, ()| pending::<Result<(), String>>();
        let report = Pool::new(1).for_each([()], never).attempt_timeout(SECOND).retry(retry).await;
        report.attempts
    };
    assert_eq!(attempts(four_times()).await, 4);
    assert_eq!(attempts(four_times().when(|_| false)).await, 1);
    assert_eq!(attempts(four_times().when(|error| !error.is_timeout())).await, 1);
    assert_eq!(attempts(four_times().adjust(|_, _| None)).await, 1);
    assert_eq!(attempts(four_times().when(JobError::is_timeout)).await, 4);
}

#[tokio::test(start_paused = true)]
async fn waits_without_end_lose_no_job() {
    let run = |retry: Retry<&'static str>| {
        let results = Pool::new(2)
            .map(0..4, |cx, n| async move { if cx.attempt() == 1 && n % 2 == 0 { Err("busy") } else { Ok(n) } })
            .key(|_| "a".to_owned())
            .retry(retry)
            .deadline(60 * SECOND);
        async move { results.await.len() }
    };
    let forever = Duration::MAX;
    assert_eq!(run(Retry::with_delays(move || [forever])).await, 4);
    assert_eq!(run(four_times().adjust(move |_, _| Some(forever))).await, 4);
    assert_eq!(run(four_times().max_elapsed(forever)).await, 4);
    assert_eq!(run(Retry::new(Backoff::default().first(forever).max(forever).factor(f64::INFINITY))).await, 4);
    let start = Instant::now();
    assert_eq!(run(four_times().pause_key(|_| Some(Duration::from_secs(u64::MAX)))).await, 4);
    // No key is paused for more than a day.
    assert!(start.elapsed() <= Duration::from_secs(2 * 24 * 60 * 60));
}

#[tokio::test(start_paused = true)]
async fn limits_of_time_without_end_are_limits_that_are_never_reached() {
    let forever = Duration::MAX;
    let results = Pool::new(2)
        .map(0..4, |_, n| async move {
            sleep(SECOND).await;
            Ok::<_, String>(n)
        })
        .attempt_timeout(forever)
        .deadline(forever)
        .grace(forever)
        .await;
    assert!(results.iter().all(Result::is_ok));
}

/// Fails at first, and then takes for ever.
async fn fails_then_hangs(attempt: u32) -> Result<(), &'static str> {
    if attempt == 1 { Err("refused") } else { pending().await }
}

#[tokio::test(start_paused = true)]
async fn the_last_failure_is_carried_by_what_ends_the_job() {
    let pool = Pool::new(1);
    let run = || {
        let job = |cx: raudal_pool::Context<()>, ()| fails_then_hangs(cx.attempt());
        pool.run([()], job).retry(Retry::with_delays(|| [SECOND])).observer(Arc::new(NoObserver))
    };
    let last = Some("refused");
    let timed_out = JobError::TimedOut { limit: 5 * SECOND, last };
    let passed = JobError::DeadlinePassed { deadline: 9 * SECOND, last };
    let ends = [(run().attempt_timeout(5 * SECOND).start(), timed_out), (run().deadline(9 * SECOND).start(), passed)];
    for (mut run, error) in ends {
        let done = run.next().await.unwrap();
        assert_eq!(done.result, Err(error));
        assert_eq!(done.report.last_failure.as_deref(), Some("refused"));
        assert_eq!(done.input, Some(()));
    }
    // In its wait, and in its second attempt.
    for seconds in [0, 2] {
        let token = CancellationToken::new();
        let mut run = run().cancel(token.clone()).start();
        sleep(seconds * SECOND + SECOND / 2).await;
        token.cancel();
        let done = run.next().await.unwrap();
        assert_eq!(done.result, Err(JobError::Cancelled { last }));
        assert_eq!(done.report.last_failure.as_deref(), Some("refused"));
    }
    let error = JobError::TimedOut { limit: SECOND, last }.to_string();
    assert_eq!(error, "the attempt took longer than its limit: 1s; an earlier attempt failed: refused");
}

#[tokio::test(start_paused = true)]
async fn an_attempt_has_its_grace_period_to_clean_up_and_no_more() {
    let cleaned = Arc::new(AtomicU32::new(0));
    let run = |cleaning: Duration| {
        let cleaned = cleaned.clone();
        Pool::new(1)
            .run([()], move |cx, ()| {
                let cleaned = cleaned.clone();
                async move {
                    cx.cancelled().await;
                    sleep(cleaning).await;
                    cleaned.fetch_add(1, SeqCst);
                    Err::<(), _>("stopped")
                }
            })
            .grace(5 * SECOND)
    };
    // Told to end by a cancellation.
    for (cleaning, expected, took) in [(SECOND, 1, SECOND), (60 * SECOND, 1, 5 * SECOND)] {
        let mut run = run(cleaning).start();
        sleep(SECOND).await;
        let start = Instant::now();
        run.cancel();
        let done = run.next().await.unwrap();
        assert!(done.result.unwrap_err().is_cancelled());
        assert_eq!((cleaned.load(SeqCst), start.elapsed()), (expected, took));
    }
    // And by a limit of time.
    let start = Instant::now();
    let done = run(SECOND).attempt_timeout(3 * SECOND).start().next().await.unwrap();
    assert_eq!(done.result, Err(JobError::TimedOut { limit: 3 * SECOND, last: Some("stopped") }));
    assert_eq!((cleaned.load(SeqCst), start.elapsed()), (2, 4 * SECOND));
}

#[derive(Default)]
struct HeldBack(Mutex<Vec<(String, usize)>>);

impl Observer for HeldBack {
    fn observe(&self, event: &Event<'_>) {
        if let EventKind::HeldBack { key, jobs } = &event.kind {
            self.0.lock().unwrap().push(((*key).to_owned(), *jobs));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_full_or_paused_does_not_hold_back_one_that_is_idle() {
    let pool = Pool::builder().jobs(4).per_key(1).build().unwrap();
    let start = Instant::now();
    let idle = Arc::new(Mutex::new(None));
    let when = idle.clone();
    // A thousand jobs of one key, and the only one of another.
    let inputs = (0..1000).map(|_| "full").chain(["idle"]);
    let run = pool.run(inputs, move |_, key| {
        if key == "idle" {
            *when.lock().unwrap() = Some(start.elapsed());
        }
        wait()
    });
    let run = run.key(|key| (*key).to_owned()).start();
    sleep(SECOND / 2).await;
    run.shutdown().await;
    assert_eq!(*idle.lock().unwrap(), Some(Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn how_far_a_run_looks_ahead_is_bounded_and_said() {
    let pool = Pool::builder().jobs(4).per_key(1).build().unwrap();
    let (pulled, observer) = (Arc::new(AtomicU32::new(0)), Arc::new(HeldBack::default()));
    let count = pulled.clone();
    let inputs = (0..100_000).inspect(move |_| {
        count.fetch_add(1, SeqCst);
    });
    let run = pool
        .run(inputs, |_, _| wait())
        .key(|_| "a".to_owned())
        .look_ahead(100)
        .buffer(10)
        .observer(observer.clone())
        .start();
    sleep(SECOND / 2).await;
    run.shutdown().await;
    let pulled = pulled.load(SeqCst);
    assert!((100..=120).contains(&pulled), "{pulled}");
    let events = observer.0.lock().unwrap();
    assert_eq!((events.len(), events[0].0.as_str()), (1, "a"));
    assert!(events[0].1 >= 100);
}
