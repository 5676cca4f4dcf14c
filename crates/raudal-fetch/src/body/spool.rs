//! Where a body goes as it arrives: memory while there is room, else a temporary file.
//!
//! The file has no name (on Unix it never had one), so that nothing is left behind even by a kill. It is written on
//! blocking threads, in blocks: the runtime never waits for a disk, and a slow disk slows the sender down.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::Options;
use crate::body::file_writer::{BLOCK, Named};
use crate::body::streaming::Feed;
use raudal_common::{Error, Kind, Result};

/// The first allocation of a body whose length is not known.
const FIRST: usize = 16 * 1024;

/// What all bodies of a client share: the budget, and the choice of folder.
#[derive(Debug)]
pub(crate) struct Room {
    left: AtomicUsize,
    per_body: usize,
    folder: PathBuf,
}

impl Room {
    pub(crate) fn new(options: &Options) -> Arc<Self> {
        Arc::new(Self {
            left: AtomicUsize::new(options.memory),
            per_body: options.memory_per_body,
            folder: options.temporary.clone().unwrap_or_else(std::env::temp_dir),
        })
    }

    /// How much memory is not in use.
    #[cfg(test)]
    pub(crate) fn left(&self) -> usize {
        self.left.load(Ordering::Relaxed)
    }

    fn failed(&self, error: io::Error) -> Error {
        Error::io(format!("cannot write to the temporary folder: {}", self.folder.display()), error)
            .hint("make room there, or let TMPDIR name a folder that has it")
    }
}

/// A part of the budget. It returns by itself.
#[derive(Debug)]
struct Lease {
    room: Arc<Room>,
    size: usize,
}

impl Lease {
    /// Takes as much more as is needed for `size`, or nothing.
    fn grow(&mut self, size: usize) -> bool {
        let more = size.saturating_sub(self.size);
        // Only the number is shared, no memory is published by it: relaxed is enough.
        let taken = self.room.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(more));
        if taken.is_ok() {
            self.size += more;
        }
        taken.is_ok()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.room.left.fetch_add(self.size, Ordering::Relaxed);
    }
}

/// Bytes in memory, and the part of the budget they take.
#[derive(Debug)]
pub(crate) struct Held {
    bytes: Vec<u8>,
    _lease: Lease,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// A whole body.
#[derive(Debug)]
pub(crate) enum Stored {
    Memory(Held),
    /// A file that stands at its beginning.
    File(File),
    /// A file that outlives the run, and the SHA-256 of what is in it.
    Named(File, String),
}

/// A body that is arriving.
#[derive(Debug)]
pub(crate) struct Spool {
    room: Arc<Room>,
    place: Place,
    length: u64,
    /// Who reads along is told through this.
    feed: Option<Feed>,
}

#[derive(Debug)]
enum Place {
    Memory {
        bytes: Vec<u8>,
        lease: Lease,
    },
    /// Bytes that wait for their block to be full, and the file once there is one.
    Disk {
        block: Vec<u8>,
        file: Option<File>,
        written: u64,
    },
    /// A place that was chosen; empty while a block is being written.
    Named(Option<Box<Named>>),
}

impl Spool {
    /// A place for a body; if its length is known, it is in the right one from the start.
    pub(crate) fn new(room: &Arc<Room>, expected: Option<u64>) -> Self {
        let mut lease = Lease { room: Arc::clone(room), size: 0 };
        let wanted = expected.map_or(0, |length| usize::try_from(length).unwrap_or(usize::MAX));
        let place = if wanted <= room.per_body && lease.grow(wanted) {
            Place::Memory { bytes: Vec::with_capacity(wanted), lease }
        } else {
            Place::Disk { block: Vec::with_capacity(BLOCK), file: None, written: 0 }
        };
        Self { room: Arc::clone(room), place, length: 0, feed: None }
    }

    /// A body that goes to a place of its own, where some of it may be already.
    pub(crate) fn named(room: &Arc<Room>, named: Named) -> Self {
        let length = named.written();
        Self { room: Arc::clone(room), place: Place::Named(Some(Box::new(named))), length, feed: None }
    }

    /// The bytes are bad: nothing of them is to be found by a later run.
    pub(crate) fn abandon(&mut self) {
        if let Place::Named(Some(named)) = &mut self.place {
            named.abandon();
        }
    }

    /// Lets others read along what goes to a file, until the body has ended or [breaks off](Self::break_off). `None`: it goes
    /// to memory.
    pub(crate) fn follow(&mut self) -> Option<&Feed> {
        let feed = Feed::new();
        match &self.place {
            Place::Memory { .. } | Place::Named(None) => return None,
            Place::Disk { file, written, .. } => feed.written(*written, || file.as_ref()?.try_clone().ok()),
            Place::Named(Some(named)) => feed.written(named.written(), || named.reader()),
        }
        Some(self.feed.insert(feed))
    }

    /// Nothing more comes in this attempt: who reads along need not wait.
    pub(crate) fn break_off(&mut self) {
        self.feed = None;
    }

    /// How many bytes have arrived.
    pub(crate) fn len(&self) -> u64 {
        self.length
    }

    pub(crate) async fn write(&mut self, mut data: &[u8]) -> Result<()> {
        self.length += data.len() as u64;
        if let Place::Named(place) = &mut self.place {
            return write_named(place, data, self.feed.as_ref()).await;
        }
        if let Place::Memory { bytes, lease } = &mut self.place {
            if make_room(bytes, lease, data.len(), self.room.per_body) {
                bytes.extend_from_slice(data);
                return Ok(());
            }
            // What is in memory becomes the first block, however long it is; its part of the budget returns.
            self.place = Place::Disk { block: std::mem::take(bytes), file: None, written: 0 };
        }
        while !data.is_empty() {
            let Place::Disk { block, .. } = &mut self.place else { unreachable!("a spool never goes back to memory") };
            let (now, later) = data.split_at(data.len().min(BLOCK.saturating_sub(block.len())));
            block.extend_from_slice(now);
            data = later;
            if block.len() >= BLOCK {
                self.flush().await?;
            }
        }
        Ok(())
    }

    /// The whole body, ready to be read from its beginning.
    pub(crate) async fn finish(mut self) -> Result<Stored> {
        if let Place::Disk { .. } = self.place {
            self.flush().await?;
        }
        let stored = match self.place {
            Place::Named(named) => {
                let named = named.ok_or_else(lost)?;
                let (file, sha256) = blocking(move || named.finish()).await??;
                Stored::Named(file, sha256)
            }
            Place::Memory { bytes, lease } => Stored::Memory(Held { bytes, _lease: lease }),
            Place::Disk { file, .. } => {
                let mut file = file.expect("a flush makes the file");
                file.rewind().map_err(|error| self.room.failed(error))?;
                Stored::File(file)
            }
        };
        if let (Some(feed), Stored::File(file) | Stored::Named(file, _)) = (&self.feed, &stored) {
            feed.written(self.length, || file.try_clone().ok());
            feed.complete();
        }
        Ok(stored)
    }

    /// Writes the block that waits, into a file that is made when it is first needed.
    async fn flush(&mut self) -> Result<()> {
        let Place::Disk { block, file, written } = &mut self.place else { return Ok(()) };
        let more = block.len() as u64;
        let (mut bytes, open) = (std::mem::take(block), file.take());
        let room = Arc::clone(&self.room);
        let writing = blocking(move || {
            let mut file = match open {
                Some(file) => file,
                None => tempfile::tempfile_in(&room.folder).map_err(|error| room.failed(error))?,
            };
            file.write_all(&bytes).map_err(|error| room.failed(error))?;
            bytes.clear();
            // What came over from memory may be longer than a block needs to be.
            bytes.shrink_to(BLOCK);
            Ok::<_, Error>((bytes, file))
        });
        let (bytes, open) = writing.await??;
        *written += more;
        if let Some(feed) = &self.feed {
            feed.written(*written, || open.try_clone().ok());
        }
        (*block, *file) = (bytes, Some(open));
        Ok(())
    }
}

/// Fills blocks, and has each written that is full. If the caller goes away meanwhile, the writing is still ended.
async fn write_named(place: &mut Option<Box<Named>>, mut data: &[u8], feed: Option<&Feed>) -> Result<()> {
    while !data.is_empty() {
        let mut named = place.take().ok_or_else(lost)?;
        data = named.take(data);
        if named.is_full() {
            let written;
            (named, written) = blocking(move || {
                let written = named.flush();
                (named, written)
            })
            .await?;
            if let Some(feed) = feed {
                feed.written(named.written(), || named.reader());
            }
            *place = Some(named);
            written?;
        } else {
            *place = Some(named);
        }
    }
    Ok(())
}

fn lost() -> Error {
    Error::new(Kind::Internal, "a body was lost while it was written")
}

/// Makes room in memory for so many bytes more, if both bounds allow it.
fn make_room(bytes: &mut Vec<u8>, lease: &mut Lease, more: usize, per_body: usize) -> bool {
    let needed = bytes.len() + more;
    if needed <= bytes.capacity() {
        return true;
    }
    // Doubling, as `Vec` does it, but no further than the bound; and counted before it is done.
    let wanted = needed.max(bytes.capacity() * 2).max(FIRST).min(per_body);
    if needed > per_body || !lease.grow(wanted) {
        return false;
    }
    bytes.reserve_exact(wanted - bytes.len());
    true
}

/// Runs work that blocks where it may. A panic in it is a fault of the program; without a runtime it is cancelled.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| {
        if error.is_panic() {
            Error::new(Kind::Internal, "a panic while a file was read or written")
        } else {
            Error::new(Kind::Cancelled, "the program is ending")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn room(per_body: usize, memory: usize) -> Arc<Room> {
        Room::new(&Options { memory_per_body: per_body, memory, ..Options::default() })
    }

    async fn spool(room: &Arc<Room>, expected: Option<u64>, body: &[u8], piece: usize) -> Stored {
        let mut spool = Spool::new(room, expected);
        for piece in body.chunks(piece) {
            spool.write(piece).await.expect("room");
        }
        assert_eq!(spool.len(), body.len() as u64);
        spool.finish().await.expect("a body")
    }

    fn bytes(stored: Stored) -> (Vec<u8>, bool) {
        match stored {
            Stored::Memory(held) => (held.as_ref().to_vec(), true),
            Stored::Named(..) => unreachable!("no place was chosen"),
            Stored::File(mut file) => {
                let mut bytes = Vec::new();
                file.read_to_end(&mut bytes).expect("a file");
                (bytes, false)
            }
        }
    }

    #[tokio::test]
    async fn any_size_in_any_pieces_comes_out_as_it_went_in() {
        let body: Vec<u8> = (0..400_000_u32).map(|i| (i % 251) as u8).collect();
        for size in [0, 1, 99_999, 100_000, 100_001, BLOCK, BLOCK + 1, 400_000] {
            for piece in [7_919, 100_000, 400_000] {
                for expected in [None, Some(size as u64)] {
                    let room = room(100_000, 1_000_000);
                    let (back, in_memory) = bytes(spool(&room, expected, &body[..size], piece).await);
                    assert!(back == body[..size], "{size} bytes by {piece}");
                    assert_eq!(in_memory, size <= 100_000);
                    assert_eq!(room.left(), 1_000_000, "the budget is whole again");
                }
            }
        }
    }

    #[tokio::test]
    async fn bodies_share_one_budget_and_give_it_back() {
        let room = room(1000, 1500);
        let first = spool(&room, Some(1000), &[1; 1000], 100).await;
        assert_eq!(room.left(), 500);
        let second = spool(&room, Some(1000), &[2; 1000], 100).await;
        assert_eq!(room.left(), 500);
        assert!(matches!((&first, &second), (Stored::Memory(_), Stored::File(_))));
        drop(first);
        assert_eq!(room.left(), 1500);
        assert!(matches!(spool(&room, None, &[3; 1000], 100).await, Stored::Memory(_)));
        let abandoned = Spool::new(&room, Some(900));
        assert_eq!(room.left(), 600);
        drop(abandoned);
        assert_eq!(room.left(), 1500);
    }

    #[tokio::test]
    async fn a_temporary_folder_that_cannot_be_written_to_is_named() {
        let options = Options { memory: 0, temporary: Some("no/such/folder".into()), ..Options::default() };
        let mut spool = Spool::new(&Room::new(&options), None);
        spool.write(&[1]).await.expect("a block is not full yet");
        let error = spool.finish().await.expect_err("no folder");
        assert_eq!(error.kind(), Kind::Io);
        assert_eq!(error.message(), "cannot write to the temporary folder: no/such/folder");
        assert!(error.hint_text().is_some_and(|hint| hint.contains("TMPDIR")));
        assert!(!error.is_transient());
    }
}
