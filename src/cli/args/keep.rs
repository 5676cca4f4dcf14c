//! The options for what is kept between runs: the cache and the lock.

use clap::builder::FalseyValueParser;
use clap::{Args, Subcommand, ValueHint};
use std::path::PathBuf;

const KEEP: &str = "Cache and lock";

#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
#[derive(Debug, Args)]
pub(crate) struct KeepArgs {
    /// Keep what is fetched, and use it as long as the server says that it has not changed
    #[arg(long, env = "RAUDAL_CACHE", value_parser = FalseyValueParser::new(), help_heading = KEEP)]
    pub(crate) cache: bool,
    /// Keep it in this folder; implies --cache [default: raudal in XDG_CACHE_HOME, else ~/.cache/raudal]
    #[arg(long, value_name = "DIR", env = "RAUDAL_CACHE_DIR", help_heading = KEEP, value_hint = ValueHint::DirPath)]
    pub(crate) cache_dir: Option<PathBuf>,
    /// Fetch everything anew, and keep that; implies --cache
    #[arg(long, env = "RAUDAL_REFRESH", value_parser = FalseyValueParser::new(), conflicts_with = "offline", help_heading = KEEP)]
    pub(crate) refresh: bool,
    /// Use what is kept and ask no server; what is not kept fails. Implies --cache
    #[arg(long, env = "RAUDAL_OFFLINE", value_parser = FalseyValueParser::new(), conflicts_with = "no_cache", help_heading = KEEP)]
    pub(crate) offline: bool,
    /// Keep nothing and use nothing that is kept, whatever the environment says
    #[arg(long, env = "RAUDAL_NO_CACHE", value_parser = FalseyValueParser::new(), help_heading = KEEP)]
    pub(crate) no_cache: bool,
    /// Write down what each input was (its size, SHA-256, validators, rows) once all are done, as JSON
    #[arg(long, value_name = "FILE", env = "RAUDAL_LOCK", help_heading = KEEP, value_hint = ValueHint::FilePath)]
    pub(crate) lock: Option<PathBuf>,
    /// Publish nothing if an input is not what the file of --lock says
    #[arg(long, env = "RAUDAL_LOCKED", value_parser = FalseyValueParser::new(), requires = "lock", help_heading = KEEP)]
    pub(crate) locked: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CacheArgs {
    #[command(subcommand)]
    pub(crate) command: CacheCommand,
    /// The folder of the cache [default: raudal in XDG_CACHE_HOME, else ~/.cache/raudal]
    #[arg(long, value_name = "DIR", env = "RAUDAL_CACHE_DIR", global = true, value_hint = ValueHint::DirPath)]
    pub(crate) cache_dir: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum CacheCommand {
    /// Where it is
    Path,
    /// What is in it: URL, bytes and SHA-256, a TAB between them
    List,
    /// Remove all that is in it
    Clean,
}
