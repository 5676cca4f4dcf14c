//! What earlier runs have fetched, so that a server need only say that it is still so.
//!
//! An entry is two files of one folder: `KEY.json` says what it is, `KEY.SHA256.body` is its bytes. Both are written under other names
//! and renamed, the body first, under a lock; whoever finds an entry finds a whole one, and hashes its bytes before they
//! are used. Whatever is fetched with credentials, or that a server wants stored by nobody, is not kept here.

pub(crate) mod ask;
mod folder;
mod store;

use raudal_common::lock;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::http::response::Head;

/// The form of an entry. One of another form is not read.
const FORM: u32 = 1;

/// How a cache is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CacheMode {
    /// What is there is used if the server says that it has not changed. It is asked each time: nothing is ever stale.
    #[default]
    Revalidate,
    /// All is fetched anew, and replaces what is there.
    Refresh,
    /// Nothing is asked of any server: what is not there fails.
    Offline,
}

/// A folder with what earlier runs have fetched. Clones are the same cache; runs may share a folder.
///
/// ```no_run
/// use raudal_fetch::{Cache, CacheMode, Client, Options};
///
/// let mut options = Options::default();
/// options.cache = Some(Cache::new("/home/me/.cache/raudal", CacheMode::Revalidate));
/// let client = Client::new(&options)?;
/// # Ok::<(), raudal_common::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Cache(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    mode: CacheMode,
    hits: AtomicU64,
    problem: Mutex<Option<String>>,
}

/// An entry of a cache, as [`Cache::list`] finds it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Cached {
    /// What was asked for, without credentials.
    pub url: String,
    /// How many bytes there are.
    pub bytes: u64,
    /// The SHA-256 of the bytes in hexadecimal.
    pub sha256: String,
    /// When they were fetched.
    pub stored: SystemTime,
}

/// What an entry's JSON says.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Entry {
    form: u32,
    url: String,
    final_url: String,
    head: Head,
    size: u64,
    sha256: String,
    /// In seconds since 1970.
    stored: u64,
}

impl Cache {
    /// A cache in this folder, which is made when there is something to keep.
    pub fn new(folder: impl Into<PathBuf>, mode: CacheMode) -> Self {
        let (folder, hits, problem) = (folder.into(), AtomicU64::new(0), Mutex::default());
        Self(Arc::new(Shared { folder, mode, hits, problem }))
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.0.folder
    }

    /// How often bytes came from here.
    pub fn hits(&self) -> u64 {
        self.0.hits.load(Ordering::Relaxed)
    }

    /// The first reason why something could not be kept, if that happened. It costs no input: it is fetched all the same.
    pub fn problem(&self) -> Option<String> {
        lock(&self.0.problem).clone()
    }

    fn note_problem(&self, error: &std::io::Error) {
        let mut problem = lock(&self.0.problem);
        problem.get_or_insert_with(|| format!("the cache cannot be written to: {}: {error}", self.0.folder.display()));
    }
}

impl Entry {
    fn stored(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.stored.min(u32::MAX.into()))
    }
}
