//! Writes a body to a file that outlives the run.

use std::fs::File;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::body::partial_file::PartialFile;
use crate::body::sidecar::Sidecar;
use raudal_common::Result;
use raudal_common::atomic_file::hex;

/// Size of one write. At 128 KiB the switch to a blocking thread costs little compared with the
/// write.
pub(crate) const BLOCK: usize = 128 * 1024;
/// A body up to this size is hashed in less time than a switch to a blocking thread takes.
const QUICK: usize = 16 * 1024;

/// Where a whole body is.
pub(crate) enum Written {
    File(File),
    Memory(Arc<Vec<u8>>),
}

/// Writes a body to a partial file, in blocks.
#[derive(Debug)]
pub(crate) struct FileWriter {
    place: PartialFile,
    /// The sidecar, updated after each block. `None` if no later run could resume anyway.
    sidecar: Option<Sidecar>,
    block: Vec<u8>,
    written: u64,
    hasher: Sha256,
}

impl FileWriter {
    pub(crate) fn new(place: &PartialFile, sidecar: Option<Sidecar>) -> Self {
        let sidecar = sidecar.filter(|_| place.keeps());
        Self { place: place.clone(), sidecar, block: Vec::new(), written: 0, hasher: Sha256::new() }
    }

    /// Continues a file that an earlier run has left. `hasher` has seen all of its bytes.
    pub(crate) fn resumed(place: &PartialFile, sidecar: Sidecar, hasher: Sha256) -> Self {
        let written = sidecar.received;
        Self { place: place.clone(), written, sidecar: Some(sidecar), block: Vec::new(), hasher }
    }

    /// How many bytes have been written.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Takes as much data as the block has room for, and returns the rest.
    pub(crate) fn take<'a>(&mut self, data: &'a [u8]) -> &'a [u8] {
        let (now, later) = data.split_at(data.len().min(BLOCK.saturating_sub(self.block.len())));
        self.block.extend_from_slice(now);
        later
    }

    pub(crate) fn is_full(&self) -> bool {
        self.block.len() >= BLOCK
    }

    /// Writes the block and updates the sidecar. It blocks.
    pub(crate) fn flush(&mut self) -> Result<()> {
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

    /// Returns a second handle of the file, for streaming readers.
    pub(crate) fn reader(&self) -> Option<File> {
        self.place.reader().ok()
    }

    /// Whether [`finish`](Self::finish) takes no longer than a switch to a blocking thread.
    pub(crate) fn ends_quickly(&self) -> bool {
        self.block.len() <= QUICK && self.stays_in_memory()
    }

    fn stays_in_memory(&self) -> bool {
        self.written == 0 && self.place.is_later()
    }

    /// Writes the last block, unless the place takes a body that is no longer than that. Returns the
    /// whole body and its SHA-256.
    pub(crate) fn finish(mut self) -> Result<(Written, String)> {
        if self.stays_in_memory() {
            let whole = Arc::new(std::mem::take(&mut self.block));
            let sha256 = hex(&Sha256::digest(&*whole));
            self.place.hold(Arc::clone(&whole));
            return Ok((Written::Memory(whole), sha256));
        }
        if self.written == 0 || !self.block.is_empty() {
            self.flush()?;
        }
        Ok((Written::File(self.place.reader()?), hex(&self.hasher.clone().finalize())))
    }

    /// Discards the bytes because they are bad: both the current block and what was written.
    pub(crate) fn abandon(&mut self) {
        self.block.clear();
        self.sidecar = None;
        if self.written > 0 {
            self.place.clear();
        }
    }
}

/// If it is dropped early, by Ctrl-C or a timeout, the current block is still written, so no byte
/// is lost. Writing one block takes little time.
impl Drop for FileWriter {
    fn drop(&mut self) {
        if self.sidecar.is_some() && !self.block.is_empty() {
            let _ = self.flush();
        }
    }
}
