//! What the pool promises about ownership: single jobs, streams that are dropped or left alone, blocking work, child
//! processes. Nothing is detached, nothing leaks.

use futures::{FutureExt, StreamExt};
use raudal_pool::{Backoff, Handle, JobError, Pool, Retry, StillRunning};
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;
use tokio::runtime::Handle as Runtime;
use tokio::sync::{Notify, Semaphore};
use tokio::time::{Instant, sleep};

const SECOND: Duration = Duration::from_secs(1);

/// Counts itself as long as it lives.
struct Alive(Arc<AtomicUsize>);

impl Alive {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

/// Lets the runtime work until it has this many tasks. What never comes true ends with the test's own time limit.
async fn until_tasks(count: usize) {
    while Runtime::current().metrics().num_alive_tasks() != count {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_handle_asked_too_early_says_so_and_its_job_goes_on() {
    let pool = Pool::new(8);
    let mut handle = pool.spawn(3, |_, seconds| async move {
        sleep(Duration::from_secs(seconds)).await;
        Ok::<_, String>(seconds)
    });
    assert_eq!(handle.wait_for(SECOND).await, Err(StillRunning));
    assert_eq!(handle.wait_for(SECOND).await, Err(StillRunning));
    let start = Instant::now();
    assert_eq!(handle.await, Ok(3));
    assert_eq!(start.elapsed(), SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_single_job_has_retries_and_limits_of_time() {
    let pool = Pool::new(8);
    let handle = pool
        .run_one((), |cx, ()| async move {
            if cx.attempt() == 1 {
                pending::<()>().await;
            }
            if cx.attempt() == 2 { Err("again") } else { Ok(cx.attempt()) }
        })
        .attempt_timeout(SECOND)
        .retry(Backoff::default())
        .start();
    assert_eq!(handle.await, Ok(3));
    let handle: Handle<(), &str> = pool.spawn((), |_, ()| async { panic!("no") });
    assert_eq!(handle.await, Err(JobError::Panicked("no".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn single_jobs_of_one_spawner_share_its_slots() {
    let pool = Pool::new(2);
    let spawner = pool
        .spawner(|_, n: u32| async move {
            sleep(SECOND).await;
            Ok::<_, String>(n)
        })
        .start();
    let start = Instant::now();
    let handles: Vec<_> = (0..6).map(|n| spawner.try_spawn(n).unwrap()).collect();
    assert_eq!(futures::future::join_all(handles).await, (0..6).map(Ok).collect::<Vec<_>>());
    assert_eq!(start.elapsed(), 3 * SECOND);
    let report = spawner.join().await;
    assert_eq!((report.succeeded, report.peak_in_flight, report.stopped), (6, 2, false));
}

#[tokio::test(start_paused = true)]
async fn an_aborted_job_ends_at_once_whether_it_runs_waits_for_a_slot_or_for_its_retry() {
    let pool = Pool::new(1);
    let spawner = pool
        .spawner(|_, fails| async move { if fails { Err("bad") } else { pending().await } })
        .retry(Retry::with_delays(|| [100 * SECOND]))
        .start();
    let waits_to_retry: Handle<(), _> = spawner.spawn(true).await;
    let runs = spawner.spawn(false).await;
    let waits_for_a_slot = spawner.spawn(false).await;
    sleep(SECOND).await;
    let start = Instant::now();
    for (handle, last) in [(waits_for_a_slot, None), (waits_to_retry, Some("bad")), (runs, None)] {
        handle.abort();
        assert_eq!(handle.await, Err(JobError::Cancelled { last }));
    }
    assert!(start.elapsed().is_zero());
    let report = spawner.join().await;
    assert_eq!((report.cancelled, report.attempts), (3, 2), "those that waited never began again");
}

#[tokio::test]
async fn dropping_a_handle_aborts_its_job_and_no_other() {
    let alive = Arc::new(AtomicUsize::new(0));
    let pool = Pool::new(8);
    let count = Arc::clone(&alive);
    let gate = Arc::new(Notify::new());
    let open = Arc::clone(&gate);
    let spawner = pool
        .spawner(move |_, ()| {
            let (guard, gate) = (Alive::new(&count), Arc::clone(&open));
            async move {
                gate.notified().await;
                drop(guard);
                Ok::<_, String>(())
            }
        })
        .start();
    let (kept, dropped) = (spawner.spawn(()).await, spawner.spawn(()).await);
    while alive.load(SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    drop(dropped);
    while alive.load(SeqCst) > 1 {
        tokio::task::yield_now().await;
    }
    // The spawner may go first: the handle owns the job.
    drop(spawner);
    gate.notify_one();
    assert_eq!(kept.await, Ok(()));
    until_tasks(0).await;
}

#[tokio::test]
async fn a_handle_ends_when_its_run_breaks_down() {
    let pool = Pool::new(8);
    let handle =
        pool.run_one((), |_, ()| async { Ok::<_, String>(()) }).label(|()| panic!("a label that panics")).start();
    assert_eq!(handle.await, Err(JobError::Panicked("the run of the job broke down".to_owned())));
}

#[tokio::test]
async fn no_task_is_alive_soon_after_a_run_was_dropped_half_way() {
    let alive = Arc::new(AtomicUsize::new(0));
    for ordered in [false, true] {
        let count = Arc::clone(&alive);
        let pool = Pool::new(50);
        let run = pool.run(0.., move |_, n: u64| {
            let guard = Alive::new(&count);
            async move {
                if n % 2 == 1 {
                    pending::<()>().await;
                }
                drop(guard);
                Ok::<_, String>(n)
            }
        });
        let mut run = if ordered { run.ordered().start() } else { run.start() };
        assert!(run.next().await.is_some());
        drop(run);
        until_tasks(0).await;
        assert_eq!(alive.load(SeqCst), 0);
    }
    // Dropped before the runtime ever got to the driver, and while lists of results are awaited.
    let pool = Pool::new(8);
    drop(pool.run(0..9, |_, n| async move { Ok::<_, String>(n) }).start());
    assert!(pool.map(0..9, |_, _| pending::<Result<(), String>>()).into_future().now_or_never().is_none());
    assert!(pool.for_each(0..9, |_, _| pending::<Result<(), String>>()).into_future().now_or_never().is_none());
    assert!(pool.try_map(0..9, |_, _| pending::<Result<(), String>>()).into_future().now_or_never().is_none());
    until_tasks(0).await;
}

/// `buffer_unordered` polls its futures only while it is polled: between two results a server may have hung up.
#[tokio::test(start_paused = true)]
async fn holding_the_stream_across_another_await_does_not_let_its_jobs_run_out_of_time() {
    let pool = Pool::new(2);
    let mut run = pool
        .run(0..6, |_, n| async move {
            sleep(SECOND).await;
            Ok::<_, String>(n)
        })
        .attempt_timeout(2 * SECOND)
        .start();
    while let Some(done) = run.next().await {
        assert!(done.result.is_ok(), "{:?}", done.result);
        sleep(60 * SECOND).await;
    }
}

/// With `buffer_unordered` a job that holds a lock when the consumer wants it waits to be polled, for ever.
#[tokio::test(start_paused = true)]
async fn a_consumer_that_takes_a_lock_which_jobs_take_does_not_wait_for_ever() {
    let lock = Arc::new(tokio::sync::Mutex::new(0));
    let pool = Pool::new(3);
    let shared = Arc::clone(&lock);
    let mut run = pool
        .run(0..20, move |_, _| {
            let lock = Arc::clone(&shared);
            async move {
                let mut held = lock.lock().await;
                sleep(SECOND).await;
                *held += 1;
                Ok::<_, String>(())
            }
        })
        .start();
    while run.next().await.is_some() {
        *lock.lock().await += 100;
    }
    assert_eq!(*lock.lock().await, 2020);
}

/// With `buffered` the first slow job lets everything behind it pile up, or stand still.
#[tokio::test(start_paused = true)]
async fn a_slow_first_job_holds_back_ordered_results_and_no_more_than_the_buffer_piles_up() {
    let begun = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&begun);
    let pool = Pool::new(2);
    let mut run = pool
        .run(0..100, move |_, n| {
            count.fetch_add(1, SeqCst);
            async move {
                sleep(if n == 0 { 100 * SECOND } else { SECOND }).await;
                Ok::<_, String>(n)
            }
        })
        .buffer(10)
        .ordered()
        .start();
    sleep(50 * SECOND).await;
    assert_eq!(begun.load(SeqCst), 12, "two slots and the buffer");
    assert_eq!(run.next().await.unwrap().job, 0);
    assert_eq!(run.count().await, 99);
}

#[tokio::test]
async fn next_can_be_given_up_without_losing_a_result() {
    let gate = Arc::new(Semaphore::new(0));
    let pool = Pool::new(4);
    let open = Arc::clone(&gate);
    let mut run = pool
        .run(0..100_usize, move |_, n| {
            let gate = Arc::clone(&open);
            async move {
                gate.acquire().await.unwrap().forget();
                Ok::<_, String>(n)
            }
        })
        .start();
    let mut seen = 0;
    loop {
        tokio::select! {
            biased;
            done = run.next() => match done {
                Some(_) => seen += 1,
                None => break,
            },
            () = async { gate.add_permits(1); tokio::task::yield_now().await } => {}
        }
    }
    assert_eq!(seen, 100);
}

#[tokio::test(start_paused = true)]
async fn try_map_stops_at_the_first_failure_to_happen_and_awaits_the_rest() {
    let alive = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&alive);
    let pool = Pool::new(4);
    let result = pool
        .try_map(0..100_u64, move |_, n| {
            let guard = Alive::new(&count);
            async move {
                sleep(Duration::from_secs(10 - n)).await;
                drop(guard);
                if n < 3 { Ok(n) } else { Err(n) }
            }
        })
        .await;
    let error = result.unwrap_err();
    assert_eq!((error.job, error.error), (3, JobError::Failed(3)));
    assert_eq!(alive.load(SeqCst), 0);
}

/// A job may start a run of its own pool and wait for it: meanwhile one job of that run uses its slot.
#[tokio::test]
async fn a_run_within_a_job_of_the_same_pool_does_not_wait_for_its_own_slot() {
    let pool = Pool::new(1);
    let inner = pool.clone();
    let sums = pool
        .map([10, 20], move |_, n| {
            let pool = inner.clone();
            async move { Ok::<_, String>(pool.map(0..n, |_, n| async move { Ok::<_, String>(n) }).await.len()) }
        })
        .await;
    assert_eq!(sums, [Ok(10), Ok(20)]);
}

#[tokio::test]
async fn a_panic_in_a_destructor_is_the_failure_of_its_job() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in a destructor");
        }
    }
    let pool = Pool::new(8);
    let results = pool
        .map([()], |_, ()| async {
            let _bomb = Bomb;
            pending::<Result<(), String>>().await
        })
        .attempt_timeout(Duration::from_millis(1))
        .await;
    assert_eq!(results, [Err(JobError::Panicked("in a destructor".to_owned()))]);
}

#[tokio::test]
async fn closures_that_block_run_as_many_at_once_as_there_are_slots_and_are_told_to_stop() {
    let (alive, peak) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (count, most) = (Arc::clone(&alive), Arc::clone(&peak));
    let barrier = Arc::new(std::sync::Barrier::new(3));
    let pool = Pool::new(3);
    let results = pool
        .map_blocking(0..30, move |_, n| {
            let _guard = Alive::new(&count);
            most.fetch_max(count.load(SeqCst), SeqCst);
            // Passed only if three of them really run side by side.
            barrier.wait();
            if n == 7 { Err("seven") } else { Ok(n) }
        })
        .await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 29);
    assert_eq!((alive.load(SeqCst), peak.load(SeqCst)), (0, 3));

    let started = Arc::new(Semaphore::new(0));
    let starts = Arc::clone(&started);
    let run = pool
        .run_blocking(0.., move |cx, _| {
            starts.add_permits(1);
            while !cx.token().is_cancelled() {
                std::thread::yield_now();
            }
            Ok::<_, &str>(())
        })
        .start();
    started.acquire_many(3).await.unwrap().forget();
    assert_eq!(run.shutdown().await.cancelled, 3);
}

/// The driver forgets a job once its result is taken: memory does not grow with the number of jobs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_three_hundred_thousand_jobs_only_the_pulled_ones_are_alive() {
    let alive = Arc::new(AtomicUsize::new(0));
    let (made, most) = (Arc::clone(&alive), Arc::new(AtomicUsize::new(0)));
    let peak = Arc::clone(&most);
    let inputs = std::iter::repeat_with(move || {
        let input = Arc::new(Alive::new(&made));
        peak.fetch_max(made.load(SeqCst), SeqCst);
        input
    });
    let pool = Pool::new(16);
    let report = pool.for_each(inputs.take(300_000), |_, _| async { Ok::<_, String>(()) }).buffer(32).await;
    assert_eq!(report.succeeded, 300_000);
    assert!(most.load(SeqCst) <= 16 + 32 + 1, "{}", most.load(SeqCst));
    assert_eq!(alive.load(SeqCst), 0);
}
