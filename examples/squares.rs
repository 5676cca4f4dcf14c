//! Lesson 20: squares, with a pool of one job per core.
//!
//! ```sh
//! cargo run --example squares
//! ```
//!
//! Look for: 0, 1, 4, 9, …, in order, whichever worker finished first.
//!
//! In Python: `multiprocessing.Pool(os.cpu_count()).map(square, range(20))`. Squaring keeps a
//! processor busy and never waits, so async alone would run one after the other. `blocking` runs it
//! on a thread; more jobs than cores would only take turns. (For arithmetic alone `rayon` is the
//! better tool: lessons 26 and 28.)

use raudal::pool::Pool;
use std::convert::Infallible;

fn square(n: u64) -> u64 {
    n * n
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let cores = std::thread::available_parallelism()?.get();
    let pool = Pool::new(cores);
    let squares = pool
        .map(0..20, |context, n| async move { Ok::<_, Infallible>(context.blocking(move || square(n)).await) })
        .await;
    println!("a pool of {cores}");
    for square in squares {
        println!("{}", square?);
    }
    Ok(())
}
