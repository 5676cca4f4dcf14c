//! Which job may begin next. Pure bookkeeping: what is held back by a key's limit, by a pause or by a retry's wait.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;
use tokio::time::Instant;

/// Something that waits for its turn: a job.
pub(super) trait Waiting {
    /// What it shares a limit with.
    fn key(&self) -> Option<&Arc<str>>;
}

/// The jobs of one key.
struct Key<W> {
    running: usize,
    paused_until: Option<Instant>,
    waiting: VecDeque<W>,
    /// Whether the key stands in `Queue::ready`, so that it never stands there twice.
    listed: bool,
}

impl<W> Default for Key<W> {
    fn default() -> Self {
        Self { running: 0, paused_until: None, waiting: VecDeque::new(), listed: false }
    }
}

/// A job that may not begin before an instant.
struct Later<W>(Instant, u64, W);

impl<W> PartialEq for Later<W> {
    fn eq(&self, other: &Self) -> bool {
        (self.0, self.1) == (other.0, other.1)
    }
}
impl<W> Eq for Later<W> {}
impl<W> PartialOrd for Later<W> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<W> Ord for Later<W> {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.0, self.1).cmp(&(other.0, other.1))
    }
}

/// All jobs that were pulled from the input and are not running.
pub(super) struct Queue<W> {
    per_key: usize,
    /// Keys that have another limit.
    limits: HashMap<Arc<str>, usize>,
    /// Jobs without a key, ready to begin.
    free: VecDeque<W>,
    keys: HashMap<Arc<str>, Key<W>>,
    /// Keys that may have a job to begin, each once, in turn.
    ready: VecDeque<Arc<str>>,
    later: BinaryHeap<Reverse<Later<W>>>,
    /// When pauses end. An entry may be out of date: the key itself knows.
    pauses: BinaryHeap<Reverse<(Instant, Arc<str>)>>,
    sequence: u64,
    len: usize,
}

impl<W: Waiting> Queue<W> {
    pub(super) fn new(per_key: usize) -> Self {
        Self {
            per_key,
            limits: HashMap::new(),
            free: VecDeque::new(),
            keys: HashMap::new(),
            ready: VecDeque::new(),
            later: BinaryHeap::new(),
            pauses: BinaryHeap::new(),
            sequence: 0,
            len: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Takes a job that may begin as soon as its key allows.
    pub(super) fn push(&mut self, job: W) {
        self.len += 1;
        self.admit(job, false);
    }

    /// Takes a job that may begin at `when`; it goes before its key's other jobs then.
    pub(super) fn push_later(&mut self, job: W, when: Instant) {
        self.len += 1;
        self.sequence += 1;
        self.later.push(Reverse(Later(when, self.sequence, job)));
    }

    /// Holds back all jobs of a key until `until`, or longer if it is paused for longer already.
    pub(super) fn pause(&mut self, key: &Arc<str>, until: Instant) {
        let state = self.keys.entry(Arc::clone(key)).or_default();
        if state.paused_until.is_none_or(|old| old < until) {
            state.paused_until = Some(until);
            self.pauses.push(Reverse((until, Arc::clone(key))));
        }
    }

    /// Takes back a job that `pop` gave and that may not begin before `until`, and holds back its key until then.
    pub(super) fn put_back(&mut self, job: W, until: Instant) {
        if let Some(key) = job.key().cloned() {
            self.pause(&key, until);
            if let Some(state) = self.keys.get_mut(&key) {
                state.running -= 1;
            }
        }
        self.len += 1;
        self.admit(job, true);
    }

    /// Says that a running job of this key has ended.
    pub(super) fn ended(&mut self, key: Option<&Arc<str>>) {
        if let Some(key) = key
            && let Some(state) = self.keys.get_mut(key)
        {
            state.running -= 1;
            self.list(key);
        }
    }

    /// Gives a key a limit of its own. What runs beyond it comes to its end.
    pub(super) fn set_limit(&mut self, key: &str, limit: usize) {
        let key: Arc<str> = Arc::from(key);
        self.limits.insert(Arc::clone(&key), limit);
        self.list(&key);
    }

    fn limit(&self, key: &str) -> usize {
        if self.limits.is_empty() { self.per_key } else { self.limits.get(key).copied().unwrap_or(self.per_key) }
    }

    /// How many more of this key may run now, as far as its limit goes.
    pub(super) fn room(&self, key: Option<&str>) -> usize {
        let Some(key) = key else { return usize::MAX };
        let limit = self.limit(key);
        self.keys.get(key).map_or(limit, |state| match state.paused_until {
            Some(_) => 0,
            None => limit.saturating_sub(state.running),
        })
    }

    /// Counts one more as running of this key, if its limit allows it now.
    pub(super) fn lend(&mut self, key: Option<&str>) -> bool {
        let has_room = self.room(key) > 0;
        if let Some(key) = key.filter(|_| has_room) {
            self.keys.entry(Arc::from(key)).or_default().running += 1;
        }
        has_room
    }

    /// Takes back what [`lend`](Self::lend) has counted.
    pub(super) fn take_back(&mut self, key: Option<&str>) {
        if let Some(key) = key {
            self.ended(Some(&Arc::from(key)));
        }
    }

    /// The next job that may begin, counted as running from here on. The clock is read only if somebody waits for it.
    pub(super) fn pop(&mut self) -> Option<W> {
        if !self.later.is_empty() || !self.pauses.is_empty() {
            self.wake(Instant::now());
        }
        if let Some(job) = self.free.pop_front() {
            self.len -= 1;
            return Some(job);
        }
        while let Some(key) = self.ready.pop_front() {
            let limit = self.limit(&key);
            let Some(state) = self.keys.get_mut(&key) else { continue };
            state.listed = false;
            if state.paused_until.is_some() || state.running >= limit {
                continue;
            }
            let Some(job) = state.waiting.pop_front() else { continue };
            state.running += 1;
            self.len -= 1;
            // To the back: keys take turns.
            self.list(&key);
            return Some(job);
        }
        None
    }

    /// When `pop` may have something new because time has passed.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        let later = self.later.peek().map(|Reverse(later)| later.0);
        let pause = self.pauses.peek().map(|Reverse((until, _))| *until);
        [later, pause].into_iter().flatten().min()
    }

    /// Gives up all jobs.
    pub(super) fn drain(&mut self) -> Vec<W> {
        self.len = 0;
        let later = std::mem::take(&mut self.later).into_iter().map(|Reverse(later)| later.2);
        let keyed = self.keys.values_mut().flat_map(|key| key.waiting.drain(..));
        self.free.drain(..).chain(keyed).chain(later).collect()
    }

    fn wake(&mut self, now: Instant) {
        while self.pauses.peek().is_some_and(|Reverse((until, _))| *until <= now) {
            let Some(Reverse((_, key))) = self.pauses.pop() else { break };
            if let Some(state) = self.keys.get_mut(&key)
                && state.paused_until.is_some_and(|until| until <= now)
            {
                state.paused_until = None;
                self.list(&key);
            }
        }
        while self.later.peek().is_some_and(|Reverse(later)| later.0 <= now) {
            let Some(Reverse(Later(_, _, job))) = self.later.pop() else { break };
            self.admit(job, true);
        }
    }

    fn admit(&mut self, job: W, first: bool) {
        let Some(key) = job.key().cloned() else {
            if first {
                self.free.push_front(job);
            } else {
                self.free.push_back(job);
            }
            return;
        };
        let waiting = &mut self.keys.entry(Arc::clone(&key)).or_default().waiting;
        if first {
            waiting.push_front(job);
        } else {
            waiting.push_back(job);
        }
        self.list(&key);
    }

    /// Lists a key that may have a job to begin, and forgets one that has nothing left: a run over millions of hosts
    /// must not keep them all.
    fn list(&mut self, key: &Arc<str>) {
        let limit = self.limit(key);
        let Some(state) = self.keys.get_mut(key) else { return };
        if state.paused_until.is_some() || state.listed {
            return;
        }
        if state.waiting.is_empty() {
            if state.running == 0 {
                self.keys.remove(key);
            }
        } else if state.running < limit {
            state.listed = true;
            self.ready.push_back(Arc::clone(key));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    struct Job(u32, Option<Arc<str>>);

    impl Waiting for Job {
        fn key(&self) -> Option<&Arc<str>> {
            self.1.as_ref()
        }
    }

    fn job(n: u32, key: &str) -> Job {
        Job(n, Some(key.into()))
    }

    fn all(queue: &mut Queue<Job>) -> Vec<u32> {
        std::iter::from_fn(|| queue.pop()).map(|job| job.0).collect()
    }

    #[test]
    fn keys_take_turns_and_none_passes_its_limit() {
        let mut queue = Queue::new(2);
        for n in 0..4 {
            queue.push(job(n, "a"));
        }
        queue.push(job(10, "b"));
        assert_eq!(all(&mut queue), [0, 10, 1]);
        queue.ended(Some(&"a".into()));
        assert_eq!(all(&mut queue), [2]);
        queue.ended(Some(&"b".into()));
        queue.ended(Some(&"a".into()));
        assert_eq!(all(&mut queue), [3]);
        assert!(queue.is_empty());
        queue.ended(Some(&"a".into()));
        queue.ended(Some(&"a".into()));
        assert!(queue.keys.is_empty(), "a key with nothing left is forgotten");
    }

    #[test]
    fn a_limit_of_its_own_holds_for_a_key_from_then_on() {
        let mut queue = Queue::new(1);
        for n in 0..6 {
            queue.push(job(n, "a"));
        }
        assert_eq!(all(&mut queue), [0]);
        queue.set_limit("a", 3);
        assert_eq!(all(&mut queue), [1, 2], "more at once");
        queue.set_limit("a", 1);
        queue.ended(Some(&"a".into()));
        queue.ended(Some(&"a".into()));
        assert_eq!(all(&mut queue), [0; 0], "one still runs");
        queue.ended(Some(&"a".into()));
        assert_eq!(all(&mut queue), [3]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_paused_key_holds_back_its_jobs_and_no_other() {
        let mut queue = Queue::new(8);
        queue.push(job(0, "a"));
        queue.push(job(1, "b"));
        let now = Instant::now();
        queue.pause(&"a".into(), now + Duration::from_secs(5));
        queue.pause(&"a".into(), now + Duration::from_secs(2));
        assert_eq!(all(&mut queue), [1]);
        tokio::time::advance(Duration::from_secs(3)).await;
        assert_eq!(all(&mut queue), [0; 0], "a shorter pause does not end a longer one");
        assert_eq!(queue.next_wake(), Some(now + Duration::from_secs(5)));
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(all(&mut queue), [0]);
        assert_eq!(queue.next_wake(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_that_is_put_back_goes_first_once_its_key_may_go_on() {
        let mut queue = Queue::new(2);
        for n in 0..3 {
            queue.push(job(n, "a"));
        }
        let first = queue.pop().unwrap();
        queue.put_back(first, Instant::now() + Duration::from_secs(1));
        assert_eq!(all(&mut queue), [0; 0]);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(all(&mut queue), [0, 1], "and counts as running only now");
        assert!(!queue.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_that_waited_goes_before_those_that_never_began() {
        let mut queue = Queue::new(1);
        queue.push_later(job(0, "a"), Instant::now() + Duration::from_secs(1));
        assert_eq!(all(&mut queue), [0; 0]);
        tokio::time::advance(Duration::from_secs(1)).await;
        queue.push(job(1, "a"));
        assert_eq!(all(&mut queue), [0]);
    }
}
