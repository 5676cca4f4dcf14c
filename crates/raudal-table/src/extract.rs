//! Extracts the members of a zip archive into a new folder: all of them, or none.
//!
//! Every name must be a path below the folder, or the archive is refused; no name is repaired. Only
//! files and folders are created. A link could lead out of the folder, and so could a file written
//! through it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::archive::{self, Archive, Entry, Input};
use super::columns::shown;
use super::limits::Limits;
use super::read::Watch;
use super::verify::Verify;
use raudal_common::{Error, Kind, Result};

const BUFFER: usize = 64 << 10;
/// The bits of a Unix mode that hold the kind of member, and the two kinds that are created.
const KIND: u32 = 0o170_000;
const FILE: u32 = 0o100_000;
const FOLDER: u32 = 0o040_000;

/// What was extracted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Extracted {
    /// Number of files.
    pub files: u64,
    /// Total bytes of the files.
    pub bytes: u64,
}

/// Extracts a zip archive into a folder: all members, or those that match the glob. The folder is
/// created and must not exist yet. Errors call the archive `name`.
///
/// ```no_run
/// use raudal_table::{Limits, extract};
/// use std::fs::File;
/// use std::path::Path;
///
/// let archive = File::open("a.zip").unwrap();
/// let extracted = extract(archive, "a.zip", Path::new("a"), Some("**/*.csv"), &Limits::default(), &())?;
/// println!("{} files", extracted.files);
/// # Ok::<(), raudal_common::Error>(())
/// ```
///
/// # Errors
///
/// Fails if the archive or a member is bad, or on an I/O error. Then the new folder is removed.
pub fn extract<R: Read + Seek>(
    input: R,
    name: &str,
    folder: &Path,
    glob: Option<&str>,
    limits: &Limits,
    watch: &dyn Watch,
) -> Result<Extracted> {
    let work = || {
        let Input::Zip(archive) = archive::open(input, name, limits)? else {
            return Err(Error::new(Kind::NotAnArchive, "only zip archives can be extracted, and this is not one"));
        };
        fs::create_dir(folder).map_err(|error| failed(folder, error))?;
        let extracted = members(*archive, folder, glob, limits, watch);
        if extracted.is_err() {
            let _ = fs::remove_dir_all(folder);
        }
        extracted
    };
    work().map_err(|error| error.input(name))
}

fn members<R: Read + Seek>(
    mut archive: Archive<R>,
    folder: &Path,
    glob: Option<&str>,
    limits: &Limits,
    watch: &dyn Watch,
) -> Result<Extracted> {
    let entries = archive.entries(glob)?;
    // Check every name before creating the first file.
    let paths = entries.iter().map(|entry| path(entry).map_err(|e| e.member(entry.member.name.clone())));
    let paths = paths.collect::<Result<Vec<_>>>()?;
    let mut extracted = Extracted::default();
    for (entry, path) in entries.iter().zip(paths) {
        let with_name = |error: Error| error.member(entry.member.name.clone());
        let path = folder.join(path);
        if entry.is_folder {
            fs::create_dir_all(&path).map_err(|error| with_name(taken(&path, error)))?;
            continue;
        }
        let above = path.parent().unwrap_or(folder);
        fs::create_dir_all(above).map_err(|error| with_name(taken(above, error)))?;
        // Never overwrite a file: two names may be one on a file system that ignores case.
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        let file = file.map_err(|error| with_name(taken(&path, error)))?;
        let (reader, promise, packed) = archive.member(&entry.member).map_err(with_name)?;
        let verified = Verify::new(reader, Some(promise), packed, limits);
        extracted.bytes += copy(verified, file, &path, watch).map_err(with_name)?;
        extracted.files += 1;
    }
    Ok(extracted)
}

/// Writes a member's bytes as they are verified.
fn copy<R: Read>(mut from: Verify<R>, mut file: File, path: &Path, watch: &dyn Watch) -> Result<u64> {
    let mut buffer = vec![0; BUFFER];
    let mut written = 0;
    loop {
        if watch.cancelled() {
            return Err(Error::new(Kind::Cancelled, "cancelled"));
        }
        let read = from.read(&mut buffer)?;
        if read == 0 {
            return Ok(written);
        }
        file.write_all(&buffer[..read]).map_err(|error| failed(path, error))?;
        written += read as u64;
        watch.advance(read as u64, 0);
    }
}

/// Returns the member's path below the folder.
fn path(entry: &Entry) -> Result<PathBuf> {
    let refused = |what: &str| Err(Error::new(Kind::Corrupt, format!("{what}: the archive is not extracted")));
    match entry.mode.map(|mode| mode & KIND) {
        None | Some(0 | FILE | FOLDER) => {}
        Some(0o120_000) => return refused("a link"),
        Some(_) => return refused("neither a file nor a folder"),
    }
    let name = entry.member.name.as_str();
    let name = if entry.is_folder { name.strip_suffix('/').unwrap_or(name) } else { name };
    if entry.member.climbs || name.split('/').any(|part| part == "..") {
        return refused("a name that leads out of the folder");
    }
    if name.split('/').any(|part| part.is_empty() || part == ".") {
        return refused("a name that no file can have");
    }
    // A backslash and a colon have another meaning on Windows. A name with two meanings is refused.
    if name.contains('\\') || (cfg!(windows) && name.contains(':')) || name.chars().any(char::is_control) {
        return refused("a name with an unsafe character");
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
