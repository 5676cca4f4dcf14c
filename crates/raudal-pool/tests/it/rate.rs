//! What the pool promises about rates.

use raudal_pool::{JobError, Pool, Retry};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

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
    let pool = Pool::builder().jobs(100).rate(2.0).build().unwrap();
    let log = starts.clone();
    let report = pool
        .for_each(0..2, move |cx, _| {
            log.note();
            async move { if cx.attempt() < 3 { Err("again") } else { Ok(()) } }
        })
        .retry(Retry::with_delays(|| [Duration::ZERO; 2]))
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
    let pool = Pool::builder().jobs(1).rate_per_key(1.0).build().unwrap();
    let log = starts.clone();
    let results = pool
        .map(["a", "a", "a", "b", "b"], move |_, _| {
            log.note();
            async { Ok::<_, String>(()) }
        })
        .key(|key| Some((*key).to_owned()))
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
    let mut run = pool.run(0..5, |_, n| async move { Ok::<_, String>(n) }).start();
    assert_eq!(run.next().await.unwrap().result, Ok(0));
    run.cancel();
    assert_eq!(run.next().await.unwrap().result, Err(JobError::CANCELLED));
    assert!(run.next().await.is_none());
}

#[tokio::test]
async fn a_rate_that_cannot_be_kept_is_refused_when_the_pool_is_built() {
    let built = |rate| Pool::builder().rate(rate).build().map(drop).map_err(|error| error.to_string());
    let refused = |rate: &str| Err(format!("the rate must be from 0.000001 to 1000000 a second: {rate}"));
    assert_eq!(built(0.0), refused("0"));
    assert_eq!(built(f64::NAN), refused("NaN"));
    assert_eq!(built(f64::INFINITY), refused("inf"));
    assert_eq!(built(0.5), Ok(()));
}
