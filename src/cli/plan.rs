//! `--dry-run`: prints the inputs, and checks those that need no network.

use super::inputs::Inputs;
use super::session::{NAMED_FAILURES, Session, thousands};
use super::{exit, print};
use raudal::progress::{Progress, Style, Verbosity};
use raudal::source::{Input, Location};
use raudal::{Error, Result};
use std::fmt::Write as _;
use std::fs::File;
use std::io;

/// Prints each input on a line, and then errors: the local inputs that cannot be read, and the lines of a list that
/// are no inputs.
pub(crate) fn plan(inputs: Inputs) -> Result<u8> {
    let (mut lines, mut first, mut failed, mut good) = (String::new(), Vec::new(), 0, false);
    for input in inputs {
        if input.refusal().is_none() {
            let _ = writeln!(lines, "{}", input.to_line());
        }
        if lines.len() > 1 << 16 {
            print(lines.as_bytes())?;
            lines.clear();
        }
        match check(&input) {
            Ok(()) => good = true,
            Err(error) => {
                failed += 1;
                if first.len() < NAMED_FAILURES {
                    first.push(error);
                }
            }
        }
    }
    print(lines.as_bytes())?;
    let progress = Progress::new(Style::None, Verbosity::Quiet);
    for error in &first {
        Session::say_error(&progress, error);
    }
    if failed > first.len() as u64 {
        progress.error(&format!("error: … and {} more", thousands(failed - first.len() as u64)));
    }
    Ok(exit::of_failures(good, &first.iter().collect::<Vec<_>>()))
}

/// Checks that a line of a list is an input, and that a local input can be read. A pipe or a device is not opened:
/// that may wait.
fn check(input: &Input) -> Result<()> {
    if let Some(refusal) = input.refusal() {
        return Err(refusal);
    }
    let Location::File(path) = &input.location else { return Ok(()) };
    let readable = path.metadata().and_then(|there| {
        if there.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if there.is_file() { File::open(path).map(drop) } else { Ok(()) }
    });
    readable.map_err(|error| {
        let name = path.display().to_string();
        let is_count = error.kind() == io::ErrorKind::NotFound && name.bytes().all(|b| b.is_ascii_digit());
        let error = Error::io("cannot open the file", error).input(&name);
        if !is_count {
            return error;
        }
        error.hint(format!("-n is --dry-run and takes no number; for the first rows: --limit {name}"))
    })
}
