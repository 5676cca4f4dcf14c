//! Compares an input with a list of checksums.

use raudal_common::atomic_file::hex;
use raudal_common::{Error, Kind, Result};
use raudal_source::{Checksums, Input};
use sha2::{Digest, Sha256};
use std::io::{ErrorKind, Read};

/// Bytes per read.
const BUFFER: usize = 128 * 1024;

/// Returns the digest that a file must have. Looks up its path in the folder, then with fewer and
/// fewer folders before it.
pub(crate) fn promised(sums: &Checksums, name: &str) -> Result<String> {
    let mut paths = std::iter::successors(Some(name), |&name| name.split_once('/').map(|(_, rest)| rest));
    let found = paths.find_map(|path| sums.find(path));
    found.map(str::to_owned).ok_or_else(|| {
        Error::new(Kind::Checksum, format!("not in the list of checksums: {}", raudal_common::error::printable(name)))
            .hint("add the file to the list: a file without a checksum is refused")
            .transient(false)
    })
}

/// Returns the digest that an input of a table must have, if the list has it. Looks it up by path or
/// URL, then by name, then by file name.
///
/// ```
/// use raudal_source::{Checksums, Input, Location};
///
/// let digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// let list = Checksums::read(format!("{digest}  a.csv\n").as_bytes(), "SHA256SUMS")?;
/// let input = Input::new(Location::parse("https://example.org/a.csv")?);
/// assert_eq!(raudal_pipeline::known_checksum(&list, &input), Some(digest));
/// # Ok::<(), raudal_common::Error>(())
/// ```
pub fn known_checksum<'a>(sums: &'a Checksums, input: &Input) -> Option<&'a str> {
    let (source, file) = (input.location.to_string(), input.location.file_name());
    [source.as_str(), input.name.as_str(), file.as_str()].into_iter().find_map(|name| sums.find(name))
}

/// Returns the digest that an input of a table must have.
pub(crate) fn promised_of(sums: &Checksums, input: &Input) -> Result<String> {
    let known = known_checksum(sums, input);
    known.map_or_else(|| promised(sums, &input.location.file_name()), |digest| Ok(digest.to_owned()))
}

/// Compares the digest found with the expected one.
pub(crate) fn compare(found: &str, promised: &str) -> Result<()> {
    if found == promised {
        return Ok(());
    }
    Err(Error::new(
        Kind::Checksum,
        format!("the SHA-256 differs from the one in the list: {found} instead of {promised}"),
    )
    .hint("the file is damaged, or the list was made for another version of it"))
}

/// Returns the SHA-256 of all bytes of a reader.
pub(crate) fn digest(mut reader: impl Read) -> Result<String> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; BUFFER];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(hex(&hasher.finalize())),
            Ok(read) => hasher.update(&buffer[..read]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::io("cannot read the input", error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_in_a_folder_is_looked_up_with_as_many_folders_as_the_list_has() {
        let sums = ["a", "b"].map(|digit| digit.repeat(64));
        let list = format!("{}  2023/data.csv\n{}  2024/data.csv\n{}  other.csv\n", sums[0], sums[1], sums[0]);
        let list = Checksums::read(list.as_bytes(), "SUMS").expect("a list");
        assert_eq!(promised(&list, "h/2024/data.csv").ok(), Some(sums[1].clone()));
        assert_eq!(promised(&list, "h/2024/other.csv").ok(), Some(sums[0].clone()));
        assert!(promised(&list, "h/data.csv").is_err(), "two folders have a file of this name");
    }
}
