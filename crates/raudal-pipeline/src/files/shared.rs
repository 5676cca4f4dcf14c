//! What the jobs of a run share, and what each of them makes.

use super::durable::FolderSync;
use super::extraction::FolderAction;
use super::inputs::Repeated;
use super::relay::{Relay, TURNS};
use super::reserved::ReservedNames;
use super::versions::FileVersions;
use super::{Existing, Options};
use crate::run::partials::{Partials, make_folder};
use raudal_common::atomic_file::folder_of;
use raudal_common::{Error, Result};
use raudal_fetch::Client;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::Semaphore;

const TAKEN: &str = "another file may have the name of the folder: name the files differently with [`name`]";

/// What all jobs of a run share.
pub(super) struct FilesRun {
    pub(super) client: Client,
    pub(super) options: Options,
    pub(super) reserved: ReservedNames,
    pub(super) partials: Arc<Partials>,
    pub(super) repeated: Repeated,
    pub(super) folders: FolderSync,
    /// With [`Existing::Update`], the versions of the files that are there.
    pub(super) versions: Option<FileVersions>,
    /// What other machines have fetched, if they do.
    pub(super) relay: Option<Arc<dyn Relay>>,
    /// Limits how many files of a relay are written at once.
    pub(super) turns: Semaphore,
}

impl FilesRun {
    pub(super) fn new(
        client: &Client,
        options: Options,
        relay: Option<Arc<dyn Relay>>,
        partials: Arc<Partials>,
        repeated: Repeated,
        versions: Option<FileVersions>,
    ) -> Self {
        let removes = matches!(options.existing, Existing::Refuse | Existing::Skip);
        let reserved = ReservedNames::new(options.folder.clone(), removes);
        let (client, folders, turns) = (client.clone(), FolderSync::default(), Semaphore::new(TURNS));
        Self { client, options, reserved, partials, repeated, folders, versions, relay, turns }
    }

    /// Creates the folders that a template gives a file.
    pub(super) fn make_folders(&self, path: &Path) -> Result<()> {
        let folder = folder_of(path);
        // The partial file was in the folder of the run.
        if folder == self.options.folder || folder.is_dir() {
            return Ok(());
        }
        make_folder(folder).map_err(|error| if error.is_of_machine() { error } else { error.hint(TAKEN) })?;
        // The names of the folders must be durable too.
        folder.ancestors().take_while(|made| *made != self.options.folder).for_each(|made| {
            self.folders.named(made);
        });
        Ok(())
    }
}

/// Why there is no file.
pub(super) struct FileFailure {
    pub(super) error: Error,
    /// Whether the file was refused because of its name, not because bytes are missing.
    pub(super) is_refused: bool,
}

impl From<Error> for FileFailure {
    fn from(error: Error) -> Self {
        Self { error, is_refused: false }
    }
}

pub(super) fn refused(error: Error) -> FileFailure {
    FileFailure { error, is_refused: true }
}

#[derive(Debug)]
pub(super) struct SaveTarget {
    /// The name without a template, for the record of its version.
    pub(super) theirs: String,
    /// The path in the folder, and the whole one.
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) digest: Option<String>,
    /// The folder for the members, in the folder and as a whole path.
    pub(super) members: Option<(String, PathBuf, FolderAction)>,
}

impl SaveTarget {
    /// The names that it takes.
    pub(super) fn names(&self) -> Vec<String> {
        let members = self.members.as_ref().map(|(name, ..)| name.clone());
        [self.name.clone()].into_iter().chain(members).collect()
    }

    pub(super) fn extracted(&self) -> Option<PathBuf> {
        self.members.as_ref().map(|(_, folder, _)| folder.clone())
    }
}
