//! `raudal compare`: its workloads, each with its own options.

use super::{
    EditionArg, FalseyValueParser, HttpArgs, ITER_WHERE, LimitArgs, OUTPUT, OriginArgs, ShowArgs, at_least_one, jobs,
    with_hint,
};
use clap::{Args, Subcommand, ValueHint};
use raudal::pipeline::Jobs;
use raudal::units::{parse_bytes, parse_duration};
use raudal::workload::{Latency, SyncMode};
use std::path::PathBuf;
use std::time::Duration;

const LEVELS: &str = "Comparing";

#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct CompareArgs {
    #[command(subcommand)]
    pub(crate) workload: WorkloadArgs,
}

// It is built once in a run, so its size does not matter.
#[allow(clippy::large_enum_variant)]
#[derive(Debug, Subcommand)]
#[command(subcommand_value_name = "WORKLOAD", subcommand_help_heading = "Workloads", disable_help_subcommand = true)]
pub(crate) enum WorkloadArgs {
    /// Make one table of the 32 ITER archives
    #[command(after_help = "\
Examples:
  raudal compare iter -j 1,10 -r 3
  raudal compare iter -j 1,2,4,8,16 --latency 200ms --export-markdown levels.md
  raudal compare iter -j 1,8,auto                    the level that auto finds, beside fixed ones
  raudal compare iter --entities 01-08 --scale 0.1   smaller and faster")]
    Iter(IterWork),
    /// Run four I/O-bound operations: a file, an API call, a database query, a download
    #[command(after_help = "\
Examples:
  raudal compare mixed --pace 0.1                  ten times faster
  raudal compare mixed -j 1,2,4 -r 1 -w 0          10.2 s in sequence, 4.6 s all at once

The work is real. raudal writes 1 MiB, syncs it and reads it back; calls the API of the embedded
origin; queries SQLite; downloads a zip over a slow link, unpacks it and reads it. The API call, the
query and the link take the given times. The file and the zip wait for the rest of their times.")]
    Mixed(MixedWork),
    /// Query a database over a pool of connections, or write with SQLite's single writer
    #[command(after_help = "\
Examples:
  raudal compare database -j 1,5,20                no gain from more jobs than connections
  raudal compare database -j 1,10 --connections 10 --latency lognormal:50ms,0.5
  raudal compare database --write                  no gain from concurrency with one writer
  RAUDAL_DATABASE=postgres://me:secret@host/name raudal compare database

LATENCY is a time (50ms), uniform:10ms..90ms, or lognormal:50ms,0.5 (median and spread).
SQLite holds its cursor open for the latency; PostgreSQL calls pg_sleep. Nothing is created on a server.
Give the URL in the variable: other users of the machine can read your command line.")]
    Database(DatabaseWork),
    /// Write files, sync them, read them back and check them
    #[command(after_help = "\
Examples:
  raudal compare files -j 1,4,16 --sync all
  raudal compare files --sync none                 nothing to wait for, so little to gain
  raudal compare files --files 16 --size 4MiB --temp-dir /mnt/disk")]
    Files(FilesWork),
    /// Make small API calls to the embedded origin, over persistent connections
    #[command(after_help = "\
Examples:
  raudal compare requests -j 1,10,40
  raudal compare requests -j 1,8,auto
  raudal compare requests --requests 200 --latency uniform:10ms..90ms

LATENCY is a time (50ms), uniform:10ms..90ms, or lognormal:50ms,0.5 (median and spread).")]
    Requests(RequestsWork),
    /// Only sleep: the ideal, and what the toolkit itself costs
    #[command(after_help = "\
Examples:
  raudal compare sleep -j 1,10,40
  raudal compare sleep --sleeps 10000 --latency 1ms -j 100,10000

LATENCY is a time (50ms), uniform:10ms..90ms, or lognormal:50ms,0.5 (median and spread).")]
    Sleep(SleepWork),
}

/// The levels of a workload that can find one by itself.
#[derive(Debug, Args)]
pub(crate) struct AutoArgs {
    /// Compare these numbers of jobs in flight; auto raises its limit, up to 64, while throughput grows
    #[arg(short = 'j', long = "jobs", value_name = "LEVELS", value_delimiter = ',', default_value = "1,10", value_parser = jobs, env = "RAUDAL_LEVELS", help_heading = LEVELS)]
    pub(crate) levels: Vec<Jobs>,
}

/// The levels of a workload whose jobs no host answers.
#[derive(Debug, Args)]
pub(crate) struct FixedArgs {
    /// Compare these numbers of jobs in flight
    #[arg(short = 'j', long = "jobs", value_name = "LEVELS", value_delimiter = ',', default_value = "1,10", value_parser = fixed, env = "RAUDAL_LEVELS", help_heading = LEVELS)]
    pub(crate) levels: Vec<Jobs>,
}

/// The levels of the workload with four jobs.
#[derive(Debug, Args)]
pub(crate) struct FourArgs {
    /// Compare these numbers of jobs in flight
    #[arg(short = 'j', long = "jobs", value_name = "LEVELS", value_delimiter = ',', default_value = "1,4", value_parser = fixed, env = "RAUDAL_LEVELS", help_heading = LEVELS)]
    pub(crate) levels: Vec<Jobs>,
}

/// What every workload is compared by.
#[derive(Debug, Args)]
pub(crate) struct LevelArgs {
    /// Measure each level N times
    #[arg(short, long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000), env = "RAUDAL_RUNS", help_heading = LEVELS)]
    pub(crate) runs: u32,
    /// Measure each level at least N times, and more while the means are uncertain
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000), conflicts_with = "runs", env = "RAUDAL_MIN_RUNS", help_heading = LEVELS)]
    pub(crate) min_runs: Option<u32>,
    /// Run each level N times first, without counting
    #[arg(short, long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(0..=1000), env = "RAUDAL_WARMUP", help_heading = LEVELS)]
    pub(crate) warmup: u32,
    /// Write the figures as JSON, with every run; `-` is standard output
    #[arg(long, value_name = "FILE", env = "RAUDAL_EXPORT_JSON", help_heading = OUTPUT, value_hint = ValueHint::FilePath)]
    pub(crate) export_json: Option<PathBuf>,
    /// Write the figures as a Markdown table; `-` is standard output
    #[arg(long, value_name = "FILE", env = "RAUDAL_EXPORT_MARKDOWN", help_heading = OUTPUT, value_hint = ValueHint::FilePath)]
    pub(crate) export_markdown: Option<PathBuf>,
    /// Write the figures as CSV, one row per run; `-` is standard output
    #[arg(long, value_name = "FILE", env = "RAUDAL_EXPORT_CSV", help_heading = OUTPUT, value_hint = ValueHint::FilePath)]
    pub(crate) export_csv: Option<PathBuf>,
    /// Write a page that shows which job ran when at each level, with the figures
    #[arg(long, visible_alias = "export-html", value_name = "FILE.html", env = "RAUDAL_TIMELINE", help_heading = OUTPUT, value_hint = ValueHint::FilePath)]
    pub(crate) timeline: Option<PathBuf>,
    /// Write a trace for Perfetto or Chrome's tracing page
    #[arg(long, value_name = "FILE.json", env = "RAUDAL_TRACE", help_heading = OUTPUT, value_hint = ValueHint::FilePath)]
    pub(crate) trace: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) show: ShowArgs,
}

#[derive(Debug, Args)]
pub(crate) struct IterWork {
    /// Fetch only these entities: codes and ranges, such as 01,09,14-16
    #[arg(long, value_name = "LIST", env = "RAUDAL_ENTITIES")]
    pub(crate) entities: Option<String>,
    /// Fetch this one of INEGI's two editions
    #[arg(long, value_enum, default_value_t = EditionArg::Microdatos, env = "RAUDAL_EDITION")]
    pub(crate) edition: EditionArg,
    /// Fetch from this base URL, or from the embedded origin with `embedded`
    #[arg(long, value_name = "URL|embedded", default_value = "embedded", env = "RAUDAL_MIRROR")]
    pub(crate) mirror: String,
    /// Keep only the rows that match this expression over the columns; empty keeps all
    #[arg(long = "where", value_name = "EXPR", default_value = ITER_WHERE, env = "RAUDAL_WHERE")]
    pub(crate) filter: String,
    #[command(flatten)]
    pub(crate) jobs: AutoArgs,
    #[command(flatten)]
    pub(crate) levels: LevelArgs,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    #[command(flatten)]
    pub(crate) http: HttpArgs,
    #[command(flatten)]
    pub(crate) origin: OriginArgs,
}

#[derive(Debug, Args)]
pub(crate) struct MixedWork {
    /// Multiply all times by X: 0.1 for a tenth
    #[arg(long, value_name = "X", default_value_t = 1.0, env = "RAUDAL_PACE")]
    pub(crate) pace: f64,
    /// Make the file take this time
    #[arg(long, value_name = "TIME", default_value = "3.1s", value_parser = parse_duration, env = "RAUDAL_FILE_TIME")]
    pub(crate) file_time: Duration,
    /// Make the API call take this time
    #[arg(long, value_name = "TIME", default_value = "0.28s", value_parser = parse_duration, env = "RAUDAL_API_TIME")]
    pub(crate) api_time: Duration,
    /// Make the database query take this time
    #[arg(long, value_name = "TIME", default_value = "2.2s", value_parser = parse_duration, env = "RAUDAL_QUERY_TIME")]
    pub(crate) query_time: Duration,
    /// Make the download of the zip take this time, unpacking included
    #[arg(long, value_name = "TIME", default_value = "4.6s", value_parser = parse_duration, env = "RAUDAL_ZIP_TIME")]
    pub(crate) zip_time: Duration,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    #[command(flatten)]
    pub(crate) jobs: FourArgs,
    #[command(flatten)]
    pub(crate) levels: LevelArgs,
}

#[derive(Debug, Args)]
pub(crate) struct DatabaseWork {
    /// Run N queries
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = at_least_one, env = "RAUDAL_QUERIES")]
    pub(crate) queries: usize,
    #[command(flatten)]
    pub(crate) latency: LatencyArgs,
    /// Open N connections in the pool, so that up to N queries run at once
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = at_least_one, env = "RAUDAL_CONNECTIONS")]
    pub(crate) connections: usize,
    /// Write instead of reading, in transactions that wait for SQLite's single writer
    #[arg(long, env = "RAUDAL_WRITE", value_parser = FalseyValueParser::new())]
    pub(crate) write: bool,
    /// Use a PostgreSQL server: postgres://user:password@host:5432/name [default: SQLite, embedded]
    #[arg(long, value_name = "URL", env = "RAUDAL_DATABASE", hide_env_values = true)]
    pub(crate) database: Option<String>,
    #[command(flatten)]
    pub(crate) timeout: TimeoutArgs,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    #[command(flatten)]
    pub(crate) jobs: FixedArgs,
    #[command(flatten)]
    pub(crate) levels: LevelArgs,
}

#[derive(Debug, Args)]
pub(crate) struct FilesWork {
    /// Write N files
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = at_least_one, env = "RAUDAL_FILES")]
    pub(crate) files: usize,
    /// Make each file this large
    #[arg(long, value_name = "SIZE", default_value = "64KiB", value_parser = parse_bytes, env = "RAUDAL_SIZE")]
    pub(crate) size: u64,
    /// Sync each file: none (stays in memory), data (contents to disk) or all (contents and metadata to disk)
    #[arg(long, value_name = "HOW", default_value = "data", value_parser = sync_mode, env = "RAUDAL_SYNC")]
    pub(crate) sync: SyncMode,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    #[command(flatten)]
    pub(crate) jobs: FixedArgs,
    #[command(flatten)]
    pub(crate) levels: LevelArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RequestsWork {
    /// Make N calls
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = at_least_one, env = "RAUDAL_REQUESTS")]
    pub(crate) requests: usize,
    #[command(flatten)]
    pub(crate) latency: LatencyArgs,
    #[command(flatten)]
    pub(crate) timeout: TimeoutArgs,
    #[command(flatten)]
    pub(crate) jobs: AutoArgs,
    #[command(flatten)]
    pub(crate) levels: LevelArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SleepWork {
    /// Sleep N times
    #[arg(long, value_name = "N", default_value_t = 40, value_parser = at_least_one, env = "RAUDAL_SLEEPS")]
    pub(crate) sleeps: usize,
    #[command(flatten)]
    pub(crate) latency: LatencyArgs,
    #[command(flatten)]
    pub(crate) jobs: FixedArgs,
    #[command(flatten)]
    pub(crate) levels: LevelArgs,
}

#[derive(Debug, Args)]
pub(crate) struct LatencyArgs {
    /// Make each job take this time: a time, uniform:FROM..TO or lognormal:MEDIAN,SPREAD
    #[arg(long, value_name = "LATENCY", default_value = "50ms", value_parser = latency, env = "RAUDAL_LATENCY")]
    pub(crate) latency: Latency,
    /// Seed the random latencies: the same seed gives the same ones, at every level and in every run
    #[arg(long, value_name = "N", default_value_t = 0, env = "RAUDAL_SEED")]
    pub(crate) seed: u64,
}

#[derive(Debug, Args)]
pub(crate) struct TimeoutArgs {
    /// Give up on a job that takes longer, including its waits
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = parse_duration, env = "RAUDAL_TIMEOUT")]
    pub(crate) timeout: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct PlaceArgs {
    /// Create the temporary folder here; it is removed at the end [default: the system's folder]
    #[arg(long, value_name = "DIR", env = "RAUDAL_TEMP_DIR", value_hint = ValueHint::DirPath)]
    pub(crate) temp_dir: Option<PathBuf>,
}

/// Parses a level of a workload that offers nothing for `auto` to measure.
fn fixed(text: &str) -> Result<Jobs, String> {
    match text {
        "auto" => Err("only the workloads iter and requests take auto; give numbers, such as 1,10".to_owned()),
        _ => at_least_one(text).map(Jobs::Most),
    }
}

fn latency(text: &str) -> Result<Latency, String> {
    text.parse().map_err(|error| with_hint(&error))
}

fn sync_mode(text: &str) -> Result<SyncMode, String> {
    text.parse().map_err(|error| with_hint(&error))
}
