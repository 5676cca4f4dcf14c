//! Lesson 27: the 32 ITER archives of the census, one after the other and 10 at once.
//!
//! ```sh
//! cargo run --example iter_archives
//! ```
//!
//! Look for: the same 32 rows each way, byte for byte, and both times.
//!
//! In Python: `pandas.read_csv(url)` in a loop, then in `multiprocessing.Pool(10).map`, and
//! `DataFrame.query("MUN == 0 and LOC == 0")`. The archives are small synthetic ones, served with a
//! latency; `raudal iter` fetches the real ones.

mod pace;

use raudal::catalogue::iter_2020;
use raudal::fetch;
use raudal::origin;
use raudal::pipeline;
use raudal::pool::NoObserver;
use raudal::table::Filter;
use raudal::workload::{Archives, Iter, Mirror, Workload};
use std::sync::Arc;
use std::time::Instant;
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> raudal::Result<()> {
    let mut link = origin::Options::default();
    link.scale = 0.02;
    link.latency = pace::seconds(2.0);
    let entities: Vec<_> = iter_2020::catalogue().entries().iter().collect();
    let archives = Archives::open(&Mirror::Embedded(link), &entities, iter_2020::MICRODATOS).await?;

    let mut options = pipeline::Options::default();
    options.query.filter = Some(Filter::parse("MUN == 0 and LOC == 0")?);
    // A workload runs the same code at any level of concurrency; only the limit changes.
    let iter = Iter::new(archives, fetch::Options::default(), options);
    let mut digests = Vec::new();
    for jobs in [1, 10] {
        let start = Instant::now();
        let run = iter.run(jobs, Arc::new(NoObserver), CancellationToken::new()).await?;
        let (rows, wall) = (run.rows, start.elapsed().as_secs_f64());
        println!("{jobs} at once: {rows} rows in {wall:.3} s, at most {} in flight", run.report.peak_in_flight);
        digests.push(run.digest);
    }
    println!("the tables are {}", if digests[0] == digests[1] { "equal" } else { "DIFFERENT" });
    iter.close().await;
    Ok(())
}
