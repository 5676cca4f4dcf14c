//! Remembers the version of each file in a folder, so that the next run fetches only the files that have changed.
//!
//! One hidden file of the folder has a line of JSON for each file. A line is appended when a file is published, so a
//! run that is killed loses nothing. If it is lost or damaged, the request uses the modification time of the file
//! instead.

use raudal_common::atomic_file::AtomicFile;
use raudal_common::lock;
use raudal_fetch::{Body, Validators};
use raudal_source::Input;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, SystemTime};

/// Hidden, so it never has the name of an input's file.
const FILE: &str = ".raudal-versions.jsonl";
/// The format of a line. Other formats are ignored.
const FORM: u32 = 1;
/// The file is rewritten once it has this many lines that no longer count.
const STALE_LINES: usize = 1000;

/// The version of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Version {
    form: u32,
    /// The requested URL and the final one, without credentials.
    url: String,
    final_url: String,
    /// The name that the list gives, if it does.
    given: Option<String>,
    /// The name from the server or the URL, to which a template applies.
    pub(super) theirs: String,
    /// The path of the file in the folder.
    path: String,
    etag: Option<String>,
    last_modified: Option<String>,
    /// The size in bytes and the time that the file had. Another program may have changed it since.
    size: u64,
    modified: Duration,
}

/// The versions of the files of a folder.
#[derive(Debug)]
pub(super) struct FileVersions(Mutex<VersionLog>);

#[derive(Debug)]
struct VersionLog {
    path: PathBuf,
    known: HashMap<VersionKey, Version>,
    /// The input that owns the file at a path.
    owners: HashMap<String, VersionKey>,
    /// How many lines the file has.
    lines: usize,
    file: Option<File>,
    problem: Option<io::Error>,
}

/// A URL, and the name that the list gives.
type VersionKey = (String, Option<String>);

fn key_of(input: &Input) -> VersionKey {
    (input.location.to_string(), input.is_named.then(|| input.name.clone()))
}

impl FileVersions {
    /// Reads the versions of a folder. Lines that cannot be read are ignored.
    pub(super) fn read(folder: &Path) -> Self {
        let path = folder.join(FILE);
        let mut inner = VersionLog {
            known: HashMap::new(),
            owners: HashMap::new(),
            lines: 0,
            file: None,
            problem: None,
            path: path.clone(),
        };
        let lines = File::open(path).map(|file| BufReader::new(file).split(b'\n')).into_iter().flatten();
        for line in lines.map_while(Result::ok) {
            inner.lines += 1;
            let version = serde_json::from_slice::<Version>(&line).ok();
            version.filter(|version| version.form == FORM).into_iter().for_each(|version| inner.insert(version));
        }
        Self(Mutex::new(inner))
    }

    /// Returns the version that was fetched last for an input.
    pub(super) fn last(&self, input: &Input) -> Option<Version> {
        lock(&self.0).known.get(&key_of(input)).cloned()
    }

    /// Returns the validators for a conditional request, if the input's own file is at this path of the folder. It
    /// blocks.
    pub(super) fn validators(&self, input: &Input, path: &str, file: &Path) -> Option<Validators> {
        let there = fs::symlink_metadata(file).ok().filter(fs::Metadata::is_file)?;
        let (key, inner) = (key_of(input), lock(&self.0));
        let own = inner.known.get(&key).filter(|version| version.path == path);
        match (own, inner.owners.get(path)) {
            (Some(version), _) => version.is(&there).then(|| version.validators()),
            // Another input's file. Nobody knows whether they are the same.
            (None, Some(owner)) if *owner != key => None,
            (None, _) => Some(Validators::since(there.modified().ok()?)),
        }
    }

    /// Records the version of a file. It blocks.
    pub(super) fn record(&self, mut version: Version, file: &Path) {
        let Ok(there) = fs::metadata(file) else { return };
        (version.size, version.modified) = (there.len(), modified(&there));
        let mut inner = lock(&self.0);
        if let Err(error) = inner.append(&version) {
            inner.problem.get_or_insert(error);
        }
        inner.insert(version);
    }

    /// Rewrites the file if most of its lines no longer count. Returns a warning if the versions could not be
    /// recorded. It blocks.
    pub(super) fn finish(&self) -> Option<String> {
        let mut inner = lock(&self.0);
        if inner.lines > 2 * inner.known.len() + STALE_LINES
            && let Err(error) = inner.rewrite()
        {
            inner.problem.get_or_insert(error);
        }
        let error = inner.problem.as_ref()?;
        Some(format!("cannot record which versions the files are: {}: {error}", inner.path.display()))
    }
}

impl VersionLog {
    fn insert(&mut self, version: Version) {
        let key = (version.url.clone(), version.given.clone());
        self.owners.insert(version.path.clone(), key.clone());
        if let Some(before) = self.known.insert(key.clone(), version)
            && self.known.get(&key).is_some_and(|now| now.path != before.path)
            && self.owners.get(&before.path) == Some(&key)
        {
            self.owners.remove(&before.path);
        }
    }

    fn append(&mut self, version: &Version) -> io::Result<()> {
        let mut line = String::new();
        if self.file.is_none() {
            self.file = Some(OpenOptions::new().append(true).create(true).open(&self.path)?);
            // A killed run may have left half a line.
            line.push_str(if self.lines > 0 { "\n" } else { "" });
        }
        line.push_str(&serde_json::to_string(version)?);
        line.push('\n');
        self.lines += 1;
        // One write, so that the lines of two runs do not mix.
        self.file.as_mut().map_or(Ok(()), |file| file.write_all(line.as_bytes()))
    }

    fn rewrite(&mut self) -> io::Result<()> {
        let mut anew = match AtomicFile::of(&self.path) {
            // Another run does it.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            opened => io::BufWriter::new(opened?),
        };
        let mut versions: Vec<&Version> = self.known.values().collect();
        versions.sort_by(|one, other| (&one.path, &one.url).cmp(&(&other.path, &other.url)));
        for version in versions {
            serde_json::to_writer(&mut anew, version)?;
            anew.write_all(b"\n")?;
        }
        self.file = None;
        anew.into_inner().map_err(io::IntoInnerError::into_error)?.publish(&self.path, true)
    }
}

impl Version {
    /// Returns the version of a body that becomes the file at this path of the folder.
    pub(super) fn of(input: &Input, body: &Body, theirs: String, path: String) -> Self {
        let (url, given) = key_of(input);
        Self {
            form: FORM,
            url,
            final_url: body.location().to_string(),
            given,
            theirs,
            path,
            etag: body.etag().map(str::to_owned),
            last_modified: body.last_modified().map(str::to_owned),
            size: 0,
            modified: Duration::ZERO,
        }
    }

    fn validators(&self) -> Validators {
        Validators::new(&self.final_url, self.etag.as_deref(), self.last_modified.as_deref())
    }

    /// Returns whether a file is unchanged.
    fn is(&self, there: &fs::Metadata) -> bool {
        there.len() == self.size && modified(there) == self.modified
    }
}

/// The time of a file since 1970; 0 if it is unknown or before.
fn modified(there: &fs::Metadata) -> Duration {
    let time = there.modified().ok();
    time.and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use raudal_source::Location;

    fn input(url: &str) -> Input {
        Input::new(Location::parse(url).expect(url))
    }

    fn version(url: &str, path: &str) -> Version {
        Version {
            form: FORM,
            url: url.to_owned(),
            final_url: url.to_owned(),
            given: None,
            theirs: path.to_owned(),
            path: path.to_owned(),
            etag: Some("\"1\"".to_owned()),
            last_modified: None,
            size: 0,
            modified: Duration::ZERO,
        }
    }

    #[test]
    fn a_version_counts_while_its_file_is_as_it_was() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("a");
        let (one, other) = (input("http://h/a"), input("http://other/a"));
        fs::write(&file, "1").expect("a file");
        FileVersions::read(folder.path()).record(version("http://h/a", "a"), &file);
        let asks = |input: &Input| {
            FileVersions::read(folder.path()).validators(input, "a", &file).map(|known| format!("{known:?}"))
        };
        assert!(asks(&one).is_some_and(|known| known.contains("\\\"1\\\"")), "{:?}", asks(&one));
        assert_eq!(asks(&other), None, "it is the file of another input");
        fs::write(&file, "edited").expect("a file");
        assert_eq!(asks(&one), None);
        fs::remove_file(folder.path().join(FILE)).expect("the versions");
        assert!(asks(&other).is_some_and(|known| known.contains("final_url: None")), "by its time alone");
        fs::remove_file(&file).expect("the file");
        assert_eq!(asks(&other), None);
    }

    #[test]
    fn damage_costs_no_more_than_the_lines_that_it_hits() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, list) = (folder.path().join("a"), folder.path().join(FILE));
        fs::write(&file, "1").expect("a file");
        let record = |url: &str| FileVersions::read(folder.path()).record(version(url, url), &file);
        record("http://h/1");
        record("http://h/2");
        let whole = fs::read(&list).expect("two lines");
        for cut in 0..whole.len() {
            fs::write(&list, &whole[..cut]).expect("a cut");
            record("http://h/3");
            let versions = FileVersions::read(folder.path());
            let known = |url: &str| versions.last(&input(url)).is_some();
            let first = whole.iter().position(|byte| *byte == b'\n').expect("a line");
            assert_eq!((known("http://h/1"), known("http://h/3")), (cut >= first, true), "{cut}");
        }
    }

    #[test]
    fn lines_that_no_longer_count_are_dropped() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("a");
        fs::write(&file, "1").expect("a file");
        let versions = FileVersions::read(folder.path());
        for _ in 0..STALE_LINES + 3 {
            versions.record(version("http://h/a", "a"), &file);
        }
        assert_eq!(versions.finish(), None);
        let text = fs::read_to_string(folder.path().join(FILE)).expect("the versions");
        assert_eq!(text.lines().count(), 1);
        assert!(FileVersions::read(folder.path()).last(&input("http://h/a")).is_some());
    }
}
