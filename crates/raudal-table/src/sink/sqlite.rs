//! A table of a SQLite database.
//!
//! A new database is made under another name, synced, and renamed. An existing one keeps its other
//! tables: the table is replaced or added to in one transaction, which SQLite undoes if the run is
//! killed.

use std::fs;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, ErrorCode, OpenFlags, ToSql};
use sha2::{Digest, Sha256};

use super::options::{Existing, SinkOptions};
use super::output::{publish, unfinished};
use super::schema::{Column, Schema, Value};
use super::types::Type;
use super::writer::{Bytes, Ending, Row, Writer};
use crate::columns::shown;
use raudal_common::atomic_file::{AtomicFile, hex};
use raudal_common::{Error, Kind, Result};

/// How long to wait for another program that writes to the database.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

pub(super) struct Sqlite {
    /// Closed before the file is removed: fields are dropped in this order.
    connection: Connection,
    place: Place,
    /// The name in errors.
    name: String,
    table: String,
    insert: String,
    replace: bool,
    existing: Option<Vec<Column>>,
    schema: Schema,
}

enum Place {
    /// A database that was there before.
    Existing,
    New(NewFile),
}

/// A database that has not its name yet. Dropping it removes the file.
struct NewFile {
    /// Holds the name against other runs. SQLite writes to a file of its own: on some systems it
    /// could not write to a locked one.
    _lock: AtomicFile,
    aside: PathBuf,
    path: PathBuf,
    existing: Existing,
}

impl Drop for NewFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.aside);
    }
}

impl Sqlite {
    pub(super) fn open(path: &Path, options: &SinkOptions) -> Result<Self> {
        let name = path.display().to_string();
        if fs::metadata(path).is_ok_and(|there| !there.is_file()) {
            return Err(
                Error::new(Kind::Io, format!("a database needs a regular file: {name}")).hint("name a new file")
            );
        }
        let there = fs::metadata(path).is_ok_and(|there| there.len() > 0);
        let opened = if there && options.existing != Existing::Refuse { existing(path, &name, options)? } else { None };
        let (connection, place, columns) = if let Some((connection, columns)) = opened {
            (connection, Place::Existing, columns)
        } else {
            let (connection, new) = new(path, &name, options)?;
            (connection, Place::New(new), None)
        };
        Ok(Self {
            connection,
            place,
            name,
            table: options.table.clone(),
            insert: String::new(),
            replace: options.existing == Existing::Replace,
            existing: columns,
            schema: Schema::default(),
        })
    }

    fn failed(&self, error: rusqlite::Error) -> Error {
        failed(&self.name, error)
    }
}

impl Writer for Sqlite {
    fn existing(&self) -> Option<&[Column]> {
        self.existing.as_deref()
    }

    fn begin(&mut self, schema: &Schema) -> Result<()> {
        let table = quoted(&self.table);
        if self.existing.is_none() {
            if self.replace {
                let drop = format!("DROP TABLE IF EXISTS {table}");
                self.connection.execute_batch(&drop).map_err(|error| self.failed(error))?;
            }
            let columns: Vec<String> = schema
                .columns
                .iter()
                .map(|column| format!("{} {}", quoted(&column.name), declared(column.of_type)))
                .collect();
            let create = format!("CREATE TABLE {table} ({})", columns.join(", "));
            self.connection.execute_batch(&create).map_err(|error| self.failed(error))?;
        }
        let names: Vec<String> = schema.names().map(quoted).collect();
        let places = vec!["?"; names.len()].join(", ");
        self.insert = format!("INSERT INTO {table} ({}) VALUES ({places})", names.join(", "));
        self.schema = schema.clone();
        Ok(())
    }

    fn row(&mut self, row: &Row<'_>) -> Result<()> {
        let failed = |error| failed(&self.name, error);
        let mut statement = self.connection.prepare_cached(&self.insert).map_err(failed)?;
        for (at, cell) in row.cells().enumerate() {
            let value = self.schema.value(at, cell)?;
            statement.raw_bind_parameter(at + 1, Bound { value, cell }).map_err(failed)?;
        }
        statement.raw_execute().map(drop).map_err(failed)
    }

    fn finish(self: Box<Self>, ending: Ending) -> Result<Option<Bytes>> {
        let Self { connection, place, name, .. } = *self;
        let failed = |error| failed(&name, error);
        match place {
            // The transaction ends with the connection, and nothing is changed.
            Place::Existing if ending == Ending::Stopped => Ok(None),
            Place::Existing => {
                connection.execute_batch("COMMIT").map_err(failed)?;
                connection.close().map_err(|(_, error)| failed(error))?;
                Ok(Some(Bytes::default()))
            }
            Place::New(new) => {
                connection.execute_batch("COMMIT").map_err(failed)?;
                connection.close().map_err(|(_, error)| failed(error))?;
                let read = |error| Error::io(format!("cannot write: {name}"), error);
                let whole = AtomicFile::open(&new.aside).map_err(read)?;
                let bytes = digest(whole.file()).map_err(read)?;
                publish(whole, &new.path, ending, new.existing)?;
                Ok(Some(bytes))
            }
        }
    }
}

/// A cell on its way to SQLite.
struct Bound<'a> {
    value: Value<'a>,
    cell: &'a [u8],
}

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self.value {
            Value::Null => ToSqlOutput::Owned(rusqlite::types::Value::Null),
            Value::Text(text) => ToSqlOutput::from(text),
            Value::Int(int) => ToSqlOutput::from(int),
            Value::Float(float) => ToSqlOutput::from(float),
            // SQLite has no dates; its functions take this text for one.
            Value::Date(_) => ToSqlOutput::from(std::str::from_utf8(self.cell.trim_ascii()).unwrap_or_default()),
        })
    }
}

/// A database, and the columns of a table that rows are added to.
type Opened = (Connection, Option<Vec<Column>>);

/// Opens a database that is there, and begins the transaction. Returns the columns of the table
/// that rows are added to. Returns `None` for a file that is no database and may be replaced.
fn existing(path: &Path, name: &str, options: &SinkOptions) -> Result<Option<Opened>> {
    let open = || -> rusqlite::Result<Opened> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(PATIENCE)?;
        connection.execute_batch("BEGIN IMMEDIATE")?;
        let mut columns = Vec::new();
        if options.existing == Existing::Append {
            let mut statement = connection.prepare("SELECT name, type FROM pragma_table_info(?)")?;
            let mut rows = statement.query([&options.table])?;
            while let Some(row) = rows.next()? {
                let of_type = row.get::<_, Option<String>>(1)?.unwrap_or_default();
                columns.push(Column { name: row.get(0)?, of_type: of_declared(&of_type) });
            }
        }
        Ok((connection, Some(columns).filter(|columns| !columns.is_empty())))
    };
    let checked = open().and_then(|opened| Ok((other_thing(&opened.0, &options.table)?, opened)));
    match checked {
        Ok((Some(what), _)) => Err(Error::new(
            Kind::Io,
            format!("what has this name in the database is no table, but {what}: {}", shown(&options.table)),
        )
        .input(name)
        .hint("name another one with [`table`]")),
        Ok((None, opened)) => Ok(Some(opened)),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => match options.existing {
            Existing::Append => Err(Error::new(Kind::Io, format!("the file is not a SQLite database: {name}"))
                .hint("name another file, or replace this one with [`overwrite`]")),
            _ => Ok(None),
        },
        Err(error) => Err(failed(name, error)),
    }
}

/// Returns what has the name of the table and is none, so that rows cannot be written to it.
fn other_thing(connection: &Connection, table: &str) -> rusqlite::Result<Option<&'static str>> {
    let mut statement = connection.prepare("SELECT type FROM sqlite_master WHERE name = ? COLLATE NOCASE")?;
    let mut rows = statement.query([table])?;
    while let Some(row) = rows.next()? {
        match row.get::<_, String>(0)?.as_str() {
            "view" => return Ok(Some("a view")),
            "index" => return Ok(Some("an index")),
            _ => {}
        }
    }
    Ok(None)
}

/// Makes a new database beside its final name.
fn new(path: &Path, name: &str, options: &SinkOptions) -> Result<(Connection, NewFile)> {
    let (lock, path) = unfinished(path)?;
    let mut aside = lock.path().as_os_str().to_owned();
    aside.push("-db");
    let new = NewFile { _lock: lock, aside: aside.into(), path, existing: options.existing };
    // What a killed run has left.
    let _ = fs::remove_file(&new.aside);
    let open = || {
        let connection = Connection::open(&new.aside)?;
        // The file counts only once it is complete and synced.
        connection.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN")?;
        Ok(connection)
    };
    let connection = open().map_err(|error| failed(name, error))?;
    Ok((connection, new))
}

fn digest(mut file: &fs::File) -> std::io::Result<Bytes> {
    let (mut hasher, mut count, mut buffer) = (Sha256::new(), 0, vec![0; 64 << 10]);
    file.rewind()?;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(Bytes { count, digest: Some(hex(&hasher.finalize())) });
        }
        hasher.update(&buffer[..read]);
        count += read as u64;
    }
}

fn failed(name: &str, error: rusqlite::Error) -> Error {
    let hint = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            Some("another program writes to the database: wait until it is done")
        }
        Some(ErrorCode::DiskFull) => Some("the disk is full"),
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen) => Some("check its permissions and those of its folder"),
        _ => None,
    };
    let error = Error::new(Kind::Io, format!("cannot write to the database: {name}")).because(error);
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

const fn declared(of_type: Type) -> &'static str {
    match of_type {
        Type::Text => "TEXT",
        Type::Int => "INTEGER",
        Type::Float => "REAL",
        Type::Date => "DATE",
    }
}

/// Returns the type that a declared one stands for, by SQLite's own rules of affinity.
fn of_declared(declared: &str) -> Type {
    let declared = declared.to_ascii_uppercase();
    let has = |word: &str| declared.contains(word);
    if has("INT") {
        Type::Int
    } else if has("CHAR") || has("CLOB") || has("TEXT") {
        Type::Text
    } else if has("REAL") || has("FLOA") || has("DOUB") {
        Type::Float
    } else if declared == "DATE" {
        Type::Date
    } else {
        Type::Text
    }
}
