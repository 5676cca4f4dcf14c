//! Gives a verified body its name: sets its time, extracts it, syncs it, renames it, records it.

use super::Existing;
use super::extraction::{FolderAction, MemberExtraction};
use super::shared::{FileFailure, FilesRun, SaveTarget, refused};
use super::versions::Version;
use crate::run::lock::{Lock, Locked};
use raudal_fetch::{Body, PartialFile};
use raudal_source::Input;
use std::sync::Arc;

/// Gives a verified body its name.
pub(super) struct Publication {
    pub(super) shared: Arc<FilesRun>,
    pub(super) job: u64,
    pub(super) input: Input,
    pub(super) partial_file: PartialFile,
    pub(super) extract: MemberExtraction,
}

/// What became of a body.
pub(super) struct Published {
    /// The warnings of its archive.
    pub(super) warnings: Vec<String>,
    /// The number of its name, for [`FolderSync`](super::durable::FolderSync).
    pub(super) named: u64,
}

impl Publication {
    /// Publishes the body. It blocks. If the body is short, nothing else of its input does.
    pub(super) fn run(
        self,
        target: &SaveTarget,
        body: Body,
        locked: Option<(Arc<Lock>, Locked)>,
    ) -> Result<Published, FileFailure> {
        let Self { shared, job, input, partial_file, extract } = &self;
        let version =
            shared.versions.as_ref().map(|_| Version::of(input, &body, target.theirs.clone(), target.name.clone()));
        partial_file.store()?;
        if let Some(modified) = body.modified().filter(|_| version.is_some()) {
            partial_file.set_modified(modified);
        }
        let mut warnings = Vec::new();
        let members = target.members.as_ref().filter(|(.., unpack)| *unpack != FolderAction::Keep);
        if let Some((_, folder, unpack)) = members {
            warnings = extract.run(body.into_reader(), folder, *unpack).map_err(|error| {
                let again = input.location.is_remote() && error.kind().may_be_damage_on_the_way();
                if again {
                    partial_file.clear();
                    shared.client.forget(&input.location);
                }
                error.transient(again)
            })?;
        }
        // Publish the archive first: if the run is killed in between, the next one extracts it again.
        partial_file.sync()?;
        let replace = matches!(shared.options.existing, Existing::Replace | Existing::Update);
        shared.make_folders(&target.path)?;
        if let Some(relay) = &shared.relay {
            relay.taking(*job)?;
        }
        shared.reserved.publish(&target.name, *job, || partial_file.rename(&target.path, replace)).map_err(refused)?;
        let named = shared.folders.named(&target.path);
        if let (Some(versions), Some(version)) = (&shared.versions, version) {
            versions.record(version, &target.path);
        }
        if let Some((lock, locked)) = locked {
            lock.hold(*job, locked)?;
        }
        if let Some((name, folder, unpack)) = members {
            shared.folders.sync();
            shared.reserved.publish(name, *job, || extract.publish(folder, *unpack)).map_err(refused)?;
        }
        Ok(Published { warnings, named })
    }
}
