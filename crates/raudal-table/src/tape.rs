//! A tar archive: one member after another, without a directory.
//!
//! The headers are read here, with the `tar` crate for their fields. Its own iterator takes the end
//! of the file for the end of the archive, so that an archive that was cut off between two members
//! looks complete, and it holds a name of any length in memory.

use std::io::{self, Read, SeekFrom};

use tar::{EntryType, Header, PaxExtensions};

use super::archive::too_many;
use super::input::Input;
use super::limits::Limits;
use super::members::Member;
use super::names::{MemberEncoding, Name};
use super::signature::checksum;
use super::verify::{broken, too_large};
use raudal_common::{Error, Kind, Result};

const BLOCK: u64 = 512;
/// A longer name or list of attributes is no name.
const NAME: u64 = 1 << 20;

/// What a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    File,
    Folder,
    Link,
    /// A device, a pipe or a part of another archive.
    Other,
}

/// A member, as its header describes it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: Name,
    pub(super) what: What,
    pub(super) size: u64,
    /// Where its bytes begin.
    pub(super) at: u64,
}

impl Entry {
    pub(super) fn member(&self) -> Member {
        Member { name: self.name.clone(), is_file: self.what == What::File }
    }
}

/// The bytes of a tar archive, from the first to the last. Reading goes forward only.
pub(super) trait Tape: Read {
    /// Goes forward to this offset from the beginning.
    fn forward(&mut self, to: u64) -> io::Result<()>;
}

/// An archive that is not compressed: what is not read need not be.
pub(super) struct Seeking<'a> {
    inner: &'a mut dyn Input,
    length: u64,
}

impl<'a> Seeking<'a> {
    pub(super) fn new(inner: &'a mut dyn Input) -> Result<Self> {
        let length = inner.seek(SeekFrom::End(0)).and_then(|length| inner.rewind().map(|()| length));
        Ok(Self { length: length.map_err(broken)?, inner })
    }
}

impl Read for Seeking<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.inner.read(buffer)
    }
}

impl Tape for Seeking<'_> {
    fn forward(&mut self, to: u64) -> io::Result<()> {
        if to > self.length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.inner.seek(SeekFrom::Start(to)).map(drop)
    }
}

/// A compressed archive: what is not read is decompressed all the same.
pub(super) struct Flowing<R> {
    inner: R,
    at: u64,
}

impl<R: Read> Flowing<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, at: 0 }
    }
}

impl<R: Read> Read for Flowing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.at += count as u64;
        Ok(count)
    }
}

impl<R: Read> Tape for Flowing<R> {
    fn forward(&mut self, to: u64) -> io::Result<()> {
        let missing = to.saturating_sub(self.at);
        let skipped = io::copy(&mut self.by_ref().take(missing), &mut io::sink())?;
        if skipped < missing { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }
}

/// What was found in an archive.
pub(super) struct Listing {
    pub(super) entries: Vec<Entry>,
    /// Bytes after the end of the archive that are no archive.
    pub(super) trailing: u64,
    /// Files that a later one of the same name replaces.
    pub(super) replaced: u64,
}

/// Lists the members. Reads to the last byte, so that the checksum of what compresses the archive
/// is verified too.
pub(super) fn list(tape: &mut dyn Tape, limits: &Limits, encoding: Option<MemberEncoding>) -> Result<Listing> {
    let mut entries: Vec<Entry> = Vec::new();
    let trailing = list_into(&mut entries, tape, limits, encoding)?;
    let all = entries.len();
    let entries = last_of_each(entries);
    Ok(Listing { trailing, replaced: (all - entries.len()) as u64, entries })
}

/// Lists the members, up to an error. Returns the bytes after the end of the archive that are no archive.
pub(super) fn list_into(
    entries: &mut Vec<Entry>,
    tape: &mut dyn Tape,
    limits: &Limits,
    encoding: Option<MemberEncoding>,
) -> Result<u64> {
    let mut next = Attributes::default();
    let (mut at, mut count, mut ended) = (0, 0_u64, false);
    loop {
        let mut block = [0; BLOCK as usize];
        match fill(tape, &mut block)? {
            0 if ended => return Ok(0),
            count if (count as u64) < BLOCK => {
                if ended {
                    return Ok(if block.iter().all(|&byte| byte == 0) { 0 } else { count as u64 });
                }
                return Err(cut_off(None));
            }
            _ => {}
        }
        at += BLOCK;
        if block.iter().all(|&byte| byte == 0) {
            ended = true;
            continue;
        }
        let header = Header::from_byte_slice(&block);
        if header.cksum().ok() != Some(checksum(&block)) {
            if ended {
                return Ok(BLOCK + io::copy(tape, &mut io::sink()).map_err(broken)?);
            }
            return Err(Error::new(Kind::Corrupt, "the checksum of a member's header is wrong: damaged"));
        }
        // Archives may be joined, each with its end.
        ended = false;
        let kind = header.entry_type();
        let is_attribute = matches!(
            kind,
            EntryType::XHeader | EntryType::XGlobalHeader | EntryType::GNULongName | EntryType::GNULongLink
        );
        let size = match next.size {
            Some(size) if !is_attribute => size,
            // GNU's label of a volume has no size.
            _ if header.as_bytes()[124..136].iter().all(|byte| matches!(byte, 0 | b' ')) => 0,
            _ => header
                .entry_size()
                .map_err(|_| Error::new(Kind::Corrupt, "the size of a member is no number: damaged"))?,
        };
        let end = size.checked_next_multiple_of(BLOCK).and_then(|padded| padded.checked_add(at));
        let end = end.ok_or_else(|| Error::new(Kind::Corrupt, "the size of a member is no size: damaged"))?;
        match kind {
            EntryType::XHeader => next.pax(&attribute(tape, size)?)?,
            EntryType::GNULongName => next.name = Some(until_nul(attribute(tape, size)?)),
            EntryType::XGlobalHeader | EntryType::GNULongLink => {}
            _ => {
                count += 1;
                if count > limits.members {
                    return Err(too_many(count, limits));
                }
                let is_sparse = kind.is_gnu_sparse() || next.is_sparse;
                let name = next.name.take().unwrap_or_else(|| header.path_bytes().into_owned());
                let entry = entry(kind, &name, size, at, encoding);
                if entry.what == What::File && size > limits.member_bytes {
                    return Err(too_large(limits.member_bytes).member(entry.name.text));
                }
                if is_sparse {
                    return Err(Error::new(Kind::Unsupported, "a sparse file, which is not supported")
                        .hint("unpack the archive first, with `tar -xf`")
                        .member(entry.name.text));
                }
                next = Attributes::default();
                entries.extend((!entry.name.text.is_empty()).then_some(entry));
            }
        }
        tape.forward(end).map_err(cut)?;
        at = end;
    }
}

fn entry(kind: EntryType, name: &[u8], size: u64, at: u64, encoding: Option<MemberEncoding>) -> Entry {
    // `tar -c .` begins every name so, and has the folder itself as a member.
    let name = name.strip_prefix(b"./").unwrap_or(name);
    let name = if name == b"." { b"" } else { name };
    let what = match kind {
        // Before POSIX, a folder was a file whose name ends so.
        EntryType::Regular | EntryType::Continuous if name.ends_with(b"/") => What::Folder,
        EntryType::Regular | EntryType::Continuous => What::File,
        EntryType::Directory => What::Folder,
        EntryType::Symlink | EntryType::Link => What::Link,
        _ => What::Other,
    };
    Entry { name: Name::new(name.to_vec(), encoding), what, size, at }
}

/// A member that was appended again replaces the one before it, as `tar -x` has it.
pub(super) fn last_of_each(entries: Vec<Entry>) -> Vec<Entry> {
    let mut last = std::collections::HashMap::new();
    for (at, entry) in entries.iter().enumerate() {
        last.insert(entry.name.raw.clone(), at);
    }
    let mut at = 0..;
    let mut entries = entries;
    entries.retain(|entry| at.next() == last.get(&entry.name.raw).copied());
    entries
}

/// What stands before a header and holds for it (pax, and GNU's names).
#[derive(Default)]
struct Attributes {
    name: Option<Vec<u8>>,
    size: Option<u64>,
    is_sparse: bool,
}

impl Attributes {
    fn pax(&mut self, bytes: &[u8]) -> Result<()> {
        for record in PaxExtensions::new(bytes) {
            let record = record
                .map_err(|error| Error::new(Kind::Corrupt, "a member's attributes are damaged").because(error))?;
            match record.key_bytes() {
                b"path" => self.name = Some(record.value_bytes().to_vec()),
                b"size" => self.size = record.value().ok().and_then(|size| size.parse().ok()),
                key if key.starts_with(b"GNU.sparse.") => self.is_sparse = true,
                _ => {}
            }
        }
        Ok(())
    }
}

/// Reads the content of a header that describes the next one.
fn attribute(tape: &mut dyn Tape, size: u64) -> Result<Vec<u8>> {
    if size > NAME {
        return Err(Error::new(
            Kind::Bounds,
            format!("the name or the attributes of a member are longer than {NAME} bytes"),
        ));
    }
    let mut bytes = vec![0; size as usize];
    if fill(tape, &mut bytes)? < bytes.len() {
        return Err(cut_off(None));
    }
    Ok(bytes)
}

fn until_nul(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.truncate(memchr::memchr(0, &bytes).unwrap_or(bytes.len()));
    bytes
}

/// Reads as much as fits, or up to the end.
fn fill(tape: &mut dyn Tape, buffer: &mut [u8]) -> Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match tape.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(broken(error)),
        }
    }
    Ok(filled)
}

fn cut(error: io::Error) -> Error {
    if error.kind() == io::ErrorKind::UnexpectedEof { cut_off(Some(error)) } else { broken(error) }
}

fn cut_off(cause: Option<io::Error>) -> Error {
    let error = Error::new(Kind::Corrupt, "the tar archive ends within a member, or without its end mark: cut off");
    match cause {
        Some(cause) => error.because(cause),
        None => error,
    }
}
