//! The embedded origin, on a thread of its own.

use crate::outcome;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use raudal::cli::host;
use raudal::origin::Origin;
use std::collections::HashMap;
use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A running origin.
#[pyclass(frozen, module = "raudal._raudal")]
pub(crate) struct Server {
    /// The URL of its index, with a final slash.
    #[pyo3(get)]
    url: String,
    stop: CancellationToken,
    origin: Arc<Mutex<Option<Origin>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[pymethods]
impl Server {
    /// Starts it. The outcome is an error as JSON, or the server.
    #[staticmethod]
    fn start(py: Python<'_>, args: Vec<OsString>) -> PyResult<(Option<Self>, Option<String>)> {
        let stop = CancellationToken::new();
        let origin = Arc::new(Mutex::new(None));
        let (tell, told) = channel();
        let (until, kept) = (stop.clone(), Arc::clone(&origin));
        let thread = std::thread::Builder::new().name("raudal-origin".to_owned()).spawn(move || {
            let served = catch_unwind(AssertUnwindSafe(|| serve(args, &until, &kept, &tell)));
            if let Err(panic) = served {
                let _ = tell.send(Err(outcome::of_panic(panic.as_ref()).to_string()));
            }
        })?;
        match py.detach(move || told.recv()) {
            Ok(Ok(url)) => Ok((Some(Self { url, stop, origin, thread: Mutex::new(Some(thread)) }), None)),
            Ok(Err(error)) => Ok((None, Some(error))),
            Err(_) => Err(PyRuntimeError::new_err("the origin ended without a word")),
        }
    }

    /// Stops it, ends its connections and waits for it. A second call does nothing.
    fn stop(&self, py: Python<'_>) {
        self.stop.cancel();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            py.detach(|| drop(thread.join()));
        }
    }

    /// What it has counted so far.
    fn stats(&self) -> HashMap<&'static str, u64> {
        let origin = self.origin.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(stats) = origin.as_ref().map(Origin::stats) else { return HashMap::new() };
        HashMap::from([
            ("requests", stats.requests),
            ("faults", stats.faults),
            ("bytes", stats.bytes),
            ("in_flight", stats.in_flight as u64),
            ("peak_in_flight", stats.peak_in_flight as u64),
            ("connections", stats.connections as u64),
            ("peak_connections", stats.peak_connections as u64),
            ("accepted", stats.accepted),
        ])
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its thread ends by itself. Nobody waits: this may be the collector of garbage.
        self.stop.cancel();
    }
}

fn serve(
    args: Vec<OsString>,
    until: &CancellationToken,
    kept: &Mutex<Option<Origin>>,
    tell: &Sender<Result<String, String>>,
) {
    let lock = || kept.lock().unwrap_or_else(PoisonError::into_inner);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let error = raudal::Error::io("cannot start the runtime", error);
            let _ = tell.send(Err(outcome::json(Err(error)).to_string()));
            return;
        }
    };
    runtime.block_on(async {
        match host::serve(args).await {
            Ok(origin) => {
                let url = origin.url();
                *lock() = Some(origin);
                let _ = tell.send(Ok(url));
            }
            Err(error) => {
                let _ = tell.send(Err(outcome::json(Err(error)).to_string()));
                return;
            }
        }
        until.cancelled().await;
        let origin = lock().take();
        if let Some(origin) = origin {
            origin.shutdown().await;
        }
    });
    runtime.shutdown_timeout(Duration::from_millis(200));
}
