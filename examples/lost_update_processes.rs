//! Lesson 12: a lost update between processes, and its cure.
//!
//! ```sh
//! cargo run --example lost_update_processes
//! ```
//!
//! Look for: two processes each add 1 a hundred times to one shared value. The result is below 200
//! without a lock, and exactly 200 with one.
//!
//! In Python: `multiprocessing.Value` with and without `get_lock()`. Processes share no memory
//! unless they ask for it, so the value is in a file, read and written in place, with the file's
//! own lock. (A file can also be mapped into memory, as Python does. That needs `unsafe`, for a
//! good reason: nothing stops a third process from changing it.)

mod child;

use std::fs::File;
use std::io::{BufRead, Read, Seek, Write};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

type Result<T, E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

const INCREMENTS: u32 = 100;

fn read(mut file: &File) -> Result<u64> {
    let mut bytes = [0; 8];
    file.rewind()?;
    file.read_exact(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

fn write(mut file: &File, value: u64) -> Result<()> {
    file.rewind()?;
    Ok(file.write_all(&value.to_le_bytes())?)
}

/// Runs in a child: adds 1 a hundred times. It does nothing else, so it may block and needs no
/// runtime.
fn add(path: &str, lock: bool) -> Result<()> {
    let file = File::options().read(true).write(true).open(path)?;
    let mut parent = std::io::stdin().lock().lines();
    for _ in 0..INCREMENTS {
        if lock {
            file.lock()?; // waits until no other process has it
            write(&file, read(&file)? + 1)?;
            file.unlock()?;
        } else {
            let value = read(&file)?;
            // This forces the bad case: both have read before either writes. The parent lets them
            // go on together.
            println!("read");
            parent.next().ok_or("the parent is gone")??;
            write(&file, value + 1)?;
        }
    }
    Ok(())
}

/// Runs both children on a fresh value, and returns the final value.
async fn two_processes(mode: &str) -> Result<u64> {
    let shared = tempfile::NamedTempFile::new()?;
    write(shared.as_file(), 0)?;
    let path = shared.path().to_str().ok_or("the temporary folder's name is not UTF-8")?;
    let start = || child::again(&[mode, path])?.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut children = [start()?, start()?];
    println!("{mode}: pids {:?} and {:?}", children[0].id(), children[1].id());

    let mut pipes = Vec::new();
    for child in &mut children {
        let (go, said) = (child.stdin.take().ok_or("no pipe")?, child.stdout.take().ok_or("no pipe")?);
        pipes.push((go, BufReader::new(said).lines()));
    }
    // A barrier for processes: one line from each, then one line to each. With a lock the children
    // print nothing and just end.
    'rounds: loop {
        for (_, said) in &mut pipes {
            if said.next_line().await?.is_none() {
                break 'rounds;
            }
        }
        for (go, _) in &mut pipes {
            go.write_all(b"go\n").await?;
        }
    }
    for mut child in children {
        let status = child.wait().await?;
        if !status.success() {
            return Err(format!("a child failed: {status}").into());
        }
    }
    read(shared.as_file())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    if let [_, mode, path] = &std::env::args().collect::<Vec<_>>()[..] {
        return add(path, mode == "with-lock");
    }
    println!("2 processes x {INCREMENTS} without a lock: {}", two_processes("without-lock").await?);
    println!("2 processes x {INCREMENTS} with a lock: {}", two_processes("with-lock").await?);
    Ok(())
}
