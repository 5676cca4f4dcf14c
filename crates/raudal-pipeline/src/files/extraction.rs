//! Extracts the members of an archive to a folder of its own, which appears once it is complete.

use super::Members;
use crate::run::watch::JobWatch;
use raudal_common::atomic_file::{folder_of, sync_folder};
use raudal_common::{Error, Kind, Result};
use std::fs;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

/// What to do with the folder for the members of an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FolderAction {
    /// It does not exist.
    Create,
    /// It exists, and stays.
    Keep,
    /// It exists, and is replaced if the archive has changed.
    Replace,
}

/// The extraction of members to their folder.
pub(super) struct MemberExtraction {
    /// The partial file. Until all members are extracted, they are in a temporary folder beside it.
    /// The lock on the file protects that too.
    pub(super) unfinished: PathBuf,
    pub(super) members: Option<Members>,
    pub(super) limits: raudal_table::Limits,
    pub(super) member_encoding: Option<raudal_table::MemberEncoding>,
    pub(super) source: String,
    pub(super) watch: JobWatch,
}

impl MemberExtraction {
    /// Extracts the members to the temporary folder. Returns the warnings of the archive.
    pub(super) fn run<R: Read + Seek>(&self, archive: R, folder: &Path, unpack: FolderAction) -> Result<Vec<String>> {
        // A killed run may have left these folders. Their names show that they are ours, and links
        // are not followed.
        for left in [self.temporary(), self.replaced()] {
            match fs::remove_dir_all(&left) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::io(format!("cannot remove: {}", left.display()), error));
                }
                _ => {}
            }
        }
        let mut options = raudal_table::ExtractOptions::default();
        options.limits = self.limits.clone();
        options.member_encoding = self.member_encoding;
        if let Some(Members::Matching(glob)) = &self.members {
            options.members = Some(glob.clone());
        }
        let extracted = raudal_table::extract(archive, &self.source, &self.temporary(), &options, &self.watch)?;
        if unpack != FolderAction::Replace && fs::symlink_metadata(folder).is_ok() {
            let _ = fs::remove_dir_all(self.temporary());
            return Err(folder_exists(folder));
        }
        Ok(extracted.warnings)
    }

    /// Gives the folder its final name. A folder that it replaces is moved away first, and then
    /// removed.
    pub(super) fn publish(&self, folder: &Path, unpack: FolderAction) -> Result<()> {
        let old = self.replaced();
        let moved = if unpack == FolderAction::Replace { fs::rename(folder, &old) } else { Ok(()) };
        moved.and_then(|()| fs::rename(self.temporary(), folder)).map_err(|error| {
            let _ = fs::remove_dir_all(self.temporary());
            if unpack == FolderAction::Replace {
                let _ = fs::rename(&old, folder);
            }
            Error::io(format!("cannot create the folder: {}", folder.display()), error)
        })?;
        sync_folder(folder_of(folder));
        if unpack == FolderAction::Replace {
            // If it cannot be removed, the next extraction of this archive tries again.
            let _ = fs::remove_dir_all(&old);
        }
        Ok(())
    }

    fn temporary(&self) -> PathBuf {
        with(&self.unfinished, ".d")
    }

    fn replaced(&self) -> PathBuf {
        with(&self.unfinished, ".old.d")
    }
}

fn with(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// Returns the error for a folder that is in the way.
pub(super) fn folder_exists(folder: &Path) -> Error {
    Error::new(Kind::Io, format!("a file or folder with this name already exists: {}", folder.display()))
        .hint("members are extracted to a new folder: move or remove this one")
}
