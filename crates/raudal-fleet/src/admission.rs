//! Which chunk may open next: at most so many of a host, and so many in all. Pure.

use std::collections::{HashMap, HashSet, VecDeque};

/// The most chunks of several hosts to look at for one that may open.
const LOOK: usize = 64;

/// The chunks of a run that are not done.
pub(crate) struct Admission {
    per_host: usize,
    most: usize,
    /// The chunks that wait, by their only host; local files have none.
    alone: HashMap<Option<u64>, VecDeque<u32>>,
    /// Hosts that may have a chunk to open, in turn.
    turns: VecDeque<Option<u64>>,
    queued: HashSet<Option<u64>>,
    /// Chunks of several hosts.
    shared: VecDeque<(u32, Box<[u64]>)>,
    /// How many chunks of each host are open.
    busy: HashMap<u64, usize>,
    /// The chunks that are open, and their hosts.
    open: HashMap<u32, Box<[u64]>>,
}

impl Admission {
    pub(crate) fn new(per_host: usize, most: usize) -> Self {
        Self {
            per_host: per_host.max(1),
            most: most.max(1),
            alone: HashMap::new(),
            turns: VecDeque::new(),
            queued: HashSet::new(),
            shared: VecDeque::new(),
            busy: HashMap::new(),
            open: HashMap::new(),
        }
    }

    /// Adds a chunk that waits.
    pub(crate) fn add(&mut self, chunk: u32, hosts: &[u64]) {
        if hosts.len() > 1 {
            self.shared.push_back((chunk, hosts.into()));
            return;
        }
        let host = hosts.first().copied();
        self.alone.entry(host).or_default().push_back(chunk);
        self.queue(host);
    }

    /// Adds a chunk that is open already.
    pub(crate) fn add_open(&mut self, chunk: u32, hosts: &[u64]) {
        for host in hosts {
            *self.busy.entry(*host).or_default() += 1;
        }
        self.open.insert(chunk, hosts.into());
    }

    pub(crate) fn is_open(&self, chunk: u32) -> bool {
        self.open.contains_key(&chunk)
    }

    /// Whether a chunk waits.
    pub(crate) fn waits(&self, chunk: u32) -> bool {
        self.alone.values().any(|waiting| waiting.contains(&chunk)) || self.shared.iter().any(|(of, _)| *of == chunk)
    }

    /// The chunks that are open.
    pub(crate) fn opened(&self) -> impl Iterator<Item = u32> {
        self.open.keys().copied()
    }

    /// Takes a chunk out, wherever it is.
    pub(crate) fn forget(&mut self, chunk: u32) {
        self.done(chunk);
        self.alone.values_mut().for_each(|waiting| waiting.retain(|of| *of != chunk));
        self.alone.retain(|_, waiting| !waiting.is_empty());
        self.shared.retain(|(of, _)| *of != chunk);
    }

    /// Opens the next chunk, if one may.
    pub(crate) fn next(&mut self) -> Option<u32> {
        if self.open.len() >= self.most {
            return None;
        }
        while let Some(host) = self.turns.pop_front() {
            self.queued.remove(&host);
            if host.is_some_and(|host| self.is_busy(host)) {
                // Its turn comes when one of its chunks is done.
                continue;
            }
            let Some(waiting) = self.alone.get_mut(&host) else { continue };
            let chunk = waiting.pop_front();
            if waiting.is_empty() {
                self.alone.remove(&host);
            } else {
                self.queue(host);
            }
            if let Some(chunk) = chunk {
                self.add_open(chunk, host.as_slice());
                return Some(chunk);
            }
        }
        for _ in 0..self.shared.len().min(LOOK) {
            let (chunk, hosts) = self.shared.pop_front()?;
            if hosts.iter().any(|host| self.is_busy(*host)) {
                self.shared.push_back((chunk, hosts));
                continue;
            }
            self.add_open(chunk, &hosts);
            return Some(chunk);
        }
        None
    }

    /// Closes a chunk. Returns whether it was open.
    pub(crate) fn done(&mut self, chunk: u32) -> bool {
        let Some(hosts) = self.open.remove(&chunk) else { return false };
        for host in hosts.iter().copied() {
            if let Some(busy) = self.busy.get_mut(&host) {
                *busy -= 1;
                if *busy == 0 {
                    self.busy.remove(&host);
                }
            }
            if self.alone.contains_key(&Some(host)) {
                self.queue(Some(host));
            }
        }
        true
    }

    fn is_busy(&self, host: u64) -> bool {
        self.busy.get(&host).is_some_and(|busy| *busy >= self.per_host)
    }

    fn queue(&mut self, host: Option<u64>) {
        if self.queued.insert(host) {
            self.turns.push_back(host);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hosts_take_turns_and_none_has_more_than_its_limit() {
        let mut admission = Admission::new(2, 100);
        for (chunk, host) in [(0, 1), (1, 1), (2, 1), (3, 2)] {
            admission.add(chunk, &[host]);
        }
        admission.add(4, &[1, 3]);
        admission.add(5, &[]);
        let open: Vec<u32> = std::iter::from_fn(|| admission.next()).collect();
        assert_eq!(open, [0, 3, 5, 1], "2 waits for its host, and so does 4");
        assert!(admission.done(0) && !admission.done(0));
        assert_eq!(admission.next(), Some(2));
        assert_eq!(admission.next(), None);
        assert!(admission.done(1));
        assert_eq!(admission.next(), Some(4));
    }

    proptest! {
        #[test]
        fn every_chunk_opens_once_and_never_above_a_limit(
            hosts in proptest::collection::vec(proptest::collection::vec(0..5u64, 0..3), 0..60),
            per_host in 1..4usize,
            most in 1..9usize,
            order in proptest::collection::vec(any::<u16>(), 300),
        ) {
            let hosts: Vec<Vec<u64>> =
                hosts.into_iter().map(|mut hosts| { hosts.sort_unstable(); hosts.dedup(); hosts }).collect();
            let mut admission = Admission::new(per_host, most);
            for (chunk, hosts) in hosts.iter().enumerate() {
                admission.add(chunk as u32, hosts);
            }
            let (mut open, mut seen, mut order) = (Vec::new(), HashSet::new(), order.into_iter());
            loop {
                while let Some(chunk) = admission.next() {
                    prop_assert!(seen.insert(chunk));
                    open.push(chunk);
                }
                prop_assert!(open.len() <= most);
                for host in 0..5 {
                    let of_host = open.iter().filter(|chunk| hosts[**chunk as usize].contains(&host)).count();
                    prop_assert!(of_host <= per_host);
                }
                if open.is_empty() { break }
                let which = order.next().unwrap_or_default() as usize % open.len();
                prop_assert!(admission.done(open.swap_remove(which)));
            }
            prop_assert_eq!(seen.len(), hosts.len());
        }
    }
}
