//! Reads text lists line by line, for `-i` and `--checksums`.

use std::io::{BufRead, Read};

use raudal_common::{Error, Result};

/// No URL, path or name is longer than this. A longer line means that the file is not a list.
pub(super) const MAX_LINE: usize = 64 * 1024;

/// Passes each line to `take`, without its end, and the first without its byte order mark. Errors
/// call the list `name`; `hint` describes a valid line.
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
