//! A real server, with a pool of connections that are all opened before anything is timed.
//!
//! Nothing is created or changed on the server. Its URL may hold a password: only host and port are
//! ever shown.

use super::options::HOW;
use crate::workload::work::digest;
use deadpool_postgres::{Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime};
use futures::future::try_join_all;
use raudal_common::units;
use raudal_common::{Error, Kind, Result};
use raudal_pool::Attempt;
use std::error::Error as _;
use std::fmt;
use std::io;
use std::time::Duration;
use tokio_postgres::config::Host;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Config, NoTls};

/// The time limit for making a connection, unless the URL sets one.
const CONNECT: Duration = Duration::from_secs(10);

pub(super) struct PostgresServer {
    pool: Pool,
    /// `postgres://host:port`.
    place: String,
    timeout: Duration,
}

impl fmt::Debug for PostgresServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres").field("place", &self.place).finish_non_exhaustive()
    }
}

impl PostgresServer {
    /// Connects to the server, and opens all connections.
    pub(super) async fn open(url: &str, connections: usize, timeout: Duration) -> Result<Self> {
        // The cause names an option, but never its value.
        let mut config: Config = url
            .parse()
            .map_err(|error| Error::usage("the URL of the database cannot be read").hint(HOW).because(error))?;
        let place = place(&config);
        let limit = *config.get_connect_timeout().unwrap_or(&CONNECT);
        config.connect_timeout(limit);
        if config.get_application_name().is_none() {
            config.application_name("raudal");
        }
        // Dropping a query here does not stop it on the server, so the server needs a time-out too.
        let options =
            format!("{} -c statement_timeout={}", config.get_options().unwrap_or(""), timeout.as_millis().max(1));
        config.options(options.trim());
        // Fast: notices a broken connection without asking the server, which would cost a round
        // trip each time.
        let manager = Manager::from_config(config, NoTls, ManagerConfig { recycling_method: RecyclingMethod::Fast });
        let pool = Pool::builder(manager)
            .max_size(connections)
            .runtime(Runtime::Tokio1)
            .create_timeout(Some(limit))
            .build()
            .map_err(|error| Error::new(Kind::Internal, "cannot make a pool of connections").because(error))?;
        let opened = Self { pool, place, timeout };
        // All are held at once; otherwise the pool would hand out the first one again.
        let all = try_join_all((0..connections).map(|_| opened.pool.get())).await;
        drop(all.map_err(|error| opened.no_connection(error))?);
        Ok(opened)
    }

    /// Runs one query that takes `wait`. Returns the digest of the server's answer.
    pub(super) async fn query(&self, cx: &Attempt, number: u32, wait: Duration) -> Result<String> {
        let id = i64::from(number);
        cx.stage("acquire");
        let mut lease = ConnectionLease(Some(self.pool.get().await.map_err(|error| self.no_connection(error))?));
        let Some(client) = &lease.0 else { return Err(Error::new(Kind::Internal, "the pool has lost a connection")) };
        cx.stage("query");
        let answer = async {
            let statement = client.prepare_cached("SELECT md5(($1::int8)::text) FROM pg_sleep($2)").await?;
            client.query_one(&statement, &[&id, &wait.as_secs_f64()]).await?.try_get::<_, String>(0)
        };
        // The server or this program may notice first that a query is too slow. Both errors name
        // the query.
        let found = answer.await.map_err(|error| self.fault(error, format!("query {number} at {}", self.place)))?;
        // The query is complete, so the connection can be reused.
        drop(lease.0.take());
        cx.advance(found.len() as u64, 1);
        Ok(digest(format!("query {number}\n{found}")))
    }

    fn no_connection(&self, error: PoolError) -> Error {
        match error {
            PoolError::Backend(error) => self.fault(error, self.place.clone()),
            PoolError::Timeout(_) => Error::new(Kind::Timeout, "the database does not respond")
                .hint("check the host and the port, and that a PostgreSQL server listens there")
                .input(&self.place),
            error => Error::new(Kind::Internal, "the pool of connections failed").because(error).input(&self.place),
        }
    }

    /// Turns a failure of the server into an error with its place and a hint.
    fn fault(&self, error: tokio_postgres::Error, place: String) -> Error {
        let (kind, what, hint) = match error.code() {
            Some(state) => of_state(state, self.timeout),
            None => of_connection(&error),
        };
        let fault = Error::new(kind, what).hint(hint).input(place);
        // The server's message names the user, so it is left out.
        if error.code().is_some_and(is_about_the_user) {
            return fault.transient(false);
        }
        // The server's message is escaped, so that it cannot control a terminal.
        let words = error.as_db_error().map(|db| raudal_common::error::printable(db.message()));
        let fault = if error.code() == Some(&SqlState::INVALID_CATALOG_NAME) { fault.transient(false) } else { fault };
        match words {
            Some(words) => fault.because(words),
            None => fault.because(error),
        }
    }
}

/// Keeps the connection of an unfinished query out of the pool, where the next query would wait for
/// it.
struct ConnectionLease(Option<Object>);

impl Drop for ConnectionLease {
    fn drop(&mut self) {
        if let Some(object) = self.0.take() {
            drop(Object::take(object));
        }
    }
}

fn is_about_the_user(state: &SqlState) -> bool {
    // Class 28: invalid authorization specification.
    state.code().starts_with("28")
}

type Named = (Kind, String, String);

/// Explains an error code of the server (PostgreSQL's documentation, appendix A).
fn of_state(state: &SqlState, timeout: Duration) -> Named {
    let named = |kind, what: &str, hint: &str| (kind, what.to_owned(), hint.to_owned());
    match state.code() {
        _ if is_about_the_user(state) => {
            named(Kind::Connect, "the database rejects the user or the password", "check both in the URL")
        }
        "3D000" => named(
            Kind::Connect,
            "the database with this name does not exist, or you may not use it",
            "check the name at the end of the URL",
        ),
        "53300" => named(Kind::Connect, "the database has no connections left", "use fewer [`connections`]"),
        "57014" => (
            Kind::Timeout,
            format!("the job took longer than the time-out: {}", units::duration(timeout)),
            "allow more with [`timeout`], or run fewer jobs at once".to_owned(),
        ),
        "57P01" | "57P02" => {
            named(Kind::Reset, "the connection to the database was lost", "check the log of the server")
        }
        "57P03" => named(Kind::Connect, "the database is starting or stopping", "try again in a moment"),
        code if code.starts_with("53") => {
            named(Kind::Io, "the database has run out of a resource", "check the log of the server")
        }
        _ => named(Kind::Unsupported, "the database rejects the query", "raudal needs PostgreSQL 9.6 or later"),
    }
}

/// Explains a failure of the connection, before or during its use.
fn of_connection(error: &tokio_postgres::Error) -> Named {
    let named = |kind, what: &str, hint: &str| (kind, what.to_owned(), hint.to_owned());
    let broken = "check the log of the server";
    let io = error.source().and_then(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    match io {
        _ if error.is_closed() => named(Kind::Reset, "the connection to the database was lost", broken),
        Some(io::ErrorKind::TimedOut) => named(
            Kind::Timeout,
            "the database does not respond",
            "check the host and the port, and that a PostgreSQL server listens there",
        ),
        Some(io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof) => {
            named(Kind::Reset, "the connection to the database broke", broken)
        }
        _ if error.to_string().contains("TLS") => {
            named(Kind::Tls, "TLS connections to databases are not supported", "add ?sslmode=disable, or use a tunnel")
        }
        _ => named(
            Kind::Connect,
            "cannot connect to the database",
            "check the host and the port, and that a PostgreSQL server listens there",
        ),
    }
}

/// Returns the host and the port of the server, without user, password or database.
fn place(config: &Config) -> String {
    let host = config.get_hosts().first().map(|host| match host {
        Host::Tcp(name) => name.clone(),
        #[cfg(unix)]
        Host::Unix(path) => path.display().to_string(),
    });
    let port = config.get_ports().first().copied().unwrap_or(5432);
    format!("postgres://{}:{port}", host.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_shows_no_credentials() {
        let config: Config = "postgres://me:secret@db.example:6543/books?application_name=x".parse().unwrap();
        assert_eq!(place(&config), "postgres://db.example:6543");
    }

    #[test]
    fn what_a_server_says_of_itself_has_a_kind_and_a_cure() {
        for (code, kind) in [
            ("28P01", Kind::Connect),
            ("3D000", Kind::Connect),
            ("53300", Kind::Connect),
            ("57014", Kind::Timeout),
            ("57P01", Kind::Reset),
            ("57P03", Kind::Connect),
            ("53100", Kind::Io),
            ("42501", Kind::Unsupported),
        ] {
            let (named, what, hint) = of_state(&SqlState::from_code(code), Duration::from_secs(1));
            assert!(named == kind && !what.is_empty() && !hint.is_empty(), "{code}: {named:?} {what} {hint}");
        }
    }

    #[tokio::test]
    async fn a_url_that_cannot_be_read_shows_no_credentials() {
        for url in ["postgres://me:secret@db:port/x", "postgres://me:secret@db/x?sslmode=secret"] {
            let error = PostgresServer::open(url, 1, CONNECT).await.unwrap_err();
            assert_eq!(error.kind(), Kind::Usage, "{error}");
            assert!(!error.report().contains("secret"), "{}", error.report());
        }
    }
}
