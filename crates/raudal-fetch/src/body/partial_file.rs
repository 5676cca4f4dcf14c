//! A partial file that outlives the run. It holds the bytes of one body; a sidecar beside it
//! records what has arrived.
//!
//! The file is locked while it is in use. The sidecar is one JSON object. A single write replaces
//! it after each block, so a kill leaves either the old one or the new one. Other damage (a power
//! cut, an editor, another program) is detected because the bytes are hashed before they are used.

use raudal_common::lock;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use crate::body::sidecar::{self, Sidecar, sidecar_path};
use raudal_common::atomic_file::{AtomicFile, folder_of, hex, sync_folder};
use raudal_common::{Error, Kind, Result};

/// How much is read at a time when stored bytes are hashed.
const BUFFER: usize = 128 * 1024;

/// A partial file for one body, and its sidecar. Clones refer to the same file.
///
/// It is locked until the last clone is dropped. Then a resumable body is kept for the next run, if
/// the file was opened to be kept; anything else is removed.
///
/// ```no_run
/// use raudal_fetch::{Client, Expect, Options, PartialFile, Request};
/// use raudal_source::Location;
/// use std::path::Path;
///
/// # #[tokio::main] async fn main() -> raudal_common::Result<()> {
/// let client = Client::new(&Options::default())?;
/// let location = Location::parse("https://example.org/data.zip")?;
/// let file = PartialFile::open(Path::new("data.zip.part"), true)?;
/// let request = Request::new(&location).expect(Expect::Any).into_file(&file);
/// if let Some(body) = client.send(request, &mut None).await?.continue_value() {
///     println!("{} bytes, SHA-256 {}", body.len(), body.sha256().unwrap_or_default());
/// }
/// file.publish(Path::new("data.zip"), false)?;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct PartialFile(Arc<PartialFileInner>);

#[derive(Debug)]
struct PartialFileInner {
    path: PathBuf,
    keeps: bool,
    state: Mutex<PartialFileState>,
}

#[derive(Debug)]
struct PartialFileState {
    file: FileState,
    sidecar: Option<File>,
    /// Whether there may be a sidecar, of this run or of an earlier one.
    has_sidecar: bool,
    /// The length of the sidecar. A shorter text is padded, so that one write replaces all of it.
    length: usize,
    /// Whether this run has read or written the file.
    known: bool,
    /// Whether the sidecar matches the bytes in the file.
    good: bool,
}

#[derive(Debug)]
enum FileState {
    /// It is created when bytes must go to disk. It may hold a whole body until then.
    Later(Option<Arc<Vec<u8>>>),
    Open(AtomicFile),
    /// It was published or removed.
    Gone,
}

/// A partial file whose bytes match its sidecar.
#[derive(Debug)]
pub(crate) struct FoundFile {
    pub(crate) sidecar: Sidecar,
    /// Has hashed all stored bytes.
    pub(crate) hasher: Sha256,
}

impl PartialFile {
    /// Opens a partial file for this run alone, and creates it if it does not exist. With `keeps`,
    /// what has arrived stays for the next run, if the server has sent a strong validator. Without
    /// it, the file starts empty and is removed at the end.
    ///
    /// It reads and writes files: call it where blocking is allowed.
    ///
    /// # Errors
    ///
    /// Returns an error of the kind [`Io`](Kind::Io) if another run is using it, or if the folder
    /// or the permission is missing.
    pub fn open(path: &Path, keeps: bool) -> Result<Self> {
        let unfinished = AtomicFile::open(path).map_err(|error| cannot(path, error))?;
        Ok(Self::new(path, keeps, FileState::Open(unfinished)))
    }

    /// Returns a partial file that is created when the first 128 KiB have arrived. A shorter body stays
    /// in memory until it is [stored](Self::store) or [published](Self::publish). The file is removed
    /// at the end, as with [`open`](Self::open) without `keeps`.
    ///
    /// What `open` would fail with is then an error of the transfer or of the publication.
    pub fn later(path: &Path) -> Self {
        Self::new(path, false, FileState::Later(None))
    }

    fn new(path: &Path, keeps: bool, file: FileState) -> Self {
        let has_sidecar = matches!(file, FileState::Open(_));
        let state = PartialFileState { file, sidecar: None, has_sidecar, length: 0, known: !keeps, good: false };
        Self(Arc::new(PartialFileInner { path: path.to_owned(), keeps, state: Mutex::new(state) }))
    }

    /// Creates and locks the file, and writes what is still in memory. Does nothing if it is open.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn store(&self) -> Result<()> {
        let mut state = self.state();
        match &mut state.file {
            FileState::Later(whole) => match whole.take() {
                Some(whole) => state.write(&self.0.path, 0, &whole),
                None => state.open(&self.0.path).map(drop),
            },
            _ => Ok(()),
        }
    }

    /// Syncs the file to disk, then gives it its final name. A file of that name is replaced, or is
    /// an error.
    ///
    /// # Errors
    ///
    /// Returns an error of the kind [`Io`](Kind::Io).
    pub fn publish(&self, to: &Path, replace: bool) -> Result<()> {
        // First: a run that is killed during it keeps all that has arrived.
        self.sync()?;
        self.rename(to, replace)?;
        sync_folder(folder_of(to));
        Ok(())
    }

    /// Syncs the bytes to disk: the first part of [`publish`](Self::publish), which may take long.
    ///
    /// # Errors
    ///
    /// Returns an error of the kind [`Io`](Kind::Io).
    pub fn sync(&self) -> Result<()> {
        self.store()?;
        let synced = self.state().unfinished().map_or(Ok(()), AtomicFile::sync);
        synced.map_err(|error| failed("cannot write", &self.0.path, error))
    }

    /// Gives the file its final name: the second part of [`publish`](Self::publish). The name is
    /// durable once the folder is synced, which may serve many files at once.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish).
    pub fn rename(&self, to: &Path, replace: bool) -> Result<()> {
        let mut state = self.state();
        let FileState::Open(mut unfinished) = std::mem::replace(&mut state.file, FileState::Gone) else {
            return Err(Error::new(Kind::Internal, "a file is published twice"));
        };
        // Before the renaming: a leftover sidecar would be taken for that of the next file.
        state.forget_sidecar(&self.0.path);
        unfinished.rename_unsynced(to, replace).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => already_there(to),
            _ => failed("cannot write", to, error),
        })
    }

    /// Sets the time of a file that is [stored](Self::store). A time that the file system cannot hold is left out.
    pub fn set_modified(&self, time: SystemTime) {
        if let Some(unfinished) = self.state().unfinished() {
            let _ = unfinished.file().set_modified(time);
        }
    }

    /// Removes the file and its sidecar, because neither is of use.
    pub fn remove(&self) {
        let mut state = self.state();
        state.forget_sidecar(&self.0.path);
        state.file = FileState::Gone;
    }

    /// Empties the file, because its bytes are bad. The file itself stays.
    pub fn clear(&self) {
        let mut state = self.state();
        state.known = true;
        state.forget_sidecar(&self.0.path);
        match &mut state.file {
            FileState::Later(whole) => *whole = None,
            FileState::Open(unfinished) => drop(unfinished.file().set_len(0)),
            FileState::Gone => {}
        }
    }

    /// The path of the file, for messages.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    pub(crate) fn keeps(&self) -> bool {
        self.0.keeps
    }

    /// Returns what an earlier run has left, if the URL fits and the bytes match the sidecar.
    /// Passes the bytes to `each`, piece by piece. Only the first call finds anything; what does
    /// not fit is deleted.
    pub(crate) fn look(&self, url: &str, each: impl FnMut(&[u8])) -> Option<FoundFile> {
        let mut state = self.state();
        if std::mem::replace(&mut state.known, true) {
            return None;
        }
        let found = state.read(&self.0.path, url, each);
        drop(state);
        if found.is_none() {
            self.clear();
        }
        found
    }

    /// Whether a body that ends now may stay in memory.
    pub(crate) fn is_later(&self) -> bool {
        matches!(self.state().file, FileState::Later(_))
    }

    /// Takes a whole body, to be written when it is stored.
    pub(crate) fn hold(&self, whole: Arc<Vec<u8>>) {
        self.state().file = FileState::Later(Some(whole));
    }

    /// Appends bytes; `at` is the end of the file. At 0 they replace everything.
    pub(crate) fn write(&self, at: u64, bytes: &[u8]) -> Result<()> {
        self.state().write(&self.0.path, at, bytes)
    }

    /// Writes the sidecar. A failure is not an error: without a sidecar this run's bytes cannot be
    /// resumed, but they are never wrong.
    pub(crate) fn record(&self, sidecar: &Sidecar) {
        let Ok(json) = serde_json::to_string(sidecar) else { return };
        let mut state = self.state();
        if state.unfinished().is_none() {
            return;
        }
        let written = state.write_sidecar(&self.0.path, &json);
        state.good = written.is_ok();
    }

    /// Returns a reader over the whole file, at its beginning.
    pub(crate) fn reader(&self) -> Result<File> {
        let state = self.state();
        let open = || {
            let gone = || io::Error::from(ErrorKind::NotFound);
            let mut file = state.unfinished().ok_or_else(gone)?.file().try_clone()?;
            file.rewind()?;
            Ok(file)
        };
        open().map_err(|error| failed("cannot read", &self.0.path, error))
    }

    fn state(&self) -> MutexGuard<'_, PartialFileState> {
        lock(&self.0.state)
    }
}

impl PartialFileState {
    fn unfinished(&self) -> Option<&AtomicFile> {
        match &self.file {
            FileState::Open(unfinished) => Some(unfinished),
            _ => None,
        }
    }

    /// Returns the file. Creates and locks it if that was left for later.
    fn open(&mut self, path: &Path) -> Result<&AtomicFile> {
        if let FileState::Later(_) = self.file {
            let open = || AtomicFile::open(path).map_err(|error| cannot(path, error));
            let folder = folder_of(path);
            let unfinished = match open() {
                // Another program may have removed it since the run began.
                Err(_) if !folder.is_dir() => {
                    let cannot = |error| Error::io(format!("cannot create the folder: {}", folder.display()), error);
                    fs::create_dir_all(folder).map_err(|error| cannot(error).of_machine())?;
                    open()?
                }
                opened => opened?,
            };
            self.has_sidecar = !unfinished.is_new();
            self.file = FileState::Open(unfinished);
        }
        self.unfinished().ok_or_else(|| Error::new(Kind::Internal, "bytes for a file that is published"))
    }

    fn write(&mut self, path: &Path, at: u64, bytes: &[u8]) -> Result<()> {
        self.open(path)?;
        if at == 0 {
            self.known = true;
            self.forget_sidecar(path);
        }
        let mut file = self.open(path)?.file();
        let written = (|| {
            // Truncating an empty file costs more than this look.
            if at == 0 && file.metadata()?.len() > 0 {
                file.set_len(0)?;
            }
            file.seek(SeekFrom::Start(at))?;
            file.write_all(bytes)
        })();
        written.map_err(|error| failed("cannot write", path, error))
    }

    /// Reads the sidecar, and hashes the bytes that it describes.
    fn read(&mut self, path: &Path, url: &str, mut each: impl FnMut(&[u8])) -> Option<FoundFile> {
        let mut text = String::new();
        File::open(sidecar_path(path)).ok()?.take(sidecar::LARGEST).read_to_string(&mut text).ok()?;
        let sidecar: Sidecar = serde_json::from_str(&text).ok()?;
        let mut file = self.unfinished()?.file();
        let is_sound = sidecar.form == sidecar::FORM
            && sidecar.url == url
            && sidecar.received > 0
            && sidecar.total.is_none_or(|total| total >= sidecar.received)
            && file.metadata().is_ok_and(|there| there.len() >= sidecar.received);
        if !is_sound {
            return None;
        }
        file.rewind().ok()?;
        let mut hasher = Sha256::new();
        let (mut stored, mut buffer) = (file.take(sidecar.received), vec![0; BUFFER]);
        loop {
            match stored.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => {
                    hasher.update(&buffer[..read]);
                    each(&buffer[..read]);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
        if hex(&hasher.clone().finalize()) != sidecar.sha256 {
            return None;
        }
        // No hash covers the bytes that were written after the last sidecar.
        self.unfinished()?.file().set_len(sidecar.received).ok()?;
        self.good = true;
        Some(FoundFile { sidecar, hasher })
    }

    fn write_sidecar(&mut self, path: &Path, json: &str) -> io::Result<()> {
        if self.sidecar.is_none() {
            let path = sidecar_path(path);
            let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
            self.length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX).min(BUFFER);
            (self.sidecar, self.has_sidecar) = (Some(file), true);
        }
        let Some(mut file) = self.sidecar.as_ref() else { return Ok(()) };
        let text = format!("{json:<width$}\n", width = self.length.saturating_sub(1));
        file.rewind()?;
        file.write_all(text.as_bytes())?;
        self.length = text.len();
        Ok(())
    }

    fn forget_sidecar(&mut self, path: &Path) {
        (self.sidecar, self.length, self.good) = (None, 0, false);
        // With many small files, a call for each that finds nothing takes longer than their bytes.
        if std::mem::replace(&mut self.has_sidecar, false) {
            let _ = fs::remove_file(sidecar_path(path));
        }
    }
}

impl Drop for PartialFileInner {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        let FileState::Open(mut unfinished) = std::mem::replace(&mut state.file, FileState::Gone) else { return };
        // A file that this run never looked at may still be resumed by another run.
        if self.keeps && (state.good || (!state.known && sidecar_path(&self.path).exists())) {
            unfinished.keep();
        } else {
            state.forget_sidecar(&self.path);
        }
    }
}

/// Returns the error for a final name that is taken.
pub fn already_there(path: &Path) -> Error {
    Error::new(Kind::Io, format!("the file already exists: {}", path.display()))
        .hint("keep it with [`skip_existing`], or replace it with [`overwrite`]")
}

fn cannot(path: &Path, error: io::Error) -> Error {
    if error.kind() == ErrorKind::WouldBlock {
        return Error::new(Kind::Io, format!("another run is writing to this file: {}", path.display()))
            .hint("wait until it is done, or choose another folder");
    }
    // Then it is the folder that nothing may be written to.
    let of_folder = error.kind() == ErrorKind::PermissionDenied && fs::symlink_metadata(path).is_err();
    let failed = failed("cannot write", path, error);
    if of_folder { failed.of_machine() } else { failed }
}

fn failed(what: &str, path: &Path, error: io::Error) -> Error {
    let hint = match error.kind() {
        ErrorKind::PermissionDenied => Some("you have no permission to write there"),
        ErrorKind::NotFound => Some("the folder does not exist"),
        _ => None,
    };
    let error = Error::io(format!("{what}: {}", path.display()), error);
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}
