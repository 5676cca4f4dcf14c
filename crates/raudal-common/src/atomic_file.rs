//! Files that get their final name only when they are complete.
//!
//! Until then, a file has another name, which follows from the final one, and is locked while it is
//! written. So two runs never write to one file. The next run finds what a killed run left, and
//! uses or replaces it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// How often to reopen a file that was renamed between opening and locking.
const TRIES: usize = 16;
/// A longer name leaves no space for what is added to it: file systems allow 255 bytes.
const LONGEST: usize = 200;

/// A file that no other process writes to. Dropping it removes it, unless it was published or kept.
#[derive(Debug)]
pub struct AtomicFile {
    file: File,
    path: PathBuf,
    /// Whether dropping it removes the file.
    owned: bool,
    is_new: bool,
}

impl AtomicFile {
    /// Opens the file, or creates it if it is missing, and locks it. Its content stays.
    ///
    /// # Errors
    ///
    /// Fails with [`ErrorKind::WouldBlock`] if another run holds the file, or with any other I/O error.
    pub fn open(path: &Path) -> io::Result<Self> {
        for _ in 0..TRIES {
            // The umask decides who may read it, as for any new file.
            let mut options = OpenOptions::new();
            let (file, is_new) = match options.read(true).write(true).create_new(true).open(path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    (options.create_new(false).create(true).truncate(false).open(path)?, false)
                }
                opened => (opened?, true),
            };
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(ErrorKind::WouldBlock.into()),
                // The file system has no locks, so rely on the names alone.
                Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {}
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // Its owner may have renamed or removed it before we got the lock. Then it is not ours.
            if is_at(&file, path)? {
                return Ok(Self { file, path: path.to_owned(), owned: true, is_new });
            }
        }
        Err(ErrorKind::WouldBlock.into())
    }

    /// Creates an empty, hidden file beside this path, to become the file at the path. It is removed unless it is
    /// published. It replaces what a killed run left there.
    pub fn of(path: &Path) -> io::Result<Self> {
        let name = path.file_name().ok_or(ErrorKind::InvalidInput)?;
        let mut own = std::ffi::OsString::from(".raudal-");
        if name.len() <= LONGEST {
            own.push(name);
        } else {
            own.push(hex(&Sha256::digest(name.as_encoded_bytes())));
        }
        own.push(".part");
        let unfinished = Self::open(&folder_of(path).join(own))?;
        if !unfinished.is_new {
            unfinished.file.set_len(0)?;
        }
        Ok(unfinished)
    }

    /// Returns whether this run created the file.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Returns the open file, which still has its temporary name.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Returns its temporary name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps the file on drop.
    pub fn keep(&mut self) {
        self.owned = false;
    }

    /// Syncs the file and gives it its final name. An existing file is replaced, or is the error
    /// [`ErrorKind::AlreadyExists`]. The check and the rename are one step.
    pub fn publish(&mut self, to: &Path, replace: bool) -> io::Result<()> {
        self.sync()?;
        self.rename(to, replace)
    }

    /// Syncs the bytes to disk, which may take long.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_all()
    }

    /// Renames the file, and syncs the folder: the second half of [`publish`](Self::publish), which is
    /// fast.
    pub fn rename(&mut self, to: &Path, replace: bool) -> io::Result<()> {
        self.rename_unsynced(to, replace)?;
        sync_folder(folder_of(to));
        Ok(())
    }

    /// Renames the file. The name is durable once the folder is [synced](sync_folder), which may serve
    /// many files at once.
    pub fn rename_unsynced(&mut self, to: &Path, replace: bool) -> io::Result<()> {
        if replace {
            fs::rename(&self.path, to)?;
        } else {
            let mut name = tempfile::TempPath::try_from_path(&self.path)?;
            // If it cannot be renamed, it stays as it is.
            name.disable_cleanup(true);
            name.persist_noclobber(to).map_err(|error| error.error)?;
        }
        self.owned = false;
        Ok(())
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if self.owned {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Formats bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Syncs a folder, where possible: a new name in it is durable only then.
pub fn sync_folder(folder: &Path) {
    if cfg!(unix)
        && let Ok(folder) = File::open(folder)
    {
        let _ = folder.sync_all();
    }
}

/// Returns the folder of a path.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Returns whether the path still names the open file, and a regular file. Writing through a link
/// put there would change another file.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(there) if there.is_file() => is_same(file, path, &there),
        Ok(_) => Err(io::Error::new(ErrorKind::InvalidInput, "not a regular file")),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(unix)]
fn is_same(file: &File, _: &Path, there: &fs::Metadata) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let own = file.metadata()?;
    Ok((own.dev(), own.ino()) == (there.dev(), there.ino()))
}

#[cfg(not(unix))]
fn is_same(file: &File, path: &Path, _: &fs::Metadata) -> io::Result<bool> {
    let own = same_file::Handle::from_file(file.try_clone()?)?;
    match same_file::Handle::from_path(path) {
        Ok(there) => Ok(own == there),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unfinished_file_has_one_writer_and_is_found_by_the_next() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.part");
        let mut first = AtomicFile::open(&path).expect("a new file");
        first.file().write_all(b"half").expect("room");
        assert_eq!(AtomicFile::open(&path).expect_err("held").kind(), ErrorKind::WouldBlock);
        first.keep();
        drop(first);
        let second = AtomicFile::open(&path).expect("left behind");
        assert_eq!(second.file().metadata().expect("a file").len(), 4);
        drop(second);
        assert!(!path.exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_its_place_is_not_written_through() {
        let folder = tempfile::tempdir().expect("a folder");
        let (other, path) = (folder.path().join("other"), folder.path().join(".raudal-a.part"));
        fs::write(&other, "precious").expect("a file");
        std::os::unix::fs::symlink(&other, &path).expect("a link");
        assert_eq!(AtomicFile::of(&folder.path().join("a")).expect_err("a link").kind(), ErrorKind::InvalidInput);
        assert_eq!(fs::read(&other).expect("a file"), b"precious");
    }

    #[test]
    fn publishing_replaces_only_when_it_may() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        fs::write(at("a"), "before").expect("a file");
        let mut unfinished = AtomicFile::open(&at("a.part")).expect("a new file");
        unfinished.file().write_all(b"after").expect("room");
        assert_eq!(unfinished.publish(&at("a"), false).expect_err("taken").kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read(at("a")).expect("a file"), b"before");
        unfinished.publish(&at("a"), true).expect("replaced");
        drop(unfinished);
        assert_eq!(fs::read(at("a")).expect("a file"), b"after");
        assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), 1);
    }
}
