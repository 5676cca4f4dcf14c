//! Lesson 13: a pool of 4.
//!
//! ```sh
//! cargo run --example pool
//! ```
//!
//! Look for: the squares from 0 to 81 in order; the same in the order in which they are done; one result that is asked
//! for with a time-out of 1 s and is not there in time; and the pool, as usable as before.
//!
//! In Python: `multiprocessing.Pool(4)`, `map`, `imap_unordered`, `apply_async(…).get(timeout=1)`. raudal's pool runs
//! async jobs, so 4 is not a number of processes but of jobs in flight: it may as well be 400.

mod pace;

use raudal::pool::{Context, Pool};
use std::convert::Infallible;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// A job: it gets a context (its number, its cancellation, …) and its input, and returns a `Result`.
async fn square(_context: Context<u64>, n: u64) -> Result<u64, Infallible> {
    // The first jobs take longest, so that order of completion and order of input differ.
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
    // Only the waiting is given up. The job goes on, and its result can be had later.
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
