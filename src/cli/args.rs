//! The command line: every option, its environment variable and its help.

// Users read these doc comments on a terminal, so they have no backticks, and brackets are no links.
#![allow(clippy::doc_markdown, rustdoc::broken_intra_doc_links, rustdoc::invalid_html_tags, rustdoc::bare_urls)]

mod ask;
mod compare;
mod dialect;
#[cfg(feature = "fleet")]
mod fleet;
mod get;
mod http;
mod keep;
mod output;
mod peek;
mod serve;
mod shared;

pub(crate) use ask::AskArgs;
pub(crate) use compare::{
    CompareArgs, DatabaseWork, FilesWork, IterWork, LevelArgs, MixedWork, RequestsWork, SleepWork, WorkloadArgs,
};
pub(crate) use dialect::{DialectArgs, RaggedArg, RepeatedHeaderArg};
#[cfg(feature = "fleet")]
pub(crate) use fleet::{FleetArgs, NatsArgs, RunsArgs, RunsCommand, WorkerArgs};
pub(crate) use get::GetCommand;
pub(crate) use http::HttpArgs;
pub(crate) use keep::{CacheArgs, CacheCommand, KeepArgs};
pub(crate) use output::OutputArgs;
pub(crate) use peek::{PeekArgs, PeekFormat};
pub(crate) use serve::{OriginArgs, ServeArgs};
pub(crate) use shared::{BoundArgs, EndArgs, NameArgs, ShowArgs, SourceArgs, VerifyArgs};

use clap::builder::FalseyValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use raudal::catalogue::{Edition, iter_2020};
use raudal::fetch::RetryOn;
use raudal::pipeline::Jobs;
use raudal::units::{parse_bytes, parse_duration, parse_rate};
use std::time::Duration;

/// Runs I/O-bound jobs concurrently, and shows what concurrency bought.
#[derive(Debug, Parser)]
#[command(name = "raudal", version, about, max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = "\
Examples:
  raudal iter --mirror embedded                 the 32 ITER archives, synthetic, without a network
  raudal table a.csv.gz b.zip --where 'x > 3'   CSVs, plain, compressed or in archives, to one table
  raudal peek https://example.org/a.zip         what is in it, and the command that reads it
  raudal get -i urls.txt -d files -c            verified files, resumed after an interruption
  raudal compare iter -j 1,10                   sequential against concurrent, measured fairly

Every option has an environment variable: RAUDAL_RETRY_MAX_TIME for --retry-max-time, and so on.
A raudal.toml holds defaults for a project: raudal config show.

Exit codes: 0 success; 2 usage; 3 some inputs failed; 4 all failed, trying again may help;
5 all failed, trying again will not help; 6 integrity; 7 data; 8 local input or output;
124 deadline; 130/143 interrupted")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make one table of the 32 ITER 2020 census archives of INEGI
    #[command(after_help = "\
Examples:
  raudal iter                                    from inegi.org.mx
  raudal iter --mirror embedded                  from synthetic archives, without a network
  raudal iter --entities 01,09,14-16 -o out.csv  some of the entities, to a file
  raudal iter --where 'MUN != 0 and LOC == 0'    the municipalities instead of the entities
  raudal iter --mirror http://127.0.0.1:8000/    from any base URL

Keys are zero-padded text. A filter compares them as numbers; the output keeps the zeros.")]
    Iter(IterArgs),
    /// Make one table of CSV files and Excel sheets, plain, compressed or in archives
    #[command(after_help = "\
Examples:
  raudal table 'https://example.org/ITER_[01-32]_2020_csv.zip' --where 'MUN != 0 and LOC == 0' \\
      --select ENTIDAD,MUN,NOM_MUN,POBTOT
  raudal table a.csv b.csv.gz c.zip --format jsonl
  raudal table -i urls.txt --source-column file -o all.csv
  raudal table outer.zip --member '2020.zip!/**/*.csv'
  raudal table https://example.org/data/ --links '*.csv'
  raudal table report.xlsx --sheet 'Población 2020'

A SOURCE is a URL, a URL pattern ([01-32], [a-z], {a,b}; escape with a backslash), a local file, a
glob for local files ('data/**/*.csv'), or - for standard input.

A --where knows ==, !=, <, and, or, not, in [..], between, like, ilike, starts with, is null,
~ and !~ (regular expressions), + - * /, lower(), unaccent() and date '2020-03-01'.
A null cell is neither equal nor unequal to anything: != does not keep it,
'x != 5 or x is null' does.

Grouping, joins and sorting are tasks for DuckDB and polars: docs/recipes.md shows how.")]
    Table(TableCommand),
    /// Look at an input: members, columns, first rows, and the command that reads it
    #[command(after_help = peek::HELP)]
    Peek(PeekArgs),
    /// Download files to a folder; a file gets its name once it is verified
    #[command(after_help = "\
Examples:
  raudal get 'https://example.org/ITER_[01-32]_2020_csv.zip' -d archives
  raudal get -i urls.txt -d archives --continue --checksums SHA256SUMS
  raudal get -i urls.txt -d archives --update     only what has changed, every night
  raudal get https://example.org/a.zip --extract='**/*.csv'

The name of a file comes from the list (URL, TAB, name), else from the server (Content-Disposition),
else from the end of the URL. Two inputs never share a name: --directories and --name tell them apart.
A file is downloaded to NAME.….part in the folder, and renamed once it is verified.
stdout gets the path of each complete file (with --extract, of its folder), in input order; on a
terminal only with -v.")]
    Get(GetCommand),
    /// Compare a workload at several levels of concurrency, measured fairly
    #[command(after_help = "\
Examples:
  raudal compare iter -j 1,10 -r 3               on the embedded origin, with a realistic latency
  raudal compare mixed --pace 0.1                a file, an API, a database, a zip, ten times faster
  raudal compare database -j 1,5,20              no gain from more jobs than connections
  raudal compare database --write                no gain from more jobs with SQLite's single writer
  raudal compare sleep -j 1,10,100               the ideal: what the toolkit itself costs

raudal compare WORKLOAD --help lists the options of a workload.")]
    Compare(CompareArgs),
    /// Serve synthetic ITER archives over HTTP: the embedded origin
    #[command(after_help = serve::HELP)]
    Serve(ServeArgs),
    /// Work for runs of other machines, on NATS JetStream
    #[cfg(feature = "fleet")]
    #[command(after_help = "\
Examples:
  raudal worker --nats nats://a,b,c                      public hosts only, no files of this machine
  raudal worker --nats nats://a --allow '*.example.org'  one domain only

Give the logins of hosts to the workers (netrc, --header): they are never sent.")]
    Worker(WorkerArgs),
    /// List, watch, cancel or forget the runs of a fleet
    #[cfg(feature = "fleet")]
    Runs(RunsArgs),
    /// Show or empty the cache that --cache fills
    Cache(CacheArgs),
    /// Show the configuration: the value of each option, and where it comes from
    #[command(after_help = "\
Examples:
  raudal config show                             the files, and what differs from the defaults
  raudal config show compare iter                all options of a command

A raudal.toml in this folder or one above it is for a project, $XDG_CONFIG_HOME/raudal/config.toml is yours.
Names are those of options: retries = 5 for all commands, or below [table] for one. An option of the
command line wins over its environment variable, that over the project's file, that over yours.
RAUDAL_NO_CONFIG=1 reads no file.")]
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print a manual page, or write all of them to a folder
    #[command(after_help = "\
Examples:
  raudal man compare iter | man -l -             one page
  raudal man --dir ~/.local/share/man/man1       a page for each command")]
    Man {
        /// The command, such as `compare iter` [default: raudal itself]
        #[arg(value_name = "COMMAND")]
        command: Vec<String>,
        /// Write a page for each command to this folder
        #[arg(long, value_name = "DIR", env = "RAUDAL_MAN_DIR", conflicts_with = "command", value_hint = clap::ValueHint::DirPath)]
        dir: Option<std::path::PathBuf>,
    },
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Show the value of each option, and where it comes from
    Show {
        /// The command, such as `compare iter` [default: all, without what is as usual]
        #[arg(value_name = "COMMAND")]
        command: Vec<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct IterArgs {
    /// Fetch only these entities: codes and ranges, such as 01,09,14-16
    #[arg(long, value_name = "LIST", env = "RAUDAL_ENTITIES")]
    pub(crate) entities: Option<String>,
    /// Fetch this one of INEGI's two editions
    #[arg(long, value_enum, default_value_t = EditionArg::Microdatos, env = "RAUDAL_EDITION")]
    pub(crate) edition: EditionArg,
    /// Fetch from this base URL, or from the embedded origin with `embedded` [default: inegi.org.mx]
    #[arg(long, value_name = "URL|embedded", env = "RAUDAL_MIRROR")]
    pub(crate) mirror: Option<String>,
    /// Keep only the rows that match this expression over the columns; empty keeps all
    #[arg(long = "where", value_name = "EXPR", allow_hyphen_values = true, default_value = ITER_WHERE, env = "RAUDAL_WHERE", help_heading = TABLE)]
    pub(crate) filter: String,
    #[command(flatten)]
    pub(crate) origin: OriginArgs,
    #[command(flatten)]
    pub(crate) table: TableArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) verify: VerifyArgs,
    #[command(flatten)]
    pub(crate) keep: KeepArgs,
    #[command(flatten)]
    pub(crate) run: RunArgs,
    #[command(flatten)]
    pub(crate) http: HttpArgs,
    #[cfg(feature = "fleet")]
    #[command(flatten)]
    pub(crate) fleet: FleetArgs,
}

/// The default filter of `iter` and `compare iter`: the total row of each entity.
pub(crate) const ITER_WHERE: &str = "MUN == 0 and LOC == 0";

#[derive(Debug, Args)]
pub(crate) struct TableCommand {
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Keep only the rows that match this expression over the columns, such as 'MUN == 0 and POBTOT > 1000'
    #[arg(long = "where", value_name = "EXPR", allow_hyphen_values = true, default_value = "", hide_default_value = true, env = "RAUDAL_WHERE", help_heading = TABLE)]
    pub(crate) filter: String,
    /// The seed of --sample: the same seed gives the same rows [default: 0]
    #[arg(long, value_name = "N", requires = "sample", env = "RAUDAL_SEED", help_heading = TABLE)]
    pub(crate) seed: Option<u64>,
    #[command(flatten)]
    pub(crate) table: TableArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) verify: VerifyArgs,
    #[command(flatten)]
    pub(crate) keep: KeepArgs,
    #[command(flatten)]
    pub(crate) run: RunArgs,
    #[command(flatten)]
    pub(crate) http: HttpArgs,
    #[cfg(feature = "fleet")]
    #[command(flatten)]
    pub(crate) fleet: FleetArgs,
}

const TABLE: &str = "Table";
const ARCHIVES: &str = "Archives";
const OUTPUT: &str = "Output";
const RUN: &str = "Running";
const HTTP: &str = "HTTP";

#[derive(Debug, Args)]
pub(crate) struct TableArgs {
    /// Write only these columns, in this order: names, VPH_* (a pattern), ENTIDAD..LOC (a range), !NOM_* (all but these), POBTOT as people, "a name, with a comma"
    #[arg(long, value_name = "COLS", env = "RAUDAL_SELECT", help_heading = TABLE)]
    pub(crate) select: Vec<String>,
    #[command(flatten)]
    pub(crate) ask: AskArgs,
    /// Read only the members of an archive that match this glob: '**/data/*.csv'; in an inner archive: 'inner.zip!/**/*.csv'
    #[arg(long, value_name = "GLOB", env = "RAUDAL_MEMBER", help_heading = TABLE)]
    pub(crate) member: Option<String>,
    /// Read this sheet of an Excel workbook: its name, or its position from 1 [default: the only one with cells]
    #[arg(long, value_name = "NAME", env = "RAUDAL_SHEET", help_heading = TABLE)]
    pub(crate) sheet: Option<String>,
    #[command(flatten)]
    pub(crate) names: NameArgs,
    /// Prepend a column with this name that holds the source of each row
    #[arg(long, value_name = "NAME", env = "RAUDAL_SOURCE_COLUMN", help_heading = TABLE)]
    pub(crate) source_column: Option<String>,
    #[command(flatten)]
    pub(crate) dialect: DialectArgs,
    #[command(flatten)]
    pub(crate) bounds: BoundArgs,
    /// Refuse fields that are longer than this
    #[arg(long, value_name = "SIZE", value_parser = parse_bytes, env = "RAUDAL_MAX_FIELD_SIZE", help_heading = TABLE, hide_short_help = true)]
    pub(crate) max_field_size: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Process up to N inputs at once; auto raises the limit of each host, up to 64, while throughput grows
    #[arg(short, long, value_name = "N|auto", default_value = "auto", value_parser = jobs, env = "RAUDAL_JOBS", help_heading = RUN)]
    pub(crate) jobs: Jobs,
    /// Process one input after the other, the same as -j 1
    #[arg(long, env = "RAUDAL_SEQUENTIAL", value_parser = FalseyValueParser::new(), conflicts_with = "jobs", help_heading = RUN)]
    pub(crate) sequential: bool,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    /// Stop at the first input that fails after all retries
    #[arg(long, env = "RAUDAL_FAIL_FAST", value_parser = FalseyValueParser::new(), conflicts_with = "max_failures", help_heading = RUN)]
    pub(crate) fail_fast: bool,
    /// Stop once N inputs have failed after all retries
    #[arg(long, value_name = "N", value_parser = at_least_one, env = "RAUDAL_MAX_FAILURES", help_heading = RUN)]
    pub(crate) max_failures: Option<usize>,
    /// Stop the run after this time, finished or not
    #[arg(long, value_name = "TIME", value_parser = parse_duration, env = "RAUDAL_DEADLINE", help_heading = RUN)]
    pub(crate) deadline: Option<Duration>,
}

#[derive(Debug, Args)]
pub(crate) struct LimitArgs {
    /// Process up to N inputs of one host at once [default: the limit of -j]
    #[arg(long, value_name = "N", value_parser = at_least_one, env = "RAUDAL_PER_HOST", help_heading = RUN)]
    pub(crate) per_host: Option<usize>,
    /// Start no more transfers than this, such as 5/s or 30/min
    #[arg(long, value_name = "RATE", value_parser = parse_rate, env = "RAUDAL_RATE", help_heading = RUN)]
    pub(crate) rate: Option<f64>,
    /// Retry up to N times, if a retry may help; keep retrying while a download makes progress
    #[arg(long, value_name = "N", default_value_t = 3, env = "RAUDAL_RETRIES", help_heading = RUN)]
    pub(crate) retries: usize,
    /// Retry on these statuses, classes and causes, but not on those after `!`, such as 429,5xx,!501,timeout
    #[arg(long, value_name = "LIST", value_parser = str::parse::<RetryOn>, env = "RAUDAL_RETRY_ON", help_heading = RUN)]
    pub(crate) retry_on: Option<RetryOn>,
    /// Wait up to this time before the first retry; the limit doubles with each retry, up to 30 s
    #[arg(long, value_name = "TIME", default_value = "500ms", value_parser = parse_duration, env = "RAUDAL_RETRY_DELAY", help_heading = RUN)]
    pub(crate) retry_delay: Duration,
    /// Do not retry an input once this time has passed since its first attempt
    #[arg(long, value_name = "TIME", value_parser = parse_duration, env = "RAUDAL_RETRY_MAX_TIME", help_heading = RUN)]
    pub(crate) retry_max_time: Option<Duration>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum EditionArg {
    /// One CSV in each archive
    Microdatos,
    /// The CSV in a folder, beside catalogues and metadata
    Datosabiertos,
}

impl From<EditionArg> for Edition {
    fn from(edition: EditionArg) -> Self {
        match edition {
            EditionArg::Microdatos => iter_2020::MICRODATOS,
            EditionArg::Datosabiertos => iter_2020::DATOS_ABIERTOS,
        }
    }
}

/// Adds the hint to the message, since clap shows only the message.
fn with_hint(error: &raudal::Error) -> String {
    super::wording::options(&error.hint_text().map_or(error.to_string(), |hint| format!("{error}; {hint}")))
}

fn jobs(text: &str) -> Result<Jobs, String> {
    text.parse().map_err(|error| with_hint(&error))
}

/// Reads the variable of a switch. An empty one is not set.
pub(crate) fn yes_or_no(text: &str) -> Result<bool, String> {
    match text.to_lowercase().as_str() {
        "1" | "true" | "yes" | "on" | "y" | "t" => Ok(true),
        "0" | "false" | "no" | "off" | "n" | "f" | "" => Ok(false),
        _ => Err("the variable of a switch is 1, true, yes or on; or 0, false, no, off or empty".to_owned()),
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(0) => Err("it must be at least 1".to_owned()),
        Ok(n) => Ok(n),
        Err(_) => Err("not a whole number".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_option_has_its_environment_variable() {
        fn check(command: &clap::Command) {
            for arg in command.get_arguments().filter(|arg| !arg.is_positional()) {
                let name = arg.get_id().as_str();
                assert!(
                    ["help", "version"].contains(&name) || arg.get_env().is_some(),
                    "{} --{name} has no variable",
                    command.get_name()
                );
            }
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }
}
