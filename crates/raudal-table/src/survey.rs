//! Decides on the encoding of a whole text, in a pass of its own over its bytes.

use encoding_rs::{DecoderResult, UTF_16BE, UTF_16LE};

use super::encoding::{Decoder, Encoding, Encodings};
use super::letters::{Detector, MIXED, Sample};
use super::text::Bytes;
use raudal_common::{Error, Kind, Result};

const CHUNK: usize = 64 << 10;

/// Reads a whole text and returns the encoding to read it with.
///
/// # Errors
///
/// Fails if no listed encoding is valid for all of it, or if nothing fits.
pub(super) fn survey<B: Bytes>(bytes: &mut B, encodings: &Encodings) -> Result<Encoding> {
    let mut raw = vec![0; CHUNK];
    let Encodings::List(list) = encodings else { return fitting(bytes, &mut raw) };
    let mut trials: Vec<Trial> = list.iter().map(|encoding| Trial::new(*encoding)).collect();
    loop {
        let count = bytes.read(&mut raw)?;
        for trial in &mut trials {
            trial.feed(&raw[..count], count == 0);
        }
        if count == 0 {
            break;
        }
    }
    if let Some(trial) = trials.iter().find(|trial| trial.is_valid) {
        return Ok(trial.encoding);
    }
    let names: Vec<&str> = list.iter().map(|encoding| encoding.name()).collect();
    Err(Error::new(Kind::Encoding, format!("the text is none of these: {}", names.join(", ")))
        .hint("add another one to [`encoding`], or let it decide with [`encoding`] auto"))
}

/// Decides between UTF-8, UTF-16 without a mark, and what turns the bytes into letters.
fn fitting<B: Bytes>(bytes: &mut B, raw: &mut [u8]) -> Result<Encoding> {
    let (mut utf8, mut detector, mut sample) = (Trial::new(Encoding::UTF_8), Detector::new(), Sample::default());
    // Zero bytes at even and at odd places, and the length.
    let (mut zeros, mut length) = ([0_u64; 2], 0_u64);
    loop {
        let count = bytes.read(raw)?;
        let piece = &raw[..count];
        utf8.feed(piece, count == 0);
        if count == 0 {
            break;
        }
        for at in memchr::memchr_iter(0, piece) {
            zeros[((length + at as u64) & 1) as usize] += 1;
        }
        length += count as u64;
        detector.feed(piece);
        sample.feed(piece);
    }
    sample.feed(b"\n");
    let [even, odd] = zeros;
    if utf8.is_valid && even + odd == 0 {
        return Ok(Encoding::UTF_8);
    }
    // Most characters of a table are ASCII, whatever its language: delimiters, digits.
    if even + odd > length / 8 {
        return match (even > odd * 8, odd > even * 8) {
            (true, _) => Ok(Encoding::web(UTF_16BE)),
            (_, true) => Ok(Encoding::web(UTF_16LE)),
            _ => Err(unknown()),
        };
    }
    let is_mixed = sample.is_mixed();
    let found = sample.suggest(detector.guess()).first().map(|(encoding, _)| *encoding);
    found.ok_or_else(|| if is_mixed { unknown().hint(MIXED) } else { unknown() })
}

fn unknown() -> Error {
    Error::new(Kind::Encoding, "no encoding turns its bytes into letters")
        .hint("is it a text? if so, name its [`encoding`]")
}

/// Whether a whole text is valid in an encoding.
struct Trial {
    encoding: Encoding,
    decoder: Decoder,
    is_valid: bool,
}

impl Trial {
    fn new(encoding: Encoding) -> Self {
        Self { encoding, decoder: encoding.decoder(), is_valid: true }
    }

    fn feed(&mut self, mut piece: &[u8], last: bool) {
        let mut text = [0; 16 << 10];
        while self.is_valid {
            let (result, read, written) = self.decoder.decode(piece, &mut text, last);
            piece = &piece[read..];
            self.is_valid = !matches!(result, DecoderResult::Malformed(..)) && !text[..written].contains(&0);
            if !matches!(result, DecoderResult::OutputFull) {
                break;
            }
        }
    }
}
