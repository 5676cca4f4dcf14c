//! Lesson 22, second part: starvation: a task that never gets its turn.
//!
//! ```sh
//! cargo run --example starvation
//! ```
//!
//! Look for: a greedy task releases its lock and takes it again at once. With an unfair lock, the
//! modest task gets nothing for 1 s, and a timeout reports it. With a fair lock it gets its turn.
//!
//! In Python: `threading.Lock` guarantees no order. Neither does `std::sync::Mutex`.
//! `tokio::sync::Mutex` keeps a queue: a released lock goes to the task that has waited longest.

mod pace;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout};

const TURN: Duration = Duration::from_millis(10);

/// An unfair lock: waiting tasks check every 3 ms, and the first to find it free takes it.
#[derive(Default)]
struct Unfair(AtomicBool);

impl Unfair {
    async fn take(&self) {
        while self.0.swap(true, SeqCst) {
            sleep(Duration::from_millis(3)).await;
        }
    }

    fn release(&self) {
        self.0.store(false, SeqCst);
    }
}

/// Waits for the modest task's turn, and prints the result.
async fn report(lock: &str, turn: impl Future<Output = ()>) {
    let start = Instant::now();
    match timeout(Duration::from_secs(1), turn).await {
        Err(_) => println!("{lock} lock: no turn in 1 s: the modest task starves"),
        Ok(()) => println!("{lock} lock: the modest task had its turn after {:?}", start.elapsed()),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    pace::virtual_time();

    let lock = Arc::new(Unfair::default());
    let greedy = tokio::spawn({
        let lock = Arc::clone(&lock);
        async move {
            loop {
                lock.take().await;
                sleep(TURN).await;
                lock.release(); // no `.await` until the next `take`: no other task can run
            }
        }
    });
    tokio::task::yield_now().await; // lets the greedy task start first
    report("unfair", lock.take()).await;
    greedy.abort();

    let lock = Arc::new(Mutex::new(()));
    let greedy = tokio::spawn({
        let lock = Arc::clone(&lock);
        async move {
            loop {
                let guard = lock.lock().await;
                sleep(TURN).await;
                drop(guard);
            }
        }
    });
    tokio::task::yield_now().await;
    report("fair", async { drop(lock.lock().await) }).await;
    greedy.abort();
}
