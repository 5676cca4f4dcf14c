//! Lesson 2: typed workers, each at random intervals, for ever: 2 of task1, 3 of task2, 2 of task3.
//!
//! ```sh
//! cargo run --example typed_workers        # Ctrl-C stops it
//! ```
//!
//! Look for: interleaved lines of the seven workers. After Ctrl-C all seven stop, in order, and
//! every line is complete.
//!
//! In Python: `while True` in seven `threading.Thread`s with `daemon=True`, which Ctrl-C kills at
//! any point. Here nothing is killed: Ctrl-C cancels a token, each worker checks it between two
//! lines, and `main` awaits each.

mod pace;

use std::io::{self, Write};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How many workers there are of each kind of task.
const WORKERS: [(&str, u32); 3] = [("task1", 2), ("task2", 3), ("task3", 2)];

/// Works until it is told to stop, and returns the number of lines it has written.
async fn work(task: &'static str, worker: u32, stop: CancellationToken) -> io::Result<u32> {
    for line in 1.. {
        // Continues when the pause is over or the token is cancelled. This is the only place where
        // it stops.
        let pause = pace::seconds(0.5 + 2.0 * fastrand::f64());
        if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
            return Ok(line - 1);
        }
        // The lock keeps the two halves of a line together. It is not held across an `.await`.
        let mut out = io::stdout().lock();
        write!(out, "{task} worker {worker} ")?;
        out.flush()?;
        std::thread::sleep(Duration::from_millis(1)); // long enough for another task to cut in
        writeln!(out, "wrote line {line}.")?;
    }
    Ok(0)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let stop = CancellationToken::new();
    // Listen before anything runs: until then, Ctrl-C would end the program at once.
    let ctrl_c = tokio::signal::ctrl_c();
    tokio::pin!(ctrl_c);
    let _ = futures::poll!(ctrl_c.as_mut());

    let mut workers = Vec::new();
    for (task, count) in WORKERS {
        for worker in 1..=count {
            workers.push((task, worker, tokio::spawn(work(task, worker, stop.clone()))));
        }
    }
    println!("7 workers are running; Ctrl-C stops them.");

    ctrl_c.await?;
    stop.cancel();
    for (task, worker, handle) in workers {
        let lines = handle.await??;
        println!("{task} worker {worker} stopped after {lines} lines.");
    }
    println!("All 7 have stopped.");
    Ok(())
}
