//! A table of a PostgreSQL database, written with `COPY` in one transaction.
//!
//! The connection lives on a thread of its own, which ends with the sink. If the sink is dropped,
//! or the program is killed, the server undoes the transaction. The URL may hold a password: only
//! host, port and database are ever shown.

use std::sync::mpsc::{Receiver, RecvError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes as Chunk;
use futures::SinkExt as _;
use tokio_postgres::config::Host;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Config, CopyInSink, NoTls};

use super::options::{Existing, SinkOptions};
use super::schema::{Column, Schema, Value};
use super::types::Type;
use super::writer::{Bytes, Ending, Row, Writer};
use raudal_common::error::printable;
use raudal_common::{Error, Kind, Result};

/// How long making a connection may take, unless the URL says it.
const CONNECT: Duration = Duration::from_secs(10);
/// Rows are sent in chunks of about this many bytes.
const CHUNK: usize = 64 << 10;
/// Chunks that may wait for the server.
const WAITING: usize = 4;
/// The server cuts a longer name without an error.
const LONGEST_NAME: usize = 63;

pub(super) struct Postgres {
    server: Option<Server>,
    /// What the server says of the existing table.
    existing: Option<Vec<Column>>,
    schema: Schema,
    chunk: Vec<u8>,
}

/// The thread that holds the connection.
struct Server {
    orders: SyncSender<Order>,
    thread: JoinHandle<Result<()>>,
}

enum Order {
    /// Make the table if it is not there, and begin to copy.
    Begin(Vec<Column>),
    Rows(Vec<u8>),
    Commit,
}

impl Postgres {
    /// Connects, and looks for the table.
    pub(super) fn open(url: &str, options: &SinkOptions) -> Result<Self> {
        let mut config: Config = url.parse().map_err(|error| {
            // The cause names an option and never its value.
            Error::usage("the URL of the database cannot be read")
                .hint("write postgres://USER@HOST/DATABASE")
                .because(error)
        })?;
        config.connect_timeout(*config.get_connect_timeout().unwrap_or(&CONNECT));
        if config.get_application_name().is_none() {
            config.application_name("raudal");
        }
        // A password in the URL is seen in the list of processes.
        if config.get_password().is_none()
            && let Some(password) = std::env::var_os("PGPASSWORD")
        {
            config.password(password.as_encoded_bytes());
        }
        let table = Table { place: place(&config), name: options.table.clone(), existing: options.existing };
        let (orders, received) = sync_channel(WAITING);
        let (ready, is_ready) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("postgres".to_owned())
            .spawn(move || serve(&config, &table, &received, &ready))
            .map_err(|error| Error::io("cannot start a thread for the database", error))?;
        let mut server = Some(Server { orders, thread });
        match is_ready.recv() {
            Ok(existing) => Ok(Self { server, existing, schema: Schema::default(), chunk: Vec::new() }),
            // It has ended: its result says why.
            Err(RecvError) => Err(ended(&mut server)),
        }
    }

    fn order(&mut self, order: Order) -> Result<()> {
        let sent = self.server.as_ref().is_some_and(|server| server.orders.send(order).is_ok());
        if sent { Ok(()) } else { Err(ended(&mut self.server)) }
    }

    fn send_rows(&mut self) -> Result<()> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        let chunk = std::mem::take(&mut self.chunk);
        self.order(Order::Rows(chunk))
    }
}

/// Returns why the connection ended before the table was complete.
fn ended(server: &mut Option<Server>) -> Error {
    let result = server.take().map(|server| {
        drop(server.orders);
        server.thread.join()
    });
    match result {
        Some(Ok(Err(error))) => error,
        Some(Err(_)) => Error::new(Kind::Internal, "the thread of the database has panicked"),
        Some(Ok(Ok(()))) | None => Error::new(Kind::Io, "the connection to the database is closed"),
    }
}

impl Writer for Postgres {
    fn existing(&self) -> Option<&[Column]> {
        self.existing.as_deref()
    }

    fn begin(&mut self, schema: &Schema) -> Result<()> {
        if let Some(long) = schema.names().find(|name| name.len() > LONGEST_NAME) {
            return Err(Error::new(
                Kind::Column,
                format!("PostgreSQL cuts names after {LONGEST_NAME} bytes: {}", printable(long)),
            )
            .hint("choose columns with [`select`]"));
        }
        self.schema = schema.clone();
        self.order(Order::Begin(schema.columns.clone()))
    }

    fn row(&mut self, row: &Row<'_>) -> Result<()> {
        for (at, cell) in row.cells().enumerate() {
            if at > 0 {
                self.chunk.push(b'\t');
            }
            match self.schema.value(at, cell)? {
                Value::Null => self.chunk.extend_from_slice(b"\\N"),
                Value::Text(text) => escape(text.as_bytes(), &mut self.chunk),
                // Their digits as they are: the server rounds, if anything.
                Value::Int(_) | Value::Float(_) | Value::Date(_) => escape(cell.trim_ascii(), &mut self.chunk),
            }
        }
        self.chunk.push(b'\n');
        if self.chunk.len() >= CHUNK { self.send_rows() } else { Ok(()) }
    }

    fn finish(mut self: Box<Self>, ending: Ending) -> Result<Option<Bytes>> {
        if ending == Ending::Stopped {
            // The server undoes what has come.
            return Ok(None);
        }
        self.send_rows()?;
        self.order(Order::Commit)?;
        let Some(server) = self.server.take() else { return Err(ended(&mut None)) };
        drop(server.orders);
        match server.thread.join() {
            Ok(done) => done.map(|()| Some(Bytes::default())),
            Err(_) => Err(Error::new(Kind::Internal, "the thread of the database has panicked")),
        }
    }
}

/// Appends a text in the text format of `COPY`.
fn escape(text: &[u8], out: &mut Vec<u8>) {
    for &byte in text {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            byte => out.push(byte),
        }
    }
}

const MADE_MEANWHILE: &str =
    "another program made the table meanwhile: [`overwrite`] replaces it, [`append`] adds rows to it";

/// The table, and what may happen to it.
struct Table {
    /// `postgres://host:port/database`.
    place: String,
    name: String,
    existing: Existing,
}

/// Runs the connection until the sink is done with it. Without an order to commit, nothing stays.
fn serve(
    config: &Config,
    table: &Table,
    orders: &Receiver<Order>,
    ready: &SyncSender<Option<Vec<Column>>>,
) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::io("cannot start a runtime for the database", error))?;
    runtime.block_on(async {
        let limit = *config.get_connect_timeout().unwrap_or(&CONNECT);
        let connected = tokio::time::timeout(limit, config.connect(NoTls)).await.map_err(|_| {
            Error::new(Kind::Timeout, "the database does not answer")
                .hint("check its host and its port, and that a PostgreSQL server listens there")
                .input(&table.place)
        })?;
        let (client, connection) = connected.map_err(|error| table.failed(error))?;
        // It ends with the client.
        let driver = tokio::spawn(connection);
        let done = table.write(&client, orders, ready).await;
        drop(client);
        let _ = driver.await;
        done
    })
}

impl Table {
    async fn write(
        &self,
        client: &Client,
        orders: &Receiver<Order>,
        ready: &SyncSender<Option<Vec<Column>>>,
    ) -> Result<()> {
        let failed = |error| self.failed(error);
        let existing = self.columns(client).await?;
        if existing.is_some() && self.existing == Existing::Refuse {
            return Err(Error::new(Kind::Io, format!("the table is there already: {}", printable(&self.name)))
                .input(&self.place)
                .hint("[`overwrite`] replaces it, [`append`] adds rows to it"));
        }
        let existing = existing.filter(|_| self.existing == Existing::Append);
        let is_new = existing.is_none();
        // If the sink is gone, there is nothing to do.
        if ready.send(existing).is_err() {
            return Ok(());
        }
        // The sink is on another thread, so waiting for it here keeps nobody from working. While a
        // copy waits, the server hears nothing, and need not.
        let Ok(Order::Begin(columns)) = orders.recv() else { return Ok(()) };
        client.batch_execute("BEGIN").await.map_err(failed)?;
        let name = qualified(&self.name);
        if is_new {
            if self.existing == Existing::Replace {
                client.batch_execute(&format!("DROP TABLE IF EXISTS {name}")).await.map_err(failed)?;
            }
            let declared: Vec<String> =
                columns.iter().map(|column| format!("{} {}", quoted(&column.name), declared(column.of_type))).collect();
            client.batch_execute(&format!("CREATE TABLE {name} ({})", declared.join(", "))).await.map_err(failed)?;
        }
        let names: Vec<String> = columns.iter().map(|column| quoted(&column.name)).collect();
        let copy = format!("COPY {name} ({}) FROM STDIN", names.join(", "));
        let sink: CopyInSink<Chunk> = client.copy_in(&copy).await.map_err(failed)?;
        let mut sink = std::pin::pin!(sink);
        loop {
            match orders.recv() {
                Ok(Order::Rows(rows)) => sink.send(Chunk::from(rows)).await.map_err(failed)?,
                Ok(Order::Commit) => break,
                Ok(Order::Begin(_)) | Err(RecvError) => return Ok(()),
            }
        }
        sink.as_mut().finish().await.map_err(failed)?;
        client.batch_execute("COMMIT").await.map_err(failed)
    }

    /// Returns the columns of the table, if it is there.
    async fn columns(&self, client: &Client) -> Result<Option<Vec<Column>>> {
        let failed = |error| self.failed(error);
        let name = qualified(&self.name);
        let query = "SELECT relkind::text FROM pg_class WHERE oid = to_regclass($1)";
        let Some(row) = client.query_opt(query, &[&name]).await.map_err(failed)? else { return Ok(None) };
        let what = match row.try_get::<_, String>(0).map_err(failed)?.as_str() {
            "v" | "m" => Some("a view"),
            "i" | "I" => Some("an index"),
            "S" => Some("a sequence"),
            "c" => Some("a type"),
            _ => None,
        };
        if let Some(what) = what {
            let error =
                format!("what has this name in the database is no table, but {what}: {}", printable(&self.name));
            return Err(Error::new(Kind::Io, error).input(&self.place).hint("name another one with [`table`]"));
        }
        let query = "SELECT attname::text, format_type(atttypid, NULL) FROM pg_attribute \
                     WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped ORDER BY attnum";
        let rows = client.query(query, &[&name]).await.map_err(failed)?;
        let column = |row: &tokio_postgres::Row| {
            let of_type: String = row.try_get(1)?;
            Ok(Column { name: row.try_get(0)?, of_type: of_declared(&of_type) })
        };
        rows.iter().map(column).collect::<Result<_, tokio_postgres::Error>>().map(Some).map_err(failed)
    }

    /// Says what the server did not do, in its words.
    fn failed(&self, error: tokio_postgres::Error) -> Error {
        let Some(db) = error.as_db_error() else {
            return Error::new(Kind::Connect, "no connection to the database")
                .hint("check host and port, that a PostgreSQL server listens there, and that it takes connections without TLS")
                .because(error)
                .input(&self.place);
        };
        // Of two that make a table at once, the second one may be told of the catalogue's own index.
        let is_made_twice = db.code() == &SqlState::UNIQUE_VIOLATION && db.schema() == Some("pg_catalog");
        let hint = match db.code() {
            _ if is_made_twice => Some(MADE_MEANWHILE),
            &SqlState::INVALID_PASSWORD | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
                Some("check user and password: in the URL, or the password in PGPASSWORD")
            }
            &SqlState::DUPLICATE_TABLE => Some(MADE_MEANWHILE),
            &SqlState::INVALID_CATALOG_NAME => Some("name a database of the server at the end of the URL"),
            &SqlState::INVALID_SCHEMA_NAME => Some("make the schema first"),
            &SqlState::INSUFFICIENT_PRIVILEGE => Some("the user may not write this table"),
            &SqlState::CHARACTER_NOT_IN_REPERTOIRE => Some("a text of PostgreSQL cannot hold a zero byte"),
            _ => None,
        };
        // The words of a server are its own: they must not steer a terminal. About a login, they
        // name the user.
        let is_login =
            matches!(db.code(), &SqlState::INVALID_PASSWORD | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION);
        let words: Vec<String> = if is_login {
            vec!["it refuses the user or the password".to_owned()]
        } else {
            [Some(db.message()), db.detail(), db.where_()].into_iter().flatten().map(printable).collect()
        };
        let error = Error::new(Kind::Io, format!("the database refuses the table {}", printable(&self.name)))
            .because(words.join(": "))
            .input(&self.place);
        match hint {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }
}

/// Returns the address of the server without user and password.
fn place(config: &Config) -> String {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(host)) => host.clone(),
        #[cfg(unix)]
        Some(Host::Unix(path)) => path.display().to_string(),
        None => "localhost".to_owned(),
    };
    let port = config.get_ports().first().copied().unwrap_or(5432);
    format!("postgres://{host}:{port}/{}", config.get_dbname().or(config.get_user()).unwrap_or_default())
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Quotes `table` or `schema.table`.
fn qualified(name: &str) -> String {
    match name.split_once('.') {
        Some((schema, table)) => format!("{}.{}", quoted(schema), quoted(table)),
        None => quoted(name),
    }
}

const fn declared(of_type: Type) -> &'static str {
    match of_type {
        Type::Text => "text",
        Type::Int => "bigint",
        Type::Float => "double precision",
        Type::Date => "date",
    }
}

/// Returns the type that cells must be of before the server sees them. Of other types, it judges
/// the text itself.
fn of_declared(declared: &str) -> Type {
    match declared {
        "smallint" | "integer" | "bigint" => Type::Int,
        "real" | "double precision" | "numeric" => Type::Float,
        "date" => Type::Date,
        _ => Type::Text,
    }
}
