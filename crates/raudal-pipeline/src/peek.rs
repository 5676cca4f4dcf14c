//! Inspects one input by reading a few ranges of it.

use crate::run::failure::failure;
use crate::run::options::RunOptions;
use crate::run::partials::Partials;
use crate::run::policies::{self, policies};
use crate::run::slowed::Slowed;
use crate::table::job::served;
use raudal_common::{Error, Kind, Result, blocking};
use raudal_fetch::{Client, PartReader};
use raudal_pool::{Context, NoObserver};
use raudal_source::{FoundLinks, Input, Links, Location};
use raudal_table::{Peek, Query};
use std::io::{Read, Seek};
use std::sync::Arc;

/// Bytes of a page that are read for its links.
const PAGE: u64 = 8 << 20;

/// What [`peek`] found out about an input.
#[derive(Debug)]
#[non_exhaustive]
pub struct Peeked {
    /// Where the bytes are, after all redirects.
    pub location: Location,
    /// The size of the input in bytes, if the server says it.
    pub size: Option<u64>,
    /// The number of bytes fetched, in the bodies of responses. `None` for a local input.
    pub fetched: Option<u64>,
    /// The number of ranges that were fetched. 0 if the server does not send ranges.
    pub ranges: u64,
    /// Whether every part of the input could be read. If not, the server does not send ranges, and only the beginning
    /// was available.
    pub is_whole: bool,
    /// What the input is.
    pub peek: Peek,
    /// The links on it to files of its host, if it is a page.
    pub links: FoundLinks,
}

/// Inspects an input. Fetches at most `most` bytes of a URL.
///
/// It is retried as the options say. Their observer, lock and checksums are not used.
///
/// # Errors
///
/// Fails if the input cannot be reached or not be understood.
pub async fn peek(input: Input, client: &Client, options: &RunOptions, query: &Query, most: u64) -> Result<Peeked> {
    let mut options = options.clone();
    options.observer = Arc::new(NoObserver);
    let pool = policies::build(policies::pool(&options))?;
    let (client, query) = (client.clone(), Arc::new(query.clone()));
    let job = move |_: Context<Input>, input: Input| {
        let (client, query) = (client.clone(), Arc::clone(&query));
        async move { look(&client, &input, &query, most).await }
    };
    let run = pool.run([input.clone()], job);
    let mut run = policies(run, &options, Arc::<Partials>::default(), Arc::<Slowed>::default()).start();
    let cancelled = || Error::new(Kind::Cancelled, "cancelled");
    let done = run.next().await.ok_or_else(cancelled)?;
    run.join().await;
    done.result.map_err(|error| failure(error, &input).unwrap_or_else(cancelled))
}

async fn look(client: &Client, input: &Input, query: &Query, most: u64) -> Result<Peeked> {
    let mut reader = client.open(&input.location, most).await?;
    let mut query = query.clone();
    query.served = served(reader.media_type(), reader.charset(), reader.disposition());
    let name = input.location.to_string();
    blocking(move || {
        let mut peek = raudal_table::peek(&mut reader, &name, &query)?;
        peek.warnings.extend(reader.warnings().iter().cloned());
        let links = if peek.is_page() { links(&mut reader)? } else { FoundLinks::default() };
        Ok(Peeked {
            location: reader.location().clone(),
            size: reader.length(),
            fetched: reader.fetched(),
            ranges: reader.ranges(),
            is_whole: reader.is_whole(),
            peek,
            links,
        })
    })
    .await?
}

/// Returns the links on a page, as far as it can be read.
fn links(reader: &mut PartReader) -> Result<FoundLinks> {
    let Some(at) = crate::links::address(reader.location()) else { return Ok(FoundLinks::default()) };
    let mut page = Vec::new();
    reader.rewind().map_err(|error| Error::io("cannot read the page", error))?;
    // If the page cannot be read to its end, its beginning still has links.
    let _ = reader.take(PAGE).read_to_end(&mut page);
    Ok(Links::new("**")?.on(&page, &at))
}
