//! The only file of the origin that writes zip files.
//!
//! Everything that could differ between machines or days is fixed: the time stamp, the system, the
//! permissions, the level. (zlib-rs hashes the same way on every CPU, so the compressed bytes do
//! not differ either.)

use raudal_common::{Error, Kind, Result};
use std::io::{Cursor, Write as _};
use zip::write::{SimpleFileOptions, ZipWriter};
use zip::{CompressionMethod, DateTime, System, ZipArchive};

/// A member smaller than this has about the same size at any level.
const SMALL: u64 = 1 << 20;

/// What every archive says in its comment, and what a program that shows the data should say.
///
/// ```
/// assert!(raudal_origin::SYNTHETIC.starts_with("synthetic data"));
/// ```
pub const SYNTHETIC: &str = "synthetic data made by raudal, not INEGI's figures";

/// With this level, the archives are as small as INEGI's (4 to 1), in two thirds of the time of
/// level 6.
const LEVEL: i64 = 3;

/// A member to write; its content may come in parts.
pub(super) struct ZipMember<'a> {
    name: String,
    parts: &'a [&'a [u8]],
}

impl<'a> ZipMember<'a> {
    pub(super) fn new(name: String, parts: &'a [&'a [u8]]) -> Self {
        Self { name, parts }
    }
}

/// Returns an archive of these members, in this order.
pub(super) fn pack(members: &[ZipMember<'_>]) -> Result<Vec<u8>> {
    let size: usize = members.iter().flat_map(|m| m.parts).map(|part| part.len()).sum();
    // An archive is mostly a quarter of the text. If it needs more, the buffer grows once.
    let buffer = Cursor::new(Vec::with_capacity(size / 4 + 1024));
    write(buffer, members)
        .map_err(|error| Error::new(Kind::Internal, "cannot write a synthetic archive").because(error))
}

/// Writes the same members as other bytes, from the first header on, so that no piece of one
/// archive fits the other.
pub(super) fn repack(bytes: &[u8]) -> Result<Vec<u8>> {
    again(bytes).map_err(|error| Error::new(Kind::Internal, "cannot repack a synthetic archive").because(error))
}

fn again(bytes: &[u8]) -> Result<Vec<u8>, zip::result::ZipError> {
    let mut from = ZipArchive::new(Cursor::new(bytes))?;
    let mut archive = ZipWriter::new(Cursor::new(Vec::with_capacity(bytes.len() + 1024)));
    archive.set_comment(SYNTHETIC)?;
    for index in 0..from.len() {
        let mut member = from.by_index(index)?;
        // For a small member, the level makes no difference, so it is not compressed at all.
        let method = if member.size() < SMALL { CompressionMethod::Stored } else { CompressionMethod::Deflated };
        let level = (method == CompressionMethod::Deflated).then_some(1);
        let options = options()?.compression_method(method).compression_level(level);
        archive.start_file(member.name()?.into_owned(), options)?;
        std::io::copy(&mut member, &mut archive)?;
    }
    Ok(archive.finish()?.into_inner())
}

fn options() -> Result<SimpleFileOptions, zip::result::ZipError> {
    let stamp = DateTime::from_date_and_time(2021, 3, 16, 12, 0, 0)
        .map_err(|_| zip::result::ZipError::InvalidArchive("a time stamp out of range".into()))?;
    Ok(SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(LEVEL))
        .last_modified_time(stamp)
        .system(System::Unix)
        .unix_permissions(0o644))
}

fn write(buffer: Cursor<Vec<u8>>, members: &[ZipMember<'_>]) -> Result<Vec<u8>, zip::result::ZipError> {
    let options = options()?;
    let mut archive = ZipWriter::new(buffer);
    archive.set_comment(SYNTHETIC)?;
    for member in members {
        archive.start_file(member.name.as_str(), options)?;
        for part in member.parts {
            archive.write_all(part)?;
        }
    }
    let mut bytes = archive.finish()?.into_inner();
    bytes.shrink_to_fit();
    Ok(bytes)
}
