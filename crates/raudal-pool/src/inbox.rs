//! Jobs that are added to a running run: by its own jobs, or through a spawner.

use futures_util::task::AtomicWaker;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// A job that was added.
pub(crate) struct Added<I> {
    pub(crate) input: I,
    /// The job that added it.
    pub(crate) parent: Option<u64>,
    /// The number of the handle's sender, for a single job.
    pub(crate) handle_sender: Option<u64>,
}

struct InboxState<I> {
    added: VecDeque<Added<I>>,
    /// Whether jobs may still come from outside of the run.
    open: bool,
    /// The run is over: nothing is taken out any more.
    over: bool,
}

pub(crate) struct Inbox<I> {
    state: Mutex<InboxState<I>>,
    driver: AtomicWaker,
}

/// Adds jobs to an inbox.
///
/// Each worker makes one and clones it for its jobs. The count of such clones is the worker's own: if the jobs of all
/// workers counted in one place, its cache line would move between the cores at each job.
#[expect(clippy::redundant_allocation, reason = "the outer count belongs to one worker")]
pub(crate) struct InboxSender<I>(Arc<Arc<Inbox<I>>>);

impl<I> Clone for InboxSender<I> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<I> InboxSender<I> {
    /// Adds a job. Drops the input if the run is over.
    pub(crate) fn send(&self, input: I, parent: Option<u64>) {
        drop(self.0.add(Added { input, parent, handle_sender: None }));
    }
}

impl<I> Inbox<I> {
    pub(crate) fn new(open: bool) -> Arc<Self> {
        let state = InboxState { added: VecDeque::new(), open, over: false };
        Arc::new(Self { state: Mutex::new(state), driver: AtomicWaker::new() })
    }

    pub(crate) fn sender(self: &Arc<Self>) -> InboxSender<I> {
        InboxSender(Arc::new(Arc::clone(self)))
    }

    fn lock(&self) -> MutexGuard<'_, InboxState<I>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a job, or gives it back if the run is over.
    pub(crate) fn add(&self, added: Added<I>) -> Result<(), Added<I>> {
        let mut state = self.lock();
        if state.over {
            return Err(added);
        }
        state.added.push_back(added);
        drop(state);
        self.driver.wake();
        Ok(())
    }

    pub(crate) fn take(&self) -> Option<Added<I>> {
        self.lock().added.pop_front()
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().added.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Records that no more jobs come from outside.
    pub(crate) fn close(&self) {
        self.lock().open = false;
        self.driver.wake();
    }

    /// Returns whether the inbox is empty and no more jobs can come from outside.
    pub(crate) fn is_done(&self) -> bool {
        let state = self.lock();
        !state.open && state.added.is_empty()
    }

    /// Ends the inbox if it is empty. Returns whether it has ended.
    pub(crate) fn end(&self) -> bool {
        let mut state = self.lock();
        state.over = state.added.is_empty();
        state.over
    }

    /// Registers the task that takes the jobs out.
    pub(crate) fn register(&self, waker: &Waker) {
        self.driver.register(waker);
    }
}
