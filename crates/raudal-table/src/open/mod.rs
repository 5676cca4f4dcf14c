//! Opens an input and finds the tables in it, however they are packed: compressed, in an archive,
//! in a workbook, or in archives within archives.
//!
//! The kind of each layer is told by its first bytes. A layer that can be read from its first byte
//! to its last (text, what is compressed, a member of an archive) is; one that needs its end first
//! (a zip in a zip, a workbook) is decompressed to a temporary file. Bounds hold for all layers
//! together: the members of all archives are counted, and bytes are held against those that they
//! were decompressed from in the outermost layer.

#[cfg(not(all(feature = "tar", feature = "xlsx")))]
mod absent;
#[cfg(feature = "xlsx")]
mod sheet;
#[cfg(feature = "tar")]
mod tar;

use std::io::{Read, SeekFrom, Write};

#[cfg(not(all(feature = "tar", feature = "xlsx")))]
pub(super) use absent::not_built_in;
#[cfg(feature = "tar")]
pub(super) use tar::tar_bytes;
use tempfile::SpooledTempFile;

use super::archive::{Archive, JOIN, too_many};
use super::columns::shown;
use super::input::Input;
use super::limits::Limits;
use super::members::{Member, WITHIN, choose};
use super::query::Query;
use super::signature::{self, HEAD, Packing, Signature};
use super::tally::{counted, leading, trailing};
use super::unpack::{Notes, Unpacked};
use super::verify::{Below, Verify};
use raudal_common::{Error, Kind, Result};

/// Archives within archives. Each level costs a temporary file.
const DEPTH: usize = 8;
const BUFFER: usize = 64 << 10;

/// Verified bytes of any layer.
pub(super) type Bytes<'a> = Verify<Box<dyn Read + 'a>>;

/// A table that was found.
pub(super) struct Found<'a> {
    /// The name that tells the delimiter.
    pub(super) name: &'a str,
    /// Where it is in the archive.
    pub(super) member: Option<&'a str>,
    /// Whether the bytes are the CSV of a workbook's sheet: UTF-8, with commas, quoted as needed.
    pub(super) is_sheet: bool,
}

/// Takes the tables in the order in which they are found.
pub(super) trait Visit {
    fn table(&mut self, bytes: &mut Bytes<'_>, found: &Found<'_>) -> Result<()>;

    fn warn(&mut self, warning: String);

    fn cancelled(&self) -> bool;
}

/// Whether the whole input is there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrived {
    Whole,
    /// It is read as it arrives, so only from its beginning on. What needs more is an error.
    InPart,
}

/// Finds the tables that the query means.
pub(super) fn visit(
    input: &mut dyn Input,
    name: &str,
    query: &Query,
    arrived: Arrived,
    visitor: &mut dyn Visit,
) -> Result<()> {
    let layer = Layer {
        name: signature::file_name(name),
        member: None,
        glob: query.member.clone(),
        depth: 0,
        packed: 0,
        size: 0,
        is_member: false,
    };
    let mut walk = Walk { query, arrived, visitor, notes: Notes::default(), members: 0 };
    let walked = walk.input(input, &layer);
    let notes = std::mem::take(&mut *walk.notes.borrow_mut());
    for note in notes {
        walk.visitor.warn(note);
    }
    walked
}

/// Makes the checks of an archive as a whole that an input read [in part](Arrived::InPart) went
/// without.
pub(super) fn confirm(input: &mut dyn Input, limits: &Limits) -> Result<()> {
    match probe(input)?.0 {
        Signature::Zip => Archive::open(input, limits, false).map(drop),
        _ => Ok(()),
    }
}

/// Where the walk is.
struct Layer {
    /// The name of what is read, in lower case, for the delimiter.
    name: String,
    /// The path through the archives.
    member: Option<String>,
    /// The members that are meant here and further in.
    glob: Option<String>,
    depth: usize,
    /// The compressed bytes of this layer in the outermost one, and its own size.
    packed: u64,
    size: u64,
    /// Whether it is a member of an archive.
    is_member: bool,
}

impl Layer {
    /// The bytes of the outermost layer that `packed` bytes of this one come from.
    fn outermost(&self, packed: u64) -> u64 {
        if self.depth == 0 || self.packed >= self.size {
            return packed;
        }
        let scaled = u128::from(packed) * u128::from(self.packed) / u128::from(self.size.max(1));
        u64::try_from(scaled).unwrap_or(u64::MAX).max(1)
    }

    fn deeper(&self, name: &str, glob: Option<String>) -> Result<Self> {
        if self.depth >= DEPTH {
            return Err(Error::new(Kind::Bounds, format!("archives within archives, more than {DEPTH} deep"))
                .hint("unpack the outer ones first"));
        }
        let member = match &self.member {
            Some(outer) => format!("{outer}{WITHIN}{name}"),
            None => name.to_owned(),
        };
        Ok(Self {
            name: signature::file_name(name),
            member: Some(member),
            glob,
            depth: self.depth + 1,
            packed: 0,
            size: 0,
            is_member: true,
        })
    }

    /// The layer of what this one decompresses to.
    fn unpacked(&self) -> Result<Self> {
        if self.depth >= DEPTH {
            return Err(Error::new(Kind::Bounds, format!("compressed again and again, more than {DEPTH} times")));
        }
        Ok(Self {
            name: signature::unpacked_name(&self.name),
            member: self.member.clone(),
            glob: self.glob.clone(),
            depth: self.depth + 1,
            ..*self
        })
    }
}

struct Walk<'a> {
    query: &'a Query,
    arrived: Arrived,
    visitor: &'a mut dyn Visit,
    notes: Notes,
    /// Members of all archives so far.
    members: u64,
}

impl Walk<'_> {
    /// Reads a layer that can be read in any order.
    fn input(&mut self, input: &mut dyn Input, layer: &Layer) -> Result<()> {
        let (signature, length, head) = probe(input)?;
        if length == 0 && layer.depth == 0 {
            return Err(Error::new(Kind::Empty, "nothing in it: 0 bytes"));
        }
        if layer.depth == 0 {
            self.contradiction(signature, &head, layer);
        }
        match signature {
            Signature::Zip => self.zip(input, layer, false),
            Signature::Packed(packing) => self.packed(input, length, packing, layer),
            Signature::Tar => self.tar(input, layer),
            Signature::Foreign(foreign) => Err(foreign.error()),
            Signature::Program | Signature::Text => self.other(input, signature, &head, layer),
        }
    }

    /// Warns of a name that says something else than the bytes.
    fn contradiction(&mut self, signature: Signature, head: &[u8], layer: &Layer) {
        let is = signature::described(signature);
        let says = match signature::promised(&layer.name) {
            Some("an Excel workbook") if signature == Signature::Zip => return,
            Some(says) if says != is => says,
            None if is_text_name(&layer.name) && !matches!(signature, Signature::Text | Signature::Foreign(_)) => {
                "plain text"
            }
            _ => return,
        };
        if !matches!(signature, Signature::Foreign(_)) && !matches!(signature, Signature::Text if !is_table(head)) {
            self.visitor.warn(format!("its name says that it is {says}, but it is {is}; the bytes decide"));
        }
    }

    /// Reads what begins like no archive: text, or an archive behind other bytes.
    fn other(&mut self, input: &mut dyn Input, signature: Signature, head: &[u8], layer: &Layer) -> Result<()> {
        let promised = signature::promised(&layer.name);
        let is_zip_name = [".zip", ".exe", ".jar"].iter().any(|end| layer.name.ends_with(end));
        if signature == Signature::Program || is_zip_name {
            if self.arrived == Arrived::InPart && layer.depth == 0 {
                return Err(not_yet());
            }
            match Archive::open(input, &self.query.limits, true) {
                Ok(archive) => return self.archive(archive, layer),
                Err(error) if error.kind() == Kind::Corrupt => {}
                Err(error) => return Err(error),
            }
            if signature == Signature::Program && !head.starts_with(b"#!") {
                if head.starts_with(b"PK\x07\x08") {
                    return Err(Error::new(Kind::Unsupported, "the first part of a split zip archive").hint(JOIN));
                }
                return Err(Error::new(Kind::NotAnArchive, "a program, and no zip archive behind it")
                    .hint("unpack a self-extracting 7z or rar archive first, as with `7z x`"));
            }
        }
        if let (Some(promised), 0) = (promised, layer.depth)
            && !is_table(head)
        {
            return Err(impostor(head, promised));
        }
        input.rewind().map_err(cannot_read)?;
        let name = signature::unpacked_name(&layer.name);
        self.text(&mut Verify::new(Box::new(input), None, 0, &self.query.limits), layer, &name)
    }

    fn text(&mut self, bytes: &mut Bytes<'_>, layer: &Layer, name: &str) -> Result<()> {
        // A pattern for what is in an archive has no meaning for a table by itself, but must not be
        // dropped where it names what is within a member.
        if let (Some(glob), true) = (&layer.glob, layer.is_member) {
            return Err(Error::new(Kind::Member, format!("no archive, so there are no members in it: {glob}")));
        }
        self.visitor.table(bytes, &Found { name, member: layer.member.as_deref(), is_sheet: false })
    }

    /// Reads a layer from its first byte to its last.
    fn stream(&mut self, mut bytes: Bytes<'_>, layer: &Layer) -> Result<()> {
        let head = bytes.peek(HEAD)?;
        match signature::of(head) {
            Signature::Text => self.text(&mut bytes, layer, &layer.name),
            Signature::Packed(packing) => {
                let (packed, inner) = (bytes.packed(), layer.unpacked()?);
                let unpacked = Unpacked::new(packing, Box::new(Below(bytes)), &self.notes);
                self.stream(Verify::new(Box::new(unpacked), None, packed, &self.query.limits), &inner)
            }
            Signature::Foreign(foreign) => Err(foreign.error()),
            Signature::Program if head.starts_with(b"#!") => self.text(&mut bytes, layer, &layer.name),
            Signature::Zip | Signature::Tar | Signature::Program => {
                let mut spool = self.spool(&mut bytes)?;
                let layer = Layer {
                    name: layer.name.clone(),
                    member: layer.member.clone(),
                    glob: layer.glob.clone(),
                    depth: layer.depth.max(1),
                    packed: bytes.packed(),
                    size: bytes.count(),
                    ..*layer
                };
                self.input(&mut spool, &layer)
            }
        }
    }

    /// Writes a layer to a temporary file. Its checksum has passed then.
    fn spool(&self, bytes: &mut Bytes<'_>) -> Result<SpooledTempFile> {
        let mut spool = SpooledTempFile::new(self.query.memory);
        let mut buffer = vec![0; BUFFER];
        loop {
            if self.visitor.cancelled() {
                return Err(Error::new(Kind::Cancelled, "cancelled"));
            }
            let count = bytes.read(&mut buffer)?;
            if count == 0 {
                return Ok(spool);
            }
            spool.write_all(&buffer[..count]).map_err(|error| {
                let folder = std::env::temp_dir();
                Error::io(format!("cannot hold an inner archive in a temporary file in {}", folder.display()), error)
                    .hint("name a folder with more room with TMPDIR")
            })?;
        }
    }

    fn packed(&mut self, input: &mut dyn Input, length: u64, packing: Packing, layer: &Layer) -> Result<()> {
        let (packed, inner) = (layer.outermost(length), layer.unpacked()?);
        let limits = &self.query.limits;
        let unpacked = Unpacked::new(packing, Box::new(&mut *input), &self.notes);
        let mut bytes = Verify::new(Box::new(unpacked) as Box<dyn Read>, None, packed, limits);
        if signature::of(bytes.peek(HEAD)?) != Signature::Tar {
            return self.stream(bytes, &inner);
        }
        drop(bytes);
        self.compressed_tar(input, packing, packed, &inner)
    }

    fn zip(&mut self, input: &mut dyn Input, layer: &Layer, may_follow: bool) -> Result<()> {
        let limits = &self.query.limits;
        let archive = if self.arrived == Arrived::InPart && layer.depth == 0 {
            Archive::open_ahead(input, limits)?
        } else {
            Archive::open(input, limits, may_follow)?
        };
        self.archive(archive, layer)
    }

    fn archive(&mut self, mut archive: Archive<'_>, layer: &Layer) -> Result<()> {
        if archive.is_workbook()? {
            if self.arrived == Arrived::InPart && layer.depth == 0 {
                return Err(not_yet());
            }
            return self.workbook(archive, layer);
        }
        if archive.before > 0 {
            self.visitor.warn(leading(archive.before));
        }
        if archive.after > 0 {
            self.visitor.warn(trailing(archive.after, "zip archive"));
        }
        let members = archive.members(self.query.member_encoding);
        let is_link = |(at, member): (usize, &Member)| archive.is_link(at).then(|| member.name.text.clone());
        self.links(&members.iter().enumerate().filter_map(is_link).collect::<Vec<_>>(), "zip");
        self.count(members.len() as u64)?;
        let chosen = choose(&members, layer.glob.as_deref())?;
        for at in chosen.places {
            let Some(member) = members.get(at) else { continue };
            let mut inner = layer.deeper(&member.name.text, chosen.within.clone())?;
            let path = inner.member.clone().unwrap_or_default();
            let with_name = |error: Error| error.member(path.clone());
            self.climbs(member, &path);
            let (reader, promise, packed) = archive.member(at).map_err(with_name)?;
            inner.packed = layer.outermost(packed);
            let bytes = Verify::new(reader, Some(promise), inner.packed, &self.query.limits);
            self.stream(bytes, &inner).map_err(with_name)?;
        }
        Ok(())
    }

    /// Says that links are not followed.
    fn links(&mut self, names: &[String], kind: &str) {
        let Some(first) = names.first().map(|name| shown(name)) else { return };
        let (are, others) = if names.len() == 1 { ("is", "") } else { ("are", " and others") };
        let links = counted(names.len() as u64, "link");
        self.visitor.warn(format!("{links} in the {kind} archive {are} not followed: {first}{others}"));
    }

    fn climbs(&mut self, member: &super::members::Member, path: &str) {
        if member.name.climbs() {
            self.visitor.warn(format!(
                "the name of the member leads out of a folder; it was read, not written: {}",
                shown(path)
            ));
        }
    }

    /// Counts the members of a further archive.
    fn count(&mut self, members: u64) -> Result<()> {
        self.members = self.members.saturating_add(members);
        if self.members > self.query.limits.members {
            return Err(too_many(self.members, &self.query.limits));
        }
        Ok(())
    }
}

/// What an input that is still arriving cannot be read as. It is read again once it is there.
fn not_yet() -> Error {
    Error::new(Kind::Unsupported, "an input of this kind is read once it is there as a whole")
}

/// The kind of an input, its length, and its first bytes. Leaves it at the first.
pub(super) fn probe(input: &mut dyn Input) -> Result<(Signature, u64, Vec<u8>)> {
    let length = input.seek(SeekFrom::End(0)).map_err(cannot_read)?;
    input.rewind().map_err(cannot_read)?;
    let mut head = Vec::new();
    Read::take(&mut *input, HEAD as u64).read_to_end(&mut head).map_err(cannot_read)?;
    input.rewind().map_err(cannot_read)?;
    Ok((signature::of(&head), length, head))
}

fn cannot_read(error: std::io::Error) -> Error {
    Error::io("cannot read the input", error)
}

fn is_text_name(name: &str) -> bool {
    [".csv", ".tsv", ".tab", ".txt"].iter().any(|end| name.ends_with(end))
}

fn begins_with_any(head: &[u8], marks: &[&[u8]]) -> bool {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start().to_ascii_lowercase();
    marks.iter().any(|mark| text.starts_with(mark))
}

/// Whether the beginning may be that of a table: text of several fields and lines. Something else
/// under the name of an archive is what a server says in its place.
fn is_table(head: &[u8]) -> bool {
    let wide = head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff");
    let (first, rest) = head.split_at(head.iter().position(|&byte| byte == b'\n').unwrap_or(head.len()));
    let is_one_line = rest.trim_ascii().is_empty() && head.len() < HEAD;
    let has_fields = first.iter().any(|byte| b",;\t|".contains(byte));
    !begins_with_any(head, &[b"<", b"{", b"["]) && (wide || !head.contains(&0)) && has_fields && !is_one_line
}

pub(super) fn impostor(head: &[u8], promised: &str) -> Error {
    if begins_with_any(head, &[b"<!", b"<html", b"<head", b"<body", b"<?xml"]) {
        return Error::new(Kind::Impostor, "an HTML or XML page in place of an archive")
            .hint("some servers answer this way when a file is missing: check its name");
    }
    if begins_with_any(head, &[b"{", b"["]) {
        return Error::new(Kind::Impostor, "JSON in place of an archive")
            .hint("some servers answer this way when a file is missing: check its name");
    }
    Error::new(Kind::NotAnArchive, format!("not {promised}, although its name says so"))
}
