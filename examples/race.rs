//! Lesson 22, first part: a race: a signal that comes between looking and waiting is lost.
//!
//! ```sh
//! cargo run --example race
//! ```
//!
//! Look for: the waiter looks, sees nothing, and is about to wait; just then the signal is given, to nobody. The waiter
//! waits for ever, which a time-out detects. Cured, it asks to be told *before* it looks.
//!
//! In Python: `if not ready: event.wait()` with a `Condition` that is notified in between. (Lesson 11 has the other
//! famous race, the lost update.) Rust rules out data races, two threads at one piece of memory; it cannot rule out a
//! wrong order.

mod pace;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

#[derive(Default)]
struct Signal {
    ready: AtomicBool,
    /// `notify_waiters` wakes those who wait at that moment, and remembers nothing for those who come later.
    given: Notify,
}

impl Signal {
    /// Wrong: the signal may be given between the look and the wait.
    async fn look_then_wait(&self) {
        if !self.ready.load(SeqCst) {
            sleep(Duration::from_millis(20)).await; // this arranges the bad case: the signal comes now
            self.given.notified().await;
        }
    }

    /// Right: whoever asks first is told, however long the look takes.
    async fn ask_then_look(&self) {
        let told = self.given.notified(); // from here on, no signal is missed
        if !self.ready.load(SeqCst) {
            sleep(Duration::from_millis(20)).await;
            told.await;
        }
    }
}

/// Gives the signal after 10 ms: after the look, before the wait.
fn give(signal: &Arc<Signal>) {
    let signal = Arc::clone(signal);
    tokio::spawn(async move {
        sleep(Duration::from_millis(10)).await;
        signal.ready.store(true, SeqCst);
        signal.given.notify_waiters();
        println!("the signal is given");
    });
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    pace::virtual_time();
    let limit = Duration::from_secs(1);

    let signal = Arc::new(Signal::default());
    give(&signal);
    match timeout(limit, signal.look_then_wait()).await {
        Err(_) => println!("look, then wait: nothing after 1 s: the signal is lost"),
        Ok(()) => println!("look, then wait: told"),
    }

    let signal = Arc::new(Signal::default());
    give(&signal);
    match timeout(limit, signal.ask_then_look()).await {
        Err(_) => println!("ask, then look: nothing after 1 s: the signal is lost"),
        Ok(()) => println!("ask, then look: told"),
    }
}
