//! A body that has arrived whole: its facts, and a reader for it.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::time::SystemTime;

use crate::body::spool::{Held, Stored};
use crate::http::response::Head;
use raudal_source::Location;

/// Buffer size, for readers that read byte by byte. An archive's directory is a few KiB.
const BUFFER: usize = 16 * 1024;

/// The verified bytes of one input. Its memory or temporary file is released when it and its reader
/// are dropped.
pub struct Body {
    pub(crate) location: Location,
    pub(crate) length: u64,
    pub(crate) head: Head,
    pub(crate) stored: Stored,
}

impl Body {
    /// The final address of the bytes, after all redirects.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// How many bytes there are: at least one.
    #[expect(clippy::len_without_is_empty, reason = "an empty body is refused")]
    pub fn len(&self) -> u64 {
        self.length
    }

    /// The media type that the server sent, in lower case and without parameters:
    /// `application/zip`.
    pub fn media_type(&self) -> Option<&str> {
        self.head.media_type.as_deref()
    }

    /// The encoding that the server sent with the media type, as it was written: `ISO-8859-1`.
    pub fn charset(&self) -> Option<&str> {
        self.head.charset.as_deref()
    }

    /// The server's `ETag` for this version of the bytes, with its quotes.
    pub fn etag(&self) -> Option<&str> {
        self.head.etag.as_deref()
    }

    /// The header `Last-Modified`, as the server sent it.
    pub fn last_modified(&self) -> Option<&str> {
        self.head.last_modified.as_deref()
    }

    /// The time in the header `Last-Modified`; of a local file, when it was last written.
    pub fn modified(&self) -> Option<SystemTime> {
        match &self.location {
            Location::File(path) => std::fs::metadata(path).ok()?.modified().ok(),
            Location::Stdin => None,
            Location::Url(_) => httpdate::parse_http_date(self.last_modified()?).ok(),
        }
    }

    /// Whether it came over the network. Then fetching it again may cure a damage.
    pub fn is_remote(&self) -> bool {
        self.location.is_remote()
    }

    /// The header `Content-Disposition`, as the server sent it. [`file_name`](crate::file_name)
    /// parses it.
    pub fn disposition(&self) -> Option<&str> {
        self.head.disposition.as_deref()
    }

    /// What was wrong with the response and was put up with, for the user.
    pub fn warnings(&self) -> &[String] {
        &self.head.warnings
    }

    /// The SHA-256 of the bytes in hexadecimal. Only bytes that go to a
    /// [`PartialFile`](crate::PartialFile) are hashed as they arrive.
    pub fn sha256(&self) -> Option<&str> {
        match &self.stored {
            Stored::Kept(_, sha256) | Stored::Memory(Held::Unwritten(_, sha256)) => Some(sha256),
            _ => None,
        }
    }

    /// Returns a reader over all the bytes, at their beginning.
    pub fn into_reader(self) -> BodyReader {
        BodyReader(match self.stored {
            Stored::Memory(held) => Inner::Memory(Cursor::new(held)),
            Stored::File(file) | Stored::Kept(file, _) => Inner::File(BufReader::with_capacity(BUFFER, file)),
        })
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Body")
            .field("location", &self.location.to_string())
            .field("length", &self.length)
            .field("head", &self.head)
            .finish_non_exhaustive()
    }
}

/// Reads a [`Body`] from memory or from its file. Reading blocks: do it where blocking is allowed.
#[derive(Debug)]
pub struct BodyReader(Inner);

#[derive(Debug)]
enum Inner {
    Memory(Cursor<Held>),
    File(BufReader<File>),
}

impl Read for BodyReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.0 {
            Inner::Memory(cursor) => cursor.read(buffer),
            Inner::File(file) => file.read(buffer),
        }
    }
}

impl Seek for BodyReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match (&mut self.0, to) {
            (Inner::Memory(cursor), to) => cursor.seek(to),
            // A short step within the buffer keeps the buffer.
            (Inner::File(file), SeekFrom::Current(step)) => {
                file.seek_relative(step)?;
                file.stream_position()
            }
            (Inner::File(file), to) => file.seek(to),
        }
    }
}

const _: () = {
    const fn can_go_to_another_thread<T: Send + 'static>() {}
    can_go_to_another_thread::<BodyReader>();
};
