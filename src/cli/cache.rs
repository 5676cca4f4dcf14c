//! The cache: its folder, its mode in a run, and `raudal cache`.

use super::args::{CacheArgs, CacheCommand, KeepArgs};
use super::print;
use raudal::error::printable;
use raudal::fetch::{Cache, CacheMode};
use raudal::pipeline::Hosts;
use raudal::{Error, Result, units};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Returns the cache of a run, if it uses one.
pub(crate) fn of_run(args: &KeepArgs) -> Result<Option<Cache>> {
    let is_wanted = args.cache || args.refresh || args.offline || given(args.cache_dir.clone()).is_some();
    if args.no_cache || !is_wanted {
        return Ok(None);
    }
    let mode = match (args.offline, args.refresh) {
        (true, _) => CacheMode::Offline,
        (_, true) => CacheMode::Refresh,
        _ => CacheMode::Revalidate,
    };
    Ok(Some(Cache::new(folder(args.cache_dir.as_deref())?, mode)))
}

/// Returns where the limits of hosts are remembered: in the cache folder, unless the cache is not to be used. A folder
/// that is not absolute is of no home.
pub(crate) fn hosts(args: &KeepArgs) -> Option<Hosts> {
    let folder = folder(args.cache_dir.as_deref()).ok().filter(|_| !args.no_cache)?;
    let is_usable = folder.is_absolute() || args.cache_dir.is_some();
    is_usable.then(|| Hosts::new(folder.join(Hosts::FILE)))
}

pub(crate) fn cache(args: &CacheArgs) -> Result<u8> {
    let folder = folder(args.cache_dir.as_deref())?;
    match args.command {
        CacheCommand::Path => print(format!("{}\n", folder.display()).as_bytes()),
        CacheCommand::List => {
            let mut lines = String::new();
            for entry in Cache::list(&folder)? {
                let _ = writeln!(lines, "{}\t{}\t{}", printable(&entry.url), entry.bytes, entry.sha256);
            }
            print(lines.as_bytes())
        }
        CacheCommand::Clean => {
            let bytes = Cache::clean(&folder)?;
            // It is made again by the next run.
            let _ = std::fs::remove_file(folder.join(Hosts::FILE));
            eprintln!("{} removed from: {}", units::bytes(bytes), folder.display());
            Ok(0)
        }
    }
}

/// Returns the given folder, or the user's default. A relative `XDG_CACHE_HOME` is ignored, as its
/// specification requires.
fn folder(named: Option<&Path>) -> Result<PathBuf> {
    let variable = || std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || given(std::env::home_dir()).map(|home| home.join(".cache"));
    let own = || variable().or_else(home).map(|folder| folder.join("raudal"));
    given(named.map(Path::to_owned))
        .or_else(own)
        .ok_or_else(|| Error::usage("no home folder for the cache").hint("choose a folder with --cache-dir"))
}

/// Treats an empty variable as not set.
fn given(path: Option<PathBuf>) -> Option<PathBuf> {
    path.filter(|path| !path.as_os_str().is_empty())
}
