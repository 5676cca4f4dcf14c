//! The options of the queries, and the check that they make sense.

use crate::workload::Latency;
use raudal_common::{Error, Result};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// The queries to run, and their database.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct DatabaseOptions {
    /// The number of queries. Default: 40.
    pub queries: usize,
    /// How long each takes. Default: 50 ms each.
    pub latency: Latency,
    /// The seed of the latencies.
    pub seed: u64,
    /// Connections in the pool. Default: 5, as many pools have.
    pub connections: usize,
    /// Write instead of reading; for SQLite only.
    pub write: bool,
    /// The URL of a PostgreSQL server; `None` for the embedded SQLite. It may hold a password and
    /// is never shown.
    pub url: Option<String>,
    /// Where the temporary folder of the embedded database is made; `None` for the system's
    /// temporary folder.
    pub folder: Option<PathBuf>,
    /// The time limit for one query, including the wait for a connection or for the writer.
    /// Default: 30 s.
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
    /// Refuses options that make no sense, before anything is opened.
    pub(super) fn check(&self) -> Result<()> {
        if self.queries == 0 {
            return Err(Error::usage("the number of queries must be at least 1: 0").hint("give at least 1"));
        }
        if self.connections == 0 {
            return Err(Error::usage("the number of connections must be at least 1: 0").hint("give at least 1"));
        }
        let Some(url) = &self.url else { return Ok(()) };
        // A text that is not a URL may be a misplaced password, so it is not shown.
        let Some((scheme, rest)) = url.split_once("://") else {
            return Err(Error::usage("the database is not given as a URL").hint(HOW));
        };
        if !["postgres", "postgresql"].contains(&scheme) {
            return Err(Error::usage(format!("unsupported database: {}", raudal_common::error::printable(scheme)))
                .hint("write postgres://…, or leave out [`database`] for the embedded SQLite"));
        }
        // Here an unescaped character ends the password too early. The rest of it would be taken
        // for a name that may be shown.
        if rest.split_once(['/', '?', '#']).is_some_and(|(_, behind)| behind.contains('@')) {
            return Err(Error::usage("the URL of the database has an @ after its host")
                .hint("write / ? # and @ in a password as %2F %3F %23 and %40"));
        }
        if self.write {
            return Err(Error::usage("writing is only for SQLite: raudal creates no tables on your server")
                .hint("leave out [`write`] or [`database`]"));
        }
        if self.folder.is_some() {
            return Err(Error::usage("a temporary folder is only for SQLite: a server uses its own folders")
                .hint("leave out [`temp_dir`] or [`database`]"));
        }
        Ok(())
    }
}

pub(super) const HOW: &str = "write postgres://user:password@host:5432/name";

#[cfg(not(feature = "postgres"))]
pub(super) fn no_postgres() -> Error {
    Error::usage("this build of raudal cannot reach a PostgreSQL server")
        .hint("build raudal with: cargo install --path . --features postgres; or leave out [`database`] to use SQLite")
}

/// Explains why more jobs than connections gain nothing.
pub(super) fn semaphore(connections: usize) -> String {
    let are = if connections == 1 { "is 1 connection".to_owned() } else { format!("are {connections} connections") };
    format!(
        "there {are}, and the pool of connections is a semaphore: further jobs wait for a free \
         connection. Use more [`connections`] if the database allows it"
    )
}
