//! Lesson 16: four operations that wait: a file, an API, a database, an archive to download.
//!
//! ```sh
//! cargo run --example mixed_io
//! ```
//!
//! Look for: each operation's own time. One after the other, the total is their sum; all at once,
//! it is about the longest.
//!
//! In Python: four functions, called in turn and then from `concurrent.futures.ThreadPoolExecutor`.
//! `asyncio` would need an async library for each. Here too, work that can only block (the
//! database) goes to a blocking thread, and the rest of the code does not see the difference.

mod pace;

use raudal::fetch::{Client, Expect};
use raudal::origin::{Options, Origin};
use raudal::pool::Pool;
use raudal::source::Location;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::sync::Barrier;

type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// What the four operations need. Delays make the servers and disks as slow as in the original.
struct World {
    folder: tempfile::TempDir,
    client: Client,
    api: Origin,
    files: Origin,
}

async fn origin(seconds: f64) -> Result<Origin> {
    let mut options = Options::default();
    options.latency = pace::seconds(seconds);
    Ok(Origin::start(options).await?)
}

async fn write_file(folder: &Path) -> Result<String> {
    let mut file = tokio::fs::File::create(folder.join("notes.txt")).await?;
    for line in 1..=31 {
        file.write_all(format!("line {line}\n").as_bytes()).await?;
        tokio::time::sleep(pace::seconds(0.1)).await;
    }
    file.flush().await?;
    Ok("31 lines".to_owned())
}

async fn get(client: &Client, url: String, expect: Expect) -> Result<String> {
    let body = client.fetch(&Location::parse(&url)?, expect, &()).await?;
    Ok(format!("{} bytes", body.len()))
}

fn query_database() -> rusqlite::Result<String> {
    let database = rusqlite::Connection::open_in_memory()?;
    std::thread::sleep(pace::seconds(2.2)); // SQLite answers at once; a busy server would not
    let sum: i64 = database.query_row("SELECT sum(column1) FROM (VALUES (1), (2), (3))", [], |row| row.get(0))?;
    Ok(format!("the sum is {sum}"))
}

/// Runs all four, with at most `jobs` at once.
async fn all(world: &Arc<World>, jobs: usize) -> Result<()> {
    let pool = Pool::new(jobs);
    // The first `jobs` operations start together, so that they overlap on a busy machine too.
    let together = Arc::new(Barrier::new(jobs));
    let start = Instant::now();
    let world = Arc::clone(world);
    let mut run = pool
        .run(["file", "api", "database", "zip"], move |context, name| {
            let (world, together) = (Arc::clone(&world), Arc::clone(&together));
            async move {
                together.wait().await;
                let begin = Instant::now();
                let result = match name {
                    "file" => write_file(world.folder.path()).await?,
                    "api" => get(&world.client, format!("{}teams/", world.api.url()), Expect::Any).await?,
                    "database" => context.blocking(query_database).await?,
                    _ => get(&world.client, format!("{}tiny_1.zip", world.files.url()), Expect::Table).await?,
                };
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>((name, result, begin.elapsed()))
            }
        })
        .ordered()
        .start();
    let mut times = Vec::new();
    while let Some(done) = run.next().await {
        let (name, result, took) = done.result.map_err(|error| error.to_string())?;
        println!("  {name}: {result} in {:.4} s", took.as_secs_f64());
        times.push(took);
    }
    let total = start.elapsed().as_secs_f64();
    let (sum, longest) = (times.iter().sum::<Duration>(), times.iter().max().copied().unwrap_or_default());
    println!("  the longest: {:.4} s", longest.as_secs_f64());
    println!("  the sum: {:.4} s", sum.as_secs_f64());
    println!("  the total: {total:.4} s, at most {} at once", run.join().await.peak_in_flight);
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let client = Client::new(&raudal::fetch::Options::default())?;
    let (api, files) = (origin(0.28).await?, origin(4.6).await?);
    let world = Arc::new(World { folder: tempfile::tempdir()?, client, api, files });
    println!("one after the other:");
    all(&world, 1).await?;
    println!("all at once:");
    all(&world, 4).await
}
