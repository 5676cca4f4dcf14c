//! Lesson 23: many processes, some with a name and some without.
//!
//! ```sh
//! cargo run --example many_processes
//! ```
//!
//! Look for: a greeting from each with its pid, all pids different, and all of them reaped.
//!
//! In Python: `multiprocessing.Process(name=…)` in a loop, `current_process().name`, `join()`. A
//! child that has ended stays in the system's table as a zombie until its parent asks for its exit
//! status. That is called reaping.

mod child;

use tokio::task::JoinSet;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    if let [_, role, name] = &std::env::args().collect::<Vec<_>>()[..]
        && role == "greet"
    {
        println!("hello from {name}, pid {}", std::process::id());
        return Ok(());
    }
    // The others get a name from their number, as in Python.
    let named = ["Ana", "Beto", "Citlali"].map(str::to_owned).into_iter();
    let anonymous = (4..=8).map(|n| format!("Process-{n}"));

    let mut children = JoinSet::new();
    let mut started = 0;
    for name in named.chain(anonymous) {
        let mut child = child::again(&["greet", &name])?.spawn()?;
        started += 1;
        // Each child has a task that waits for it, so that children are reaped in the order in
        // which they end.
        children.spawn(async move { (name, child.wait().await) });
    }
    let mut reaped = 0;
    while let Some(ended) = children.join_next().await {
        let (name, status) = ended?;
        println!("{name} ended: {}", status?);
        reaped += 1;
    }
    println!("{reaped} of {started} reaped");
    Ok(())
}
