//! Lesson 18: a queue between processes.
//!
//! ```sh
//! cargo run --example queue
//! ```
//!
//! Look for: `Dato 1` to `Dato 5`, put by one process and received in order by another, then the
//! end.
//!
//! In Python: `multiprocessing.Queue`, `put()`, `get()`, and `None` for the end. That queue
//! consists of pipes and a thread that feeds them. Here the parts are visible: pipes, a bounded
//! channel in the parent, and a task that feeds each side. The end needs no marker: a side that is
//! finished closes its pipe.

mod child;
mod pace;

use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::sync::mpsc;

type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

fn producer() {
    for n in 1..=5 {
        std::thread::sleep(pace::seconds(1.0));
        println!("Dato {n}");
    }
}

fn consumer() -> Result<()> {
    for item in std::io::stdin().lines() {
        println!("received by pid {}: {}", std::process::id(), item?);
    }
    println!("the end: the queue is closed");
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("producer") => {
            producer();
            return Ok(());
        }
        Some("consumer") => return consumer(),
        _ => {}
    }
    let pace = if pace::slow() { "1" } else { "0" };
    let mut producer = child::again(&["producer"])?.env("RAUDAL_SLOW", pace).stdout(Stdio::piped()).spawn()?;
    let mut consumer = child::again(&["consumer"])?.stdin(Stdio::piped()).spawn()?;
    println!("producer: pid {:?}, consumer: pid {:?}", producer.id(), consumer.id());

    // A capacity of two: a producer that is ahead has to wait, as with Python's `Queue(2)`.
    let (put, mut get) = mpsc::channel::<String>(2);
    let mut lines = BufReader::new(producer.stdout.take().ok_or("no pipe")?).lines();
    let feeder = tokio::spawn(async move {
        while let Some(line) = lines.next_line().await? {
            put.send(line).await?;
        }
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(()) // `put` is dropped here, which closes the queue
    });
    let mut input = consumer.stdin.take().ok_or("no pipe")?;
    while let Some(item) = get.recv().await {
        input.write_all(format!("{item}\n").as_bytes()).await?;
    }
    drop(input);

    feeder.await??;
    println!("producer ended: {}", producer.wait().await?);
    println!("consumer ended: {}", consumer.wait().await?);
    Ok(())
}
