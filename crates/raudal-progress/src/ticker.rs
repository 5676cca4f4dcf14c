//! A thread that calls a function at intervals while a run goes on, and sleeps otherwise. It needs
//! no runtime.

use raudal_common::lock;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Owns the thread. The owner must call [`stop`](Self::stop), which waits for its end.
#[derive(Debug, Default)]
pub(super) struct Ticker {
    signal: Arc<Signal>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Signal {
    state: Mutex<TickerState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct TickerState {
    running: bool,
    stop: bool,
}

impl Ticker {
    /// Begins to call `tick` at this interval. The first call comes after one interval, so a
    /// shorter run shows nothing. The thread is started only the first time.
    pub(super) fn run(&self, interval: Duration, tick: impl Fn() + Send + 'static) {
        self.signal.set(|state| state.running = true);
        let mut thread = lock(&self.thread);
        if thread.is_none() {
            let signal = Arc::clone(&self.signal);
            // If no thread can be started, there are no bars, but the work goes on.
            *thread = std::thread::Builder::new()
                .name("progress".to_owned())
                .spawn(move || {
                    while signal.wait(interval) {
                        tick();
                    }
                })
                .ok();
        }
    }

    /// Stops calling, until the next [`run`](Self::run).
    pub(super) fn pause(&self) {
        self.signal.set(|state| state.running = false);
    }

    /// Ends the thread and waits for it. The caller must hold no lock that `tick` takes.
    pub(super) fn stop(&self) {
        self.signal.set(|state| state.stop = true);
        let thread = lock(&self.thread).take();
        if let Some(thread) = thread {
            // The panic hook has already reported a panic in it.
            let _ = thread.join();
        }
    }
}

impl Signal {
    fn set(&self, change: impl FnOnce(&mut TickerState)) {
        change(&mut lock(&self.state));
        self.changed.notify_all();
    }

    /// Waits until a tick is due; returns false when there will be no more.
    fn wait(&self, interval: Duration) -> bool {
        let mut state = lock(&self.state);
        loop {
            if state.stop {
                return false;
            }
            if !state.running {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let (next, waited) = self.changed.wait_timeout(state, interval).unwrap_or_else(PoisonError::into_inner);
            state = next;
            if waited.timed_out() && state.running && !state.stop {
                return true;
            }
        }
    }
}
