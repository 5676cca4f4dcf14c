//! The tests of this crate, one file per module, and what they share: hand-made archives, hostile
//! readers.

mod archive;
mod blocks;
#[cfg(feature = "formats")]
mod containers;
mod damage;
mod dialect;
mod encodings;
#[cfg(feature = "formats")]
mod extract;
mod filter;
#[cfg(all(feature = "arrow", feature = "parquet", feature = "sqlite", feature = "zstd"))]
mod formats;
mod mistaken;
mod naive;
#[cfg(all(feature = "arrow", feature = "parquet", feature = "sqlite", feature = "zstd"))]
mod out;
#[cfg(feature = "formats")]
mod packed;
#[cfg(feature = "formats")]
mod peek;
mod records;
mod rows_and_headers;
mod select;
mod sink;
mod table;
mod text;
#[cfg(feature = "formats")]
mod workbook;

use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};

use super::{Query, Rows, read};
use raudal_common::{Error, Result};

/// Reads bytes under a name, with the default query.
fn read_all(bytes: &[u8], name: &str) -> Result<Rows> {
    read_query(bytes, name, &Query::new())
}

fn read_query(bytes: &[u8], name: &str, query: &Query) -> Result<Rows> {
    read(Cursor::new(bytes.to_vec()), name, query, &())
}

fn refused(bytes: &[u8], name: &str) -> Error {
    read_all(bytes, name).expect_err("it should be refused")
}

/// The rows as canonical CSV, without the header.
fn text(rows: Rows) -> String {
    let mut text = String::new();
    rows.store.into_reader().unwrap().read_to_string(&mut text).unwrap();
    text
}

/// A member of an archive, valid or not.
#[derive(Clone)]
struct Entry {
    name: Vec<u8>,
    local_name: Vec<u8>,
    method: u16,
    flags: u16,
    crc: u32,
    size: u32,
    data: Vec<u8>,
}

fn deflated(name: &str, content: &[u8]) -> Entry {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(content).unwrap();
    Entry { method: 8, data: encoder.finish().unwrap(), ..stored(name, content) }
}

fn stored(name: &str, content: &[u8]) -> Entry {
    Entry {
        name: name.into(),
        local_name: name.into(),
        method: 0,
        flags: 0,
        crc: crc32fast::hash(content),
        size: content.len() as u32,
        data: content.to_vec(),
    }
}

/// Builds an archive out of these members, as specified in APPNOTE 4.3.7, 4.3.12, 4.3.16.
fn zip(entries: &[Entry]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut directory = Vec::new();
    for entry in entries {
        let start = out.len() as u32;
        let mut common = Vec::new();
        for half in [20, entry.flags, entry.method, 0, 0x21] {
            common.extend_from_slice(&half.to_le_bytes());
        }
        for word in [entry.crc, entry.data.len() as u32, entry.size] {
            common.extend_from_slice(&word.to_le_bytes());
        }
        out.extend_from_slice(b"PK\x03\x04");
        out.extend_from_slice(&common);
        out.extend_from_slice(&(entry.local_name.len() as u16).to_le_bytes());
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&entry.local_name);
        out.extend_from_slice(&entry.data);
        if entry.flags & 8 != 0 {
            out.extend_from_slice(b"PK\x07\x08");
            for word in [entry.crc, entry.data.len() as u32, entry.size] {
                out.extend_from_slice(&word.to_le_bytes());
            }
        }
        directory.extend_from_slice(b"PK\x01\x02\x14\x00");
        directory.extend_from_slice(&common);
        directory.extend_from_slice(&(entry.name.len() as u16).to_le_bytes());
        directory.extend_from_slice(&[0; 12]);
        directory.extend_from_slice(&start.to_le_bytes());
        directory.extend_from_slice(&entry.name);
    }
    let start = out.len() as u32;
    out.extend_from_slice(&directory);
    out.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    for _ in 0..2 {
        out.extend_from_slice(&(entries.len() as u16).to_le_bytes());
    }
    for word in [directory.len() as u32, start] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    out.extend_from_slice(&[0, 0]);
    out
}

/// A reader that returns at most `most` bytes a read, is interrupted before each read, and fails at
/// `fails`.
struct Hostile {
    inner: Cursor<Vec<u8>>,
    most: usize,
    fails: Option<u64>,
    interrupted: bool,
}

impl Hostile {
    fn new(bytes: &[u8], most: usize) -> Self {
        Self { inner: Cursor::new(bytes.to_vec()), most, fails: None, interrupted: false }
    }
}

impl Read for Hostile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.interrupted = !self.interrupted;
        if self.interrupted {
            return Err(io::ErrorKind::Interrupted.into());
        }
        if self.fails.is_some_and(|at| self.inner.position() >= at) {
            return Err(io::Error::other("the disk is on fire"));
        }
        let most = self.most.min(buffer.len());
        self.inner.read(&mut buffer[..most])
    }
}

impl Seek for Hostile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}
