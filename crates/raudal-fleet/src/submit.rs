//! Starts or resumes a run, and merges its parts into one table.

use super::announce::{announce, plan};
use super::arrivals::Arrivals;
use super::broker::Broker;
use super::follow::{Ended, Follower, Said};
use super::lead::{Leader, nonce};
use super::merging::Merging;
use super::options::SubmitOptions;
use super::reports::Reports;
use raudal_common::Result;
use raudal_pipeline::{Merge, Options};
use raudal_source::Input;
use raudal_table::Sink;
use std::time::Instant;
use tokio_util::sync::CancellationToken;

/// Starts a run over the fleet, or goes on with one, and merges its parts as
/// [`raudal_pipeline::run`] does on one machine.
///
/// When `options.run.cancel` is cancelled, the run goes on: [`cancel`](crate::cancel()) ends it.
///
/// # Errors
///
/// As [`raudal_pipeline::run`]; and if the broker or the place of the parts cannot be used at the
/// start, or somebody cancelled the run. Later, both are waited for.
pub async fn submit<In>(
    broker: &Broker,
    inputs: In,
    options: Options,
    sink: Sink,
    submit: SubmitOptions,
) -> Result<Ended>
where
    In: Iterator<Item = Input> + Clone + Send + 'static,
{
    let planned = plan(inputs.clone(), options.run.checksums.clone(), &submit).await?;
    let (record, store) = announce(broker, &planned, &options, &submit).await?;
    let chunks = planned.plan.chunks.len();
    (submit.say)(&format!("the run is {} ({} inputs in {chunks} chunks)", record.run, record.inputs));
    if submit.detach {
        return Ok(Ended::Left { run: record.run, done: store.chunks().await?.len(), chunks });
    }
    let merge = Merge::begin(sink, &options)?;
    let leads = CancellationToken::new();
    let leader = Leader {
        broker: broker.clone(),
        store: store.clone(),
        record: record.clone(),
        plan: Some(planned.plan),
        who: format!("submitter-{}", nonce()),
        stays: true,
    };
    let leading = tokio::spawn(leader.run(leads.clone()));
    let follower = Follower {
        broker: broker.clone(),
        arrivals: Arrivals::new(store.clone(), chunks),
        store,
        merging: Merging::new(inputs, merge, &options, record.inputs)?,
        record,
        reports: Reports::new(&options, &submit),
        options,
        said: Said::new(submit.say),
        begun: Instant::now(),
    };
    let ended = follower.run().await;
    leads.cancel();
    let _ = leading.await;
    ended
}
