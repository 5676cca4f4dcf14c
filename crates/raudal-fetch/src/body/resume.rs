//! Reads and writes the sidecar of a body that an earlier run has left.

use std::sync::Arc;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use crate::Expect;
use crate::body::file_writer::{BLOCK, FileWriter};
use crate::body::partial::Partial;
use crate::body::partial_file::{FoundFile, PartialFile};
use crate::body::sidecar::{Mark, Sidecar};
use crate::body::spool::{Budget, Spool};
use crate::http::digest::{self, Digests};
use crate::http::range::Validator;
use raudal_common::error::redact;

/// Returns the sidecar of a body, if it has a validator that lets a later run resume it.
pub(crate) fn sidecar(partial: &Partial, headers: &HeaderMap) -> Option<Sidecar> {
    let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
    let mark = match partial.validator.as_ref()? {
        Validator::Tag(tag) => Mark::Etag(text(tag)?),
        Validator::Date(date) => Mark::LastModified(text(date)?),
    };
    let (url, here) = (redact(partial.asked.as_str()), redact(partial.here.as_str()));
    let mut sidecar = Sidecar::new(url, here, mark, partial.head.clone());
    for name in digest::FIELDS {
        let values = headers.get_all(&name).iter().filter_map(text);
        sidecar.digests.extend(values.map(|value| (name.as_str().to_owned(), value)));
    }
    Some(sidecar)
}

/// Restores what an earlier run has left in a partial file, ready to be resumed. It blocks while it
/// hashes the bytes.
pub(crate) fn restore(place: &PartialFile, budget: &Arc<Budget>, url: &Url, expect: Expect) -> Option<Partial> {
    let mut first = Vec::new();
    // The sidecar names the digests, so they can be checked only in a second pass, if there are
    // any.
    let found = place.look(&redact(url.as_str()), |bytes| {
        let room = crate::http::html::LOOK.saturating_sub(first.len());
        first.extend_from_slice(&bytes[..bytes.len().min(room)]);
    })?;
    let partial = partial(place, budget, url, expect, found, &first);
    if partial.is_none() {
        place.clear();
    }
    partial
}

fn partial(
    place: &PartialFile,
    budget: &Arc<Budget>,
    url: &Url,
    expect: Expect,
    found: FoundFile,
    first: &[u8],
) -> Option<Partial> {
    let FoundFile { sidecar, hasher } = found;
    let value = |text: &str| HeaderValue::from_str(text).ok();
    let validator = match &sidecar.validator {
        Mark::Etag(tag) => Validator::Tag(value(tag)?),
        Mark::LastModified(date) => Validator::Date(value(date)?),
    };
    let mut promised = HeaderMap::new();
    for (name, text) in &sidecar.digests {
        promised.append(name.parse::<HeaderName>().ok()?, value(text)?);
    }
    let mut digests = Digests::of_whole(&promised);
    if !digests.is_empty() {
        let mut stored = place.reader().ok()?;
        let mut buffer = vec![0; BLOCK];
        loop {
            match std::io::Read::read(&mut stored, &mut buffer).ok()? {
                0 => break,
                read => digests.update(&buffer[..read]),
            }
        }
    }
    let mut look = expect.look(url, &sidecar.head);
    if let Some(look) = &mut look {
        look.more(first).ok()?;
    }
    Some(Partial {
        asked: url.clone(),
        expect,
        here: Url::parse(&sidecar.final_url).ok()?,
        head: sidecar.head.clone(),
        validator: Some(validator),
        total: sidecar.total,
        digests,
        told: false,
        segment_failed: false,
        look,
        spool: Spool::kept(budget, FileWriter::resumed(place, sidecar, hasher)),
    })
}
