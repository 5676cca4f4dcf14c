//! Reads, writes and removes cache entries.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::path::PathBuf;
use std::time::SystemTime;

use reqwest::header::{self, HeaderMap};
use sha2::{Digest, Sha256};
use url::Url;

use super::{Cache, CacheEntry, FORM};
use crate::Body;
use crate::body::file_writer::BLOCK;
use crate::body::spool::Stored;
use crate::http::html::{LOOK, Look, Page};
use raudal_common::atomic_file::{AtomicFile, hex};
use raudal_common::error::redact;

/// A larger entry was not written by this program: this is several times what the headers can need.
const LARGEST_ENTRY: u64 = 1 << 20;

/// Returns the key of an entry, a hash. It covers the URL and the headers that may select among
/// several versions of it.
pub(super) fn key(url: &Url, headers: &HeaderMap) -> String {
    let mut url = url.clone();
    url.set_fragment(None);
    let mut hasher = Sha256::new();
    hasher.update(redact(url.as_str()));
    for name in [header::ACCEPT, header::ACCEPT_LANGUAGE] {
        for value in headers.get_all(&name) {
            hasher.update(b"\n");
            hasher.update(name.as_str());
            hasher.update(value);
        }
    }
    hex(&hasher.finalize())
}

impl Cache {
    fn meta(&self, key: &str) -> PathBuf {
        self.0.folder.join(format!("{key}.json"))
    }

    fn body(&self, key: &str, sha256: &str) -> PathBuf {
        self.0.folder.join(format!("{key}.{sha256}.body"))
    }

    /// Reads the JSON file of an entry, if there is one.
    pub(super) fn entry(&self, key: &str) -> Option<CacheEntry> {
        let mut text = String::new();
        File::open(self.meta(key)).ok()?.take(LARGEST_ENTRY).read_to_string(&mut text).ok()?;
        serde_json::from_str(&text).ok().filter(CacheEntry::is_sound)
    }

    /// Opens the bytes of an entry, at their beginning, if their hash is right. The inner result
    /// says whether they are what `look` accepts.
    pub(super) fn open(&self, key: &str, entry: &CacheEntry, look: Option<Look>) -> Option<(File, Result<(), Page>)> {
        let mut file = File::open(self.body(key, &entry.sha256)).ok()?;
        let (mut hasher, mut buffer, mut first, mut size) = (Sha256::new(), vec![0; BLOCK], Vec::new(), 0);
        loop {
            match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => {
                    hasher.update(&buffer[..read]);
                    first.extend_from_slice(&buffer[..read.min(LOOK.saturating_sub(first.len()))]);
                    size += read as u64;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
        file.rewind().ok()?;
        let is_it = size == entry.size && hex(&hasher.finalize()) == entry.sha256;
        let judged = look.map_or(Ok(()), |mut look| look.more(&first).and_then(|()| look.end()));
        is_it.then_some((file, judged))
    }

    /// Stores a body. If another run is storing the same URL right now, this one is dropped.
    pub(super) fn store(&self, key: &str, url: &Url, final_url: &str, body: &Body) -> io::Result<()> {
        self.make()?;
        let mut meta = match AtomicFile::of(&self.meta(key)) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            opened => opened?,
        };
        let before = self.entry(key);
        let mut bytes = AtomicFile::of(&self.0.folder.join(format!("{key}.body")))?;
        let mut hasher = Sha256::new();
        let mut write = |piece: &[u8]| {
            hasher.update(piece);
            bytes.write_all(piece)
        };
        match &body.stored {
            Stored::Memory(held) => write(held.as_ref())?,
            Stored::File(file) | Stored::Kept(file, _) => {
                let (mut file, mut buffer) = (file, vec![0; BLOCK]);
                file.rewind()?;
                loop {
                    match file.read(&mut buffer) {
                        Ok(0) => break,
                        Ok(read) => write(&buffer[..read])?,
                        Err(error) if error.kind() == ErrorKind::Interrupted => {}
                        Err(error) => return Err(error),
                    }
                }
            }
        }
        let sha256 = hex(&hasher.finalize());
        #[expect(clippy::disallowed_methods, reason = "it is written as a date")]
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let entry = CacheEntry {
            form: FORM,
            url: redact(url.as_str()),
            final_url: redact(final_url),
            head: body.head.clone(),
            size: body.length,
            sha256,
            stored: now.as_secs(),
        };
        bytes.publish(&self.body(key, &entry.sha256), true)?;
        meta.write_all(&serde_json::to_vec(&entry).map_err(io::Error::other)?)?;
        meta.publish(&self.meta(key), true)?;
        if let Some(before) = before.filter(|before| before.sha256 != entry.sha256) {
            let _ = fs::remove_file(self.body(key, &before.sha256));
        }
        Ok(())
    }

    /// Removes an entry that is bad, or that may not be stored any more.
    pub(super) fn remove(&self, key: &str) {
        let Some(entry) = self.entry(key) else { return };
        // The JSON file goes first, so that no entry points to a missing body.
        let _ = fs::remove_file(self.meta(key));
        let _ = fs::remove_file(self.body(key, &entry.sha256));
    }
}

impl CacheEntry {
    fn is_sound(&self) -> bool {
        self.form == FORM
            && self.size > 0
            && self.sha256.len() == 64
            && self.sha256.bytes().all(|b| b.is_ascii_hexdigit())
    }
}
