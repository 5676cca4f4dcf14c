//! Creates, lists and empties a cache folder. Only files with the name of an entry are touched.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use super::{Cache, CacheMode, Cached};
use raudal_common::atomic_file::AtomicFile;
use raudal_common::{Error, Result};

/// Backup programs recognise caches by this file (<https://bford.info/cachedir/>).
const TAG: (&str, &str) = (
    "CACHEDIR.TAG",
    "Signature: 8a477f597d28d172789f06886806bc55\n# This folder is a cache of raudal: `raudal cache clean` empties it.\n",
);

impl Cache {
    /// Creates the folder with access for this user only, since what was fetched may be private.
    pub(super) fn make(&self) -> io::Result<()> {
        let folder = &self.0.folder;
        if folder.is_dir() {
            return Ok(());
        }
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)?;
        fs::write(folder.join(TAG.0), TAG.1)
    }

    /// Lists the entries of a folder, sorted by URL. A missing folder has none.
    ///
    /// # Errors
    ///
    /// Returns an error of the kind [`Io`](raudal_common::Kind::Io).
    pub fn list(folder: &Path) -> Result<Vec<Cached>> {
        let cache = Self::new(folder, CacheMode::Offline);
        let mut entries: Vec<Cached> = names(folder)?
            .iter()
            .filter_map(|name| cache.entry(name.strip_suffix(".json")?))
            .map(|entry| Cached { stored: entry.stored(), url: entry.url, bytes: entry.size, sha256: entry.sha256 })
            .collect();
        entries.sort_by(|one, other| (&one.url, &one.sha256).cmp(&(&other.url, &other.sha256)));
        Ok(entries)
    }

    /// Removes all entries of a folder, and the unfinished files of killed runs. Returns the number
    /// of bytes removed. Files that another run is writing stay, and so do files that are not the
    /// cache's.
    ///
    /// # Errors
    ///
    /// Returns an error of the kind [`Io`](raudal_common::Kind::Io).
    pub fn clean(folder: &Path) -> Result<u64> {
        let mut bytes = 0;
        for name in names(folder)? {
            let path = folder.join(&name);
            let size = fs::symlink_metadata(&path).map_or(0, |there| there.len());
            let removed = if name.strip_suffix(".part").is_some() {
                // Opening it takes its lock; dropping it removes it.
                match AtomicFile::open(&path) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
                    opened => opened.map(drop),
                }
            } else {
                fs::remove_file(&path)
            };
            match removed {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(Error::io(format!("cannot remove: {}", path.display()), error));
                }
                _ => bytes += size,
            }
        }
        Ok(bytes)
    }
}

/// Lists the cache's files in a folder, entries before bodies. Removed in this order, no entry
/// points to a missing body.
fn names(folder: &Path) -> Result<Vec<String>> {
    let cannot = |error| Error::io(format!("cannot read the cache: {}", folder.display()), error);
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(cannot)?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(cannot)?.file_name();
        names.extend(name.to_str().filter(|name| is_ours(name)).map(str::to_owned));
    }
    names.sort_by_key(|name| name.strip_suffix(".json").is_none());
    Ok(names)
}

fn is_ours(name: &str) -> bool {
    let unfinished = name.strip_prefix(".raudal-").and_then(|name| name.strip_suffix(".part"));
    let Some((key, rest)) = unfinished.unwrap_or(name).split_at_checked(64) else { return false };
    let is_hash =
        |text: &str| text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let is_body = || rest.strip_prefix('.').and_then(|rest| rest.strip_suffix(".body")).is_some_and(is_hash);
    is_hash(key) && (rest == ".json" || (unfinished.is_some() && rest == ".body") || is_body())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleaning_touches_nothing_but_entries() {
        let folder = tempfile::tempdir().expect("a folder");
        let (key, sum) = ("a".repeat(64), "0".repeat(64));
        let ours = [format!("{key}.json"), format!("{key}.{sum}.body"), format!(".raudal-{key}.body.part")];
        let theirs =
            ["thesis.json".to_owned(), format!("{key}.zip"), format!("{}.json", "g".repeat(64)), "ñ".repeat(70)];
        for name in ours.iter().chain(&theirs) {
            fs::write(folder.path().join(name), "12345").expect("a file");
        }
        let held = AtomicFile::of(&folder.path().join(format!("{key}.json"))).expect("written by another run");
        assert_eq!(Cache::clean(folder.path()).expect("cleaned"), 15);
        for name in &theirs {
            assert!(folder.path().join(name).exists(), "{name}");
        }
        assert!(ours.iter().all(|name| !folder.path().join(name).exists()));
        assert_eq!(fs::read_dir(folder.path()).expect("the folder").count(), theirs.len() + 1);
        drop(held);
        assert_eq!(Cache::clean(&folder.path().join("none")).expect("nothing to do"), 0);
    }
}
