//! To copy: run any async job in the pool: limited, retried, with a timeout, observed.
//!
//! ```sh
//! cargo run --example own_job
//! ```
//!
//! Look for: a job that fails at first and is retried, one that is too slow, and one that panics.
//! The others are not affected, and each has its result.
//!
//! In Python: `asyncio.gather` with a `Semaphore`, `tenacity` and `asyncio.timeout`.

use raudal::pool::{Backoff, Context, JobError, Pool, Retry};
use std::time::Duration;
use tokio::time::sleep;

/// Your job: a query, a request, a file. It may fail with its own errors.
async fn job(context: Context<&'static str>, city: &'static str) -> Result<usize, String> {
    sleep(Duration::from_millis(20)).await; // stands for a query or a request
    match (city, context.attempt()) {
        ("Oaxaca", 1 | 2) => Err("busy".to_owned()),
        ("Toluca", _) => std::future::pending().await,
        ("Xalapa", _) => panic!("a fault in the job"),
        _ => Ok(city.chars().count()),
    }
}

// A paused clock, so that the example ends at once. Yours would be `#[tokio::main]`.
#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> raudal::Result<()> {
    eprintln!("(virtual time: the clock jumps from wait to wait)");
    // The pool reports the panic, so the default message on stderr would repeat it.
    std::panic::set_hook(Box::new(|_| {}));
    let pool = Pool::new(3);
    let mut run = pool
        .run(["Mérida", "Oaxaca", "Toluca", "Xalapa", "Colima"], job)
        .retry(
            Retry::new(Backoff::default())
                .when(|error: &JobError<String>| error.failure().is_some_and(|error| error == "busy")),
        )
        .attempt_timeout(Duration::from_secs(5))
        .label(|city| (*city).to_owned())
        .ordered()
        .start();
    while let Some(done) = run.next().await {
        let (city, attempts) = (&done.report.label, done.report.attempts);
        match done.result {
            Ok(length) => println!("{city}: {length} (attempts: {attempts})"),
            Err(JobError::TimedOut { limit, .. }) => println!("{city}: nothing in {limit:?}"),
            Err(error) => println!("{city}: {error}"),
        }
    }
    let report = run.join().await;
    println!("{} succeeded, {} failed, {} retries", report.succeeded, report.failed, report.retries);
    Ok(())
}
