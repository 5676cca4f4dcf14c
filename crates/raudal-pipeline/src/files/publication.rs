//! Gives a verified body its name: sets its time, extracts it, syncs it, renames it, records it.

use super::Existing;
use super::extraction::{Extraction, Unpack};
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
    pub(super) place: PartialFile,
    pub(super) extract: Extraction,
}

/// What became of a body.
pub(super) struct Published {
    /// The warnings of its archive.
    pub(super) warnings: Vec<String>,
    /// The number of its name, for [`FolderSync`](super::durable::FolderSync).
    pub(super) named: u64,
}

impl Publication {
    /// It blocks: nothing else of an input does, if its body is short.
    pub(super) fn run(
        self,
        target: &SaveTarget,
        body: Body,
        locked: Option<(Arc<Lock>, Locked)>,
    ) -> Result<Published, FileFailure> {
        let Self { shared, job, input, place, extract } = &self;
        let version =
            shared.versions.as_ref().map(|_| Version::of(input, &body, target.theirs.clone(), target.name.clone()));
        place.store()?;
        if let Some(modified) = body.modified().filter(|_| version.is_some()) {
            place.set_modified(modified);
        }
        let mut warnings = Vec::new();
        let members = target.members.as_ref().filter(|(.., unpack)| *unpack != Unpack::Keep);
        if let Some((_, folder, unpack)) = members {
            warnings = extract.run(body.into_reader(), folder, *unpack).map_err(|error| {
                let again = input.location.is_remote() && error.kind().may_be_damage_on_the_way();
                if again {
                    place.clear();
                    shared.client.forget(&input.location);
                }
                error.transient(again)
            })?;
        }
        // Publish the archive first: if the run is killed in between, the next one extracts it again.
        place.sync()?;
        let replace = matches!(shared.options.existing, Existing::Replace | Existing::Update);
        shared.make_folders(&target.path)?;
        shared.reserved.publish(&target.name, *job, || place.rename(&target.path, replace)).map_err(refused)?;
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
