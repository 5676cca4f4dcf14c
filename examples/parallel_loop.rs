//! Lesson 29: a parallel loop, with a verbose flag.
//!
//! ```sh
//! cargo run --example parallel_loop -- --verbose
//! ```
//!
//! Look for: results in the order of the loop. With `--verbose`, a line on stderr for each finished
//! turn, so that progress does not mix with the results.
//!
//! In Python: `joblib.Parallel(n_jobs=3, verbose=10)(delayed(f)(i) for i in range(10))`. Here the
//! pool reports progress to an observer, an object with one method. `raudal::progress` has one that
//! draws bars.

mod pace;

use raudal::pool::{Event, EventKind, Observer, Pool};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Counts the finished turns, and prints a line for each.
struct Verbose {
    total: u64,
    done: AtomicU64,
}

impl Observer for Verbose {
    fn observe(&self, event: &Event<'_>) {
        if let EventKind::JobFinished { report } = &event.kind {
            let done = self.done.fetch_add(1, Relaxed) + 1;
            eprintln!("[{done}/{}] turn {} done", self.total, report.job);
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    pace::virtual_time();
    let turns = 10_u64;
    let mut run = Pool::new(3).map(0..turns, |_context, i| async move {
        // Odd turns take longer, so they finish in a different order.
        tokio::time::sleep(Duration::from_millis(200 + 450 * (i % 2))).await;
        Ok::<_, Infallible>(i * i)
    });
    if std::env::args().any(|argument| argument == "--verbose") {
        run = run.observer(Arc::new(Verbose { total: turns, done: AtomicU64::new(0) }));
    }
    for (i, result) in run.await.into_iter().enumerate() {
        println!("{i}: {}", result?);
    }
    Ok(())
}
