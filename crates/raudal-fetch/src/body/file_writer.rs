//! A body on its way to a file that outlives the run.

use std::fs::File;

use sha2::{Digest, Sha256};

use crate::body::partial_file::{PartialFile, Sidecar};
use raudal_common::Result;
use raudal_common::atomic_file::hex;

/// How much is collected for one write. 128 KiB: the trip to a blocking thread is then lost in the write itself.
pub(crate) const BLOCK: usize = 128 * 1024;

/// A body on its way to a place, in blocks.
#[derive(Debug)]
pub(crate) struct FileWriter {
    place: PartialFile,
    /// What is recorded with each block; `None` if no other run could go on anyway.
    sidecar: Option<Sidecar>,
    block: Vec<u8>,
    written: u64,
    hasher: Sha256,
}

impl FileWriter {
    pub(crate) fn new(place: &PartialFile, sidecar: Option<Sidecar>) -> Self {
        let sidecar = sidecar.filter(|_| place.keeps());
        Self { place: place.clone(), sidecar, block: Vec::with_capacity(BLOCK), written: 0, hasher: Sha256::new() }
    }

    /// Goes on behind what an earlier run has left. `hasher` has seen all of it.
    pub(crate) fn resumed(place: &PartialFile, sidecar: Sidecar, hasher: Sha256) -> Self {
        let written = sidecar.received;
        Self { place: place.clone(), written, sidecar: Some(sidecar), block: Vec::new(), hasher }
    }

    /// How many bytes are written.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Takes what fits into the block, and gives back the rest.
    pub(crate) fn take<'a>(&mut self, data: &'a [u8]) -> &'a [u8] {
        let (now, later) = data.split_at(data.len().min(BLOCK.saturating_sub(self.block.len())));
        self.block.extend_from_slice(now);
        later
    }

    pub(crate) fn is_full(&self) -> bool {
        self.block.len() >= BLOCK
    }

    /// Writes the block, and says so in the sidecar. It blocks.
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

    /// The file, for whoever reads along.
    pub(crate) fn reader(&self) -> Option<File> {
        self.place.reader().ok()
    }

    /// All of it is there: a reader over it, and the SHA-256 of what is in it.
    pub(crate) fn finish(mut self) -> Result<(File, String)> {
        if self.written == 0 || !self.block.is_empty() {
            self.flush()?;
        }
        Ok((self.place.reader()?, hex(&self.hasher.clone().finalize())))
    }

    /// The bytes are bad: neither those that wait nor those that were written are kept.
    pub(crate) fn abandon(&mut self) {
        self.block.clear();
        self.sidecar = None;
        if self.written > 0 {
            self.place.clear();
        }
    }
}

/// Whoever drops it half-way, by Ctrl-C or a time-out, loses nothing that has arrived. A block is little to wait for.
impl Drop for FileWriter {
    fn drop(&mut self) {
        if self.sidecar.is_some() && !self.block.is_empty() {
            let _ = self.flush();
        }
    }
}
