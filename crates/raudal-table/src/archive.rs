//! A zip archive: its directory, checked, and its members.
//!
//! The central directory is the authority. A local header that lies about sizes (CVE-2025-54368) is
//! ignored. A local header with another name means that the directory is damaged, so nothing in it
//! can be trusted.

use std::collections::HashSet;
use std::io::{self, Read, SeekFrom};
use std::sync::Arc;

use zip::read::{ZipArchiveMetadata, ZipReadOptions};
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::input::Input;
use super::limits::Limits;
use super::members::Member;
use super::names::{MemberEncoding, Name};
use super::signature::{Foreign, SPREADSHEETS};
use super::tally::counted;
use super::unpack;
use super::verify::{Promise, too_large};
use raudal_common::{Error, Kind, Result};

const UNREADABLE: &str = "a member cannot be read: cut off or damaged";

/// How much of a directory is searched for a name that occurs twice, in bytes.
const DIRECTORY: u64 = 16 << 20;

/// A zip archive with a valid directory.
pub(super) struct Archive<'a> {
    input: &'a mut dyn Input,
    directory: Arc<ZipArchiveMetadata>,
    limits: Limits,
    /// Bytes before the archive, as in a self-extracting one.
    pub(super) before: u64,
    /// Bytes after its end.
    pub(super) after: u64,
}

impl<'a> Archive<'a> {
    /// Opens an archive that is there as a whole, and checks all of it. Bytes before it are refused
    /// unless `may_follow`: then another archive than the one that the input begins with is read.
    pub(super) fn open(input: &'a mut dyn Input, limits: &Limits, may_follow: bool) -> Result<Self> {
        let mut zip = Self::directory(input, limits, may_follow)?;
        match zip.has_overlapping_entries() {
            Ok(false) => {}
            Ok(true) => return Err(Error::new(Kind::Corrupt, "members of the archive overlap, as zip bombs do")),
            Err(error) => return Err(broken(error, UNREADABLE)),
        }
        let mut archive = Self::of(zip, limits);
        archive.check_names()?;
        archive.after = after(archive.input).map_err(|error| broken(error.into(), UNREADABLE))?;
        Ok(archive)
    }

    /// Opens an archive that is still arriving. Skips the checks that need the whole of it.
    pub(super) fn open_ahead(input: &'a mut dyn Input, limits: &Limits) -> Result<Self> {
        Ok(Self::of(Self::directory(input, limits, false)?, limits))
    }

    /// Opens an archive to look at it, without the checks that read all of it.
    pub(super) fn open_to_look(input: &'a mut dyn Input, limits: &Limits, may_follow: bool) -> Result<Self> {
        Ok(Self::of(Self::directory(input, limits, may_follow)?, limits))
    }

    fn of(zip: ZipArchive<&'a mut dyn Input>, limits: &Limits) -> Self {
        let directory = zip.metadata();
        // A self-extracting archive may count its offsets from the program's first byte.
        let starts = (0..directory.len()).filter_map(|at| Some(directory.entry(at).ok()?.header_start()));
        let before = starts.min().unwrap_or_else(|| zip.offset());
        Self { directory, input: zip.into_inner(), limits: limits.clone(), before, after: 0 }
    }

    /// Reads the directory and checks it against the bounds.
    fn directory(input: &'a mut dyn Input, limits: &Limits, may_follow: bool) -> Result<ZipArchive<&'a mut dyn Input>> {
        refuse_part(input)?;
        let zip = ZipArchive::new(input)
            .map_err(|error| broken(error, "the directory of the archive cannot be read: cut off or damaged"))?;
        // The archive must begin at the first byte. Otherwise this is the directory of an archive
        // inside this one, and the outer archive is cut off.
        if zip.offset() != 0 && !may_follow {
            return Err(Error::new(
                Kind::Corrupt,
                format!(
                    "the directory of the archive does not cover its beginning, {}: cut off or damaged",
                    counted(zip.offset(), "byte")
                ),
            ));
        }
        if zip.len() as u64 > limits.members {
            return Err(too_many(zip.len() as u64, limits));
        }
        if zip.has_duplicate_names() {
            let directory = zip.central_directory_start();
            return Err(twice(zip.into_inner(), directory));
        }
        Ok(zip)
    }

    /// Compares every name in the directory with the name before the member's data, not only those
    /// of selected members. A damaged name (`a.csv` turned into `a.cs/`) could otherwise select
    /// another member.
    fn check_names(&mut self) -> Result<()> {
        for index in 0..self.directory.len() {
            let entry = self.directory.entry(index).map_err(|error| broken(error, UNREADABLE))?;
            let agree = names_agree(self.input, entry.header_start(), entry.name_raw());
            if !agree.map_err(|error| broken(error.into(), UNREADABLE))? {
                let name = self.name(index, None).shown();
                return Err(Error::new(
                    Kind::Corrupt,
                    format!("a member has another name in its local header than in the archive's directory: {name}"),
                ));
            }
        }
        Ok(())
    }

    /// The members, in the order of the directory.
    pub(super) fn members(&self, encoding: Option<MemberEncoding>) -> Vec<Member> {
        let describe = |index| {
            let name = self.name(index, encoding);
            Member { is_file: !name.is_folder() && !self.is_link(index), name }
        };
        (0..self.directory.len()).map(describe).collect()
    }

    fn name(&self, index: usize, encoding: Option<MemberEncoding>) -> Name {
        // A Unicode path (extra field 0x7075) stands here in place of the name that it replaces.
        let entry = self.directory.entry(index);
        Name::new(entry.map(|entry| entry.name_raw().to_vec()).unwrap_or_default(), encoding)
    }

    /// Whether a member is a link: its bytes are the path that it leads to.
    pub(super) fn is_link(&self, index: usize) -> bool {
        self.mode(index).is_some_and(|mode| mode & 0o170_000 == 0o120_000)
    }

    /// The Unix mode of a member, where the archive has one: it tells links and devices from files.
    pub(super) fn mode(&self, index: usize) -> Option<u32> {
        self.directory.entry(index).ok().and_then(|entry| entry.unix_mode())
    }

    /// Whether the members are the parts of an Excel workbook. Another spreadsheet is refused.
    pub(super) fn is_workbook(&self) -> Result<bool> {
        let has = |name: &[u8]| {
            (0..self.directory.len()).any(|at| self.directory.entry(at).is_ok_and(|entry| entry.name_raw() == name))
        };
        if has(b"xl/workbook.xml") {
            return Ok(true);
        }
        let is_package =
            has(b"[Content_Types].xml") || has(b"META-INF/manifest.xml") || (has(b"mimetype") && has(b"content.xml"));
        let foreign = SPREADSHEETS.iter().find(|(name, _)| is_package && has(name));
        foreign.map_or(Ok(false), |(_, foreign): &(&[u8], Foreign)| Err(foreign.error()))
    }

    pub(super) fn into_inner(self) -> &'a mut dyn Input {
        self.input
    }

    /// The size of a member and its compressed size, as the directory says.
    pub(super) fn sizes(&self, index: usize) -> (u64, u64) {
        self.directory.entry(index).map_or((0, 0), |entry| (entry.size(), entry.compressed_size()))
    }

    /// Returns where the bytes of a member are in the archive, if it is neither compressed nor encrypted.
    pub(super) fn stored(&mut self, index: usize) -> Result<Option<(u64, u64)>> {
        let entry = self.directory.entry(index).map_err(|error| broken(error, UNREADABLE))?;
        let (start, size) = (entry.header_start(), entry.size());
        if entry.encrypted() || entry.compression() != CompressionMethod::Stored {
            return Ok(None);
        }
        let local = LocalHeader::read(&mut self.input, start).map_err(|error| broken(error.into(), UNREADABLE))?;
        Ok(Some((start + local.len(), size)))
    }

    /// Opens a member. Returns its reader, its size and CRC from the directory, and its compressed
    /// size.
    pub(super) fn member(&mut self, index: usize) -> Result<(Box<dyn Read + '_>, Promise, u64)> {
        let unreadable = |error| broken(error, UNREADABLE);
        let entry = self.directory.entry(index).map_err(unreadable)?;
        let (method, start) = (entry.compression(), entry.header_start());
        let is_usual = matches!(method, CompressionMethod::Stored | CompressionMethod::Deflated);
        let other = unpack::method(method);
        let mut from = 0;
        let mut has_end_mark = false;
        if entry.encrypted() || !is_usual {
            let local = LocalHeader::read(self.input, start);
            let local = local.map_err(|error| unreadable(error.into()))?;
            // A bit flipped in transit must not be reported as an unsupported feature.
            let agree = match other {
                Some(other) => local.method() == other.number,
                None => is_usual == local.is_usual(),
            };
            if entry.encrypted() != local.is_encrypted() || !agree {
                let disagree = "the archive's directory and the local header disagree on encryption or compression";
                return Err(Error::new(Kind::Corrupt, disagree));
            }
            from = start + local.len();
            has_end_mark = local.has_end_mark();
        }
        if entry.encrypted() {
            return Err(Error::new(Kind::Unsupported, "the member is encrypted, and encryption is not supported")
                .hint("decrypt the archive first"));
        }
        if entry.size() > self.limits.member_bytes {
            return Err(too_large(self.limits.member_bytes));
        }
        let (promise, packed) = (Promise { size: entry.size(), crc: Some(entry.crc32()) }, entry.compressed_size());
        if is_usual {
            let options = ZipReadOptions::new().ignore_crc32(true);
            let reader = entry.with_reader(&mut self.input, options).map_err(unreadable)?;
            return Ok((Box::new(reader), promise, packed));
        }
        let Some(other) = other else {
            let error = Error::new(Kind::Unsupported, format!("unsupported compression method: {method}"));
            return Err(error.hint("unpack the archive first, as with `7z x`"));
        };
        self.input.seek(SeekFrom::Start(from)).map_err(|error| unreadable(error.into()))?;
        let reader = other.decode(Box::new((&mut *self.input).take(packed)), promise.size, has_end_mark)?;
        Ok((reader, promise, packed))
    }
}

/// Returns how many bytes follow the end of an archive: its last record, and the comment in it (APPNOTE 4.3.16).
fn after(input: &mut dyn Input) -> io::Result<u64> {
    const RECORD: usize = 22;
    let length = input.seek(SeekFrom::End(0))?;
    let tail = length.min((RECORD + usize::from(u16::MAX)) as u64);
    input.seek(SeekFrom::Start(length - tail))?;
    let mut bytes = Vec::new();
    input.take(tail).read_to_end(&mut bytes)?;
    let Some(at) = memchr::memmem::rfind(&bytes, b"PK\x05\x06") else { return Ok(0) };
    let rest = bytes.get(at + RECORD..).unwrap_or_default();
    let comment = bytes.get(at + 20..).and_then(<[u8]>::first_chunk).map_or(0, |size| u16::from_le_bytes(*size));
    Ok(rest.len().saturating_sub(usize::from(comment)) as u64)
}

/// The error for two members of one name. The library keeps one of them only, so the directory is read again.
fn twice(input: &mut dyn Input, directory: u64) -> Error {
    let error = |name: &str| {
        Error::new(Kind::Corrupt, format!("two members of the archive have the same name{name}"))
            .hint("it is unknown which is meant: unpack the archive with another program, and compare the files")
    };
    let mut bytes = Vec::new();
    let read = input.seek(SeekFrom::Start(directory)).and_then(|_| input.take(DIRECTORY).read_to_end(&mut bytes));
    let (mut rest, mut seen) = (&bytes[..], HashSet::new());
    // Fixed parts of 46 bytes, each followed by a name, an extra field and a comment (APPNOTE 4.3.12).
    while let (Ok(_), Some((fixed, after))) = (&read, rest.split_at_checked(46)) {
        let length = |at: usize| usize::from(u16::from_le_bytes([fixed[at], fixed[at + 1]]));
        let Some(name) = after.get(..length(28)).filter(|_| fixed.starts_with(b"PK\x01\x02")) else { break };
        if !seen.insert(name) {
            return error(&format!(": {}", Name::new(name.to_vec(), None).shown()));
        }
        rest = after.get(length(28) + length(30) + length(32)..).unwrap_or_default();
    }
    error("")
}

/// The error for more members than the bound.
pub(super) fn too_many(count: u64, limits: &Limits) -> Error {
    Error::new(Kind::Bounds, format!("the archive has more members than the bound: {count} of {}", limits.members))
        .hint("raise the limit with [`max_members`]")
}

/// The fixed part of the local header, before a member's data (APPNOTE 4.3.7).
struct LocalHeader([u8; 30]);

impl LocalHeader {
    /// Reads the header and leaves the reader at the name that follows it.
    fn read(input: &mut dyn Input, start: u64) -> io::Result<Self> {
        let mut header = [0; 30];
        input.seek(SeekFrom::Start(start))?;
        input.read_exact(&mut header)?;
        Ok(Self(header))
    }

    fn number(&self, at: usize) -> u16 {
        u16::from_le_bytes([self.0[at], self.0[at + 1]])
    }

    fn is_encrypted(&self) -> bool {
        self.number(6) & 1 != 0
    }

    /// Whether LZMA data says itself where it ends.
    fn has_end_mark(&self) -> bool {
        self.number(6) & 2 != 0
    }

    fn method(&self) -> u16 {
        self.number(8)
    }

    /// Whether the member is stored or deflated.
    fn is_usual(&self) -> bool {
        matches!(self.method(), 0 | 8)
    }

    /// The length of the header with the name and the extra field.
    fn len(&self) -> u64 {
        30 + u64::from(self.number(26)) + u64::from(self.number(28))
    }
}

/// Returns whether the local header has the same name as the directory. Some programs write `\` in
/// one of them and `/` in the other.
///
/// A Unicode path (extra field 0x7075) replaces the name, which may then be anything.
fn names_agree(input: &mut dyn Input, start: u64, name: &[u8]) -> io::Result<bool> {
    let header = LocalHeader::read(input, start)?;
    let length = |at| usize::from(header.number(at));
    let mut rest = vec![0; length(26) + length(28)];
    input.read_exact(&mut rest)?;
    let (local, extra) = rest.split_at(length(26));
    let slash = |byte: &u8| if *byte == b'\\' { b'/' } else { *byte };
    Ok(local.iter().map(slash).eq(name.iter().map(slash)) || extra.windows(2).any(|id| id == [0x75, 0x70]))
}

/// Converts an error of the `zip` crate.
/// What to do about a part of an archive.
pub(super) const JOIN: &str =
    "join its parts first, as with `zip -s 0 parts.zip --out whole.zip`, or unpack them with `7z x`";

/// Refuses the last part of an archive that was split over several files: it has the directory of all of them.
fn refuse_part(input: &mut dyn Input) -> Result<()> {
    let mut end = [0; 22];
    let read = input.seek(SeekFrom::End(-22)).and_then(|_| input.read_exact(&mut end));
    input.rewind().map_err(|error| broken(error.into(), UNREADABLE))?;
    let [part, of_directory] = [4, 6].map(|at| u16::from_le_bytes([end[at], end[at + 1]]));
    // Of an archive of 4 GiB or more, another record has the numbers. One of them alone is damage.
    if read.is_err()
        || !end.starts_with(b"PK\x05\x06")
        || matches!(part, 0 | u16::MAX)
        || !(1..=part).contains(&of_directory)
    {
        return Ok(());
    }
    Err(Error::new(Kind::Unsupported, format!("the last of {} parts of a split zip archive", part + 1)).hint(JOIN))
}

fn broken(error: ZipError, what: &str) -> Error {
    match error {
        ZipError::Io(error)
            if !matches!(
                error.kind(),
                io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput
            ) =>
        {
            match error.downcast::<Error>() {
                Ok(error) => error,
                Err(error) => Error::io("cannot read the input", error),
            }
        }
        ZipError::UnsupportedArchive(why) => {
            Error::new(Kind::Unsupported, format!("the archive uses an unsupported feature: {why}"))
        }
        // What the library says of damage names its own types. The place is what a reader can use.
        _ => Error::new(Kind::Corrupt, what),
    }
}
