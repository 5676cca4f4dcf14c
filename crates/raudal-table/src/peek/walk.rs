//! Finds what is in an input, and the table to look at.

use std::io::{self, Read, Seek, SeekFrom, Write};

use tempfile::SpooledTempFile;

use super::settle::{self, Place, Sample};
use super::{Peek, PeekMember};
use crate::archive::Archive;
use crate::impostor;
use crate::members::{self, Member, WITHIN};
use crate::query::Query;
use crate::signature::{self, HEAD, Packing, Signature};
use crate::tally::leading;
use crate::unpack::{Notes, Unpacked};
use crate::verify::{Verify, broken};
use raudal_common::{Error, Kind, Result};

/// Archives within archives.
const DEPTH: usize = 8;
/// Decompressed bytes of a text that are looked at.
const SAMPLE: usize = 128 << 10;
/// Decompressed bytes of an inner archive that are held in a temporary file.
const SPOOL: u64 = 256 << 20;

/// Where the walk is.
#[derive(Clone)]
struct Layer {
    /// The name of what is read, in lower case, for the delimiter.
    name: String,
    /// The path through the archives, for messages.
    member: Option<String>,
    /// The same as a glob that matches this path alone.
    escaped: Option<String>,
    /// The members that are meant here and further in, if the query says so.
    glob: Option<String>,
    depth: usize,
}

impl Layer {
    fn deeper(&self, name: &str, glob: Option<String>) -> Result<Self> {
        if self.depth >= DEPTH {
            return Err(Error::new(Kind::Bounds, format!("archives within archives, more than {DEPTH} deep"))
                .hint("unpack the outer ones first"));
        }
        let joined = |outer: &Option<String>, name: &str| match outer {
            Some(outer) => format!("{outer}{WITHIN}{name}"),
            None => name.to_owned(),
        };
        Ok(Self {
            name: signature::file_name(name),
            member: Some(joined(&self.member, name)),
            escaped: Some(joined(&self.escaped, &escaped(name))),
            glob,
            depth: self.depth + 1,
        })
    }

    fn unpacked(&self) -> Result<Self> {
        if self.depth >= DEPTH {
            return Err(Error::new(Kind::Bounds, format!("compressed more than {DEPTH} times")));
        }
        Ok(Self { name: signature::unpacked_name(&self.name), depth: self.depth + 1, ..self.clone() })
    }
}

/// Escapes what a glob would take for a pattern.
fn escaped(name: &str) -> String {
    let mut glob = String::with_capacity(name.len());
    for c in name.replace('\\', "/").chars() {
        if "*?[]{}!".contains(c) {
            glob.push('\\');
        }
        glob.push(c);
    }
    glob
}

struct Walk<'a> {
    query: &'a Query,
    found: &'a mut Peek,
    notes: Notes,
    /// Whether the member has to be named.
    names_member: bool,
}

/// An input that can be read in any order. It is boxed, because archives within archives would be types without end.
type Input<'a> = Box<dyn ReadSeek + 'a>;

trait ReadSeek: Read + Seek {}

impl<T: Read + Seek> ReadSeek for T {}

pub(super) fn walk<R: Read + Seek>(input: R, name: &str, query: &Query, found: &mut Peek) -> Result<()> {
    let glob = query.member.clone();
    let layer = Layer { name: signature::file_name(name), member: None, escaped: None, glob, depth: 0 };
    let mut walk = Walk { query, found, notes: Notes::default(), names_member: false };
    walk.input(Box::new(input), &layer)
}

impl Walk<'_> {
    /// Looks at a layer that can be read in any order.
    fn input(&mut self, mut input: Input<'_>, layer: &Layer) -> Result<()> {
        let head = head(&mut input)?;
        let signature = signature::of(&head);
        if head.is_empty() {
            return Err(Error::new(Kind::Empty, "nothing in it: 0 bytes").transient(false));
        }
        match signature {
            Signature::Zip => self.zip(input, layer, false),
            Signature::Packed(packing) => self.packed(input, packing, layer),
            Signature::Tar => self.tar(input, layer),
            Signature::Foreign(foreign) => {
                self.layer(foreign.what());
                Err(foreign.error())
            }
            Signature::Program if !head.starts_with(b"#!") => {
                self.layer("a program");
                self.zip(input, layer, true).map_err(|error| match error.kind() {
                    Kind::Corrupt => Error::new(Kind::NotAnArchive, "a program, and no zip archive behind it")
                        .hint("unpack a self-extracting 7z or rar archive first, as with `7z x`"),
                    _ => error,
                })
            }
            Signature::Program | Signature::Text => self.text(Verify::new(input, None, 0, &self.query.limits), layer),
        }
    }

    fn layer(&mut self, what: &str) {
        self.found.layers.push(what.to_owned());
    }

    /// Looks at a layer that is read from its first byte on.
    fn stream<'b>(&mut self, mut bytes: Verify<Box<dyn Read + 'b>>, layer: &Layer) -> Result<()> {
        let head = bytes.peek(HEAD)?;
        match signature::of(head) {
            Signature::Packed(packing) => {
                self.layer(signature::described(Signature::Packed(packing)));
                let unpacked = Unpacked::new(packing, crate::verify::Below(bytes), &self.notes);
                self.stream(Verify::new(Box::new(unpacked), None, 0, &self.query.limits), &layer.unpacked()?)
            }
            Signature::Foreign(foreign) => {
                self.layer(foreign.what());
                Err(foreign.error())
            }
            Signature::Zip | Signature::Tar => {
                let spool = self.spool(&mut bytes)?;
                self.input(Box::new(spool), layer)
            }
            Signature::Program | Signature::Text => self.text(bytes, layer),
        }
    }

    /// Holds an inner archive in a temporary file.
    fn spool<R: Read>(&self, bytes: &mut Verify<R>) -> Result<SpooledTempFile> {
        let mut spool = SpooledTempFile::new(self.query.memory);
        let mut buffer = vec![0; 64 << 10];
        loop {
            let count = bytes.read(&mut buffer)?;
            if count == 0 {
                return Ok(spool);
            }
            if bytes.count() > SPOOL {
                return Err(Error::new(
                    Kind::Bounds,
                    format!("an archive within the archive is larger than {} MiB", SPOOL >> 20),
                )
                .hint("look at it by itself, unpacked"));
            }
            spool.write_all(&buffer[..count]).map_err(crate::rows::spilled)?;
        }
    }

    fn packed(&mut self, mut input: Input<'_>, packing: Packing, layer: &Layer) -> Result<()> {
        self.layer(signature::described(Signature::Packed(packing)));
        let inner = layer.unpacked()?;
        let unpacked = Unpacked::new(packing, &mut input, &self.notes);
        let mut bytes = Verify::new(Box::new(unpacked) as Box<dyn Read + '_>, None, 0, &self.query.limits);
        if signature::of(bytes.peek(HEAD)?) != Signature::Tar {
            return self.stream(bytes, &inner);
        }
        drop(bytes);
        self.compressed_tar(input, packing, &inner)
    }

    /// Looks at a zip archive. `may_follow` if it is behind a program.
    fn zip(&mut self, input: Input<'_>, layer: &Layer, may_follow: bool) -> Result<()> {
        let opened = Archive::open_to_look(input, &self.query.limits, may_follow);
        let is_workbook = opened.as_ref().is_ok_and(|archive| archive.is_workbook().unwrap_or(false));
        if !may_follow || opened.is_ok() {
            self.layer(if is_workbook { "an Excel workbook" } else { signature::described(Signature::Zip) });
        }
        let mut archive = opened?;
        if archive.is_workbook()? {
            return self.workbook(archive, layer);
        }
        if archive.before > 0 {
            self.found.warnings.push(leading(archive.before));
        }
        let members = archive.members(self.query.member_encoding);
        let sizes: Vec<u64> = (0..members.len()).map(|at| archive.sizes(at).0).collect();
        let packed = (0..members.len()).map(|at| Some(archive.sizes(at).1));
        self.list(&members, &sizes, packed.collect(), layer);
        let (at, within) = self.choose(&members, &sizes, layer)?;
        let Some(member) = members.get(at) else { return Ok(()) };
        let inner = layer.deeper(&member.name.text, within)?;
        let path = inner.member.clone().unwrap_or_default();
        let with_name = |error: Error| error.member(path.clone());
        // An archive that is stored is looked at in place, however large it is.
        if let Some((start, length)) = archive.stored(at).map_err(with_name)? {
            let mut window = Window { inner: archive.into_inner(), start, length, at: 0, is_there: false };
            return match signature::of(&head(&mut window)?) {
                Signature::Zip | Signature::Tar => self.input(Box::new(window), &inner),
                _ => self.stream(Verify::new(Box::new(window), None, 0, &self.query.limits), &inner),
            }
            .map_err(with_name);
        }
        let (reader, promise, packed) = archive.member(at).map_err(with_name)?;
        let bytes = Verify::new(reader, Some(promise), packed, &self.query.limits);
        self.stream(bytes, &inner).map_err(with_name)
    }

    fn list(&mut self, members: &[Member], sizes: &[u64], packed: Vec<Option<u64>>, layer: &Layer) {
        let before = layer.member.as_ref().map(|outer| format!("{outer}{WITHIN}")).unwrap_or_default();
        for (at, (member, packed)) in members.iter().zip(packed).enumerate() {
            self.found.members.push(PeekMember {
                path: format!("{before}{}", member.name.text),
                size: sizes.get(at).copied(),
                packed,
                is_data: member.is_file && !member.name.is_hidden(),
                is_sheet: false,
            });
        }
    }

    /// Chooses the member to look at: the one that would be read, or the largest of several.
    fn choose(&mut self, members: &[Member], sizes: &[u64], layer: &Layer) -> Result<(usize, Option<String>)> {
        let largest = |places: Vec<usize>| places.into_iter().rev().max_by_key(|at| sizes.get(*at).copied());
        match members::choose(members, layer.glob.as_deref()) {
            Ok(chosen) => {
                let at = largest(chosen.places).ok_or_else(|| Error::new(Kind::Internal, "no member was chosen"))?;
                Ok((at, chosen.within))
            }
            Err(error) if layer.glob.is_none() => {
                let at = largest(members::candidates(members)).ok_or(error)?;
                self.names_member = true;
                Ok((at, None))
            }
            Err(error) => Err(error),
        }
    }

    fn text<R: Read>(&mut self, mut bytes: Verify<R>, layer: &Layer) -> Result<()> {
        let sample = Sample::of(&mut bytes, SAMPLE)?;
        if let Some(what) = impostor::document(&sample.bytes, sample.whole) {
            let what = match what {
                "JSON" if is_lines(&sample.bytes) => "JSON Lines",
                "HTML" => super::PAGE,
                what => what,
            };
            self.layer(what);
            return impostor::refuse_document(&sample.bytes, sample.whole);
        }
        let name = if layer.member.is_some() { layer.name.clone() } else { signature::unpacked_name(&layer.name) };
        let place = Place { name: &name, is_member: layer.member.is_some(), is_sheet: false };
        let table = settle::settle(&mut |_| Ok(sample.clone()), &place, self.query);
        self.layer(if table.is_err() && sample.bytes.contains(&0) { "bytes that are no text" } else { "plain text" });
        self.take(table?, layer, None);
        Ok(())
    }

    /// Says which member and which sheet the table is.
    fn take(&mut self, mut table: settle::PeekTable, layer: &Layer, sheet: Option<&str>) {
        table.member.clone_from(&layer.member);
        if self.names_member {
            table.query.member.clone_from(&layer.escaped);
        }
        if let Some(sheet) = sheet {
            table.query.sheet = Some(sheet.to_owned());
        }
        self.found.warnings.append(&mut table.warnings);
        self.found.table = Some(table);
    }
}

#[cfg(feature = "xlsx")]
impl Walk<'_> {
    fn workbook(&mut self, mut archive: Archive<Input<'_>>, layer: &Layer) -> Result<()> {
        use crate::columns::shown;
        use crate::workbook::{self, Workbook};

        workbook::verify(&mut archive, &self.query.limits, &|packed| packed, &|| false)?;
        let (mut workbook, is_one_of_several) =
            Workbook::open_to_look(archive.into_inner(), self.query.sheet.as_deref())?;
        let sheet = workbook.sheet().to_owned();
        for name in workbook.sheets() {
            let path = layer.member.as_ref().map_or_else(|| name.clone(), |outer| format!("{outer}{WITHIN}{name}"));
            self.found.members.push(PeekMember { path, size: None, packed: None, is_data: true, is_sheet: true });
        }
        let limits = &self.query.limits;
        let mut sample_of = |dialect: &crate::dialect::Dialect| {
            let (rows, _) = workbook.rows(dialect)?;
            Sample::of(&mut Verify::new(rows, None, 0, limits), SAMPLE)
        };
        let place = Place { name: &sheet, is_member: true, is_sheet: true };
        let with_name = |error: Error| error.member(shown(&sheet));
        let table = settle::settle(&mut sample_of, &place, self.query).map_err(with_name)?;
        let mut inner = layer.clone();
        inner.member =
            Some(layer.member.as_ref().map_or_else(|| sheet.clone(), |outer| format!("{outer}{WITHIN}{sheet}")));
        self.take(table, &inner, is_one_of_several.then_some(&*sheet));
        Ok(())
    }
}

#[cfg(not(feature = "xlsx"))]
#[allow(clippy::unused_self)] // as the method that it stands for
impl Walk<'_> {
    fn workbook<R>(&mut self, _: Archive<R>, _: &Layer) -> Result<()> {
        Err(crate::open::not_built_in("Excel workbooks"))
    }
}

#[cfg(not(feature = "tar"))]
impl Walk<'_> {
    fn tar<R>(&mut self, _: R, _: &Layer) -> Result<()> {
        self.layer("a tar archive");
        Err(crate::open::not_built_in("tar"))
    }

    fn compressed_tar<R>(&mut self, _: R, _: Packing, _: &Layer) -> Result<()> {
        self.layer("a tar archive");
        Err(crate::open::not_built_in("tar"))
    }
}

#[cfg(feature = "tar")]
mod tape {
    use super::{Input, Layer, Packing, Read, Result, Walk, broken};
    use crate::open::tar_bytes;
    use crate::tape::{Entry, Flowing, Seeking, Tape, last_of_each, list_into};
    use crate::verify::{Promise, Verify};
    use raudal_common::Error;

    /// Decompressed bytes that are looked at for the names of members.
    const LISTED: u64 = 256 << 20;

    impl Walk<'_> {
        pub(super) fn tar(&mut self, input: Input<'_>, layer: &Layer) -> Result<()> {
            self.layer("a tar archive");
            let mut tape = Seeking::new(input)?;
            let entries = self.listing(&mut tape)?;
            self.entries(&mut tape, &entries, layer)
        }

        pub(super) fn compressed_tar(&mut self, mut input: Input<'_>, packing: Packing, layer: &Layer) -> Result<()> {
            self.layer("a tar archive");
            let bytes = tar_bytes(&mut input, packing, 0, &self.query.limits, &self.notes)?;
            let entries = self.listing(&mut Flowing::new(bytes.take(LISTED)))?;
            let mut tape = Flowing::new(tar_bytes(&mut input, packing, 0, &self.query.limits, &self.notes)?);
            self.entries(&mut tape, &entries, layer)
        }

        /// Lists the members as far as they can be read.
        fn listing(&mut self, tape: &mut dyn Tape) -> Result<Vec<Entry>> {
            let mut entries = Vec::new();
            let listed = list_into(&mut entries, tape, &self.query.limits, self.query.member_encoding);
            match listed {
                Err(error) if entries.is_empty() => return Err(error),
                Err(error) => {
                    self.found.has_more = true;
                    self.found.warnings.push(format!("its members were listed up to here: {}", error.report()));
                }
                Ok(_) => {}
            }
            Ok(last_of_each(entries))
        }

        fn entries(&mut self, tape: &mut dyn Tape, entries: &[Entry], layer: &Layer) -> Result<()> {
            let members: Vec<_> = entries.iter().map(Entry::member).collect();
            let sizes: Vec<u64> = entries.iter().map(|entry| entry.size).collect();
            self.list(&members, &sizes, vec![None; entries.len()], layer);
            let (at, within) = self.choose(&members, &sizes, layer)?;
            let Some(entry) = entries.get(at) else { return Ok(()) };
            let inner = layer.deeper(&entry.name.text, within)?;
            let path = inner.member.clone().unwrap_or_default();
            let with_name = |error: Error| error.member(path.clone());
            tape.forward(entry.at).map_err(|error| with_name(broken(error)))?;
            let promise = Promise { size: entry.size, crc: None };
            let reader = Box::new(Read::take(&mut *tape, entry.size)) as Box<dyn Read + '_>;
            self.stream(Verify::new(reader, Some(promise), 0, &self.query.limits), &inner).map_err(with_name)
        }
    }
}

/// Whether the lines of a JSON text are values of their own.
fn is_lines(text: &[u8]) -> bool {
    let mut lines = text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    let is_value = |line: &[u8]| serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok();
    lines.next().is_some_and(is_value) && lines.next().is_some_and(|line| matches!(line.first(), Some(b'{' | b'[')))
}

/// Returns the first bytes, and leaves the input at the first one.
fn head<R: Read + Seek>(input: &mut R) -> Result<Vec<u8>> {
    let mut head = Vec::new();
    input.rewind().and_then(|()| input.by_ref().take(HEAD as u64).read_to_end(&mut head)).map_err(broken)?;
    input.rewind().map_err(broken)?;
    Ok(head)
}

/// A part of an input as an input of its own.
struct Window<R> {
    inner: R,
    start: u64,
    length: u64,
    at: u64,
    /// Whether the input is at this place.
    is_there: bool,
}

impl<R: Read + Seek> Read for Window<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = self.length.saturating_sub(self.at).min(buffer.len() as u64) as usize;
        if most == 0 {
            return Ok(0);
        }
        if !self.is_there {
            let at = self.start.checked_add(self.at).ok_or(io::ErrorKind::InvalidInput)?;
            self.inner.seek(SeekFrom::Start(at))?;
            self.is_there = true;
        }
        let count = self.inner.read(&mut buffer[..most])?;
        self.at += count as u64;
        Ok(count)
    }
}

impl<R> Seek for Window<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let to = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(step) => self.length.checked_add_signed(step),
            SeekFrom::Current(step) => self.at.checked_add_signed(step),
        };
        let to = to.ok_or(io::ErrorKind::InvalidInput)?;
        self.is_there &= to == self.at;
        self.at = to;
        Ok(to)
    }
}
