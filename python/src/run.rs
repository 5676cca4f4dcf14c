//! A run: a command on a thread of its own, and how Python waits for it.
//!
//! ```text
//! a thread of Python ─ next(), collect(), poll() ◄─ messages ─ a thread with a runtime: the command
//!                    └ cancel() ─► token ─────────────────────►
//! ```
//!
//! Python's lock is free while it waits. Every [`TICK`] it looks for signals and for lines of
//! progress, which are shown on its own thread.

use crate::batches::Batches;
use crate::outcome::{self, Done};
use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use raudal::cli::host::{self, Host};
use raudal::progress::{Progress, Style, Verbosity};
use raudal::table::BatchSink;
use raudal::{Error, Kind};
use std::ffi::OsString;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// How often Python looks for signals and for lines of progress.
const TICK: Duration = Duration::from_millis(10);
/// How long a run that was interrupted has to end. Ctrl-C must answer within 200 ms.
const GRACE: Duration = Duration::from_millis(120);
/// The batches that wait for Python. More would only take memory.
const WAITING: usize = 2;

enum Message {
    Batch(RecordBatch),
    /// The outcome, as JSON. Nothing of the run is left but its thread, which ends.
    Done(String),
}

/// A run of a command.
#[pyclass(frozen, module = "raudal._raudal")]
pub(crate) struct Run {
    host: Host,
    lines: Arc<Mutex<Vec<u8>>>,
    schema: Arc<OnceLock<SchemaRef>>,
    /// Whether Python waits for rows.
    waiting: Arc<AtomicUsize>,
    messages: Mutex<Option<Receiver<Message>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// The batches that were taken and not handed out: of `collect`, `poll`, or an interrupted run.
    held: Mutex<Vec<RecordBatch>>,
    outcome: OnceLock<String>,
}

#[pymethods]
impl Run {
    /// Starts a command. `style` is `json`, `plain` or `none`: what lines of progress are.
    #[new]
    fn new(command: &str, args: Vec<OsString>, style: &str) -> PyResult<Self> {
        let command = Command::parse(command)?;
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (style, verbosity) = match style {
            "json" => (Style::Json, Verbosity::Normal),
            "plain" => (Style::Plain, Verbosity::Normal),
            _ => (Style::None, Verbosity::Quiet),
        };
        let start = Instant::now();
        let writer = Box::new(Lines(Arc::clone(&lines)));
        let progress = Progress::with_writer(style, verbosity, writer, Arc::new(move || start.elapsed()));
        let host = Host { progress, cancel: CancellationToken::new() };
        let (schema, waiting) = (Arc::new(OnceLock::new()), Arc::new(AtomicUsize::new(0)));
        let (send, messages) = sync_channel(WAITING);
        let rows = Rows { schema: Arc::clone(&schema), waiting: Arc::clone(&waiting), to: send.clone() };
        let of_thread = host.clone();
        let thread = std::thread::Builder::new().name("raudal".to_owned()).spawn(move || {
            let done = catch_unwind(AssertUnwindSafe(|| run(command, &of_thread, args, rows)));
            let outcome = done.unwrap_or_else(|panic| outcome::of_panic(panic.as_ref()).to_string());
            // Nobody waits any more if this fails.
            let _ = send.send(Message::Done(outcome));
        })?;
        Ok(Self {
            host,
            lines,
            schema,
            waiting,
            messages: Mutex::new(Some(messages)),
            thread: Mutex::new(Some(thread)),
            held: Mutex::default(),
            outcome: OnceLock::new(),
        })
    }

    /// Waits for rows. Returns `None` at the end of the run. Calls `show` with lines of progress.
    ///
    /// An exception of a signal or of `show` ends the run.
    #[pyo3(signature = (show = None))]
    fn next(&self, py: Python<'_>, show: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Batches>> {
        self.waiting.fetch_add(1, SeqCst);
        let batch = self.wait(py, show);
        self.waiting.fetch_sub(1, SeqCst);
        Ok(batch?.map(|batch| Batches::new(batch.schema(), vec![batch])))
    }

    /// Waits for the end of the run and keeps its rows for `kept`.
    #[pyo3(signature = (show = None))]
    fn collect(&self, py: Python<'_>, show: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        while let Some(batch) = self.wait(py, show)? {
            self.held().push(batch);
        }
        Ok(())
    }

    /// Takes what is there without waiting, and keeps the rows for `kept`. Returns whether the run
    /// has ended.
    #[pyo3(signature = (show = None))]
    fn poll(&self, py: Python<'_>, show: Option<&Bound<'_, PyAny>>) -> PyResult<bool> {
        while self.outcome.get().is_none() {
            match self.receive(None) {
                Ok(Message::Batch(batch)) => self.held().push(batch),
                Ok(Message::Done(outcome)) => self.end(py, outcome),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return Err(gone()),
            }
        }
        self.show(show)?;
        Ok(self.outcome.get().is_some())
    }

    /// Returns the rows that were kept.
    fn kept(&self) -> Batches {
        let schema = self.schema.get().cloned().unwrap_or_else(|| Arc::new(Schema::empty()));
        Batches::new(schema, std::mem::take(&mut *self.held()))
    }

    /// Returns the outcome as JSON, once the run has ended.
    fn outcome(&self) -> Option<&str> {
        self.outcome.get().map(String::as_str)
    }

    /// Asks the run to end. It does not wait.
    fn cancel(&self) {
        self.host.cancel.cancel();
    }

    /// Ends the run, and waits a moment for it. What is complete is kept.
    fn stop(&self, py: Python<'_>) {
        self.cancel();
        let until = Instant::now() + GRACE;
        while self.outcome.get().is_none() {
            // Batches may still come faster than they are taken.
            let Some(left) = until.checked_duration_since(Instant::now()) else { break };
            match py.detach(|| self.receive(Some(left))) {
                Ok(Message::Batch(batch)) => self.held().push(batch),
                Ok(Message::Done(outcome)) => self.end(py, outcome),
                // A writer that waits for room for its batch ends as well.
                Err(_) => break,
            }
        }
        drop(self.messages.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

impl Run {
    fn held(&self) -> MutexGuard<'_, Vec<RecordBatch>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the next message; waits for it if a time is given.
    fn receive(&self, wait: Option<Duration>) -> Result<Message, RecvTimeoutError> {
        let messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        let messages = messages.as_ref().ok_or(RecvTimeoutError::Disconnected)?;
        match wait {
            Some(wait) => messages.recv_timeout(wait),
            None => messages.try_recv().map_err(|error| match error {
                TryRecvError::Empty => RecvTimeoutError::Timeout,
                TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
            }),
        }
    }

    fn wait(&self, py: Python<'_>, show: Option<&Bound<'_, PyAny>>) -> PyResult<Option<RecordBatch>> {
        while self.outcome.get().is_none() {
            let message = py.detach(|| self.receive(Some(TICK)));
            if let Err(error) = py.check_signals().and_then(|()| self.show(show)) {
                if let Ok(Message::Batch(batch)) = message {
                    self.held().push(batch);
                } else if let Ok(Message::Done(outcome)) = message {
                    self.end(py, outcome);
                }
                self.stop(py);
                return Err(error);
            }
            match message {
                Ok(Message::Batch(batch)) => return Ok(Some(batch)),
                Ok(Message::Done(outcome)) => self.end(py, outcome),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(gone()),
            }
        }
        self.show(show)?;
        Ok(None)
    }

    /// Keeps the outcome. The thread has nothing left to do.
    fn end(&self, py: Python<'_>, outcome: String) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            py.detach(|| drop(thread.join()));
        }
        self.host.progress.finish();
        let _ = self.outcome.set(outcome);
    }

    fn show(&self, show: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let Some(show) = show else { return Ok(()) };
        self.host.progress.tick();
        let lines = std::mem::take(&mut *self.lines.lock().unwrap_or_else(PoisonError::into_inner));
        if !lines.is_empty() {
            show.call1((String::from_utf8_lossy(&lines),))?;
        }
        Ok(())
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.host.cancel.cancel();
    }
}

fn gone() -> PyErr {
    PyRuntimeError::new_err("the run was stopped")
}

#[derive(Clone, Copy)]
enum Command {
    Table,
    Iter,
    Get,
    Compare,
}

impl Command {
    fn parse(name: &str) -> PyResult<Self> {
        Ok(match name {
            "table" => Self::Table,
            "iter" => Self::Iter,
            "get" => Self::Get,
            "compare" => Self::Compare,
            _ => return Err(PyValueError::new_err(format!("no such command: {name}"))),
        })
    }
}

/// Runs a command to its end, and leaves nothing of it running. Returns the outcome.
fn run(command: Command, host: &Host, args: Vec<OsString>, rows: Rows) -> String {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return outcome::json(Err(Error::io("cannot start the runtime", error))).to_string(),
    };
    let done = runtime.block_on(async {
        match command {
            Command::Table => host::table(host, args, Box::new(rows)).await.map(Done::Table),
            Command::Iter => host::iter(host, args, Box::new(rows)).await.map(Done::Table),
            Command::Get => host::get(host, args).await.map(Done::Files),
            Command::Compare => host::compare(host, args).await.map(|compared| Done::Compared(Box::new(compared))),
        }
    });
    let outcome = outcome::json(done).to_string();
    runtime.shutdown_timeout(Duration::from_millis(200));
    outcome
}

/// Sends rows to Python, and waits while it has not taken the ones before.
struct Rows {
    schema: Arc<OnceLock<SchemaRef>>,
    waiting: Arc<AtomicUsize>,
    to: SyncSender<Message>,
}

impl BatchSink for Rows {
    fn begin(&mut self, schema: SchemaRef) -> raudal::Result<()> {
        let _ = self.schema.set(schema);
        Ok(())
    }

    fn batch(&mut self, batch: RecordBatch) -> raudal::Result<()> {
        self.to.send(Message::Batch(batch)).map_err(|_| Error::new(Kind::Cancelled, "nobody takes the rows any more"))
    }

    fn is_waiting(&self) -> bool {
        self.waiting.load(SeqCst) > 0
    }
}

/// Keeps lines of progress for Python.
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
