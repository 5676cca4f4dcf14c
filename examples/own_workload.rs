//! To copy: compare your own work, sequential against concurrent, as `raudal compare` does.
//!
//! ```sh
//! cargo run --example own_workload
//! ```
//!
//! Look for: a line for each level of concurrency with its times and their spread, and a verdict.
//! The results of all runs must be equal before any level is called faster.
//!
//! In Python: `timeit` around each version, without a check that the results agree.

use futures::future::BoxFuture;
use raudal::compare::{Plan, compare, render_text};
use raudal::pool::{Observer, Pool, RunReport};
use raudal::workload::{Workload, WorkloadRun};
use raudal::{Error, Kind, Result};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Looks up this many names in a slow directory.
struct LookUps(u64);

impl LookUps {
    async fn run_once(
        &self,
        jobs: usize,
        observer: Arc<dyn Observer>,
        cancel: CancellationToken,
    ) -> Result<WorkloadRun> {
        let pool = Pool::builder()
            .jobs(jobs)
            .cancel(cancel.clone())
            .build()
            .map_err(|error| Error::usage(error.to_string()))?;
        let mut run = pool
            .run(0..self.0, |_context, name| async move {
                tokio::time::sleep(Duration::from_millis(5)).await; // the directory is slow
                Ok::<_, Error>(name * 7919 % 1000)
            })
            .observer(observer)
            .ordered()
            .start();
        let mut numbers = Vec::new();
        while let Some(done) = run.next().await {
            // Failed jobs are data in the report. The comparison refuses a run with failures.
            numbers.extend(done.result);
        }
        let report: RunReport = run.join().await;
        if cancel.is_cancelled() {
            return Err(Error::new(Kind::Cancelled, "cancelled"));
        }
        // Equal results must have equal digests. Here the result is short enough to be its own
        // digest.
        Ok(WorkloadRun::new(report, format!("{numbers:?}")).rows(numbers.len() as u64))
    }
}

impl Workload for LookUps {
    fn name(&self) -> &'static str {
        "look-ups"
    }

    fn run(
        &self,
        jobs: usize,
        observer: Arc<dyn Observer>,
        cancel: CancellationToken,
    ) -> BoxFuture<'_, Result<WorkloadRun>> {
        Box::pin(self.run_once(jobs, observer, cancel))
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let plan = Plan::new([1, 4, 16])?.runs(3)?.warmup(1);
    let comparison = compare(&LookUps(32), &plan, &(), CancellationToken::new()).await?;
    print!("{}", render_text(&comparison));
    Ok(())
}
