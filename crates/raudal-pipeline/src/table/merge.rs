//! Merges the rows of inputs in input order.

use super::options::Options;
use super::summary::Summary;
use crate::run::failure::{Failure, failure};
use raudal_common::error::printable;
use raudal_common::{Error, Kind, Result, blocking};
use raudal_pool::{JobError, RunReport};
use raudal_source::Input;
use raudal_table::{Rows, Sink, Table};
use std::path::{Path, PathBuf};

/// How much of a header a warning shows, in characters.
const SHOWN: usize = 80;

/// The result of one input.
pub(super) struct InputResult {
    pub(super) input: Input,
    pub(super) result: Result<Rows, JobError<Error>>,
    pub(super) attempts: u32,
}

/// Merges the rows of inputs in input order, wherever they were read, as [`run()`](crate::run()) does.
///
/// ```
/// use raudal_pipeline::{Merge, Options};
/// use raudal_pool::RunReport;
/// use raudal_source::{Input, Location};
/// use raudal_table::{Sink, SinkOptions, Target, read};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> raudal_common::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// # let output = folder.path().join("out.csv");
/// let options = Options::default();
/// let sink = Sink::create(Target::File(output.clone()), SinkOptions::default())?;
/// let mut merge = Merge::begin(sink, &options)?;
/// let rows = read(std::io::Cursor::new("a\n1\n"), "x.csv", &options.query, &())?;
/// merge.put(Input::new(Location::parse("x.csv")?), Ok(rows), 1).await?;
/// let summary = merge.finish(RunReport::default()).await?;
/// assert_eq!((summary.succeeded, std::fs::read_to_string(output).unwrap()), (1, "a\n1\n".to_owned()));
/// # Ok(())
/// # }
/// ```
pub struct Merge {
    table: Option<Table>,
    /// The folder of partial files, removed once the table is published.
    partials: Option<PathBuf>,
    /// Whether a lock read from a file applies: publish all inputs, or nothing.
    closed: bool,
    summary: Summary,
}

impl Merge {
    pub(super) fn of(table: Table, options: &Options) -> Self {
        let summary = Summary {
            report: RunReport::default(),
            succeeded: 0,
            failures: Vec::new(),
            unfinished: Vec::new(),
            condition: None,
            pulled: 0,
            rows_read: 0,
            rows_kept: 0,
            table_bytes: 0,
            limited: false,
            warnings: Vec::new(),
            notes: Vec::new(),
            written: None,
        };
        let closed = options.run.lock.as_ref().is_some_and(|lock| lock.is_closed());
        Self { table: Some(table), partials: options.partials.clone(), closed, summary }
    }

    /// Begins an empty table.
    ///
    /// # Errors
    ///
    /// Fails with a usage error if parts of the query exclude each other.
    pub fn begin(sink: Sink, options: &Options) -> Result<Self> {
        Ok(Self::of(Table::new(sink, &options.query)?, options))
    }

    /// Merges an input in its turn: its rows, or why it has none.
    ///
    /// # Errors
    ///
    /// Fails only if the table cannot be written. An input that does not fit is a failure in the summary.
    pub async fn put(&mut self, input: Input, result: Result<Rows>, attempts: u32) -> Result<()> {
        self.take(InputResult { input, result: result.map_err(JobError::Failed), attempts }).await
    }

    /// Returns the failures so far.
    pub fn failures(&self) -> &[Failure] {
        &self.summary.failures
    }

    /// Returns whether no further input can add a row.
    pub fn is_full(&self) -> bool {
        self.table.as_ref().is_some_and(Table::is_full)
    }

    /// Merges the result of one input, in its turn.
    pub(super) async fn take(&mut self, result: InputResult) -> Result<()> {
        self.summary.pulled += 1;
        let InputResult { input, result, attempts } = result;
        let (error, attempts) = match result {
            Ok(rows) => match self.append(&input, rows).await {
                Ok(()) => return Ok(()),
                // Only this input is at fault: its columns differ, or a cell is of another type. The table continues
                // without it.
                Err(error) if matches!(error.kind(), Kind::Headers | Kind::Csv) => {
                    (error.input(input.location.to_string()), 1)
                }
                Err(error) => return Err(error),
            },
            Err(error) => {
                let Some(error) = failure(error, &input) else {
                    self.summary.unfinished.push(input);
                    return Ok(());
                };
                if error.is_of_machine() {
                    self.summary.condition.get_or_insert(error);
                    self.summary.unfinished.push(input);
                    return Ok(());
                }
                (error, attempts)
            }
        };
        self.summary.failures.push(Failure { input, error, attempts });
        Ok(())
    }

    /// Records an input that never started, in its turn.
    pub fn skip(&mut self, input: Input) {
        self.summary.pulled += 1;
        self.summary.unfinished.push(input);
    }

    /// Writes an input's rows on a blocking thread: a pipe's reader may be slow, a disk may be
    /// busy.
    async fn append(&mut self, input: &Input, rows: Rows) -> Result<()> {
        let (read, kept, bytes) = (rows.rows_read(), rows.rows_kept(), rows.bytes());
        let source = input.location.to_string();
        let with_source = |said: &[String]| said.iter().map(|line| format!("{source}: {line}")).collect::<Vec<_>>();
        let (mut warnings, notes) = (with_source(rows.warnings()), with_source(rows.notes()));
        if read == 0 {
            warnings.push(format!("{source}: no rows, only this header: {}", beginning(&rows.header().join(","))));
        }
        let name = input.name.clone();
        self.with_table(move |table| table.append(&name, &source, rows)).await?;
        self.summary.warnings.extend(warnings);
        self.summary.notes.extend(notes);
        self.summary.succeeded += 1;
        self.summary.rows_read += read;
        self.summary.rows_kept += kept;
        self.summary.table_bytes += bytes;
        Ok(())
    }

    async fn with_table<R: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Table) -> Result<R> + Send + 'static,
    ) -> Result<R> {
        let Some(mut table) = self.table.take() else {
            return Err(Error::new(Kind::Internal, "the table is gone"));
        };
        let (table, result) = blocking(move || {
            let result = work(&mut table);
            (table, result)
        })
        .await?;
        self.table = Some(table);
        result
    }

    /// Publishes the table, and returns the summary. If the report says that the run was stopped, the table is
    /// partial.
    ///
    /// # Errors
    ///
    /// Fails if the table cannot be written, or if no input has a column of the query.
    pub async fn finish(mut self, report: RunReport) -> Result<Summary> {
        self.summary.report = report;
        if self.is_full() {
            // Nothing is missing from the table, whatever was left out.
            self.summary.limited = self.summary.report.stopped;
            self.summary.report.stopped = false;
        }
        let complete = !self.summary.report.stopped;
        if let Some(table) = self.table.take()
            && self.summary.succeeded > 0
            && !(self.closed && !(complete && self.summary.is_complete()))
        {
            let publish = move || {
                if complete {
                    table.finish().map(|(written, warnings)| (Some(written), warnings))
                } else {
                    table.finish_partial()
                }
            };
            let (written, warnings) = blocking(publish).await??;
            self.summary.warnings.extend(warnings);
            self.summary.written = written;
        }
        if let Some(folder) = self.partials.take() {
            // The next run would add nothing to the table, so it needs no partial files.
            let all = complete
                && self.summary.written.is_some()
                && self.summary.unfinished.is_empty()
                && !self.summary.failures.iter().any(|failure| failure.error.is_transient());
            blocking(move || tidy(&folder, all)).await?;
        }
        Ok(self.summary)
    }
}

/// Returns the beginning of a text from outside, on one line.
fn beginning(text: &str) -> String {
    let dots = if text.chars().count() > SHOWN { "…" } else { "" };
    printable(&text.chars().take(SHOWN).collect::<String>()) + dots
}

/// Removes the partial files from their folder if `all`, then the folder if it is empty. Other
/// files stay.
fn tidy(folder: &Path, all: bool) {
    let left = std::fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in left.filter(|_| all) {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.ends_with(".part") || name.ends_with(".part.json") {
            let _ = std::fs::remove_file(entry.path());
        }
    }
    let _ = std::fs::remove_dir(folder);
}
