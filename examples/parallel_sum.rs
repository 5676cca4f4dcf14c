//! Lesson 26: the sum of 10,000,000 integers, in parallel.
//!
//! ```sh
//! cargo run --release --example parallel_sum
//! ```
//!
//! Look for: the same sum each way, and the time and memory of each. Four async tasks on one thread
//! gain nothing, because adding never waits. Async is for waiting. Work for the processor needs
//! threads: `rayon`, or `spawn_blocking`. The gain depends on idle cores and on the memory, because
//! a sum does little more than read.
//!
//! In Python: `sum(range(…))` against `multiprocessing.Pool(4)`. With threads, the interpreter's
//! lock lets only one add at a time. Rust has no such lock, so threads are enough, and nothing is
//! copied to another process.

mod child;
mod measure;

use measure::measured;
use rayon::prelude::*;
use std::ops::Range;
use std::sync::Arc;

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

const NUMBERS: u64 = 10_000_000;
const WORKERS: u64 = 4;

fn sequential(numbers: &[u64]) -> u64 {
    numbers.iter().sum()
}

/// Four async tasks on one thread. Each runs to its end before the next begins, because none of
/// them waits.
fn async_tasks(numbers: Vec<u64>) -> Result<u64> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let numbers = Arc::new(numbers);
    runtime.block_on(async {
        let parts: Vec<_> = (0..WORKERS)
            .map(|part| {
                let numbers = Arc::clone(&numbers);
                tokio::spawn(async move { sequential(&numbers[share(part)]) })
            })
            .collect();
        let mut sum = 0;
        for part in parts {
            sum += part.await?;
        }
        Ok(sum)
    })
}

/// Returns the range of one of the four parts.
fn share(part: u64) -> Range<usize> {
    let at = |part| (NUMBERS * part / WORKERS) as usize;
    at(part)..at(part + 1)
}

/// Four threads of rayon, which divide the numbers among themselves.
fn threads(numbers: &[u64]) -> Result<u64> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(WORKERS as usize).build()?;
    Ok(pool.install(|| numbers.par_iter().sum()))
}

fn one_way(way: &str) -> Result<()> {
    let numbers: Vec<u64> = (1..=NUMBERS).collect(); // made before the clock starts
    measured(way, || match way {
        "sequential" => Ok(sequential(&numbers)),
        "4 async tasks on one thread" => async_tasks(numbers),
        _ => threads(&numbers),
    })
}

fn main() -> Result<()> {
    match &std::env::args().collect::<Vec<_>>()[..] {
        [_, role, way] if role == "way" => one_way(way),
        _ => each_way(),
    }
}

/// Runs each way in its own process, so that each has its own memory peak.
#[tokio::main(flavor = "current_thread")]
async fn each_way() -> Result<()> {
    println!("1 + 2 + … + {NUMBERS}, on {} cores", std::thread::available_parallelism()?);
    for way in ["sequential", "4 async tasks on one thread", "4 threads"] {
        let status = child::again(&["way", way])?.status().await?;
        if !status.success() {
            return Err(format!("{way}: {status}").into());
        }
    }
    Ok(())
}
