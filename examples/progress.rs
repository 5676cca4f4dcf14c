//! Lesson 31: progress bars, for a plain loop and for a parallel one.
//!
//! ```sh
//! cargo run --example progress
//! cargo run --example progress 2>&1 | cat
//! ```
//!
//! Look for: bars on a terminal. In a file or a pipe, plain lines, because a bar would only clutter
//! it.
//!
//! In Python: `for x in tqdm(items)`, and `tqdm(pool.imap(f, items), total=…)`. Here a plain loop
//! is a pool of 1, so progress works the same way at any concurrency. Results go to stdout,
//! progress to stderr.

mod pace;

use raudal::pool::Pool;
use raudal::progress::{Progress, Style, Verbosity};
use std::convert::Infallible;
use std::sync::Arc;
use tokio::time::{Instant, sleep};

const ITEMS: u64 = 24;

/// Shows bars if stderr is a terminal. Elsewhere prints a line every two seconds, by a clock that
/// jumps unless `--slow`.
fn watch() -> Progress {
    let progress = Progress::new(Style::Auto, Verbosity::Normal);
    if progress.is_terminal() || pace::slow() {
        return progress;
    }
    let start = Instant::now();
    let clock = Arc::new(move || start.elapsed());
    Progress::with_writer(Style::Plain, Verbosity::Normal, Box::new(std::io::stderr()), clock)
}

/// Runs a loop over all items, with at most `jobs` turns at once.
async fn turns(name: &str, jobs: usize) -> Result<(), Box<dyn std::error::Error>> {
    let progress = watch();
    progress.note(name);
    let pool = Pool::new(jobs);
    // On a terminal the clock is real, so the turns are short.
    let turn = if progress.is_terminal() { pace::seconds(10.0) } else { std::time::Duration::from_secs(1) };
    let mut run = pool
        .run(0..ITEMS, move |context, item| async move {
            for _ in 0..10 {
                sleep(turn / 10).await;
                context.advance(0, 1); // one more item: the bar moves
            }
            Ok::<_, Infallible>(item)
        })
        .label(|item| format!("item {item}"))
        .observer(progress.observer())
        .start();
    let mut sum = 0;
    while let Some(done) = run.next().await {
        sum += done.result?;
        progress.tick();
    }
    run.join().await;
    progress.finish();
    println!("{name}: {ITEMS} items, their sum is {sum}");
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    if !watch().is_terminal() {
        pace::virtual_time();
    }
    turns("plain loop", 1).await?;
    turns("parallel loop", 4).await
}
