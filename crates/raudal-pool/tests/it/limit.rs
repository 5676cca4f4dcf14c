//! Limits that find themselves.

use raudal_pool::{Event, EventKind, Limit, Observer, Pool, Pressure, Retry};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::sleep;

/// The limits that were set, with their keys.
#[derive(Default)]
struct Limits(Mutex<Vec<(String, usize)>>);

impl Observer for Limits {
    fn observe(&self, event: &Event<'_>) {
        if let EventKind::LimitChanged { key, limit, .. } = &event.kind {
            self.0.lock().unwrap().push(((*key).to_owned(), *limit));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_limit_grows_while_more_brings_more_and_is_said() {
    let limits = Arc::new(Limits::default());
    let pool = Pool::builder().jobs(Limit::auto(64)).build().unwrap();
    assert_eq!(pool.limit(), 6);
    let report = pool
        .for_each(0..2000, |cx, _| async move {
            for _ in 0..5 {
                sleep(Duration::from_millis(40)).await;
                cx.advance(1000, 0);
            }
            Ok::<_, String>(())
        })
        .observer(limits.clone())
        .await;
    let limits = limits.0.lock().unwrap();
    assert_eq!(limits[0], (String::new(), 6), "to begin with");
    assert_eq!((limits.last().unwrap().1, report.peak_in_flight), (64, 64));
}

#[tokio::test(start_paused = true)]
async fn a_key_that_refuses_is_asked_for_less_and_no_other_one_is() {
    let (limits, inside) = (Arc::new(Limits::default()), Arc::new(AtomicUsize::new(0)));
    let pool = Pool::builder().jobs(100).per_key(Limit::auto(32)).build().unwrap();
    let busy = inside.clone();
    let results = pool
        .map((0..400).map(|n| ["busy", "idle"][n % 2]), move |_, key| {
            let inside = busy.clone();
            async move {
                let refused = key == "busy" && inside.fetch_add(1, SeqCst) >= 6;
                sleep(Duration::from_millis(if refused { 1 } else { 100 })).await;
                if key == "busy" {
                    inside.fetch_sub(1, SeqCst);
                }
                if refused { Err("too many") } else { Ok(()) }
            }
        })
        .key(|key| (*key).to_owned())
        .retry(Retry::with_delays(|| [Duration::from_millis(500); 200]))
        .pressure(|_| Pressure::Refused)
        .observer(limits.clone())
        .await;
    assert!(results.iter().all(Result::is_ok));
    let limits = limits.0.lock().unwrap();
    let of = |key: &str| limits.iter().filter(|(of, _)| of == key).map(|(_, limit)| *limit).collect::<Vec<_>>();
    assert!(of("busy").is_sorted().then_some(()).is_none(), "lowered: {:?}", of("busy"));
    assert!(*of("busy").last().unwrap() <= 6, "{:?}", of("busy"));
    assert!(*of("idle").iter().max().unwrap() >= 16, "{:?}", of("idle"));
}

#[tokio::test(start_paused = true)]
async fn repeated_time_outs_halve_a_limit_even_a_fixed_one() {
    let limits = Arc::new(Limits::default());
    let pool = Pool::builder().jobs(100).per_key(8).build().unwrap();
    let second = Duration::from_secs(1);
    let report = pool
        .for_each(0..8, |_, _| std::future::pending::<Result<(), String>>())
        .key(|_| "slow".to_owned())
        .attempt_timeout(second)
        .pressure(|_| Pressure::None)
        .observer(limits.clone())
        .await;
    assert_eq!(report.failed, 8);
    assert_eq!(limits.0.lock().unwrap().first(), Some(&("slow".to_owned(), 4)));
}

#[tokio::test(start_paused = true)]
async fn a_limit_does_not_grow_while_the_consumer_asks_it_not_to_and_moves_while_nobody_takes_results() {
    let job = |cx: raudal_pool::Context<i32>, _| async move {
        sleep(Duration::from_millis(100)).await;
        cx.advance(1000, 0);
        Ok::<_, String>(())
    };
    let held = Pool::builder().jobs(Limit::auto(64)).hold_growth_while(|| true).build().unwrap();
    assert_eq!(held.for_each(0..200, job).await.peak_in_flight, 6);
    // Nobody takes a result: the limit is the run's own affair.
    let pool = Pool::builder().jobs(Limit::auto(64)).build().unwrap();
    let run = pool.run(0..1000, job).buffer(1000).start();
    sleep(Duration::from_secs(60)).await;
    assert!(pool.limit() > 16, "{}", pool.limit());
    assert_eq!(run.join().await.succeeded, 1000);
}
