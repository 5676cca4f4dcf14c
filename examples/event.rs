//! Lesson 7: an event: all wait until it is set.
//!
//! ```sh
//! cargo run --example event
//! ```
//!
//! Look for: no task enters before `set`. Then all five enter, and one that arrives late does not
//! wait at all.
//!
//! In Python: `threading.Event`, `wait()`, `set()`. In tokio it is a `watch` channel of a `bool`:
//! it keeps its value, so the order of arrival does not matter. (To tell tasks to stop, use
//! `CancellationToken`, which works the same way.)

mod pace;

use std::time::Duration;
use tokio::sync::watch;

async fn enter(who: String, mut event: watch::Receiver<bool>) -> Result<(), watch::error::RecvError> {
    println!("{who}: waiting");
    event.wait_for(|set| *set).await?;
    println!("{who}: in");
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    pace::virtual_time();
    let (set, event) = watch::channel(false);
    let waiters: Vec<_> = (1..=5).map(|n| tokio::spawn(enter(format!("waiter {n}"), event.clone()))).collect();

    tokio::time::sleep(Duration::from_secs(2)).await;
    println!("main: set");
    set.send(true)?;
    for waiter in waiters {
        waiter.await??;
    }
    enter("latecomer".to_owned(), event).await?;
    Ok(())
}
