//! Hands the files that workers have fetched to the part of the submitter that saves them.

use super::broker::RETRY;
use super::content::SpooledOrFile;
use super::gather::{Gather, Gathered};
use super::options::Say;
use super::protocol::InputLine;
use super::reports::Reports;
use super::store::{Store, file_name};
use super::taken::Taken;
use futures::future::BoxFuture;
use raudal_common::{Error, Kind, Result, lock};
use raudal_fetch::Carried;
use raudal_pipeline::files::Relay;
use raudal_pool::{Event, EventKind, Observer, RunReport};
use std::collections::HashMap;
use std::io::Read;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use tokio::sync::{Notify, mpsc};

/// An input that workers fetch.
enum Place {
    /// Somebody waits for it.
    Awaited(Arc<Notify>),
    /// What became of it, and the chunk that it came with.
    Here(u32, Box<InputLine>),
}

/// What workers have fetched, and nobody has saved yet.
pub(crate) struct Fetched {
    store: Store,
    taken: Taken,
    inputs: Mutex<HashMap<u64, Place>>,
    reports: Arc<Mutex<Reports>>,
    damaged: mpsc::UnboundedSender<u32>,
    /// Whether no more is saved.
    ended: AtomicBool,
    /// Whether something here was in the way of an input.
    is_needed: AtomicBool,
    end: Notify,
    say: Say,
}

impl Fetched {
    pub(crate) fn new(store: Store, taken: Taken, reports: Arc<Mutex<Reports>>, say: Say) -> (Arc<Self>, Files) {
        let (damaged, again) = mpsc::unbounded_channel();
        let fetched = Arc::new(Self {
            store,
            taken,
            inputs: Mutex::default(),
            reports,
            damaged,
            ended: false.into(),
            is_needed: false.into(),
            end: Notify::new(),
            say,
        });
        (Arc::clone(&fetched), Files { fetched, again })
    }

    /// No more is saved. The run is needed again if something here was in the way.
    pub(crate) fn end(&self, is_needed: bool) {
        self.is_needed.store(is_needed, Ordering::Release);
        self.ended.store(true, Ordering::Release);
        self.end.notify_one();
    }

    /// Removes the notes of the run.
    pub(crate) fn forget(&self) -> Result<()> {
        self.taken.remove()
    }

    fn put(&self, chunk: u32, line: InputLine) {
        let before = lock(&self.inputs).insert(line.i, Place::Here(chunk, Box::new(line)));
        if let Some(Place::Awaited(waits)) = before {
            waits.notify_one();
        }
    }

    /// Returns what became of an input; or what tells when to look again.
    fn look(&self, input: u64) -> Result<Result<Carried>, Arc<Notify>> {
        match lock(&self.inputs).entry(input).or_insert_with(|| Place::Awaited(Arc::default())) {
            Place::Awaited(waits) => Err(Arc::clone(waits)),
            Place::Here(_, line) => Ok(match (&line.file, &line.error) {
                (Some(file), _) => Ok(file.clone()),
                (None, Some(error)) => Err(error.clone().into_error()),
                (None, None) => Err(Error::new(Kind::Internal, "a part without a file and without an error")),
            }),
        }
    }
}

impl Relay for Fetched {
    fn arrival(&self, input: u64) -> BoxFuture<'_, Result<Carried>> {
        Box::pin(async move {
            loop {
                match self.look(input) {
                    Ok(here) => return here,
                    Err(waits) => waits.notified().await,
                }
            }
        })
    }

    fn bytes<'a>(&'a self, input: u64, carried: &'a Carried) -> BoxFuture<'a, Result<Box<dyn Read + Send>>> {
        Box::pin(async move {
            let name = file_name(input, carried);
            loop {
                let found = match self.store.has(&name).await {
                    Ok(true) => self.store.get(&name).await,
                    // Bytes that are gone are damaged bytes: none are left.
                    Ok(false) => return Ok(Box::new(std::io::empty()) as Box<dyn Read + Send>),
                    Err(error) => Err(error),
                };
                match found {
                    Ok(bytes) => return Ok(Box::new(bytes) as Box<dyn Read + Send>),
                    Err(error) => {
                        (self.say)(&format!("waits for the parts: {}", error.report()));
                        tokio::time::sleep(RETRY).await;
                    }
                }
            }
        })
    }

    fn again<'a>(&'a self, input: u64, carried: &'a Carried) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let name = file_name(input, carried);
            (self.say)(&format!("{name} is damaged: its input is fetched again"));
            // If it is gone, there is nothing to put aside.
            let _ = self.store.quarantine(&name).await;
            if let Some(Place::Here(chunk, _)) = lock(&self.inputs).remove(&input) {
                let _ = self.damaged.send(chunk);
            }
        })
    }

    fn taking(&self, input: u64) -> Result<()> {
        self.taken.note(input)
    }

    fn attempts(&self, input: u64) -> u32 {
        match lock(&self.inputs).remove(&input) {
            Some(Place::Here(_, line)) => line.attempts,
            _ => 1,
        }
    }

    fn was_taken(&self, input: u64) -> bool {
        self.taken.has(input)
    }
}

/// Tells of inputs once they are saved or have failed, with the times and attempts of the worker.
impl Observer for Fetched {
    fn observe(&self, event: &Event<'_>) {
        let EventKind::JobFinished { report } = event.kind else { return };
        let mut report = report.clone();
        let mut reports = lock(&self.reports);
        if let Some(Place::Here(_, line)) = lock(&self.inputs).get(&report.job) {
            let of_worker = line.report(reports.elapsed());
            (report.attempts, report.queued) = (of_worker.attempts, of_worker.queued);
            (report.running, report.started) = (of_worker.running, of_worker.started);
            (report.bytes, report.items, report.stages) = (of_worker.bytes, of_worker.items, Vec::new());
        }
        reports.tell_of(&report);
    }
}

/// The files of a run, for the one who follows it.
pub(crate) struct Files {
    fetched: Arc<Fetched>,
    again: mpsc::UnboundedReceiver<u32>,
}

/// How a run of files has ended.
pub(crate) struct FilesEnd {
    pub(crate) report: RunReport,
    pub(crate) warnings: Vec<String>,
}

impl Gather for Files {
    type Summary = FilesEnd;

    async fn put(&mut self, chunk: u32, _: SpooledOrFile, inputs: Vec<InputLine>) -> Result<()> {
        for line in inputs {
            self.fetched.put(chunk, line);
        }
        Ok(())
    }

    async fn go_on(&mut self) -> Result<bool> {
        Ok(false)
    }

    fn is_done(&self) -> bool {
        self.fetched.ended.load(Ordering::Acquire)
    }

    async fn changed(&mut self) -> Option<u32> {
        tokio::select! {
            chunk = self.again.recv() => chunk,
            () = self.fetched.end.notified() => None,
        }
    }

    async fn rest(&mut self) -> Result<()> {
        while !self.is_done() {
            self.fetched.end.notified().await;
        }
        Ok(())
    }

    async fn finish(self, report: RunReport) -> Result<Gathered<FilesEnd>> {
        let is_needed = self.fetched.is_needed.load(Ordering::Acquire);
        Ok(Gathered { summary: FilesEnd { report, warnings: Vec::new() }, is_needed })
    }

    fn warn(summary: &mut FilesEnd, warning: String) {
        summary.warnings.push(warning);
    }
}
