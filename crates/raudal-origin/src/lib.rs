//! The embedded origin: an HTTP server on this machine with synthetic archives, so that every run and every test can
//! take place with no network, over a link of known latency and bandwidth.
//!
//! | file | what it does |
//! |---|---|
//! | `server` | accepts connections, finds what a request asks for, answers it |
//! | `answer` | an answer before it is sent |
//! | `respond` | its status and range, from the request's headers |
//! | `fault` | what goes wrong on purpose |
//! | `archives` | makes each archive once, when it is first asked for, on all processors |
//! | `synth` | what is in the archives |
//! | `pack` | writes zip files |
//! | `pace`, `body` | lets bodies go at the bandwidth of the link |
//! | `stall` | gives up on a client that does not read |
//! | `api` | a small API that answers with JSON |
//! | `pages` | the index, and the page for a missing file |
//! | `teams` | pages to scrape |
//! | `stats` | what the origin counts |
//!
//! # What it serves
//!
//! The 32 archives of either [edition](raudal_source::Edition), found by the last segment of the path in any case of
//! letters, and `tiny_<number>.zip` for any number: an archive of four rows, for runs over very many inputs. `/` lists
//! them. `/teams/` is an index of invented teams, each with a page that holds a table, to be scraped. `/api/<number>`
//! answers with a few figures as JSON, for runs over many small calls; `/api/7?latency=50ms` makes the server think for
//! so long, after the latency of the link. Anything else is answered **200 with an HTML page**, because INEGI's server
//! does so.
//!
//! The archives say in their comment, and in the header `X-Raudal-Synthetic`, that they are synthetic. True to the
//! real ones are their shape and, from the [catalogue](raudal_source::Catalogue), the numbers of rows and of
//! municipalities and the population; all other figures are made up.

mod answer;
mod api;
mod archives;
mod body;
mod fault;
mod pace;
mod pack;
mod pages;
mod respond;
mod server;
mod stall;
mod stats;
mod synth;
mod teams;

use archives::Archives;
pub use fault::Fault;
use fault::Faults;
use httpdate::HttpDate;
use pace::Bucket;
use raudal_common::{Error, Kind, Result};
use raudal_source::Edition;
use server::Shared;
pub use stats::Stats;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;
pub use synth::archive;
use tokio::net::{TcpListener, ToSocketAddrs};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

/// How the origin's link behaves, and which archives it makes.
///
/// ```
/// use raudal_origin::Options;
/// use std::time::Duration;
///
/// let mut options = Options::default();
/// options.latency = Duration::from_millis(80);
/// options.bandwidth_per_connection = Some(512 * 1024);
/// options.scale = 0.1;
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Options {
    /// How long each response waits before its first byte.
    pub latency: Duration,
    /// Body bytes a second on each connection, however many requests it carries; `None` for no limit.
    pub bandwidth_per_connection: Option<u64>,
    /// Body bytes a second on all connections together, shared out in turn; `None` for no limit.
    pub bandwidth: Option<u64>,
    /// The size of the archives: 1 has as many rows as the real files, 0.1 a tenth. Above 0 and at most 6.
    pub scale: f64,
    /// Decides every made-up figure, and which requests a fault strikes: the same seed and scale give the same bytes.
    pub seed: u64,
    /// What goes wrong on purpose. Of several, the first that strikes a request is committed.
    pub faults: Vec<Fault>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            latency: Duration::ZERO,
            bandwidth_per_connection: None,
            bandwidth: None,
            scale: 1.0,
            seed: 0,
            faults: Vec::new(),
        }
    }
}

impl Options {
    /// Refuses what makes no sense, before a port is opened.
    fn check(&self) -> Result<()> {
        synth::check_scale(self.scale)?;
        if [self.bandwidth, self.bandwidth_per_connection].contains(&Some(0)) {
            return Err(
                Error::usage("a bandwidth is not at least 1 byte a second: 0").hint("leave it out for no limit")
            );
        }
        Ok(())
    }
}

/// A running server. It owns its tasks: dropping it aborts them, [`shutdown`](Self::shutdown) waits for them, too.
///
/// Nothing is made until it is asked for, by a request or by [`prepare`](Self::prepare).
///
/// ```
/// use raudal_origin::{Options, Origin};
/// use raudal_source::Edition;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> raudal_common::Result<()> {
/// let mut options = Options::default();
/// options.scale = 0.05;
/// let origin = Origin::start(options).await?;
/// origin.prepare(Edition::Microdatos, &[6]).await?;
/// println!("{}ITER_06_2020_csv.zip", origin.url());
/// assert_eq!(origin.stats().requests, 0);
/// origin.shutdown().await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Origin {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: CancellationToken,
    server: AbortOnDropHandle<()>,
}

impl Origin {
    /// Starts an origin on a free port of this machine alone.
    pub async fn start(options: Options) -> Result<Self> {
        Self::bind((Ipv4Addr::LOCALHOST, 0), options).await
    }

    /// Starts an origin on this address; port 0 stands for any free one.
    ///
    /// # Errors
    ///
    /// [`Usage`](Kind::Usage) for options that make no sense, [`Io`](Kind::Io) for an address that cannot be had.
    ///
    /// ```
    /// use raudal_origin::{Options, Origin};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> raudal_common::Result<()> {
    /// let origin = Origin::bind("127.0.0.1:0", Options::default()).await?;
    /// assert!(origin.url().starts_with("http://127.0.0.1:"));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn bind(address: impl ToSocketAddrs, options: Options) -> Result<Self> {
        options.check()?;
        let cannot = |error| Error::new(Kind::Io, "cannot listen on the address of the origin").because(error);
        let listener = TcpListener::bind(address).await.map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let bandwidth = options.bandwidth.map(|rate| Arc::new(Mutex::new(Bucket::new(rate, Instant::now()))));
        let shared = Arc::new(Shared {
            archives: Archives::new(options.scale, options.seed),
            counters: Arc::default(),
            latency: options.latency,
            bandwidth_per_connection: options.bandwidth_per_connection,
            bandwidth,
            faults: Faults::new(options.faults, options.seed),
        });
        let stop = CancellationToken::new();
        let server = server::serve(listener, Arc::clone(&shared), stop.clone().cancelled_owned());
        Ok(Self { address, shared, stop, server: AbortOnDropHandle::new(tokio::spawn(server)) })
    }

    /// The URL of its index, with a final slash: the name of an archive may follow.
    pub fn url(&self) -> String {
        let mut address = self.address;
        // One listens on "any address"; one cannot connect to it everywhere.
        match address {
            SocketAddr::V4(v4) if v4.ip().is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            SocketAddr::V6(v6) if v6.ip().is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        format!("http://{address}/")
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Makes the archives of these entities (1 to 32) on all processors, and returns when they are ready.
    ///
    /// Dropping the future is safe: the archives that are being made are finished and kept, and no other is begun.
    ///
    /// # Errors
    ///
    /// A code that is no entity's is an error of the kind [`Usage`](Kind::Usage).
    pub async fn prepare(&self, edition: Edition, codes: &[u8]) -> Result<()> {
        self.shared.archives.prepare(edition, codes).await
    }

    /// What it has counted so far.
    pub fn stats(&self) -> Stats {
        self.shared.counters.snapshot()
    }

    /// Starts counting anew. What is open now is the new peak.
    pub fn reset_stats(&self) {
        self.shared.counters.reset();
    }

    /// Stops accepting, ends all connections, those with a request in flight included, and waits for every task.
    pub async fn shutdown(self) {
        self.stop.cancel();
        // A panic of the accept loop has nothing left to end: its connections ended with it.
        let _ = self.server.await;
        self.shared.archives.settle().await;
    }
}

/// When the archives were last modified, always: their time stamp inside, too.
static MODIFIED: LazyLock<HttpDate> =
    LazyLock::new(|| HttpDate::from(std::time::UNIX_EPOCH + Duration::from_secs(1_615_896_000)));
