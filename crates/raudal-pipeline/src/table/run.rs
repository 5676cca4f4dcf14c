//! Runs the jobs of a table: fetches, decodes and merges all inputs.

use super::job::attempt;
use super::merge::{InputResult, Merge};
use super::options::Options;
use super::reorder::{ReorderBuffer, plan};
use super::shared::TableRun;
use super::summary::Summary;
use crate::run::policies::{self, policies, stop_at_condition};
use crate::run::segments::Segments;
use crate::run::slowed::Slowed;
use raudal_common::{Error, Result, blocking};
use raudal_fetch::Client;
use raudal_pool::{Context, Run};
use raudal_source::Input;
use raudal_table::{Rows, Sink, Table};
use std::sync::Arc;

/// Fetches, decodes and filters all inputs, and writes their rows to the sink in input order, regardless of the order
/// of arrival.
///
/// If the run is cancelled, or stops after too many failures, the complete rows are kept. Standard
/// output has them already; a file gets `.partial` added to its name; a table of a database stays as
/// it was. If no input succeeds, nothing is published. With a [`Lock`](crate::Lock) read from a file, nothing is published unless every
/// input matches it. Rows already written to anything but a file cannot be taken back.
///
/// Once the table has all rows of the query's limit, the run ends, and is complete: see
/// [`Summary::limited`].
///
/// # Errors
///
/// Fails only if the result is impossible: the sink cannot be written to, a limit is 0, a lock would hold inputs that
/// a limit on rows leaves out, or no input has a column of the query. Failures of inputs are in the summary.
///
/// ```
/// use raudal_fetch::{Client};
/// use raudal_pipeline::{Options};
/// use raudal_source::{Input, Location};
/// use raudal_table::{Filter, Sink, SinkOptions, Target};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> raudal_common::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("a.csv");
/// # std::fs::write(&path, "town,people\nAyala,31\nXico,7\n").unwrap();
/// # let output = folder.path().join("out.csv");
/// let client = Client::new(&raudal_fetch::Options::default())?;
/// let mut options = Options::default();
/// options.query.filter = Some(Filter::parse("people > 10")?);
///
/// let inputs = [Input::new(Location::File(path))];
/// let sink = Sink::create(Target::File(output.clone()), SinkOptions::default())?;
/// let summary = raudal_pipeline::run(inputs, &client, options, sink).await?;
///
/// assert_eq!((summary.rows_read, summary.rows_kept), (2, 1));
/// assert_eq!(std::fs::read_to_string(output).unwrap(), "town,people\nAyala,31\n");
/// # Ok(())
/// # }
/// ```
pub async fn run<In>(inputs: In, client: &Client, mut options: Options, sink: Sink) -> Result<Summary>
where
    In: IntoIterator<Item = Input>,
    In::IntoIter: Send + 'static,
{
    let limited = options.query.pick.limit.is_some();
    if limited && options.run.lock.is_some() {
        return Err(Error::usage("a lock is about all inputs, and a limit on rows leaves some of them out")
            .hint("leave [`limit`] or [`lock`] out"));
    }
    let table = Table::new(sink, &options.query)?;
    let slowed = Arc::new(Slowed::default());
    let stop = options.run.cancel.child_token();
    options.run.cancel = stop.clone();
    let shared = Arc::new(TableRun::new(client, &options));
    let decoders = Arc::clone(&shared.decoders);
    // While decoding is behind, more transfers would only fill the memory.
    let pool = policies::build(policies::pool(&options.run).hold_growth_while(move || decoders.are_busy()))?;
    let (planning, lock) = (client.clone(), options.run.lock.clone());
    let inputs = Box::new(inputs.into_iter());
    // The first inputs fill a limit, so they start first.
    let at_first = if limited { 1 } else { options.run.concurrency.at_first() };
    let (inputs, plan, sizes) = blocking(move || plan(inputs, at_first, &planning, lock.as_deref())).await?;
    let partials = Arc::clone(&shared.partials);
    let job = move |cx: Context<Input>, input| {
        let (attempt, stop) = (attempt(Arc::clone(&shared), cx.as_attempt().clone(), input), stop.clone());
        async move { stop_at_condition(attempt.await, &stop) }
    };
    let run = policies(pool.run(inputs, job).sizes(sizes), &options.run, partials, Arc::clone(&slowed));
    let mut run = if plan.is_none() { run.ordered().start() } else { run.start() };
    let segments = Segments::start(client, run.permits());
    let mut merge = Merge::of(table, &options);
    if let Err(error) = merge_all(&mut merge, &mut run, ReorderBuffer::new(plan)).await {
        // The output cannot be written: stop, and leave nothing running.
        run.shutdown().await;
        return Err(error);
    }
    segments.stop().await;
    let report = run.join().await;
    policies::remember(&options.run, pool).await?;
    let mut summary = merge.finish(report).await?;
    summary.warnings.extend(slowed.warnings());
    Ok(summary)
}

/// Merges the results of a run in input order, until it is over or the table is full.
async fn merge_all(
    merge: &mut Merge,
    run: &mut Run<Input, Rows, Error>,
    mut reorder: ReorderBuffer<InputResult>,
) -> Result<()> {
    while let Some(done) = run.next().await {
        let Some(input) = done.input else { continue };
        let (job, attempts) = (done.job, done.report.attempts);
        for result in reorder.put(job, InputResult { input, result: done.result, attempts }) {
            merge.take(result).await?;
        }
        if merge.is_full() {
            run.cancel();
            return Ok(());
        }
    }
    for result in reorder.rest() {
        match result {
            Ok(result) => merge.take(result).await?,
            Err(input) => merge.skip(*input),
        }
    }
    Ok(())
}
