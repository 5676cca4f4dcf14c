//! Merges the inputs of a run in their order.

use super::content::SpooledOrFile;
use super::gather::{Gather, Gathered};
use super::protocol::InputLine;
use super::reports::Reports;
use super::windows::{Window, Windows};
use raudal_common::{Error, Kind, Portable, Result, blocking, lock};
use raudal_pipeline::{Lock, Merge, Options, Summary};
use raudal_pool::RunReport;
use raudal_source::Input;
use raudal_table::Rows;
use std::sync::{Arc, Mutex};

/// What is merged of a run.
pub(crate) struct Merging<In> {
    /// The inputs that are not merged yet.
    inputs: In,
    merge: Merge,
    windows: Arc<Mutex<Windows>>,
    /// How many inputs are merged.
    merged: u64,
    /// Bytes of an input's rows that are held in memory.
    memory: usize,
    lock: Option<Arc<Lock>>,
    reports: Arc<Mutex<Reports>>,
}

impl<In: Iterator<Item = Input>> Merging<In> {
    pub(crate) fn new(
        inputs: In,
        merge: Merge,
        options: &Options,
        total: u64,
        reports: Arc<Mutex<Reports>>,
    ) -> Result<Self> {
        let windows = Arc::new(Mutex::new(Windows::new(total)?));
        let (memory, lock) = (options.query.memory, options.run.lock.clone());
        Ok(Self { inputs, merge, windows, merged: 0, memory, lock, reports })
    }

    /// Merges the inputs of a window. In a run that was stopped, some may be missing.
    async fn merge_window(&mut self, mut window: Window, stopped: bool) -> Result<()> {
        let memory = self.memory;
        loop {
            let (back, some) = blocking(move || {
                let some = window.some(memory);
                (window, some)
            })
            .await?;
            window = back;
            let some = some?;
            if some.is_empty() {
                return Ok(());
            }
            for (line, rows) in some {
                self.merge_input(line, rows, stopped).await?;
                if self.merge.is_full() {
                    return Ok(());
                }
            }
        }
    }

    async fn merge_input(&mut self, line: InputLine, rows: Option<Rows>, stopped: bool) -> Result<()> {
        let mut input = self.inputs.next();
        while stopped && self.merged < line.i {
            self.merged += 1;
            if let Some(never) = input {
                self.merge.skip(never);
            }
            input = self.inputs.next();
        }
        let (Some(input), true) = (input, self.merged == line.i) else {
            return Err(Error::new(Kind::Internal, format!("an input is missing: {}", self.merged)));
        };
        self.merged += 1;
        let recorded = match (&self.lock, line.locked) {
            (Some(lock), Some(locked)) => lock.record(line.i, locked),
            _ => Ok(()),
        };
        let result = match (rows, line.error) {
            (Some(rows), _) => recorded.map(|()| rows).map_err(|error| error.input(input.location.to_string())),
            (None, Some(error)) => Err(Portable::into_error(error)),
            (None, None) => Err(Error::new(Kind::Internal, "a part without rows and without an error")),
        };
        self.merge.put(input, result, line.attempts).await
    }
}

impl<In: Iterator<Item = Input>> Gather for Merging<In> {
    type Summary = Summary;

    async fn put(&mut self, chunk: u32, mut part: SpooledOrFile, inputs: Vec<InputLine>) -> Result<()> {
        lock(&self.reports).tell(chunk, &inputs);
        let windows = Arc::clone(&self.windows);
        blocking(move || lock(&windows).put(&mut part)).await?
    }

    /// Merges the windows that are complete. Returns whether the table is full.
    async fn go_on(&mut self) -> Result<bool> {
        // Asked at each event, so it must cost little.
        while lock(&self.windows).is_ready() {
            let windows = Arc::clone(&self.windows);
            let Some(window) = blocking(move || lock(&windows).take()).await?? else { break };
            self.merge_window(window, false).await?;
            if self.merge.is_full() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_done(&self) -> bool {
        lock(&self.windows).is_done()
    }

    async fn changed(&mut self) -> Option<u32> {
        std::future::pending().await
    }

    async fn rest(&mut self) -> Result<()> {
        loop {
            let windows = Arc::clone(&self.windows);
            let Some(window) = blocking(move || lock(&windows).take_partial()).await?? else { return Ok(()) };
            self.merge_window(window, true).await?;
        }
    }

    /// Publishes the table.
    async fn finish(self, report: RunReport) -> Result<Gathered<Summary>> {
        Ok(Gathered { summary: self.merge.finish(report).await?, is_needed: false })
    }

    fn warn(summary: &mut Summary, warning: String) {
        summary.warnings.push(warning);
    }
}
