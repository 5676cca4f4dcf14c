//! Lesson 17: a parent process and its child.
//!
//! ```sh
//! cargo run --example process
//! ```
//!
//! Look for: the parent's pid; the child's pid, which differs, and its parent's; and the time until
//! the child ended.
//!
//! In Python: `multiprocessing.Process(target=…)`, `os.getpid()`, `join()`, `time.time()` before
//! and after. A Rust program cannot safely fork a function. So it starts itself again, with an
//! argument that selects the role.

mod child;
mod pace;

use std::time::Instant;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pid = std::process::id();
    if let [_, role, parent] = &std::env::args().collect::<Vec<_>>()[..]
        && role == "child"
    {
        println!("child: pid {pid}, parent {parent}");
        tokio::time::sleep(pace::seconds(1.0)).await;
        return Ok(());
    }
    println!("parent: pid {pid}");
    let start = Instant::now();
    let mut command = child::again(&["child", &pid.to_string()])?;
    if pace::slow() {
        command.env("RAUDAL_SLOW", "1");
    }
    // `status` starts the child and waits for it. This reaps the child and returns its exit status.
    let status = command.status().await?;
    println!("parent: the child ended with {status} after {:.3} s", start.elapsed().as_secs_f64());
    Ok(())
}
