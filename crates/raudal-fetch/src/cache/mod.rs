//! Bodies that earlier runs have fetched. A server then only needs to confirm that they have not
//! changed.
//!
//! An entry is two files in one folder: `KEY.json` describes it, and `KEY.SHA256.body` holds its
//! bytes. Both are written under other names and renamed, the body first, under a lock. So an entry
//! is always complete, and its bytes are hashed before they are used. Responses that were fetched
//! with credentials, or that a server forbids to store, are not cached.

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

/// The format version of an entry. Other versions are ignored.
const FORM: u32 = 1;

/// How a cache is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CacheMode {
    /// Uses a cached body if the server says that it has not changed. The server is asked every
    /// time, so nothing is stale.
    #[default]
    Revalidate,
    /// Fetches everything again, and replaces what is cached.
    Refresh,
    /// Sends no request at all. What is not cached fails.
    Offline,
}

/// A folder with the bodies that earlier runs have fetched. Clones refer to the same cache; several
/// runs may share a folder.
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
pub struct Cache(Arc<CacheInner>);

#[derive(Debug)]
struct CacheInner {
    folder: PathBuf,
    mode: CacheMode,
    hits: AtomicU64,
    problem: Mutex<Option<String>>,
}

/// An entry of a cache, as [`Cache::list`] finds it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Cached {
    /// The requested URL, without credentials.
    pub url: String,
    /// How many bytes there are.
    pub bytes: u64,
    /// The SHA-256 of the bytes in hexadecimal.
    pub sha256: String,
    /// When they were fetched.
    pub stored: SystemTime,
}

/// The contents of an entry's JSON file.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct CacheEntry {
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
    /// Returns a cache in this folder. The folder is created when the first body is stored.
    pub fn new(folder: impl Into<PathBuf>, mode: CacheMode) -> Self {
        let (folder, hits, problem) = (folder.into(), AtomicU64::new(0), Mutex::default());
        Self(Arc::new(CacheInner { folder, mode, hits, problem }))
    }

    /// The path of the folder.
    pub fn folder(&self) -> &Path {
        &self.0.folder
    }

    /// How many bodies came from the cache.
    pub fn hits(&self) -> u64 {
        self.0.hits.load(Ordering::Relaxed)
    }

    /// The first reason why a body could not be stored, if there was one. The fetch succeeds all
    /// the same.
    pub fn problem(&self) -> Option<String> {
        lock(&self.0.problem).clone()
    }

    fn note_problem(&self, error: &std::io::Error) {
        let mut problem = lock(&self.0.problem);
        problem.get_or_insert_with(|| format!("cannot write to the cache: {}: {error}", self.0.folder.display()));
    }
}

impl CacheEntry {
    fn stored(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(self.stored.min(u32::MAX.into()))
    }
}
