//! Reserved names: two inputs never have the same name, and the first one in input order has it.
//!
//! A name is often known only from the response, and responses come in any order. So an input may take a name from a
//! later one, even after the later one has published its file. That file is then removed, and the later input fails.
//! The run reports inputs in order, so the removed file was never reported. Only a run that is killed in between
//! leaves the wrong file under the name. Waiting for all earlier responses would prevent that, but one slow response
//! would then delay all files behind it.

use raudal_common::error::printable;
use raudal_common::lock;
use raudal_common::{Error, Kind, Result};
use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

pub(super) const HINT: &str =
    "give them different names: with [`name`] or [`directories`], or in a list, with a TAB and a name after the URL";

/// The reserved names of a folder.
#[derive(Debug)]
pub(super) struct ReservedNames {
    folder: PathBuf,
    /// Whether to remove what a later input has published. Without it, the earlier one replaces it.
    removes: bool,
    names: Mutex<HashMap<String, Holder>>,
}

/// The input that has a name.
#[derive(Debug)]
struct Holder {
    job: u64,
    source: String,
    /// Whether it has published what has the name. Locked while it does.
    published: Arc<Mutex<bool>>,
}

impl Holder {
    fn new(job: u64, source: &str) -> Self {
        Self { job, source: source.to_owned(), published: Arc::default() }
    }
}

impl ReservedNames {
    pub(super) fn new(folder: PathBuf, removes: bool) -> Self {
        Self { folder, removes, names: Mutex::default() }
    }

    /// Reserves these names for a job, or none of them if an earlier job has one.
    pub(super) fn take(&self, names: &[&str], job: u64, source: &str) -> Result<()> {
        let mut taken = lock(&self.names);
        if let Some(collision) = names.iter().find_map(|name| collision(&taken, name, |holder| holder < job)) {
            return Err(collision);
        }
        for name in names {
            let holder = taken.entry(key(name)).or_insert_with(|| Holder::new(job, source));
            if holder.job != job {
                if *lock(&holder.published) {
                    self.remove(name);
                }
                *holder = Holder::new(job, source);
            }
        }
        Ok(())
    }

    /// Publishes what has this name, unless an earlier job has taken it away. A rename may wait for the
    /// disk, so other names are not locked meanwhile.
    pub(super) fn publish(&self, name: &str, job: u64, publish: impl FnOnce() -> Result<()>) -> Result<()> {
        let taken = lock(&self.names);
        if let Some(collision) = collision(&taken, name, |holder| holder != job) {
            return Err(collision);
        }
        let published = taken.get(&key(name)).map(|holder| Arc::clone(&holder.published)).unwrap_or_default();
        let mut is_published = lock(&published);
        drop(taken);
        publish()?;
        *is_published = true;
        Ok(())
    }

    /// Checks at the end that a job still has its names. If not, removes what it has published.
    pub(super) fn settle(&self, names: &[String], job: u64) -> Result<()> {
        let taken = lock(&self.names);
        let Some(collision) = names.iter().find_map(|name| collision(&taken, name, |holder| holder != job)) else {
            return Ok(());
        };
        for name in names {
            if taken.get(&key(name)).is_some_and(|holder| holder.job == job && *lock(&holder.published)) {
                self.remove(name);
            }
        }
        Err(collision)
    }

    fn remove(&self, name: &str) {
        if !self.removes {
            return;
        }
        let path = self.folder.join(name);
        // If it cannot be removed, the name is taken, and the job that publishes it says so.
        let _ = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
    }
}

fn collision(taken: &HashMap<String, Holder>, name: &str, is_other: impl Fn(u64) -> bool) -> Option<Error> {
    let other = taken.get(&key(name)).filter(|holder| is_other(holder.job))?;
    let other = printable(&other.source);
    let message = format!("another input has the same file name, {}: {other}", printable(name));
    Some(Error::new(Kind::Io, message).hint(HINT))
}

/// Returns the same key for all names of one file. Some file systems ignore case, so the key does
/// too.
pub(super) fn key(name: &str) -> String {
    if cfg!(any(windows, target_os = "macos")) { name.to_lowercase() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_in_input_order_has_a_name_whoever_comes_first() {
        let folder = tempfile::tempdir().expect("a folder");
        let reserved = ReservedNames::new(folder.path().to_owned(), true);
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).map_err(|e| Error::io("no", e));
        reserved.take(&["a", "b"], 7, "http://h/7").expect("free");
        reserved.publish("a", 7, || write("a", "7")).expect("its own");
        reserved.publish("b", 7, || write("b", "7")).expect("its own");
        reserved.take(&["a"], 3, "http://h/3").expect("earlier");
        assert!(!folder.path().join("a").exists(), "nobody was told of it");
        let error = reserved.take(&["a"], 5, "http://h/5").expect_err("later");
        assert_eq!(error.to_string(), "another input has the same file name, a: http://h/3");
        reserved.publish("a", 3, || write("a", "3")).expect("its own");
        assert!(reserved.publish("a", 7, || panic!("not its own any more")).is_err());
        reserved.settle(&["a".into()], 3).expect("still its own");
        reserved.settle(&["a".into(), "b".into()], 7).expect_err("one of them is gone");
        assert_eq!(fs::read_to_string(folder.path().join("a")).expect("a file"), "3");
        assert!(!folder.path().join("b").exists(), "what failed leaves nothing");
    }

    #[test]
    fn a_publication_that_takes_its_time_holds_up_no_other_name() {
        let reserved = ReservedNames::new("unused".into(), true);
        reserved.take(&["a"], 1, "http://h/1").expect("free");
        let publish = || {
            reserved.take(&["b"], 2, "http://h/2")?;
            reserved.publish("b", 2, || Ok(()))
        };
        reserved.publish("a", 1, publish).expect("its own");
    }
}
