//! Runs over many machines: `--nats` of `table`, `iter` and `get`, `raudal worker`, `raudal runs`.

use super::args::{Cli, Command, FleetArgs, HttpArgs, KeepArgs, NatsArgs, RunArgs, RunsArgs, RunsCommand, WorkerArgs};
use super::exit::Stop;
use super::session::Session;
use super::signals::Signals;
use super::{print, setup};
use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, FromArgMatches};
use raudal::fleet::{self, Broker, Ended, Login, Parts, Prepared, SubmitOptions, WorkerOptions, WorkerStatus};
use raudal::pipeline::{Options, files};
use raudal::progress::Peer;
use raudal::source::Input;
use raudal::table::Sink;
use raudal::{Error, Kind, Result};
use std::fmt::Write as _;
use std::io::IsTerminal;
use std::sync::Arc;

/// The options of a run that a worker needs. Nothing in them is secret, and nothing is a file of the
/// submitter.
const SENT: [&str; 33] = [
    "filter",
    "select",
    "columns_mode",
    "fold_names",
    "count",
    "member",
    "sheet",
    "member_encoding",
    "delimiter",
    "quote",
    "escape",
    "comment",
    "skip_rows",
    "columns",
    "footer",
    "trim",
    "ragged",
    "repeated_header",
    "decimal",
    "thousands",
    "encoding",
    "null",
    "members",
    "member_size",
    "ratio",
    "max_field_size",
    "retries",
    "retry_on",
    "retry_delay",
    "retry_max_time",
    "connect_timeout",
    "read_timeout",
    "allow_http",
];
/// Those that a worker may replace by its own.
const SENT_UNLESS_GIVEN: [&str; 3] = ["user_agent", "contact", "http2"];

/// Keeps what the parsed arguments do not say: which of them were given.
pub(crate) fn remember(command: &mut Command, matches: &ArgMatches) {
    let Some((name, matches)) = matches.subcommand() else { return };
    match command {
        Command::Iter(args) => args.fleet.spec = spec(name, matches),
        Command::Table(args) => args.fleet.spec = spec(name, matches),
        Command::Get(args) => args.fleet.spec = spec(name, matches),
        Command::Worker(args) => {
            let given = |id: &&str| matches.value_source(id).is_some_and(|source| source != ValueSource::DefaultValue);
            let own = SENT.iter().chain(&SENT_UNLESS_GIVEN).filter(|id| matches.try_contains_id(id).unwrap_or(false));
            args.given = own.copied().filter(|id| given(id)).map(str::to_owned).collect();
        }
        _ => {}
    }
}

/// Writes the options that workers need as arguments of `raudal table`.
fn spec(name: &str, matches: &ArgMatches) -> Vec<String> {
    let command = super::command();
    let Some(command) = command.find_subcommand(name) else { return Vec::new() };
    let mut words = Vec::new();
    for arg in command.get_arguments() {
        let (id, Some(long)) = (arg.get_id().as_str(), arg.get_long()) else { continue };
        let values = || matches.get_raw(id).into_iter().flatten().filter_map(|value| value.to_str());
        if id == "headers" {
            // The line of a table's header has no colon. Headers of requests may be secret, and are refused.
            words.extend(values().filter(|value| !value.contains(':')).map(|value| format!("--{long}={value}")));
        }
        if !SENT.contains(&id) && !SENT_UNLESS_GIVEN.contains(&id) {
            continue;
        }
        // `iter` has another default for the filter than `table`.
        let is_default = matches.value_source(id).is_none_or(|source| source == ValueSource::DefaultValue);
        if is_default && id != "filter" {
            continue;
        }
        match arg.get_action() {
            ArgAction::SetTrue if matches.get_flag(id) => words.push(format!("--{long}")),
            ArgAction::SetTrue => {}
            _ => words.extend(values().map(|value| format!("--{long}={value}"))),
        }
    }
    words
}

/// Refuses what would have no effect on the workers, or would send them a secret.
fn check(http: &HttpArgs, keep: &KeepArgs) -> Result<()> {
    let at_workers = [
        ("--header", !http.http_headers().is_empty()),
        ("--proxy", http.proxy.is_some()),
        ("--insecure", http.insecure),
        ("--cacert", http.cacert.is_some()),
        ("--cert", http.cert.is_some()),
        ("--netrc-file", http.netrc_file.is_some()),
        ("--no-netrc", http.no_netrc),
        ("--limit-rate", http.limit_rate.is_some()),
    ];
    if let Some((option, _)) = at_workers.iter().find(|(_, given)| *given) {
        return Err(Error::usage(format!("with --nats, this option belongs to each worker: {option}"))
            .hint(format!("start the workers with it: raudal worker {option} …")));
    }
    let caches = keep.cache || keep.cache_dir.is_some() || keep.refresh || keep.offline;
    if caches {
        return Err(Error::usage("with --nats, this option has no effect yet: --cache").hint("leave it out"));
    }
    Ok(())
}

/// A run that is to be spread over a fleet.
pub(crate) struct Submission<'a> {
    pub(crate) fleet: &'a FleetArgs,
    pub(crate) run: &'a RunArgs,
    pub(crate) http: &'a HttpArgs,
    pub(crate) keep: &'a KeepArgs,
    /// The cells that are null, if the command has a default of its own.
    pub(crate) null: &'a [String],
}

impl Submission<'_> {
    /// Checks what needs no network.
    pub(crate) fn check(&self) -> Result<()> {
        if self.fleet.nats.nats.is_some() { check(self.http, self.keep) } else { Ok(()) }
    }

    /// Runs it. Returns the exit code instead of a summary if the run goes on without us.
    pub(crate) async fn run<In>(
        &self,
        inputs: In,
        options: Options,
        sink: Sink,
        session: &Session,
    ) -> Result<Result<raudal::pipeline::Summary, u8>>
    where
        In: Iterator<Item = Input> + Clone + Send + 'static,
    {
        let (broker, submit) = self.begin(session).await?;
        let ended = Box::pin(fleet::submit(&broker, inputs, options, sink, submit)).await?;
        self.end(&broker, ended, session).await
    }

    /// Runs it for files.
    pub(crate) async fn run_files<In>(
        &self,
        inputs: In,
        options: files::Options,
        tell: impl FnMut(&files::Saved) -> Result<()>,
        session: &Session,
    ) -> Result<Result<files::Summary, u8>>
    where
        In: Iterator<Item = Input> + Clone + Send + 'static,
    {
        let (broker, submit) = self.begin(session).await?;
        let ended = Box::pin(fleet::submit_files(&broker, inputs, options, tell, submit)).await?;
        self.end(&broker, ended, session).await
    }

    async fn begin(&self, session: &Session) -> Result<(Broker, SubmitOptions)> {
        let broker = connect(&self.fleet.nats, "raudal submitter").await?;
        let mut submit = SubmitOptions::default();
        submit.parts = self.fleet.parts.clone().unwrap_or(Parts::Nats);
        submit.run.clone_from(&self.fleet.run);
        submit.spec.clone_from(&self.fleet.spec);
        if !submit.spec.iter().any(|word| word.starts_with("--null=")) {
            submit.spec.extend(self.null.iter().map(|cell| format!("--null={cell}")));
        }
        let jobs = if self.run.sequential { Some(1) } else { self.run.jobs.number() };
        submit.open = jobs.unwrap_or(submit.open);
        submit.per_host = self.run.limits.per_host.unwrap_or_else(|| jobs.unwrap_or(usize::MAX).min(submit.per_host));
        submit.lease = self.fleet.lease;
        submit.deliveries = u32::try_from(self.fleet.deliveries).unwrap_or(u32::MAX);
        submit.detach = self.fleet.detach;
        submit.chunk = self.fleet.chunk;
        let progress = session.progress.clone();
        submit.say = Arc::new(move |text| progress.note(text));
        let progress = session.progress.clone();
        submit.watch = Arc::new(move |workers| progress.peers(&workers.iter().map(peer).collect::<Vec<_>>()));
        Ok((broker, submit))
    }

    async fn end<S: std::fmt::Debug>(
        &self,
        broker: &Broker,
        ended: Ended<S>,
        session: &Session,
    ) -> Result<Result<S, u8>> {
        match ended {
            Ended::Merged(summary) => Ok(Ok(*summary)),
            Ended::Left { run, done, chunks, .. } => {
                session.progress.finish();
                self.leave(broker, &run, (done, chunks), session).await.map(Err)
            }
            other => Err(Error::new(Kind::Internal, format!("an end that is not known: {other:?}"))),
        }
    }

    /// Says how to go on, or cancels the run. Returns the exit code.
    async fn leave(&self, broker: &Broker, run: &str, (done, all): (usize, usize), session: &Session) -> Result<u8> {
        let progress = &session.progress;
        let stop = session.signals.stop();
        if stop == Some(Stop::Deadline) || stop == Some(Stop::Interrupt) && wants_to_cancel(run).await {
            fleet::cancel(broker, run).await?;
            let why = stop.map_or("", Stop::words);
            progress.error(&format!("{why}: the run was cancelled, {done} of {all} chunks done: {run}"));
            progress.error("  hint: the same command resumes the run; raudal runs forget removes it");
        } else {
            let why = stop.map_or(String::new(), |stop| format!("{}: ", stop.words()));
            progress.error(&format!("{why}the run goes on, {done} of {all} chunks done: {run}"));
            progress.error(&format!(
                "  hint: the same command {}merges it; raudal runs cancel {run} ends it",
                if self.fleet.detach { "without --detach " } else { "" }
            ));
        }
        Ok(stop.map_or(0, Stop::code))
    }
}

/// What is shown of a worker.
fn peer(worker: &WorkerStatus) -> Peer {
    let mut peer = Peer::default();
    (peer.name, peer.host) = (worker.worker.clone(), worker.host.clone());
    (peer.running, peer.inputs, peer.failed) = (worker.running, worker.inputs, worker.failed);
    (peer.rows, peer.bytes) = (worker.rows, worker.bytes);
    peer
}

/// Asks on a terminal whether the run is to end. A second Ctrl-C keeps it.
async fn wants_to_cancel(run: &str) -> bool {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return false;
    }
    eprint!("keep the run {run} going on the workers? [Y/n] ");
    let answer = tokio::task::spawn_blocking(|| {
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map(|_| line)
    });
    matches!(answer.await, Ok(Ok(line)) if line.trim().to_ascii_lowercase().starts_with('n'))
}

async fn connect(args: &NatsArgs, name: &str) -> Result<Broker> {
    let Some(servers) = &args.nats else {
        return Err(Error::usage("no address of NATS").hint("give it with --nats nats://host:4222"));
    };
    let mut login = Login::default();
    login.servers.clone_from(servers);
    login.credentials.clone_from(&args.nats_creds);
    login.nkey.clone_from(&args.nats_nkey);
    login.ca.clone_from(&args.nats_ca);
    (login.cert, login.key) = (args.nats_cert.clone(), args.nats_key.clone());
    Broker::connect(&login, name).await
}

/// `raudal worker`.
pub(crate) async fn worker(args: WorkerArgs) -> Result<u8> {
    args.http.refuse_table_header()?;
    let signals = Signals::watch(None, || ());
    let broker = connect(&args.nats, "raudal worker").await?;
    let mut options = WorkerOptions::default();
    options.name = args.name.clone().unwrap_or(options.name);
    options.slots = args.jobs;
    options.allow = args.allow.clone().unwrap_or_default();
    options.parts.clone_from(&args.parts);
    options.drain = args.drain;
    let name = options.name.clone();
    options.say = Arc::new(move |text| eprintln!("{name}: {}", super::wording::options(text)));
    // What is wrong with the options of this machine is said now, not with the first run.
    let own = setup::fetch_options(&args.http)?;
    eprintln!("{}: waits for runs on {}", options.name, args.nats.nats.as_deref().map(shown).unwrap_or_default());
    let given = args.given;
    let build = move |spec: &[String]| prepare(spec, own.clone(), &given);
    fleet::work(broker, options, Arc::new(build), signals.token().clone()).await?;
    Ok(signals.stop().map_or(0, Stop::code))
}

fn shown(servers: &str) -> String {
    servers.split(',').map(raudal::error::redact).collect::<Vec<_>>().join(",")
}

/// Parses what a run asks for as `raudal table` does, without the environment of this machine.
fn prepare(spec: &[String], own: raudal::fetch::Options, given: &[String]) -> Result<Prepared> {
    let command = super::command().mut_subcommand("table", |table| table.mut_args(|arg| arg.env(None::<&str>)));
    let words = ["raudal", "table"].into_iter().chain(spec.iter().map(String::as_str)).chain(["x"]);
    let unknown = |error: clap::Error| {
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        Error::new(Kind::Unsupported, "this worker does not know an option of the run").because(first)
    };
    let cli =
        command.try_get_matches_from(words).and_then(|matches| Cli::from_arg_matches(&matches)).map_err(unknown)?;
    let Command::Table(args) = cli.command else {
        return Err(Error::new(Kind::Internal, "the words of a run are those of another command"));
    };
    let mut table = Options::default();
    table.query = setup::query(&args.table, &args.http, &args.filter, None)?;
    table.run = setup::limits(&args.run.limits);
    let mut fetch = own;
    let is_own = |id: &str| given.iter().any(|own| own == id);
    if !is_own("connect_timeout") {
        fetch.connect_timeout = args.http.connect_timeout;
    }
    if !is_own("read_timeout") {
        fetch.read_timeout = args.http.read_timeout;
    }
    if !is_own("user_agent") {
        fetch.user_agent = args.http.user_agent;
    }
    if !is_own("contact") {
        fetch.contact = args.http.contact;
    }
    fetch.http2 |= args.http.http2;
    fetch.allow_http |= args.http.allow_http;
    Ok(Prepared::new(fetch, table))
}

/// `raudal runs`.
pub(crate) async fn runs(args: RunsArgs) -> Result<u8> {
    let broker = connect(&args.nats, "raudal runs").await?;
    let mut lines = String::new();
    match args.command {
        RunsCommand::List => {
            let number = |number: Option<usize>| number.map_or_else(|| "?".to_owned(), |number| number.to_string());
            for run in fleet::runs(&broker).await? {
                let state = format!("{:?}", run.state).to_lowercase();
                let (done, open) = (number(run.done), number(run.open));
                let (name, chunks, inputs, from, parts) = (run.run, run.chunks, run.inputs, run.from, run.parts);
                let _ = writeln!(lines, "{name}\t{state}\t{done}\t{chunks}\t{open}\t{inputs}\t{from}\t{parts}");
            }
        }
        RunsCommand::Workers => {
            for one in fleet::workers(&broker).await? {
                let (name, version, slots, running) = (one.worker, one.raudal, one.slots, one.running);
                let (inputs, bytes, host) = (one.inputs, one.bytes, one.host);
                let _ = writeln!(lines, "{name}\t{version}\t{slots}\t{running}\t{inputs}\t{bytes}\t{host}");
            }
        }
        RunsCommand::Watch { run } => {
            let signals = Signals::watch(None, || ());
            let show = |line: &str| {
                // A reader that is gone ends the program with the next line.
                let _ = print(format!("{line}\n").as_bytes());
            };
            let watched = signals.token().run_until_cancelled(Box::pin(fleet::watch(&broker, &run, show))).await;
            watched.transpose()?;
            return Ok(signals.stop().map_or(0, Stop::code));
        }
        RunsCommand::Serve { listen } => {
            let signals = Signals::watch(None, || ());
            let ready = |address| {
                print(format!("http://{address}/\n").as_bytes())?;
                eprintln!("a page of the fleet on http://{address}/ (Ctrl-C stops)");
                Ok(())
            };
            fleet::serve(&broker, listen, ready, signals.token().clone()).await?;
            return Ok(signals.stop().map_or(0, Stop::code));
        }
        RunsCommand::Cancel { run } => fleet::cancel(&broker, &run).await?,
        RunsCommand::Forget { run } => fleet::forget(&broker, &run).await?,
    }
    print(lines.as_bytes())
}
