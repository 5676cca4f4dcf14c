//! Runs the jobs and merges their rows in input order.

use super::decoders::Decoders;
use super::job::attempt;
use super::options::Options;
use super::reorder::{ReorderBuffer, plan};
use super::shared::TableRun;
use super::summary::Summary;
use crate::run::failure::{Failure, failure};
use crate::run::partials::Partials;
use crate::run::policies::{self, policies, stop_at_condition};
use crate::run::segments::Segments;
use crate::run::slowed::Slowed;
use raudal_common::error::printable;
use raudal_common::{Error, Kind, Result, blocking};
use raudal_fetch::Client;
use raudal_pool::{Context, JobError, RunReport};
use raudal_source::Input;
use raudal_table::{Rows, Sink, Table};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// How much of a header a warning shows, in characters.
const SHOWN: usize = 80;

/// Fetches, decodes and filters all inputs, and writes their rows to the sink in input order,
/// whatever the order of arrival.
///
/// If the run is cancelled, or stops after too many failures, the complete rows are kept. Standard
/// output has them already; a file gets `.partial` added to its name; a table of a database stays as
/// it was. If no input succeeds, nothing is published. With a [`Lock`](crate::Lock) read from a file, nothing is published unless every
/// input matches it. Rows already written to anything but a file cannot be taken back.
///
/// Once the table has all rows of the query's limit, the run ends, and is complete: see
/// [`Summary::limited`].
///
/// # Errors
///
/// Only what makes the result impossible: the sink cannot be written to, a limit is 0, a lock is to
/// hold inputs that a limit on rows leaves out, or no input has a column of the query. Failures of
/// inputs are in the summary.
///
/// ```
/// use raudal_fetch::{Client};
/// use raudal_pipeline::{Options};
/// use raudal_source::{Input, Location};
/// use raudal_table::{Filter, Sink, SinkOptions, Target};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> raudal_common::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("a.csv");
/// # std::fs::write(&path, "town,people\nAyala,31\nXico,7\n").unwrap();
/// # let output = folder.path().join("out.csv");
/// let client = Client::new(&raudal_fetch::Options::default())?;
/// let mut options = Options::default();
/// options.query.filter = Some(Filter::parse("people > 10")?);
///
/// let inputs = [Input::new(Location::File(path))];
/// let sink = Sink::create(Target::File(output.clone()), SinkOptions::default())?;
/// let summary = raudal_pipeline::run(inputs, &client, options, sink).await?;
///
/// assert_eq!((summary.rows_read, summary.rows_kept), (2, 1));
/// assert_eq!(std::fs::read_to_string(output).unwrap(), "town,people\nAyala,31\n");
/// # Ok(())
/// # }
/// ```
pub async fn run<In>(inputs: In, client: &Client, mut options: Options, sink: Sink) -> Result<Summary>
where
    In: IntoIterator<Item = Input>,
    In::IntoIter: Send + 'static,
{
    let limited = options.query.pick.limit.is_some();
    if limited && options.run.lock.is_some() {
        return Err(Error::usage("a lock is about all inputs, and a limit on rows leaves some of them out")
            .hint("leave [`limit`] or [`lock`] out"));
    }
    let table = Table::new(sink, &options.query)?;
    let (partials, slowed) = (Arc::new(Partials::default()), Arc::new(Slowed::default()));
    let decoders = Decoders::new(options.decoders);
    let busy = Arc::clone(&decoders);
    let stop = options.run.cancel.child_token();
    options.run.cancel = stop.clone();
    // While decoding is behind, more transfers would only fill the memory.
    let pool = policies::build(policies::pool(&options.run).hold_growth_while(move || busy.are_busy()))?;
    let (planning, lock) = (client.clone(), options.run.lock.clone());
    let begun = Box::new(inputs.into_iter());
    // The first inputs fill a limit, so they start first.
    let at_first = if limited { 1 } else { options.run.concurrency.at_first() };
    let (inputs, plan, sizes) = blocking(move || plan(begun, at_first, &planning, lock.as_deref())).await?;
    let shared = Arc::new(TableRun {
        client: client.clone(),
        query: options.query.clone(),
        decoders,
        partials: Arc::clone(&partials),
        folder: options.partials.clone(),
        checksums: options.run.checksums.clone(),
        lock: options.run.lock.clone(),
        kept: Arc::default(),
        full: Arc::default(),
        ahead: Arc::new(Semaphore::new(options.decoders.max(1))),
    });
    let job = move |cx: Context<Input>, input| {
        let (attempt, stop) = (attempt(Arc::clone(&shared), cx.as_attempt().clone(), input), stop.clone());
        async move { stop_at_condition(attempt.await, &stop) }
    };
    let run = policies(pool.run(inputs, job).sizes(sizes), &options.run, partials, Arc::clone(&slowed));
    let mut run = if plan.is_none() { run.ordered().start() } else { run.start() };
    let segments = Segments::start(client, run.permits());
    let closed = options.run.lock.as_ref().is_some_and(|lock| lock.is_closed());
    let mut merge = Merge::new(table, options.partials, closed);
    let mut reorder = ReorderBuffer::new(plan);
    while let Some(done) = run.next().await {
        let Some(input) = done.input else { continue };
        let (job, attempts) = (done.job, done.report.attempts);
        for done in reorder.put(job, Done { input, result: done.result, attempts }) {
            if let Err(error) = merge.take(done).await {
                // The output cannot be written: stop, and leave nothing running.
                run.shutdown().await;
                return Err(error);
            }
        }
        if merge.is_full() {
            run.cancel();
            break;
        }
    }
    for done in if merge.is_full() { Vec::new() } else { reorder.rest() } {
        match done {
            Ok(done) => merge.take(done).await?,
            Err(input) => merge.skip(*input),
        }
    }
    segments.stop().await;
    let report = run.join().await;
    policies::remember(&options.run, pool).await?;
    let mut summary = merge.finish(report).await?;
    summary.warnings.extend(slowed.warnings());
    Ok(summary)
}

/// A finished input.
struct Done {
    input: Input,
    result: Result<Rows, JobError<Error>>,
    attempts: u32,
}

/// Merges the rows of inputs that were read elsewhere, in input order, as [`run()`] does.
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
    fn new(table: Table, partials: Option<PathBuf>, closed: bool) -> Self {
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
        Self { table: Some(table), partials, closed, summary }
    }

    /// Begins a table without rows.
    ///
    /// # Errors
    ///
    /// A usage error for a query that asks for what excludes each other.
    pub fn begin(sink: Sink, options: &Options) -> Result<Self> {
        let closed = options.run.lock.as_ref().is_some_and(|lock| lock.is_closed());
        Ok(Self::new(Table::new(sink, &options.query)?, options.partials.clone(), closed))
    }

    /// Merges an input in its turn: its rows, or why it has none.
    ///
    /// # Errors
    ///
    /// Only if the table cannot be written. An input that does not fit is a failure in the summary.
    pub async fn put(&mut self, input: Input, result: Result<Rows>, attempts: u32) -> Result<()> {
        self.take(Done { input, result: result.map_err(JobError::Failed), attempts }).await
    }

    /// The failures so far.
    pub fn failures(&self) -> &[Failure] {
        &self.summary.failures
    }

    /// Whether no further input can add a row.
    pub fn is_full(&self) -> bool {
        self.table.as_ref().is_some_and(Table::is_full)
    }

    /// Merges the result of one input, in its turn.
    async fn take(&mut self, done: Done) -> Result<()> {
        self.summary.pulled += 1;
        let Done { input, result, attempts } = done;
        let (error, attempts) = match result {
            Ok(rows) => match self.append(&input, rows).await {
                Ok(()) => return Ok(()),
                // Only this input is at fault, its columns or a cell that is not of its type, so the
                // table continues without it.
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
        let place = input.location.to_string();
        let placed = |said: &[String]| said.iter().map(|line| format!("{place}: {line}")).collect::<Vec<_>>();
        let (mut warnings, notes) = (placed(rows.warnings()), placed(rows.notes()));
        if read == 0 {
            warnings.push(format!("{place}: no rows, only this header: {}", beginning(&rows.header().join(","))));
        }
        let name = input.name.clone();
        self.with_table(move |table| table.append(&name, &place, rows)).await?;
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

    /// Publishes the table, and returns what became of the run. A report of a run that was stopped leaves a partial
    /// table.
    ///
    /// # Errors
    ///
    /// If the table cannot be written, or no input has a column of the query.
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
