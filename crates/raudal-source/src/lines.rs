//! Reads text lists line by line, for `-i` and `--checksums`.

use std::borrow::Cow;
use std::io::{BufRead, Read};

use raudal_common::{Error, Result};

/// No URL, path or name is longer than this.
pub(super) const MAX_LINE: usize = 64 * 1024;
/// How much of a line that is too long is shown.
const SHOWN: usize = 80;

/// A line, without its end, and the first without its byte order mark.
pub(super) struct TextLine<'a> {
    /// Its number, from 1.
    pub(super) number: u64,
    /// The text, or why it cannot be read.
    pub(super) text: Result<&'a str>,
    /// The text, with U+FFFD in place of bytes that are not UTF-8.
    pub(super) raw: Cow<'a, str>,
}

/// A list, line by line. Errors call it `name`; `hint` describes a valid line.
///
/// A file with a zero byte is no text, so all of it is refused.
pub(super) struct LineReader<'a, R> {
    reader: R,
    name: &'a str,
    hint: &'a str,
    line: Vec<u8>,
    number: u64,
    /// Bytes that were read.
    pub(super) read: u64,
}

impl<'a, R: BufRead> LineReader<'a, R> {
    pub(super) fn new(reader: R, name: &'a str, hint: &'a str) -> Self {
        Self::from_line(reader, name, hint, 0, Vec::new())
    }

    /// Continues after the line with this number, and reuses a buffer.
    pub(super) fn from_line(reader: R, name: &'a str, hint: &'a str, number: u64, line: Vec<u8>) -> Self {
        Self { reader, name, hint, line, number, read: 0 }
    }

    /// Returns the next line; `None` after the last one.
    pub(super) fn next(&mut self) -> Result<Option<TextLine<'_>>> {
        self.number += 1;
        let number = self.number;
        let at = |error: Error| error.input(self.name).line(number);
        let failed = |error| at(Error::io("cannot read the list", error));
        let refused = |what: String| Error::usage(what).hint(self.hint);
        self.line.clear();
        let limited = Read::take(&mut self.reader, MAX_LINE as u64 + 1).read_until(b'\n', &mut self.line);
        let read = limited.map_err(failed)?;
        self.read += read as u64;
        if read == 0 {
            return Ok(None);
        }
        if self.line.contains(&0) {
            return Err(at(refused("not a text file: a zero byte".to_owned())));
        }
        let mut bytes = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        if number == 1 {
            bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
        }
        let text = if read > MAX_LINE {
            if !self.line.ends_with(b"\n") {
                self.read += skip_line(&mut self.reader).map_err(failed)?;
            }
            bytes = &bytes[..SHOWN];
            Err(refused(format!("a line longer than {MAX_LINE} bytes")))
        } else {
            std::str::from_utf8(bytes).map_err(|_| refused("a line that is not UTF-8".to_owned()))
        };
        Ok(Some(TextLine { number, text, raw: String::from_utf8_lossy(bytes) }))
    }

    /// Gives the buffer back.
    pub(super) fn into_buffer(self) -> Vec<u8> {
        self.line
    }
}

/// Skips the rest of a line. Returns how many bytes that were.
fn skip_line(reader: &mut impl BufRead) -> std::io::Result<u64> {
    let mut skipped = 0;
    loop {
        let (used, is_over) = {
            let bytes = reader.fill_buf()?;
            match bytes.iter().position(|byte| *byte == b'\n') {
                Some(end) => (end + 1, true),
                None => (bytes.len(), bytes.is_empty()),
            }
        };
        reader.consume(used);
        skipped += used as u64;
        if is_over {
            return Ok(skipped);
        }
    }
}

/// Passes each line to `take`.
pub(super) fn each_line(
    reader: impl BufRead,
    name: &str,
    hint: &str,
    mut take: impl FnMut(TextLine<'_>) -> Result<()>,
) -> Result<()> {
    let mut lines = LineReader::new(reader, name, hint);
    while let Some(line) = lines.next()? {
        let number = line.number;
        take(line).map_err(|error| error.input(name).line(number))?;
    }
    Ok(())
}
