//! Lesson 22, first part: a race: a signal that comes between checking and waiting is lost.
//!
//! ```sh
//! cargo run --example race
//! ```
//!
//! Look for: the waiter checks, sees nothing, and is about to wait. Just then the signal is given,
//! and nobody receives it. The waiter waits for ever, which a timeout detects. The cure: it
//! registers for the signal *before* it checks.
//!
//! In Python: `if not ready: event.wait()` with a `Condition` that is notified in between. (Lesson
//! 11 shows the other well-known race, the lost update.) Rust prevents data races, where two
//! threads access the same memory. It cannot prevent a wrong order.

mod pace;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

#[derive(Default)]
struct Signal {
    ready: AtomicBool,
    /// `notify_waiters` wakes the tasks that wait at that moment. It stores nothing for later ones.
    given: Notify,
}

impl Signal {
    /// Wrong: the signal may come between the check and the wait.
    async fn look_then_wait(&self) {
        if !self.ready.load(SeqCst) {
            sleep(Duration::from_millis(20)).await; // forces the bad case: the signal comes now
            self.given.notified().await;
        }
    }

    /// Right: the task registers first, so it gets the signal however long the check takes.
    async fn ask_then_look(&self) {
        let told = self.given.notified(); // from here on, no signal is missed
        if !self.ready.load(SeqCst) {
            sleep(Duration::from_millis(20)).await;
            told.await;
        }
    }
}

/// Gives the signal after 10 ms: after the check, before the wait.
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
