//! Makes the names of many files durable with few syncs of their folder.

use raudal_common::atomic_file::{folder_of, sync_folder};
use raudal_common::lock;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Folders with names that may not be durable. One sync serves all names that were given before it.
#[derive(Debug, Default)]
pub(super) struct FolderSync {
    names: Mutex<Names>,
    /// Held by the sync that is running: the folders that it has taken are not durable yet.
    turn: Mutex<()>,
}

#[derive(Debug, Default)]
struct Names {
    /// The folders of names that may not be durable.
    folders: HashSet<PathBuf>,
    /// How many names were given, and how many of them are durable.
    given: u64,
    durable: u64,
}

impl FolderSync {
    /// Takes note of a new name. Returns its number.
    pub(super) fn named(&self, path: &Path) -> u64 {
        let (mut names, folder) = (lock(&self.names), folder_of(path));
        if !names.folders.contains(folder) {
            names.folders.insert(folder.to_owned());
        }
        names.given += 1;
        names.given
    }

    /// Whether the name with this number is durable.
    pub(super) fn is_durable(&self, number: u64) -> bool {
        number <= lock(&self.names).durable
    }

    /// Makes all names durable that were given until now. It blocks.
    pub(super) fn sync(&self) {
        let _turn = lock(&self.turn);
        let mut names = lock(&self.names);
        let (folders, given) = (std::mem::take(&mut names.folders), names.given);
        drop(names);
        for folder in folders {
            sync_folder(&folder);
        }
        lock(&self.names).durable = given;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sync_serves_the_names_that_were_given_before_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let (folders, path) = (FolderSync::default(), folder.path().join("a"));
        assert!(folders.is_durable(0), "no name");
        let (first, second) = (folders.named(&path), folders.named(&folder.path().join("more").join("b")));
        assert!(!folders.is_durable(first) && !folders.is_durable(second));
        folders.sync();
        let third = folders.named(&path);
        assert!(folders.is_durable(first) && folders.is_durable(second) && !folders.is_durable(third));
        folders.sync();
        assert!(folders.is_durable(third));
    }
}
