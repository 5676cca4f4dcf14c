//! Lesson 28: the squares of very many numbers: the time and memory of each way, and the effect of
//! the chunk size.
//!
//! ```sh
//! cargo run --release --example squares_memory              # 2,000,000 numbers
//! cargo run --release --example squares_memory -- --slow    # the original 100,000,000, in 1 GiB
//! ```
//!
//! Look for: the same sum each way. `list` and `map` hold every square at once. With chunks, only
//! those in flight are held, so memory grows with the chunk. A chunk that is too small costs time,
//! because each job has a price. One that is too large leaves cores idle at the end.
//!
//! In Python: `[n * n for n in range(N)]`, `Pool.map`, `Pool.imap_unordered(…, chunksize=…)`. Async
//! alone does not help here, because nothing waits: `map` uses the threads of rayon, and each chunk
//! goes to a blocking thread.

mod child;
mod measure;
mod pace;

use measure::measured;
use raudal::pool::Pool;
use rayon::prelude::*;
use std::convert::Infallible;

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

const CHUNKS: [u64; 3] = [100, 10_000, 1_000_000];

/// The sum of 100,000,000 squares does not fit in 64 bits.
fn sum(squares: &[u64]) -> u128 {
    squares.iter().map(|square| u128::from(*square)).sum()
}

fn squares(numbers: std::ops::Range<u64>) -> Vec<u64> {
    numbers.map(|n| n * n).collect()
}

/// Computes all squares at once on the threads of rayon, in order.
fn map(count: u64) -> u128 {
    let squares: Vec<u64> = (0..count).into_par_iter().map(|n| n * n).collect();
    sum(&squares)
}

/// One job per chunk, in order of completion. Each chunk is added up and dropped.
#[tokio::main]
async fn chunks(count: u64, chunk: u64) -> Result<u128> {
    let pool = Pool::new(std::thread::available_parallelism()?.get());
    let starts = (0..count).step_by(chunk as usize);
    let mut run = pool
        .run(starts, move |context, start| async move {
            let end = count.min(start + chunk);
            Ok::<_, Infallible>(context.blocking(move || squares(start..end)).await)
        })
        .buffer(2)
        .start();
    let mut total = 0;
    while let Some(done) = run.next().await {
        total += sum(&done.result?);
    }
    Ok(total)
}

fn one_way(way: &str, count: u64) -> Result<()> {
    match way.strip_prefix("unordered, chunks of ") {
        Some(chunk) => {
            let chunk = chunk.parse()?;
            measured(way, || chunks(count, chunk))
        }
        None if way == "map" => measured(way, || Ok(map(count))),
        None => measured(way, || Ok(sum(&squares(0..count)))),
    }
}

fn main() -> Result<()> {
    match &std::env::args().collect::<Vec<_>>()[..] {
        [_, role, way, count] if role == "way" => one_way(way, count.parse()?),
        _ => each_way(),
    }
}

/// Runs each way in its own process, so that each has its own memory peak.
#[tokio::main(flavor = "current_thread")]
async fn each_way() -> Result<()> {
    let count = if pace::slow() { 100_000_000 } else { 2_000_000 };
    println!("the sum of {count} squares, on {} cores", std::thread::available_parallelism()?);
    let ways = ["list".to_owned(), "map".to_owned()].into_iter();
    for way in ways.chain(CHUNKS.map(|chunk| format!("unordered, chunks of {chunk}"))) {
        let status = child::again(&["way", &way, &count.to_string()])?.status().await?;
        if !status.success() {
            return Err(format!("{way}: {status}").into());
        }
    }
    Ok(())
}
