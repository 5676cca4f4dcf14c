//! The options of `raudal get`.

use super::{ARCHIVES, BoundArgs, EndArgs, HttpArgs, KeepArgs, NameArgs, OUTPUT, RunArgs, SourceArgs, VerifyArgs};
use clap::builder::FalseyValueParser;
use clap::{Args, ValueHint};
use std::path::PathBuf;

#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
#[derive(Debug, Args)]
pub(crate) struct GetCommand {
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    /// Write the files to this folder, creating it if it is missing
    #[arg(short, long, value_name = "DIR", default_value = ".", env = "RAUDAL_DIR", help_heading = OUTPUT, value_hint = ValueHint::DirPath)]
    pub(crate) dir: PathBuf,
    /// Resume partial downloads, and keep partial files; implies --skip-existing
    #[arg(short = 'c', long = "continue", env = "RAUDAL_CONTINUE", value_parser = FalseyValueParser::new(), conflicts_with = "overwrite", help_heading = OUTPUT)]
    pub(crate) resume: bool,
    /// Treat an existing file as already downloaded [default: the input fails]
    #[arg(long, env = "RAUDAL_SKIP_EXISTING", value_parser = FalseyValueParser::new(), conflicts_with = "overwrite", help_heading = OUTPUT)]
    pub(crate) skip_existing: bool,
    /// Fetch only what has changed since the last run, and set the time of files to the server's, as wget -N does
    #[arg(long, env = "RAUDAL_UPDATE", value_parser = FalseyValueParser::new(), conflicts_with_all = ["overwrite", "skip_existing"], help_heading = OUTPUT)]
    pub(crate) update: bool,
    /// Name files by host and path, in folders, as wget -x does: the same as --name '{host}/{path}'
    #[arg(long, env = "RAUDAL_DIRECTORIES", value_parser = FalseyValueParser::new(), conflicts_with = "name", help_heading = OUTPUT)]
    pub(crate) directories: bool,
    /// Name files by this template: {host}, {path}, {name} (its usual name), {n:04} (its position, with zeros up to four digits)
    #[arg(long, value_name = "TEMPLATE", env = "RAUDAL_NAME", help_heading = OUTPUT)]
    pub(crate) name: Option<String>,
    /// Replace existing files
    #[arg(long, env = "RAUDAL_OVERWRITE", value_parser = FalseyValueParser::new(), help_heading = OUTPUT)]
    pub(crate) overwrite: bool,
    /// Extract each zip or tar archive to a folder with its name: all members, or those that match --extract=GLOB
    #[arg(long, value_name = "GLOB", num_args = 0..=1, require_equals = true, default_missing_value = "", env = "RAUDAL_EXTRACT", help_heading = ARCHIVES)]
    pub(crate) extract: Option<String>,
    #[command(flatten)]
    pub(crate) names: NameArgs,
    #[command(flatten)]
    pub(crate) bounds: BoundArgs,
    #[command(flatten)]
    pub(crate) verify: VerifyArgs,
    #[command(flatten)]
    pub(crate) keep: KeepArgs,
    #[command(flatten)]
    pub(crate) end: EndArgs,
    #[command(flatten)]
    pub(crate) run: RunArgs,
    #[command(flatten)]
    pub(crate) http: HttpArgs,
    #[cfg(feature = "fleet")]
    #[command(flatten)]
    pub(crate) fleet: super::FleetArgs,
}
