//! Stops a run on Ctrl-C, SIGTERM or the deadline. The first one stops the run; a second signal
//! ends the program.

use super::exit::Stop;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Watches for a reason to stop, until it is dropped.
pub(crate) struct Signals {
    token: CancellationToken,
    stop: Arc<OnceLock<Stop>>,
    task: JoinHandle<()>,
}

impl Signals {
    /// Starts to watch. `at_end` is called before a second signal ends the program. Must be called
    /// within the runtime.
    pub(crate) fn watch(deadline: Option<Duration>, at_end: impl FnOnce() + Send + 'static) -> Self {
        let (token, stop) = (CancellationToken::new(), Arc::new(OnceLock::new()));
        let (cancel, reason) = (token.clone(), Arc::clone(&stop));
        let task = tokio::spawn(async move {
            let first = tokio::select! {
                stop = signal() => stop,
                () = after(deadline) => Stop::Deadline,
            };
            let _ = reason.set(first);
            cancel.cancel();
            // A second signal means: stop now.
            let second = signal().await;
            at_end();
            std::process::exit(i32::from(second.code()));
        });
        Self { token, stop, task }
    }

    /// Cancelled by the first reason to stop.
    pub(crate) fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// Why the run was stopped, if it was.
    pub(crate) fn stop(&self) -> Option<Stop> {
        self.stop.get().copied()
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn after(deadline: Option<Duration>) {
    match deadline {
        Some(deadline) => tokio::time::sleep(deadline).await,
        None => std::future::pending().await,
    }
}

/// Calls a function at each Ctrl-Z, until the task is aborted. It stops the program with [`stop`].
#[cfg(unix)]
pub(crate) fn at_ctrl_z(stopper: impl Fn() + Send + 'static) -> JoinHandle<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = signal(SignalKind::from_raw(rustix::process::Signal::TSTP.as_raw()));
    tokio::spawn(async move {
        let Ok(mut signals) = signals else { return };
        while signals.recv().await.is_some() {
            stopper();
        }
    })
}

/// Stops this program until it is continued, as with `fg`.
#[cfg(unix)]
pub(crate) fn stop() {
    // If it cannot be stopped, it goes on.
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP);
}

#[cfg(unix)]
async fn signal() -> Stop {
    use tokio::signal::unix::{SignalKind, signal};
    // Without handlers the default action applies: the program ends at once.
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => Stop::Interrupt,
        _ = terminate.recv() => Stop::Terminate,
    }
}

#[cfg(not(unix))]
async fn signal() -> Stop {
    match tokio::signal::ctrl_c().await {
        Ok(()) => Stop::Interrupt,
        Err(_) => std::future::pending().await,
    }
}
