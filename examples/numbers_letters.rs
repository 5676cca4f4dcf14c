//! Lesson 14: numbers and letters.
//!
//! ```sh
//! cargo run --example numbers_letters
//! ```
//!
//! Look for: first the two tasks at once: a number, a letter, a number …. Then the same two one
//! after the other, each joined before the next is started.
//!
//! In Python: two `threading.Thread`s with `time.sleep`; `start(); start(); join(); join()` against
//! `start(); join(); start(); join()`.

mod pace;

use std::time::Duration;

async fn numbers() {
    for n in 1..=5 {
        println!("{n}");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn letters() {
    // Half a second after the numbers, so that the two always alternate.
    tokio::time::sleep(Duration::from_millis(500)).await;
    for letter in 'a'..='e' {
        println!("{letter}");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), tokio::task::JoinError> {
    pace::virtual_time();
    println!("at once:");
    let (numbers_task, letters_task) = (tokio::spawn(numbers()), tokio::spawn(letters()));
    numbers_task.await?;
    letters_task.await?;

    println!("one after the other:");
    tokio::spawn(numbers()).await?;
    tokio::spawn(letters()).await
}
