//! A body that has arrived whole: what is known of it, and a reader for it.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};

use crate::body::spool::{Held, Stored};
use crate::http::response::Head;
use raudal_source::Location;

/// How much of a file is read at a time, for readers that take it by the byte. An archive's directory is a few KiB.
const BUFFER: usize = 16 * 1024;

/// The verified bytes of one input. Its memory, or its temporary file, lives as long as it or its reader does.
pub struct Body {
    pub(crate) location: Location,
    pub(crate) length: u64,
    pub(crate) head: Head,
    pub(crate) stored: Stored,
}

impl Body {
    /// Where the bytes came from at last, after all redirects.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// How many bytes there are: at least one.
    #[expect(clippy::len_without_is_empty, reason = "an empty body is refused")]
    pub fn len(&self) -> u64 {
        self.length
    }

    /// What the server calls it, in lower case and without parameters: `application/zip`.
    pub fn media_type(&self) -> Option<&str> {
        self.head.media_type.as_deref()
    }

    /// The server's mark for this version of the bytes, with its quotes.
    pub fn etag(&self) -> Option<&str> {
        self.head.etag.as_deref()
    }

    /// When the server says that the bytes last changed, as it writes it.
    pub fn last_modified(&self) -> Option<&str> {
        self.head.last_modified.as_deref()
    }

    /// Whether it came over a network: then a damage may be gone when it is fetched again.
    pub fn is_remote(&self) -> bool {
        self.location.is_remote()
    }

    /// The header `Content-Disposition`, as the server writes it: [`file_name`](crate::file_name) reads it.
    pub fn disposition(&self) -> Option<&str> {
        self.head.disposition.as_deref()
    }

    /// The SHA-256 of the bytes in hexadecimal, where they were hashed as they arrived: in a [`PartialFile`](crate::PartialFile).
    pub fn sha256(&self) -> Option<&str> {
        match &self.stored {
            Stored::Kept(_, sha256) => Some(sha256),
            _ => None,
        }
    }

    /// A reader over all the bytes, at their beginning.
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

/// Reads a [`Body`], from memory or from its file. Reading blocks: do it where that is allowed.
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
            // A short step within the buffer keeps what was read.
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
