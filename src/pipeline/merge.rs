//! The run: jobs in, rows out in input order.

use super::job::{Partials, Shared, attempt, describe};
use super::options::Options;
use super::summary::{Failure, Summary, failure};
use crate::fetch::Client;
use crate::pool::{Observer, Pool, Retry, RunReport};
use crate::source::Input;
use crate::table::{Rows, Sink};
use crate::{Error, Kind, Result};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// Inputs that were pulled and are not over.
type Outstanding = Arc<Mutex<HashMap<u64, Input>>>;

/// Fetches, decodes and filters all inputs, and writes their rows to the sink in input order, whatever the order in
/// which they come in.
///
/// If the run is cancelled, or stops after too many failures, the rows that are complete are kept: written to
/// standard output as they are, but beside a file's final name, with `.partial` added to it. If no input succeeds,
/// nothing is published.
///
/// # Errors
///
/// Only for what makes the result impossible: the sink cannot be written to, or a limit is 0. The failures of inputs
/// are in the summary.
///
/// ```
/// use raudal::fetch::{self, Client};
/// use raudal::pipeline::{self, Options};
/// use raudal::source::{Input, Location};
/// use raudal::table::{Filter, Sink, SinkOptions, Target};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> raudal::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("a.csv");
/// # std::fs::write(&path, "town,people\nAyala,31\nXico,7\n").unwrap();
/// # let output = folder.path().join("out.csv");
/// let client = Client::new(&fetch::Options::default())?;
/// let mut options = Options::default();
/// options.query.filter = Some(Filter::parse("people > 10")?);
///
/// let inputs = [Input::new(Location::File(path))];
/// let sink = Sink::create(Target::File(output.clone()), SinkOptions::default())?;
/// let summary = pipeline::run(inputs, &client, options, sink).await?;
///
/// assert_eq!((summary.rows_read, summary.rows_kept), (2, 1));
/// assert_eq!(std::fs::read_to_string(output).unwrap(), "town,people\nAyala,31\n");
/// # Ok(())
/// # }
/// ```
pub async fn run<In>(inputs: In, client: &Client, options: Options, sink: Sink) -> Result<Summary>
where
    In: IntoIterator<Item = Input>,
    In::IntoIter: Send + 'static,
{
    let partials = Arc::new(Partials::default());
    let pool = pool(&options, Arc::clone(&partials))?;
    let outstanding = Outstanding::default();
    let inputs = tracked(inputs.into_iter(), Arc::clone(&outstanding));
    let shared = Arc::new(Shared {
        client: client.clone(),
        query: options.query.clone(),
        decoders: Arc::new(Semaphore::new(options.decoders.max(1))),
        partials,
    });
    let mut run = pool.run(inputs, move |context, input| attempt(Arc::clone(&shared), context, input)).ordered();
    let mut merge = Merge::new(sink);
    while let Some(done) = run.next().await {
        let Some(input) = outstanding.lock().unwrap_or_else(PoisonError::into_inner).remove(&done.job) else {
            continue;
        };
        let attempts = done.report.attempts;
        if let Err(error) = merge.take(input, done.result.map_err(|error| (error, attempts))).await {
            // Nothing more can be written: stop, and leave nothing running.
            run.finish().await;
            return Err(error);
        }
    }
    merge.finish(run.finish().await).await
}

fn pool(options: &Options, partials: Arc<Partials>) -> Result<Pool<Input, Error>> {
    let longest = options.retry_after_max;
    let retry_on = options.retry_on.clone();
    // An attempt counts the bytes it was left with as its own, so one that resumes gets further.
    let mut retry = Retry::new(options.backoff)
        .reset_on_progress(true)
        .when(move |error| retry_on.matches(error))
        .pause_key(move |error: &Error| error.wait().map(|wait| wait.min(longest)));
    if let Some(max) = options.retry_max_time {
        retry = retry.max_elapsed(max);
    }
    let mut pool = Pool::builder()
        .jobs(options.jobs)
        .per_key(options.per_host, |input: &Input| input.location.key())
        .label(|input| input.name.clone())
        .retry(retry)
        .describe(describe)
        .failure_kind(|error: &Error| error.kind().word())
        .observer(Arc::new(vec![partials as Arc<dyn Observer>, Arc::clone(&options.observer)]))
        .cancel(options.cancel.clone());
    if let Some(failures) = options.stop_after {
        pool = pool.stop_after(failures);
    }
    if let Some(rate) = options.rate {
        pool = pool.rate(rate);
    }
    pool.build()
}

/// Remembers each input from when it is pulled, so that a failure can name it, and no longer than it is needed: there
/// may be millions. The size of the input is passed on.
fn tracked<In>(inputs: In, outstanding: Outstanding) -> impl Iterator<Item = Input> + Send
where
    In: Iterator<Item = Input> + Send,
{
    let mut job = 0;
    inputs.inspect(move |input| {
        outstanding.lock().unwrap_or_else(PoisonError::into_inner).insert(job, input.clone());
        job += 1;
    })
}

/// What has come in so far.
struct Merge {
    sink: Option<Sink>,
    summary: Summary,
}

impl Merge {
    fn new(sink: Sink) -> Self {
        let summary = Summary {
            report: RunReport::default(),
            succeeded: 0,
            failures: Vec::new(),
            unfinished: Vec::new(),
            pulled: 0,
            rows_read: 0,
            rows_kept: 0,
            table_bytes: 0,
            warnings: Vec::new(),
            written: None,
        };
        Self { sink: Some(sink), summary }
    }

    /// Takes one input's result, in its turn.
    async fn take(&mut self, input: Input, result: Result<Rows, (crate::pool::JobError<Error>, u32)>) -> Result<()> {
        self.summary.pulled += 1;
        let (error, attempts) = match result {
            Ok(rows) => match self.append(&input, rows).await {
                Ok(()) => return Ok(()),
                // The input's own fault: the table goes on without it.
                Err(error) if error.kind() == Kind::Headers => (error.input(input.location.to_string()), 1),
                Err(error) => return Err(error),
            },
            Err((error, attempts)) => {
                let Some(error) = failure(error, &input) else {
                    self.summary.unfinished.push(input);
                    return Ok(());
                };
                (error, attempts)
            }
        };
        self.summary.failures.push(Failure { input, error, attempts });
        Ok(())
    }

    /// Writes an input's rows, on a thread that may block: a pipe's reader may be slow, a disk may be busy.
    async fn append(&mut self, input: &Input, rows: Rows) -> Result<()> {
        let (read, kept, bytes) = (rows.rows_read(), rows.rows_kept(), rows.bytes());
        let place = input.location.to_string();
        let warnings: Vec<String> = rows.warnings().iter().map(|warning| format!("{place}: {warning}")).collect();
        let name = input.name.clone();
        self.with_sink(move |sink| sink.append(&name, rows)).await?;
        self.summary.warnings.extend(warnings);
        self.summary.succeeded += 1;
        self.summary.rows_read += read;
        self.summary.rows_kept += kept;
        self.summary.table_bytes += bytes;
        Ok(())
    }

    async fn with_sink<R: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Sink) -> Result<R> + Send + 'static,
    ) -> Result<R> {
        let Some(mut sink) = self.sink.take() else {
            return Err(Error::new(Kind::Internal, "the sink is gone"));
        };
        let (sink, result) = blocking(move || {
            let result = work(&mut sink);
            (sink, result)
        })
        .await?;
        self.sink = Some(sink);
        result
    }

    async fn finish(mut self, report: RunReport) -> Result<Summary> {
        self.summary.report = report;
        let complete = !self.summary.report.stopped;
        if let Some(sink) = self.sink.take()
            && self.summary.succeeded > 0
        {
            let written = blocking(move || if complete { sink.finish() } else { sink.finish_partial() }).await??;
            self.summary.written = Some(written);
        }
        Ok(self.summary)
    }
}

async fn blocking<R: Send + 'static>(work: impl FnOnce() -> R + Send + 'static) -> Result<R> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::new(Kind::Internal, "writing the result panicked").because(error))
}
