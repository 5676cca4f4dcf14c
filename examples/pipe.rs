//! Lesson 19: a pipe between processes.
//!
//! ```sh
//! cargo run --example pipe
//! ```
//!
//! Look for: four messages and an end marker. The receiver stops at the marker, while the pipe is
//! still open.
//!
//! In Python: `multiprocessing.Pipe()`, `send()`, `recv()`. This is the system's own pipe: one end
//! becomes the sender's standard output, the other the receiver's standard input. The bytes never
//! pass through the parent.

mod child;
mod pace;

use std::io::BufRead;

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

const END: &str = "END";

fn sender() {
    for message in ["hello", "how are you?", "this is the third", "and the last", END] {
        std::thread::sleep(pace::seconds(0.5));
        println!("{message}");
    }
    // The pipe stays open until this process ends, so only the marker can have stopped the
    // receiver.
    std::thread::sleep(pace::seconds(1.0));
}

fn receiver() -> Result<()> {
    // stdin is the pipe, and stdout goes to the user. A pipe carries bytes; here each line is a
    // message by convention.
    for message in std::io::stdin().lock().lines() {
        let message = message?;
        if message == END {
            println!("receiver: the end marker");
            return Ok(());
        }
        println!("receiver: {message}");
    }
    Err("the pipe was closed without an end marker".into())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("sender") => {
            sender();
            return Ok(());
        }
        Some("receiver") => return receiver(),
        _ => {}
    }
    let pace = if pace::slow() { "1" } else { "0" };
    let (read_end, write_end) = std::io::pipe()?;
    // Each command owns its end of the pipe. At the end of the statement it is dropped, which
    // closes the parent's copy.
    let mut sender = child::again(&["sender"])?.env("RAUDAL_SLOW", pace).stdout(write_end).spawn()?;
    let mut receiver = child::again(&["receiver"])?.stdin(read_end).spawn()?;
    println!("receiver ended: {}", receiver.wait().await?);
    println!("sender ended: {}", sender.wait().await?);
    Ok(())
}
