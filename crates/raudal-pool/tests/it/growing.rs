//! Jobs that add jobs to their own run.

use raudal_pool::{Context, JobError, Pool, Retry};
use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::sleep;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_crawler_visits_each_page_once_and_the_run_ends_with_the_last_one() {
    let seen = Arc::new(Mutex::new(HashSet::from([1_u32])));
    let known = seen.clone();
    let pool = Pool::new(8);
    let mut run = pool
        .run([1], move |cx, page| {
            let known = known.clone();
            async move {
                tokio::task::yield_now().await;
                for link in [2 * page, 2 * page + 1, page / 3].into_iter().filter(|page| (1..10_000).contains(page)) {
                    if known.lock().unwrap().insert(link) {
                        cx.spawn(link);
                    }
                }
                Ok::<_, String>(page)
            }
        })
        .start();
    let (mut pages, mut roots) = (HashSet::new(), 0);
    while let Some(done) = run.next().await {
        roots += u32::from(done.parent.is_none());
        assert!(pages.insert(done.result.unwrap()), "once");
    }
    let report = run.join().await;
    assert_eq!((pages.len(), roots, report.succeeded), (9_999, 1, 9_999));
    assert!(report.peak_in_flight <= 8 && !report.stopped);
}

#[tokio::test(start_paused = true)]
async fn what_jobs_spawn_comes_after_the_inputs_and_has_their_policies() {
    let results = Pool::new(2)
        .map([10, 20], |cx: Context<u32>, n| async move {
            if n % 10 == 0 {
                cx.spawn(n + 1);
            }
            if cx.attempt() == 1 && n == 11 { Err("again") } else { Ok(n) }
        })
        .retry(Retry::with_delays(|| [Duration::from_secs(1)]))
        .await;
    assert_eq!(results, [Ok(10), Ok(20), Ok(11), Ok(21)]);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_run_takes_no_more_jobs_and_each_of_them_has_its_result() {
    let mut run = Pool::new(1)
        .run([0_u64], |cx, n| async move {
            cx.spawn(n + 1);
            sleep(Duration::from_secs(1)).await;
            Ok::<_, String>(n)
        })
        .start();
    for n in 0..3 {
        assert_eq!(run.next().await.unwrap().result, Ok(n));
    }
    run.cancel();
    let mut rest = Vec::new();
    while let Some(done) = run.next().await {
        rest.push(done.result);
    }
    assert!(!rest.is_empty() && rest.iter().all(|result| *result == Err(JobError::CANCELLED)), "{rest:?}");
    assert!(run.join().await.stopped);
}

#[tokio::test(start_paused = true)]
async fn a_context_that_outlives_its_run_spawns_nothing() {
    let kept = Arc::new(Mutex::new(None));
    let keeps = kept.clone();
    let report = Pool::new(1)
        .for_each([1], move |cx, _| {
            *keeps.lock().unwrap() = Some(cx.clone());
            async { Ok::<_, String>(()) }
        })
        .await;
    let cx: Context<i32> = kept.lock().unwrap().take().unwrap();
    cx.spawn(2);
    assert_eq!(report.succeeded, 1);
}
