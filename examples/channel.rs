//! Lesson 10: a result through a channel.
//!
//! ```sh
//! cargo run --example channel
//! ```
//!
//! Look for: `hello world!`, which the worker prints, then `foo`, which it sends and `main` prints.
//!
//! In Python: a `Thread` that puts its result into a `queue.Queue`. The two ends of a channel have
//! different types: a task that holds only the receiver cannot send. When the last sender is gone,
//! `recv` returns `None`, so no marker is needed.

use tokio::sync::mpsc;

async fn greet(whom: String, results: mpsc::Sender<&'static str>) {
    println!("hello {whom}");
    // It fails only if the receiver is gone, and then nobody misses the result.
    let _ = results.send("foo").await;
}

#[tokio::main]
async fn main() -> Result<(), tokio::task::JoinError> {
    let (sender, mut receiver) = mpsc::channel(1);
    let worker = tokio::spawn(greet("world!".to_owned(), sender));
    while let Some(result) = receiver.recv().await {
        println!("{result}");
    }
    worker.await
}
