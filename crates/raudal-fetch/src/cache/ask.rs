//! Fetches a URL with a cache: uses a stored body if it is allowed, and stores new ones.

use std::fs::File;
use std::io::Seek;
use std::sync::atomic::Ordering;

use reqwest::header::{self, HeaderMap, HeaderValue};
use url::Url;

use super::store::key;
use super::{Cache, CacheMode, Entry};
use crate::body::spool::{Stored, blocking};
use crate::client::Inner;
use crate::http::redirect;
use crate::transfer::attempt::Ask;
use crate::transfer::local;
use crate::{Answered, Body, Expect, Partial};
use raudal_common::error::redact;
use raudal_common::{Error, Kind, Result};
use raudal_source::Location;

/// A cache entry that is being revalidated.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    key: String,
    entry: Entry,
}

impl Known {
    /// Adds the headers that request the body from this address only if it has changed. Validators
    /// belong to one resource, so they are sent only to the URL that the body came from.
    pub(crate) fn ask(&self, here: &Url, headers: &mut HeaderMap) -> bool {
        let Entry { head, final_url, .. } = &self.entry;
        let mut here = here.clone();
        here.set_fragment(None);
        if redact(here.as_str()) != *final_url {
            return false;
        }
        let value = |text: &Option<String>| HeaderValue::from_str(text.as_deref()?).ok();
        let (tag, date) = (value(&head.etag), value(&head.last_modified));
        let asks = tag.is_some() || date.is_some();
        headers.extend(tag.map(|tag| (header::IF_NONE_MATCH, tag)));
        headers.extend(date.map(|date| (header::IF_MODIFIED_SINCE, date)));
        asks
    }
}

impl Inner {
    /// Fetches a URL, or takes it from the cache. `kept` holds what an earlier attempt left; after
    /// a failure it holds what this one leaves.
    pub(crate) async fn get(&self, ask: Ask<'_>, kept: &mut Option<Partial>) -> Result<Body> {
        let Some(cache) = &self.options.cache else {
            return self.whole(ask, kept).await;
        };
        let key = self.key(ask.url);
        match (&key, cache.0.mode) {
            (None, CacheMode::Offline) => {
                return Err(missing("not in the cache: what is fetched with credentials is never kept there"));
            }
            (None, _) => return self.whole(ask, kept).await,
            (Some(key), CacheMode::Offline) => return self.stored(cache, key, ask).await,
            _ => {}
        }
        let key = key.unwrap_or_default();
        if cache.0.mode == CacheMode::Revalidate && kept.is_none() {
            let (looked, own) = (cache.clone(), key.clone());
            let found = blocking(move || looked.entry(&own)).await?;
            if let Some(entry) = found {
                let known = Known { key: key.clone(), entry };
                match self.load(ask, kept, Some(&known)).await? {
                    Some(body) => return keep(cache, key, ask.url, body).await,
                    None => {
                        if let Some((file, Ok(()))) = known.open(cache, ask.expect).await? {
                            return serve(cache, known.entry, file, ask).await;
                        }
                        // The entry is damaged or of the wrong type: fetch as if it did not exist.
                    }
                }
            }
        }
        let body = self.whole(ask, kept).await?;
        keep(cache, key, ask.url, body).await
    }

    /// Fetches the whole body, without asking whether it has changed.
    async fn whole(&self, ask: Ask<'_>, kept: &mut Option<Partial>) -> Result<Body> {
        let body = self.load(ask, kept, None).await?;
        body.ok_or_else(|| Error::new(Kind::Status(304), "the server answered: 304 Not Modified"))
    }

    /// Returns the stored body, without any request.
    async fn stored(&self, cache: &Cache, key: &str, ask: Ask<'_>) -> Result<Body> {
        let (looked, own) = (cache.clone(), key.to_owned());
        let Some(entry) = blocking(move || looked.entry(&own)).await? else {
            return Err(missing("not in the cache"));
        };
        let known = Known { key: key.to_owned(), entry };
        match known.open(cache, ask.expect).await? {
            Some((file, Ok(()))) => serve(cache, known.entry, file, ask).await,
            Some((_, Err(message))) => Err(Error::new(Kind::Impostor, message).transient(false)),
            None => Err(missing("what the cache has of it is damaged")),
        }
    }

    /// Returns the cache key of a URL; `None` if the response must not be cached.
    fn key(&self, url: &Url) -> Option<String> {
        let is_personal = self.options.cert.is_some() || redirect::is_personal(url, &self.headers, &self.options.netrc);
        (!is_personal).then(|| key(url, &self.headers))
    }

    /// Returns the size of the cached body.
    pub(crate) fn known_size(&self, url: &Url) -> Option<u64> {
        let (cache, key) = (self.options.cache.as_ref()?, self.key(url)?);
        Some(cache.entry(&key)?.size)
    }

    /// Removes the entry of this URL, because its body has turned out to be bad.
    pub(crate) fn forget(&self, url: &Url) {
        if let (Some(cache), Some(key)) = (&self.options.cache, self.key(url))
            && cache.0.mode != CacheMode::Offline
        {
            cache.remove(&key);
        }
    }
}

impl Known {
    /// Opens the stored bytes, and says whether they have the expected type. `None` if they are
    /// damaged.
    async fn open(&self, cache: &Cache, expect: Expect) -> Result<Option<(File, Result<(), String>)>> {
        let (cache, known) = (cache.clone(), self.clone());
        let opened = blocking(move || cache.open(&known.key, &known.entry)).await?;
        Ok(opened.map(|(file, table)| (file, if expect == Expect::Table { table } else { Ok(()) })))
    }
}

/// Returns a body from the cache.
async fn serve(cache: &Cache, entry: Entry, file: File, Ask { watch, place, .. }: Ask<'_>) -> Result<Body> {
    let here = Url::parse(&entry.final_url).map_err(|_| missing("what the cache has of it is damaged"))?;
    let (length, disposition) = (Some(entry.size), entry.head.disposition.as_deref());
    watch.answered(&Answered { from: &here, disposition, length })?;
    watch.expected(entry.size);
    let body = Body { location: Location::Url(here), length: entry.size, head: entry.head, stored: Stored::File(file) };
    let body = match place {
        Some(place) => local::into_place(body, place).await?,
        None => body,
    };
    watch.advanced(body.length);
    cache.0.hits.fetch_add(1, Ordering::Relaxed);
    Ok(body)
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
    Error::new(Kind::NotCached, what).hint("without [`offline`] it is fetched")
}
