//! One attempt at one input: name, fetch, verify, extract, publish.

use super::reserved::{Reserved, known};
use super::{Existing, Members, Options, Saved};
use crate::run::lock::{Lock, Locked};
use crate::run::name;
use crate::run::partials::{KeptTransfer, Partials, open_place};
use crate::run::verify;
use crate::run::watch::JobWatch;
use raudal_common::lock;
use raudal_common::{Error, Kind, Result};
use raudal_fetch::{Client, Expect, Partial, PartialFile, Request, ResponseHead, already_there};
use raudal_pool::Attempt;
use raudal_source::Input;
use std::fs::{self, File};
use std::io::{BufReader, Read, Seek};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// What all jobs of a run share.
pub(super) struct FilesRun {
    pub(super) client: Client,
    pub(super) options: Options,
    pub(super) reserved: Reserved,
    pub(super) partials: Arc<Partials>,
}

pub(super) async fn attempt(shared: Arc<FilesRun>, context: Attempt, input: Input) -> Result<Saved> {
    let KeptTransfer { mut partial, place } = shared.partials.take(context.job());
    let place = match place {
        Some(place) => place,
        None => open_place(&context, &shared.options.folder, &input, shared.options.resume).await?,
    };
    let job = FileJob { shared: &shared, context: &context, input: &input, place: &place };
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

/// Why there is no file.
struct FileFailure {
    error: Error,
    /// Whether the file was refused by its name, and not for want of bytes.
    is_refused: bool,
}

impl From<Error> for FileFailure {
    fn from(error: Error) -> Self {
        Self { error, is_refused: false }
    }
}

/// What is done with an input, once its name is known.
#[derive(Debug)]
enum Decision {
    /// It is saved under this name.
    Save(SaveTarget),
    /// The file already exists.
    Skip(SaveTarget),
}

#[derive(Debug)]
struct SaveTarget {
    path: PathBuf,
    digest: Option<String>,
    /// The folder for the members, and whether they still have to be extracted.
    folder: Option<(PathBuf, bool)>,
}

struct FileJob<'a> {
    shared: &'a FilesRun,
    context: &'a Attempt,
    input: &'a Input,
    place: &'a PartialFile,
}

impl FileJob<'_> {
    async fn run(&self, partial: &mut Option<Partial>) -> Result<Saved, FileFailure> {
        let refused = |error| FileFailure { error, is_refused: true };
        let named = match known(self.input) {
            Some(name) => Some(self.decide(&name).map_err(refused)?),
            None => None,
        };
        if let Some(Decision::Skip(target)) = named {
            return Ok(self.there(target).await?);
        }
        // Without a name of its own it is called what the response says.
        let (is_named, decided) = (named.is_some(), Mutex::new(named.map(Ok)));
        let accept = |head: &ResponseHead<'_>| {
            if is_named {
                return ControlFlow::Continue(());
            }
            let decision = self.decide(&self.name_by(head));
            let goes_on = matches!(decision, Ok(Decision::Save(_)));
            *lock(&decided) = Some(decision);
            if goes_on { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        };
        let request = Request::new(&self.input.location).expect(Expect::Any).progress(self.context);
        let request = request.into_file(self.place).accept(&accept);
        let fetched = self.shared.client.send(request, partial).await?;
        let decided = lock(&decided).take().transpose().map_err(refused)?;
        match (fetched, decided) {
            (ControlFlow::Continue(body), Some(Decision::Save(target))) => Ok(self.save(target, body).await?),
            (_, Some(Decision::Skip(target))) => Ok(self.there(target).await?),
            _ => Err(Error::new(Kind::Internal, "no name was chosen for the file").into()),
        }
    }

    /// The name that a response gives a file.
    fn name_by(&self, head: &ResponseHead<'_>) -> String {
        let theirs = head.disposition.and_then(raudal_fetch::file_name).and_then(|name| name::safe(&name));
        let name = theirs.or_else(|| name::safe(&self.input.location.file_name()));
        name.unwrap_or_else(|| "download".to_owned())
    }

    /// Decides what is done under this name.
    fn decide(&self, name: &str) -> Result<Decision> {
        let FilesRun { options, reserved, .. } = self.shared;
        let members = options.extract.as_ref().map(|_| name::folder(name));
        let names: Vec<&str> = [name].into_iter().chain(members.as_deref()).collect();
        reserved.take(&names, self.context.job(), &self.input.location.to_string())?;
        let digest = options.run.checksums.as_ref().map(|sums| verify::promised(sums, name)).transpose()?;
        let path = options.folder.join(name);
        // A dangling link exists too: it takes the name.
        let is_there = |path: &Path| fs::symlink_metadata(path).is_ok();
        let folder = match members.map(|members| options.folder.join(members)) {
            None => None,
            Some(folder) if !is_there(&folder) => Some((folder, true)),
            Some(folder) if options.existing == Existing::Skip => Some((folder, false)),
            Some(folder) => {
                return Err(Error::new(
                    Kind::Io,
                    format!("a file or folder with this name already exists: {}", folder.display()),
                )
                .hint("members are extracted to a new folder: move or remove this one"));
            }
        };
        let target = SaveTarget { path, digest, folder };
        match options.existing {
            _ if !is_there(&target.path) => Ok(Decision::Save(target)),
            Existing::Refuse => Err(already_there(&target.path)),
            Existing::Skip => Ok(Decision::Skip(target)),
            Existing::Replace if target.path.is_dir() => {
                Err(Error::new(Kind::Io, format!("a folder has the name of the file: {}", target.path.display())))
            }
            Existing::Replace => Ok(Decision::Save(target)),
        }
    }

    /// Handles a file that already exists.
    async fn there(&self, target: SaveTarget) -> Result<Saved> {
        let SaveTarget { path, digest, folder } = target;
        let (asked, extract) = (folder.clone(), self.extraction());
        self.context.stage("verify");
        let (lock, job, input) = (self.shared.options.run.lock.clone(), self.context.job(), self.input.clone());
        let looked = path.clone();
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
                if let Some((folder, true)) = &folder {
                    warnings = extract.run(BufReader::new(open()?), folder)?;
                    extract.publish(folder)?;
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
            extracted: asked.map(|(folder, _)| folder),
            warnings,
        })
    }

    /// Verifies a body that has arrived, and publishes it.
    async fn save(&self, target: SaveTarget, body: raudal_fetch::Body) -> Result<Saved> {
        let SaveTarget { path, digest, folder } = target;
        let sha256 = body.sha256().map(str::to_owned);
        let locked = self.verified(&body, sha256.as_deref(), digest.as_deref()).map_err(|error| {
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
            extracted: folder.as_ref().map(|(folder, _)| folder.clone()),
            path: path.clone(),
            warnings: body.warnings().to_vec(),
        };
        let (extract, place) = (self.extraction(), self.place.clone());
        let replace = self.shared.options.existing == Existing::Replace;
        let remote = self.input.location.is_remote();
        let (client, location, job) = (self.shared.client.clone(), self.input.location.clone(), self.context.job());
        self.context.stage(if folder.is_some() { "extract" } else { "publish" });
        // Must not stop half-way: cancellation waits for the end.
        let warnings = self
            .context
            .blocking(move || {
                let mut warnings = Vec::new();
                let members = folder.filter(|(_, missing)| *missing).map(|(folder, _)| folder);
                if let Some(folder) = &members {
                    warnings = extract.run(body.into_reader(), folder).map_err(|error| {
                        let again = remote && error.kind().may_be_damage_on_the_way();
                        if again {
                            place.clear();
                            client.forget(&location);
                        }
                        error.transient(again)
                    })?;
                }
                // Publish the archive first: if the run is killed in between, the next one extracts
                // it again.
                place.publish(&path, replace)?;
                if let Some((lock, locked)) = locked {
                    lock.hold(job, locked)?;
                }
                members.map_or(Ok(()), |folder| extract.publish(&folder))?;
                Ok(warnings)
            })
            .await?;
        saved.warnings.extend(warnings);
        Ok(saved)
    }

    /// Holds the digest of a body against the list of checksums and the lock file. Returns what the lock file is to say.
    fn verified(
        &self,
        body: &raudal_fetch::Body,
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
        let mut unfinished = self.place.path().as_os_str().to_owned();
        unfinished.push(".d");
        Extraction {
            unfinished: unfinished.into(),
            members: self.shared.options.extract.clone(),
            limits: self.shared.options.limits.clone(),
            member_encoding: self.shared.options.member_encoding,
            place: self.input.location.to_string(),
            watch: JobWatch::new(self.context.clone()),
        }
    }
}

/// The extraction of members to their folder.
struct Extraction {
    /// The temporary folder until all members are extracted. The lock on the partial file protects
    /// it too.
    unfinished: PathBuf,
    members: Option<Members>,
    limits: raudal_table::Limits,
    member_encoding: Option<raudal_table::MemberEncoding>,
    place: String,
    watch: JobWatch,
}

impl Extraction {
    /// Returns the warnings of the archive.
    fn run<R: Read + Seek>(&self, archive: R, folder: &Path) -> Result<Vec<String>> {
        // Left by a killed run. Its name shows that it is ours, and a link is not followed.
        match fs::remove_dir_all(&self.unfinished) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io(format!("cannot remove: {}", self.unfinished.display()), error));
            }
            _ => {}
        }
        let mut options = raudal_table::ExtractOptions::default();
        options.limits = self.limits.clone();
        options.member_encoding = self.member_encoding;
        if let Some(Members::Matching(glob)) = &self.members {
            options.members = Some(glob.clone());
        }
        let extracted = raudal_table::extract(archive, &self.place, &self.unfinished, &options, &self.watch)?;
        if fs::symlink_metadata(folder).is_ok() {
            let _ = fs::remove_dir_all(&self.unfinished);
            return Err(Error::new(
                Kind::Io,
                format!("a file or folder with this name already exists: {}", folder.display()),
            ));
        }
        Ok(extracted.warnings)
    }

    fn publish(&self, folder: &Path) -> Result<()> {
        fs::rename(&self.unfinished, folder).map_err(|error| {
            let _ = fs::remove_dir_all(&self.unfinished);
            Error::io(format!("cannot create the folder: {}", folder.display()), error)
        })?;
        raudal_common::atomic_file::sync_folder(folder);
        Ok(())
    }
}

fn cannot_read(path: &Path, error: std::io::Error) -> Error {
    Error::io(format!("cannot read: {}", path.display()), error)
}
