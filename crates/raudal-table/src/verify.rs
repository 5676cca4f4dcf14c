//! Checks the bytes of one member against its CRC-32, its length and the bounds.
//!
//! The checks are not left to `zip`: its reader distinguishes a wrong checksum from damaged data
//! only by the text of its error.

use std::io::{self, Read};

use super::limits::Limits;
use super::tally::counted;
use raudal_common::{Error, Kind, Result};

/// The ratio is checked after this many bytes. A small file of equal rows compresses a thousandfold
/// and is harmless.
const RATIO_FROM: u64 = 1 << 20;

/// The size that the archive declares for a member, and its CRC. Tar has none.
pub(super) struct Promise {
    pub(super) size: u64,
    pub(super) crc: Option<u32>,
}

/// A reader of decompressed bytes that ends without an error only if every check passed.
pub(super) struct Verify<R> {
    inner: R,
    promise: Option<Promise>,
    hasher: crc32fast::Hasher,
    read: u64,
    /// Compressed size in bytes; 0 for plain text.
    packed: u64,
    limits: Limits,
    ended: bool,
    /// Bytes that were looked at and not yet taken.
    ahead: Vec<u8>,
}

impl<R: Read> Verify<R> {
    pub(super) fn new(inner: R, promise: Option<Promise>, packed: u64, limits: &Limits) -> Self {
        let limits = limits.clone();
        let hasher = crc32fast::Hasher::new();
        Self { inner, promise, hasher, read: 0, packed, limits, ended: false, ahead: Vec::new() }
    }

    /// Returns the next bytes without taking them: `count`, or fewer at the end.
    pub(super) fn peek(&mut self, count: usize) -> Result<&[u8]> {
        let mut ahead = std::mem::take(&mut self.ahead);
        while ahead.len() < count {
            let from = ahead.len();
            ahead.resize(count, 0);
            let read = self.read(&mut ahead[from..])?;
            ahead.truncate(from + read);
            if read == 0 {
                break;
            }
        }
        self.ahead = ahead;
        Ok(&self.ahead)
    }

    /// The compressed bytes behind what is read.
    pub(super) fn packed(&self) -> u64 {
        self.packed
    }

    /// The bytes read so far.
    pub(super) fn count(&self) -> u64 {
        self.read
    }

    /// Reads the next bytes. Returns 0 only at the end, after every check passed.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if !self.ahead.is_empty() {
            let count = self.ahead.len().min(buffer.len());
            buffer[..count].copy_from_slice(&self.ahead[..count]);
            self.ahead.drain(..count);
            return Ok(count);
        }
        if self.ended || buffer.is_empty() {
            return Ok(0);
        }
        let count = loop {
            match self.inner.read(buffer) {
                Ok(count) => break count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(broken(error)),
            }
        };
        if count == 0 {
            self.end()?;
            self.ended = true;
            return Ok(0);
        }
        self.read += count as u64;
        self.bounds()?;
        if self.promise.as_ref().is_some_and(|promise| promise.crc.is_some()) {
            self.hasher.update(&buffer[..count]);
        }
        Ok(count)
    }

    /// Returns damage in place of `error` if the bytes are damaged. The checksum comes at the end,
    /// but damage shows long before it, as bad text. A user told of a bad record looks for it in
    /// vain; a user told of damage fetches the file again.
    pub(super) fn blame(&mut self, error: Error, cancelled: impl Fn() -> bool) -> Error {
        // Plain text has no checksum.
        if !error.kind().is_about_content() || self.packed == 0 {
            return error;
        }
        let mut rest = vec![0; 64 << 10];
        loop {
            match self.read(&mut rest) {
                Ok(1..) if !cancelled() => {}
                Err(damage) if damage.kind().is_damage() => return damage,
                _ => return error,
            }
        }
    }

    fn bounds(&self) -> Result<()> {
        let Limits { member_bytes, ratio, .. } = self.limits;
        if self.read > member_bytes {
            return Err(too_large(member_bytes));
        }
        if self.packed > 0 && self.read > RATIO_FROM && self.read / self.packed > ratio {
            return Err(Error::new(
                Kind::Bounds,
                format!("it decompresses to more than {ratio} times its size, as zip bombs do"),
            )
            .hint("if that is intended, raise the limit with [`max_ratio`]"));
        }
        match &self.promise {
            Some(promise) if self.read > promise.size => Err(Error::new(
                Kind::Corrupt,
                format!("the member is longer than the archive says: more than {}", counted(promise.size, "byte")),
            )),
            _ => Ok(()),
        }
    }

    fn end(&self) -> Result<()> {
        let Some(promise) = &self.promise else { return Ok(()) };
        if self.read != promise.size {
            return Err(Error::new(
                Kind::Corrupt,
                format!("the member ends after {} of {}: cut off or damaged", counted(self.read, "byte"), promise.size),
            ));
        }
        let Some(promised) = promise.crc else { return Ok(()) };
        let crc = self.hasher.clone().finalize();
        if crc != promised {
            return Err(Error::new(
                Kind::Checksum,
                format!("the checksum (CRC-32) differs: {crc:08x} instead of {promised:08x}"),
            ));
        }
        Ok(())
    }
}

/// Reads what was verified, for a decoder on top of it. Its errors come out again in the [`Verify`]
/// above that decoder.
pub(super) struct Below<R>(pub(super) Verify<R>);

impl<R: Read> Read for Below<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(io::Error::other)
    }
}

/// Returns the error for a member whose declared or actual size exceeds the bound.
pub(super) fn too_large(limit: u64) -> Error {
    Error::new(Kind::Bounds, format!("larger than the limit when decompressed: {limit} bytes"))
        .hint("raise the limit with [`max_member_size`]")
}

/// Converts an error of the decompressor or of the reader below it.
pub(super) fn broken(error: io::Error) -> Error {
    let error = match error.downcast::<Error>() {
        Ok(error) => return error,
        Err(error) => error,
    };
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            Error::new(Kind::Corrupt, "the compressed data ends too early: cut off").because(error)
        }
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
            // flate2 has one error kind for both. A test pins its wording for a wrong gzip trailer.
            let kind = if error.to_string().contains("checksum") { Kind::Checksum } else { Kind::Corrupt };
            Error::new(kind, "the compressed data is damaged").because(error)
        }
        _ => Error::io("cannot read the input", error),
    }
}
