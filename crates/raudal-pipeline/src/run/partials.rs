//! Partial transfers, kept from one attempt of a job to the next.

use super::name;
use raudal_common::lock;
use raudal_common::{Error, Result};
use raudal_fetch::{Partial, PartialFile};
use raudal_pool::{Attempt, Event, EventKind, Observer};
use raudal_source::Input;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Mutex;

/// What a job keeps for its next attempt.
#[derive(Debug, Default)]
pub(crate) struct KeptTransfer {
    pub(crate) partial: Option<Partial>,
    /// The partial file of the body, if it outlives the run. It stays locked while it is here.
    pub(crate) file: Option<PartialFile>,
}

/// Partial transfers that wait for the next attempt of their job. A running job takes out its own.
///
/// It observes the run and removes the entry of each finished job, however the job ended. The
/// result may wait long for its turn, and the entry holds memory or an open file.
#[derive(Debug, Default)]
pub(crate) struct Partials(Mutex<HashMap<u64, KeptTransfer>>);

impl Partials {
    pub(crate) fn take(&self, job: u64) -> KeptTransfer {
        lock(&self.0).remove(&job).unwrap_or_default()
    }

    pub(crate) fn keep(&self, job: u64, kept: KeptTransfer) {
        if kept.partial.is_some() || kept.file.is_some() {
            lock(&self.0).insert(job, kept);
        }
    }
}

impl Observer for Partials {
    fn observe(&self, event: &Event<'_>) {
        if let EventKind::JobFinished { report } = &event.kind {
            drop(self.take(report.job));
        }
    }
}

/// Opens the partial file of an input, and creates the folder if necessary. If the file is not kept, both wait until
/// there are bytes for it.
pub(crate) async fn open_partial_file(
    context: &Attempt,
    folder: &Path,
    input: &Input,
    keeps: bool,
) -> Result<PartialFile> {
    let (folder, file) = (folder.to_owned(), name::partial(input));
    if !keeps {
        return Ok(PartialFile::later(&folder.join(file)));
    }
    let opened = context.blocking(move || {
        if !folder.is_dir() {
            make_folder(&folder).map_err(Error::of_machine)?;
        }
        PartialFile::open(&folder.join(file), keeps)
    });
    opened.await.map_err(|error| error.input(input.location.to_string()))
}

/// Creates a folder and its parents.
pub(crate) fn make_folder(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder)
        .map_err(|error| Error::io(format!("cannot create the folder: {}", folder.display()), error))
}
