//! Undoes the content codings of a body that has arrived whole.
//!
//! Length and digests belong to the bytes that were sent, so they are checked first, on the encoded body. That one is
//! held in memory or in a temporary file; what it decodes to goes to the place of the body.

use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::GzDecoder;
use flate2::{Decompress, FlushDecompress, Status};
use ruzstd::decoding::{FrameDecoder, StreamingDecoder};

use crate::body::file_writer::BLOCK;
use crate::body::spool::{Spool, Stored};
use crate::http::coding::Coding;
use crate::http::html::Look;
use raudal_common::blocking;
use raudal_common::{Error, Kind, Result};

/// The largest window of a zstd frame. RFC 9659 allows 8 MiB for HTTP; files that were compressed beforehand may need
/// more.
const WINDOW: u64 = 128 << 20;
/// How many times larger than the bytes that were sent a body may be, after its first MiB. Text reaches about 50, and
/// columns of zeros 1,000.
const RATIO: u64 = 1000;
const FREE: u64 = 1 << 20;

/// The decoded bytes of a body.
pub(crate) struct Decoded {
    pub(crate) stored: Stored,
    pub(crate) length: u64,
    /// Codings that the server names, but that the bytes do not have.
    pub(crate) missing: Vec<Coding>,
    /// Bytes after the end of what is encoded, except padding of zeros. They were left out.
    pub(crate) extra: u64,
}

/// Decodes a body of `sent` bytes into `spool`. `codings` are the ones to undo, the outermost first.
///
/// # Errors
///
/// Returns an error for bytes that are damaged, that end early, or that grow without bounds; and for an HTML page in
/// place of a table, if there is a `look`.
pub(crate) async fn decode(
    encoded: Stored,
    sent: u64,
    codings: &[Coding],
    mut spool: Spool,
    mut look: Option<Look>,
) -> Result<Decoded> {
    let most = FREE.saturating_add(sent.saturating_mul(RATIO));
    let codings = codings.to_vec();
    let extra = Extra::default();
    let counted = extra.clone();
    let opened = blocking(move || open(encoded, &codings, &counted)).await?;
    let (mut reader, missing) = opened.map_err(|error| broken(&error))?;
    loop {
        let read = blocking(move || {
            let mut block = Vec::with_capacity(BLOCK);
            let read = (&mut reader).take(BLOCK as u64).read_to_end(&mut block);
            read.map(|_| (block, reader))
        });
        let (block, rest) = read.await?.map_err(|error| broken(&error))?;
        if block.is_empty() {
            break;
        }
        if spool.len() + block.len() as u64 > most {
            return Err(Error::new(Kind::Bounds, format!("the body decodes to more than {RATIO} times its size")));
        }
        if let Some(look) = &mut look {
            look.more(&block).map_err(|page| page.error())?;
        }
        spool.write(&block).await?;
        reader = rest;
    }
    if let Some(look) = &look {
        look.end().map_err(|page| page.error())?;
    }
    let length = spool.len();
    if length == 0 {
        return Err(Error::new(Kind::Empty, "the body is empty"));
    }
    Ok(Decoded { stored: spool.finish().await?, length, missing, extra: extra.count() })
}

fn broken(error: &io::Error) -> Error {
    // All of it has arrived, so it is not the network that cut it.
    Error::new(Kind::Corrupt, "the body cannot be decoded as its Content-Encoding says")
        .because(error.to_string())
        .transient(true)
}

type Source = Box<dyn BufRead + Send>;

/// Counts the bytes after the end of what is encoded.
#[derive(Clone, Default)]
struct Extra(Arc<AtomicU64>);

impl Extra {
    fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Reads the rest. Zeros are padding, and do not count.
    fn take(&self, source: &mut Source) -> io::Result<()> {
        let (mut rest, mut is_padding) = (0, true);
        loop {
            let bytes = source.fill_buf()?;
            if bytes.is_empty() {
                break;
            }
            is_padding &= bytes.iter().all(|&byte| byte == 0);
            let read = bytes.len();
            rest += read as u64;
            source.consume(read);
        }
        if !is_padding {
            self.0.fetch_add(rest, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// Returns a reader of the decoded bytes, and the codings that were named by mistake.
fn open(encoded: Stored, codings: &[Coding], extra: &Extra) -> io::Result<(Source, Vec<Coding>)> {
    let mut source: Source = match encoded {
        Stored::Memory(held) => Box::new(Cursor::new(held)),
        Stored::File(file) | Stored::Kept(file, _) => Box::new(BufReader::with_capacity(BLOCK, file)),
    };
    let mut missing = Vec::new();
    for coding in codings {
        let first = first_bytes(&mut source)?;
        let has = |magic: &[u8]| first.starts_with(magic);
        source = Box::new(BufReader::new(Cursor::new(first.clone()).chain(source)));
        let decoder: Box<dyn Read + Send> = match coding {
            Coding::Gzip if has(b"\x1f\x8b") => Box::new(Members::new(Member::gzip(source), extra)),
            Coding::Zstd if is_zstd(&first) => Box::new(Members::new(Member::zstd(source)?, extra)),
            Coding::Gzip | Coding::Zstd => {
                missing.push(*coding);
                continue;
            }
            Coding::Deflate => Box::new(Inflate::new(source, is_zlib(&first), extra)),
            Coding::Brotli => Box::new(brotli_decompressor::Decompressor::new(source, 16 * 1024)),
        };
        source = Box::new(BufReader::new(decoder));
    }
    Ok((source, missing))
}

fn first_bytes(source: &mut Source) -> io::Result<Vec<u8>> {
    let mut first = Vec::new();
    source.take(4).read_to_end(&mut first)?;
    Ok(first)
}

/// Whether a frame begins here, or one to be skipped (RFC 8878, sections 3.1.1 and 3.1.2).
fn is_zstd(first: &[u8]) -> bool {
    first.starts_with(b"\x28\xb5\x2f\xfd") || matches!(first, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

/// Whether a zlib header begins here (RFC 1950, section 2.2).
fn is_zlib(first: &[u8]) -> bool {
    matches!(first, [method, flags, ..] if method & 15 == 8 && (u16::from(*method) << 8 | u16::from(*flags)) % 31 == 0)
}

/// One compressed member after the other.
struct Members {
    /// `None` after the last one.
    member: Option<Member>,
    extra: Extra,
}

impl Members {
    fn new(first: Member, extra: &Extra) -> Self {
        Self { member: Some(first), extra: extra.clone() }
    }
}

enum Member {
    Gzip(Box<GzDecoder<Source>>),
    Zstd(Box<StreamingDecoder<Source, FrameDecoder>>),
}

impl Member {
    fn gzip(source: Source) -> Self {
        Self::Gzip(Box::new(GzDecoder::new(source)))
    }

    fn zstd(source: Source) -> io::Result<Self> {
        let opened = StreamingDecoder::new_with_max_window_size(source, WINDOW);
        opened.map(|decoder| Self::Zstd(Box::new(decoder))).map_err(io::Error::other)
    }

    /// Begins the next member. What follows the last one is no part of the body: padding, as a rule.
    fn next(self, extra: &Extra) -> io::Result<Option<Self>> {
        let (mut source, is_gzip) = match self {
            Self::Gzip(decoder) => (decoder.into_inner(), true),
            Self::Zstd(decoder) => (decoder.into_inner(), false),
        };
        match source.fill_buf()?.first() {
            Some(0x1f) if is_gzip => Ok(Some(Self::gzip(source))),
            Some(0x28 | 0x50..=0x5f) if !is_gzip => Self::zstd(source).map(Some),
            _ => extra.take(&mut source).map(|()| None),
        }
    }
}

impl Read for Members {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.member {
            let read = match member {
                Member::Gzip(decoder) => decoder.read(buffer)?,
                Member::Zstd(decoder) => decoder.read(buffer)?,
            };
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            self.member = match self.member.take() {
                Some(member) => member.next(&self.extra)?,
                None => None,
            };
        }
        Ok(0)
    }
}

/// Inflates one stream. The library's own reader takes a stream that ends early for a whole one.
struct Inflate {
    source: Source,
    state: Decompress,
    is_over: bool,
    extra: Extra,
}

impl Inflate {
    fn new(source: Source, is_zlib: bool, extra: &Extra) -> Self {
        Self { source, state: Decompress::new(is_zlib), is_over: false, extra: extra.clone() }
    }
}

impl Read for Inflate {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while !self.is_over && !buffer.is_empty() {
            let input = self.source.fill_buf()?;
            let is_end = input.is_empty();
            let (read, written) = (self.state.total_in(), self.state.total_out());
            let status = self.state.decompress(input, buffer, FlushDecompress::None)?;
            let consumed = (self.state.total_in() - read) as usize;
            let produced = (self.state.total_out() - written) as usize;
            self.source.consume(consumed);
            self.is_over = status == Status::StreamEnd;
            if self.is_over {
                self.extra.take(&mut self.source)?;
            }
            if produced > 0 {
                return Ok(produced);
            }
            if is_end && !self.is_over {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Options;
    use crate::body::spool::Budget;
    use std::io::Write;

    const TEXT: &[u8] = "id,name\n1,Población\n2,Población\n".as_bytes();
    /// `TEXT`, and 64 MiB of the letter `0`, as the reference encoder of brotli writes them.
    const BROTLI: &str = "1b2100f88dd4628d8fecd40a2c64692a46263589069b6c000a879c0dbe2d04";
    const BROTLI_BOMB: &str = "cbffff3ff82560e2b14020f7fe8fffff7ff04b00c4611180eefd1fffffffe0970088c30200ddfb3ffeffffc12f0110870500baf77ffcffff835f02200e0b0074effff8ffff07bf04401c1600e8defff1ffff0f7e0980382c00d0bdffe3ffff1ffc1200715800a07bff37";

    fn from_hex(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    fn encoded(coding: Coding) -> Vec<u8> {
        match coding {
            Coding::Gzip => {
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
                encoder.write_all(TEXT).unwrap();
                encoder.finish().unwrap()
            }
            Coding::Deflate => {
                let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
                encoder.write_all(TEXT).unwrap();
                encoder.finish().unwrap()
            }
            Coding::Brotli => from_hex(BROTLI),
            Coding::Zstd => ruzstd::encoding::compress_to_vec(TEXT, ruzstd::encoding::CompressionLevel::Fastest),
        }
    }

    const ALL: [Coding; 4] = [Coding::Gzip, Coding::Deflate, Coding::Brotli, Coding::Zstd];

    async fn decoded(sent: &[u8], codings: &[Coding], look: Option<Look>) -> Result<(Vec<u8>, Vec<Coding>)> {
        all_of(sent, codings, look).await.map(|(bytes, missing, _)| (bytes, missing))
    }

    async fn all_of(sent: &[u8], codings: &[Coding], look: Option<Look>) -> Result<(Vec<u8>, Vec<Coding>, u64)> {
        let budget = Budget::new(&Options::default());
        let mut spool = Spool::new(&budget, None);
        spool.write(sent).await?;
        let stored = spool.finish().await?;
        let decoded = decode(stored, sent.len() as u64, codings, Spool::new(&budget, None), look).await?;
        let mut bytes = Vec::new();
        match decoded.stored {
            Stored::Memory(held) => bytes.extend_from_slice(held.as_ref()),
            Stored::File(mut file) | Stored::Kept(mut file, _) => drop(file.read_to_end(&mut bytes).unwrap()),
        }
        assert_eq!(decoded.length, bytes.len() as u64);
        Ok((bytes, decoded.missing, decoded.extra))
    }

    async fn kind(sent: &[u8], coding: Coding) -> Kind {
        match decoded(sent, &[coding], None).await {
            Err(error) => error.kind(),
            other => panic!("{coding:?}: {other:?}"),
        }
    }

    #[tokio::test]
    async fn every_coding_is_undone_and_so_are_two_of_them() {
        for coding in ALL {
            assert_eq!(
                decoded(&encoded(coding), &[coding], None).await.unwrap(),
                (TEXT.to_vec(), vec![]),
                "{coding:?}"
            );
        }
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(&from_hex(BROTLI)).unwrap();
        let twice = encoder.finish().unwrap();
        assert_eq!(decoded(&twice, &[Coding::Gzip, Coding::Brotli], None).await.unwrap().0, TEXT);
        let raw = &encoded(Coding::Deflate)[2..];
        assert_eq!(decoded(&raw[..raw.len() - 4], &[Coding::Deflate], None).await.unwrap().0, TEXT, "without zlib");
    }

    #[tokio::test]
    async fn several_members_are_joined_and_padding_is_ignored() {
        for coding in [Coding::Gzip, Coding::Zstd] {
            let member = encoded(coding);
            let padded = [&member[..], &member, &[0; 512]].concat();
            assert_eq!(decoded(&padded, &[coding], None).await.unwrap().0, [TEXT, TEXT].concat(), "{coding:?}");
        }
    }

    #[tokio::test]
    async fn bytes_after_the_end_are_left_out_and_counted_unless_they_are_zeros() {
        for coding in [Coding::Gzip, Coding::Zstd, Coding::Deflate] {
            for (rest, extra) in [(&b"junk"[..], 4), (b"\0\0<html>", 8), (b"\0\0", 0), (b"", 0)] {
                let sent = [&encoded(coding)[..], rest].concat();
                let found = all_of(&sent, &[coding], None).await.unwrap();
                assert_eq!(found, (TEXT.to_vec(), vec![], extra), "{coding:?} {}", rest.escape_ascii());
            }
        }
    }

    #[tokio::test]
    async fn a_body_that_is_cut_anywhere_or_damaged_is_never_taken_for_a_whole_one() {
        for coding in ALL {
            let whole = encoded(coding);
            // Shorter ones have no signature, and so are taken as they are.
            let first = if matches!(coding, Coding::Gzip) { 2 } else { 4 };
            for cut in first..whole.len() {
                match decoded(&whole[..cut], &[coding], None).await {
                    Err(error) => {
                        assert!(matches!(error.kind(), Kind::Corrupt | Kind::Empty), "{coding:?} {cut}: {error}");
                    }
                    // Zstd: what follows the last byte of a frame is its checksum, which is left out here.
                    other => panic!("{coding:?} cut at {cut}: {other:?}"),
                }
            }
            for at in 0..whole.len() {
                let mut flipped = whole.clone();
                flipped[at] ^= 0x55;
                // No panic, no endless loop. Only gzip and zlib know that the bytes are other ones.
                let found = decoded(&flipped, &[coding], None).await;
                if coding == Coding::Gzip && at >= 10 {
                    assert!(found.is_err(), "{at}: {found:?}");
                }
            }
        }
    }

    #[tokio::test]
    async fn a_bomb_is_refused_before_it_fills_the_disk() {
        assert_eq!(kind(&from_hex(BROTLI_BOMB), Coding::Brotli).await, Kind::Bounds);
    }

    #[tokio::test]
    async fn bytes_that_are_not_encoded_are_taken_as_they_are_and_the_coding_is_named() {
        for coding in [Coding::Gzip, Coding::Zstd] {
            assert_eq!(decoded(TEXT, &[coding], None).await.unwrap(), (TEXT.to_vec(), vec![coding]));
        }
        assert_eq!(kind(TEXT, Coding::Deflate).await, Kind::Corrupt);
        assert_eq!(kind(b"", Coding::Gzip).await, Kind::Empty);
    }

    #[tokio::test]
    async fn a_page_is_found_inside() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(b"<!doctype html><title>Login</title>").unwrap();
        let found = decoded(&encoder.finish().unwrap(), &[Coding::Gzip], Some(Look::default())).await;
        assert!(found.unwrap_err().message().ends_with(": Login"));
    }
}
