//! The embedded database: a file in a temporary folder, and a pool of connections to it.

use crate::workload::scratch;
use crate::workload::work::digest;
use raudal_common::lock;
use raudal_common::{Error, Kind, Result};
use raudal_pool::Attempt;
use rusqlite::{Connection, ErrorCode, TransactionBehavior, params};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// Rows to query, and how many of them one query finds.
const ITEMS: u32 = 1000;
const PER_SHELF: u32 = 10;

/// How often a sleep, or a wait for the writer, checks for cancellation.
const SLICE: Duration = Duration::from_millis(20);

/// A database in write-ahead mode, and its connections, which are all open from the start. In this
/// mode, readers and the one writer do not block each other.
#[derive(Debug)]
pub(in crate::workload) struct SqliteDatabase(Arc<SqliteShared>);

#[derive(Debug)]
struct SqliteShared {
    /// Declared before the folder, so that connections close before their file is removed.
    idle: Mutex<Vec<Connection>>,
    /// One permit for each connection: this is what makes jobs wait.
    free: Arc<Semaphore>,
    _folder: TempDir,
}

/// A connection borrowed from the pool.
struct ConnectionLease {
    connection: Option<Connection>,
    shared: Arc<SqliteShared>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for ConnectionLease {
    fn drop(&mut self) {
        // The connection must be back before the permit, which is dropped later, admits the next
        // job.
        lock(&self.shared.idle).extend(self.connection.take());
    }
}

impl ConnectionLease {
    fn connection(&mut self) -> Result<&mut Connection> {
        // A permit guarantees a connection.
        self.connection.as_mut().ok_or_else(|| Error::new(Kind::Internal, "the pool has lost a connection"))
    }
}

impl SqliteDatabase {
    /// Makes the database in a new folder in `parent`, and opens the connections.
    pub(in crate::workload) async fn open(parent: Option<PathBuf>, connections: usize) -> Result<Self> {
        let opening = tokio::task::spawn_blocking(move || {
            let folder = scratch::folder(parent.as_deref())?;
            let path = folder.path().join("raudal.sqlite");
            let idle: Result<Vec<_>> = (0..connections)
                .map(|n| {
                    let mut connection = Connection::open(&path).map_err(fault)?;
                    connection.busy_timeout(SLICE).map_err(fault)?;
                    // FULL: a commit returns once it is on the disk. The other writers wait for
                    // that.
                    connection.execute_batch("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;").map_err(fault)?;
                    if n == 0 {
                        fill(&mut connection).map_err(fault)?;
                    }
                    Ok(connection)
                })
                .collect();
            let free = Arc::new(Semaphore::new(connections.min(Semaphore::MAX_PERMITS)));
            Ok(Self(Arc::new(SqliteShared { idle: Mutex::new(idle?), free, _folder: folder })))
        });
        opening.await.map_err(|error| Error::new(Kind::Internal, "the database was not opened").because(error))?
    }

    /// Waits for a connection.
    async fn lease(&self) -> Result<ConnectionLease> {
        let shared = Arc::clone(&self.0);
        let closed = |_| Error::new(Kind::Internal, "the pool of connections is closed");
        let permit = Arc::clone(&shared.free).acquire_owned().await.map_err(closed)?;
        let connection = lock(&shared.idle).pop();
        Ok(ConnectionLease { connection, shared, _permit: permit })
    }

    /// Runs one query that takes `wait`. Returns the digest of what it found.
    pub(in crate::workload) async fn read(&self, cx: &Attempt, number: u32, wait: Duration) -> Result<String> {
        cx.stage("acquire");
        let mut lease = self.lease().await?;
        let stop = cx.token().clone();
        cx.stage("query");
        let found = cx.blocking(move || query(lease.connection()?, number, wait, &stop)).await?;
        cx.advance(found.len() as u64, PER_SHELF.into());
        Ok(digest(found))
    }

    /// Runs one transaction that holds the writer for `wait`. Returns the digest that it wrote.
    pub(super) async fn write(&self, cx: &Attempt, number: u32, wait: Duration) -> Result<String> {
        cx.stage("acquire");
        let mut lease = self.lease().await?;
        let (inner, stop) = (cx.clone(), cx.token().clone());
        cx.stage("begin");
        let written = cx.blocking(move || insert(lease.connection()?, &inner, number, wait, &stop)).await?;
        cx.advance(written.len() as u64, 1);
        Ok(written)
    }

    /// Returns every write, ordered by its number.
    pub(super) async fn writes(&self) -> Result<Vec<(u32, String)>> {
        self.with(|connection| {
            let mut statement = connection.prepare("SELECT job, digest FROM written ORDER BY job")?;
            statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })
        .await
    }

    /// Deletes the writes of earlier runs.
    pub(super) async fn forget_writes(&self) -> Result<()> {
        self.with(|connection| connection.execute_batch("DELETE FROM written")).await
    }

    async fn with<T, W>(&self, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let mut lease = self.lease().await?;
        let working = tokio::task::spawn_blocking(move || work(lease.connection()?).map_err(fault));
        working.await.map_err(|error| Error::new(Kind::Internal, "the query was not run").because(error))?
    }
}

fn fill(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    transaction.execute_batch(
        "CREATE TABLE item (id INTEGER PRIMARY KEY, shelf INTEGER NOT NULL, name TEXT NOT NULL, price INTEGER NOT NULL);
         CREATE INDEX item_by_shelf ON item (shelf);
         CREATE TABLE written (job INTEGER PRIMARY KEY, digest TEXT NOT NULL);",
    )?;
    {
        let mut insert = transaction.prepare("INSERT INTO item VALUES (?1, ?2, ?3, ?4)")?;
        for id in 0..ITEMS {
            insert.execute(params![id, id / PER_SHELF, format!("item {id}"), id * 7919 % 1000])?;
        }
    }
    transaction.commit()
}

/// Reads a shelf. Its cursor stays open during the wait, so the connection is as busy as with a
/// slow query.
fn query(connection: &Connection, number: u32, wait: Duration, stop: &CancellationToken) -> Result<String> {
    let sql = "SELECT id, name, price FROM item WHERE shelf = ?1 ORDER BY id";
    let mut statement = connection.prepare_cached(sql).map_err(fault)?;
    let mut rows = statement.query([number % (ITEMS / PER_SHELF)]).map_err(fault)?;
    let mut found = format!("query {number}\n");
    let mut waited = false;
    while let Some(row) = rows.next().map_err(fault)? {
        let cells = || Ok((row.get::<_, u32>(0)?, row.get::<_, String>(1)?, row.get::<_, u32>(2)?));
        let (id, name, price) = cells().map_err(fault)?;
        // Writing to a String cannot fail.
        let _ = writeln!(found, "{id},{name},{price}");
        if !std::mem::replace(&mut waited, true) {
            pause(wait, stop)?;
        }
    }
    Ok(found)
}

/// Writes a row, in a transaction that holds the writer for `wait`.
fn insert(
    connection: &mut Connection,
    cx: &Attempt,
    number: u32,
    wait: Duration,
    stop: &CancellationToken,
) -> Result<String> {
    // IMMEDIATE takes the write lock at once. A transaction that reads first cannot wait for the
    // lock, because its data might be stale by then.
    let transaction = loop {
        match connection.transaction_with_behavior(TransactionBehavior::Immediate) {
            Ok(transaction) => break transaction,
            // SQLite has already waited for one `SLICE`.
            Err(error) if is_busy(&error) => go_on(stop)?,
            Err(error) => return Err(fault(error)),
        }
    };
    cx.stage("write");
    let digest = digest(format!("write {number}"));
    transaction.execute("INSERT INTO written VALUES (?1, ?2)", params![number, digest]).map_err(fault)?;
    pause(wait, stop)?;
    cx.stage("commit");
    transaction.commit().map_err(fault)?;
    Ok(digest)
}

/// Sleeps on this thread, unless `stop` is cancelled.
fn pause(wait: Duration, stop: &CancellationToken) -> Result<()> {
    let end = Instant::now() + wait;
    loop {
        go_on(stop)?;
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(SLICE));
    }
}

fn go_on(stop: &CancellationToken) -> Result<()> {
    if stop.is_cancelled() { Err(Error::new(Kind::Cancelled, "cancelled")) } else { Ok(()) }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

/// Turns a failure of the embedded database into an error with a hint.
fn fault(error: rusqlite::Error) -> Error {
    let (kind, what, hint) = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => (
            Kind::Io,
            "no space for the database",
            "free some space, or choose a folder that has more with [`temp_dir`]",
        ),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            (Kind::Timeout, "the database stays locked", "run fewer jobs at once")
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            (Kind::Corrupt, "the database is damaged", "the disk or its driver may be faulty")
        }
        Some(ErrorCode::CannotOpen) => (
            Kind::Io,
            "cannot open the database",
            "use fewer [`connections`], or choose another folder with [`temp_dir`]",
        ),
        _ => (Kind::Io, "the database failed", "choose another folder with [`temp_dir`]"),
    };
    Error::new(kind, what).hint(hint).because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_is_full_is_said_so_and_has_its_cure() {
        let folder = tempfile::tempdir().unwrap();
        let mut connection = Connection::open(folder.path().join("small")).unwrap();
        connection.execute_batch("PRAGMA max_page_count = 2").unwrap();
        let error = fault(fill(&mut connection).unwrap_err());
        assert_eq!((error.kind(), error.message()), (Kind::Io, "no space for the database"));
        assert!(error.hint_text().unwrap().contains("[`temp_dir`]"));
    }

    #[test]
    fn a_file_that_is_no_database_is_damaged() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), [b'x'; 4096]).unwrap();
        let connection = Connection::open(file.path()).unwrap();
        let error = fault(connection.execute_batch("PRAGMA journal_mode=WAL").unwrap_err());
        assert_eq!(error.kind(), Kind::Corrupt);
    }

    #[test]
    fn a_pause_that_is_not_wanted_ends_at_once() {
        let stop = CancellationToken::new();
        stop.cancel();
        assert_eq!(pause(Duration::from_secs(3600), &stop).unwrap_err().kind(), Kind::Cancelled);
    }
}
