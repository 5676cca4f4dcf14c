//! Reserved names: two inputs never have the same name.

use raudal_common::error::printable;
use raudal_common::lock;
use raudal_common::{Error, Kind, Result};
use raudal_source::Input;
use sha2::{Digest, Sha256};
use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use crate::run::name;

const HINT: &str = "give them different names: in a list of inputs, write a TAB and a name after the URL";

/// The reserved names, each with its job and its location.
#[derive(Debug, Default)]
pub(super) struct Reserved(Mutex<HashMap<String, (u64, String)>>);

impl Reserved {
    /// Reserves these names for a job, or none of them if another job has one.
    pub(super) fn take(&self, names: &[&str], job: u64, place: &str) -> Result<()> {
        let mut taken = lock(&self.0);
        for name in names {
            if let Some((_, other)) = taken.get(&key(name)).filter(|(owner, _)| *owner != job) {
                return Err(collision(name, other));
            }
        }
        for name in names {
            taken.insert(key(name), (job, place.to_owned()));
        }
        Ok(())
    }
}

fn collision(name: &str, other: &str) -> Error {
    Error::new(Kind::Io, format!("another input has the same file name, {}: {}", printable(name), printable(other)))
        .hint(HINT)
}

/// Returns the same key for all names of one file. Some file systems ignore case, so the key does
/// too.
fn key(name: &str) -> String {
    if cfg!(any(windows, target_os = "macos")) { name.to_lowercase() } else { name.to_owned() }
}

/// Returns the name of an input if it is known before fetching: from a list, or from a path.
pub(super) fn known(input: &Input) -> Option<String> {
    if input.is_named || !input.location.is_remote() { name::safe(&input.name) } else { None }
}

/// Refuses two inputs that certainly have the same name, and a name that is not valid for a file.
///
/// # Errors
///
/// Of kind [`Usage`](Kind::Usage), naming the inputs.
///
/// ```
/// use raudal_pipeline::files::check;
/// use raudal_source::{Input, Location};
///
/// let input = |url| Location::parse(url).map(|location| Input::new(location).named("data.zip"));
/// let inputs = [input("https://example.org/a.zip")?, input("https://example.org/b.zip")?];
/// assert!(check(inputs.into_iter()).unwrap_err().to_string().contains("data.zip"));
/// # Ok::<(), raudal_common::Error>(())
/// ```
pub fn check(inputs: impl Iterator<Item = Input>) -> Result<()> {
    let mut names: HashMap<String, String> = HashMap::new();
    // There may be millions of different URLs. A digest of each is enough to find a duplicate.
    let mut unnamed: HashSet<[u8; 16]> = HashSet::new();
    for input in inputs {
        let place = input.location.to_string();
        if input.is_named && name::safe(&input.name).as_deref() != Some(input.name.as_str()) {
            let error = Error::usage(format!("not a valid file name: {}", printable(&input.name))).input(&place);
            return Err(match name::safe(&input.name) {
                Some(name) => error.hint(format!("a valid name would be: {name}")),
                None => error,
            });
        }
        if let Some(name) = known(&input) {
            if let Some(other) = names.insert(key(&name), place.clone()) {
                let name = printable(&name);
                let message = format!("two inputs would have the same file name, {name}: {place} and {other}");
                return Err(Error::usage(message).hint(HINT));
            }
        } else {
            let mut digest = [0; 16];
            digest.copy_from_slice(&Sha256::digest(&place)[..16]);
            if !unnamed.insert(digest) {
                return Err(Error::usage(format!("the same input twice: {place}")).hint(HINT));
            }
        }
    }
    Ok(())
}
