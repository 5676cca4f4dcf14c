//! Extracts the members of an archive, zip or tar, into a new folder: all of them, or none.
//!
//! Every name must be a path below the folder, or the archive is refused. Only files and folders
//! are created. A link could lead out of the folder, and so could a file written through it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::archive::Archive;
use super::columns::{list, shown};
use super::input::Input;
use super::limits::Limits;
use super::members::{Member, every};
use super::names::MemberEncoding;
use super::open::probe;
use super::signature::{self, HEAD, Packing, Signature};
use super::tally::{counted, leading, trailing};
use super::unpack::{Notes, Unpacked};
use super::verify::Verify;
use super::watch::Watch;
use raudal_common::{Error, Kind, Result};

const BUFFER: usize = 64 << 10;
/// The bits of a Unix mode that hold the kind of member, and the two kinds that are created.
const KIND: u32 = 0o170_000;
const FILE: u32 = 0o100_000;
const FOLDER: u32 = 0o040_000;

/// What was extracted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Extracted {
    /// Number of files.
    pub files: u64,
    /// Total bytes of the files.
    pub bytes: u64,
    /// Harmless oddities in the archive: bytes around it, names in an encoding that it does not say.
    pub warnings: Vec<String>,
}

/// What to extract from an archive, and within which bounds.
///
/// ```
/// let mut options = raudal_table::ExtractOptions::default();
/// options.members = Some("**/*.csv".into());
/// options.limits.members = 100;
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ExtractOptions {
    /// A glob for the names of the members (`**` crosses folders, case is ignored). `None` extracts
    /// all of them but what file managers leave in folders: `.DS_Store`, `__MACOSX`, `Thumbs.db`, `desktop.ini`.
    pub members: Option<String>,
    /// The encoding of names that are not UTF-8; by default code page 437.
    pub member_encoding: Option<MemberEncoding>,
    /// Bounds on the cost of the archive.
    pub limits: Limits,
}

/// Extracts an archive into a folder: a zip, also one behind other bytes, or a tar, compressed or
/// not. The folder is created and must not exist yet. Errors call the archive `name`.
///
/// ```no_run
/// use raudal_table::{ExtractOptions, extract};
/// use std::fs::File;
/// use std::path::Path;
///
/// let archive = File::open("a.zip").unwrap();
/// let extracted = extract(archive, "a.zip", Path::new("a"), &ExtractOptions::default(), &())?;
/// println!("{} files", extracted.files);
/// # Ok::<(), raudal_common::Error>(())
/// ```
///
/// # Errors
///
/// Fails if the archive or a member is bad, or on an I/O error. Then the new folder is removed.
pub fn extract<R: Read + Seek>(
    mut input: R,
    name: &str,
    folder: &Path,
    options: &ExtractOptions,
    watch: &dyn Watch,
) -> Result<Extracted> {
    let mut extraction = Extraction { folder, options, watch, extracted: Extracted::default() };
    extraction.input(&mut input, name).map_err(|error| error.input(name))?;
    Ok(extraction.extracted)
}

struct Extraction<'a> {
    folder: &'a Path,
    options: &'a ExtractOptions,
    watch: &'a dyn Watch,
    extracted: Extracted,
}

/// A member that is to be extracted.
struct Target {
    place: usize,
    name: String,
    path: PathBuf,
    is_folder: bool,
}

impl Extraction<'_> {
    fn input(&mut self, input: &mut dyn Input, name: &str) -> Result<()> {
        let (signature, length, head) = probe(input)?;
        match signature {
            _ if length == 0 => Err(Error::new(Kind::Empty, "nothing in it: 0 bytes")),
            Signature::Zip => self.zip(Archive::open(input, &self.options.limits, false)?),
            Signature::Packed(packing) => self.packed(input, length, packing),
            Signature::Tar => self.tar(input),
            Signature::Foreign(foreign) => Err(foreign.error()),
            Signature::Program | Signature::Text => {
                let archive = Archive::open(input, &self.options.limits, true);
                let archive = archive.map_err(|error| match error.kind() {
                    Kind::Corrupt => no_archive(&head, name),
                    _ => error,
                });
                self.zip(archive?)
            }
        }
    }

    fn packed(&mut self, input: &mut dyn Input, length: u64, packing: Packing) -> Result<()> {
        let unpacked = Unpacked::new(packing, Box::new(&mut *input), &Notes::default());
        let head = Verify::new(unpacked, None, length, &self.options.limits).peek(HEAD)?.to_vec();
        if signature::of(&head) == Signature::Tar {
            return self.compressed_tar(input, length, packing);
        }
        let what = signature::described(Signature::Packed(packing));
        Err(Error::new(Kind::NotAnArchive, format!("{what} that is no archive: there are no members to extract")))
    }

    fn zip(&mut self, mut archive: Archive<'_>) -> Result<()> {
        if archive.before > 0 {
            self.warn(leading(archive.before));
        }
        if archive.after > 0 {
            self.warn(trailing(archive.after, "zip archive"));
        }
        let members = archive.members(self.options.member_encoding);
        let refused = |at: usize| match archive.mode(at).map(|mode| mode & KIND) {
            None | Some(0 | FILE | FOLDER) => None,
            Some(0o120_000) => Some("a link"),
            Some(_) => Some("neither a file nor a folder"),
        };
        let targets = self.targets(&members, &refused, true)?;
        self.all(|extraction| {
            for target in &targets {
                let with_name = |error: Error| error.member(target.name.clone());
                let Some((file, path)) = extraction.create(target).map_err(with_name)? else { continue };
                let (reader, promise, packed) = archive.member(target.place).map_err(with_name)?;
                let verified = Verify::new(reader, Some(promise), packed, &extraction.options.limits);
                extraction.copy(verified, file, &path).map_err(with_name)?;
            }
            Ok(())
        })
    }

    fn warn(&mut self, warning: String) {
        self.extracted.warnings.push(warning);
    }

    /// Makes the folder and fills it. Removes it if that fails.
    fn all(&mut self, fill: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        fs::create_dir(self.folder).map_err(|error| failed(self.folder, error))?;
        let filled = fill(self);
        if filled.is_err() {
            let _ = fs::remove_dir_all(self.folder);
        }
        filled
    }

    /// The paths of the members that are meant. Every name is checked before the first file is
    /// made. `refused` says why a member is not extracted; `backslash` whether it separates folders.
    fn targets(
        &mut self,
        members: &[Member],
        refused: &dyn Fn(usize) -> Option<&'static str>,
        backslash: bool,
    ) -> Result<Vec<Target>> {
        let mut targets = Vec::new();
        let mut ambiguous = 0;
        if self.options.members.is_none() {
            let hidden = members.iter().filter(|member| !member.name.is_folder() && member.name.is_hidden());
            let hidden: Vec<&str> = hidden.map(|member| member.name.text.as_str()).collect();
            if let Some(count) = (!hidden.is_empty()).then_some(hidden.len() as u64) {
                let was = if count == 1 { "was" } else { "were" };
                self.warn(format!(
                    "{} of macOS or Windows {was} not extracted ([`extract`]='**' does): {}",
                    counted(count, "hidden file"),
                    list(hidden.into_iter(), 5)
                ));
            }
        }
        for place in every(members, self.options.members.as_deref())? {
            let Some(member) = members.get(place) else { continue };
            ambiguous += u64::from(member.name.is_ambiguous());
            let path = match refused(place) {
                Some(what) => Err(no(what)),
                None => path(member, backslash),
            };
            let name = member.name.text.clone();
            let path = path.map_err(|error| error.member(name.clone()))?;
            targets.push(Target { place, name, path, is_folder: member.name.is_folder() });
        }
        if ambiguous > 0 {
            let s = if ambiguous == 1 {
                "the name of 1 member is"
            } else {
                &format!("the names of {ambiguous} members are")
            };
            self.warn(format!("{s} not UTF-8; read as code page 437, which [`member_encoding`] changes"));
        }
        Ok(targets)
    }

    /// Makes a folder, or an empty file with the folders above it.
    fn create(&self, target: &Target) -> Result<Option<(File, PathBuf)>> {
        let path = self.folder.join(&target.path);
        if target.is_folder {
            fs::create_dir_all(&path).map_err(|error| taken(&path, error))?;
            return Ok(None);
        }
        let above = path.parent().unwrap_or(self.folder);
        fs::create_dir_all(above).map_err(|error| taken(above, error))?;
        // Never overwrite a file: two names may be one on a file system that ignores case.
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        let file = file.map_err(|error| taken(&path, error))?;
        Ok(Some((file, path)))
    }

    /// Writes a member's bytes as they are verified.
    fn copy<R: Read>(&mut self, mut from: Verify<R>, mut file: File, path: &Path) -> Result<()> {
        let mut buffer = vec![0; BUFFER];
        loop {
            if self.watch.cancelled() {
                return Err(Error::new(Kind::Cancelled, "cancelled"));
            }
            let read = from.read(&mut buffer)?;
            if read == 0 {
                self.extracted.files += 1;
                return Ok(());
            }
            file.write_all(&buffer[..read]).map_err(|error| failed(path, error))?;
            self.extracted.bytes += read as u64;
            self.watch.advance(read as u64, 0);
        }
    }
}

#[cfg(feature = "tar")]
mod tape {
    use super::super::open::tar_bytes;
    use super::super::tape::{Entry, Flowing, Listing, Seeking, Tape, What, list};
    use super::super::verify::{Promise, broken};
    use super::{Error, Extraction, Input, Member, Notes, Packing, Read, Result, Verify};

    impl Extraction<'_> {
        pub(super) fn tar(&mut self, input: &mut dyn Input) -> Result<()> {
            let mut tape = Seeking::new(input)?;
            let listing = list(&mut tape, &self.options.limits, self.options.member_encoding)?;
            self.tape(&listing, &mut tape, 0)
        }

        /// Reads a compressed archive twice: all names are checked before the first file is made.
        pub(super) fn compressed_tar(&mut self, input: &mut dyn Input, packed: u64, packing: Packing) -> Result<()> {
            let limits = &self.options.limits;
            let notes = Notes::default();
            let mut tape = Flowing::new(tar_bytes(input, packing, packed, limits, &notes)?);
            let listing = list(&mut tape, limits, self.options.member_encoding)?;
            drop(tape);
            let trailing = notes.take();
            self.extracted.warnings.extend(trailing);
            let mut tape = Flowing::new(tar_bytes(input, packing, packed, limits, &Notes::default())?);
            self.tape(&listing, &mut tape, packed)
        }

        fn tape(&mut self, listing: &Listing, tape: &mut dyn Tape, packed: u64) -> Result<()> {
            if listing.trailing > 0 {
                self.warn(super::trailing(listing.trailing, "tar archive"));
            }
            let entries = &listing.entries;
            let members: Vec<Member> = entries.iter().map(Entry::member).collect();
            let refused = |at: usize| match entries.get(at).map(|entry| entry.what) {
                Some(What::File | What::Folder) => None,
                Some(What::Link) => Some("a link"),
                _ => Some("neither a file nor a folder"),
            };
            let mut targets = self.targets(&members, &refused, false)?;
            for target in &mut targets {
                target.is_folder = entries.get(target.place).is_some_and(|entry| entry.what == What::Folder);
            }
            self.all(|extraction| {
                for target in &targets {
                    let with_name = |error: Error| error.member(target.name.clone());
                    let Some(entry) = entries.get(target.place) else { continue };
                    let Some((file, path)) = extraction.create(target).map_err(with_name)? else { continue };
                    tape.forward(entry.at).map_err(|error| with_name(broken(error)))?;
                    let promise = Promise { size: entry.size, crc: None };
                    let reader = Read::take(&mut *tape, entry.size);
                    let packed = if packed == 0 { entry.size } else { packed };
                    let verified = Verify::new(reader, Some(promise), packed, &extraction.options.limits);
                    extraction.copy(verified, file, &path).map_err(with_name)?;
                }
                Ok(())
            })
        }
    }
}

#[cfg(not(feature = "tar"))]
#[allow(clippy::unused_self)] // as the methods that they stand for
impl Extraction<'_> {
    fn tar<R>(&mut self, _: R) -> Result<()> {
        Err(super::open::not_built_in("tar"))
    }

    fn compressed_tar<R>(&mut self, _: R, _: u64, _: Packing) -> Result<()> {
        Err(super::open::not_built_in("tar"))
    }
}

/// The error for an input without members.
fn no_archive(head: &[u8], name: &str) -> Error {
    match signature::promised(&signature::file_name(name)) {
        Some(promised) => super::open::impostor(head, promised),
        None => Error::new(Kind::NotAnArchive, "only zip and tar archives can be extracted, and this is none"),
    }
}

fn no(what: &str) -> Error {
    Error::new(Kind::Corrupt, format!("{what}: the archive is not extracted"))
}

/// Returns the member's path below the folder.
fn path(member: &Member, backslash: bool) -> Result<PathBuf> {
    let name = member.name.text.as_str();
    // Zips of some Windows programs have it between folders, against the specification.
    let name = if backslash { name.replace('\\', "/") } else { name.to_owned() };
    let name = name.strip_suffix('/').unwrap_or(&name);
    if member.name.climbs() || name.split('/').any(|part| part == "..") {
        return Err(no("the name leads out of the folder"));
    }
    if name.split('/').any(|part| part.is_empty() || part == ".") {
        return Err(no("not the name of a file"));
    }
    // A backslash and a colon have another meaning on Windows. A name with two meanings is refused.
    if name.contains('\\') || (cfg!(windows) && name.contains(':')) || name.chars().any(char::is_control) {
        return Err(no("a character that no name should have"));
    }
    Ok(name.split('/').collect())
}

fn taken(path: &Path, error: io::Error) -> Error {
    match error.kind() {
        ErrorKind::AlreadyExists | ErrorKind::NotADirectory | ErrorKind::IsADirectory => Error::new(
            Kind::Corrupt,
            format!("two members have the same file name: {}", shown(&path.display().to_string())),
        ),
        _ => failed(path, error),
    }
}

fn failed(path: &Path, error: io::Error) -> Error {
    Error::io(format!("cannot write: {}", path.display()), error)
}
