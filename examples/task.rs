//! Lesson 1: start a task, and give it a parameter.
//!
//! ```sh
//! cargo run --example task
//! ```
//!
//! Look for: `pasando`, then `pasando ahora`. The program ends only after both.
//!
//! In Python: `threading.Thread(target=…, args=…)`, `start()`, `join()`. There the interpreter
//! waits for threads that nobody joined. A tokio runtime does not: when `main` ends, unfinished
//! tasks are dropped. So `main` awaits them.

mod pace;

use std::time::Duration;

/// A task owns what it is given: `when` is moved in, and no other task can touch it.
async fn pass_when(when: String) {
    tokio::time::sleep(Duration::from_secs(1)).await;
    println!("pasando {when}");
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), tokio::task::JoinError> {
    pace::virtual_time();
    // An async block, or a call of an async function, only describes the work; `spawn` starts it.
    let first = tokio::spawn(async { println!("pasando") });
    let second = tokio::spawn(pass_when("ahora".to_owned()));
    println!("both are started");
    first.await?;
    second.await?;
    println!("both have ended, and so does the program");
    Ok(())
}
