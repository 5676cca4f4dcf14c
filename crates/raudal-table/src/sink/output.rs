//! Writes the bytes of a table to a file, to standard output or to any writer; counts and hashes
//! them.

use std::fs::{self, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::Target;
use raudal_common::atomic_file::{AtomicFile, folder_of, hex};
use raudal_common::{Error, Kind, Result};

const BUFFER: usize = 64 << 10;

pub(super) struct Output {
    to: To,
    /// The name in errors.
    name: String,
    hasher: Sha256,
    bytes: u64,
}

enum To {
    /// Written as the rows come.
    Stream(BufWriter<Box<dyn Write + Send>>),
    /// Written under another name, then renamed when complete. Dropping it removes the file.
    AtomicFile(BufWriter<AtomicFile>, PathBuf),
}

impl Output {
    pub(super) fn open(target: Target) -> Result<Self> {
        let (to, name) = match target {
            Target::Stdout => (stream(Box::new(io::stdout())), "standard output".to_owned()),
            Target::Writer(writer) => (stream(writer), "the output".to_owned()),
            Target::File(path) => (file(&path)?, path.display().to_string()),
        };
        Ok(Self { to, name, hasher: Sha256::new(), bytes: 0 })
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.hasher.update(bytes);
        self.bytes += bytes.len() as u64;
        let written = match &mut self.to {
            To::Stream(writer) => writer.write_all(bytes),
            To::AtomicFile(writer, _) => writer.write_all(bytes),
        };
        written.map_err(|error| self.failed(error))
    }

    /// Copies all bytes of a reader.
    pub(super) fn copy(&mut self, mut from: impl Read) -> Result<()> {
        let mut buffer = vec![0; BUFFER];
        loop {
            match from.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => self.write(&buffer[..count])?,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::io("cannot read the rows from the temporary file", error)),
            }
        }
    }

    /// Flushes after each input, so that a reader of the stream sees it at once.
    pub(super) fn input_done(&mut self) -> Result<()> {
        let flushed = match &mut self.to {
            To::Stream(writer) => writer.flush(),
            To::AtomicFile(..) => Ok(()),
        };
        flushed.map_err(|error| self.failed(error))
    }

    /// Publishes the output under the name that `name_of` derives from its final name. Returns the
    /// bytes and their digest.
    pub(super) fn publish(self, name_of: impl FnOnce(&Path) -> PathBuf) -> Result<(u64, String)> {
        let Self { to, name, hasher, bytes } = self;
        match to {
            To::Stream(mut writer) => writer.flush(),
            To::AtomicFile(writer, path) => rename(writer, &name_of(&path)),
        }
        .map_err(|error| failed(&name, error))?;
        Ok((bytes, hex(&hasher.finalize())))
    }

    fn failed(&self, error: io::Error) -> Error {
        failed(&self.name, error)
    }
}

fn failed(name: &str, error: io::Error) -> Error {
    Error::io(format!("cannot write: {name}"), error)
}

fn stream(writer: Box<dyn Write + Send>) -> To {
    To::Stream(BufWriter::with_capacity(BUFFER, writer))
}

fn file(path: &Path) -> Result<To> {
    let cannot = |error| Error::io(format!("cannot write: {}", path.display()), error);
    match fs::metadata(path) {
        Ok(there) if there.is_dir() => {
            return Err(cannot(io::Error::from(ErrorKind::IsADirectory)).hint("give a file in this folder"));
        }
        // A pipe or a device has no place for a temporary file beside it, and replacing it would be
        // a surprise.
        Ok(there) if !there.is_file() => {
            let file = OpenOptions::new().write(true).open(path).map_err(cannot)?;
            return Ok(stream(Box::new(file)));
        }
        Ok(there) if there.permissions().readonly() => {
            return Err(cannot(io::Error::from(ErrorKind::PermissionDenied)).hint("the file is read-only"));
        }
        _ => {}
    }
    if path.file_name().is_none() {
        return Err(cannot(io::Error::from(ErrorKind::InvalidInput)).hint("give the name of a file"));
    }
    // Replace the target of a link, not the link.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let unfinished = AtomicFile::of(&path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => cannot(error).hint(format!("the folder does not exist: {}", folder_of(&path).display())),
        ErrorKind::WouldBlock => Error::new(Kind::Io, format!("another run is writing this file: {}", path.display()))
            .hint("wait until it is done, or choose another file"),
        _ => cannot(error),
    })?;
    Ok(To::AtomicFile(BufWriter::with_capacity(BUFFER, unfinished), path))
}

fn rename(writer: BufWriter<AtomicFile>, path: &Path) -> io::Result<()> {
    let mut unfinished = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
    if let Ok(before) = fs::metadata(path) {
        // A replaced file keeps its permissions. If that fails, the default permissions do no harm.
        let _ = unfinished.file().set_permissions(before.permissions());
    }
    unfinished.publish(path, true)
}
