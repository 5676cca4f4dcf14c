//! Detects the kind of input. For a zip, lists the members and selects those to read.
//!
//! The central directory is the authority. A local header that lies about sizes (CVE-2025-54368) is
//! ignored. A local header with another name means that the directory is damaged, so nothing in it
//! can be trusted.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use zip::read::{ZipArchiveMetadata, ZipReadOptions};
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::columns::{list, shown};
use super::limits::Limits;
use super::query::Query;
use super::verify::{Promise, too_large};
use raudal_common::{Error, Kind, Result};

const UNREADABLE: &str = "a member cannot be read: cut off or damaged";

/// A member to extract.
pub(super) struct Entry {
    pub(super) member: Member,
    pub(super) is_folder: bool,
    /// The Unix mode, where the archive has one: it tells links and devices from files.
    pub(super) mode: Option<u32>,
}

/// An input, classified by its first bytes, not by its name.
pub(super) enum Input<R> {
    Zip(Box<Archive<R>>),
    /// The reader, and its length in bytes.
    Gzip(R, u64),
    Plain(R),
}

/// Returns the last segment of a URL or a path, in lower case.
pub(super) fn file_name(name: &str) -> String {
    let path = if name.contains("://") { name.split(['?', '#']).next().unwrap_or(name) } else { name };
    path.rsplit(['/', '\\']).next().unwrap_or(path).to_ascii_lowercase()
}

pub(super) fn open<R: Read + Seek>(input: R, name: &str, limits: &Limits) -> Result<Input<R>> {
    open_as(input, name, limits, Archive::open)
}

/// Opens an input that is still arriving. Only its beginning, and the directory of a zip, must be
/// there. Skips the checks that need the whole archive.
pub(super) fn open_ahead<R: Read + Seek>(input: R, name: &str, limits: &Limits) -> Result<Input<R>> {
    open_as(input, name, limits, |input, limits| Archive::directory(input, limits).map(Archive::of))
}

fn open_as<R: Read + Seek>(
    mut input: R,
    name: &str,
    limits: &Limits,
    archive: impl FnOnce(R, &Limits) -> Result<Archive<R>>,
) -> Result<Input<R>> {
    let read = |error| Error::io("cannot read the input", error);
    let length = input.seek(SeekFrom::End(0)).map_err(read)?;
    input.rewind().map_err(read)?;
    let mut head = Vec::new();
    input.by_ref().take(512).read_to_end(&mut head).map_err(read)?;
    input.rewind().map_err(read)?;
    let name = file_name(name);
    match head.as_slice() {
        [] => Err(Error::new(Kind::Empty, "the file is empty: 0 bytes")),
        [b'P', b'K'] | [b'P', b'K', 3 | 5 | 6, ..] => Ok(Input::Zip(Box::new(archive(input, limits)?))),
        [0x1f, 0x8b, ..] => Ok(Input::Gzip(input, length)),
        _ if [".zip", ".gz", ".gzip"].iter().any(|end| name.ends_with(end)) => Err(impostor(&head, &name)),
        _ => Ok(Input::Plain(input)),
    }
}

fn impostor(head: &[u8], name: &str) -> Error {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start().to_ascii_lowercase();
    if [&b"<!"[..], b"<html", b"<head", b"<body", b"<?xml"].iter().any(|tag| text.starts_with(tag)) {
        return Error::new(Kind::Impostor, "an HTML or XML page in place of an archive")
            .hint("some servers answer this way when a file is missing: check its name");
    }
    let what = if name.ends_with("zip") { "a zip archive" } else { "a gzip file" };
    Error::new(Kind::NotAnArchive, format!("not {what}, although its name says so"))
}

/// A zip archive with a valid directory.
pub(super) struct Archive<R> {
    input: R,
    directory: Arc<ZipArchiveMetadata>,
    limits: Limits,
}

/// A selected member.
pub(super) struct Member {
    index: usize,
    /// The name, decoded for display.
    pub(super) name: String,
    /// Whether the name would lead out of the target folder.
    pub(super) climbs: bool,
}

impl<R: Read + Seek> Archive<R> {
    fn open(input: R, limits: &Limits) -> Result<Self> {
        let mut zip = Self::directory(input, limits)?;
        match zip.0.has_overlapping_entries() {
            Ok(false) => {}
            Ok(true) => return Err(Error::new(Kind::Corrupt, "members of the archive overlap, as zip bombs do")),
            Err(error) => return Err(broken(error, UNREADABLE)),
        }
        let mut archive = Self::of(zip);
        archive.check_names()?;
        Ok(archive)
    }

    fn of((zip, limits): (ZipArchive<R>, Limits)) -> Self {
        Self { directory: zip.metadata(), input: zip.into_inner(), limits }
    }

    /// Reads the directory and checks it against the bounds.
    fn directory(input: R, limits: &Limits) -> Result<(ZipArchive<R>, Limits)> {
        let zip = ZipArchive::new(input)
            .map_err(|error| broken(error, "the directory of the archive cannot be read: cut off or damaged"))?;
        // The archive must begin at the first byte. Otherwise this is the directory of an archive
        // inside this one, and the outer archive is cut off.
        if zip.offset() != 0 {
            return Err(Error::new(
                Kind::Corrupt,
                format!(
                    "the directory of the archive does not cover its first {} bytes: cut off or damaged",
                    zip.offset()
                ),
            ));
        }
        if zip.len() as u64 > limits.members {
            return Err(Error::new(
                Kind::Bounds,
                format!("the archive has too many members: {}, and at most {} are allowed", zip.len(), limits.members),
            )
            .hint("raise the limit with [`max_members`]"));
        }
        if zip.has_duplicate_names() {
            return Err(Error::new(Kind::Corrupt, "two members of the archive have the same name"));
        }
        Ok((zip, limits.clone()))
    }

    /// Compares every name in the directory with the name before the member's data, not only those
    /// of selected members. A damaged name (`a.csv` turned into `a.cs/`) could otherwise select
    /// another member.
    fn check_names(&mut self) -> Result<()> {
        for index in 0..self.directory.len() {
            let entry = self.directory.entry(index).map_err(|error| broken(error, UNREADABLE))?;
            let agree = names_agree(&mut self.input, entry.header_start(), entry.name_raw());
            if !agree.map_err(|error| broken(error.into(), UNREADABLE))? {
                let name = shown(&self.shown(index));
                return Err(Error::new(
                    Kind::Corrupt,
                    format!("a member has another name in its local header than in the archive's directory: {name}"),
                ));
            }
        }
        Ok(())
    }

    /// Selects the members to read: those that match the glob, or else the only CSV, or else the
    /// only file.
    pub(super) fn choose(&self, query: &Query) -> Result<Vec<Member>> {
        let mut files = Vec::new();
        for index in 0..self.directory.len() {
            if self.directory.entry(index).is_ok_and(|entry| !entry.is_dir() && !is_hidden(entry.name_raw())) {
                files.push(index);
            }
        }
        if let Some(glob) = &query.member {
            let glob = glob.to_lowercase();
            let chosen: Vec<usize> = files.iter().copied().filter(|&index| self.matches(index, &glob)).collect();
            if chosen.is_empty() {
                return Err(Error::new(Kind::Member, format!("no member matches {glob}: {}", self.names(&files))));
            }
            return Ok(chosen.into_iter().map(|index| self.describe(index)).collect());
        }
        let tables: Vec<usize> = files.iter().copied().filter(|&index| self.is_table(index)).collect();
        match (tables.as_slice(), files.as_slice()) {
            ([one], _) | ([], [one]) => Ok(vec![self.describe(*one)]),
            ([], []) => Err(Error::new(Kind::Member, "the archive holds no files")),
            ([], _) => Err(Error::new(Kind::Member, format!("no CSV among the members: {}", self.names(&files)))
                .hint("choose the member with [`member`], a glob")),
            _ => Err(Error::new(
                Kind::Member,
                format!("{} CSV members where one is expected: {}", tables.len(), self.names(&tables)),
            )
            .hint("choose one with a glob, as in [`member`] '**/data/*.csv'")),
        }
    }

    /// Returns every member, or those that match the glob; hidden ones too. Folders only without a
    /// glob.
    pub(super) fn entries(&self, glob: Option<&str>) -> Result<Vec<Entry>> {
        let glob = glob.map(str::to_lowercase);
        let mut entries = Vec::new();
        for index in 0..self.directory.len() {
            let entry = self.directory.entry(index).map_err(|error| broken(error, UNREADABLE))?;
            let (is_folder, mode) = (entry.is_dir(), entry.unix_mode());
            let is_meant = glob.as_ref().is_none_or(|glob| !is_folder && self.matches(index, glob));
            if is_meant {
                entries.push(Entry { member: self.describe(index), is_folder, mode });
            }
        }
        if entries.is_empty() {
            let files: Vec<usize> = (0..self.directory.len()).collect();
            return Err(match glob {
                Some(glob) => Error::new(Kind::Member, format!("no member matches {glob}: {}", self.names(&files))),
                None => Error::new(Kind::Member, "the archive has no members"),
            });
        }
        Ok(entries)
    }

    /// Opens a member. Returns its reader, its size and CRC from the directory, and its compressed
    /// size.
    pub(super) fn member(&mut self, member: &Member) -> Result<(impl Read + '_, Promise, u64)> {
        let unreadable = |error| broken(error, UNREADABLE);
        let entry = self.directory.entry(member.index).map_err(unreadable)?;
        let method = entry.compression();
        let is_readable = matches!(method, CompressionMethod::Stored | CompressionMethod::Deflated);
        if entry.encrypted() || !is_readable {
            let local = LocalHeader::read(&mut self.input, entry.header_start());
            let local = local.map_err(|error| unreadable(error.into()))?;
            // A bit flipped in transit must not be reported as an unsupported feature.
            if entry.encrypted() != local.is_encrypted() || is_readable != local.is_readable() {
                let disagree = "the archive's directory and the local header disagree on encryption or compression";
                return Err(Error::new(Kind::Corrupt, disagree));
            }
        }
        if entry.encrypted() {
            return Err(Error::new(Kind::Unsupported, "the member is encrypted, and encryption is not supported")
                .hint("decrypt the archive first"));
        }
        if !is_readable {
            return Err(Error::new(Kind::Unsupported, format!("unsupported compression method: {method}")));
        }
        if entry.size() > self.limits.member_bytes {
            return Err(too_large(self.limits.member_bytes));
        }
        let (promise, packed) = (Promise { size: entry.size(), crc: entry.crc32() }, entry.compressed_size());
        let options = ZipReadOptions::new().ignore_crc32(true);
        let reader = entry.with_reader(&mut self.input, options).map_err(unreadable)?;
        Ok((reader, promise, packed))
    }

    fn describe(&self, index: usize) -> Member {
        let raw = self.raw(index);
        Member { index, name: self.shown(index), climbs: climbs(&raw) }
    }

    fn raw(&self, index: usize) -> Vec<u8> {
        self.directory.entry(index).map(|entry| entry.name_raw().to_vec()).unwrap_or_default()
    }

    fn shown(&self, index: usize) -> String {
        let name = self.directory.entry(index).and_then(|entry| entry.name().map(std::borrow::Cow::into_owned));
        name.unwrap_or_else(|_| String::from_utf8_lossy(&self.raw(index)).into_owned())
    }

    fn matches(&self, index: usize, glob: &str) -> bool {
        let raw = self.raw(index);
        match std::str::from_utf8(&raw) {
            Ok(name) => fast_glob::glob_match(glob, name.to_lowercase()),
            Err(_) => {
                fast_glob::glob_match(glob, raw.to_ascii_lowercase())
                    || fast_glob::glob_match(glob, self.shown(index).to_lowercase())
            }
        }
    }

    fn is_table(&self, index: usize) -> bool {
        let raw = self.raw(index).to_ascii_lowercase();
        [&b".csv"[..], b".tsv", b".tab"].iter().any(|end| raw.ends_with(end))
    }

    fn names(&self, indices: &[usize]) -> String {
        let names: Vec<String> = indices.iter().take(11).map(|&index| shown(&self.shown(index))).collect();
        let rest = indices.len().saturating_sub(10);
        let first = list(names.iter().take(10).map(String::as_str), 10);
        if rest == 0 { first } else { format!("{first} and {rest} more") }
    }
}

/// The fixed part of the local header, before a member's data (APPNOTE 4.3.7).
struct LocalHeader([u8; 30]);

impl LocalHeader {
    /// Reads the header and leaves the reader at the name that follows it.
    fn read<R: Read + Seek>(input: &mut R, start: u64) -> io::Result<Self> {
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

    /// Whether the member is stored or deflated.
    fn is_readable(&self) -> bool {
        matches!(self.number(8), 0 | 8)
    }
}

/// Returns whether the local header has the same name as the directory.
///
/// A Unicode path (extra field 0x7075) replaces the name, which may then be anything.
fn names_agree<R: Read + Seek>(input: &mut R, start: u64, name: &[u8]) -> io::Result<bool> {
    let header = LocalHeader::read(input, start)?;
    let length = |at| usize::from(header.number(at));
    let mut rest = vec![0; length(26) + length(28)];
    input.read_exact(&mut rest)?;
    let (local, extra) = rest.split_at(length(26));
    Ok(local == name || extra.windows(2).any(|id| id == [0x75, 0x70]))
}

/// Whether the member is macOS metadata: in `__MACOSX/`, or named `._name`.
fn is_hidden(name: &[u8]) -> bool {
    let base = name.rsplit(|&byte| byte == b'/' || byte == b'\\').next().unwrap_or(name);
    name.starts_with(b"__MACOSX/") || base.starts_with(b"._")
}

/// Whether the name would lead out of the folder that it is extracted to.
fn climbs(name: &[u8]) -> bool {
    let mut parts = name.split(|&byte| byte == b'/' || byte == b'\\');
    parts.clone().next().is_some_and(|first| first.is_empty() || first.get(1) == Some(&b':'))
        || parts.any(|part| part == b"..")
}

/// Converts an error of the `zip` crate.
fn broken(error: ZipError, what: &str) -> Error {
    match error {
        ZipError::Io(error)
            if !matches!(
                error.kind(),
                io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput
            ) =>
        {
            Error::io("cannot read the input", error)
        }
        ZipError::UnsupportedArchive(why) => {
            Error::new(Kind::Unsupported, format!("the archive uses an unsupported feature: {why}"))
        }
        error => Error::new(Kind::Corrupt, what).because(error),
    }
}
