//! One input in a run of its own, for a program that spreads many inputs over other processes.

use super::failure::failure;
use super::options::RunOptions;
use super::partials::Partials;
use super::policies::{self, policies};
use super::slowed::Slowed;
use futures::future::BoxFuture;
use raudal_common::{Error, Result};
use raudal_pool::{Attempt, Context, JobReport, Observer, Outcome};
use raudal_source::Input;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Is asked before each attempt at an input, and may make it wait.
pub trait Gate: Send + Sync {
    /// Returns once the attempt may begin.
    fn pass(&self, input: &Input) -> BoxFuture<'_, ()>;
}

/// What surrounds an input that is read alone.
#[derive(Clone)]
pub(crate) struct Around<'a> {
    pub(crate) gate: Arc<dyn Gate>,
    pub(crate) observer: Arc<dyn Observer>,
    pub(crate) cancel: &'a CancellationToken,
}

/// Makes the attempts at an input, with the retries and policies of the options. The limits on inputs in flight do not
/// count. Returns `None` if it was cancelled.
pub(crate) async fn alone<T, F>(
    input: Input,
    options: &RunOptions,
    partials: Arc<Partials>,
    around: Around<'_>,
    attempt: impl Fn(Attempt, Input) -> F + Send + Sync + 'static,
) -> Option<(Result<T>, JobReport)>
where
    T: Send + 'static,
    F: Future<Output = Result<T>> + Send + 'static,
{
    let mut options = options.clone();
    (options.concurrency, options.stop_after) = (1.into(), None);
    (options.observer, options.cancel) = (around.observer, around.cancel.clone());
    let pool = match policies::build(policies::pool(&options)) {
        Ok(pool) => pool,
        Err(error) => return Some(never_tried(error, &input)),
    };
    let attempt = Arc::new(attempt);
    let job = move |cx: Context<Input>, input: Input| {
        let (attempt, gate) = (Arc::clone(&attempt), Arc::clone(&around.gate));
        async move {
            gate.pass(&input).await;
            attempt(cx.as_attempt().clone(), input).await
        }
    };
    let mut run = policies(pool.run([input.clone()], job), &options, partials, Arc::<Slowed>::default()).start();
    let done = run.next().await?;
    run.join().await;
    let result = match done.result {
        Ok(made) => Ok(made),
        Err(error) => Err(failure(error, &input)?),
    };
    Some((result, done.report))
}

/// What became of an input that was never tried.
pub(crate) fn never_tried<T>(error: Error, input: &Input) -> (Result<T>, JobReport) {
    let mut report = JobReport::new(0, input.name.clone(), Outcome::Failed);
    report.kind = Some(error.kind().word());
    report.error = Some(error.report());
    report.attempts = 1;
    (Err(error.input(input.location.to_string())), report)
}
