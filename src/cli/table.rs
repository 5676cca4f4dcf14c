//! `raudal iter` and `raudal table`: read inputs into one table.

use super::args::{HttpArgs, IterArgs, KeepArgs, OutputArgs, RunArgs, TableArgs, TableCommand, VerifyArgs};
use super::ending::Ending;
use super::inputs::Inputs;
use super::lock::HeldBack;
use super::output::Output;
use super::plan::plan;
use super::session::{Session, check_folder, verbosity};
use super::{cache, dialect, exit, limits, links, lock, metrics, report, setup};
#[cfg(feature = "arrow")]
use super::{host_run::Host, output};
use raudal::catalogue::{Edition, Entry, iter_2020};
use raudal::fetch::{Cache, Client};
use raudal::progress::{Progress, Style};
use raudal::source::Links;
#[cfg(feature = "arrow")]
use raudal::table::{BatchSink, FileType, Format, Target};
use raudal::table::{Query, Sink};
use raudal::workload::{Archives, Mirror};
use raudal::{Error, Kind, Result, origin, pipeline};
use std::path::{Path, PathBuf};

/// What the two commands share.
struct Job<'a> {
    command: &'static str,
    /// What an input is called in messages.
    input: &'static str,
    /// Whether a later run could resume what this one leaves.
    keeps: bool,
    filter: &'a str,
    /// The seed of a sample.
    seed: Option<u64>,
    table: &'a TableArgs,
    output: &'a OutputArgs,
    verify: &'a VerifyArgs,
    keep: &'a KeepArgs,
    run: &'a RunArgs,
    http: &'a HttpArgs,
    #[cfg(feature = "fleet")]
    fleet: &'a super::args::FleetArgs,
}

pub(crate) async fn table(args: TableCommand) -> Result<u8> {
    let inputs = Inputs::parse(&args.source)?;
    let job = Job::of_table(&args);
    let links = links::wanted(&args.source)?;
    let prepared = job.prepare()?;
    let progress = Progress::new(Style::None, verbosity(&args.output.end.show));
    let (client, run) = (&prepared.client, &prepared.options.run);
    let inputs = links::follow(links.as_ref(), inputs, client, run, args.run.deadline, &progress).await?;
    if args.output.end.dry_run {
        return plan(inputs);
    }
    let session = job.session();
    job.run(prepared, inputs, &session).await
}

pub(crate) async fn iter(mut args: IterArgs) -> Result<u8> {
    args.table.dialect.null.get_or_insert_with(|| dialect::ITER_NULLS.map(str::to_owned).to_vec());
    let entities = entities(args.entities.as_deref())?;
    let edition = Edition::from(args.edition);
    let mirror = setup::mirror(args.mirror.as_deref(), &args.origin, args.table.ask.sample.is_some())?;
    #[cfg(feature = "fleet")]
    if matches!(mirror, Mirror::Embedded(_)) && args.fleet.nats.nats.is_some() {
        return Err(raudal::Error::usage(
            "the embedded origin ends with this program, and a run over a fleet does not",
        )
        .hint("start raudal serve, and give its URL with --mirror"));
    }
    let job = Job::of_iter(&args, &mirror);
    let prepared = job.prepare()?;
    if args.output.end.dry_run {
        return plan(planned(&mirror, &entities, edition)?.into());
    }
    let session = job.session();
    if matches!(mirror, Mirror::Embedded(_)) {
        session.progress.note(&format!("preparing {} synthetic archives in the embedded origin", entities.len()));
        // Not silenced by --quiet: the totals of the entities are real ones.
        session.progress.error(&format!("warning: {}", origin::SYNTHETIC));
    }
    let archives = tokio::select! {
        archives = Archives::open(&mirror, &entities, edition) => archives?,
        () = session.signals.token().cancelled() => {
            let stop = session.signals.stop().unwrap_or(exit::Stop::Interrupt);
            session.progress.error(&format!("{}: nothing was fetched yet", stop.words()));
            return Ok(stop.code());
        }
    };
    let done = job.run(prepared, archives.inputs.clone().into(), &session).await;
    archives.close().await;
    done
}

/// A fleet's run is shown and resumed by the command line.
#[cfg(all(feature = "fleet", feature = "arrow"))]
fn no_fleet(args: &super::args::FleetArgs) -> Result<()> {
    if args.nats.nats.is_none() {
        return Ok(());
    }
    Err(Error::new(Kind::Unsupported, "a fleet runs only for the program `raudal`").hint("leave [`nats`] out"))
}

/// Runs `table` for a host.
#[cfg(feature = "arrow")]
pub(super) async fn table_for(host: &Host, args: TableCommand, rows: Box<dyn BatchSink>) -> Result<pipeline::Summary> {
    #[cfg(feature = "fleet")]
    no_fleet(&args.fleet)?;
    let inputs = Inputs::parse(&args.source)?;
    let links = links::wanted(&args.source)?;
    let job = Job::of_table(&args);
    host.until(args.run.deadline, Box::pin(job.hosted(inputs, links.as_ref(), host, rows))).await
}

/// Runs `iter` for a host.
#[cfg(feature = "arrow")]
pub(super) async fn iter_for(host: &Host, mut args: IterArgs, rows: Box<dyn BatchSink>) -> Result<pipeline::Summary> {
    #[cfg(feature = "fleet")]
    no_fleet(&args.fleet)?;
    args.table.dialect.null.get_or_insert_with(|| dialect::ITER_NULLS.map(str::to_owned).to_vec());
    let entities = entities(args.entities.as_deref())?;
    let mirror = setup::mirror(args.mirror.as_deref(), &args.origin, args.table.ask.sample.is_some())?;
    let job = Job::of_iter(&args, &mirror);
    // Before the archives are made, which takes a second.
    job.query()?;
    let opened = host.cancel.run_until_cancelled(Archives::open(&mirror, &entities, Edition::from(args.edition)));
    let Some(archives) = opened.await else {
        return Err(Error::new(Kind::Cancelled, "cancelled: nothing was fetched yet"));
    };
    let archives = archives?;
    let inputs = Inputs::from(archives.inputs.clone());
    let done = host.until(args.run.deadline, Box::pin(job.hosted(inputs, None, host, rows))).await;
    archives.close().await;
    done
}

/// Returns the entities of a list, or all of them.
pub(crate) fn entities(list: Option<&str>) -> Result<Vec<&'static Entry>> {
    match list {
        Some(list) => iter_2020::catalogue().select(list),
        None => Ok(iter_2020::catalogue().entries().iter().collect()),
    }
}

/// Returns the inputs that would be fetched. The embedded origin has no address before it runs.
fn planned(mirror: &Mirror, entities: &[&Entry], edition: Edition) -> Result<Vec<raudal::source::Input>> {
    let base = match mirror {
        Mirror::Url(url) => Some(url.as_str()),
        Mirror::Embedded(_) => Some("http://embedded.invalid/"),
        _ => None,
    };
    iter_2020::catalogue().inputs(entities, edition, base)
}

/// Returns the folder for partial files: beside the output. An output that is not a file, such as a
/// pipe, has none.
fn partials(output: &Path) -> Option<PathBuf> {
    if std::fs::metadata(output).is_ok_and(|there| !there.is_file()) {
        return None;
    }
    let mut name = output.as_os_str().to_owned();
    name.push(".partials");
    Some(name.into())
}

/// The parts of a run that are checked before anything is fetched.
struct Prepared {
    output: Output,
    client: Client,
    options: pipeline::Options,
    cache: Option<Cache>,
    /// A message, if the jobs were lowered to what the machine allows.
    lowered: Option<String>,
}

impl<'a> Job<'a> {
    fn of_table(args: &'a TableCommand) -> Self {
        Self {
            command: "table",
            input: "input",
            keeps: true,
            filter: &args.filter,
            seed: args.seed,
            table: &args.table,
            output: &args.output,
            verify: &args.verify,
            keep: &args.keep,
            run: &args.run,
            http: &args.http,
            #[cfg(feature = "fleet")]
            fleet: &args.fleet,
        }
    }

    fn of_iter(args: &'a IterArgs, mirror: &Mirror) -> Self {
        Self {
            command: "iter",
            input: "archive",
            // The embedded origin has a new address in each run, and ends with the run.
            keeps: !matches!(mirror, Mirror::Embedded(_)),
            filter: &args.filter,
            seed: args.origin.seed,
            table: &args.table,
            output: &args.output,
            verify: &args.verify,
            keep: &args.keep,
            run: &args.run,
            http: &args.http,
            #[cfg(feature = "fleet")]
            fleet: &args.fleet,
        }
    }
}

impl Job<'_> {
    /// Checks everything that needs no network.
    fn prepare(&self) -> Result<Prepared> {
        #[cfg(feature = "fleet")]
        self.submission().check()?;
        let query = self.query()?;
        let output = Output::plan(self.output, self.table)?;
        let partials = output.path().filter(|_| self.keeps).and_then(partials);
        let (client, options, cache, lowered) = self.gather(query, partials)?;
        for path in [&self.output.end.report, &self.output.end.failed_to] {
            check_folder(path.as_deref())?;
        }
        metrics::check(self.output.end.metrics.as_deref())?;
        Ok(Prepared { output, client, options, cache, lowered })
    }

    fn query(&self) -> Result<Query> {
        setup::query(self.table, self.http, self.filter, self.seed)
    }

    /// Returns what a run needs besides its output: see the fields of [`Prepared`].
    fn gather(
        &self,
        query: Query,
        partials: Option<PathBuf>,
    ) -> Result<(Client, pipeline::Options, Option<Cache>, Option<String>)> {
        let mut options = pipeline::Options::default();
        (options.run, options.query) = (setup::run_options(self.run), query);
        options.run.checksums = setup::checksums(self.verify)?;
        options.partials = partials;
        let transfers =
            options.partials.as_ref().map_or(limits::Transfers::Temporary, |_| limits::Transfers::Resumable);
        let lowered = limits::lower(&mut options.run, transfers, !self.keeps);
        let mut of_client = setup::fetch_options(self.http)?;
        of_client.cache = if self.keeps { cache::of_run(self.keep)? } else { None };
        options.run.hosts = if self.keeps { cache::hosts(self.keep) } else { None };
        let client = Client::new(&of_client)?;
        Ok((client, options, of_client.cache, lowered))
    }

    /// Runs for a host, which gets the rows.
    #[cfg(feature = "arrow")]
    async fn hosted(
        &self,
        inputs: Inputs,
        links: Option<&Links>,
        host: &Host,
        rows: Box<dyn BatchSink>,
    ) -> Result<pipeline::Summary> {
        let query = self.query()?;
        let (client, mut options, cache, lowered) = self.gather(query, None)?;
        host.warn_of(self.http);
        let inputs = links::follow(links, inputs, &client, &options.run, self.run.deadline, &host.progress).await?;
        let lock = lock::of_run(self.keep, &inputs)?;
        options.run.lock.clone_from(&lock);
        options.run.observer = host.progress.observer();
        options.run.cancel = host.cancel.clone();
        let of_sink = output::sink_options(FileType::new(Format::Arrow), self.output, self.table);
        let sink = Sink::create(Target::Batches(rows), of_sink)?;
        let mut summary = pipeline::run(inputs, &client, options, sink).await?;
        summary.warnings.extend(lowered);
        summary.warnings.extend(cache.and_then(|cache| cache.problem()));
        lock::write(self.keep, lock.as_deref(), &Ending::from(&summary), &host.progress)?;
        Ok(summary)
    }

    fn session(&self) -> Session {
        let session = Session::begin(&self.output.end.show, self.run.deadline, self.output.end.report.is_some());
        session.warn_of(self.http);
        session
    }

    async fn run(&self, prepared: Prepared, inputs: Inputs, session: &Session) -> Result<u8> {
        let Prepared { output, client, mut options, cache, lowered } = prepared;
        let lock = lock::of_run(self.keep, &inputs).inspect_err(|_| session.progress.finish())?;
        options.run.lock.clone_from(&lock);
        let partials = options.partials.clone();
        options.run.observer = session.observer();
        options.run.cancel = session.signals.token().clone();
        let held = (self.keep.locked && output.is_stdout()).then(HeldBack::new).transpose()?;
        let writer = held.as_ref().map(HeldBack::writer).transpose()?;
        let own = output.path().and_then(|path| inputs.name_of(path));
        let sink = output.open(writer, &session.progress)?;
        let total = inputs.len();
        let mut summary = match self.read(&inputs, &client, options, sink, session).await {
            Ok(Ok(summary)) => summary,
            Ok(Err(code)) => return Ok(code),
            Err(error) => {
                session.progress.finish();
                session.say_partials(partials.as_deref());
                // Ctrl-C ends the reader of the pipe too.
                let stop = session.signals.stop().filter(|_| super::is_broken_pipe(&error));
                return stop.map_or_else(|| Err(name_output(&output, error)), |stop| Ok(stop.code()));
            }
        };
        summary.warnings.extend(lowered);
        summary.warnings.extend(own.map(|name| {
            format!("{name}: this input is also the output, so the rows that were there come again: name its inputs one by one")
        }));
        let ending = Ending::from(&summary);
        if let Some(held) = held.filter(|_| summary.written.is_some()) {
            session.progress.finish();
            held.release()?;
        }
        session.conclude(&ending, total);
        session.say_limit(&summary, total);
        let counts = self.table.ask.count;
        session.say_table(&summary, self.input, counts, &output, partials.as_deref());
        session.say_cache(cache.as_ref());
        lock::write(self.keep, lock.as_deref(), &ending, &session.progress)?;
        let code = exit::of_ending(&ending, session.signals.stop());
        if let Some(path) = &self.output.end.failed_to {
            report::write_failed(path, &ending, inputs)?;
        }
        if let Some(path) = &self.output.end.report {
            let recording = session.recorder.as_ref().map(|recorder| recorder.recording()).unwrap_or_default();
            report::write(path, self.command, &summary, &recording, output.name(), code)?;
        }
        metrics::write(self.output.end.metrics.as_deref(), self.command, &ending, total, code)?;
        Ok(code)
    }
}

impl Job<'_> {
    /// Reads the inputs into the sink: here, or on a fleet. Returns the exit code if a fleet goes on without us.
    async fn read(
        &self,
        inputs: &Inputs,
        client: &Client,
        options: pipeline::Options,
        sink: Sink,
        #[cfg_attr(not(feature = "fleet"), expect(unused_variables, reason = "only a fleet has more to say"))]
        session: &Session,
    ) -> Result<Result<pipeline::Summary, u8>> {
        #[cfg(feature = "fleet")]
        if self.fleet.nats.nats.is_some() {
            return Box::pin(self.submission().run(inputs.clone(), options, sink, session)).await;
        }
        Box::pin(pipeline::run(inputs.clone(), client, options, sink)).await.map(Ok)
    }

    #[cfg(feature = "fleet")]
    fn submission(&self) -> super::fleet::Submission<'_> {
        super::fleet::Submission {
            fleet: self.fleet,
            run: self.run,
            http: self.http,
            keep: self.keep,
            null: self.table.dialect.null.as_deref().unwrap_or_default(),
        }
    }
}

/// Adds the path of the output to an error of the sink.
fn name_output(output: &Output, error: Error) -> Error {
    match (output.name(), error.kind()) {
        (Some(name), Kind::Io) => error.input(name),
        _ => error,
    }
}
