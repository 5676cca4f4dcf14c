//! Makes the names of many files durable with few syncs of their folder.

use raudal_common::atomic_file::{folder_of, sync_folder};
use raudal_common::lock;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// Syncs folders. One sync serves all names that were given before it began.
#[derive(Debug, Default)]
pub(super) struct FolderSync(Mutex<HashMap<PathBuf, Arc<FolderState>>>);

#[derive(Debug, Default)]
struct FolderState {
    syncs: Mutex<Syncs>,
    changed: Condvar,
}

/// How many syncs of a folder have begun, and how many have ended. At most one is running.
#[derive(Debug, Default)]
struct Syncs {
    begun: u64,
    ended: u64,
}

impl FolderSync {
    /// Returns once the name of this file is durable. It blocks.
    pub(super) fn sync(&self, file: &Path) {
        let folder = folder_of(file);
        let state = Arc::clone(lock(&self.0).entry(folder.to_owned()).or_default());
        state.sync(|| sync_folder(file));
    }
}

impl FolderState {
    fn sync(&self, sync: impl Fn()) {
        let mut syncs = lock(&self.syncs);
        // A running sync may have begun before the name was given.
        let needed = syncs.begun + 1;
        while syncs.ended < needed {
            if syncs.ended < syncs.begun {
                syncs = self.changed.wait(syncs).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            syncs.begun += 1;
            drop(syncs);
            sync();
            syncs = lock(&self.syncs);
            syncs.ended = syncs.begun;
            self.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    #[test]
    fn a_sync_that_was_running_does_not_count_and_the_next_serves_all_that_wait() {
        let (folder, count) = (FolderState::default(), AtomicUsize::new(0));
        let (begins, running) = mpsc::channel();
        let (ends, may_end) = mpsc::channel();
        let may_end = Mutex::new(may_end);
        let sync = &|| {
            count.fetch_add(1, Ordering::Relaxed);
            begins.send(()).expect("heard");
            lock(&may_end).recv().expect("let through");
        };
        std::thread::scope(|scope| {
            scope.spawn(|| folder.sync(sync));
            running.recv().expect("the first has begun");
            for _ in 0..10 {
                scope.spawn(|| folder.sync(sync));
            }
            ends.send(()).expect("the first ends");
            // However the ten are timed, each is served by a sync that began after it had come.
            running.recv().expect("the second has begun");
            for _ in 0..20 {
                let _ = ends.send(());
            }
        });
        let syncs = count.load(Ordering::Relaxed);
        assert!((2..=11).contains(&syncs), "{syncs}");
    }
}
