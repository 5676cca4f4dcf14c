//! Lesson 10: a result through a channel.
//!
//! ```sh
//! cargo run --example channel
//! ```
//!
//! Look for: `hello world!`, which the worker prints, then `foo`, which it sends and `main` prints.
//!
//! In Python: a `Thread` that puts its result into a `queue.Queue`. A channel has two ends of different types: who
//! holds the receiver cannot send. When the last sender is gone, `recv` says so (`None`): no marker is needed.

use tokio::sync::mpsc;

async fn greet(whom: String, results: mpsc::Sender<&'static str>) {
    println!("hello {whom}");
    // It fails only if nobody listens any more, and then nobody misses it.
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
