//! Lists of text, line by line: what `-i` and `--checksums` read.

use std::io::{BufRead, Read};

use raudal_common::{Error, Result};

/// No URL, no path and no name is longer than this; a line that is means that the file is no list.
pub(super) const MAX_LINE: usize = 64 * 1024;

/// Hands over each line without its end, and the first without its byte order mark. `name` is what errors call the list,
/// `hint` says what a line of it is.
pub(super) fn each_line(
    mut reader: impl BufRead,
    name: &str,
    hint: &str,
    mut take: impl FnMut(&str) -> Result<()>,
) -> Result<()> {
    let mut line = Vec::new();
    for number in 1.. {
        let at = |error: Error| error.input(name).line(number);
        let refused = |what: String| at(Error::usage(what).hint(hint));
        line.clear();
        let read = Read::take(&mut reader, MAX_LINE as u64 + 1)
            .read_until(b'\n', &mut line)
            .map_err(|error| at(Error::io("cannot read the list", error)))?;
        if read == 0 {
            break;
        }
        if read > MAX_LINE {
            return Err(refused(format!("a line longer than {MAX_LINE} bytes")));
        }
        let text = std::str::from_utf8(&line).map_err(|_| refused("a line that is not UTF-8".to_owned()))?;
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        take(if number == 1 { text.trim_start_matches('\u{feff}') } else { text }).map_err(at)?;
    }
    Ok(())
}
