//! One attempt at one input: name, fetch, verify, extract, publish.

use super::extraction::{Extraction, Unpack, folder_exists};
use super::inputs::refusal;
use super::publication::Publication;
use super::shared::{FileFailure, FilesRun, SaveTarget, refused};
use super::template::{known, named};
use super::{Existing, Saved};
use crate::run::lock::{Lock, Locked};
use crate::run::name;
use crate::run::partials::{KeptTransfer, open_place};
use crate::run::verify;
use crate::run::watch::JobWatch;
use raudal_common::lock;
use raudal_common::{Error, Kind, Result};
use raudal_fetch::{Body, Expect, IfChanged, Partial, PartialFile, Request, ResponseHead, Validators, already_there};
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
    let KeptTransfer { mut partial, place } = shared.partials.take(context.job());
    let place = match place {
        Some(place) => place,
        None => open_place(&context, &shared.options.folder, &input, shared.options.resume).await?,
    };
    let number = shared.repeated.position(context.job()) + 1;
    let job = FileJob { shared: &shared, context: &context, input: &input, place: &place, number };
    let saved = job.run(&mut partial).await;
    // A full disk is no fault of the bytes that it has, nor is it that nobody was asked for the rest.
    let goes_on = |failed: &FileFailure| {
        let error = &failed.error;
        !failed.is_refused && (error.is_transient() || error.kind().spares_what_is_here())
    };
    if saved.as_ref().is_err_and(goes_on) {
        shared.partials.keep(context.job(), KeptTransfer { partial, place: Some(place.clone()) });
    } else {
        // The file was published, existed already, or will never come.
        place.remove();
    }
    saved.map_err(|failed| failed.error.input(input.location.to_string()))
}

/// What is done with an input, once its name is known.
#[derive(Debug)]
enum Decision {
    /// It is saved under this name.
    Save(SaveTarget),
    /// The file already exists.
    Skip(SaveTarget),
}

struct FileJob<'a> {
    shared: &'a Arc<FilesRun>,
    context: &'a Attempt,
    input: &'a Input,
    place: &'a PartialFile,
    /// The position of the input, from 1.
    number: u64,
}

impl FileJob<'_> {
    async fn run(&self, partial: &mut Option<Partial>) -> Result<Saved, FileFailure> {
        let template = self.shared.options.name.as_ref();
        let named = match known(template, self.input, self.number) {
            Some(name) => Some(self.decide(&self.input.name, name).map_err(refused)?),
            None => None,
        };
        if let Some(Decision::Skip(target)) = named {
            return Ok(self.there(target).await?);
        }
        let before = self.before(named.as_ref()).await;
        // Without a name of its own it is called what the response says.
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
        let request = Request::new(&self.input.location).expect(Expect::Any).progress(self.context);
        let request = request.into_file(self.place).accept(&accept);
        let client = &self.shared.client;
        let fetched = match &before {
            Before::Unknown => client.send(request, partial).await.map(|fetched| match fetched {
                ControlFlow::Continue(body) => IfChanged::Body(body),
                ControlFlow::Break(()) => IfChanged::Declined,
            }),
            Before::Version(known, _) => client.send_if_changed(request, known, partial).await,
            Before::Same => Ok(IfChanged::Unchanged),
        }?;
        let decided = match (lock(&decided).take(), before) {
            // The server has nothing to say of a file that has not changed, not even its name.
            (None, Before::Version(_, theirs)) => Some(self.decide_by(&theirs)),
            (decided, _) => decided,
        };
        match (fetched, decided.transpose().map_err(refused)?) {
            (IfChanged::Body(body), Some(Decision::Save(target))) => self.save(target, body).await,
            (IfChanged::Unchanged, Some(Decision::Save(target) | Decision::Skip(target)))
            | (_, Some(Decision::Skip(target))) => Ok(self.there(target).await?),
            _ => Err(Error::new(Kind::Internal, "no name was chosen for the file").into()),
        }
    }

    /// Finds out which version of the input the folder has, if that counts.
    async fn before(&self, named: Option<&Decision>) -> Before {
        let Some(versions) = &self.shared.versions else { return Before::Unknown };
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
            Location::File(source) if is_same(source, &path) => Before::Same,
            Location::File(_) | Location::Stdin => Before::Unknown,
            Location::Url(_) => {
                let known = shared.versions.as_ref().and_then(|versions| versions.validators(&input, &name, &path));
                known.map_or(Before::Unknown, |known| Before::Version(known, theirs))
            }
        };
        self.context.blocking(look).await
    }

    /// The name that a response gives a file.
    fn name_by(&self, disposition: Option<&str>) -> String {
        let theirs = disposition.and_then(raudal_fetch::file_name).and_then(|name| name::safe(&name));
        let name = theirs.or_else(|| name::safe(&self.input.location.file_name()));
        name.unwrap_or_else(|| name::NAMELESS.to_owned())
    }

    /// The path in the folder of a file with this name.
    fn named(&self, theirs: &str) -> String {
        named(self.shared.options.name.as_ref(), self.input, self.number, theirs)
    }

    fn decide_by(&self, theirs: &str) -> Result<Decision> {
        let name = self.named(theirs);
        self.decide(theirs, name)
    }

    /// Decides what is done under this name.
    fn decide(&self, theirs: &str, name: String) -> Result<Decision> {
        let FilesRun { options, reserved, .. } = &**self.shared;
        let members = options.extract.as_ref().map(|_| name::folder(&name));
        let names: Vec<&str> = [name.as_str()].into_iter().chain(members.as_deref()).collect();
        reserved.take(&names, self.context.job(), &self.input.location.to_string())?;
        let digest = options.run.checksums.as_ref().map(|sums| verify::promised(sums, &name)).transpose()?;
        let path = options.folder.join(&name);
        // A dangling link exists too: it takes the name.
        let is_there = |path: &Path| fs::symlink_metadata(path).is_ok();
        let members = match members.map(|members| (options.folder.join(&members), members)) {
            None => None,
            Some((folder, name)) => {
                let unpack = match options.existing {
                    _ if !is_there(&folder) => Unpack::Create,
                    Existing::Skip => Unpack::Keep,
                    Existing::Update if folder.is_dir() => Unpack::Replace,
                    _ => return Err(folder_exists(&folder)),
                };
                Some((name, folder, unpack))
            }
        };
        let target = SaveTarget { theirs: theirs.to_owned(), name, path, digest, members };
        match options.existing {
            _ if !is_there(&target.path) => Ok(Decision::Save(target)),
            Existing::Refuse => Err(already_there(&target.path)),
            Existing::Skip => Ok(Decision::Skip(target)),
            Existing::Replace | Existing::Update if target.path.is_dir() => {
                Err(Error::new(Kind::Io, format!("a folder has the name of the file: {}", target.path.display())))
            }
            Existing::Replace | Existing::Update => Ok(Decision::Save(target)),
        }
    }

    /// Handles a file that already exists.
    async fn there(&self, target: SaveTarget) -> Result<Saved> {
        let (names, extracted) = (target.names(), target.extracted());
        let SaveTarget { path, digest, members, .. } = target;
        let extract = self.extraction();
        self.context.stage("verify");
        let (lock, job, input) = (self.shared.options.run.lock.clone(), self.context.job(), self.input.clone());
        let (looked, place) = (path.clone(), self.place.clone());
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
                if let Some((_, folder, Unpack::Create)) = &members {
                    // Its lock protects the temporary folder.
                    place.store()?;
                    warnings = extract.run(BufReader::new(open()?), folder, Unpack::Create)?;
                    extract.publish(folder, Unpack::Create)?;
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
    async fn save(&self, target: SaveTarget, body: Body) -> Result<Saved, FileFailure> {
        let sha256 = body.sha256().map(str::to_owned);
        let locked = self.verified(&body, sha256.as_deref(), target.digest.as_deref()).map_err(|error| {
            self.place.clear();
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
            place: self.place.clone(),
            extract: self.extraction(),
        };
        // Must not stop half-way: cancellation waits for the end.
        let published = self.context.blocking(move || publication.run(&target, body, locked)).await?;
        saved.warnings.extend(published.warnings);
        saved.named = published.named;
        Ok(saved)
    }

    /// Holds the digest of a body against the list of checksums and the lock file. Returns what the lock file is to say.
    fn verified(
        &self,
        body: &Body,
        found: Option<&str>,
        promised: Option<&str>,
    ) -> Result<Option<(Arc<Lock>, Locked)>> {
        let Some(found) = found else { return Ok(None) };
        if let Some(promised) = promised {
            // It may be damage on the way.
            verify::compare(found, promised).map_err(|error| error.transient(true))?;
        }
        let Some(lock) = &self.shared.options.run.lock else { return Ok(None) };
        let locked = Locked::of(self.input, body, found.to_owned());
        lock.compare(&locked)?;
        Ok(Some((Arc::clone(lock), locked)))
    }

    fn extraction(&self) -> Extraction {
        let options = &self.shared.options;
        Extraction {
            unfinished: self.place.path().to_owned(),
            members: options.extract.clone(),
            limits: options.limits.clone(),
            member_encoding: options.member_encoding,
            place: self.input.location.to_string(),
            watch: JobWatch::new(self.context.clone()),
        }
    }
}

/// What is known of an input before it is asked for.
enum Before {
    /// Nothing that counts.
    Unknown,
    /// The folder has this version of it, under the name that the server or the URL gives.
    Version(Validators, String),
    /// The folder has the same file.
    Same,
}

/// Whether a file has the size and the time of another.
fn is_same(source: &Path, file: &Path) -> bool {
    let (Ok(source), Ok(file)) = (fs::metadata(source), fs::metadata(file)) else { return false };
    source.is_file() && source.len() == file.len() && source.modified().ok() == file.modified().ok()
}

fn cannot_read(path: &Path, error: std::io::Error) -> Error {
    Error::io(format!("cannot read: {}", path.display()), error)
}
