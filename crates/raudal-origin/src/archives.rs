//! Makes each archive once, when it is first requested, a few at a time, and keeps it.

use super::{MODIFIED, synth};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use httpdate::HttpDate;
use hyper::body::Bytes;
use raudal_catalogue::{Edition, Entry, iter_2020};
use raudal_common::{Error, Result};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};
use tokio::sync::{Mutex, Semaphore};
use tokio_util::task::TaskTracker;

/// An archive and its validator.
#[derive(Clone, Debug)]
pub(super) struct ServedArchive {
    pub(super) bytes: Bytes,
    /// A strong entity tag, with its quotes, computed from the content.
    pub(super) etag: String,
    pub(super) modified: HttpDate,
}

impl ServedArchive {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        let etag = format!("\"{:x}-{:08x}\"", bytes.len(), crc32fast::hash(&bytes));
        Self { bytes: bytes.into(), etag, modified: *MODIFIED }
    }

    /// Creates an archive that replaces another one a day later.
    pub(super) fn newer(bytes: Vec<u8>) -> Self {
        let modified = SystemTime::from(*MODIFIED) + Duration::from_secs(24 * 60 * 60);
        Self { modified: modified.into(), ..Self::new(bytes) }
    }
}

/// One archive, made or not.
#[derive(Debug, Default)]
struct ArchiveSlot {
    /// Held by the task that makes it. The others wait here without using a CPU.
    turn: Mutex<()>,
    made: OnceLock<std::result::Result<ServedArchive, Arc<Error>>>,
}

/// All archives of both editions, made or not.
#[derive(Debug)]
pub(super) struct ArchiveStore {
    slots: Vec<(Edition, Vec<Arc<ArchiveSlot>>)>,
    /// One permit for each CPU.
    makers: Arc<Semaphore>,
    cores: usize,
    /// The archives being made on blocking threads; a shutdown waits for them.
    running: TaskTracker,
    scale: f64,
    seed: u64,
}

impl ArchiveStore {
    pub(super) fn new(scale: f64, seed: u64) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let entities = iter_2020::catalogue().entries().len();
        let slots = iter_2020::catalogue()
            .editions()
            .map(|edition| (edition, (0..entities).map(|_| Arc::default()).collect()))
            .collect();
        Self { slots, makers: Arc::new(Semaphore::new(cores)), cores, running: TaskTracker::new(), scale, seed }
    }

    /// Returns the seed of everything that is made.
    pub(super) fn seed(&self) -> u64 {
        self.seed
    }

    /// Returns the archive, and makes it first if necessary. If the caller is dropped before its turn, nothing is
    /// made. After that, the archive is finished and kept.
    pub(super) async fn get(&self, entity: &'static Entry, edition: Edition) -> Result<ServedArchive> {
        let slot = self.slot(entity, edition)?;
        if slot.made.get().is_none() {
            let _turn = slot.turn.lock().await;
            if slot.made.get().is_none() {
                self.make(Arc::clone(slot), entity, edition).await?;
            }
        }
        match slot.made.get() {
            Some(Ok(archive)) => Ok(archive.clone()),
            Some(Err(error)) => Err(Error::new(error.kind(), error.report())),
            None => Err(internal("an archive was not made")),
        }
    }

    /// Makes the archives of these entities: the largest first, so that it is not left for the end.
    pub(super) async fn prepare(&self, edition: Edition, codes: &[u32]) -> Result<()> {
        let entities = iter_2020::catalogue().entries();
        let mut wanted = codes
            .iter()
            .map(|&code| {
                entities.iter().find(|entity| entity.number() == code).ok_or_else(|| {
                    Error::usage(format!("no such entity: {code}")).hint("choose an entity from 1 to 32")
                })
            })
            .collect::<Result<Vec<_>>>()?;
        wanted.sort_by_key(|entity| std::cmp::Reverse(entity.rows));
        stream::iter(wanted)
            .map(|entity| self.get(entity, edition))
            .buffer_unordered(self.cores)
            .try_for_each(|_| std::future::ready(Ok(())))
            .await
    }

    /// Waits for the archives that are being made.
    pub(super) async fn settle(&self) {
        self.running.close();
        self.running.wait().await;
    }

    async fn make(&self, slot: Arc<ArchiveSlot>, entity: &'static Entry, edition: Edition) -> Result<()> {
        let permit = Arc::clone(&self.makers).acquire_owned().await.map_err(|_| internal("no makers are left"))?;
        let (scale, seed) = (self.scale, self.seed);
        let work = self.running.spawn_blocking(move || {
            // If a caller went away, a second maker waits here for the first.
            slot.made
                .get_or_init(|| synth::archive(entity, edition, scale, seed).map(ServedArchive::new).map_err(Arc::new));
            drop(permit);
        });
        work.await.map_err(|error| internal("making an archive failed").because(error))
    }

    fn slot(&self, entity: &Entry, edition: Edition) -> Result<&Arc<ArchiveSlot>> {
        let slots = self.slots.iter().find(|(of, _)| *of == edition).map(|(_, slots)| slots);
        slots
            .and_then(|slots| slots.get((entity.number() as usize).wrapping_sub(1)))
            .ok_or_else(|| internal("an entity that is not in the catalogue"))
    }
}

fn internal(message: &str) -> Error {
    Error::new(raudal_common::Kind::Internal, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_archive_is_made_once_however_many_ask() {
        let archives = ArchiveStore::new(0.01, 0);
        let colima = &iter_2020::catalogue().entries()[5];
        let all = futures::future::join_all((0..20).map(|_| archives.get(colima, iter_2020::MICRODATOS))).await;
        let pointers: Vec<_> = all.into_iter().map(|made| made.expect("an archive").bytes.as_ptr()).collect();
        assert!(pointers.windows(2).all(|two| two[0] == two[1]));
    }

    #[tokio::test]
    async fn a_caller_that_goes_away_leaves_the_others_their_archive() {
        let archives = ArchiveStore::new(0.01, 0);
        let colima = &iter_2020::catalogue().entries()[5];
        // Polled once: the making has begun.
        assert!(futures::poll!(Box::pin(archives.get(colima, iter_2020::MICRODATOS))).is_pending());
        archives.get(colima, iter_2020::MICRODATOS).await.expect("an archive");
        archives.settle().await;
    }

    #[tokio::test]
    async fn an_entity_that_does_not_exist_cannot_be_prepared() {
        let error = ArchiveStore::new(0.01, 0).prepare(iter_2020::MICRODATOS, &[1, 33]).await.expect_err("33");
        assert_eq!(error.to_string(), "no such entity: 33");
    }
}
