//! A thread that calls something again and again while a run is on, and sleeps while none is. It needs no runtime.

use raudal_common::lock;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Owns the thread: whoever has it calls [`stop`](Self::stop), which awaits the end of it.
#[derive(Debug, Default)]
pub(super) struct Ticker {
    signal: Arc<Signal>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Signal {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    running: bool,
    stop: bool,
}

impl Ticker {
    /// Begins to call `tick` at this interval, first after it has passed once: a run that is over before leaves no
    /// trace. The thread is started the first time only.
    pub(super) fn run(&self, interval: Duration, tick: impl Fn() + Send + 'static) {
        self.signal.set(|state| state.running = true);
        let mut thread = lock(&self.thread);
        if thread.is_none() {
            let signal = Arc::clone(&self.signal);
            // Without a thread to spare there are no bars, and the work goes on.
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

    /// Leaves off calling, until the next [`run`](Self::run).
    pub(super) fn pause(&self) {
        self.signal.set(|state| state.running = false);
    }

    /// Ends the thread and awaits it. The caller holds no lock that `tick` takes.
    pub(super) fn stop(&self) {
        self.signal.set(|state| state.stop = true);
        let thread = lock(&self.thread).take();
        if let Some(thread) = thread {
            // A panic in it has been reported by its own hook.
            let _ = thread.join();
        }
    }
}

impl Signal {
    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut lock(&self.state));
        self.changed.notify_all();
    }

    /// Waits until a tick is due; false when there will be no more.
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
