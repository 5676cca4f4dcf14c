//! Lesson 21: daemons: one sporadic, one periodic, one long-lived.
//!
//! ```sh
//! cargo run --example daemon
//! ```
//!
//! Look for: three tasks that would run for ever. They end with their parent, and each closes its
//! file first.
//!
//! In Python: `threading.Thread(daemon=True)`, which is cut off when the program ends, without
//! flushing its files. Every tokio task is a daemon: the runtime drops it at its next `.await`.
//! Dropping runs destructors, but cannot wait for anything. So a task that holds something is
//! *told* to end, and awaited, with a limit.

mod pace;

use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::fs::File;
use tokio::io::{AsyncWriteExt, BufWriter};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// How each of them waits between two lines. The long-lived one waits longer than the program runs.
#[derive(Clone, Copy)]
enum Kind {
    Sporadic,
    Periodic,
    LongLived,
}

impl Kind {
    async fn wait(self) {
        match self {
            Self::Sporadic => sleep(pace::seconds(0.2 + fastrand::f64())).await,
            Self::Periodic => sleep(pace::seconds(0.5)).await,
            Self::LongLived => sleep(Duration::from_secs(1_000_000)).await,
        }
    }
}

/// Writes a line to its file from time to time. The file is buffered, so lines reach it only when
/// it is flushed.
async fn daemon(name: &'static str, kind: Kind, path: PathBuf, stop: CancellationToken) -> Result<()> {
    let mut file = BufWriter::new(File::create(path).await?);
    let mut lines = 0;
    loop {
        lines += 1;
        file.write_all(format!("{name}: line {lines}\n").as_bytes()).await?;
        if stop.run_until_cancelled(kind.wait()).await.is_none() {
            break;
        }
    }
    // Without this, a cut-off would lose the lines in the buffer.
    file.shutdown().await?;
    println!("{name}: closed its file after {lines} lines");
    Ok(())
}

async fn lines(path: &Path) -> Result<usize> {
    Ok(tokio::fs::read_to_string(path).await?.lines().count())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (stop, daemons) = (CancellationToken::new(), TaskTracker::new());
    let kinds = [("sporadic", Kind::Sporadic), ("periodic", Kind::Periodic), ("long-lived", Kind::LongLived)];
    let mut handles = Vec::new();
    for (name, kind) in kinds {
        let path = folder.path().join(name);
        handles.push((path.clone(), daemons.spawn(daemon(name, kind, path, stop.clone()))));
        println!("{name}: started");
    }

    sleep(pace::seconds(3.0)).await;
    println!("parent: ending");
    stop.cancel();
    daemons.close(); // no more tasks are added
    if timeout(Duration::from_secs(30), daemons.wait()).await.is_err() {
        println!("parent: a daemon does not end; it is left behind");
    }
    for (path, handle) in handles {
        handle.await??;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        println!("parent: {name} left {} lines", lines(&path).await?);
    }
    println!("parent: ended");
    Ok(())
}
