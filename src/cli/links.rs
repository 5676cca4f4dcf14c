//! `--links`: the inputs are the links on pages.

use super::args::SourceArgs;
use super::inputs::Inputs;
use super::wording::options;
use raudal::fetch::Client;
use raudal::pipeline::{RunOptions, linked};
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

/// Returns the inputs of a run: those that are given, or the links on them.
pub(crate) async fn follow(
    links: Option<&Links>,
    inputs: Inputs,
    client: &Client,
    run: &RunOptions,
    deadline: Option<Duration>,
    progress: &Progress,
) -> Result<Inputs> {
    let Some(links) = links else { return Ok(inputs) };
    let pages = inputs.collect();
    let following = linked(pages, client, run, links);
    let linked = match deadline {
        Some(deadline) => tokio::time::timeout(deadline, following).await.map_err(|_| {
            Error::new(Kind::Deadline, "the deadline passed while the pages with the links were fetched")
        })?,
        None => following.await,
    }?;
    for warning in &linked.warnings {
        progress.note(&format!("warning: {}", options(warning)));
    }
    Ok(linked.inputs.into())
}
