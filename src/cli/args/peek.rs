//! The arguments of `raudal peek`.

use super::dialect::DialectArgs;
use super::http::HttpArgs;
use super::shared::{BoundArgs, NameArgs};
use super::{ARCHIVES, OUTPUT, RUN, TABLE};
use clap::builder::FalseyValueParser;
use clap::{Args, ValueEnum, ValueHint};
use raudal::units::parse_bytes;

pub(super) const HELP: &str = "\
Examples:
  raudal peek https://example.org/archive.zip        its members, and the first rows of one
  raudal peek outer.zip --member '2020.zip!/**'      what is in an archive within it
  raudal peek report.xlsx --sheet 2                  another sheet
  raudal peek https://example.org/data/              the links on a page
  raudal peek data/                                  the files in a folder
  raudal peek export.txt --format json               for programs

The last line of the output is the command that reads the table. raudal fetches only the beginning
of the data and the directories of archives, as ranges if the server supports them. It verifies
nothing.";

#[derive(Debug, Args)]
pub(crate) struct PeekArgs {
    /// A URL, a local file, a folder, a glob, or `-` for standard input
    #[arg(value_name = "SOURCE", value_hint = ValueHint::AnyPath)]
    pub(crate) source: String,
    /// Show this many rows, up to 1,000
    #[arg(long, value_name = "N", default_value_t = 5, env = "RAUDAL_ROWS", help_heading = OUTPUT)]
    pub(crate) rows: usize,
    /// Show all members, columns, links and files, not only the first ones
    #[arg(long, env = "RAUDAL_ALL", value_parser = FalseyValueParser::new(), help_heading = OUTPUT)]
    pub(crate) all: bool,
    /// Print text for people, or JSON for programs, which always has everything
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = PeekFormat::Text, env = "RAUDAL_PEEK_FORMAT", help_heading = OUTPUT)]
    pub(crate) format: PeekFormat,
    /// Fetch no more of a URL than this
    #[arg(long, value_name = "SIZE", default_value = "1MB", value_parser = parse_bytes, env = "RAUDAL_MAX_FETCH", help_heading = RUN)]
    pub(crate) max_fetch: u64,
    /// Retry up to N times, if a retry may help
    #[arg(long, value_name = "N", default_value_t = 3, env = "RAUDAL_RETRIES", help_heading = RUN)]
    pub(crate) retries: usize,
    /// Look at the member of an archive that matches this glob; in an inner archive: 'inner.zip!/**/*.csv'
    #[arg(long, value_name = "GLOB", env = "RAUDAL_MEMBER", help_heading = ARCHIVES)]
    pub(crate) member: Option<String>,
    /// Look at this sheet of an Excel workbook: its name, or its position from 1
    #[arg(long, value_name = "NAME", env = "RAUDAL_SHEET", help_heading = TABLE)]
    pub(crate) sheet: Option<String>,
    #[command(flatten)]
    pub(crate) names: NameArgs,
    #[command(flatten)]
    pub(crate) bounds: BoundArgs,
    #[command(flatten)]
    pub(crate) dialect: DialectArgs,
    #[command(flatten)]
    pub(crate) http: HttpArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PeekFormat {
    Text,
    Json,
}
