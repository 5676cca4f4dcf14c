//! Reads text lists line by line, for `-i` and `--checksums`.

use std::borrow::Cow;
use std::io::{BufRead, Read};

use raudal_common::{Error, Result};

/// No URL, path or name is longer than this.
pub(super) const MAX_LINE: usize = 64 * 1024;
/// How much of a line that is too long is shown.
const SHOWN: usize = 80;

/// A line, without its end, and the first without its byte order mark.
pub(super) struct Line<'a> {
    /// Its number, from 1.
    pub(super) number: u64,
    /// The text, or why it cannot be read.
    pub(super) text: Result<&'a str>,
    /// The text, with U+FFFD in place of bytes that are not UTF-8.
    pub(super) raw: Cow<'a, str>,
}

/// Passes each line to `take`. Errors call the list `name`; `hint` describes a valid line.
///
/// A file with a zero byte is no text, so all of it is refused.
pub(super) fn each_line(
    mut reader: impl BufRead,
    name: &str,
    hint: &str,
    mut take: impl FnMut(Line<'_>) -> Result<()>,
) -> Result<()> {
    let mut line = Vec::new();
    for number in 1.. {
        let at = |error: Error| error.input(name).line(number);
        let failed = |error| at(Error::io("cannot read the list", error));
        let refused = |what: String| Error::usage(what).hint(hint);
        line.clear();
        let read = Read::take(&mut reader, MAX_LINE as u64 + 1).read_until(b'\n', &mut line).map_err(failed)?;
        if read == 0 {
            break;
        }
        if line.contains(&0) {
            return Err(at(refused("not a text file: a zero byte".to_owned())));
        }
        let mut bytes = line.strip_suffix(b"\n").unwrap_or(&line);
        bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        if number == 1 {
            bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
        }
        let text = if read > MAX_LINE {
            if !line.ends_with(b"\n") {
                reader.skip_until(b'\n').map_err(failed)?;
            }
            bytes = &bytes[..SHOWN];
            Err(refused(format!("a line longer than {MAX_LINE} bytes")))
        } else {
            std::str::from_utf8(bytes).map_err(|_| refused("a line that is not UTF-8".to_owned()))
        };
        take(Line { number, text, raw: String::from_utf8_lossy(bytes) }).map_err(at)?;
    }
    Ok(())
}
