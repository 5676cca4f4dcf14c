//! The command line: turns arguments into calls of the library, and the outcome into an exit code.

mod args;
mod beside_bars;
mod cache;
mod compare;
mod dialect;
mod ending;
mod exit;
mod get;
mod inputs;
mod limits;
mod lock;
mod output;
mod plan;
mod report;
mod session;
mod setup;
mod signals;
mod suggest;
mod table;
mod wording;
mod workloads;

use args::{Cli, Command, ServeArgs};
use clap::{CommandFactory, FromArgMatches};
use raudal::error::Error;
use raudal::origin::Origin;
use raudal::progress::{Progress, Style, Verbosity};
use session::Session;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

/// Runs the command that the arguments ask for.
pub(crate) fn main() -> ExitCode {
    // Exits here with code 2 on a usage error, and with 0 on --help.
    let matches = command().try_get_matches().unwrap_or_else(|error| suggest::better(error, &command()).exit());
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    limits::raise();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start the runtime: {error}");
            return ExitCode::from(1);
        }
    };
    let code = runtime.block_on(run(cli.command));
    // A thread that is blocked in a write to a pipe that nobody reads must not keep the program
    // alive.
    runtime.shutdown_timeout(Duration::from_millis(200));
    ExitCode::from(code)
}

/// Builds the command line. The help states the one rule for environment variables and hides the
/// single ones: clap would also show their values, which may be secret.
fn command() -> clap::Command {
    fn hide(command: clap::Command) -> clap::Command {
        command.mut_args(|arg| arg.hide_env(true)).mut_subcommands(hide)
    }
    hide(Cli::command())
}

async fn run(given: Command) -> u8 {
    let done = match given {
        Command::Iter(args) => table::iter(args).await,
        Command::Table(args) => table::table(args).await,
        Command::Get(args) => get::get(args).await,
        Command::Compare(args) => workloads::compare(args).await,
        Command::Serve(args) => serve(&args).await,
        Command::Cache(args) => cache::cache(&args),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command(), "raudal", &mut script);
            print(&script)
        }
        Command::Man => {
            let mut page = Vec::new();
            clap_mangen::Man::new(command())
                .render(&mut page)
                .map_err(|error| Error::io("cannot write the manual page", error))
                .and_then(|()| print(&page))
        }
    };
    match done {
        Ok(code) => code,
        // The reader of our output has closed the pipe: `| head -1` is not a failure.
        Err(error) if is_broken_pipe(&error) => 0,
        Err(error) => {
            Session::say_error(&Progress::new(Style::None, Verbosity::Quiet), &error);
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
