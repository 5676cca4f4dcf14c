//! Starts or resumes a run, and makes one result of its parts.

use super::announce::{Planned, announce, plan, plan_of_files};
use super::arrivals::Arrivals;
use super::broker::Broker;
use super::files::Fetched;
use super::follow::{Ended, Follower, Said};
use super::gather::Gather;
use super::lead::Leader;
use super::merging::Merging;
use super::options::SubmitOptions;
use super::plan::Plan;
use super::protocol::RunRecord;
use super::protocol::nonce;
use super::reports::Reports;
use super::store::Store;
use super::taken::Taken;
use raudal_common::{Result, blocking};
use raudal_pipeline::files::{self, Existing, Relay, Saved};
use raudal_pipeline::{Merge, Options, RunOptions};
use raudal_source::Input;
use raudal_table::Sink;
use std::sync::{Arc, Mutex};
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
    let begun = match Begun::of(broker, planned, &options.run, &submit).await? {
        Ok(begun) => begun,
        Err(left) => return Ok(left),
    };
    let merge = Merge::begin(sink, &options)?;
    let reports = Arc::new(Mutex::new(Reports::new(&options.run, &submit)));
    let merging = Merging::new(inputs, merge, &options, begun.record.inputs, Arc::clone(&reports))?;
    begun.follow(merging, reports, options.run.cancel, &submit).await
}

/// Starts a run over the fleet, or goes on with one, and saves what the workers fetch as [`files::run`] does on one
/// machine. Files get their names as they come. A run that meets a condition of this machine, such as a full disk, stays:
/// the same call goes on with it.
///
/// When `options.run.cancel` is cancelled, the run goes on: [`cancel`](crate::cancel()) ends it.
///
/// # Errors
///
/// As [`files::run`] and [`submit()`].
pub async fn submit_files<In>(
    broker: &Broker,
    inputs: In,
    mut options: files::Options,
    tell: impl FnMut(&Saved) -> Result<()>,
    submit: SubmitOptions,
) -> Result<Ended<files::Summary>>
where
    In: Iterator<Item = Input> + Clone + Send + 'static,
{
    if options.existing == Existing::Skip {
        (submit.say)("workers fetch also the files that are here, which stay as they are");
    }
    let planned = plan_of_files(files::fetches(inputs.clone(), &options).await?, &submit).await?;
    let begun = match Begun::of(broker, planned, &options.run, &submit).await? {
        Ok(begun) => begun,
        Err(left) => return Ok(left),
    };
    let (folder, run, id) = (options.folder.clone(), begun.record.run.clone(), begun.store.id().await?);
    let taken = blocking(move || Taken::open(&folder, &run, &id)).await??;
    let reports = Arc::new(Mutex::new(Reports::new(&options.run, &submit)));
    let (fetched, gather) = Fetched::new(begun.store.clone(), taken, Arc::clone(&reports), submit.say.clone());
    let leave = options.run.cancel.clone();
    let stop = leave.child_token();
    (options.run.cancel, options.run.observer) = (stop.clone(), Arc::clone(&fetched) as _);
    let relay = Arc::clone(&fetched) as Arc<dyn Relay>;
    let saving = async {
        let saved = Box::pin(files::take(inputs, relay, options, tell)).await;
        // What is left of a run that cannot go on here is not lost.
        fetched.end(saved.as_ref().map_or(true, |summary| summary.condition.is_some()));
        saved
    };
    let following = async {
        let ended = Box::pin(begun.follow(gather, reports, leave, &submit)).await;
        stop.cancel();
        ended
    };
    let (saved, ended) = tokio::join!(saving, following);
    let (mut summary, end) = match (saved?, ended?) {
        (summary, Ended::Merged(end)) => (summary, *end),
        (_, Ended::Left { run, done, chunks }) => return Ok(Ended::Left { run, done, chunks }),
    };
    let stopped = summary.report.stopped;
    summary.report = end.report;
    summary.report.stopped |= stopped;
    summary.warnings.extend(end.warnings);
    if summary.condition.is_none()
        && let Err(error) = blocking(move || fetched.forget()).await?
    {
        summary.warnings.push(error.report());
    }
    Ok(Ended::Merged(Box::new(summary)))
}

/// A run that was announced.
struct Begun {
    broker: Broker,
    store: Store,
    record: RunRecord,
    plan: Plan,
}

impl Begun {
    /// Announces a run. Returns its end if that is all that is wanted.
    async fn of<S>(
        broker: &Broker,
        planned: Planned,
        options: &RunOptions,
        submit: &SubmitOptions,
    ) -> Result<Result<Self, Ended<S>>> {
        let (record, store) = announce(broker, &planned, options, submit).await?;
        let chunks = planned.plan.chunks.len();
        let counted = |n: u64, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
        let (inputs, of) = (counted(record.inputs, "input"), counted(chunks as u64, "chunk"));
        (submit.say)(&format!("the run is {} ({inputs} in {of})", record.run));
        if submit.detach {
            return Ok(Err(Ended::Left { run: record.run, done: store.chunks().await?.len(), chunks }));
        }
        Ok(Ok(Self { broker: broker.clone(), store, record, plan: planned.plan }))
    }

    /// Leads the run, and gathers its parts.
    async fn follow<G: Gather>(
        self,
        gather: G,
        reports: Arc<Mutex<Reports>>,
        leave: CancellationToken,
        submit: &SubmitOptions,
    ) -> Result<Ended<G::Summary>> {
        let Self { broker, store, record, plan } = self;
        let chunks = plan.chunks.len();
        let leads = CancellationToken::new();
        let leader = Leader {
            broker: broker.clone(),
            store: store.clone(),
            record: record.clone(),
            plan: Some(plan),
            who: format!("submitter-{}", nonce()),
            stays: true,
        };
        let leading = tokio::spawn(leader.run(leads.clone()));
        let follower = Follower {
            broker,
            arrivals: Arrivals::new(store.clone(), chunks),
            store,
            record,
            gather,
            leave,
            reports,
            said: Said::new(submit.say.clone()),
            begun: Instant::now(),
        };
        let ended = follower.run().await;
        leads.cancel();
        let _ = leading.await;
        ended
    }
}
