//! The sidecar of a partial file, which records what has arrived.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::http::response::Head;

/// A larger sidecar was not written by this program: this is several times what the headers can
/// need.
pub(super) const LARGEST: u64 = 1 << 20;
/// The format version of a sidecar. Other versions are ignored.
pub(super) const FORM: u32 = 1;

/// The contents of a sidecar.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Sidecar {
    pub(crate) form: u32,
    /// The requested URL and the final one, without credentials.
    pub(crate) url: String,
    pub(crate) final_url: String,
    pub(crate) validator: Mark,
    pub(crate) total: Option<u64>,
    /// How many bytes the file holds, and their SHA-256.
    pub(crate) received: u64,
    pub(crate) sha256: String,
    pub(crate) head: Head,
    /// The headers with digests of the whole body.
    pub(crate) digests: Vec<(String, String)>,
}

/// A strong validator, as text.
#[derive(Clone, Debug, Serialize, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Mark {
    Etag(String),
    LastModified(String),
}

impl Sidecar {
    pub(crate) fn new(url: String, final_url: String, validator: Mark, head: Head) -> Self {
        let (total, sha256, digests) = (head.length, String::new(), Vec::new());
        Self { form: FORM, url, final_url, validator, total, received: 0, sha256, head, digests }
    }
}

/// Returns the path of the sidecar: `.json` is added to the name.
pub(super) fn sidecar_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".json");
    name.into()
}
