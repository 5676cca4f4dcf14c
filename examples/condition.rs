//! Lesson 5: a condition: a producer notifies, a consumer wakes.
//!
//! ```sh
//! cargo run --example condition
//! ```
//!
//! Look for: one waking for each notification, the items in order, and the consumer's end when it is told of the end.
//!
//! In Python: `threading.Condition`, `wait()`, `notify()`. In tokio a `Mutex` holds what is shared and a `Notify` wakes.
//! A `Notify` remembers one notification that nobody waited for yet, so none is lost between looking and waiting. In
//! daily work a channel (lesson 10) says all of this in one word.

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
        // The lock is not held while waiting: the producer could never come in.
        shared.changed.notified().await;
        woken += 1;
        println!("consumer: woken, time {woken}");
        let mut state = shared.state.lock().await;
        // All that is there, not one: several notifications may arrive as one.
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
