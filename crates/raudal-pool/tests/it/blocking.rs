//! Closures that block, and inputs that block.

use raudal_pool::{CancellationToken, JobError, Pool};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;
use tokio::runtime::Builder;

/// A runtime with so many threads for blocking work.
fn runtime(threads: usize) -> tokio::runtime::Runtime {
    Builder::new_current_thread().enable_all().max_blocking_threads(threads).build().unwrap()
}

#[test]
fn no_closure_begins_after_the_cancellation() {
    runtime(2).block_on(async {
        // By the run, by a token of the run, by a token of the pool: all within the second closure.
        for by in ["run", "token", "pool"] {
            let (token, of_pool) = (CancellationToken::new(), CancellationToken::new());
            let pool = Pool::builder().jobs(20).cancel(of_pool.clone()).build().unwrap();
            let begun = Arc::new(AtomicU32::new(0));
            let (count, own) = (begun.clone(), token.clone());
            let (says, told) = tokio::sync::mpsc::unbounded_channel();
            let (opens, gate) = mpsc::channel::<()>();
            let gate = Mutex::new(gate);
            let run = pool
                .run_blocking(0..20, move |_, n| {
                    count.fetch_add(1, SeqCst);
                    if by == "token" {
                        own.cancel();
                    } else if by == "pool" {
                        of_pool.cancel();
                    } else {
                        says.send(()).unwrap();
                        gate.lock().unwrap().recv().unwrap();
                    }
                    Ok::<_, String>(n)
                })
                .cancel(token)
                .start();
            if by == "run" {
                let mut told = told;
                told.recv().await.unwrap();
                run.cancel();
                (0..2).for_each(|_| opens.send(()).unwrap());
            }
            let report = run.join().await;
            assert!(begun.load(SeqCst) <= 2, "{by}: {}", begun.load(SeqCst));
            assert_eq!(report.succeeded + report.cancelled, 20, "{by}");
        }
    });
}

#[test]
fn the_time_of_an_attempt_begins_with_its_closure() {
    runtime(1).block_on(async {
        // Each takes a third of its limit; the last one waits for eight times as long for its thread.
        let took = Duration::from_millis(100);
        let ran = Arc::new(AtomicU32::new(0));
        let count = ran.clone();
        let results = Pool::new(8)
            .map_blocking(0..8, move |_, n| {
                std::thread::sleep(took);
                count.fetch_add(1, SeqCst);
                Ok::<_, String>(n)
            })
            .attempt_timeout(3 * took)
            .await;
        assert_eq!((results, ran.load(SeqCst)), ((0..8).map(Ok).collect(), 8));
    });
}

#[test]
fn a_closure_that_took_too_long_is_a_time_out_when_it_returns() {
    runtime(1).block_on(async {
        let limit = Duration::from_millis(20);
        let mut run = Pool::new(1)
            .run_blocking([()], |cx, ()| {
                // It is told, and looks.
                while !cx.token().is_cancelled() {
                    std::thread::yield_now();
                }
                Ok::<_, String>(())
            })
            .attempt_timeout(limit)
            .start();
        assert_eq!(run.next().await.unwrap().result, Err(JobError::TimedOut { limit, last: None }));
    });
}

#[test]
fn an_input_that_blocks_ends_the_run_when_it_ends_and_is_let_go_when_the_run_is() {
    runtime(4).block_on(async {
        let pool = Pool::new(2);
        let (sends, receives) = mpsc::channel();
        (0..100).for_each(|n| sends.send(n).unwrap());
        drop(sends);
        let run = pool.run_blocking_input(receives, |_, n| async move { Ok::<_, String>(n) }).ordered().start();
        assert_eq!(run.join().await.succeeded, 100);

        // One that never ends: the run is over as soon as the input gives one more.
        let (pulled, count) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let counted = pulled.clone();
        let endless = (0_u64..).inspect(move |_| {
            counted.fetch_add(1, SeqCst);
        });
        let mut run = pool.run_blocking_input(endless, |_, n| async move { Ok::<_, String>(n) }).start();
        for _ in 0..10 {
            run.next().await.unwrap();
            count.fetch_add(1, SeqCst);
        }
        let report = run.shutdown().await;
        assert!(report.stopped && pulled.load(SeqCst) >= count.load(SeqCst));
    });
}
