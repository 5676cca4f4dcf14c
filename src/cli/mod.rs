//! The command line: turns arguments into calls of the library, and the outcome into an exit code.
//!
//! [`main()`] is the whole program. It is in the library, so that the Python package offers the
//! command from the same code that its functions use: a second binary would double its size.
//! [`host`] has the commands for a program that shows their results itself.

mod args;
mod beside_bars;
mod cache;
mod command_line;
mod compare;
mod config;
mod dialect;
mod ending;
mod exit;
#[cfg(feature = "fleet")]
mod fleet;
mod get;
pub mod host;
mod host_run;
mod inputs;
mod limits;
mod links;
mod lock;
mod man;
mod metrics;
mod output;
mod parse;
mod peek;
mod peek_report;
mod plan;
mod report;
mod session;
mod setup;
mod show_config;
mod signals;
mod suggest;
mod table;
mod wording;
mod workloads;

use args::{Cli, Command, ConfigCommand, ServeArgs};
use clap::CommandFactory;
use parse::Refused;
use raudal::error::Error;
use raudal::origin::Origin;
use raudal::progress::{Progress, Style, Verbosity};
use session::Session;
use std::ffi::OsString;
use std::io::Write;
use std::time::Duration;

/// Runs the command that the arguments ask for, and returns its exit code. The first argument is
/// the name of the program.
///
/// It raises the limit on open files, and handles SIGINT and SIGTERM from then on.
///
/// ```
/// assert_eq!(raudal::cli::main(["raudal", "table"]), 2); // no source
/// ```
pub fn main<A: Into<OsString> + Clone>(args: impl IntoIterator<Item = A>) -> u8 {
    let (cli, matches) = match parse::parse(command(), args.into_iter().map(Into::into).collect(), &[]) {
        Ok(parsed) => parsed,
        Err(Refused::Config(error)) => {
            Session::say_error(&Progress::new(Style::None, Verbosity::Quiet), &error);
            return exit::of_error(&error);
        }
        Err(Refused::Clap(error)) => {
            // With --help, this is the help. A closed stream is not an error, because nobody reads.
            let _ = error.print();
            return u8::try_from(error.exit_code()).unwrap_or(exit::FAULT);
        }
    };
    #[cfg_attr(not(feature = "fleet"), expect(unused_mut, reason = "a fleet needs more than the parsed arguments"))]
    let mut given = cli.command;
    #[cfg(feature = "fleet")]
    fleet::remember(&mut given, &matches);
    #[cfg(not(feature = "fleet"))]
    drop(matches);
    limits::raise();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start the runtime: {error}");
            return exit::FAULT;
        }
    };
    let code = runtime.block_on(run(given));
    // A thread that is blocked in a write to a pipe that nobody reads must not keep the program
    // alive.
    runtime.shutdown_timeout(Duration::from_millis(200));
    code
}

/// Builds the command line. The help names the environment variables, but not their values, which
/// may be secret. The variable of a switch says yes or no: clap would take `maybe` for yes.
fn command() -> clap::Command {
    fn complete(command: clap::Command) -> clap::Command {
        let arg = |arg: clap::Arg| {
            let is_switch = matches!(arg.get_action(), clap::ArgAction::SetTrue);
            let arg = arg.hide_env_values(true);
            if is_switch { arg.value_parser(args::yes_or_no) } else { arg }
        };
        command.mut_args(arg).mut_subcommands(complete)
    }
    complete(Cli::command())
}

async fn run(given: Command) -> u8 {
    let metrics = metrics::Metrics::of(&given);
    let done = match given {
        Command::Iter(args) => table::iter(args).await,
        // Its options are many.
        Command::Table(args) => Box::pin(table::table(args)).await,
        Command::Peek(args) => Box::pin(peek::peek(args)).await,
        Command::Get(args) => get::get(args).await,
        Command::Compare(args) => workloads::compare(args, compare::ShownBy::Command).await,
        Command::Serve(args) => serve(&args).await,
        Command::Cache(args) => cache::cache(&args),
        #[cfg(feature = "fleet")]
        Command::Worker(args) => fleet::worker(args).await,
        #[cfg(feature = "fleet")]
        Command::Runs(args) => fleet::runs(args).await,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command(), "raudal", &mut script);
            print(&script)
        }
        Command::Config { command: ConfigCommand::Show { command: names } } => show_config::show(&command(), &names),
        Command::Man { command: names, dir } => man::man(command(), &names, dir.as_deref()),
    };
    match done {
        Ok(code) => code,
        // The reader of our output has closed the pipe: `| head -1` is not a failure.
        Err(error) if is_broken_pipe(&error) => 0,
        Err(error) => {
            let progress = Progress::new(Style::None, Verbosity::Quiet);
            Session::say_error(&progress, &error);
            if let Some(Err(also)) = metrics.map(|metrics| metrics.add_error(&error))
                && also.to_string() != error.to_string()
            {
                Session::say_error(&progress, &also);
            }
            exit::of_error(&error)
        }
    }
}

async fn serve(args: &ServeArgs) -> Result<u8, Error> {
    let signals = signals::Signals::watch(None, || ());
    let origin = Origin::bind(args.listen, setup::origin_options(&args.origin)?).await?;
    print(format!("{}\n", origin.url()).as_bytes())?;
    eprintln!("serving synthetic ITER archives on {} (Ctrl-C stops)", origin.url());
    signals.token().cancelled().await;
    origin.shutdown().await;
    Ok(signals.stop().map_or(0, exit::Stop::code))
}

/// Writes to stdout and flushes it, so that an error shows before the exit code is chosen.
fn print(bytes: &[u8]) -> Result<u8, Error> {
    let mut stdout = std::io::stdout().lock();
    stdout
        .write_all(bytes)
        .and_then(|()| stdout.flush())
        .map_err(|error| Error::io("cannot write to standard output", error))?;
    Ok(0)
}

fn is_broken_pipe(error: &Error) -> bool {
    std::error::Error::source(error)
        .and_then(|source| source.downcast_ref::<std::io::Error>())
        .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}
