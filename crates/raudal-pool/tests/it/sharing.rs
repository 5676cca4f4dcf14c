//! One limit for all runs of a pool; weights, priorities, pauses, and limits that change.

use futures::future::BoxFuture;
use raudal_pool::{Pool, RunReport};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::{Instant, sleep};

const SECOND: Duration = Duration::from_secs(1);

async fn wait() -> Result<(), String> {
    sleep(SECOND).await;
    Ok(())
}

/// How many are inside at once, and how many were at most.
#[derive(Clone, Default)]
struct Crowd(Arc<(AtomicUsize, AtomicUsize)>);

impl Crowd {
    async fn visit(self, time: Duration) -> Result<(), String> {
        let inside = self.0.0.fetch_add(1, SeqCst) + 1;
        self.0.1.fetch_max(inside, SeqCst);
        sleep(time).await;
        self.0.0.fetch_sub(1, SeqCst);
        Ok(())
    }

    fn peak(&self) -> usize {
        self.0.1.load(SeqCst)
    }
}

/// So many jobs of a second each, in the crowd.
async fn visits(pool: Pool, crowd: Crowd, jobs: u64) -> RunReport {
    pool.for_each(0..jobs, move |_, _| crowd.clone().visit(SECOND)).await
}

#[tokio::test(start_paused = true)]
async fn five_callers_at_once_stay_within_one_limit_and_each_gets_its_turn() {
    let (pool, crowd, start) = (Pool::new(4), Crowd::default(), Instant::now());
    let callers: Vec<_> = (0..5).map(|_| tokio::spawn(visits(pool.clone(), crowd.clone(), 20))).collect();
    let mut ends = Vec::new();
    for caller in callers {
        assert_eq!(caller.await.unwrap().succeeded, 20);
        ends.push(start.elapsed().as_secs());
    }
    assert_eq!((crowd.peak(), pool.in_flight(), pool.waiting()), (4, 0, 0));
    assert_eq!(ends.last(), Some(&25), "a hundred jobs, four a second: no slot was idle");
    assert!(ends[0] > 12, "in turn: alone, the first caller would be done after 5 s: {ends:?}");
}

#[tokio::test(start_paused = true)]
async fn a_hundred_single_jobs_stay_within_the_limit() {
    let (pool, crowd) = (Pool::new(4), Crowd::default());
    let handles: Vec<_> = (0..100)
        .map(|n| {
            let crowd = crowd.clone();
            pool.spawn(n, move |_, _| crowd.clone().visit(SECOND))
        })
        .collect();
    let start = Instant::now();
    for handle in handles {
        handle.await.unwrap();
    }
    assert_eq!((crowd.peak(), start.elapsed()), (4, 25 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_came_when_all_slots_were_taken_gets_its_share_and_then_all_of_them() {
    let (pool, crowd) = (Pool::new(4), Crowd::default());
    let first = tokio::spawn(visits(pool.clone(), crowd.clone(), 40));
    sleep(SECOND / 2).await;
    let start = Instant::now();
    // Half of the slots for 8 s, or a little more.
    assert_eq!(visits(pool.clone(), crowd.clone(), 16).await.succeeded, 16);
    assert!((6..=9).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
    assert_eq!(first.await.unwrap().wall, 14 * SECOND);
    assert_eq!(crowd.peak(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_runs_on_many_threads_all_end_and_never_pass_the_limit() {
    let (pool, crowd) = (Pool::builder().jobs(7).per_key(3).build().unwrap(), Crowd::default());
    let runs = (0..20_u64).map(|n| {
        let (pool, crowd) = (pool.clone(), crowd.clone());
        tokio::spawn(async move {
            let job = move |_, n: u64| {
                let crowd = crowd.clone();
                async move {
                    if n.is_multiple_of(3) {
                        tokio::task::yield_now().await;
                    }
                    crowd.visit(Duration::ZERO).await
                }
            };
            let run = pool.for_each(0..500_u64, job);
            if n.is_multiple_of(2) { run.key(|n| Some((n % 5).to_string())).await } else { run.await }
        })
    });
    for run in runs.collect::<Vec<_>>() {
        let report = tokio::time::timeout(60 * SECOND, run).await.expect("no run waits for ever").unwrap();
        assert_eq!(report.succeeded, 500);
    }
    assert!(crowd.peak() <= 7);
    assert_eq!((pool.in_flight(), pool.waiting()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_run_may_ask_for_less_and_the_pool_bounds_it_still() {
    let (pool, crowd) = (Pool::new(4), Crowd::default());
    let job = |crowd: &Crowd| {
        let crowd = crowd.clone();
        move |_, _| crowd.clone().visit(SECOND)
    };
    let report = pool.for_each(0..9, job(&crowd)).limit(3).await;
    assert_eq!((crowd.peak(), report.wall), (3, 3 * SECOND));
    let report = pool.for_each(0..8, job(&crowd)).limit(100).await;
    assert_eq!((crowd.peak(), report.wall), (4, 2 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn a_dropped_or_cancelled_run_leaves_its_slots_to_the_others() {
    let pool = Pool::new(1);
    let stuck = pool.run(0..9, |_, _| std::future::pending::<Result<(), String>>()).start();
    let waits = tokio::spawn(visits(pool.clone(), Crowd::default(), 2));
    let later = tokio::spawn(visits(pool.clone(), Crowd::default(), 2));
    sleep(SECOND).await;
    drop(stuck);
    assert_eq!((waits.await.unwrap().succeeded, later.await.unwrap().succeeded), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn a_job_takes_as_many_slots_as_it_weighs_and_a_heavy_one_is_not_passed_by_for_ever() {
    let begun = Arc::new(Mutex::new(Vec::new()));
    let log = begun.clone();
    let start = Instant::now();
    let report = Pool::new(4)
        .for_each([1, 3, 4, 1, 1, 9], move |_, weight| {
            log.lock().unwrap().push((weight, start.elapsed().as_secs()));
            wait()
        })
        .weight(|weight| *weight)
        .await;
    // What weighs more than there is takes all.
    assert_eq!(*begun.lock().unwrap(), [(1, 0), (3, 0), (4, 1), (1, 2), (1, 2), (9, 3)]);
    assert_eq!(report.wall, 4 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn the_most_urgent_job_begins_first_whichever_run_it_is_of() {
    let pool = Pool::new(1);
    let order = Arc::new(Mutex::new(Vec::new()));
    let job = || {
        let order = order.clone();
        move |_, n: i32| {
            order.lock().unwrap().push(n);
            wait()
        }
    };
    let low = pool.spawner(job()).priority(|n| *n).start();
    let high = pool.spawner(job()).priority(|n| *n).start();
    let mut handles = vec![low.spawn(0).await];
    // It has the slot; the others wait.
    tokio::task::yield_now().await;
    for n in [1, 3, 5] {
        handles.push(low.spawn(n).await);
    }
    for n in [2, 4, 6] {
        handles.push(high.spawn(n).await);
    }
    for handle in handles {
        handle.await.unwrap();
    }
    assert_eq!(*order.lock().unwrap(), [0, 6, 5, 4, 3, 2, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_paused_run_begins_nothing_and_leaves_its_slots_to_others() {
    let (pool, crowd) = (Pool::new(2), Crowd::default());
    let paused = crowd.clone();
    let run = pool.run(0..4, move |_, _| paused.clone().visit(SECOND)).start();
    let control = run.control();
    control.pause();
    sleep(60 * SECOND).await;
    assert_eq!((control.in_flight(), crowd.peak()), (0, 0));
    assert_eq!(visits(pool.clone(), Crowd::default(), 4).await.wall, 2 * SECOND);
    control.resume();
    let resumed = Instant::now();
    assert_eq!((run.join().await.succeeded, resumed.elapsed()), (4, 2 * SECOND));
}

#[tokio::test(start_paused = true)]
async fn limits_can_be_changed_while_jobs_run() {
    let pool = Pool::new(1);
    let start = Instant::now();
    let job = |_, _| wait();
    let mut run = pool.run(0..13, job).limit(4).start();
    run.next().await;
    // One is done, one runs.
    pool.set_limit(100);
    run.next().await;
    assert_eq!(start.elapsed(), 2 * SECOND);
    run.control().set_limit(8);
    assert_eq!(run.join().await.peak_in_flight, 8);
    // Three of the four end at 2 s, eight more begin, and the last one.
    assert!(start.elapsed() <= 4 * SECOND, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn runs_within_jobs_of_their_own_pool_end_however_deep_they_are() {
    fn nested(pool: Pool, depth: u32) -> BoxFuture<'static, Result<u32, String>> {
        Box::pin(async move {
            if depth == 0 {
                sleep(SECOND).await;
                return Ok(1);
            }
            let inner = pool.clone();
            let results = pool.map([depth - 1; 2], move |_, depth| nested(inner.clone(), depth)).await;
            results.into_iter().map(|result| result.map_err(|error| error.to_string())).sum()
        })
    }
    for jobs in [1, 2, 5] {
        let pool = Pool::new(jobs);
        let deep = nested(pool.clone(), 5);
        assert_eq!(tokio::time::timeout(100 * SECOND, deep).await.expect("it does not wait for ever"), Ok(32));
        assert_eq!((pool.in_flight(), pool.waiting()), (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_may_wait_for_single_jobs_and_for_a_spawner_of_its_own_pool() {
    let pool = Pool::new(1);
    let inner = pool.clone();
    let result = pool
        .run_one((), move |_, ()| {
            let pool = inner.clone();
            async move {
                let one = pool.run_one(1, |_, n| async move { Ok::<_, String>(n) });
                let spawner = pool.spawner(|_, n: u32| async move { Ok::<_, String>(n) }).start();
                let two = spawner.spawn(2).await;
                let sum = one.await.unwrap() + two.await.unwrap();
                Ok::<_, String>(sum + spawner.join().await.succeeded as u32)
            }
        })
        .deadline(60 * SECOND)
        .await;
    assert_eq!(result, Ok(4));
}

#[tokio::test]
async fn a_key_is_bounded_across_runs() {
    let pool = Pool::builder().jobs(8).per_key(2).build().unwrap();
    let crowd = Crowd::default();
    let run = || {
        let (crowd, pool) = (crowd.clone(), pool.clone());
        async move {
            pool.for_each(0..10, move |_, _| crowd.clone().visit(Duration::from_millis(1)))
                .key(|_| Some("a".to_owned()))
                .await
        }
    };
    tokio::join!(run(), run(), run());
    assert_eq!(crowd.peak(), 2);
}

#[tokio::test]
async fn a_slot_that_a_light_job_leaves_to_a_heavy_one_is_not_lost() {
    let pool = Pool::new(4);
    let job = |_, _| async { Ok::<_, String>(()) };
    let run = pool.for_each((0..100).map(|n| 1 + n % 3), job).weight(|weight| *weight).into_future();
    assert_eq!(tokio::time::timeout(60 * SECOND, run).await.expect("it ends").succeeded, 100);
    assert_eq!(pool.in_flight(), 0);
}

/// Eight jobs of a second each in a pool of four, with permits claimed after half a second.
async fn claimed(keys: &'static [&'static str], claims: &[Option<&str>]) -> Vec<u64> {
    let (start, ends) = (Instant::now(), Arc::new(Mutex::new(Vec::new())));
    let told = ends.clone();
    let pool = Pool::builder().jobs(4).per_key(2).build().unwrap();
    let mut run = pool
        .run(0..8_usize, move |_, _| {
            let told = told.clone();
            async move {
                wait().await?;
                told.lock().unwrap().push(start.elapsed().as_millis() as u64);
                Ok::<_, String>(())
            }
        })
        .key(move |n| Some(keys[n % keys.len()].to_owned()))
        .start();
    let permits = run.permits();
    let helper = async {
        sleep(SECOND / 2).await;
        let claims: Vec<_> = claims.iter().map(|key| permits.claim(*key).unwrap()).collect();
        assert!(claims.iter().all(|claim| !claim.is_ready()), "every slot has a job");
        sleep(SECOND).await;
        assert!(claims.iter().all(raudal_pool::Permit::is_ready), "a job has ended");
        sleep(SECOND).await;
    };
    let jobs = async { while run.next().await.is_some() {} };
    tokio::join!(helper, jobs);
    ends.lock().unwrap().clone()
}

#[tokio::test(start_paused = true)]
async fn a_claimed_slot_goes_to_its_work_and_not_to_a_waiting_job() {
    assert_eq!(claimed(&["a", "b"], &[Some("a")]).await, [1000, 1000, 1000, 1000, 2000, 2000, 2000, 3000]);
    assert_eq!(claimed(&["a", "b"], &[None, None]).await, [1000, 1000, 1000, 1000, 2000, 2000, 3000, 3000]);
    let one = Pool::builder().jobs(4).per_key(1).build().unwrap();
    let run = one.run([0], |_, _| wait()).start();
    assert!(run.permits().claim(Some("a")).is_none(), "the only slot is that of the job");
    assert!(run.permits().claim(None).is_some_and(|permit| permit.is_ready()));
}
