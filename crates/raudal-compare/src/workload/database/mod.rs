//! Queries a database through a pool of connections, and shows SQLite's single writer.
//!
//! | file | what it does |
//! |---|---|
//! | `options` | the options |
//! | `sqlite` | the embedded database: its tables, its connections |
//! | `postgres` | a real server, behind the feature `postgres` |

mod options;
#[cfg(feature = "postgres")]
mod postgres;
mod sqlite;

pub use options::DatabaseOptions;
pub(super) use sqlite::SqliteDatabase;

use super::work::{AtOnce, RunSettings};
use super::{Activity, ConcurrencyLimit, Setting, Stage, Unit, Workload, WorkloadRun};
use futures::future::BoxFuture;
use raudal_common::{Error, Kind, Result};
use raudal_pool::Observer;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// N slow queries, over fewer connections than there may be jobs.
///
/// A query of the embedded SQLite reads real rows. It holds its connection, with an open cursor,
/// until its latency is over. A slow disk or a large table would do the same, but this wait can be
/// cut short. A query of a PostgreSQL server calls `pg_sleep`.
///
/// **The pool of connections is a semaphore.** With 5 connections, at most 5 queries run at once.
/// Further jobs wait in their stage `acquire`, so more jobs in flight gain nothing.
///
/// **SQLite has one writer.** With [`DatabaseOptions::write`], each job is a transaction
/// (`BEGIN IMMEDIATE`, an insert, the latency, `COMMIT` onto the disk). Transactions wait for one
/// another in their stage `begin`, at any level. After a run, every write is looked up.
#[derive(Debug)]
pub struct Database {
    options: DatabaseOptions,
    queries: Vec<(u32, Duration)>,
    server: Backend,
}

#[derive(Debug)]
enum Backend {
    SqliteDatabase(Arc<SqliteDatabase>),
    #[cfg(feature = "postgres")]
    PostgresServer(Arc<postgres::PostgresServer>),
}

impl Database {
    /// Makes the database or connects to the server, and opens all connections. So a database that
    /// refuses is reported before anything is run.
    ///
    /// # Errors
    ///
    /// - [`Kind::Usage`] for options that make no sense, and for a server in a build without the
    ///   feature `postgres`.
    /// - [`Kind::Connect`] for a server that refuses. A retry may help, unless the user, the
    ///   password or the name of the database is wrong. [`Kind::Timeout`] for a server that does
    ///   not answer.
    /// - [`Kind::Io`] for a temporary folder that cannot be written to or is full.
    ///
    /// ```
    /// use raudal_compare::workload::{Database, DatabaseOptions, Workload};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> raudal_common::Result<()> {
    /// let mut options = DatabaseOptions::default();
    /// options.connections = 3;
    /// let database = Database::open(options).await?;
    /// assert_eq!(database.limit().map(|bound| bound.at_once), Some(3));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn open(options: DatabaseOptions) -> Result<Self> {
        options.check()?;
        let queries = (0..).zip(options.latency.draws(options.queries, options.seed)).collect();
        let server = match &options.url {
            None => Backend::SqliteDatabase(Arc::new(
                SqliteDatabase::open(options.folder.clone(), options.connections).await?,
            )),
            #[cfg(feature = "postgres")]
            Some(url) => {
                let postgres = postgres::PostgresServer::open(url, options.connections, options.timeout).await?;
                Backend::PostgresServer(Arc::new(postgres))
            }
            #[cfg(not(feature = "postgres"))]
            Some(_) => return Err(options::no_postgres()),
        };
        Ok(Self { options, queries, server })
    }

    async fn run_once(&self, work: RunSettings) -> Result<WorkloadRun> {
        match &self.server {
            Backend::SqliteDatabase(sqlite) if self.options.write => self.write_all(work, sqlite).await,
            Backend::SqliteDatabase(sqlite) => {
                let sqlite = Arc::clone(sqlite);
                work.run(self.queries.clone(), named_query, move |cx, (n, wait)| {
                    let sqlite = Arc::clone(&sqlite);
                    async move { sqlite.read(&cx, n, wait).await }
                })
                .await
            }
            #[cfg(feature = "postgres")]
            Backend::PostgresServer(postgres) => {
                let postgres = Arc::clone(postgres);
                work.run(self.queries.clone(), named_query, move |cx, (n, wait)| {
                    let postgres = Arc::clone(&postgres);
                    async move { postgres.query(&cx, n, wait).await }
                })
                .await
            }
        }
    }

    async fn write_all(&self, work: RunSettings, sqlite: &Arc<SqliteDatabase>) -> Result<WorkloadRun> {
        sqlite.forget_writes().await?;
        let writer = Arc::clone(sqlite);
        let run = work
            .run(
                self.queries.clone(),
                |(n, _)| format!("write {n}"),
                move |cx, (n, wait)| {
                    let writer = Arc::clone(&writer);
                    async move { writer.write(&cx, n, wait).await }
                },
            )
            .await?;
        check_writes(&run, &sqlite.writes().await?)?;
        Ok(run)
    }
}

fn named_query((n, _): &(u32, Duration)) -> String {
    format!("query {n}")
}

/// Checks that the database holds every write that the jobs committed, and nothing else.
fn check_writes(run: &WorkloadRun, found: &[(u32, String)]) -> Result<()> {
    let lost = |what: String| {
        Error::new(Kind::Checksum, what).hint("the database or its disk is faulty: committed data must not be lost")
    };
    for (i, (n, part)) in (0..).zip(&run.parts).enumerate() {
        match found.get(i) {
            Some((number, digest)) if *number == n && *digest == part.digest => {}
            _ => return Err(lost(format!("a write that was committed is not in the database: {}", part.label))),
        }
    }
    match found.get(run.parts.len()) {
        None => Ok(()),
        Some((number, _)) => Err(lost(format!("an unknown write is in the database: {number}"))),
    }
}

impl Workload for Database {
    fn name(&self) -> &'static str {
        "database"
    }

    fn stages(&self) -> Vec<Stage> {
        vec![
            Stage::new("acquire", Activity::Turn("a connection of the pool")),
            Stage::new("query", Activity::Answer),
            Stage::new("begin", Activity::Turn("the only writer")),
            Stage::new("write", Activity::Disk),
            Stage::new("commit", Activity::Disk),
        ]
    }

    fn settings(&self) -> Vec<Setting> {
        let DatabaseOptions { queries, latency, seed, connections, .. } = &self.options;
        let server = match &self.options.url {
            Some(_) => "PostgreSQL",
            None if self.options.write => "SQLite, writing",
            None => "SQLite",
        };
        vec![
            Setting::new("database", server),
            Setting::new("queries", queries),
            Setting::new("latency", latency.to_text()),
            Setting::new("connections", connections),
            Setting::new("seed", seed),
        ]
    }

    fn unit(&self) -> Unit {
        Unit::Jobs(if self.options.write { "transactions" } else { "queries" })
    }

    fn limit(&self) -> Option<ConcurrencyLimit> {
        let connections = self.options.connections;
        Some(if self.options.write {
            ConcurrencyLimit {
                at_once: 1,
                why:
                    "SQLite has one writer: each transaction waits for the one before it, so concurrency gains nothing \
                      here. Write more in each transaction, or use a server"
                        .to_owned(),
            }
        } else {
            ConcurrencyLimit { at_once: connections, why: options::semaphore(connections) }
        })
    }

    fn run(
        &self,
        jobs: usize,
        observer: Arc<dyn Observer>,
        cancel: CancellationToken,
    ) -> BoxFuture<'_, Result<WorkloadRun>> {
        Box::pin(self.run_once(RunSettings {
            at_once: AtOnce::Most(jobs),
            observer,
            cancel,
            timeout: Some(self.options.timeout),
        }))
    }
}

#[cfg(test)]
mod tests;
