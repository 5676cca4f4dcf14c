//! Fetches the parts that are known, a few at once, and checks each of them.

use super::content::SpooledOrFile;
use super::part;
use super::protocol::InputLine;
use super::store::{Store, part_name};
use raudal_common::{Error, Kind, Result, blocking};
use std::collections::{BTreeSet, HashSet};
use tokio::task::JoinSet;

/// Parts that are fetched at once.
const FETCHES: usize = 4;

/// A part that has come, checked, and what became of its inputs.
pub(crate) type Arrived = (SpooledOrFile, Vec<InputLine>);

/// The parts of a run.
pub(crate) struct Arrivals {
    store: Store,
    chunks: usize,
    /// The chunks whose parts are there.
    known: HashSet<u32>,
    /// Those that are not fetched yet.
    queue: BTreeSet<u32>,
    fetching: JoinSet<(u32, Result<Arrived>)>,
}

impl Arrivals {
    pub(crate) fn new(store: Store, chunks: usize) -> Self {
        Self { store, chunks, known: HashSet::new(), queue: BTreeSet::new(), fetching: JoinSet::new() }
    }

    /// How many parts are there.
    pub(crate) fn known(&self) -> usize {
        self.known.len()
    }

    /// How many parts there will be.
    pub(crate) fn all(&self) -> usize {
        self.chunks
    }

    /// A part is there.
    pub(crate) fn know(&mut self, chunk: u32) {
        if (chunk as usize) < self.chunks && self.known.insert(chunk) {
            self.queue.insert(chunk);
        }
    }

    /// A part is gone again.
    pub(crate) fn forget(&mut self, chunk: u32) {
        self.known.remove(&chunk);
    }

    /// Fetches a part again.
    pub(crate) fn again(&mut self, chunk: u32) {
        self.queue.insert(chunk);
    }

    /// Begins to fetch the next parts.
    pub(crate) fn fetch(&mut self) {
        while self.fetching.len() < FETCHES
            && let Some(chunk) = self.queue.pop_first()
        {
            let store = self.store.clone();
            self.fetching.spawn(async move { (chunk, fetch(&store, chunk).await) });
        }
    }

    /// Returns the next part that has come, or why it has not. `None` if none is fetched. May be dropped and called
    /// again.
    pub(crate) async fn next(&mut self) -> Option<Result<(u32, Result<Arrived>)>> {
        let fetched = self.fetching.join_next().await?;
        Some(fetched.map_err(|error| Error::new(Kind::Internal, "a panic while a part was fetched").because(error)))
    }

    /// Fetches no more.
    pub(crate) async fn stop(&mut self) {
        self.fetching.shutdown().await;
    }
}

/// Fetches a part, and checks all of it.
async fn fetch(store: &Store, chunk: u32) -> Result<Arrived> {
    let part = store.get(&part_name(chunk)).await?;
    // A change of threads would cost more than to check a small one.
    if matches!(part, SpooledOrFile::Memory(_)) { check(part) } else { blocking(move || check(part)).await? }
}

fn check(mut part: SpooledOrFile) -> Result<Arrived> {
    part::check(&mut part)?;
    let mut lines = Vec::new();
    while let Some((rest, text)) = part::next(&mut part)? {
        lines.push(part::line(&text)?);
        skip(&mut part, rest)?;
    }
    part::rewind(&mut part)?;
    Ok((part, lines))
}

fn skip(part: &mut SpooledOrFile, bytes: u64) -> Result<()> {
    let to = std::io::SeekFrom::Current(i64::try_from(bytes).unwrap_or(i64::MAX));
    std::io::Seek::seek(part, to).map(drop).map_err(|error| Error::io("cannot read a part", error))
}
