//! Runs of all kinds at once in one pool, by chance from a seed: nobody waits for ever, nothing is lost, no limit is
//! passed, and no slot is left taken.

use fastrand::Rng;
use raudal_pool::{CancellationToken, Pool, Retry, Spawner};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// How much weight is inside, and how much was at most.
type Inside = Arc<(AtomicUsize, AtomicUsize)>;

struct Visit(Inside, usize);

impl Visit {
    fn new(inside: &Inside, weight: usize) -> Self {
        let now = inside.0.fetch_add(weight, SeqCst) + weight;
        inside.1.fetch_max(now, SeqCst);
        Self(inside.clone(), weight)
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.0.0.fetch_sub(self.1, SeqCst);
    }
}

/// What one job does: it fails, panics, yields, sleeps, or runs jobs of its own pool, by its seed.
fn job(pool: Pool, inside: Inside, seed: u64, weight: usize, depth: u32) -> BoxedJob {
    Box::pin(async move {
        let mut rng = Rng::with_seed(seed);
        let visit = Visit::new(&inside, weight);
        for _ in 0..rng.usize(0..4) {
            tokio::task::yield_now().await;
        }
        if rng.u8(0..4) == 0 {
            sleep(Duration::from_micros(rng.u64(0..3000))).await;
        }
        match rng.u8(0..40) {
            0 => panic!("by chance"),
            1..5 => return Err("by chance".to_owned()),
            5 | 6 if depth > 0 => {
                // A nested job uses its slot meanwhile.
                drop(visit);
                let (within, inside) = (pool.clone(), inside.clone());
                let inner = pool.map(0..3_u64, move |_, n| {
                    let (pool, inside) = (within.clone(), inside.clone());
                    job(pool, inside, seed * 3 + n, 1, depth - 1)
                });
                assert_eq!(inner.await.len(), 3);
            }
            _ => {}
        }
        Ok(seed)
    })
}

type BoxedJob = std::pin::Pin<Box<dyn Future<Output = Result<u64, String>> + Send>>;

/// Gives a run policies by chance.
macro_rules! with_policies {
    ($run:expr, $rng:ident, $token:ident) => {{
        let mut run = $run;
        if $rng.bool() {
            run = run.key(|n| Some((n % 3).to_string()));
        }
        if $rng.bool() {
            run = run.priority(|n| (*n % 5) as i32);
        }
        if $rng.bool() {
            run = run.retry(Retry::with_delays(|| [Duration::ZERO, Duration::from_millis(1)]));
        }
        if $rng.u8(0..4) == 0 {
            run = run.attempt_timeout(Duration::from_millis(2));
        }
        if $rng.u8(0..4) == 0 {
            run = run.limit($rng.usize(1..4));
        }
        if $rng.u8(0..4) == 0 {
            run = run.buffer($rng.usize(0..4)).look_ahead($rng.usize(0..4));
        }
        if $rng.bool() { run.cancel($token.clone()) } else { run.drain($token.clone()) }
    }};
}

/// Stops a run in a while, or does nothing for as long.
async fn stop_later(token: CancellationToken, waits: usize, stops: bool) {
    for _ in 0..waits {
        tokio::task::yield_now().await;
    }
    if stops {
        token.cancel();
    }
}

/// Spawns jobs one by one. Drops, detaches or awaits their handles, by chance.
async fn spawn_all(spawner: Spawner<u64, u64, String>, jobs: u64, rng: &mut Rng, stops: impl Future<Output = ()>) {
    let mut handles = Vec::new();
    for n in 0..jobs {
        let handle = spawner.spawn(n).await;
        match rng.u8(0..4) {
            0 => drop(handle),
            1 => handle.detach(),
            _ => handles.push(handle),
        }
    }
    stops.await;
    for handle in handles {
        let _ = handle.await;
    }
    spawner.join().await;
}

/// One run, of a kind and with policies by chance.
async fn run(pool: Pool, inside: Inside, seed: u64, limit: usize, has_keys: bool) {
    let mut rng = Rng::with_seed(seed);
    let jobs = rng.u64(0..60);
    let token = CancellationToken::new();
    // A job takes no more slots than its key may have, which is not what is counted here.
    let weigh = rng.bool() && !has_keys;
    // As the pool counts it: no more than there is.
    let weight = move |n: &u64| if weigh { (*n % 4 + 1) as usize } else { 1 };
    let within = pool.clone();
    let does = move |cx: raudal_pool::Context<u64>, n: u64| {
        if n == 7 && cx.attempt() == 1 {
            cx.spawn(1000);
        }
        let weight = weight(&n).min(limit).min(if weigh { usize::MAX } else { 1 });
        job(within.clone(), inside.clone(), seed * 1000 + n * 10 + u64::from(cx.attempt()), weight, 1)
    };
    let kind = rng.u8(0..5);
    let waits = rng.usize(0..200);
    let stops = stop_later(token.clone(), waits, rng.u8(0..3) == 0);
    match kind {
        0 => {
            let run = with_policies!(pool.map(0..jobs, does).weight(weight), rng, token);
            let (results, ()) = tokio::join!(async { run.await }, stops);
            // One for each input, and one for the job that was spawned, if it was.
            assert!([jobs as usize, jobs as usize + 1].contains(&results.len()), "{} of {jobs}", results.len());
        }
        1 => {
            let run = pool.for_each(0..jobs, move |cx, n| {
                let job = does(cx, n);
                async move { job.await.map(drop) }
            });
            let run = with_policies!(run.weight(weight), rng, token);
            let (report, ()) = tokio::join!(async { run.await }, stops);
            assert!(report.stopped || report.total() >= jobs);
        }
        2 => {
            // Given up half-way, by a drop or a shutdown.
            let mut run = with_policies!(pool.run(0..jobs, does).weight(weight), rng, token).start();
            for _ in 0..rng.u64(0..=jobs) {
                run.next().await;
            }
            if rng.bool() {
                run.shutdown().await;
            }
        }
        3 => {
            let spawner = with_policies!(pool.spawner(does).weight(weight), rng, token).start();
            spawn_all(spawner, jobs, &mut rng, stops).await;
        }
        _ => {
            let run = with_policies!(pool.local(0..jobs, does).weight(weight), rng, token);
            let (results, ()) = tokio::join!(run.map(), stops);
            assert!([jobs as usize, jobs as usize + 1].contains(&results.len()), "{} of {jobs}", results.len());
        }
    }
}

async fn storm(seed: u64) {
    let mut rng = Rng::with_seed(seed);
    let limit = rng.usize(1..6);
    let mut pool = Pool::builder().jobs(limit);
    let has_keys = rng.bool();
    if has_keys {
        pool = pool.per_key(rng.usize(1..4));
    }
    let pool = pool.build().unwrap();
    let inside = Inside::default();
    let runs: Vec<_> = (0..rng.u64(1..6))
        .map(|n| {
            let (pool, inside) = (pool.clone(), inside.clone());
            // Local runs are not `Send` in general; these are tasks of the thread.
            tokio::task::spawn_local(run(pool, inside, seed * 10 + n, limit, has_keys))
        })
        .collect();
    for run in runs {
        timeout(Duration::from_secs(60), run)
            .await
            .unwrap_or_else(|_| panic!("seed {seed}: it waits for ever"))
            .unwrap();
    }
    // What was dropped ends by itself.
    for _ in 0..100_000 {
        if pool.in_flight() == 0 && pool.waiting() == 0 {
            break;
        }
        sleep(Duration::from_millis(1)).await;
    }
    assert_eq!((pool.in_flight(), pool.waiting()), (0, 0), "seed {seed}: slots are left taken");
    let peak = inside.1.load(SeqCst);
    assert!(peak <= limit, "seed {seed}: {peak} inside, and the limit is {limit}");
}

/// How many storms there are; `RAUDAL_POOL_STORMS` asks for more.
fn storms(default: u64) -> u64 {
    std::env::var("RAUDAL_POOL_STORMS").map_or(default, |storms| storms.parse().expect("a number"))
}

#[test]
fn on_one_thread_no_storm_breaks_a_promise() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        for seed in 0..storms(100) {
            storm(seed).await;
        }
    });
}

#[test]
fn on_many_threads_no_storm_breaks_a_promise() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        for seed in 0..storms(100) {
            storm(seed).await;
        }
    });
}
