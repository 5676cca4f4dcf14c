//! What is written to a store, and what is read from it.

use super::part::{FEW, spool};
use bytes::Bytes;
use futures::{Stream, stream};
use raudal_fetch::BodyReader;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::path::Path;
use tempfile::SpooledTempFile;
use tokio::io::AsyncRead;
use tokio_util::io::StreamReader;

/// Bytes that are read of a body at a time.
const PIECE: usize = 128 << 10;

/// What is written to a store.
pub(crate) enum Content {
    Part(SpooledTempFile),
    Body(BodyReader),
}

impl From<SpooledTempFile> for Content {
    fn from(part: SpooledTempFile) -> Self {
        Self::Part(part)
    }
}

impl From<BodyReader> for Content {
    fn from(body: BodyReader) -> Self {
        Self::Body(body)
    }
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Part(part) => part.read(buffer),
            Self::Body(body) => body.read(buffer),
        }
    }
}

impl Content {
    pub(crate) fn into_async(self) -> Box<dyn AsyncRead + Send + Unpin> {
        match self {
            Self::Part(part) => match part.into_inner() {
                tempfile::SpooledData::InMemory(bytes) => Box::new(bytes),
                tempfile::SpooledData::OnDisk(file) => Box::new(tokio::fs::File::from_std(file)),
            },
            Self::Body(body) => Box::new(StreamReader::new(Box::pin(pieces(body)))),
        }
    }
}

/// Reads a body on a thread that may wait for a disk, and hands out its pieces.
fn pieces(mut body: BodyReader) -> impl Stream<Item = io::Result<Bytes>> + Send {
    let (sender, mut receiver) = tokio::sync::mpsc::channel(1);
    tokio::task::spawn_blocking(move || {
        loop {
            let mut piece = vec![0; PIECE];
            let read = body.read(&mut piece).map(|read| {
                piece.truncate(read);
                Bytes::from(piece)
            });
            let is_last = read.as_ref().map_or(true, Bytes::is_empty);
            if sender.blocking_send(read).is_err() || is_last {
                return;
            }
        }
    });
    stream::poll_fn(move |cx| receiver.poll_recv(cx))
}

/// An object with this text.
pub(crate) fn bytes_of(text: &str) -> SpooledTempFile {
    let mut object = spool();
    // It is in memory.
    let _ = object.write_all(text.as_bytes()).and_then(|()| object.rewind());
    object
}

/// Opens an object. One that is small is read now: that is cheaper than to read it piece by piece later.
pub(crate) fn open(path: &Path) -> io::Result<SpooledOrFile> {
    let mut file = std::fs::File::open(path)?;
    let mut bytes = Vec::new();
    (&mut file).take(FEW as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() <= FEW {
        return Ok(SpooledOrFile::Memory(Cursor::new(bytes)));
    }
    file.rewind()?;
    Ok(SpooledOrFile::File(file))
}

/// An object that can be read and sought in.
pub(crate) enum SpooledOrFile {
    /// At most [`FEW`] bytes.
    Memory(Cursor<Vec<u8>>),
    Spooled(SpooledTempFile),
    File(std::fs::File),
}

impl Read for SpooledOrFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Memory(object) => Read::read(object, buffer),
            Self::Spooled(object) => object.read(buffer),
            Self::File(file) => file.read(buffer),
        }
    }
}

impl Seek for SpooledOrFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            Self::Memory(object) => object.seek(to),
            Self::Spooled(object) => object.seek(to),
            Self::File(file) => file.seek(to),
        }
    }
}
