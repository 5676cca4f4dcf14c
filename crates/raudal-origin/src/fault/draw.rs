//! Decides which request a fault applies to: by its number for its path, or by a random draw that
//! depends on the seed, the path and the number.

use super::spec::{Fault, FaultKind, Trigger};
use crate::archives::ServedArchive;
use crate::pack;
use crate::synth::Rng;
use raudal_common::lock;
use raudal_common::{Error, Kind, Result, glob};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

/// Paths that redirect to themselves begin with this.
const LOOP_PREFIX: &str = "/~loop/";

/// Returns whether a path redirects to itself.
pub(crate) fn is_redirect_loop(path: &str) -> bool {
    path.starts_with(LOOP_PREFIX)
}

/// Keeps these draws apart from those of the figures, which use the same seed.
const PURPOSE: u64 = 0x6661_756c_7473;

/// The faults of an origin, and what they need to know about its requests.
#[derive(Debug)]
pub(crate) struct FaultInjector {
    list: Vec<Fault>,
    seed: u64,
    paths: Mutex<HashMap<String, PathState>>,
}

/// What happened to a path.
#[derive(Debug, Default)]
struct PathState {
    requests: u64,
    changed: bool,
    /// Its other version, once it was requested.
    other: Option<ServedArchive>,
}

/// A fault that applies to a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct InjectedFault {
    pub(super) what: FaultKind,
    /// A random number, for the choices that the fault leaves open.
    pub(super) draw: u64,
}

impl FaultInjector {
    pub(crate) fn new(list: Vec<Fault>, seed: u64) -> Self {
        Self { list, seed, paths: Mutex::default() }
    }

    /// Returns whether there are no faults. Then nothing is counted.
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Counts a request, and returns the fault that applies to it. A fault of ranges applies only
    /// to range requests.
    pub(crate) fn fault_for(&self, path: &str, is_to_range: bool) -> Option<InjectedFault> {
        if self.is_empty() || is_redirect_loop(path) {
            return None;
        }
        let number = {
            let mut paths = self.paths();
            let seen = paths.entry(path.to_owned()).or_default();
            seen.requests += 1;
            seen.requests
        };
        let mut rng = Rng::new(self.seed ^ PURPOSE ^ hash(path), number);
        self.list.iter().find_map(|fault| {
            // Each fault has its own draws, used or not. So another fault of the list does not
            // change them.
            let (chance, draw) = (rng.next(), rng.next());
            let is_met = match &fault.when {
                Trigger::Always => true,
                Trigger::Chance(p) => ((chance >> 11) as f64) < p * (1_u64 << 53) as f64,
                Trigger::Numbers(numbers) => numbers.contains(&number),
                Trigger::Every(every) => number.is_multiple_of(*every),
            };
            let fits = is_to_range || !matches!(fault.what, FaultKind::NoRange | FaultKind::ContentRange);
            (is_met && fits && fault.is_for(path)).then_some(InjectedFault { what: fault.what, draw })
        })
    }

    /// Gives this path other bytes from now on.
    pub(super) fn change(&self, path: &str) {
        self.paths().entry(path.to_owned()).or_default().changed = true;
    }

    /// Returns the version of an archive that this path has now.
    pub(crate) async fn version(&self, path: &str, archive: ServedArchive) -> Result<ServedArchive> {
        if self.is_empty() {
            return Ok(archive);
        }
        match self.paths().get(path) {
            Some(PathState { changed: true, other: Some(other), .. }) => return Ok(other.clone()),
            Some(PathState { changed: true, .. }) => {}
            _ => return Ok(archive),
        }
        let work = tokio::task::spawn_blocking(move || pack::repack(&archive.bytes).map(ServedArchive::newer));
        let other = work.await.map_err(|error| Error::new(Kind::Internal, "repacking failed").because(error))??;
        self.paths().entry(path.to_owned()).or_default().other = Some(other.clone());
        Ok(other)
    }

    fn paths(&self) -> MutexGuard<'_, HashMap<String, PathState>> {
        // Counting cannot panic half-way.
        lock(&self.paths)
    }
}

impl Fault {
    fn is_for(&self, path: &str) -> bool {
        self.path.as_ref().is_none_or(|pattern| {
            let name = if pattern.contains('/') { path } else { path.rsplit('/').next().unwrap_or(path) };
            glob::matches(pattern, name)
        })
    }
}

/// FNV-1a, implemented here so that the same seed selects the same requests in every later version.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(list: &[&str], seed: u64) -> FaultInjector {
        FaultInjector::new(list.iter().map(|text| text.parse().expect("a fault")).collect(), seed)
    }

    /// Returns for each of the first requests for a path whether a fault applies.
    fn struck(faults: &FaultInjector, path: &str, requests: usize) -> Vec<bool> {
        (0..requests).map(|_| faults.fault_for(path, false).is_some()).collect()
    }

    #[test]
    fn numbers_count_the_requests_of_each_path() {
        let faults = faults(&["page:n=1,3", "empty:every=4"], 0);
        for path in ["/a", "/b"] {
            let kinds: Vec<_> = (0..8).map(|_| faults.fault_for(path, false).map(|struck| struck.what)).collect();
            let (page, empty) = (Some(FaultKind::Page), Some(FaultKind::Empty));
            assert_eq!(kinds, [page, None, page, empty, None, None, None, empty]);
        }
    }

    #[test]
    fn the_draws_depend_on_seed_path_and_number_and_on_nothing_else() {
        let list = ["page:p=0.3"];
        let [one, other] = [faults(&list, 7), faults(&list, 7)];
        let alone = struck(&one, "/a", 200);
        // The same path, with requests for another one in between.
        let among: Vec<bool> = (0..200)
            .map(|_| {
                other.fault_for("/b", false);
                other.fault_for("/a", false).is_some()
            })
            .collect();
        assert_eq!(alone, among);
        assert_ne!(alone, struck(&faults(&list, 8), "/a", 200));
        assert_ne!(alone, struck(&faults(&list, 7), "/c", 200));
        let hits = alone.iter().filter(|hit| **hit).count();
        assert!((35..=85).contains(&hits), "{hits} of 200 at 0.3");
        assert!(struck(&faults(&["page:p=0"], 7), "/a", 100).iter().all(|hit| !hit));
        assert!(struck(&faults(&["page:p=1"], 7), "/a", 100).iter().all(|hit| *hit));
    }

    #[test]
    fn a_fault_is_for_names_or_for_paths() {
        for (spec, path, is_struck) in [
            ("page:match=*_07_*", "/x/ITER_07_2020.zip", true),
            ("page:match=*_07_*", "/x_07_/a.zip", false),
            ("page:match=/x/*", "/x/a.zip", true),
            ("page:match=/x/*", "/y/a.zip", false),
        ] {
            assert_eq!(faults(&[spec], 0).fault_for(path, false).is_some(), is_struck, "{spec} {path}");
        }
    }

    #[test]
    fn a_fault_of_ranges_leaves_the_others_alone() {
        let faults = faults(&["no-range", "content-range", "empty"], 0);
        assert_eq!(faults.fault_for("/a", false).map(|struck| struck.what), Some(FaultKind::Empty));
        assert_eq!(faults.fault_for("/a", true).map(|struck| struck.what), Some(FaultKind::NoRange));
    }

    #[tokio::test]
    async fn a_path_that_has_changed_has_other_bytes_and_keeps_them() {
        let archive = ServedArchive::new(crate::synth::tiny(1, 0).expect("an archive"));
        let faults = faults(&["changed"], 0);
        let before = faults.version("/a", archive.clone()).await.expect("a version");
        assert_eq!(before.etag, archive.etag);
        faults.change("/a");
        let [one, two] = [faults.version("/a", archive.clone()).await, faults.version("/a", archive.clone()).await]
            .map(Result::unwrap);
        assert!(one.bytes.as_ptr() == two.bytes.as_ptr(), "made once");
        assert!(one.etag != archive.etag && one.modified > archive.modified);
        // The first half differs too, so old and new bytes together make neither version.
        let half = archive.bytes.len() / 2;
        assert!(one.bytes[..half] != archive.bytes[..half]);
        assert_eq!(faults.version("/b", archive.clone()).await.expect("a version").etag, archive.etag);
    }
}
