//! Inputs that stand for others: globs for objects in cloud stores, and pages with `--links`.

use super::args::SourceArgs;
use super::inputs::Inputs;
use super::wording::options;
use raudal::fetch::Client;
use raudal::pipeline::{RunOptions, linked, listed};
use raudal::progress::Progress;
use raudal::source::Links;
use raudal::{Error, Kind, Result};
use std::time::Duration;

/// Returns the links that are asked for, before anything is fetched.
pub(crate) fn wanted(args: &SourceArgs) -> Result<Option<Links>> {
    // An empty variable names no links.
    let Some(glob) = args.links.as_deref().filter(|glob| !glob.is_empty()) else { return Ok(None) };
    Ok(Some(Links::new(glob)?.any_host(args.links_any_host)))
}

/// Returns the inputs of a run: those that are given, the objects of their globs, or the links on them.
pub(crate) async fn follow(
    links: Option<&Links>,
    inputs: Inputs,
    client: &Client,
    run: &RunOptions,
    deadline: Option<Duration>,
    progress: &Progress,
) -> Result<Inputs> {
    let inputs = if inputs.has_globs() {
        within(deadline, "the stores were listed", listed(inputs, client)).await?.into()
    } else {
        inputs
    };
    let Some(links) = links else { return Ok(inputs) };
    let following = linked(inputs.collect(), client, run, links);
    let linked = within(deadline, "the pages with the links were fetched", following).await?;
    for warning in &linked.warnings {
        progress.note(&format!("warning: {}", options(warning)));
    }
    Ok(linked.inputs.into())
}

async fn within<T>(deadline: Option<Duration>, what: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
    let Some(deadline) = deadline else { return work.await };
    let done = tokio::time::timeout(deadline, work).await;
    done.map_err(|_| Error::new(Kind::Deadline, format!("the deadline passed while {what}")))?
}
