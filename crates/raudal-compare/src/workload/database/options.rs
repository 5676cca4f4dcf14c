//! What can be chosen about the queries, and what makes no sense.

use crate::workload::Latency;
use raudal_common::{Error, Result};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Which queries are made, of which database.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct DatabaseOptions {
    /// So many queries. Default: 40.
    pub queries: usize,
    /// How long each takes. Default: 50 ms each.
    pub latency: Latency,
    /// Decides the latencies.
    pub seed: u64,
    /// Connections in the pool. Default: 5, as many pools have.
    pub connections: usize,
    /// Write instead of reading: for SQLite alone.
    pub write: bool,
    /// The URL of a PostgreSQL server; `None` for the embedded SQLite. It may hold a password and is never shown.
    pub url: Option<String>,
    /// Where the temporary folder of the embedded database is made; `None` for the system's place.
    pub folder: Option<PathBuf>,
    /// How long one query may take, waiting for a connection or for the writer included. Default: 30 s.
    pub timeout: Duration,
}

impl Default for DatabaseOptions {
    fn default() -> Self {
        Self {
            queries: 40,
            latency: Duration::from_millis(50).into(),
            seed: 0,
            connections: 5,
            write: false,
            url: None,
            folder: None,
            timeout: Duration::from_secs(30),
        }
    }
}

impl fmt::Debug for DatabaseOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseOptions")
            .field("queries", &self.queries)
            .field("latency", &self.latency)
            .field("seed", &self.seed)
            .field("connections", &self.connections)
            .field("write", &self.write)
            .field("url", &self.url.as_ref().map(|_| "…"))
            .field("folder", &self.folder)
            .field("timeout", &self.timeout)
            .finish()
    }
}

impl DatabaseOptions {
    /// Refuses what makes no sense, before anything is opened.
    pub(super) fn check(&self) -> Result<()> {
        if self.queries == 0 {
            return Err(Error::usage("there is nothing to compare in so many queries: 0").hint("ask for 1 at least"));
        }
        if self.connections == 0 {
            return Err(Error::usage("no query can run over so many connections: 0").hint("ask for 1 at least"));
        }
        let Some(url) = &self.url else { return Ok(()) };
        // What is no URL may be a password that was put in the wrong place: it is not shown.
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(Error::usage("the database is not named by a URL").hint(HOW));
        };
        if !["postgres", "postgresql"].contains(&scheme) {
            return Err(Error::usage(format!(
                "not a database that is known: {}",
                raudal_common::error::printable(scheme)
            ))
            .hint("write postgres://…, or leave [`database`] out for the embedded SQLite"));
        }
        // Then the password ends where nobody meant it to, and its rest would be taken for a name that may be shown.
        if rest.split_once(['/', '?', '#']).is_some_and(|(_, behind)| behind.contains('@')) {
            return Err(Error::usage("the URL of the database has an @ behind its host")
                .hint("write / ? # and @ in a password as %2F %3F %23 and %40"));
        }
        if self.write {
            return Err(Error::usage("writing is for SQLite: raudal makes no tables on a server that is yours")
                .hint("leave [`write`] or [`database`] out"));
        }
        if self.folder.is_some() {
            return Err(Error::usage("a temporary folder is for SQLite: a server has folders of its own")
                .hint("leave [`temp_dir`] or [`database`] out"));
        }
        Ok(())
    }
}

pub(super) const HOW: &str = "write postgres://user:password@host:5432/name";

#[cfg(not(feature = "postgres"))]
pub(super) fn no_postgres() -> Error {
    Error::usage("this build of raudal cannot reach a PostgreSQL server")
        .hint("build it with: cargo install --path . --features postgres; or leave [`database`] out for SQLite")
}

/// Why more jobs than connections gain nothing.
pub(super) fn semaphore(connections: usize) -> String {
    let are = if connections == 1 { "is 1 connection".to_owned() } else { format!("are {connections} connections") };
    format!(
        "there {are}, and the pool of connections is a semaphore: further jobs wait for one of them. \
         Ask for more [`connections`], as far as the database bears it"
    )
}
