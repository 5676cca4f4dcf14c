//! The pool of a run, and its policies: retries, pauses, observers.

use super::hosts::Hosts;
use super::options::RunOptions;
use super::partials::Partials;
use super::slowed::Slowed;
use raudal_common::blocking;
use raudal_common::{Error, Kind, Result};
use raudal_pool::{Observer, Pool, PoolBuilder, Pressure, Retry, RunBuilder};
use raudal_source::Input;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Returns the builder of a pool with the limits of a run. Blocks while it reads the file of hosts.
pub(crate) fn pool(options: &RunOptions) -> PoolBuilder {
    let concurrency = options.concurrency;
    let pool = Pool::builder().jobs(concurrency.total()).per_key(concurrency.host_limit());
    let known = remembered(options).map(Hosts::known).unwrap_or_default();
    let pool = pool.cancel(options.cancel.clone()).known(known);
    match options.rate {
        Some(rate) => pool.rate(rate),
        None => pool,
    }
}

/// Returns the file of hosts, if it is used: only `auto` needs it.
fn remembered(options: &RunOptions) -> Option<&Hosts> {
    options.hosts.as_ref().filter(|_| options.concurrency.is_auto())
}

/// Remembers what a run has learned of hosts.
pub(crate) async fn remember(options: &RunOptions, pool: Pool) -> Result<()> {
    let Some(hosts) = remembered(options).cloned() else { return Ok(()) };
    blocking(move || hosts.record(&pool)).await
}

/// Builds the pool of a run.
pub(crate) fn build(pool: PoolBuilder) -> Result<Pool> {
    pool.build().map_err(|error| Error::usage(error.to_string()))
}

/// Applies the policies of the options to a run.
pub(crate) fn policies<S, F, T, O>(
    run: RunBuilder<'static, S, F, Input, T, Error, O>,
    options: &RunOptions,
    partials: Arc<Partials>,
    slowed: Arc<Slowed>,
) -> RunBuilder<'static, S, F, Input, T, Error, O> {
    let longest = options.retry_after_max;
    let retry_on = options.retry_on.clone();
    // An attempt counts the bytes that it starts with, so one that resumes makes progress.
    let mut retry = Retry::new(options.backoff)
        .reset_on_progress(true)
        .when(move |error| error.failure().is_none_or(|error| retry_on.matches(error)))
        .pause_key(move |error: &Error| error.wait().map(|wait| wait.min(longest)));
    if let Some(max) = options.retry_max_time {
        retry = retry.max_elapsed(max);
    }
    let run = run
        .key(|input| input.location.key())
        .label(|input| input.name.clone())
        .retry(retry)
        .pressure(pressure)
        .describe(describe)
        .failure_kind(|error| error.kind().word())
        .observer(Arc::new(vec![partials as Arc<dyn Observer>, slowed, Arc::clone(&options.observer)]));
    match options.stop_after {
        Some(failures) => run.stop_after(failures),
        None => run,
    }
}

/// Stops the run if an input met a condition of the machine, such as a full disk: every other one
/// would meet it too.
pub(crate) fn stop_at_condition<T>(result: Result<T>, stop: &CancellationToken) -> Result<T> {
    result.inspect_err(|error| {
        if error.is_of_machine() {
            stop.cancel();
        }
    })
}

/// Returns what a failure says about the load on its host.
fn pressure(error: &Error) -> Pressure {
    match error.kind() {
        Kind::Timeout => Pressure::TimedOut,
        kind if kind.is_refusal() && error.is_transient() => Pressure::Refused,
        _ => Pressure::None,
    }
}

/// Describes an error for events and reports, which name the input already.
fn describe(error: &Error) -> String {
    let report = error.report();
    match error.input_name() {
        Some(input) => report.strip_prefix(&format!("{input}: ")).map_or(report.clone(), str::to_owned),
        None => report,
    }
}
