//! Nothing is cut short in silence, and no lock is held while the user's code runs.

use futures::FutureExt;
use raudal_pool::{CancellationToken, Event, EventKind, JobError, NoObserver, Observer, Pool, Retry, Run};
use std::fmt;
use std::future::{Ready, ready};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::sleep;

const SECOND: Duration = Duration::from_secs(1);

fn same(n: u32) -> Ready<Result<u32, String>> {
    ready(Ok(n))
}

/// The text of the panic that reaches the caller.
async fn panic_of<T>(run: impl Future<Output = T>) -> String {
    let caught = AssertUnwindSafe(run).catch_unwind();
    let panic = tokio::time::timeout(10 * SECOND, caught).await.expect("it ends").err().expect("it panics");
    panic.downcast_ref::<&str>().map(|text| (*text).to_owned()).or(panic.downcast_ref::<String>().cloned()).unwrap()
}

/// What an input does that has a fault.
fn broken_input() -> impl Iterator<Item = u32> + Send {
    (0..100).inspect(|n| assert!(*n != 5, "the input is broken"))
}

#[tokio::test]
async fn a_panic_of_the_input_reaches_the_caller_of_every_kind_of_run() {
    let pool = Pool::new(2);
    let says = "the input is broken";
    assert_eq!(panic_of(pool.map(broken_input(), |_, n| same(n)).into_future()).await, says);
    assert_eq!(panic_of(pool.try_map(broken_input(), |_, n| same(n)).into_future()).await, says);
    assert_eq!(panic_of(pool.map_blocking(broken_input(), |_, n| Ok::<_, String>(n)).into_future()).await, says);
    assert_eq!(panic_of(pool.for_each(broken_input(), |_, _| async { Ok::<_, String>(()) }).into_future()).await, says);
    assert_eq!(panic_of(pool.local(broken_input(), |_, n| same(n)).map()).await, says);
    assert_eq!(panic_of(pool.run_blocking_input(broken_input(), |_, n| same(n)).start().join()).await, says);
    assert_eq!(panic_of(pool.run(broken_input(), |_, n| same(n)).start().shutdown_after(6)).await, says);
    assert_eq!(pool.in_flight(), 0);
}

trait ShutdownAfter {
    async fn shutdown_after(self, results: usize);
}

impl ShutdownAfter for Run<u32, u32, String> {
    async fn shutdown_after(mut self, results: usize) {
        for _ in 0..results {
            self.next().await;
        }
        self.shutdown().await;
    }
}

/// An error that cannot be written.
#[derive(Clone, Debug)]
struct Unspeakable;

impl fmt::Display for Unspeakable {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        panic!("the error is unspeakable")
    }
}

struct BrokenObserver;

impl Observer for BrokenObserver {
    fn observe(&self, event: &Event<'_>) {
        assert!(!matches!(event.kind, EventKind::JobFinished { .. }), "the observer is broken");
    }
}

#[tokio::test]
async fn a_panic_of_a_policy_or_an_observer_reaches_the_caller() {
    let pool = Pool::new(2);
    let run = || pool.map(0..9_u32, |_, n| same(n));
    let keyed = run().key(|_| -> Option<String> { panic!("the key is broken") });
    assert_eq!(panic_of(keyed.into_future()).await, "the key is broken");
    let labelled = run().label(|_| panic!("the label is broken"));
    assert_eq!(panic_of(labelled.into_future()).await, "the label is broken");
    let weighed = run().weight(|_| panic!("the weight is broken"));
    assert_eq!(panic_of(weighed.into_future()).await, "the weight is broken");
    let urgent = run().priority(|_| panic!("the priority is broken"));
    assert_eq!(panic_of(urgent.into_future()).await, "the priority is broken");
    let observed = run().observer(Arc::new(BrokenObserver));
    assert_eq!(panic_of(observed.into_future()).await, "the observer is broken");
    let fails = || pool.map(0..9_u32, |_, _| async { Err::<(), _>(Unspeakable) });
    let quiet: Arc<dyn Observer> = Arc::new(NoObserver);
    assert_eq!(panic_of(fails().observer(quiet).into_future()).await, "the error is unspeakable");
    let retried = fails().retry(Retry::with_delays(|| [Duration::ZERO]).when(|_| panic!("the predicate is broken")));
    assert_eq!(panic_of(retried.into_future()).await, "the predicate is broken");
    let kinds = fails().failure_kind(|_| panic!("the kind is broken"));
    let quiet: Arc<dyn Observer> = Arc::new(NoObserver);
    let described = kinds.describe(|_| String::new()).observer(quiet);
    assert_eq!(panic_of(described.into_future()).await, "the kind is broken");
    assert_eq!((pool.in_flight(), pool.waiting()), (0, 0));
}

/// An input whose copies cannot be made.
struct Uncopied;

impl Clone for Uncopied {
    fn clone(&self) -> Self {
        panic!("it cannot be copied")
    }
}

#[tokio::test]
async fn a_panic_of_clone_is_the_failure_of_its_job() {
    let results = Pool::new(2)
        .map([Uncopied, Uncopied], |_, _| async { Ok::<_, String>(()) })
        .retry(Retry::with_delays(|| [Duration::ZERO]))
        .await;
    assert!(results.iter().all(|result| *result == Err(JobError::Panicked("it cannot be copied".to_owned()))));
}

#[tokio::test(start_paused = true)]
async fn a_map_that_is_stopped_has_a_result_for_each_input() {
    let pool = Pool::new(3);
    let begun = Arc::new(AtomicU32::new(0));
    for drains in [true, false] {
        begun.store(0, SeqCst);
        let (token, count) = (CancellationToken::new(), begun.clone());
        let stop = token.clone();
        let run = pool.map(0..100, move |_, n| {
            if count.fetch_add(1, SeqCst) == 10 {
                stop.cancel();
            }
            async move {
                sleep(SECOND).await;
                Ok::<_, String>(n)
            }
        });
        let results = if drains { run.drain(token).await } else { run.cancel(token).await };
        assert_eq!(results.len(), 100);
        let done = results.iter().filter(|result| result.is_ok()).count();
        assert_eq!(done, if drains { 11 } else { 9 });
        for (n, result) in results.into_iter().enumerate() {
            assert!(result == Ok(n) || result == Err(JobError::CANCELLED));
        }
    }
    let stopped = CancellationToken::new();
    stopped.cancel();
    let ran = Arc::new(AtomicBool::new(false));
    let flag = ran.clone();
    let results = pool
        .map(0..7, move |_, _| {
            flag.store(true, SeqCst);
            async { Ok::<_, String>(()) }
        })
        .cancel(stopped.clone())
        .await;
    assert_eq!(results, [const { Err(JobError::CANCELLED) }; 7]);
    let results = pool.map_blocking(0..7, |_, n| Ok::<_, String>(n)).drain(stopped.clone()).await;
    assert_eq!(results, [const { Err(JobError::CANCELLED) }; 7]);
    let results = pool.local(0..7_u32, |_, n| same(n)).cancel(stopped.clone()).map().await;
    assert_eq!(results, [const { Err(JobError::CANCELLED) }; 7]);
    let failed = pool.try_map(0..7_u32, |_, n| same(n)).cancel(stopped.clone()).await.unwrap_err();
    assert_eq!(failed.error, JobError::CANCELLED);
    // One result stands for an input that does not end.
    assert_eq!(pool.map(0.., |_, n: u64| async move { Ok::<_, String>(n) }).cancel(stopped).await.len(), 1);
    assert!(!ran.load(SeqCst));
}

#[tokio::test(start_paused = true)]
async fn a_report_says_that_its_run_was_stopped() {
    let pool = Pool::new(1);
    let run = pool.run(0..9, |_, n| async move { Ok::<_, String>(n) }).start();
    run.cancel();
    assert!(run.join().await.stopped);
    let run = pool.run(0..9, |_, n| async move { Ok::<_, String>(n) }).start();
    assert!(!run.join().await.stopped);
}

#[test]
fn when_the_runtime_is_gone_the_report_says_so_and_nobody_waits_for_ever() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let pool = Pool::new(2);
    let (mut run, handle, spawner) = runtime.block_on(async {
        let mut run = pool.run(0..9, |_, n| async move {
            if n > 0 {
                std::future::pending::<()>().await;
            }
            same(n).await
        });
        run = run.ordered();
        let mut run = run.start();
        run.next().await;
        let handle = pool.spawn((), |_, ()| std::future::pending::<Result<(), String>>());
        let spawner = pool.spawner(|_, n: u32| same(n)).start();
        (run, handle, spawner)
    });
    runtime.shutdown_background();
    let other = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    other.block_on(async {
        let limit = Duration::from_secs(10);
        let ends = tokio::time::timeout(limit, async { while run.next().await.is_some() {} });
        ends.await.expect("the stream ends");
        let report = tokio::time::timeout(limit, run.join()).await.expect("it says so at once");
        assert!(report.runtime_gone && report.stopped);
        let result = tokio::time::timeout(limit, handle).await.expect("it says so at once");
        assert_eq!(result, Err(JobError::CANCELLED));
        let late = spawner.spawn(1).await;
        assert_eq!(tokio::time::timeout(limit, late).await.expect("it says so at once"), Err(JobError::CANCELLED));
        let report = tokio::time::timeout(limit, spawner.join()).await.expect("it says so at once");
        assert!(report.runtime_gone);
    });
    assert_eq!((pool.in_flight(), pool.waiting()), (0, 0));
}

#[test]
fn a_runtime_that_ends_before_it_ever_polled_a_run_leaves_nobody_waiting() {
    // It polls what was spawned only once its own future waits, which it never does.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let pool = Pool::new(2);
    let (handle, mut run, spawner) = runtime.block_on(async {
        let handle = pool.spawn(1, |_, n: u32| same(n));
        let run = pool.run(0..9, |_, n: u32| same(n)).start();
        let spawner = pool.spawner(|_, n: u32| same(n)).start();
        (handle, run, spawner)
    });
    drop(runtime);
    let other = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    other.block_on(async {
        let ends = async {
            assert_eq!(handle.await, Err(JobError::CANCELLED));
            assert!(run.next().await.is_none());
            assert!(run.join().await.runtime_gone);
            assert!(spawner.join().await.runtime_gone);
        };
        tokio::time::timeout(Duration::from_secs(10), ends).await.expect("they say so at once");
    });
    assert_eq!((pool.in_flight(), pool.waiting()), (0, 0));
}

/// Uses the pool from within every event.
struct Meddler(Pool);

impl Observer for Meddler {
    fn observe(&self, _: &Event<'_>) {
        self.0.set_limit(1 + self.0.in_flight() % 3);
        self.0.set_key_limit("a", 2);
        let _ = (self.0.waiting(), self.0.limit());
    }
}

#[tokio::test]
async fn an_observer_may_use_the_pool_and_so_may_keys_and_predicates() {
    let pool = Pool::new(2);
    let (in_key, in_when) = (pool.clone(), pool.clone());
    let run = pool
        .map(0..50_u32, |cx, n| async move { if cx.attempt() == 1 { Err("again") } else { Ok(n) } })
        .key(move |_| {
            in_key.set_limit(2);
            Some("a".to_owned())
        })
        .retry(Retry::with_delays(|| [Duration::ZERO]).when(move |_| in_when.in_flight() <= 3))
        .observer(Arc::new(Meddler(pool.clone())));
    let results = tokio::time::timeout(10 * SECOND, run.into_future()).await.expect("it ends");
    assert!(results.iter().all(Result::is_ok));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_input_that_blocks_keeps_no_other_job_of_the_pool_waiting() {
    // The input of one run stands still on a thread until the jobs of another one are done.
    let pool = Pool::new(4);
    let (opens, waits) = std::sync::mpsc::channel::<()>();
    let waits = Mutex::new(waits);
    let slow = (0..3_u32).inspect(move |_| waits.lock().unwrap().recv().unwrap());
    let slow = pool.run_blocking_input(slow, |_, n| same(n)).start();
    let report = tokio::time::timeout(
        10 * SECOND,
        pool.for_each(0..1000, |_, _| async {
            tokio::task::yield_now().await;
            Ok::<_, String>(())
        })
        .into_future(),
    );
    assert_eq!(report.await.expect("nothing waits for the slow input").succeeded, 1000);
    for _ in 0..3 {
        opens.send(()).unwrap();
    }
    assert_eq!(slow.join().await.succeeded, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_input_that_blocks_within_a_run_keeps_the_jobs_of_that_run_going() {
    // The fourth input is not there before two jobs are done: no lock of the run is held meanwhile. (The third one is
    // tokio's to begin: the task that was spawned last stays with the thread that spawned it.)
    let (done, waits) = std::sync::mpsc::channel::<()>();
    let waits = Mutex::new(waits);
    let input = (0..4).inspect(move |n| {
        if *n == 3 {
            (0..2).for_each(|_| waits.lock().unwrap().recv_timeout(10 * SECOND).expect("the jobs go on"));
        }
    });
    let report = Pool::new(4)
        .for_each(input, move |_, _| {
            let done = done.clone();
            async move {
                tokio::task::yield_now().await;
                // Nobody listens any more to the last ones.
                let _ = done.send(());
                Ok::<_, String>(())
            }
        })
        .await;
    assert_eq!(report.succeeded, 4);
}

#[derive(Default)]
struct Runs(Mutex<Vec<(u64, u64)>>, AtomicUsize);

impl Observer for Runs {
    fn observe(&self, event: &Event<'_>) {
        match &event.kind {
            EventKind::JobFinished { report } => self.0.lock().unwrap().push((event.run, report.job)),
            EventKind::RunFinished { .. } => {
                self.1.fetch_add(1, SeqCst);
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn events_of_two_runs_under_one_observer_can_be_told_apart() {
    let (pool, runs) = (Pool::new(2), Arc::new(Runs::default()));
    let start = |jobs: u32| pool.run(0..jobs, |_, n| same(n)).observer(runs.clone() as Arc<dyn Observer>).start();
    let (first, second) = (start(3), start(5));
    let numbers = (first.number(), second.number());
    assert_ne!(numbers.0, numbers.1);
    tokio::join!(first.join(), second.join());
    let jobs = runs.0.lock().unwrap();
    for (number, count) in [(numbers.0, 3), (numbers.1, 5)] {
        let mut of_run: Vec<u64> = jobs.iter().filter(|(run, _)| *run == number).map(|(_, job)| *job).collect();
        of_run.sort_unstable();
        assert_eq!(of_run, (0..count).collect::<Vec<_>>());
    }
    assert_eq!(runs.1.load(SeqCst), 2);
}

#[tokio::test]
async fn the_error_of_try_map_becomes_a_boxed_error_and_an_error_of_errors() {
    async fn boxed(text: &'static str) -> Result<u32, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Pool::new(1).try_map([text], |_, text| async move { text.parse::<u32>() }).await?[0])
    }
    async fn text(text: &'static str) -> Result<u32, Box<dyn std::error::Error>> {
        let results = Pool::new(1).try_map([text], |_, text| async move { Err::<u32, _>(text.to_owned()) }).await?;
        Ok(results[0])
    }
    assert_eq!(boxed("7").await.unwrap(), 7);
    assert_eq!(boxed("x").await.unwrap_err().to_string(), "job 0: invalid digit found in string");
    assert_eq!(text("no").await.unwrap_err().to_string(), "job 0: no");
}
