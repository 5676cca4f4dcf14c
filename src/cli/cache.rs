//! The cache: where it is, what a run does with it, and `raudal cache`.

use super::args::{CacheArgs, CacheCommand, KeepArgs};
use super::print;
use raudal::error::printable;
use raudal::fetch::{Cache, CacheMode};
use raudal::{Error, Result, units};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The cache of a run, if it is to have one.
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
            eprintln!("{} removed from: {}", units::bytes(bytes), folder.display());
            Ok(0)
        }
    }
}

/// The folder that was named, or the user's own. A relative `XDG_CACHE_HOME` is to be ignored, as its specification says.
fn folder(named: Option<&Path>) -> Result<PathBuf> {
    let variable = || std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || given(std::env::home_dir()).map(|home| home.join(".cache"));
    let own = || variable().or_else(home).map(|folder| folder.join("raudal"));
    given(named.map(Path::to_owned))
        .or_else(own)
        .ok_or_else(|| Error::usage("there is no home for a cache").hint("name a folder with --cache-dir"))
}

/// An empty variable is no path.
fn given(path: Option<PathBuf>) -> Option<PathBuf> {
    path.filter(|path| !path.as_os_str().is_empty())
}
