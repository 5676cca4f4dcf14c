//! Lesson 24: a pool of 3 over jobs that sleep.
//!
//! ```sh
//! cargo run --example sleeping_pool
//! ```
//!
//! Look for: each job returns the seconds it slept. All three together take as long as the longest,
//! not as their sum.
//!
//! In Python: `multiprocessing.Pool(3).map(…)` over `time.sleep`. A sleeping job needs no
//! processor, and so no process: here one thread runs all three. That is what async is for.

mod pace;

use raudal::pool::Pool;
use std::convert::Infallible;
use std::time::Duration;
use tokio::time::Instant;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    pace::virtual_time();
    for jobs in [1, 3] {
        let pool = Pool::new(jobs);
        let start = Instant::now(); // tokio's clock, which is virtual unless `--slow`
        let slept = pool
            .map([5_u64, 3, 4], |_context, seconds| async move {
                tokio::time::sleep(Duration::from_secs(seconds)).await;
                Ok::<_, Infallible>(seconds)
            })
            .await;
        let slept: Vec<u64> = slept.into_iter().collect::<Result<_, _>>()?;
        println!("pool of {jobs}: slept {slept:?}, wall {:.1} s", start.elapsed().as_secs_f64());
    }
    Ok(())
}
