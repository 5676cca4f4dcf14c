//! One attempt at one input: name, fetch, verify, extract, publish.

use super::Saved;
use super::decide::Decision;
use super::extraction::{FolderAction, MemberExtraction};
use super::inputs::refusal;
use super::publication::Publication;
use super::shared::{FileFailure, FilesRun, SaveTarget, refused};
use super::template::named;
use crate::run::lock::{Lock, Locked};
use crate::run::name;
use crate::run::partials::{KeptTransfer, open_partial_file};
use crate::run::verify;
use crate::run::watch::JobWatch;
use raudal_common::lock;
use raudal_common::{Error, Kind, Result};
use raudal_fetch::{Body, Expect, IfChanged, Partial, PartialFile, Request, ResponseHead, Validators};
use raudal_pool::Attempt;
use raudal_source::{Input, Location};
use std::fs::{self, File};
use std::io::BufReader;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::{Arc, Mutex};

pub(super) async fn attempt(shared: Arc<FilesRun>, context: Attempt, input: Input) -> Result<Saved> {
    if let Some(error) = refusal(&input) {
        return Err(error);
    }
    let carried = match &shared.relay {
        Some(relay) => shared
            .awaited(relay, context.job(), &input)
            .await
            .map_err(|error| error.input(input.location.to_string()))?,
        None => None,
    };
    let _turn = shared.turn().await;
    let KeptTransfer { mut partial, file } = shared.partials.take(context.job());
    let partial_file = match file {
        Some(file) => file,
        None => open_partial_file(&context, &shared.options.folder, &input, shared.options.resume).await?,
    };
    let number = shared.repeated.position(context.job()) + 1;
    let job = FileJob { shared: &shared, context: &context, input: &input, partial_file: &partial_file, number };
    let saved = match &shared.relay {
        Some(relay) => job.relayed(relay, carried).await,
        None => job.run(&mut partial).await,
    };
    // After a full disk or an interruption, the received bytes are still good, so keep them.
    let goes_on = |failed: &FileFailure| {
        let error = &failed.error;
        !failed.is_refused && (error.is_transient() || error.kind().spares_what_is_here())
    };
    if saved.as_ref().is_err_and(goes_on) {
        shared.partials.keep(context.job(), KeptTransfer { partial, file: Some(partial_file.clone()) });
    } else {
        // The file was published, existed already, or will never come.
        partial_file.remove();
    }
    saved.map_err(|failed| failed.error.input(input.location.to_string()))
}

pub(super) struct FileJob<'a> {
    pub(super) shared: &'a Arc<FilesRun>,
    pub(super) context: &'a Attempt,
    pub(super) input: &'a Input,
    pub(super) partial_file: &'a PartialFile,
    /// The position of the input, from 1.
    number: u64,
}

impl FileJob<'_> {
    async fn run(&self, partial: &mut Option<Partial>) -> Result<Saved, FileFailure> {
        let named = self.known()?;
        if let Some(Decision::Skip(target)) = named {
            return Ok(self.there(target).await?);
        }
        let before = self.before(named.as_ref()).await;
        // An input without a name gets it from the response.
        let (is_named, decided) = (named.is_some(), Mutex::new(named.map(Ok)));
        let accept = |head: &ResponseHead<'_>| {
            if is_named {
                return ControlFlow::Continue(());
            }
            let decision = self.decide_by(&self.name_by(head.disposition));
            let goes_on = matches!(decision, Ok(Decision::Save(_)));
            *lock(&decided) = Some(decision);
            if goes_on { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        let expect = match self.input.location {
            Location::Url(_) if self.input.is_named => Expect::of_name(&self.input.name),
            Location::Url(_) => Expect::File,
            _ => Expect::Any,
        };
        let request = Request::new(&self.input.location).expect(expect).progress(self.context);
        let request = request.into_file(self.partial_file).accept(&accept);
        let client = &self.shared.client;
        let fetched = match &before {
            KnownVersion::Unknown => client.send(request, partial).await.map(|fetched| match fetched {
                ControlFlow::Continue(body) => IfChanged::Body(body),
                ControlFlow::Break(()) => IfChanged::Declined,
            }),
            KnownVersion::Version(known, _) => client.send_if_changed(request, known, partial).await,
            KnownVersion::Same => Ok(IfChanged::Unchanged),
        }?;
        let decided = match (lock(&decided).take(), before) {
            // The response for an unchanged file does not name it.
            (None, KnownVersion::Version(_, theirs)) => Some(self.decide_by(&theirs)),
            (decided, _) => decided,
        };
        match (fetched, decided.transpose().map_err(refused)?) {
            (IfChanged::Body(body), Some(Decision::Save(target))) => self.save(target, body).await,
            (IfChanged::Unchanged, Some(Decision::Save(target) | Decision::Skip(target)))
            | (_, Some(Decision::Skip(target))) => Ok(self.there(target).await?),
            _ => Err(Error::new(Kind::Internal, "no name was chosen for the file").into()),
        }
    }

    /// Decides what to do, if the name is known before the response.
    pub(super) fn known(&self) -> Result<Option<Decision>, FileFailure> {
        self.shared.known(self.context.job(), self.input).map_err(refused)
    }

    /// Finds the version of the input in the folder, if the run updates files.
    async fn before(&self, named: Option<&Decision>) -> KnownVersion {
        let Some(versions) = &self.shared.versions else { return KnownVersion::Unknown };
        let (theirs, name) = match named {
            Some(Decision::Save(target) | Decision::Skip(target)) => (target.theirs.clone(), target.name.clone()),
            None => {
                let last = versions.last(self.input).and_then(|version| name::safe(&version.theirs));
                let theirs = last.unwrap_or_else(|| self.name_by(None));
                let name = self.named(&theirs);
                (theirs, name)
            }
        };
        let (path, input, shared) =
            (self.shared.options.folder.join(&name), self.input.clone(), Arc::clone(self.shared));
        let look = move || match &input.location {
            Location::File(source) if is_same(source, &path) => KnownVersion::Same,
            Location::File(_) | Location::Stdin => KnownVersion::Unknown,
            Location::Url(_) => {
                let known = shared.versions.as_ref().and_then(|versions| versions.validators(&input, &name, &path));
                known.map_or(KnownVersion::Unknown, |known| KnownVersion::Version(known, theirs))
            }
        };
        self.context.blocking(look).await
    }

    /// Returns the name that a response gives a file.
    pub(super) fn name_by(&self, disposition: Option<&str>) -> String {
        let theirs = disposition.and_then(raudal_fetch::file_name).and_then(|name| name::safe(&name));
        let name = theirs.or_else(|| name::safe(&self.input.location.file_name()));
        name.unwrap_or_else(|| name::NAMELESS.to_owned())
    }

    /// Returns the path in the folder for a file with this name.
    fn named(&self, theirs: &str) -> String {
        named(self.shared.options.name.as_ref(), self.input, self.number, theirs)
    }

    pub(super) fn decide_by(&self, theirs: &str) -> Result<Decision> {
        let name = self.named(theirs);
        self.decide(theirs, name)
    }

    fn decide(&self, theirs: &str, name: String) -> Result<Decision> {
        self.shared.decide(self.context.job(), self.input, theirs, name)
    }

    /// Handles a file that already exists.
    pub(super) async fn there(&self, target: SaveTarget) -> Result<Saved> {
        let (names, extracted) = (target.names(), target.extracted());
        let SaveTarget { path, digest, members, .. } = target;
        let extract = self.extraction();
        self.context.stage("verify");
        let (lock, job, input) = (self.shared.options.run.lock.clone(), self.context.job(), self.input.clone());
        let (looked, partial_file) = (path.clone(), self.partial_file.clone());
        let (bytes, sha256, warnings) = self
            .context
            .blocking(move || {
                let open = || File::open(&looked).map_err(|error| cannot_read(&looked, error));
                let bytes = fs::metadata(&looked).map_err(|error| cannot_read(&looked, error))?.len();
                let mut sha256 = None;
                if lock.is_some() || digest.is_some() {
                    sha256 = Some(verify::digest(open()?)?);
                }
                if let (Some(promised), Some(found)) = (&digest, &sha256) {
                    verify::compare(found, promised).map_err(|error| {
                        error.hint(format!("fetch it again with [`overwrite`]: {}", looked.display())).transient(false)
                    })?;
                }
                if let (Some(lock), Some(found)) = (lock, &sha256) {
                    lock.hold(job, Locked::of_file(&input, bytes, found.clone()))
                        .map_err(|error| error.transient(false))?;
                }
                let mut warnings = Vec::new();
                if let Some((_, folder, FolderAction::Create)) = &members {
                    // Its lock protects the temporary folder.
                    partial_file.store()?;
                    warnings = extract.run(BufReader::new(open()?), folder, FolderAction::Create)?;
                    extract.publish(folder, FolderAction::Create)?;
                }
                Ok::<_, Error>((bytes, sha256, warnings))
            })
            .await?;
        Ok(Saved {
            url: self.input.location.to_string(),
            final_url: None,
            path,
            bytes,
            sha256,
            skipped: true,
            extracted,
            warnings,
            names,
            named: 0,
        })
    }

    /// Verifies a body that has arrived, and publishes it.
    pub(super) async fn save(&self, target: SaveTarget, body: Body) -> Result<Saved, FileFailure> {
        let sha256 = body.sha256().map(str::to_owned);
        let locked = self.verified(&body, sha256.as_deref(), target.digest.as_deref()).map_err(|error| {
            self.partial_file.clear();
            self.shared.client.forget(&self.input.location);
            let again = error.is_transient() && self.input.location.is_remote();
            error.transient(again)
        })?;
        let mut saved = Saved {
            url: self.input.location.to_string(),
            final_url: Some(body.location().to_string()),
            bytes: body.len(),
            sha256,
            skipped: false,
            extracted: target.extracted(),
            path: target.path.clone(),
            warnings: body.warnings().to_vec(),
            names: target.names(),
            named: 0,
        };
        self.context.stage(if target.members.is_some() { "extract" } else { "publish" });
        let publication = Publication {
            shared: Arc::clone(self.shared),
            job: self.context.job(),
            input: self.input.clone(),
            partial_file: self.partial_file.clone(),
            extract: self.extraction(),
        };
        // Publishing must not stop half-way, so cancellation waits for its end.
        let published = self.context.blocking(move || publication.run(&target, body, locked)).await?;
        saved.warnings.extend(published.warnings);
        saved.named = published.named;
        Ok(saved)
    }

    /// Compares the digest of a body with the list of checksums and with the lock file. Returns the entry for the
    /// lock file.
    fn verified(
        &self,
        body: &Body,
        found: Option<&str>,
        promised: Option<&str>,
    ) -> Result<Option<(Arc<Lock>, Locked)>> {
        let Some(found) = found else { return Ok(None) };
        if let Some(promised) = promised {
            // The bytes may have been damaged in transit.
            verify::compare(found, promised).map_err(|error| error.transient(true))?;
        }
        let Some(lock) = &self.shared.options.run.lock else { return Ok(None) };
        let locked = Locked::of(self.input, body, found.to_owned());
        lock.compare(&locked)?;
        Ok(Some((Arc::clone(lock), locked)))
    }

    fn extraction(&self) -> MemberExtraction {
        let options = &self.shared.options;
        MemberExtraction {
            unfinished: self.partial_file.path().to_owned(),
            members: options.extract.clone(),
            limits: options.limits.clone(),
            member_encoding: options.member_encoding,
            source: self.input.location.to_string(),
            watch: JobWatch::new(self.context.clone()),
        }
    }
}

/// What is known of an input before it is requested.
enum KnownVersion {
    /// Nothing useful.
    Unknown,
    /// The folder has this version of it, under the name that the server or the URL gives.
    Version(Validators, String),
    /// The folder has the same file.
    Same,
}

/// Returns whether a file has the size and the time of another.
fn is_same(source: &Path, file: &Path) -> bool {
    let (Ok(source), Ok(file)) = (fs::metadata(source), fs::metadata(file)) else { return false };
    source.is_file() && source.len() == file.len() && source.modified().ok() == file.modified().ok()
}

fn cannot_read(path: &Path, error: std::io::Error) -> Error {
    Error::io(format!("cannot read: {}", path.display()), error)
}
