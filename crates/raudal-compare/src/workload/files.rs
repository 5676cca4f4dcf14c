//! Writes, syncs, reads back and checks files: what concurrency gains on a disk.

use super::work::{AtOnce, RunSettings, digest};
use super::{Activity, Setting, Stage, Unit, Workload, WorkloadRun, scratch};
use futures::future::BoxFuture;
use raudal_common::{Error, Kind, Result};
use raudal_pool::{Attempt, Observer};
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// How many bytes are written and read at a time.
const PIECE: usize = 64 * 1024;

/// When a file counts as written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum SyncMode {
    /// In the system's memory: a power cut loses it.
    None,
    /// Its data is on the disk, with the metadata that reading it back needs (`fdatasync`).
    #[default]
    Data,
    /// Its times are on the disk as well (`fsync`).
    All,
}

impl SyncMode {
    /// Returns the mode as one word, which [`FromStr`] reads.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Data => "data",
            Self::All => "all",
        }
    }
}

impl FromStr for SyncMode {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "none" => Ok(Self::None),
            "data" => Ok(Self::Data),
            "all" => Ok(Self::All),
            _ => Err(Error::usage(format!("not a way to sync: {}", raudal_common::error::printable(text)))
                .hint("write none, data or all")),
        }
    }
}

/// Which files are written, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FilesOptions {
    /// The number of files. Default: 64.
    pub files: usize,
    /// Bytes in each. Default: 64 KiB.
    pub size: u64,
    /// When each counts as written. Default: when its data is on the disk.
    pub sync: SyncMode,
    /// Where the temporary folder is made; `None` for the system's temporary folder.
    pub folder: Option<PathBuf>,
    /// The seed of the bytes.
    pub seed: u64,
}

impl Default for FilesOptions {
    fn default() -> Self {
        Self { files: 64, size: 64 * 1024, sync: SyncMode::default(), folder: None, seed: 0 }
    }
}

/// N files in a temporary folder: each is written, synced, read back, compared byte by byte, and
/// removed.
///
/// Reads usually come from the system's memory; only syncing waits for the disk. So with
/// [`SyncMode::None`], the CPU is the only bound, and concurrency gains little.
#[derive(Debug)]
pub struct Files {
    options: FilesOptions,
    folder: TempDir,
}

impl Files {
    /// Makes the folder, which is removed when the workload is dropped.
    ///
    /// # Errors
    ///
    /// Fails for 0 files, and for a folder that cannot be written to.
    ///
    /// ```
    /// use raudal_compare::workload::{Files, FilesOptions, SyncMode, Workload};
    ///
    /// let mut options = FilesOptions::default();
    /// options.sync = SyncMode::All;
    /// assert_eq!(Files::open(options)?.name(), "files");
    /// # Ok::<(), raudal_common::Error>(())
    /// ```
    pub fn open(options: FilesOptions) -> Result<Self> {
        if options.files == 0 {
            return Err(Error::usage("the number of files must be at least 1: 0").hint("give at least 1"));
        }
        let folder = scratch::folder(options.folder.as_deref())?;
        Ok(Self { options, folder })
    }
}

impl Workload for Files {
    fn name(&self) -> &'static str {
        "files"
    }

    fn stages(&self) -> Vec<Stage> {
        ["write", "sync", "read", "remove"].map(|name| Stage::new(name, Activity::Disk)).to_vec()
    }

    fn settings(&self) -> Vec<Setting> {
        let FilesOptions { files, size, sync, seed, .. } = &self.options;
        vec![
            Setting::new("files", files),
            Setting::new("size", format_args!("{size} B")),
            Setting::new("sync", sync.word()),
            Setting::new("seed", seed),
        ]
    }

    fn unit(&self) -> Unit {
        Unit::Jobs("files")
    }

    fn run(
        &self,
        jobs: usize,
        observer: Arc<dyn Observer>,
        cancel: CancellationToken,
    ) -> BoxFuture<'_, Result<WorkloadRun>> {
        let work = RunSettings { at_once: AtOnce::Most(jobs), observer, cancel, timeout: None };
        let FilesOptions { files, size, sync, seed, .. } = self.options;
        let folder: Arc<Path> = self.folder.path().into();
        Box::pin(work.run(
            (0..files).collect(),
            |n| format!("file {n}"),
            move |cx, n| {
                let path = folder.join(format!("{n:06}"));
                async move { round_trip(cx, path, FileContent::new(seed, n as u64, size), sync).await }
            },
        ))
    }
}

/// Writes a file, reads it back and removes it. Returns the digest of its bytes.
pub(super) async fn round_trip(cx: Attempt, path: PathBuf, content: FileContent, sync: SyncMode) -> Result<String> {
    let inner = cx.clone();
    cx.blocking(move || {
        let cx = inner;
        let cannot = |what: &'static str| {
            let path = &path;
            move |error: io::Error| scratch::failed(what, path, error)
        };
        cx.expect_bytes(content.size);
        cx.stage("write");
        let mut file = File::create(&path).map_err(cannot("cannot write"))?;
        content.pieces(|piece| {
            stopped(&cx)?;
            file.write_all(piece).map_err(cannot("cannot write"))?;
            cx.advance(piece.len() as u64, 0);
            Ok(())
        })?;
        cx.stage("sync");
        match sync {
            SyncMode::None => Ok(()),
            SyncMode::Data => file.sync_data(),
            SyncMode::All => file.sync_all(),
        }
        .map_err(cannot("cannot sync"))?;
        drop(file);
        cx.stage("read");
        let digest = check(&cx, &path, &content)?;
        cx.stage("remove");
        std::fs::remove_file(&path).map_err(cannot("cannot remove"))?;
        cx.advance(0, 1);
        Ok(digest)
    })
    .await
}

/// Checks that a file holds the content and nothing else. Returns the digest of its bytes.
fn check(cx: &Attempt, path: &Path, content: &FileContent) -> Result<String> {
    let cannot = |error| scratch::failed("cannot read back", path, error);
    let differs = |what: String| {
        Error::new(Kind::Checksum, format!("{what}: {}", path.display())).hint("the disk or its driver may be faulty")
    };
    let mut file = File::open(path).map_err(cannot)?;
    let mut read = vec![0; PIECE];
    let (mut crc, mut at) = (crc32fast::Hasher::new(), 0_u64);
    content.pieces(|piece| {
        stopped(cx)?;
        let read = &mut read[..piece.len()];
        file.read_exact(read).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => differs(format!("the file is shorter than what was written: {at} bytes")),
            _ => cannot(error),
        })?;
        if read != piece {
            return Err(differs(format!("what was read differs from what was written after {at} bytes")));
        }
        crc.update(read);
        at += piece.len() as u64;
        Ok(())
    })?;
    if file.read(&mut read[..1]).map_err(cannot)? > 0 {
        return Err(differs(format!("the file is longer than what was written: {at} bytes")));
    }
    Ok(digest(format!("{at} {:08x}", crc.finalize())))
}

fn stopped(cx: &Attempt) -> Result<()> {
    if cx.token().is_cancelled() { Err(Error::new(Kind::Cancelled, "cancelled")) } else { Ok(()) }
}

/// Bytes determined by a seed and a number. No two pieces of any files are equal, so a swapped
/// piece is noticed.
#[derive(Clone, Debug)]
pub(super) struct FileContent {
    block: Vec<u8>,
    number: u64,
    size: u64,
}

impl FileContent {
    pub(super) fn new(seed: u64, number: u64, size: u64) -> Self {
        let mut block = vec![0; PIECE];
        fastrand::Rng::with_seed(seed).fill(&mut block);
        Self { block, number, size }
    }

    fn pieces(&self, mut take: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut piece = self.block.clone();
        for (i, begin) in (0..self.size).step_by(PIECE).enumerate() {
            let mark = [self.number.to_le_bytes(), (i as u64).to_le_bytes()].concat();
            piece[..mark.len()].copy_from_slice(&mark);
            let len = (self.size - begin).min(PIECE as u64);
            take(&piece[..len as usize])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::work::tests::{run, stages};
    use super::*;
    use raudal_pool::{Context, Pool};

    fn options(files: usize, size: u64) -> FilesOptions {
        FilesOptions { files, size, sync: SyncMode::None, ..FilesOptions::default() }
    }

    #[tokio::test]
    async fn files_give_the_same_at_every_level_and_leave_nothing_behind() {
        let files = Files::open(options(9, PIECE as u64 + 5)).unwrap();
        let folder = files.folder.path().to_owned();
        let (one, four) = (run(&files, 1).await.unwrap(), run(&files, 4).await.unwrap());
        assert_eq!((&one.digest, &one.parts, one.rows), (&four.digest, &four.parts, 9));
        assert_eq!(one.report.bytes, 9 * (PIECE as u64 + 5));
        assert_eq!(stages(&four), vec![vec!["write", "sync", "read", "remove"]; 9]);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
        drop(files);
        assert!(!folder.exists());
    }

    #[tokio::test]
    async fn every_way_to_sync_and_every_size_work() {
        for (sync, size) in [("none", 0), ("data", 1), ("all", 2 * PIECE as u64)] {
            let options = FilesOptions { sync: sync.parse().unwrap(), ..options(2, size) };
            assert_eq!(run(&Files::open(options).unwrap(), 2).await.unwrap().report.bytes, 2 * size, "{sync}");
        }
    }

    /// Checks a file that holds these bytes instead of `content`.
    async fn judged(bytes: Vec<u8>, content: FileContent) -> Error {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        let path: PathBuf = file.path().into();
        let pool = Pool::new(8);
        let job = move |cx: Context<FileContent>, content| {
            let path = path.clone();
            async move { check(&cx, &path, &content) }
        };
        let mut results = pool.map([content], job).await;
        results.remove(0).unwrap_err().failure().map(|e| Error::new(e.kind(), e.report())).unwrap()
    }

    #[tokio::test]
    async fn a_file_that_does_not_hold_what_was_written_is_found_out() {
        let content = FileContent::new(1, 2, 100);
        let mut good = Vec::new();
        let mut keep = |piece: &[u8]| {
            good.extend_from_slice(piece);
            Ok(())
        };
        content.pieces(&mut keep).unwrap();
        let mut odd = good.clone();
        odd[99] ^= 1;
        for (bytes, what) in
            [(odd, "differs"), (good[..99].to_vec(), "shorter"), ([&good[..], b"x"].concat(), "longer")]
        {
            let error = judged(bytes, content.clone()).await;
            assert!(error.kind() == Kind::Checksum && error.to_string().contains(what), "{error}");
        }
    }

    #[tokio::test]
    async fn a_folder_that_is_gone_is_an_error_that_names_the_file() {
        let files = Files::open(options(3, 10)).unwrap();
        std::fs::remove_dir_all(files.folder.path()).unwrap();
        let error = run(&files, 2).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Io);
        assert!(error.to_string().contains(": cannot write: "), "{error}");
    }

    #[test]
    fn bad_options_are_usage_errors_with_a_cure() {
        for error in [Files::open(options(0, 1)).unwrap_err(), "fsync".parse::<SyncMode>().unwrap_err()] {
            assert_eq!((error.kind(), error.hint_text().is_some()), (Kind::Usage, true), "{error}");
        }
    }
}
