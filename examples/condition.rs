//! Lesson 5: a condition: a producer notifies a consumer, which wakes.
//!
//! ```sh
//! cargo run --example condition
//! ```
//!
//! Look for: the consumer wakes once for each notification, gets the items in order, and stops when
//! it is told that there are no more.
//!
//! In Python: `threading.Condition`, `wait()`, `notify()`. In tokio a `Mutex` holds the shared data
//! and a `Notify` wakes. A `Notify` remembers one notification that nobody was waiting for, so none
//! is lost between checking and waiting. In daily work a channel (lesson 10) does all of this.

mod pace;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, Notify};

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    items: VecDeque<u32>,
    ended: bool,
}

async fn produce(shared: Arc<Shared>) {
    for item in 1..=5 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        println!("producer: item {item}");
        shared.state.lock().await.items.push_back(item);
        shared.changed.notify_one();
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    println!("producer: the end");
    shared.state.lock().await.ended = true;
    shared.changed.notify_one();
}

async fn consume(shared: Arc<Shared>) -> u32 {
    let mut woken = 0;
    loop {
        // Do not hold the lock while waiting, or the producer could never take it.
        shared.changed.notified().await;
        woken += 1;
        println!("consumer: woken, time {woken}");
        let mut state = shared.state.lock().await;
        // Take all items, because several notifications may arrive as one.
        while let Some(item) = state.items.pop_front() {
            println!("consumer: item {item}");
        }
        if state.ended {
            return woken;
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), tokio::task::JoinError> {
    pace::virtual_time();
    let shared = Arc::new(Shared::default());
    let consumer = tokio::spawn(consume(Arc::clone(&shared)));
    let producer = tokio::spawn(produce(shared));
    producer.await?;
    println!("the consumer ended after {} notifications", consumer.await?);
    Ok(())
}
