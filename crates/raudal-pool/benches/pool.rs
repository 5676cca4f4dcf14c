//! What the pool costs for each job, beside what one would write without it.
//!
//! All of them do the same jobs in the same run, on a runtime of two workers, at 1, 100 and 10,000 in flight. The pool
//! has its retries, its time-outs and its reports on; the others have none of these:
//!
//! - `buffer_unordered`: futures of one task;
//! - `joinset_semaphore`: a task a job, a permit a job, which is what the pool replaces;
//! - `spawn`: waves of bare tasks, with no bound but the wave's size.
//!
//! ```text
//! cargo bench -p raudal-pool --bench pool -- --quick
//! ```

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use futures::{StreamExt, stream};
use raudal_pool::{Backoff, Pool, Retry};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

const MILLISECOND: Duration = Duration::from_millis(1);

/// What each job does.
#[derive(Clone, Copy)]
enum Work {
    Nothing,
    Sleep,
}

impl Work {
    async fn job(self, n: u64) -> Result<u64, String> {
        if matches!(self, Self::Sleep) {
            tokio::time::sleep(MILLISECOND).await;
        }
        Ok(black_box(n))
    }
}

async fn pool(work: Work, total: u64, in_flight: usize) -> u64 {
    let pool = Pool::builder().jobs(in_flight).build().expect("limits above 0");
    let mut run = pool
        .run(0..total, move |_, n| work.job(n))
        .retry(Retry::new(Backoff::default()))
        .attempt_timeout(Duration::from_secs(30))
        .start();
    let mut sum = 0;
    while let Some(done) = run.next().await {
        sum += done.result.expect("a job that cannot fail");
    }
    assert_eq!(run.join().await.succeeded, total);
    sum
}

async fn buffer_unordered(work: Work, total: u64, in_flight: usize) -> u64 {
    stream::iter(0..total)
        .map(|n| work.job(n))
        .buffer_unordered(in_flight)
        .fold(0, |sum, result| async move { sum + result.expect("a job that cannot fail") })
        .await
}

async fn joinset_semaphore(work: Work, total: u64, in_flight: usize) -> u64 {
    let slots = Arc::new(Semaphore::new(in_flight));
    let mut tasks = JoinSet::new();
    let mut sum = 0;
    for n in 0..total {
        let slot = Arc::clone(&slots).acquire_owned().await.expect("never closed");
        tasks.spawn(async move {
            let result = work.job(n).await;
            drop(slot);
            result
        });
        // As they end, or memory would grow with the number of jobs.
        while let Some(ended) = tasks.try_join_next() {
            sum += ended.expect("no panic").expect("a job that cannot fail");
        }
    }
    while let Some(ended) = tasks.join_next().await {
        sum += ended.expect("no panic").expect("a job that cannot fail");
    }
    sum
}

async fn spawn(work: Work, total: u64, in_flight: usize) -> u64 {
    let mut sum = 0;
    let mut wave = Vec::with_capacity(in_flight);
    let mut inputs = 0..total;
    while !inputs.is_empty() {
        wave.extend(inputs.by_ref().take(in_flight).map(|n| tokio::spawn(work.job(n))));
        for task in wave.drain(..) {
            sum += task.await.expect("no panic").expect("a job that cannot fail");
        }
    }
    sum
}

/// One way of doing it, at every level: in a task of the runtime, as a program's own code would be.
macro_rules! ways {
    ($group:expr, $runtime:expr, $work:expr, $total:expr, $in_flight:expr, $($way:ident),*) => {$(
        $group.bench_with_input(BenchmarkId::new(stringify!($way), $in_flight), &$in_flight, |bench, &in_flight| {
            bench.to_async($runtime).iter(|| async move {
                let sum = tokio::spawn($way($work, $total, in_flight)).await.expect("no panic");
                assert_eq!(sum, $total * ($total - 1) / 2);
            });
        });
    )*};
}

fn overhead(criterion: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime: &Runtime = &runtime.expect("a runtime");
    for (name, work, levels) in [
        ("no-op", Work::Nothing, [(1, 10_000), (100, 50_000), (10_000, 50_000)]),
        ("1 ms", Work::Sleep, [(1, 50), (100, 5_000), (10_000, 50_000)]),
    ] {
        let mut group = criterion.benchmark_group(name);
        group.sample_size(20).warm_up_time(Duration::from_secs(1)).measurement_time(Duration::from_secs(3));
        for (in_flight, total) in levels {
            group.throughput(Throughput::Elements(total));
            ways!(group, runtime, work, total, in_flight, pool, joinset_semaphore, buffer_unordered, spawn);
        }
        group.finish();
    }
}

criterion_group!(benches, overhead);
criterion_main!(benches);
