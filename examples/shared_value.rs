//! Lesson 25: a shared value and its lock.
//!
//! ```sh
//! cargo run --example shared_value
//! ```
//!
//! Look for: 2 tasks x 100,000 = 200,000 and 6 x 100,000 = 600,000, exactly, on all cores.
//!
//! In Python: a global, or a `multiprocessing.Value`, and a separate `Lock` that everyone must
//! remember. Here the value is inside the lock. Try to write `*value += 1` without it: the program
//! does not compile.

use std::sync::{Arc, Mutex, PoisonError};
use tokio::task::{JoinError, JoinSet};

const INCREMENTS: u64 = 100_000;

async fn count(tasks: u64) -> Result<u64, JoinError> {
    let value = Arc::new(Mutex::new(0_u64));
    let mut running = JoinSet::new();
    for _ in 0..tasks {
        let value = Arc::clone(&value);
        running.spawn(async move {
            for _ in 0..INCREMENTS {
                // A lock is "poisoned" if its holder panicked. An addition leaves nothing
                // half-done, so continue.
                *value.lock().unwrap_or_else(PoisonError::into_inner) += 1;
            }
        });
    }
    while let Some(ended) = running.join_next().await {
        ended?;
    }
    let total = *value.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(total)
}

#[tokio::main]
async fn main() -> Result<(), JoinError> {
    for tasks in [2, 6] {
        println!("{tasks} x {INCREMENTS} = {}", count(tasks).await?);
    }
    Ok(())
}
