//! The commands for a program that hosts them, such as the Python package: the same options, in the
//! same words, but the host shows the progress and takes the result.
//!
//! The arguments are those of the command line. Their environment variables count too, but for the
//! options that say where a result goes: a host decides that itself.

use super::args::Command;
use super::compare::ShownBy;
use super::ending::Ending;
pub use super::host_run::Host;
use super::inputs::Inputs;
use super::parse::Refused;
#[cfg(feature = "arrow")]
use super::table;
use super::{cache, command, get as files_of, limits, links, lock, parse, setup, workloads};
use clap::ArgAction;
use raudal::compare::Comparison;
use raudal::fetch::Client;
use raudal::origin::Origin;
use raudal::pipeline::{Summary, files};
#[cfg(feature = "arrow")]
use raudal::table::BatchSink;
use raudal::{Error, Kind, Result};
use std::ffi::OsString;
use std::sync::OnceLock;

/// The options that say where a result goes and how a run is shown. A host has no use for them.
const OF_THE_TERMINAL: [&str; 18] = [
    "append",
    "bom",
    "dry_run",
    "export_csv",
    "export_json",
    "export_markdown",
    "failed_to",
    "format",
    "metrics",
    "no_truncate",
    "output",
    "progress",
    "quiet",
    "report",
    "table",
    "timeline",
    "trace",
    "verbose",
];

/// An option of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HostOption {
    /// Its name on the command line, without the dashes.
    pub name: String,
    /// How values are given.
    pub takes: Takes,
    /// One sentence of help.
    pub help: String,
}

/// How the values of an option are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Takes {
    /// None: it is on or off.
    Nothing,
    /// One. Several are joined with commas.
    One,
    /// Any number: the option is repeated.
    Many,
    /// None or one.
    Maybe,
}

/// Returns the options of a command that a host may give, such as those of `["table"]` or
/// `["compare", "iter"]`.
///
/// # Errors
///
/// [`Kind::Usage`] for a command that does not exist.
///
/// ```
/// use raudal::cli::host::{Takes, options};
///
/// let options = options(&["table"])?;
/// let jobs = options.iter().find(|option| option.name == "jobs").unwrap();
/// assert_eq!(jobs.takes, Takes::One);
/// assert!(!options.iter().any(|option| option.name == "output"));
/// # Ok::<(), raudal::Error>(())
/// ```
pub fn options(names: &[&str]) -> Result<Vec<HostOption>> {
    let mut found = command();
    for name in names {
        let next = found.find_subcommand(name).cloned();
        found = next.ok_or_else(|| Error::usage(format!("no such command: {name}")))?;
    }
    let of_host = |arg: &&clap::Arg| !arg.is_positional() && !OF_THE_TERMINAL.contains(&arg.get_id().as_str());
    let described = |arg: &clap::Arg| HostOption {
        name: arg.get_long().unwrap_or_default().to_owned(),
        takes: match arg.get_action() {
            ArgAction::SetTrue => Takes::Nothing,
            ArgAction::Append => Takes::Many,
            _ if arg.get_num_args().is_some_and(|count| count.min_values() == 0) => Takes::Maybe,
            _ => Takes::One,
        },
        help: arg.get_help().map(ToString::to_string).unwrap_or_default(),
    };
    Ok(found.get_arguments().filter(of_host).map(described).collect())
}

/// Makes one table of any inputs: `raudal table`. `args` are its arguments. `rows` gets the table as
/// record batches.
///
/// If the run is cancelled, `rows` has the complete inputs up to the first that is not. With
/// `--locked`, the rows count only if [`Summary::written`] is there.
///
/// # Errors
///
/// As [`pipeline::run`](raudal_pipeline::run()), and [`Kind::Usage`] for the arguments.
#[cfg(feature = "arrow")]
pub async fn table(host: &Host, args: Vec<OsString>, rows: Box<dyn BatchSink>) -> Result<Summary> {
    match parse(&["table"], args)? {
        Command::Table(args) => table::table_for(host, args, rows).await,
        _ => Err(another()),
    }
}

/// Makes one table of the ITER archives: `raudal iter`. Otherwise like [`table()`].
///
/// # Errors
///
/// As [`table()`]; [`Kind::Cancelled`] if it is cancelled before the first transfer.
#[cfg(feature = "arrow")]
pub async fn iter(host: &Host, args: Vec<OsString>, rows: Box<dyn BatchSink>) -> Result<Summary> {
    match parse(&["iter"], args)? {
        Command::Iter(args) => table::iter_for(host, args, rows).await,
        _ => Err(another()),
    }
}

/// Downloads inputs to files of a folder: `raudal get`.
///
/// # Errors
///
/// As [`files::run()`], and [`Kind::Usage`] for the arguments.
pub async fn get(host: &Host, args: Vec<OsString>) -> Result<files::Summary> {
    let Command::Get(args) = parse(&["get"], args)? else { return Err(another()) };
    let inputs = Inputs::parse(&args.source)?;
    let links = links::wanted(&args.source)?;
    let mut options = files_of::options(&args)?;
    args.http.refuse_table_header()?;
    let mut of_client = setup::fetch_options(&args.http)?;
    of_client.cache = cache::of_run(&args.keep)?;
    let client = Client::new(&of_client)?;
    let (deadline, run) = (args.run.deadline, &options.run);
    let inputs = links::follow(links.as_ref(), inputs, &client, run, deadline, &host.progress).await?;
    if args.source.strict_list {
        files::check(inputs.clone(), options.name.as_ref())?;
    }
    let lock = lock::of_run(&args.keep, &inputs)?;
    options.run.hosts = cache::hosts(&args.keep);
    let lowered = limits::lower(&mut options.run, files_of::transfers(&args), false);
    options.run.lock.clone_from(&lock);
    options.run.observer = host.progress.observer();
    options.run.cancel = host.cancel.clone();
    host.warn_of(&args.http);
    let run = Box::pin(files::run(inputs, &client, options, |_| Ok(())));
    let mut summary = host.until(args.run.deadline, run).await?;
    summary.warnings.extend(lowered);
    summary.warnings.extend(of_client.cache.and_then(|cache| cache.problem()));
    lock::write(&args.keep, lock.as_deref(), &Ending::from(&summary), &host.progress)?;
    Ok(summary)
}

/// Compares a workload at several levels: `raudal compare`. The first argument is the workload.
///
/// # Errors
///
/// As [`compare::compare`](raudal_compare::compare()), and [`Kind::Usage`] for the arguments.
pub async fn compare(host: &Host, args: Vec<OsString>) -> Result<Comparison> {
    let Command::Compare(args) = parse(&["compare"], args)? else { return Err(another()) };
    let result = OnceLock::new();
    workloads::compare(args, ShownBy::Host(host, &result)).await?;
    result.into_inner().ok_or_else(another)
}

/// Starts the embedded origin: `raudal serve`.
///
/// # Errors
///
/// [`Kind::Usage`] for the arguments, [`Kind::Io`] for an address that is not available.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> raudal::Result<()> {
/// let origin = raudal::cli::host::serve(vec!["--latency=80ms".into()]).await?;
/// assert!(origin.url().starts_with("http://127.0.0.1:"));
/// # Ok(())
/// # }
/// ```
pub async fn serve(args: Vec<OsString>) -> Result<Origin> {
    let Command::Serve(args) = parse(&["serve"], args)? else { return Err(another()) };
    Origin::bind(args.listen, setup::origin_options(&args.origin)?).await
}

fn parse(names: &[&str], args: Vec<OsString>) -> Result<Command> {
    fn silence(command: clap::Command) -> clap::Command {
        let of_terminal = |arg: clap::Arg| {
            if OF_THE_TERMINAL.contains(&arg.get_id().as_str()) { arg.env(None::<&'static str>) } else { arg }
        };
        command.mut_args(of_terminal).mut_subcommands(silence)
    }
    let words = ["raudal"].iter().chain(names).map(OsString::from).chain(args).collect();
    parse::parse(silence(command()), words, &OF_THE_TERMINAL).map(|(cli, _)| cli.command).map_err(|refused| {
        let error = match refused {
            Refused::Config(error) => return error,
            Refused::Clap(error) => error,
        };
        // The first paragraph says what is wrong, one with a tip what may help; the rest is about the
        // help of the command line.
        let text = error.render().to_string();
        let mut paragraphs = text.split("\n\n").map(|lines| lines.lines().map(str::trim).collect::<Vec<_>>().join(" "));
        let wrong = paragraphs.next().unwrap_or_default();
        let refused = Error::usage(wrong.trim_start_matches("error: ").to_owned());
        match paragraphs.find_map(|paragraph| paragraph.strip_prefix("tip: ").map(str::to_owned)) {
            Some(tip) => refused.hint(tip),
            None => refused,
        }
    })
}

fn another() -> Error {
    Error::new(Kind::Internal, "the arguments are those of another command")
}
