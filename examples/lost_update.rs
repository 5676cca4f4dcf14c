//! Lesson 11: a lost update, and its cure.
//!
//! ```sh
//! cargo run --example lost_update
//! ```
//!
//! Look for: two tasks add 1 each. With read, sleep, write, the counter ends at 1. With a lock
//! around the three steps, it ends at 2.
//!
//! In Python: two `threading.Thread`s with `value = counter; time.sleep(…); counter = value + 1`,
//! then with a `threading.Lock`. Rust refuses a plain shared variable, so each single access here
//! is safe (an atomic). The update is still lost: no compiler can know that three steps belong
//! together.

mod pace;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;
use tokio::sync::Mutex;

const PAUSE: Duration = Duration::from_secs(1);

async fn add_one(counter: Arc<AtomicU32>) {
    let value = counter.load(SeqCst);
    // The sleep forces the bad case: the other task reads the same value meanwhile.
    tokio::time::sleep(PAUSE).await;
    counter.store(value + 1, SeqCst);
}

async fn add_one_with_lock(counter: Arc<Mutex<u32>>) {
    let mut counter = counter.lock().await;
    let value = *counter;
    tokio::time::sleep(PAUSE).await;
    *counter = value + 1;
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), tokio::task::JoinError> {
    pace::virtual_time();
    let counter = Arc::new(AtomicU32::new(0));
    let (a, b) = (tokio::spawn(add_one(Arc::clone(&counter))), tokio::spawn(add_one(Arc::clone(&counter))));
    a.await?;
    b.await?;
    println!("without a lock: {}", counter.load(SeqCst));

    let counter = Arc::new(Mutex::new(0));
    let (a, b) =
        (tokio::spawn(add_one_with_lock(Arc::clone(&counter))), tokio::spawn(add_one_with_lock(Arc::clone(&counter))));
    a.await?;
    b.await?;
    println!("with a lock: {}", counter.lock().await);
    Ok(())
}
