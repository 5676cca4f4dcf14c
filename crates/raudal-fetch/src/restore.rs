//! A body that goes to a [`Place`], and what an earlier run has left there.

use std::fs::File;
use std::sync::Arc;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use sha2::{Digest, Sha256};
use url::Url;

use super::Expect;
use super::digest::{self, Digests};
use super::page::Look;
use super::partial::Partial;
use super::place::{Found, Mark, Place, Sidecar};
use super::range::Validator;
use super::spool::{BLOCK, Room, Spool};
use raudal_common::Result;
use raudal_common::atomic_file::hex;
use raudal_common::error::redact;

/// A body on its way to a place, in blocks.
#[derive(Debug)]
pub(super) struct Named {
    place: Place,
    /// What is recorded with each block; `None` if no other run could go on anyway.
    sidecar: Option<Sidecar>,
    block: Vec<u8>,
    written: u64,
    hasher: Sha256,
}

impl Named {
    pub(super) fn new(place: &Place, sidecar: Option<Sidecar>) -> Self {
        let sidecar = sidecar.filter(|_| place.keeps());
        Self { place: place.clone(), sidecar, block: Vec::with_capacity(BLOCK), written: 0, hasher: Sha256::new() }
    }

    /// How many bytes are written.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// Takes what fits into the block, and gives back the rest.
    pub(super) fn take<'a>(&mut self, data: &'a [u8]) -> &'a [u8] {
        let (now, later) = data.split_at(data.len().min(BLOCK.saturating_sub(self.block.len())));
        self.block.extend_from_slice(now);
        later
    }

    pub(super) fn is_full(&self) -> bool {
        self.block.len() >= BLOCK
    }

    /// Writes the block, and says so in the sidecar. It blocks.
    pub(super) fn flush(&mut self) -> Result<()> {
        self.place.write(self.written, &self.block)?;
        self.hasher.update(&self.block);
        self.written += self.block.len() as u64;
        self.block.clear();
        if let Some(sidecar) = &mut self.sidecar {
            (sidecar.received, sidecar.sha256) = (self.written, hex(&self.hasher.clone().finalize()));
            self.place.record(sidecar);
        }
        Ok(())
    }

    /// The file, for whoever reads along.
    pub(super) fn reader(&self) -> Option<File> {
        self.place.reader().ok()
    }

    /// All of it is there: a reader over it, and the SHA-256 of what is in it.
    pub(super) fn finish(mut self) -> Result<(File, String)> {
        if self.written == 0 || !self.block.is_empty() {
            self.flush()?;
        }
        Ok((self.place.reader()?, hex(&self.hasher.clone().finalize())))
    }

    /// The bytes are bad: neither those that wait nor those that were written are kept.
    pub(super) fn abandon(&mut self) {
        self.block.clear();
        self.sidecar = None;
        if self.written > 0 {
            self.place.clear();
        }
    }
}

/// Whoever drops it half-way, by Ctrl-C or a time-out, loses nothing that has arrived. A block is little to wait for.
impl Drop for Named {
    fn drop(&mut self) {
        if self.sidecar.is_some() && !self.block.is_empty() {
            let _ = self.flush();
        }
    }
}

/// The sidecar of a body, if it has a validator by which a later run can go on.
pub(super) fn sidecar(partial: &Partial, headers: &HeaderMap) -> Option<Sidecar> {
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

/// What an earlier run has left in a place, ready to go on. It blocks, for as long as the bytes take to be hashed.
pub(super) fn restore(place: &Place, room: &Arc<Room>, url: &Url, expect: Expect) -> Option<Partial> {
    let mut first = Vec::new();
    // The digests are known only once the sidecar was read: their turn is a second reading, if there are any.
    let found = place.look(&redact(url.as_str()), |bytes| {
        let room = super::page::LOOK.saturating_sub(first.len());
        first.extend_from_slice(&bytes[..bytes.len().min(room)]);
    })?;
    let partial = partial(place, room, url, expect, found, &first);
    if partial.is_none() {
        place.clear();
    }
    partial
}

fn partial(place: &Place, room: &Arc<Room>, url: &Url, expect: Expect, found: Found, first: &[u8]) -> Option<Partial> {
    let Found { sidecar, hasher } = found;
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
    let look = match expect {
        Expect::Any => None,
        Expect::Table => {
            let mut look = Look::new(sidecar.head.is_page());
            look.more(first).ok()?;
            Some(look)
        }
    };
    Some(Partial {
        asked: url.clone(),
        expect,
        here: Url::parse(&sidecar.final_url).ok()?,
        head: sidecar.head.clone(),
        validator: Some(validator),
        total: sidecar.total,
        digests,
        told: false,
        help_failed: false,
        look,
        spool: Spool::named(
            room,
            Named {
                place: place.clone(),
                written: sidecar.received,
                sidecar: Some(sidecar),
                block: Vec::new(),
                hasher,
            },
        ),
    })
}
