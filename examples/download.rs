//! To copy: many URLs to files, with progress bars and retries. A file gets its name only when it
//! is complete.
//!
//! ```sh
//! cargo run --example download -- FOLDER URL URL …
//! cargo run --example download        # from raudal's own origin, to a temporary folder
//! ```
//!
//! Look for: each file and its size. The URL without a file is retried, then reported, and the
//! other files are kept.
//!
//! In Python: `requests.get` in a `ThreadPoolExecutor`, `tqdm`, and `urllib3.Retry`.

use raudal::fetch::{Client, Expect, Options};
use raudal::origin::{self, Origin};
use raudal::pool::{Attempt, Backoff, Pool, Retry};
use raudal::progress::{Progress, Style, Verbosity};
use raudal::source::Location;
use raudal::{Error, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

async fn download(client: &Client, context: &Attempt, location: &Location, folder: &Path) -> Result<(PathBuf, u64)> {
    let body = client.fetch(location, Expect::Table, context).await?; // `Expect::Any` to allow web pages
    let (length, path) = (body.len(), folder.join(location.file_name()));
    let (target, folder) = (path.clone(), folder.to_owned());
    // Writing blocks, so it runs on a blocking thread. The file gets its name last.
    let write = move || {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        std::io::copy(&mut body.into_reader(), &mut file)?;
        file.persist(target).map_err(|error| error.error)
    };
    let cannot = |error| Error::io("cannot write the file", error).input(location.to_string());
    context.blocking(write).await.map_err(cannot)?;
    Ok((path, length))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().map(PathBuf::from);
    let mut urls: Vec<String> = arguments.collect();
    let scratch = tempfile::tempdir().map_err(|error| Error::io("no temporary folder", error))?;
    let folder = folder.unwrap_or_else(|| scratch.path().to_owned());
    let origin = Origin::start(origin::Options::default()).await?;
    if urls.is_empty() {
        urls = (1..=6).map(|n| format!("{}tiny_{n}.zip", origin.url())).collect();
        urls.push(format!("{}missing.zip", origin.url()));
    }
    let locations = urls.iter().map(|url| Location::parse(url)).collect::<Result<Vec<_>>>()?;

    let client = Client::new(&Options::default())?;
    let progress = Progress::new(Style::Auto, Verbosity::Normal); // `Verbose`: a line for each retry
    let pool = Pool::builder().jobs(8).per_key(4).build()?; // at most four for each host
    let retry = Retry::new(Backoff::default().first(Duration::from_millis(50)))
        .when(|error| error.failure().is_none_or(Error::is_transient));
    let folder: Arc<Path> = folder.into();
    let mut run = pool
        .run(locations, move |context, location| {
            let (client, folder) = (client.clone(), Arc::clone(&folder));
            async move { download(&client, &context, &location, &folder).await }
        })
        .key(Location::key)
        .label(ToString::to_string)
        .retry(retry)
        .observer(progress.observer())
        .ordered()
        .start();
    while let Some(done) = run.next().await {
        match done.result {
            Ok((path, length)) => progress.suspend(|| println!("{}: {length} bytes", path.display())),
            Err(error) => progress.error(&format!("{error} ({} attempts)", done.report.attempts)), // the error names the URL
        }
    }
    let report = run.join().await;
    progress.finish();
    println!("{} downloaded, {} failed, {} retries", report.succeeded, report.failed, report.retries);
    Ok(())
}
