//! Decides what is done with an input, once its name is known.

use super::Existing;
use super::extraction::{FolderAction, folder_exists};
use super::shared::{FilesRun, SaveTarget};
use super::template::known;
use crate::run::name;
use crate::run::verify;
use raudal_common::{Error, Kind, Result};
use raudal_fetch::already_there;
use raudal_source::Input;
use std::fs;
use std::path::Path;

/// What is done with an input.
#[derive(Debug)]
pub(super) enum Decision {
    /// It is saved under this name.
    Save(SaveTarget),
    /// The file already exists.
    Skip(SaveTarget),
}

impl FilesRun {
    /// Decides about an input whose name is known before it is fetched; `None` if it is not.
    pub(super) fn known(&self, job: u64, input: &Input) -> Result<Option<Decision>> {
        let number = self.repeated.position(job) + 1;
        let name = known(self.options.name.as_ref(), input, number);
        name.map(|name| self.decide(job, input, &input.name, name)).transpose()
    }

    /// Decides what is done under this name. `theirs` is the name without a template.
    pub(super) fn decide(&self, job: u64, input: &Input, theirs: &str, name: String) -> Result<Decision> {
        let options = &self.options;
        let members = options.extract.as_ref().map(|_| name::folder(&name));
        let names: Vec<&str> = [name.as_str()].into_iter().chain(members.as_deref()).collect();
        self.reserved.take(&names, job, &input.location.to_string())?;
        let digest = options.run.checksums.as_ref().map(|sums| verify::promised(sums, &name)).transpose()?;
        let path = options.folder.join(&name);
        // A dangling link exists too: it takes the name.
        let is_there = |path: &Path| fs::symlink_metadata(path).is_ok();
        let existing = self.existing(job);
        let members = match members.map(|members| (options.folder.join(&members), members)) {
            None => None,
            Some((folder, name)) => {
                let unpack = match existing {
                    _ if !is_there(&folder) => FolderAction::Create,
                    Existing::Skip => FolderAction::Keep,
                    Existing::Update if folder.is_dir() => FolderAction::Replace,
                    _ => return Err(folder_exists(&folder)),
                };
                Some((name, folder, unpack))
            }
        };
        let target = SaveTarget { theirs: theirs.to_owned(), name, path, digest, members };
        match existing {
            _ if !is_there(&target.path) => Ok(Decision::Save(target)),
            Existing::Refuse => Err(already_there(&target.path)),
            Existing::Skip => Ok(Decision::Skip(target)),
            Existing::Replace | Existing::Update if target.path.is_dir() => {
                Err(Error::new(Kind::Io, format!("a folder has the name of the file: {}", target.path.display())))
            }
            Existing::Replace | Existing::Update => Ok(Decision::Save(target)),
        }
    }

    /// What to do with a file that exists. One that an earlier submitter of the run has saved is there already.
    fn existing(&self, job: u64) -> Existing {
        match (self.options.existing, &self.relay) {
            (Existing::Refuse, Some(relay)) if relay.was_taken(job) => Existing::Skip,
            (existing, _) => existing,
        }
    }
}
