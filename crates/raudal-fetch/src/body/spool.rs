//! Stores a body as it arrives: in memory while the budget allows, else in a temporary file.
//!
//! The file has no name (on Unix), so even a kill leaves nothing behind. It is written in blocks on
//! blocking threads: the runtime never waits for a disk, and a slow disk slows the sender down.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::Options;
use crate::body::file_writer::{BLOCK, FileWriter, Written};
use crate::body::streaming::Feed;
use raudal_common::blocking;
use raudal_common::{Error, Kind, Result};

/// The first allocation for a body of unknown length.
const FIRST: usize = 16 * 1024;

/// What all bodies of a client share: the memory budget and the temporary folder.
#[derive(Debug)]
pub(crate) struct Budget {
    left: AtomicUsize,
    per_body: usize,
    folder: PathBuf,
}

impl Budget {
    pub(crate) fn new(options: &Options) -> Arc<Self> {
        Arc::new(Self {
            left: AtomicUsize::new(options.memory),
            per_body: options.memory_per_body,
            folder: options.temporary.clone().unwrap_or_else(std::env::temp_dir),
        })
    }

    /// How much memory is left.
    #[cfg(test)]
    pub(crate) fn left(&self) -> usize {
        self.left.load(Ordering::Relaxed)
    }

    fn failed(&self, error: io::Error) -> Error {
        let is_unusable = matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied);
        let error = Error::io(format!("cannot write to the temporary folder: {}", self.folder.display()), error)
            .hint("free some space there, or set TMPDIR to a folder that has more");
        if is_unusable { error.of_machine() } else { error }
    }
}

/// A share of the budget. Dropping it gives the share back.
#[derive(Debug)]
pub(crate) struct Lease {
    budget: Arc<Budget>,
    size: usize,
}

impl Lease {
    /// Grows the share to `size`, or leaves it as it is and returns `false`.
    fn grow(&mut self, size: usize) -> bool {
        let more = size.saturating_sub(self.size);
        // Only the number is shared, and it publishes no other memory, so relaxed ordering is
        // enough.
        let taken = self.budget.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(more));
        if taken.is_ok() {
            self.size += more;
        }
        taken.is_ok()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.budget.left.fetch_add(self.size, Ordering::Relaxed);
    }
}

/// A body in memory.
#[derive(Debug)]
pub(crate) enum Held {
    /// With a share of the budget.
    Leased { bytes: Vec<u8>, _lease: Lease },
    /// It is not on disk yet, where it is to go. Its SHA-256 is known.
    Unwritten(Arc<Vec<u8>>, String),
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Leased { bytes, .. } => bytes,
            Self::Unwritten(bytes, _) => bytes,
        }
    }
}

/// A whole body.
#[derive(Debug)]
pub(crate) enum Stored {
    Memory(Held),
    /// A file, positioned at its beginning.
    File(File),
    /// A file that outlives the run, and the SHA-256 of its bytes.
    Kept(File, String),
}

impl From<(Written, String)> for Stored {
    fn from((written, sha256): (Written, String)) -> Self {
        match written {
            Written::File(file) => Self::Kept(file, sha256),
            Written::Memory(bytes) => Self::Memory(Held::Unwritten(bytes, sha256)),
        }
    }
}

/// A body that is arriving.
#[derive(Debug)]
pub(crate) struct Spool {
    budget: Arc<Budget>,
    storage: Storage,
    length: u64,
    /// Tells streaming readers how far the writing has come.
    feed: Option<Feed>,
}

#[derive(Debug)]
enum Storage {
    Memory {
        bytes: Vec<u8>,
        lease: Lease,
    },
    /// The bytes of the current block, and the file once there is one.
    Temporary {
        block: Vec<u8>,
        file: Option<File>,
        written: u64,
    },
    /// A file that outlives the run; `None` while a block is being written.
    Kept(Option<Box<FileWriter>>),
}

impl Spool {
    /// Creates storage for a body. If the length is known, the storage is of the right kind from
    /// the start.
    pub(crate) fn new(budget: &Arc<Budget>, expected: Option<u64>) -> Self {
        let mut lease = Lease { budget: Arc::clone(budget), size: 0 };
        let wanted = expected.map_or(0, |length| usize::try_from(length).unwrap_or(usize::MAX));
        let storage = if wanted <= budget.per_body && lease.grow(wanted) {
            Storage::Memory { bytes: Vec::with_capacity(wanted), lease }
        } else {
            Storage::Temporary { block: Vec::with_capacity(BLOCK), file: None, written: 0 }
        };
        Self { budget: Arc::clone(budget), storage, length: 0, feed: None }
    }

    /// Stores a body in a file that outlives the run. The file may already hold a part of it.
    pub(crate) fn kept(budget: &Arc<Budget>, writer: FileWriter) -> Self {
        let length = writer.written();
        Self { budget: Arc::clone(budget), storage: Storage::Kept(Some(Box::new(writer))), length, feed: None }
    }

    /// Discards the bytes because they are bad, so that no later run finds them.
    pub(crate) fn abandon(&mut self) {
        if let Storage::Kept(Some(writer)) = &mut self.storage {
            writer.abandon();
        }
    }

    /// Lets streaming readers read along, until the body ends or [breaks off](Self::break_off).
    /// `None` if the body goes to memory.
    pub(crate) fn feed(&mut self) -> Option<&Feed> {
        let feed = Feed::new();
        match &self.storage {
            Storage::Memory { .. } | Storage::Kept(None) => return None,
            Storage::Temporary { file, written, .. } => feed.written(*written, || file.as_ref()?.try_clone().ok()),
            Storage::Kept(Some(writer)) => feed.written(writer.written(), || writer.reader()),
        }
        Some(self.feed.insert(feed))
    }

    /// Ends the streaming in this attempt, so that streaming readers stop waiting.
    pub(crate) fn break_off(&mut self) {
        self.feed = None;
    }

    /// How many bytes have arrived.
    pub(crate) fn len(&self) -> u64 {
        self.length
    }

    pub(crate) async fn write(&mut self, mut data: &[u8]) -> Result<()> {
        self.length += data.len() as u64;
        if let Storage::Kept(place) = &mut self.storage {
            return write_named(place, data, self.feed.as_ref()).await;
        }
        if let Storage::Memory { bytes, lease } = &mut self.storage {
            if make_room(bytes, lease, data.len(), self.budget.per_body) {
                bytes.extend_from_slice(data);
                return Ok(());
            }
            // The bytes in memory become the first block, whatever their length. Their share of the
            // budget is given back.
            self.storage = Storage::Temporary { block: std::mem::take(bytes), file: None, written: 0 };
        }
        while !data.is_empty() {
            let Storage::Temporary { block, .. } = &mut self.storage else {
                unreachable!("a spool never goes back to memory")
            };
            let (now, later) = data.split_at(data.len().min(BLOCK.saturating_sub(block.len())));
            block.extend_from_slice(now);
            data = later;
            if block.len() >= BLOCK {
                self.flush().await?;
            }
        }
        Ok(())
    }

    /// Returns the whole body, ready to be read from its beginning.
    pub(crate) async fn finish(mut self) -> Result<Stored> {
        if let Storage::Temporary { .. } = self.storage {
            self.flush().await?;
        }
        let stored = match self.storage {
            Storage::Kept(writer) => {
                let writer = writer.ok_or_else(lost)?;
                let is_quick = writer.ends_quickly();
                let finish = move || writer.finish();
                let finished = if is_quick { finish() } else { blocking(finish).await? };
                finished?.into()
            }
            Storage::Memory { bytes, lease } => Stored::Memory(Held::Leased { bytes, _lease: lease }),
            Storage::Temporary { file, .. } => {
                let mut file = file.expect("a flush makes the file");
                file.rewind().map_err(|error| self.budget.failed(error))?;
                Stored::File(file)
            }
        };
        if let (Some(feed), Stored::File(file) | Stored::Kept(file, _)) = (&self.feed, &stored) {
            feed.written(self.length, || file.try_clone().ok());
            feed.complete();
        }
        Ok(stored)
    }

    /// Writes the current block. The file is created on the first call.
    async fn flush(&mut self) -> Result<()> {
        let Storage::Temporary { block, file, written } = &mut self.storage else { return Ok(()) };
        let more = block.len() as u64;
        let (mut bytes, open) = (std::mem::take(block), file.take());
        let budget = Arc::clone(&self.budget);
        let writing = blocking(move || {
            let mut file = match open {
                Some(file) => file,
                None => tempfile::tempfile_in(&budget.folder).map_err(|error| budget.failed(error))?,
            };
            file.write_all(&bytes).map_err(|error| budget.failed(error))?;
            bytes.clear();
            // The block that came from memory may be larger than needed.
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

/// Fills blocks and writes each full one. If the caller is cancelled meanwhile, the write still
/// finishes.
async fn write_named(place: &mut Option<Box<FileWriter>>, mut data: &[u8], feed: Option<&Feed>) -> Result<()> {
    while !data.is_empty() {
        let mut writer = place.take().ok_or_else(lost)?;
        data = writer.take(data);
        if writer.is_full() {
            let written;
            (writer, written) = blocking(move || {
                let written = writer.flush();
                (writer, written)
            })
            .await?;
            if let Some(feed) = feed {
                feed.written(writer.written(), || writer.reader());
            }
            *place = Some(writer);
            written?;
        } else {
            *place = Some(writer);
        }
    }
    Ok(())
}

fn lost() -> Error {
    Error::new(Kind::Internal, "the body was lost during a write")
}

/// Makes room in memory for `more` bytes, if both limits allow it.
fn make_room(bytes: &mut Vec<u8>, lease: &mut Lease, more: usize, per_body: usize) -> bool {
    let needed = bytes.len() + more;
    if needed <= bytes.capacity() {
        return true;
    }
    // Doubles like `Vec`, but not beyond the limit. The budget is charged before the allocation.
    let wanted = needed.max(bytes.capacity() * 2).max(FIRST).min(per_body);
    if needed > per_body || !lease.grow(wanted) {
        return false;
    }
    bytes.reserve_exact(wanted - bytes.len());
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn budget(per_body: usize, memory: usize) -> Arc<Budget> {
        Budget::new(&Options { memory_per_body: per_body, memory, ..Options::default() })
    }

    async fn spool(budget: &Arc<Budget>, expected: Option<u64>, body: &[u8], piece: usize) -> Stored {
        let mut spool = Spool::new(budget, expected);
        for piece in body.chunks(piece) {
            spool.write(piece).await.expect("room");
        }
        assert_eq!(spool.len(), body.len() as u64);
        spool.finish().await.expect("a body")
    }

    fn bytes(stored: Stored) -> (Vec<u8>, bool) {
        match stored {
            Stored::Memory(held) => (held.as_ref().to_vec(), true),
            Stored::Kept(..) => unreachable!("no place was chosen"),
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
                    let budget = budget(100_000, 1_000_000);
                    let (back, in_memory) = bytes(spool(&budget, expected, &body[..size], piece).await);
                    assert!(back == body[..size], "{size} bytes by {piece}");
                    assert_eq!(in_memory, size <= 100_000);
                    assert_eq!(budget.left(), 1_000_000, "the budget is whole again");
                }
            }
        }
    }

    #[tokio::test]
    async fn bodies_share_one_budget_and_give_it_back() {
        let budget = budget(1000, 1500);
        let first = spool(&budget, Some(1000), &[1; 1000], 100).await;
        assert_eq!(budget.left(), 500);
        let second = spool(&budget, Some(1000), &[2; 1000], 100).await;
        assert_eq!(budget.left(), 500);
        assert!(matches!((&first, &second), (Stored::Memory(_), Stored::File(_))));
        drop(first);
        assert_eq!(budget.left(), 1500);
        assert!(matches!(spool(&budget, None, &[3; 1000], 100).await, Stored::Memory(_)));
        let abandoned = Spool::new(&budget, Some(900));
        assert_eq!(budget.left(), 600);
        drop(abandoned);
        assert_eq!(budget.left(), 1500);
    }

    #[tokio::test]
    async fn a_temporary_folder_that_cannot_be_written_to_is_named() {
        let options = Options { memory: 0, temporary: Some("no/such/folder".into()), ..Options::default() };
        let mut spool = Spool::new(&Budget::new(&options), None);
        spool.write(&[1]).await.expect("a block is not full yet");
        let error = spool.finish().await.expect_err("no folder");
        assert_eq!(error.kind(), Kind::Io);
        assert_eq!(error.message(), "cannot write to the temporary folder: no/such/folder");
        assert!(error.hint_text().is_some_and(|hint| hint.contains("TMPDIR")));
        assert!(!error.is_transient());
    }
}
