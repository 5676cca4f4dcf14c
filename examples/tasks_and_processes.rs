//! Lesson 8: one task per core, and one process per core, all with the same function.
//!
//! ```sh
//! cargo run --example tasks_and_processes
//! ```
//!
//! Look for: the steps interleave; tasks share one pid, each process has its own; joining returns
//! control to `main`.
//!
//! In Python: a list of `threading.Thread`s and one of `multiprocessing.Process`es with the same
//! target. A task costs microseconds and shares memory. A process costs milliseconds and shares
//! nothing, so its crash does not affect others.

mod child;

use std::io::BufRead;
use std::process::Stdio;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::sync::Barrier;

type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

const STEPS: u32 = 3;

/// The function that both kinds of worker run.
fn step(worker: &str, step: u32) -> String {
    format!("{worker}, pid {}, step {step}", std::process::id())
}

/// Runs in a process: makes a step each time the parent sends a line.
fn process(worker: &str) -> Result<()> {
    for (line, n) in std::io::stdin().lock().lines().zip(1..) {
        line?;
        println!("{}", step(worker, n));
    }
    Ok(())
}

/// The parent's side of a process.
struct Worker {
    child: Child,
    go: ChildStdin,
    said: Lines<BufReader<ChildStdout>>,
}

impl Worker {
    fn start(name: &str) -> Result<Self> {
        let mut child = child::again(&["process", name])?.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (go, said) = (child.stdin.take().ok_or("no pipe")?, child.stdout.take().ok_or("no pipe")?);
        Ok(Self { child, go, said: BufReader::new(said).lines() })
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    if let [_, role, name] = &std::env::args().collect::<Vec<_>>()[..]
        && role == "process"
    {
        return process(name);
    }
    let cores = std::thread::available_parallelism()?.get().max(2); // one alone cannot interleave
    println!("main, pid {}: {cores} tasks", std::process::id());
    // The barrier lets all tasks make step 1 before any makes step 2. Without it, a quick one could
    // finish before the next begins.
    let barrier = Arc::new(Barrier::new(cores));
    let tasks: Vec<_> = (1..=cores)
        .map(|n| {
            let barrier = Arc::clone(&barrier);
            tokio::spawn(async move {
                for i in 1..=STEPS {
                    println!("{}", step(&format!("task {n}"), i));
                    barrier.wait().await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await?;
    }

    println!("main has control again: {cores} processes");
    let mut workers = (1..=cores).map(|n| Worker::start(&format!("process {n}"))).collect::<Result<Vec<_>>>()?;
    for _ in 1..=STEPS {
        for worker in &mut workers {
            worker.go.write_all(b"go\n").await?;
        }
        for worker in &mut workers {
            println!("{}", worker.said.next_line().await?.ok_or("a process ended early")?);
        }
    }
    for mut worker in workers {
        drop(worker.go); // closing its input ends its work
        let status = worker.child.wait().await?;
        println!("joined: {status}");
    }
    println!("main has control again");
    Ok(())
}
