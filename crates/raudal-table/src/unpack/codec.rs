//! The decoder of one stream, of each format.

use std::io::{self, Read};
use std::rc::Rc;

use flate2::bufread::GzDecoder;
use zip::CompressionMethod;

use super::source::{Fate, Source};
use super::{WINDOW, damaged};
use crate::signature::Packing;
use raudal_common::{Error, Kind, Result};

/// A decoder and what happened below it.
pub(super) struct Codec<'a> {
    decoder: Decoder<'a>,
    fate: Rc<Fate>,
}

#[allow(clippy::large_enum_variant)] // each is in a box
enum Decoder<'a> {
    Gzip(GzDecoder<Source<'a>>),
    #[cfg(feature = "bzip2")]
    Bzip2(bzip2::bufread::BzDecoder<Source<'a>>),
    #[cfg(feature = "xz")]
    Xz(lzma_rust2::XzReader<Source<'a>>),
    #[cfg(feature = "zstd")]
    Zstd(zstd::Decoder<'static, Source<'a>>),
    #[cfg(feature = "lz4")]
    Lz4(lz4_flex::frame::FrameDecoder<Source<'a>>),
    #[cfg(feature = "deflate64")]
    Deflate64(deflate64::Deflate64Decoder<Source<'a>>),
    #[cfg(feature = "xz")]
    Lzma(lzma_rust2::LzmaReader<Source<'a>>),
}

/// How a member of a zip is compressed, besides stored and deflated (APPNOTE 4.4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::unpack) enum InZip {
    Deflate64,
    Lzma,
}

/// A method of compression in a zip archive that this crate reads itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Method {
    /// The number in the headers.
    pub(crate) number: u16,
    how: How,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    Packing(Packing),
    Alone(InZip),
}

/// Returns the method, if it is one of those that are read here.
pub(crate) fn method(method: CompressionMethod) -> Option<Method> {
    let (number, how) = match method {
        CompressionMethod::DEFLATE64 => (9, How::Alone(InZip::Deflate64)),
        CompressionMethod::BZIP2 => (12, How::Packing(Packing::Bzip2)),
        CompressionMethod::LZMA => (14, How::Alone(InZip::Lzma)),
        CompressionMethod::ZSTD_DEPRECATED => (20, How::Packing(Packing::Zstd)),
        CompressionMethod::ZSTD => (93, How::Packing(Packing::Zstd)),
        CompressionMethod::XZ => (95, How::Packing(Packing::Xz)),
        _ => return None,
    };
    Some(Method { number, how })
}

impl Method {
    /// Returns the decompressed bytes of a member whose size the directory gives.
    pub(crate) fn decode<'a>(
        self,
        input: Box<dyn Read + 'a>,
        size: u64,
        has_end_mark: bool,
    ) -> Result<Box<dyn Read + 'a>> {
        let alone = match self.how {
            // A member is one run of streams to its end: what trails it is never data.
            How::Packing(packing) => {
                return Ok(Box::new(super::Unpacked::new(packing, input, &super::Notes::default())));
            }
            How::Alone(alone) => alone,
        };
        let codec = Codec::alone(alone, Source::new(input), size, has_end_mark);
        Ok(Box::new(codec.map_err(crate::verify::broken)?))
    }
}

impl<'a> Codec<'a> {
    /// Begins a stream. Some decoders read its header at once.
    pub(super) fn new(packing: Packing, source: Source<'a>) -> io::Result<Self> {
        let fate = Rc::clone(&source.fate);
        let decoder = match packing {
            Packing::Gzip => Decoder::Gzip(GzDecoder::new(source)),
            #[cfg(feature = "bzip2")]
            Packing::Bzip2 => Decoder::Bzip2(bzip2::bufread::BzDecoder::new(source)),
            #[cfg(feature = "xz")]
            Packing::Xz => {
                // The window, and what the decoder needs besides.
                Decoder::Xz(lzma_rust2::XzReader::new_mem_limit(source, false, (WINDOW >> 10) as u32 + 1024))
            }
            #[cfg(feature = "zstd")]
            Packing::Zstd => {
                let mut decoder = zstd::Decoder::with_buffer(source)?.single_frame();
                decoder.window_log_max(WINDOW.ilog2())?;
                Decoder::Zstd(decoder)
            }
            #[cfg(feature = "lz4")]
            Packing::Lz4 => Decoder::Lz4(lz4_flex::frame::FrameDecoder::new(source)),
            #[allow(unreachable_patterns)] // with every feature on
            _ => return Err(not_built_in(packing.name())),
        };
        Ok(Self { decoder, fate })
    }

    #[cfg_attr(
        not(all(feature = "xz", feature = "deflate64")),
        allow(unused_variables, unused_mut, unreachable_code, clippy::needless_pass_by_value)
    )]
    fn alone(alone: InZip, mut source: Source<'a>, size: u64, has_end_mark: bool) -> io::Result<Self> {
        let fate = Rc::clone(&source.fate);
        let decoder = match alone {
            #[cfg(feature = "deflate64")]
            InZip::Deflate64 => Decoder::Deflate64(deflate64::Deflate64Decoder::with_buffer(source)),
            #[cfg(feature = "xz")]
            InZip::Lzma => {
                // Two bytes of version, two of the length of what follows, and that: the properties
                // and the size of the window (APPNOTE 5.8.8).
                let mut header = [0; 9];
                source.read_exact(&mut header).map_err(|error| explain(&fate, error))?;
                let [_, _, 5, 0, properties, a, b, c, d] = header else {
                    return Err(damaged("the header of the LZMA data is damaged", None));
                };
                // A window larger than the member is never used.
                let window = u32::from_le_bytes([a, b, c, d]).min(u32::try_from(size).unwrap_or(u32::MAX).max(4096));
                if u64::from(window) > WINDOW {
                    return Err(window_too_large());
                }
                let size = if has_end_mark { u64::MAX } else { size };
                let opened = lzma_rust2::LzmaReader::new_with_props(source, size, properties, window, None);
                Decoder::Lzma(opened.map_err(|error| explain(&fate, error))?)
            }
            #[allow(unreachable_patterns)] // with every feature on
            InZip::Deflate64 => return Err(not_built_in("deflate64")),
            #[allow(unreachable_patterns)]
            InZip::Lzma => return Err(not_built_in("lzma")),
        };
        Ok(Self { decoder, fate })
    }

    /// Ends a stream that gave its last byte: checks what the decoder does not check by itself.
    #[cfg_attr(not(feature = "lz4"), allow(clippy::unnecessary_wraps))]
    pub(super) fn end(self) -> io::Result<Source<'a>> {
        match self.decoder {
            Decoder::Gzip(decoder) => Ok(decoder.into_inner()),
            #[cfg(feature = "bzip2")]
            Decoder::Bzip2(decoder) => Ok(decoder.into_inner()),
            #[cfg(feature = "xz")]
            Decoder::Xz(decoder) => Ok(decoder.into_inner()),
            #[cfg(feature = "zstd")]
            Decoder::Zstd(decoder) => Ok(decoder.finish()),
            #[cfg(feature = "lz4")]
            Decoder::Lz4(decoder) => {
                // Its decoder takes the end of the source for the end of a frame.
                if self.fate.ended.get() {
                    return Err(cut_off(None));
                }
                Ok(decoder.into_inner())
            }
            #[cfg(feature = "deflate64")]
            Decoder::Deflate64(decoder) => Ok(decoder.into_inner()),
            #[cfg(feature = "xz")]
            Decoder::Lzma(decoder) => Ok(decoder.into_inner()),
        }
    }
}

impl Read for Codec<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match &mut self.decoder {
            Decoder::Gzip(decoder) => decoder.read(buffer),
            #[cfg(feature = "bzip2")]
            Decoder::Bzip2(decoder) => decoder.read(buffer),
            #[cfg(feature = "xz")]
            Decoder::Xz(decoder) => decoder.read(buffer),
            #[cfg(feature = "zstd")]
            Decoder::Zstd(decoder) => decoder.read(buffer),
            #[cfg(feature = "lz4")]
            Decoder::Lz4(decoder) => decoder.read(buffer),
            #[cfg(feature = "deflate64")]
            Decoder::Deflate64(decoder) => decoder.read(buffer),
            #[cfg(feature = "xz")]
            Decoder::Lzma(decoder) => decoder.read(buffer),
        };
        read.map_err(|error| explain(&self.fate, error))
    }
}

/// Tells what is behind an error of a decoder: the reader below it, its end, or the bytes.
fn explain(fate: &Fate, error: io::Error) -> io::Error {
    if let Some(failed) = fate.failed.borrow_mut().take() {
        return failed;
    }
    if fate.ended.get() || error.kind() == io::ErrorKind::UnexpectedEof {
        return cut_off(Some(error));
    }
    let said = error.to_string().to_lowercase();
    if error.kind() == io::ErrorKind::OutOfMemory || said.contains("too much memory") {
        return window_too_large();
    }
    if said.contains("dictionary") {
        let error =
            Error::new(Kind::Unsupported, "it was compressed with a dictionary, which is not here").because(error);
        return io::Error::other(error.hint("decompress it first, with its dictionary"));
    }
    if said.contains("checksum") {
        return io::Error::other(Error::new(Kind::Checksum, "the compressed data is damaged").because(error));
    }
    damaged("the compressed data is damaged", Some(error))
}

fn cut_off(cause: Option<io::Error>) -> io::Error {
    damaged("the compressed data ends too early: cut off", cause)
}

fn window_too_large() -> io::Error {
    let error = Error::new(Kind::Bounds, format!("decompressing it takes a window of more than {} MiB", WINDOW >> 20));
    io::Error::other(error.hint("decompress it first, as with `zstd -d --long=31` or `xz -d`"))
}

#[cfg_attr(
    all(feature = "bzip2", feature = "xz", feature = "zstd", feature = "lz4", feature = "deflate64"),
    allow(dead_code)
)]
fn not_built_in(what: &str) -> io::Error {
    let error = Error::new(Kind::Unsupported, format!("this program was built without {what}"));
    io::Error::other(error.hint("build it with the feature `formats`, or decompress the input first"))
}
