//! Runs in the task of their caller.

use raudal_pool::{JobError, Pool, Retry};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

const SECOND: Duration = Duration::from_secs(1);

async fn wait() -> Result<(), String> {
    sleep(SECOND).await;
    Ok(())
}

tokio::task_local! {
    static USER: &'static str;
}

#[tokio::test(start_paused = true)]
async fn jobs_borrow_are_not_send_see_task_locals_and_have_all_policies() {
    let words = vec!["one".to_owned(), "three".to_owned(), "busy".to_owned()];
    let log = RefCell::new(Vec::new());
    let (inside, peak) = (Cell::new(0), Cell::new(0));
    let shared = Rc::new(7);
    let pool = Pool::builder().jobs(8).per_key(2).build().unwrap();
    let start = Instant::now();
    let run = pool.local(&words, |cx, word| {
        let (log, shared, inside, peak) = (&log, Rc::clone(&shared), &inside, &peak);
        async move {
            inside.set(inside.get() + 1);
            peak.set(peak.get().max(inside.get()));
            sleep(SECOND).await;
            inside.set(inside.get() - 1);
            log.borrow_mut().push(USER.get());
            if word == "busy" && cx.attempt() == 1 { Err("busy") } else { Ok(word.len() + *shared) }
        }
    });
    let run = run.key(|_| "a".to_owned()).retry(Retry::with_delays(|| [SECOND]));
    let results = USER.scope("ana", run.map()).await;
    assert_eq!(results, [Ok(10), Ok(12), Ok(11)]);
    assert_eq!((peak.get(), start.elapsed()), (2, 4 * SECOND));
    assert_eq!(*log.borrow(), ["ana"; 4]);
}

#[tokio::test(start_paused = true)]
async fn local_runs_share_the_limit_with_all_others() {
    let pool = Pool::new(2);
    let job = |_, _| wait();
    let start = Instant::now();
    let (local, tasks) = tokio::join!(pool.local(0..6, job).for_each(), pool.for_each(0..6, job));
    assert_eq!((local.succeeded, tasks.succeeded, start.elapsed()), (6, 6, 6 * SECOND));
}

struct Counts<'a>(&'a Cell<u32>);

impl Drop for Counts<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_local_run_stops_at_its_first_failure_and_drops_what_runs() {
    let dropped = Cell::new(0);
    let failed = Pool::new(4)
        .local(0..100_u32, |_, n| {
            let counts = Counts(&dropped);
            async move {
                let _counts = counts;
                sleep(SECOND * n).await;
                if n == 2 { Err("two") } else { Ok(n) }
            }
        })
        .keep_inputs()
        .try_map()
        .await
        .unwrap_err();
    assert_eq!((failed.job, failed.input, failed.error), (2, Some(2), JobError::Failed("two")));
    assert!((4..=7).contains(&dropped.get()), "all that began: {}", dropped.get());
}

#[tokio::test(start_paused = true)]
async fn results_of_a_local_run_come_as_they_complete_or_in_order_and_it_can_be_cancelled() {
    let job = |_, n: u32| async move {
        sleep(SECOND * n).await;
        Ok::<_, String>(n)
    };
    let pool = Pool::new(3);
    let mut run = pool.local([3, 1, 2], job).start();
    let mut order = Vec::new();
    while let Some(done) = run.next().await {
        order.push(done.job);
    }
    assert_eq!((order, run.report().unwrap().succeeded), (vec![1, 2, 0], 3));
    let mut run = pool.local([3, 1, 2], job).ordered().start();
    assert_eq!(run.next().await.unwrap().job, 0);
    run.cancel();
    let mut rest = Vec::new();
    while let Some(done) = run.next().await {
        rest.push(done.job);
    }
    assert_eq!(rest, [1, 2]);
    assert_eq!(pool.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_local_run_that_is_dropped_gives_its_slots_back() {
    let pool = Pool::new(1);
    let mut run = pool.local(0..3, |_, _| std::future::pending::<Result<(), String>>()).start();
    assert!(tokio::time::timeout(SECOND, run.next()).await.is_err());
    assert_eq!(pool.in_flight(), 1);
    drop(run);
    assert_eq!((pool.in_flight(), pool.waiting()), (0, 0));
    assert_eq!(pool.run_one(1, |_, n| async move { Ok::<_, String>(n) }).await, Ok(1));
}
