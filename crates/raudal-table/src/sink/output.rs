//! Writes the bytes of a table to a file, to standard output or to any writer; compresses, counts
//! and hashes them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use super::format::{Compression, Format};
use super::options::{Existing, SinkOptions, Target};
use super::writer::{Bytes, Ending};
use raudal_common::atomic_file::{AtomicFile, folder_of, hex};
use raudal_common::{Error, Kind, Result};

const BUFFER: usize = 64 << 10;

pub(super) struct Output {
    to: Encoder,
    /// The name in errors.
    name: String,
    /// The existing file that rows are added to.
    old: Option<Old>,
    existing: Existing,
}

#[cfg_attr(not(feature = "zstd"), allow(clippy::large_enum_variant, reason = "there is one for a table"))]
enum Encoder {
    Plain(Counted),
    Gzip(GzEncoder<Counted>),
    #[cfg(feature = "zstd")]
    Zstd(zstd::Encoder<'static, Counted>),
}

/// Counts and hashes the bytes as they are in the file.
struct Counted {
    to: To,
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
    pub(super) fn open(target: Target, options: &SinkOptions) -> Result<Self> {
        let (to, name) = match target {
            Target::Stdout => (stream(Box::new(io::stdout())), "standard output".to_owned()),
            Target::Writer(writer) => (stream(writer), "the output".to_owned()),
            Target::File(path) => (file(&path, options)?, path.display().to_string()),
            Target::Database(_) => return Err(Error::usage("this format is not written to a database")),
            #[cfg(feature = "arrow")]
            Target::Batches(_) => return Err(Error::usage("only the format arrow has record batches")),
        };
        let old = match &to {
            To::AtomicFile(_, path) if options.existing == Existing::Append => {
                let there = fs::metadata(path).is_ok_and(|there| there.len() > 0);
                there.then(|| Old { path: path.clone(), compression: options.compression })
            }
            _ => None,
        };
        let counted = Counted { to, hasher: Sha256::new(), bytes: 0 };
        let to = match options.compression {
            Compression::None => Encoder::Plain(counted),
            Compression::Gzip => Encoder::Gzip(GzEncoder::new(counted, flate2::Compression::default())),
            #[cfg(feature = "zstd")]
            Compression::Zstd => {
                let encoder = zstd::Encoder::new(counted, zstd::DEFAULT_COMPRESSION_LEVEL).and_then(|mut encoder| {
                    // Without it, a reader would not know damage, as it does in gzip.
                    encoder.include_checksum(true)?;
                    Ok(encoder)
                });
                Encoder::Zstd(encoder.map_err(|error| Error::io("cannot begin to compress", error))?)
            }
            #[cfg(not(feature = "zstd"))]
            Compression::Zstd => return Err(super::not_built("zstd")),
        };
        Ok(Self { to, name, old, existing: options.existing })
    }

    /// Returns the existing file that rows are added to, if there is one. The writer copies it
    /// first: the whole gets its name at once.
    pub(super) fn take_old(&mut self) -> Option<Old> {
        self.old.take()
    }

    /// Returns whether it is a regular file, not a stream.
    pub(super) fn is_file(&self) -> bool {
        let counted = match &self.to {
            Encoder::Plain(counted) => counted,
            Encoder::Gzip(encoder) => encoder.get_ref(),
            #[cfg(feature = "zstd")]
            Encoder::Zstd(encoder) => encoder.get_ref(),
        };
        matches!(counted.to, To::AtomicFile(..))
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.write_all(bytes).map_err(|error| self.failed(error))
    }

    /// Copies all bytes of a reader. Returns the last one.
    pub(super) fn copy(&mut self, from: &mut dyn Read) -> Result<Option<u8>> {
        let mut buffer = vec![0; BUFFER];
        let mut last = None;
        loop {
            match from.read(&mut buffer) {
                Ok(0) => return Ok(last),
                Ok(count) => {
                    self.write(&buffer[..count])?;
                    last = buffer[..count].last().copied();
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::io("cannot read the rows from the temporary file", error)),
            }
        }
    }

    /// Flushes after each input, so that a reader of the stream sees it at once.
    pub(super) fn input_done(&mut self) -> Result<()> {
        if self.is_file() {
            return Ok(());
        }
        self.flush().map_err(|error| self.failed(error))
    }

    /// Publishes the output. Returns the bytes and their digest.
    pub(super) fn publish(self, ending: Ending) -> Result<Bytes> {
        let Self { to, name, existing, .. } = self;
        let failed = |error| failed(&name, error);
        let counted = match to {
            Encoder::Plain(counted) => counted,
            Encoder::Gzip(encoder) => encoder.finish().map_err(failed)?,
            #[cfg(feature = "zstd")]
            Encoder::Zstd(encoder) => encoder.finish().map_err(failed)?,
        };
        let Counted { to, hasher, bytes } = counted;
        match to {
            To::Stream(mut writer) => writer.flush().map_err(failed)?,
            To::AtomicFile(writer, path) => {
                let unfinished = writer.into_inner().map_err(|error| failed(error.into_error()))?;
                publish(unfinished, &path, ending, existing)?;
            }
        }
        Ok(Bytes { count: bytes, digest: Some(hex(&hasher.finalize())) })
    }

    /// Names the output in an error.
    pub(super) fn failed(&self, error: io::Error) -> Error {
        failed(&self.name, error)
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.to {
            Encoder::Plain(counted) => counted.write(bytes),
            Encoder::Gzip(encoder) => encoder.write(bytes),
            #[cfg(feature = "zstd")]
            Encoder::Zstd(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.to {
            Encoder::Plain(counted) => counted.flush(),
            Encoder::Gzip(encoder) => encoder.flush(),
            #[cfg(feature = "zstd")]
            Encoder::Zstd(encoder) => encoder.flush(),
        }
    }
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = match &mut self.to {
            To::Stream(writer) => writer.write(bytes)?,
            To::AtomicFile(writer, _) => writer.write(bytes)?,
        };
        self.hasher.update(&bytes[..count]);
        self.bytes += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.to {
            To::Stream(writer) => writer.flush(),
            To::AtomicFile(writer, _) => writer.flush(),
        }
    }
}

/// An existing file that rows are added to.
pub(super) struct Old {
    path: PathBuf,
    compression: Compression,
}

impl Old {
    /// Returns a reader of its text.
    pub(super) fn reader(&self) -> Result<Box<dyn Read>> {
        let cannot = |error| Error::io("cannot read the existing file", error).input(self.name());
        let file = BufReader::with_capacity(BUFFER, File::open(&self.path).map_err(cannot)?);
        Ok(match self.compression {
            Compression::None => Box::new(file),
            Compression::Gzip => Box::new(MultiGzDecoder::new(file)),
            #[cfg(feature = "zstd")]
            Compression::Zstd => Box::new(zstd::Decoder::with_buffer(file).map_err(cannot)?),
            #[cfg(not(feature = "zstd"))]
            Compression::Zstd => return Err(super::not_built("zstd")),
        })
    }

    pub(super) fn name(&self) -> String {
        self.path.display().to_string()
    }
}

/// Checks an output before anything is fetched, without touching it: an existing file is refused
/// unless it may be replaced or added to.
///
/// # Errors
///
/// [`Kind::Io`] if the file is there, is a folder or cannot be written.
pub(super) fn check(path: &Path, options: &SinkOptions) -> Result<()> {
    let cannot = |error| Error::io(format!("cannot write: {}", path.display()), error);
    match fs::metadata(path) {
        Ok(there) if there.is_dir() => Err(cannot(io::Error::from(ErrorKind::IsADirectory)).hint("name a file in it")),
        Ok(there) if !there.is_file() => Ok(()),
        Ok(_) if options.existing == Existing::Refuse => Err(already_there(path, options.format)),
        Ok(there) if there.permissions().readonly() => {
            Err(cannot(io::Error::from(ErrorKind::PermissionDenied)).hint("the file is read-only"))
        }
        Err(error) if error.kind() == ErrorKind::InvalidFilename => Err(cannot(error).hint("choose a shorter name")),
        _ if path.file_name().is_none() => Err(cannot(io::Error::from(ErrorKind::InvalidInput)).hint("name a file")),
        _ => Ok(()),
    }
}

fn already_there(path: &Path, format: Format) -> Error {
    let hint = if format.appends() {
        "[`overwrite`] replaces it, [`append`] adds rows to it"
    } else {
        "[`overwrite`] replaces it; [`append`] adds rows to csv, tsv, jsonl and databases only"
    };
    Error::new(Kind::Io, format!("the output is there already: {}", path.display())).hint(hint)
}

fn failed(name: &str, error: io::Error) -> Error {
    Error::io(format!("cannot write: {name}"), error)
}

fn stream(writer: Box<dyn Write + Send>) -> To {
    To::Stream(BufWriter::with_capacity(BUFFER, writer))
}

fn file(path: &Path, options: &SinkOptions) -> Result<To> {
    check(path, options)?;
    // A pipe or a device has no place for a temporary file beside it, and replacing it would be a
    // surprise.
    if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
        let file =
            OpenOptions::new().write(true).open(path).map_err(|error| failed(&path.display().to_string(), error))?;
        return Ok(stream(Box::new(file)));
    }
    let (unfinished, path) = unfinished(path)?;
    Ok(To::AtomicFile(BufWriter::with_capacity(BUFFER, unfinished), path))
}

/// Opens the file that will become the one at this path. Returns the path that it will replace.
pub(super) fn unfinished(path: &Path) -> Result<(AtomicFile, PathBuf)> {
    let cannot = |error| Error::io(format!("cannot write: {}", path.display()), error);
    // Replace the target of a link, not the link.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let unfinished = AtomicFile::of(&path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => cannot(error).hint(format!("the folder does not exist: {}", folder_of(&path).display())),
        ErrorKind::WouldBlock => Error::new(Kind::Io, format!("another run is writing this file: {}", path.display()))
            .hint("wait until it is done, or choose another file"),
        _ => cannot(error),
    })?;
    Ok((unfinished, path))
}

/// Gives a complete file its name.
pub(super) fn publish(mut unfinished: AtomicFile, path: &Path, ending: Ending, existing: Existing) -> Result<()> {
    let to = ending.name(path);
    let cannot = |error| failed(&to.display().to_string(), error);
    if let Ok(before) = fs::metadata(path) {
        // A replaced file keeps its permissions. If that fails, the default permissions do no harm.
        let _ = unfinished.file().set_permissions(before.permissions());
    }
    let replace = ending == Ending::Stopped || existing != Existing::Refuse;
    match unfinished.publish(&to, replace) {
        Err(error) if !replace && error.kind() == ErrorKind::AlreadyExists && path.is_file() => {
            let kept = Ending::Stopped.name(path);
            unfinished.rename(&kept, true).map_err(cannot)?;
            Err(Error::new(
                Kind::Io,
                format!("another file took the name while the table was made: {}", path.display()),
            )
            .hint(format!("the table is kept in {}", kept.display())))
        }
        done => done.map_err(cannot),
    }
}
