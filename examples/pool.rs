//! Lesson 13: a pool of 4.
//!
//! ```sh
//! cargo run --example pool
//! ```
//!
//! Look for: the squares from 0 to 81 in order; the same in order of completion; a wait for one
//! result that times out after 1 s; and the pool, which still works afterwards.
//!
//! In Python: `multiprocessing.Pool(4)`, `map`, `imap_unordered`, `apply_async(…).get(timeout=1)`.
//! raudal's pool runs async jobs, so 4 is the number of jobs in flight, not of processes. It could
//! also be 400.

mod pace;

use raudal::pool::{Context, Pool};
use std::convert::Infallible;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// A job. It gets a context (its number, its cancellation, …) and its input, and returns a
/// `Result`.
async fn square(_context: Context<u64>, n: u64) -> Result<u64, Infallible> {
    // The first jobs take longest, so that the order of completion differs from the order of the
    // input.
    sleep(Duration::from_millis(1000 - 90 * n)).await;
    Ok(n * n)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    pace::virtual_time();
    let pool = Pool::new(4);

    let ordered: Vec<u64> = pool.map(0..10, square).await.into_iter().collect::<Result<_, _>>()?;
    println!("map: {ordered:?}");

    let mut run = pool.run(0..10, square).start();
    let mut unordered = Vec::new();
    while let Some(done) = run.next().await {
        unordered.push(done.result?);
    }
    println!("unordered: {unordered:?}");
    println!("at most {} in flight", run.join().await.peak_in_flight);

    let mut run = pool
        .run([3], |_context, n| async move {
            sleep(Duration::from_secs(3)).await;
            Ok::<_, Infallible>(n * n)
        })
        .start();
    // Only the wait ends. The job continues, and its result can be read later.
    // (`Builder::attempt_timeout` would end the job itself.)
    match timeout(Duration::from_secs(1), run.next()).await {
        Err(_) => println!("with a time-out: not there after 1 s"),
        Ok(done) => println!("with a time-out: there already: {done:?}"),
    }
    if let Some(done) = run.next().await {
        println!("without: {}", done.result?);
    }

    let again: Vec<u64> = pool.map(0..3, square).await.into_iter().collect::<Result<_, _>>()?;
    println!("the pool is still usable: {again:?}");
    Ok(())
}
