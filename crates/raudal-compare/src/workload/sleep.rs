//! Only sleeps: the ideal, which shows what the toolkit itself costs.

use super::work::{AtOnce, RunSettings, digest};
use super::{Activity, Latency, Setting, Stage, Unit, Workload, WorkloadRun};
use futures::future::BoxFuture;
use raudal_common::{Error, Result};
use raudal_pool::Observer;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// N sleeps that share nothing. With all of them in flight, the run takes as long as the longest
/// sleep. Any more time is the cost of the pool and of the timer.
///
/// ```
/// use raudal_compare::{Plan, compare};
/// use raudal_compare::workload::Sleep;
/// use std::time::Duration;
/// use tokio_util::sync::CancellationToken;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> raudal_common::Result<()> {
/// let sleeps = Sleep::new(20, Duration::from_millis(1).into(), 0)?;
/// let plan = Plan::new([1, 20])?.runs(2)?;
/// let comparison = compare(&sleeps, &plan, &(), CancellationToken::new()).await?;
/// assert_eq!(comparison.rows, 20);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Sleep {
    draws: Vec<Duration>,
    latency: Latency,
    seed: u64,
}

impl Sleep {
    /// Creates this many sleeps; the latency and the seed determine their lengths.
    ///
    /// # Errors
    ///
    /// Fails for 0 sleeps, because there would be nothing to compare.
    pub fn new(sleeps: usize, latency: Latency, seed: u64) -> Result<Self> {
        if sleeps == 0 {
            return Err(Error::usage("the number of sleeps must be at least 1: 0").hint("give at least 1"));
        }
        Ok(Self { draws: latency.draws(sleeps, seed), latency, seed })
    }
}

impl Workload for Sleep {
    fn name(&self) -> &'static str {
        "sleep"
    }

    fn stages(&self) -> Vec<Stage> {
        vec![Stage::new("sleep", Activity::Answer)]
    }

    fn settings(&self) -> Vec<Setting> {
        vec![
            Setting::new("sleeps", self.draws.len()),
            Setting::new("latency", self.latency.to_text()),
            Setting::new("seed", self.seed),
        ]
    }

    fn unit(&self) -> Unit {
        Unit::Jobs("sleeps")
    }

    fn run(
        &self,
        jobs: usize,
        observer: Arc<dyn Observer>,
        cancel: CancellationToken,
    ) -> BoxFuture<'_, Result<WorkloadRun>> {
        // No sleep is cut short, because its length was asked for.
        let work = RunSettings { at_once: AtOnce::Most(jobs), observer, cancel, timeout: None };
        let sleeps: Vec<(usize, Duration)> = self.draws.iter().copied().enumerate().collect();
        Box::pin(work.run(
            sleeps,
            |(n, _)| format!("sleep {n}"),
            |cx, (n, time)| async move {
                cx.stage("sleep");
                tokio::time::sleep(time).await;
                Ok(digest(format!("{n} {}", time.as_nanos())))
            },
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::super::work::tests::{run, stages};
    use super::*;

    #[tokio::test]
    async fn sleeps_give_the_same_at_every_level() {
        let sleeps = Sleep::new(8, "uniform:0ms..2ms".parse().unwrap(), 5).unwrap();
        let (one, all) = (run(&sleeps, 1).await.unwrap(), run(&sleeps, 8).await.unwrap());
        assert_eq!((&one.digest, &one.parts, one.rows), (&all.digest, &all.parts, 8));
        assert_eq!((one.report.peak_in_flight, stages(&all)), (1, vec![vec!["sleep"]; 8]));
    }

    #[test]
    fn no_sleep_at_all_is_a_usage_error() {
        let error = Sleep::new(0, Duration::ZERO.into(), 0).unwrap_err();
        assert_eq!((error.kind(), error.hint_text().is_some()), (raudal_common::Kind::Usage, true));
    }
}
