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

#[cfg(test)]
mod tests {
    use super::*;
    use raudal_common::atomic_file::AtomicFile;
    use std::fs;
    use std::path::Path;

    fn written(place: &PartialFile, body: &[u8]) -> (bool, String) {
        let mut writer = FileWriter::new(place, None);
        let mut rest = body;
        while !rest.is_empty() {
            rest = writer.take(rest);
            if writer.is_full() {
                writer.flush().expect("room");
            }
        }
        let (written, sha256) = writer.finish().expect("room");
        (matches!(written, Written::Memory(_)), sha256)
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("text")).collect()
    }

    #[test]
    fn a_body_shorter_than_a_block_reaches_the_disk_when_it_is_published() {
        for (length, stays) in
            [(0, true), (1, true), (QUICK + 1, true), (BLOCK - 1, true), (BLOCK, false), (3 * BLOCK + 5, false)]
        {
            let folder = tempfile::tempdir().expect("a folder");
            let place = PartialFile::later(&folder.path().join("a.part"));
            let body: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
            assert_eq!(written(&place, &body), (stays, hex(&Sha256::digest(&body))), "{length}");
            assert_eq!(names(folder.path()).is_empty(), stays, "{length}");
            place.publish(&folder.path().join("a"), false).expect("a free name");
            assert!(fs::read(folder.path().join("a")).expect("a file") == body, "{length}");
            drop(place);
            assert_eq!(names(folder.path()), ["a"], "{length}");
        }
    }

    #[test]
    fn what_an_earlier_run_has_left_is_replaced_with_its_sidecar() {
        let folder = tempfile::tempdir().expect("a folder");
        let part = folder.path().join("a.part");
        fs::write(&part, "longer than the body").expect("a file");
        fs::write(folder.path().join("a.part.json"), "{}").expect("a file");
        let place = PartialFile::later(&part);
        written(&place, b"body");
        place.publish(&folder.path().join("a"), false).expect("a free name");
        assert_eq!(fs::read(folder.path().join("a")).expect("a file"), b"body");
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[test]
    fn a_body_that_is_held_is_neither_written_over_another_runs_nor_after_it_was_dropped() {
        let folder = tempfile::tempdir().expect("a folder");
        let (part, to) = (folder.path().join("a.part"), folder.path().join("a"));
        let other = AtomicFile::open(&part).expect("a new file");
        let place = PartialFile::later(&part);
        written(&place, b"body");
        let error = place.publish(&to, false).expect_err("held by another run");
        assert!(error.message().contains("another run is writing to this file"), "{error}");
        drop(other);
        written(&place, b"bad");
        place.clear();
        written(&place, b"good");
        place.publish(&to, true).expect("free again");
        assert_eq!(fs::read(&to).expect("a file"), b"good");
        let place = PartialFile::later(&part);
        written(&place, b"body");
        place.remove();
        assert!(place.publish(&to, true).is_err(), "it was dropped");
        assert_eq!(fs::read(&to).expect("a file"), b"good");
    }

    #[test]
    fn a_folder_that_was_removed_is_made_again_and_a_file_in_its_place_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let files = folder.path().join("more").join("files");
        let place = PartialFile::later(&files.join("a.part"));
        written(&place, b"body");
        place.publish(&files.join("a"), false).expect("a new folder");
        assert_eq!(names(&files), ["a"]);
        let place = PartialFile::later(&files.join("a").join("b.part"));
        written(&place, b"body");
        let error = place.store().expect_err("no folder");
        assert!(error.is_of_machine() && error.message().contains("cannot create the folder"), "{error}");
    }
}
