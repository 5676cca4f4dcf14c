//! Lesson 6: a semaphore: 20 tasks, at most 5 inside.
//!
//! ```sh
//! cargo run --example semaphore
//! ```
//!
//! Look for: the number of tasks inside, on each line. The tasks count it themselves, and it is
//! never above 5.
//!
//! In Python: `threading.Semaphore(5)` or `asyncio.Semaphore(5)`. Here a permit is a value: the
//! task that owns it is inside. The permit returns when it goes out of scope, however the task
//! ends.

mod pace;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;
use tokio::sync::{AcquireError, Semaphore};
use tokio::task::JoinSet;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    pace::virtual_time();
    let semaphore = Arc::new(Semaphore::new(5));
    let inside = Arc::new(AtomicUsize::new(0));
    let peak = Arc::new(AtomicUsize::new(0));

    let mut tasks = JoinSet::new();
    for task in 1..=20_u64 {
        let (semaphore, inside, peak) = (Arc::clone(&semaphore), Arc::clone(&inside), Arc::clone(&peak));
        tasks.spawn(async move {
            let _permit = semaphore.acquire_owned().await?;
            let now = inside.fetch_add(1, SeqCst) + 1;
            peak.fetch_max(now, SeqCst);
            println!("task {task}: in, {now} inside");
            tokio::time::sleep(Duration::from_millis(500 + 30 * task)).await;
            let left = inside.fetch_sub(1, SeqCst) - 1;
            println!("task {task}: out, {left} inside");
            Ok::<_, AcquireError>(())
        });
    }
    let mut done = 0;
    while let Some(ended) = tasks.join_next().await {
        ended??;
        done += 1;
    }
    println!("{done} tasks, at most {} inside at once", peak.load(SeqCst));
    Ok(())
}
