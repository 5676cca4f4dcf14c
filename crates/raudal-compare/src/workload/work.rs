//! What the workloads have in common: jobs go through the pool, and each adds its share to the
//! result.

use super::WorkloadRun;
use raudal_common::atomic_file::hex;
use raudal_common::lock;
use raudal_common::units;
use raudal_common::{Error, Kind, Result};
use raudal_pipeline::Jobs;
use raudal_pool::{Attempt, Event, EventKind, JobError, JobReport, Limit, Observer, Pool, Pressure};
use sha2::{Digest as _, Sha256};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Keeps the report of each job, for [`WorkloadRun::jobs`]. Its memory grows with the number of jobs.
#[derive(Debug, Default)]
pub(super) struct JobKeeper(Mutex<Vec<JobReport>>);

impl JobKeeper {
    /// Returns a new keeper, and an observer that forwards to `observer` and to the keeper.
    pub(super) fn beside(observer: Arc<dyn Observer>) -> (Arc<Self>, Arc<dyn Observer>) {
        let kept = Arc::new(Self::default());
        let both = vec![observer, Arc::clone(&kept) as Arc<dyn Observer>];
        (kept, Arc::new(both))
    }

    /// Takes the reports, in input order.
    pub(super) fn take(&self) -> Vec<JobReport> {
        let mut jobs = std::mem::take(&mut *lock(&self.0));
        jobs.sort_by_key(|job| job.job);
        jobs
    }
}

impl Observer for JobKeeper {
    fn observe(&self, event: &Event<'_>) {
        if let EventKind::JobFinished { report } = &event.kind {
            lock(&self.0).push((*report).clone());
        }
    }
}

/// How many jobs of a run are in flight.
pub(super) enum AtOnce {
    Most(usize),
    /// As many as the only host of all jobs can take.
    Auto {
        host: String,
    },
}

/// The settings of one run.
pub(super) struct RunSettings {
    pub(super) at_once: AtOnce,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) cancel: CancellationToken,
    /// The time limit for one job; `None` where a limit makes no sense.
    pub(super) timeout: Option<Duration>,
}

impl RunSettings {
    /// Runs all jobs, and combines their shares into a [`WorkloadRun`]. A share is a digest of the result
    /// of one job.
    ///
    /// The first failure ends the run and is returned: the other jobs alone allow no conclusion.
    pub(super) async fn run<I, F, Fut>(self, inputs: Vec<I>, label: fn(&I) -> String, job: F) -> Result<WorkloadRun>
    where
        I: Send + 'static,
        F: Fn(Attempt, I) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<String>> + Send + 'static,
    {
        let (kept, observer) = JobKeeper::beside(self.observer);
        let (pool, host) = match self.at_once {
            AtOnce::Most(jobs) => (Pool::builder().jobs(jobs), None),
            AtOnce::Auto { host } => {
                (Pool::builder().jobs(Jobs::AUTO_MOST).per_key(Limit::auto(Jobs::AUTO_MOST)), Some(host))
            }
        };
        let pool = pool.cancel(self.cancel.clone()).build().map_err(|error| Error::usage(error.to_string()))?;
        let mut run = pool
            .run(inputs, move |cx, input| job(cx.as_attempt().clone(), input))
            .key(move |_| host.clone())
            .label(label)
            .stop_after(1)
            .pressure(|_| Pressure::None)
            .describe(Error::report)
            .failure_kind(|error| error.kind().word())
            .observer(observer)
            .ordered();
        if let Some(timeout) = self.timeout {
            run = run.attempt_timeout(timeout);
        }
        let mut running = run.start();
        let mut all = Sha256::new();
        let mut shares = Vec::new();
        let mut failure = None;
        while let Some(done) = running.next().await {
            match done.result {
                Ok(share) => {
                    all.update(share.as_bytes());
                    all.update(b"\n");
                    shares.push((done.report.label, share));
                }
                // A cancelled job says less than the failure that ended the run.
                Err(JobError::Cancelled { .. }) => {}
                Err(error) => failure = failure.or(Some(of_job(error, &done.report.label))),
            }
        }
        let report = running.join().await;
        if self.cancel.is_cancelled() {
            return Err(Error::new(Kind::Cancelled, "cancelled"));
        }
        if let Some(failure) = failure {
            return Err(failure);
        }
        let run = WorkloadRun::new(report, hex(&all.finalize())).rows(shares.len() as u64).jobs(kept.take());
        Ok(shares.into_iter().fold(run, |run, (label, share)| run.part(label, share)))
    }
}

/// Returns why a job failed, with its name.
fn of_job(error: JobError<Error>, label: &str) -> Error {
    match error {
        JobError::Failed(error) => error,
        JobError::TimedOut { limit, .. } => {
            Error::new(Kind::Timeout, format!("the job took longer than the time-out: {}", units::duration(limit)))
                .hint("allow more with [`timeout`], or run fewer jobs at once")
        }
        error => Error::new(Kind::Internal, error.to_string()),
    }
    .input(label)
}

/// Returns the digest of one job's share. It is short, because there may be many.
pub(super) fn digest(share: impl AsRef<[u8]>) -> String {
    let mut digest = hex(&Sha256::digest(share));
    digest.truncate(16);
    digest
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use raudal_pool::NoObserver;

    /// Runs a workload once without an observer. The workload must declare each stage that a job
    /// enters: an undeclared stage explains nothing.
    pub(in crate::workload) async fn run(workload: &dyn super::super::Workload, jobs: usize) -> Result<WorkloadRun> {
        let run = workload.run(jobs, Arc::new(NoObserver), CancellationToken::new()).await?;
        for stage in stages(&run).into_iter().flatten() {
            assert!(workload.stages().iter().any(|declared| declared.name == stage), "{stage} is not declared");
        }
        Ok(run)
    }

    /// The names of the stages that each job went through.
    pub(in crate::workload) fn stages(run: &WorkloadRun) -> Vec<Vec<&'static str>> {
        run.jobs.iter().map(|job| job.stages.iter().map(|span| span.stage).collect()).collect()
    }

    fn work(jobs: usize) -> RunSettings {
        let (observer, cancel) = (Arc::new(NoObserver), CancellationToken::new());
        RunSettings { at_once: AtOnce::Most(jobs), observer, cancel, timeout: None }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "a pool's labels are made of references")]
    fn label(n: &u64) -> String {
        format!("job {n}")
    }

    #[tokio::test]
    async fn equal_shares_make_equal_digests_at_any_level_and_unlike_ones_do_not() {
        let of = |jobs, odd| async move {
            work(jobs).run((0..9).collect(), label, move |_, n| async move { Ok(digest([n as u8 ^ odd])) }).await
        };
        let (one, many, other) = (of(1, 0).await.unwrap(), of(4, 0).await.unwrap(), of(4, 1).await.unwrap());
        assert_eq!((&one.digest, &one.parts, one.rows), (&many.digest, &many.parts, many.rows));
        assert_ne!(one.digest, other.digest);
        assert_eq!(many.jobs.iter().map(|job| job.job).collect::<Vec<_>>(), (0..9).collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn the_first_failure_is_returned_with_the_name_of_its_job() {
        let job = |_, n| async move { if n == 3 { Err(Error::new(Kind::Reset, "gone")) } else { Ok(String::new()) } };
        let error = work(2).run((0..9).collect(), label, job).await.unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (Kind::Reset, "job 3: gone"));
    }

    #[tokio::test]
    async fn a_job_that_is_too_slow_is_named_with_the_limit_and_a_cure() {
        let slow = RunSettings { timeout: Some(Duration::from_millis(2)), ..work(2) };
        let error = slow.run(vec![0], label, |_, _| std::future::pending()).await.unwrap_err();
        assert_eq!((error.kind(), error.hint_text().is_some()), (Kind::Timeout, true));
        assert_eq!(error.to_string(), "job 0: the job took longer than the time-out: 2.00 ms");
    }

    #[tokio::test]
    async fn a_panic_is_a_fault_of_the_program_and_named() {
        let error = work(1).run(vec![5], label, |_, _| async { panic!("ouch") }).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Internal);
        assert!(error.to_string().contains("job 5: the job panicked: ouch"), "{error}");
    }

    #[tokio::test]
    async fn a_cancelled_run_is_cancelled_and_not_a_result() {
        let stopped = work(1);
        stopped.cancel.cancel();
        let error = stopped.run(vec![0, 1], label, |_, _| async { Ok(String::new()) }).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Cancelled);
    }
}
