//! The name of the place where parts live.

use raudal_common::{Error, Result};
use raudal_source::{Object, Service};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where the parts of runs are written.
///
/// ```
/// use raudal_fleet::Parts;
///
/// assert_eq!("nats".parse::<Parts>()?.to_string(), "nats");
/// assert_eq!("s3://bucket/run-7/".parse::<Parts>()?.to_string(), "s3://bucket/run-7/");
/// assert!("ftp://host/run-7".parse::<Parts>().is_err());
/// # Ok::<(), raudal_common::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Parts {
    /// A folder that all machines see under this path.
    Folder(PathBuf),
    /// A folder of a bucket in a cloud store, with the feature `cloud`. Each machine has its own
    /// credentials for it, in its environment.
    Cloud(Object),
    /// The broker's own object store. Needs no other machine, for runs of some GiB.
    Nats,
}

impl FromStr for Parts {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.split_once("://") {
            _ if text == "nats" => Ok(Self::Nats),
            Some(("file", path)) => Ok(Self::Folder(path.into())),
            Some((scheme, _)) if Service::of(scheme).is_some() => Object::parse(text).map(Self::Cloud),
            Some((scheme, _)) => Err(Error::usage(format!("parts cannot be written there: {scheme}"))
                .hint("give a folder that all machines share, s3://bucket/folder, or nats")),
            None if text.is_empty() => {
                Err(Error::usage("no place for the parts").hint("give a folder, s3://bucket/folder, or nats"))
            }
            None => std::path::absolute(text)
                .map(Self::Folder)
                .map_err(|error| Error::usage("not the path of a folder").input(text).because(error)),
        }
    }
}

impl fmt::Display for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => path.display().fmt(f),
            Self::Cloud(folder) => folder.fmt(f),
            Self::Nats => f.write_str("nats"),
        }
    }
}
