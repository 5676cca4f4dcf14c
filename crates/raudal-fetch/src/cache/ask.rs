//! Fetches a URL with a cache: uses a stored body if it is allowed, and stores new ones.

use std::fs::File;
use std::io::Seek;
use std::ops::ControlFlow::{self, Break, Continue};
use std::sync::atomic::Ordering;

use url::Url;

use super::store::key;
use super::{Cache, CacheEntry, CacheMode};
use crate::body::spool::Stored;
use crate::http::conditional::Validators;
use crate::http::html::Page;
use crate::http::response::Head;
use crate::request::ResponseHead;
use crate::transfer::attempt::{self, Ask, Loaded};
use crate::transfer::local;
use crate::transfer::transport::Transport;
use crate::{Body, Partial};
use raudal_common::blocking;
use raudal_common::{Error, Kind, Result};
use raudal_source::Location;

/// A body, or a break if [`Request::accept`](crate::Request::accept) declined it.
type Fetched = ControlFlow<(), Body>;

/// An entry of the cache, with its key.
#[derive(Clone, Debug)]
struct FoundEntry {
    key: String,
    entry: CacheEntry,
}

/// Fetches a URL, or takes it from the cache. `kept` holds the bytes of an earlier attempt, and after
/// a failure those of this one.
pub(crate) async fn get(transport: &Transport, ask: Ask<'_>, kept: &mut Option<Partial>) -> Result<Fetched> {
    let Some(cache) = &transport.options().cache else {
        return whole(transport, ask, kept).await;
    };
    let key = key_of(transport, ask.url);
    match (&key, cache.0.mode) {
        (None, CacheMode::Offline) => {
            return Err(missing("not in the cache, which never holds what is fetched with credentials"));
        }
        (None, _) => return whole(transport, ask, kept).await,
        (Some(key), CacheMode::Offline) => return stored(cache, key, ask).await,
        _ => {}
    }
    let key = key.unwrap_or_default();
    if cache.0.mode == CacheMode::Revalidate && kept.is_none() {
        let (looked, own) = (cache.clone(), key.clone());
        if let Some(entry) = blocking(move || looked.entry(&own)).await? {
            let found = FoundEntry { key: key.clone(), entry };
            match attempt::load(transport, ask, kept, Some(&found.known())).await? {
                Loaded::Body(body) => return keep(cache, key, ask.url, body).await.map(Continue),
                Loaded::Declined => return Ok(Break(())),
                Loaded::NotModified => {
                    if let Some((file, Ok(()))) = found.open(cache, ask).await? {
                        return serve(cache, found.entry, file, ask).await;
                    }
                    // The entry is damaged, or not a table: fetch as if it did not exist.
                }
            }
        }
    }
    match whole(transport, ask, kept).await? {
        Continue(body) => keep(cache, key, ask.url, body).await.map(Continue),
        Break(()) => Ok(Break(())),
    }
}

/// Fetches a URL if it has changed. A new body is stored in the cache. Cached bodies are not used.
pub(crate) async fn get_if_changed(
    transport: &Transport,
    ask: Ask<'_>,
    known: &Validators,
    kept: &mut Option<Partial>,
) -> Result<Loaded> {
    let cache = transport.options().cache.as_ref();
    if cache.is_some_and(|cache| cache.0.mode != CacheMode::Revalidate) {
        return Ok(match get(transport, ask, kept).await? {
            Continue(body) => Loaded::Body(body),
            Break(()) => Loaded::Declined,
        });
    }
    let loaded = attempt::load(transport, ask, kept, Some(known)).await?;
    match (loaded, cache, key_of(transport, ask.url)) {
        (Loaded::Body(body), Some(cache), Some(key)) => keep(cache, key, ask.url, body).await.map(Loaded::Body),
        (loaded, ..) => Ok(loaded),
    }
}

/// Fetches the whole body without a condition.
async fn whole(transport: &Transport, ask: Ask<'_>, kept: &mut Option<Partial>) -> Result<Fetched> {
    match attempt::load(transport, ask, kept, None).await? {
        Loaded::Body(body) => Ok(Continue(body)),
        Loaded::Declined => Ok(Break(())),
        Loaded::NotModified => Err(Error::new(Kind::Status(304), "the server answered: 304 Not Modified")),
    }
}

/// Returns the cached body. Sends no request.
async fn stored(cache: &Cache, key: &str, ask: Ask<'_>) -> Result<Fetched> {
    let (looked, own) = (cache.clone(), key.to_owned());
    let Some(entry) = blocking(move || looked.entry(&own)).await? else {
        return Err(missing("not in the cache"));
    };
    let found = FoundEntry { key: key.to_owned(), entry };
    match found.open(cache, ask).await? {
        Some((file, Ok(()))) => serve(cache, found.entry, file, ask).await,
        Some((_, Err(page))) => Err(Error::new(Kind::Impostor, page.message()).transient(false)),
        None => Err(missing("the cached copy is damaged")),
    }
}

/// Returns the key of a URL in the cache, or `None` if its body must not be stored.
fn key_of(transport: &Transport, url: &Url) -> Option<String> {
    let requests = &transport.requests;
    (!requests.is_personal(url)).then(|| key(url, requests.headers()))
}

/// Returns the length of the cached body, in bytes.
pub(crate) fn known_size(transport: &Transport, url: &Url) -> Option<u64> {
    let (cache, key) = (transport.options().cache.as_ref()?, key_of(transport, url)?);
    Some(cache.entry(&key)?.size)
}

/// Removes the entry of this URL, because its bytes turned out to be bad.
pub(crate) fn forget(transport: &Transport, url: &Url) {
    if let (Some(cache), Some(key)) = (&transport.options().cache, key_of(transport, url))
        && cache.0.mode != CacheMode::Offline
    {
        cache.remove(&key);
    }
}

impl FoundEntry {
    /// Returns the validators for a conditional request.
    fn known(&self) -> Validators {
        let Head { etag, last_modified, .. } = &self.entry.head;
        Validators::new(&self.entry.final_url, etag.as_deref(), last_modified.as_deref())
    }

    /// Opens the stored bytes. Also returns whether they are what is expected, or `None` if they are
    /// damaged.
    async fn open(&self, cache: &Cache, ask: Ask<'_>) -> Result<Option<(File, Result<(), Page>)>> {
        let (cache, found) = (cache.clone(), self.clone());
        let look = ask.request.expect.look(ask.url, &found.entry.head);
        blocking(move || cache.open(&found.key, &found.entry, look)).await
    }
}

/// Returns a body from the cache.
async fn serve(cache: &Cache, entry: CacheEntry, file: File, ask: Ask<'_>) -> Result<Fetched> {
    let request = ask.request;
    let here = Url::parse(&entry.final_url).map_err(|_| missing("the cached copy is damaged"))?;
    let (length, disposition) = (Some(entry.size), entry.head.disposition.as_deref());
    if request.judge(&ResponseHead { from: &here, disposition, length }).is_break() {
        return Ok(Break(()));
    }
    request.progress.expected(entry.size);
    let body = Body { location: Location::Url(here), length: entry.size, head: entry.head, stored: Stored::File(file) };
    let body = match request.file {
        Some(file) => local::into_file(body, file).await?,
        None => body,
    };
    request.progress.advanced(body.length);
    cache.0.hits.fetch_add(1, Ordering::Relaxed);
    Ok(Continue(body))
}

/// Stores a body, if it may be stored. A failure to store is not a failure of the fetch.
async fn keep(cache: &Cache, key: String, url: &Url, body: Body) -> Result<Body> {
    let (cache, url) = (cache.clone(), url.clone());
    blocking(move || {
        if body.head.no_store {
            cache.remove(&key);
            return Ok(body);
        }
        if let Err(error) = cache.store(&key, &url, &body.location.to_string(), &body) {
            cache.note_problem(&error);
        }
        if let Stored::File(file) | Stored::Kept(file, _) = &body.stored {
            let mut file: &File = file;
            file.rewind().map_err(|error| Error::io("cannot read the body again", error))?;
        }
        Ok(body)
    })
    .await?
}

fn missing(what: &str) -> Error {
    Error::new(Kind::NotCached, what).hint("leave out [`offline`] to fetch it")
}
