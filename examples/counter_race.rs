//! Lesson 15: the counter race: 5 tasks, 10,000 increments each.
//!
//! ```sh
//! cargo run --example counter_race
//! ```
//!
//! Look for: a plain read-modify-write loses four of five increments; an atomic and a lock lose
//! none. And the time of each.
//!
//! In Python: five `threading.Thread`s with `counter += 1`, without and with a `threading.Lock`.
//! Whether Python loses any depends on its interpreter. Here a barrier between read and write
//! forces the loss, so it is the same each time.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tokio::sync::Barrier;
use tokio::task::{JoinError, JoinSet};

const TASKS: usize = 5;
const INCREMENTS: u64 = 10_000;

/// Runs five tasks of this kind to their end, and prints the count that they left and the time.
async fn race<F>(name: &str, task: impl Fn() -> F, left: impl Fn() -> u64) -> Result<(), JoinError>
where
    F: Future<Output = ()> + Send + 'static,
{
    let start = Instant::now();
    let mut tasks: JoinSet<()> = (0..TASKS).map(|_| task()).collect();
    while let Some(ended) = tasks.join_next().await {
        ended?;
    }
    let (took, lost) = (start.elapsed().as_secs_f64(), TASKS as u64 * INCREMENTS - left());
    println!("{name}: {} ({lost} lost) in {took:.4} s", left());
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), JoinError> {
    println!("{TASKS} tasks x {INCREMENTS} = {}", TASKS as u64 * INCREMENTS);

    let counter = Arc::new(AtomicU64::new(0));
    let barrier = Arc::new(Barrier::new(TASKS));
    let plain = || {
        let (counter, barrier) = (Arc::clone(&counter), Arc::clone(&barrier));
        async move {
            for _ in 0..INCREMENTS {
                let value = counter.load(SeqCst);
                // All five have read before any of them writes. Most of the time is spent in the
                // barrier, so do not compare it.
                barrier.wait().await;
                counter.store(value + 1, SeqCst);
            }
        }
    };
    race("plain", plain, || counter.load(SeqCst)).await?;

    let counter = Arc::new(AtomicU64::new(0));
    let atomic = || {
        let counter = Arc::clone(&counter);
        async move {
            for _ in 0..INCREMENTS {
                counter.fetch_add(1, SeqCst); // read, add and write in one instruction
            }
        }
    };
    race("atomic", atomic, || counter.load(SeqCst)).await?;

    // A lock of std is enough and cheaper than tokio's, because it is not held across an `.await`.
    let counter = Arc::new(Mutex::new(0_u64));
    let locked = || {
        let counter = Arc::clone(&counter);
        async move {
            for _ in 0..INCREMENTS {
                *counter.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            }
        }
    };
    race("lock", locked, || *counter.lock().unwrap_or_else(PoisonError::into_inner)).await
}
