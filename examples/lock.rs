//! Lesson 3: a lock.
//!
//! ```sh
//! cargo run --example lock
//! ```
//!
//! Look for: `main` counts from 10 to 19 first. The worker was started before that, but it counts
//! from 0 to 9 only after the lock is released.
//!
//! In Python: `threading.Lock`, `acquire()`, `release()`. In Rust the lock *contains* what it
//! protects (here the list of numbers), so nobody can forget to take it. It is released when its
//! guard goes out of scope.

mod pace;

use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;

async fn count(who: &str, numbers: std::ops::Range<u32>, seen: &mut Vec<u32>) {
    for n in numbers {
        // Sleeping while holding a lock is usually a mistake. Here it gives the other task every
        // chance to interfere.
        tokio::time::sleep(Duration::from_millis(100)).await;
        println!("{who}: {n}");
        seen.push(n);
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), tokio::task::JoinError> {
    pace::virtual_time();
    // `Arc` lets several tasks own the same lock.
    let seen = Arc::new(Mutex::new(Vec::new()));

    let mut guard = seen.lock().await;
    let worker = tokio::spawn({
        let seen = Arc::clone(&seen);
        async move {
            println!("worker: waiting for the lock");
            let mut guard = seen.lock().await;
            count("worker", 0..10, &mut guard).await;
        }
    });
    count("main", 10..20, &mut guard).await;
    println!("main: released");
    drop(guard);

    worker.await?;
    println!("in the order of the lock: {:?}", seen.lock().await);
    Ok(())
}
