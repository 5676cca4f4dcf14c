//! Decodes bytes into valid UTF-8 text without a byte order mark. NUL is an error.
//!
//! UTF-8 is validated in place; a character split over two reads waits for its rest. Other
//! encodings are decoded strictly: `encoding_rs_io` would replace invalid bytes with U+FFFD, and a
//! table with invented characters is a wrong table.

use encoding_rs::{DecoderResult, UTF_8, UTF_16BE, UTF_16LE};

use super::encoding::{Decoder, Encoding};
use super::letters;
use raudal_common::{Error, Kind, Result};

const BOM: &[u8] = b"\xef\xbb\xbf";

/// Bytes per read when decoding from another encoding.
const CHUNK: usize = 64 << 10;

/// No invalid sequence is longer, including the decoder's lookahead.
const LONGEST: usize = 8;

/// The smallest buffer for [`Text::read`]: it holds the widest character and the waiting bytes.
pub(super) const LEAST: usize = 64;

/// A source of raw bytes; 0 is the verified end.
pub(super) trait Bytes {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize>;
}

/// A source of valid UTF-8 without NUL.
pub(super) struct Text<B> {
    bytes: B,
    state: State,
    encoding: Encoding,
    /// Whether a byte order mark named the encoding.
    marked: bool,
    /// The start of a character whose end has not arrived.
    waiting: Vec<u8>,
    /// The error for the bytes that follow the returned text.
    fault: Option<Error>,
    ended: bool,
}

enum State {
    /// Before the first bytes, which may be a BOM.
    Start,
    Utf8,
    Other(Box<Other>),
}

struct Other {
    decoder: Decoder,
    raw: Vec<u8>,
    /// The bytes before `raw`: an invalid character may begin there.
    before: Vec<u8>,
    from: usize,
    last: bool,
    name: &'static str,
    first: bool,
    /// The decoder has finished and must not be called again.
    done: bool,
    /// The lines that are UTF-8; `None` where that tells nothing.
    utf8: Option<Utf8Lines>,
}

/// Counts the lines that are UTF-8 with letters beyond ASCII in a text that is read in another encoding. Text in another
/// encoding is hardly ever valid UTF-8.
#[derive(Debug, Default)]
pub(super) struct Utf8Lines {
    /// Lines of UTF-8, and the first of them.
    pub(super) count: u64,
    pub(super) first: u64,
    /// Lines beyond ASCII that are not.
    pub(super) others: u64,
    lines: u64,
    /// The line that the last bytes ended in.
    open: Vec<u8>,
}

impl Utf8Lines {
    /// A longer line is not looked at.
    const LONGEST: usize = 1 << 20;

    pub(super) fn feed(&mut self, bytes: &[u8]) {
        for line in bytes.split_inclusive(|&byte| byte == b'\n') {
            let is_whole = line.ends_with(b"\n");
            if self.open.is_empty() && is_whole {
                self.judge(line);
            } else {
                let room = Self::LONGEST.saturating_sub(self.open.len());
                self.open.extend_from_slice(&line[..line.len().min(room)]);
                if is_whole {
                    self.end();
                }
            }
        }
    }

    /// Says that the text ends.
    pub(super) fn end(&mut self) {
        let line = std::mem::take(&mut self.open);
        self.judge(&line);
    }

    fn judge(&mut self, line: &[u8]) {
        self.lines += 1;
        if line.is_ascii() {
        } else if std::str::from_utf8(line).is_err() {
            self.others += 1;
        } else {
            self.count += 1;
            if self.count == 1 {
                self.first = self.lines;
            }
        }
    }
}

impl<B: Bytes> Text<B> {
    pub(super) fn new(bytes: B, encoding: Encoding) -> Self {
        Self { bytes, state: State::Start, encoding, marked: false, waiting: Vec::new(), fault: None, ended: false }
    }

    /// The encoding that the text is read with, known after the first read.
    pub(super) fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Whether a byte order mark named the encoding.
    pub(super) fn is_marked(&self) -> bool {
        self.marked
    }

    /// Returns the source of the bytes, and those that were read and are no text yet, if the bytes that follow are
    /// UTF-8. Then they can be read without this.
    pub(super) fn source(&mut self) -> Option<(&mut B, Vec<u8>)> {
        let is_open = matches!(self.state, State::Utf8) && self.fault.is_none() && !self.ended;
        is_open.then(|| (&mut self.bytes, std::mem::take(&mut self.waiting)))
    }

    /// The lines of UTF-8 in a text that was read in another encoding of single bytes.
    pub(super) fn utf8_lines(&self) -> Option<&Utf8Lines> {
        match &self.state {
            State::Other(other) => other.utf8.as_ref(),
            _ => None,
        }
    }

    /// Reads the next text, up to a character boundary; 0 is the end. Returns an error only after
    /// all the good text before it, so that the caller knows the line.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        debug_assert!(buffer.len() >= LEAST);
        if matches!(self.state, State::Start) {
            self.start()?;
        }
        loop {
            if let Some(fault) = self.fault.take() {
                self.ended = true;
                return Err(fault);
            }
            if self.ended {
                return Ok(0);
            }
            let count = match &mut self.state {
                State::Other(other) => {
                    let (count, fault) = other.decode(&mut self.bytes, buffer)?;
                    self.ended = count == 0 && fault.is_none();
                    self.fault = fault;
                    count
                }
                _ => self.utf8(buffer)?,
            };
            let count = self.without_nul(&buffer[..count]);
            if count > 0 {
                return Ok(count);
            }
        }
    }

    /// Reads enough to tell a BOM from text. A BOM may arrive one byte at a time.
    fn start(&mut self) -> Result<()> {
        let mut head = [0; 3];
        let mut filled = 0;
        while filled < head.len() {
            match self.bytes.read(&mut head[filled..])? {
                0 => break,
                count => filled += count,
            }
        }
        let head = &head[..filled];
        // A mark is no letter in any encoding that is in use, so detecting it is no guess.
        let mark = match head {
            BOM => Some(UTF_8),
            [0xff, 0xfe, ..] => Some(UTF_16LE),
            [0xfe, 0xff, ..] => Some(UTF_16BE),
            _ => None,
        };
        if let Some(mark) = mark {
            (self.encoding, self.marked) = (Encoding::web(mark), true);
        }
        let encoding = self.encoding;
        if encoding.is(UTF_8) {
            self.waiting.extend_from_slice(if head == BOM { b"" } else { head });
            self.state = State::Utf8;
        } else {
            self.state = State::Other(Box::new(Other {
                decoder: encoding.decoder(),
                raw: head.to_vec(),
                before: Vec::new(),
                from: 0,
                last: false,
                name: encoding.name(),
                first: true,
                done: false,
                utf8: encoding.is_of_single_bytes().then(|| {
                    let mut lines = Utf8Lines::default();
                    lines.feed(head);
                    lines
                }),
            }));
        }
        Ok(())
    }

    fn utf8(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let kept = self.waiting.len();
        buffer[..kept].copy_from_slice(&self.waiting);
        let read = self.bytes.read(&mut buffer[kept..])?;
        let filled = kept + read;
        self.ended = read == 0;
        self.waiting.clear();
        match std::str::from_utf8(&buffer[..filled]) {
            Ok(_) => Ok(filled),
            Err(error) if error.error_len().is_none() && read > 0 => {
                self.waiting.extend_from_slice(&buffer[error.valid_up_to()..filled]);
                Ok(error.valid_up_to())
            }
            Err(error) => {
                let at = error.valid_up_to();
                let end = error.error_len().map_or(filled, |length| at + length);
                self.fault = Some(invalid("utf-8", &buffer[at..end], &buffer[..filled]));
                Ok(at)
            }
        }
    }

    /// Returns the length of the text before a NUL. A NUL is an error.
    fn without_nul(&mut self, text: &[u8]) -> usize {
        let Some(at) = memchr::memchr(0, text) else { return text.len() };
        let is_utf16 = self.encoding.is(UTF_16LE) || self.encoding.is(UTF_16BE);
        let hint = if is_utf16 { UTF_32 } else { nul_hint(text, at) };
        self.fault = Some(Error::new(Kind::Csv, "a NUL byte: this is not text").hint(hint));
        at
    }
}

const UTF_32: &str = "it looks like UTF-32, which is not read: convert it first, as with `iconv -f UTF-32 -t UTF-8`";

/// Returns what the zero bytes from `at` on tell of a text.
fn nul_hint(text: &[u8], at: usize) -> &'static str {
    let around = &text[at.saturating_sub(1)..];
    let run = text[at..].iter().take_while(|byte| **byte == 0).count();
    let each_second = |from: usize| {
        let rest = text.get(from..).unwrap_or_default();
        rest.len() >= 8 && rest.chunks_exact(2).take(8).all(|pair| pair[0] == 0 && pair[1] != 0)
    };
    let is_wide = matches!(around, [_, 0, 0, 0, ..] | [0, 0, 0, _, ..]) && run == 3;
    if is_wide {
        return UTF_32;
    }
    match (each_second(at), at % 2) {
        (true, 0) => "it looks like UTF-16 without a byte order mark: [`encoding`] utf-16be",
        (true, _) => "it looks like UTF-16 without a byte order mark: [`encoding`] utf-16le",
        (false, _) if letters::is_binary(text) => letters::NO_TEXT,
        (false, _) if run > 1 => {
            "zero bytes are a hole in a file, as after a crash or a copy that broke off: fetch or write it again"
        }
        (false, _) => {
            "this is no text, or a damaged one; UTF-16 without a byte order mark needs [`encoding`] utf-16le or utf-16be"
        }
    }
}

impl Other {
    fn decode<B: Bytes>(&mut self, bytes: &mut B, buffer: &mut [u8]) -> Result<(usize, Option<Error>)> {
        let mut written = 0;
        loop {
            if self.done {
                return Ok((0, None));
            }
            let source = &self.raw[self.from..];
            let (result, read, count) = self.decoder.decode(source, &mut buffer[written..], self.last);
            self.from += read;
            written += count;
            match result {
                DecoderResult::Malformed(length, after) => {
                    let mut seen = [&self.before[..], &self.raw[..self.from]].concat();
                    seen.truncate(seen.len().saturating_sub(usize::from(after)));
                    let bad = seen.split_off(seen.len().saturating_sub(usize::from(length)));
                    let fault = invalid(self.name, &bad, &self.raw);
                    return Ok((self.bom(buffer, written), Some(fault)));
                }
                DecoderResult::OutputFull => {}
                DecoderResult::InputEmpty if self.last => self.done = true,
                DecoderResult::InputEmpty => {
                    self.before.extend_from_slice(&self.raw[self.raw.len().saturating_sub(LONGEST)..]);
                    self.before.drain(..self.before.len().saturating_sub(LONGEST));
                    self.raw.resize(CHUNK, 0);
                    let count = bytes.read(&mut self.raw)?;
                    self.raw.truncate(count);
                    self.last = count == 0;
                    if let Some(lines) = &mut self.utf8 {
                        lines.feed(&self.raw);
                        if self.last {
                            lines.end();
                        }
                    }
                    self.from = 0;
                    if written < LEAST / 2 {
                        continue;
                    }
                }
            }
            let text = self.bom(buffer, written);
            // A BOM alone is not the end, so do not return 0 for it.
            if text > 0 || written == 0 {
                return Ok((text, None));
            }
            written = 0;
        }
    }

    /// Removes a BOM from the first decoded text. The decoder returns whole characters.
    fn bom(&mut self, buffer: &mut [u8], written: usize) -> usize {
        if written == 0 || !std::mem::take(&mut self.first) || !buffer[..written].starts_with(BOM) {
            return written;
        }
        buffer.copy_within(BOM.len()..written, 0);
        written - BOM.len()
    }
}

/// Returns the error for invalid bytes. `context` is the text around them.
fn invalid(encoding: &str, bytes: &[u8], context: &[u8]) -> Error {
    let shown: Vec<String> = bytes.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let error = Error::new(Kind::Encoding, format!("these bytes are not {encoding}: {}", shown.join(" ")));
    // A text in UTF-16 is told by its mark or by the user, and its bytes are letters in no other encoding.
    if encoding.starts_with("UTF-16") {
        return error.hint("the file may be cut off or damaged");
    }
    error.hint(letters::hint(context, encoding))
}
