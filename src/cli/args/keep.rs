//! The options for what is kept between runs: the cache and the lock.

use clap::builder::FalseyValueParser;
use clap::{Args, Subcommand, ValueHint};
use std::path::PathBuf;

const KEEP: &str = "Cache and lock";

#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
#[derive(Debug, Args)]
pub(crate) struct KeepArgs {
    /// Cache what is fetched; ask the server each time whether it has changed
    #[arg(long, env = "RAUDAL_CACHE", value_parser = FalseyValueParser::new(), help_heading = KEEP)]
    pub(crate) cache: bool,
    /// Use this cache folder; implies --cache [default: $XDG_CACHE_HOME/raudal, else ~/.cache/raudal]
    #[arg(long, value_name = "DIR", env = "RAUDAL_CACHE_DIR", help_heading = KEEP, value_hint = ValueHint::DirPath)]
    pub(crate) cache_dir: Option<PathBuf>,
    /// Fetch everything again and cache it; implies --cache
    #[arg(long, env = "RAUDAL_REFRESH", value_parser = FalseyValueParser::new(), conflicts_with = "offline", help_heading = KEEP)]
    pub(crate) refresh: bool,
    /// Use only the cache: no requests, inputs that are not in it fail; implies --cache
    #[arg(long, env = "RAUDAL_OFFLINE", value_parser = FalseyValueParser::new(), conflicts_with = "no_cache", help_heading = KEEP)]
    pub(crate) offline: bool,
    /// Do not use the cache, even if the environment enables it, nor the limits of hosts that it remembers
    #[arg(long, env = "RAUDAL_NO_CACHE", value_parser = FalseyValueParser::new(), help_heading = KEEP)]
    pub(crate) no_cache: bool,
    /// Record the size, SHA-256, validators and rows of each input, as JSON, once all are done
    #[arg(long, value_name = "FILE", env = "RAUDAL_LOCK", help_heading = KEEP, value_hint = ValueHint::FilePath)]
    pub(crate) lock: Option<PathBuf>,
    /// Write no result if an input differs from its record in the --lock file
    #[arg(long, env = "RAUDAL_LOCKED", value_parser = FalseyValueParser::new(), requires = "lock", help_heading = KEEP)]
    pub(crate) locked: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CacheArgs {
    #[command(subcommand)]
    pub(crate) command: CacheCommand,
    /// Use this cache folder [default: $XDG_CACHE_HOME/raudal, else ~/.cache/raudal]
    #[arg(long, value_name = "DIR", env = "RAUDAL_CACHE_DIR", global = true, value_hint = ValueHint::DirPath)]
    pub(crate) cache_dir: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub(crate) enum CacheCommand {
    /// Print the folder of the cache
    Path,
    /// List the entries: URL, bytes and SHA-256, separated by TABs
    List,
    /// Remove all entries
    Clean,
}
