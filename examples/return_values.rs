//! Lesson 9: values returned by workers.
//!
//! ```sh
//! cargo run --example return_values
//! ```
//!
//! Look for: the workers finish in reverse order, but the values come in order: 200, 220, 240, 260.
//!
//! In Python: a `Thread` returns nothing, so one uses `multiprocessing.Queue`, `Pool.apply_async`
//! or `concurrent.futures`. Here the handle of a task *is* the future of its value.

mod pace;

use std::time::Duration;

async fn work(n: u64) -> u64 {
    tokio::time::sleep(Duration::from_secs(20 - n)).await;
    println!("worker {n} has finished");
    n * 20
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), tokio::task::JoinError> {
    pace::virtual_time();
    let workers: Vec<_> = (10..14).map(|n| tokio::spawn(work(n))).collect();
    // Awaiting the handle of a finished task returns at once. The order is that of the list, not of
    // completion.
    for worker in workers {
        println!("{}", worker.await?);
    }
    Ok(())
}
