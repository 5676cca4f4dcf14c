//! The options that several commands share: inputs, verification and messages.

use super::{ARCHIVES, OUTPUT, RUN};
use clap::builder::{FalseyValueParser, OsStringValueParser, TypedValueParser};
use clap::{Args, ValueHint};
use raudal::source::Location;
use raudal::units::parse_bytes;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(crate) struct SourceArgs {
    /// URLs (http, https, s3, gs, az), URL patterns, local files or globs to read; `-` is standard input
    #[arg(value_name = "SOURCE", required_unless_present = "input", value_hint = ValueHint::AnyPath, value_parser = OsStringValueParser::new().try_map(|argument| source(&argument)))]
    pub(crate) sources: Vec<String>,
    /// Read sources from this file, or from stdin with `-`: one per line, optional TAB and name, `#` comments
    #[arg(short, long, value_name = "FILE", env = "RAUDAL_INPUT", value_hint = ValueHint::FilePath)]
    pub(crate) input: Option<PathBuf>,
    /// Read each source as an HTML page, and fetch the links on it that match this glob, such as '*.csv' or '2020/*.zip'
    #[arg(long, value_name = "GLOB", env = "RAUDAL_LINKS")]
    pub(crate) links: Option<String>,
    /// Also fetch links to other hosts than that of their page
    #[arg(long, env = "RAUDAL_LINKS_ANY_HOST", value_parser = FalseyValueParser::new(), requires = "links")]
    pub(crate) links_any_host: bool,
    /// Refuse a list with a bad line, before anything is fetched [default: the line fails, the others go on]
    #[arg(long, env = "RAUDAL_STRICT_LIST", value_parser = FalseyValueParser::new())]
    pub(crate) strict_list: bool,
}

/// Returns the text of a source. A path that is not UTF-8, as a shell gives for an old file, becomes a `file:` URL: its
/// bytes stay.
fn source(argument: &OsStr) -> Result<String, String> {
    let path = Path::new(argument);
    Location::text_of(path).ok_or_else(|| format!("not a path: {}", path.display()))
}

/// How the names of members are read.
#[derive(Debug, Args)]
pub(crate) struct NameArgs {
    /// The encoding of members' names that are not UTF-8, such as cp850 [default: cp437]
    #[arg(long = "member-encoding", value_name = "LABEL", env = "RAUDAL_MEMBER_ENCODING", help_heading = ARCHIVES)]
    pub(crate) member_encoding: Option<String>,
}

/// What an archive may cost at most.
#[derive(Debug, Args)]
pub(crate) struct BoundArgs {
    /// Refuse archives with more members than this
    #[arg(long = "max-members", value_name = "N", env = "RAUDAL_MAX_MEMBERS", help_heading = ARCHIVES, hide_short_help = true)]
    pub(crate) members: Option<u64>,
    /// Refuse members that decompress to more than this
    #[arg(long = "max-member-size", value_name = "SIZE", value_parser = parse_bytes, env = "RAUDAL_MAX_MEMBER_SIZE", help_heading = ARCHIVES, hide_short_help = true)]
    pub(crate) member_size: Option<u64>,
    /// Refuse members that decompress to more than N times their size
    #[arg(long = "max-ratio", value_name = "N", env = "RAUDAL_MAX_RATIO", help_heading = ARCHIVES, hide_short_help = true)]
    pub(crate) ratio: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// Verify inputs against this list of SHA-256 checksums, in the format of sha256sum; refuse inputs that it lacks
    #[arg(long, value_name = "FILE", env = "RAUDAL_CHECKSUMS", help_heading = RUN, value_hint = ValueHint::FilePath)]
    pub(crate) checksums: Option<PathBuf>,
}

/// What a run leaves behind, and what it says on its way.
#[derive(Debug, Args)]
pub(crate) struct EndArgs {
    /// Write a report of the run and of each job, as JSON
    #[arg(long, value_name = "FILE", env = "RAUDAL_REPORT", help_heading = OUTPUT, value_hint = ValueHint::FilePath)]
    pub(crate) report: Option<PathBuf>,
    /// Add the figures of the run to FILE.prom, as Prometheus text for the textfile collector of node_exporter
    #[arg(long, value_name = "FILE.prom", env = "RAUDAL_METRICS", help_heading = OUTPUT, value_hint = ValueHint::FilePath)]
    pub(crate) metrics: Option<PathBuf>,
    /// Write the inputs that failed or were not reached, as a list for --input
    #[arg(long, value_name = "FILE", env = "RAUDAL_FAILED_TO", help_heading = OUTPUT, value_hint = ValueHint::FilePath)]
    pub(crate) failed_to: Option<PathBuf>,
    /// Show what would be done, without fetching anything
    #[arg(short = 'n', long, env = "RAUDAL_DRY_RUN", value_parser = FalseyValueParser::new(), help_heading = OUTPUT)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) show: ShowArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// Show progress as auto, bar, plain, json or none
    #[arg(long, value_name = "STYLE", default_value = "auto", value_parser = str::parse::<raudal::progress::Style>, env = "RAUDAL_PROGRESS", help_heading = OUTPUT)]
    pub(crate) progress: raudal::progress::Style,
    /// Print only errors: no warnings, no progress, no summary
    #[arg(short, long, env = "RAUDAL_QUIET", value_parser = FalseyValueParser::new(), conflicts_with = "verbose", help_heading = OUTPUT)]
    pub(crate) quiet: bool,
    /// Print more, such as each retry and each pause; on a terminal, get also prints the path of each file
    #[arg(short, long, env = "RAUDAL_VERBOSE", value_parser = FalseyValueParser::new(), help_heading = OUTPUT)]
    pub(crate) verbose: bool,
}
