//! `raudal get`, and what it and `raudal table` keep between runs. Files have the right names and
//! are complete or absent, whatever servers say and whenever a run is killed.

mod again;
mod extract;
mod kill;
mod lists;
mod names;
#[cfg(unix)]
mod nginx;
mod sums;
mod update;

use crate::common::Program;
use std::path::Path;

/// For tests that count requests: without a spare slot, a transfer that is slow on this machine is
/// not split.
const ALONE: [&str; 2] = ["-j", "1"];

/// `raudal get` into a folder, without a wait before a retry.
fn get<A: Into<std::ffi::OsString>>(folder: &Path, arguments: impl IntoIterator<Item = A>) -> Program {
    crate::common::raudal(["get", "--progress", "none", "--retry-delay", "1ms", "-d"])
        .arg(folder)
        .args(arguments.into_iter().map(Into::into))
}

/// Returns the names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .map(|entries| {
            entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
        })
        .unwrap_or_default();
    names.sort();
    names
}

fn read(path: impl AsRef<Path>) -> Vec<u8> {
    std::fs::read(path.as_ref()).unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()))
}

/// Returns the SHA-256 of bytes, in hexadecimal.
fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    let digits: Vec<String> = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}
