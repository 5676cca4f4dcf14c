//! The embedded origin: an HTTP server on this machine with synthetic archives. With it, every run
//! and every test works without a network, over a link of known latency and bandwidth.
//!
//! | file | what it does |
//! |---|---|
//! | `server` | accepts connections, finds what a request asks for, responds |
//! | `response` | a response before it is sent |
//! | `response_plan` | the status and range of a response, from the request's headers |
//! | `fault` | faults on purpose |
//! | `archives` | makes each archive once, when it is first requested, on all CPUs |
//! | `synth` | the content of the archives |
//! | `pack` | writes zip files |
//! | `pace`, `body` | sends bodies at the bandwidth of the link |
//! | `stall` | gives up on a client that does not read |
//! | `api` | a small API that returns JSON |
//! | `pages` | the index, and the page for a missing file |
//! | `teams` | pages to scrape |
//! | `stats` | what the origin counts |
//!
//! # What it serves
//!
//! The 32 archives of either [edition](raudal_catalogue::Edition), found by the last segment of the path in any case
//! of letters, and `tiny_<number>.zip` for any number: an archive of four rows, for runs over very many inputs. `/`
//! lists them. `/teams/` is an index of invented teams, each with a page that holds a table, to be scraped.
//! `/api/<number>` returns a few figures as JSON, for runs over many small calls. With `/api/7?latency=50ms`, the
//! server waits this long before it responds, in addition to the latency of the link. Anything else is answered **200
//! with an HTML page**, because INEGI's server does so.
//!
//! The archives say that they are synthetic: in their comment, in a member `SYNTHETIC.txt`, in the name of each
//! place, and in the header `X-Raudal-Synthetic`. Their shape is that of the real ones. The numbers of rows and of
//! municipalities and the population are real, from the [catalogue](raudal_catalogue::Catalogue). All other figures
//! are made up.

mod api;
mod archives;
mod body;
mod fault;
mod pace;
mod pack;
mod pages;
mod response;
mod response_plan;
mod server;
mod stall;
mod stats;
mod synth;
mod teams;

use archives::ArchiveStore;
pub use fault::Fault;
use fault::FaultInjector;
use httpdate::HttpDate;
use pace::TokenBucket;
pub use pack::SYNTHETIC;
use raudal_catalogue::Edition;
use raudal_common::{Error, Kind, Result};
use server::ServerState;
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
    /// Body bytes per second on each connection, for all its requests together; `None` for no
    /// limit.
    pub bandwidth_per_connection: Option<u64>,
    /// Body bytes per second on all connections together, which take turns; `None` for no limit.
    pub bandwidth: Option<u64>,
    /// The size of the archives: 1 has as many rows as the real files, 0.1 a tenth. Above 0 and at
    /// most 6.
    pub scale: f64,
    /// The seed of every invented figure, and of the choice of requests that a fault applies to.
    /// The same seed and scale give the same bytes.
    pub seed: u64,
    /// Faults on purpose. If several match a request, the first one applies.
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
    /// Refuses options that make no sense, before a port is opened.
    fn check(&self) -> Result<()> {
        synth::check_scale(self.scale)?;
        if [self.bandwidth, self.bandwidth_per_connection].contains(&Some(0)) {
            return Err(Error::usage("a bandwidth of 0").hint("leave out the bandwidth for no limit"));
        }
        Ok(())
    }
}

/// A running server. It owns its tasks. Dropping it aborts them; [`shutdown`](Self::shutdown) also
/// waits for them.
///
/// An archive is made only when a request or [`prepare`](Self::prepare) asks for it.
///
/// ```
/// use raudal_origin::{Options, Origin};
/// use raudal_catalogue::{iter_2020, Edition};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> raudal_common::Result<()> {
/// let mut options = Options::default();
/// options.scale = 0.05;
/// let origin = Origin::start(options).await?;
/// origin.prepare(iter_2020::MICRODATOS, &[6]).await?;
/// println!("{}ITER_06_2020_csv.zip", origin.url());
/// assert_eq!(origin.stats().requests, 0);
/// origin.shutdown().await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Origin {
    address: SocketAddr,
    shared: Arc<ServerState>,
    stop: CancellationToken,
    server: AbortOnDropHandle<()>,
}

impl Origin {
    /// Starts an origin on a free port, reachable from this machine only.
    pub async fn start(options: Options) -> Result<Self> {
        Self::bind((Ipv4Addr::LOCALHOST, 0), options).await
    }

    /// Starts an origin on this address; port 0 means any free port.
    ///
    /// # Errors
    ///
    /// Fails with the kind [`Usage`](Kind::Usage) for options that make no sense, and with [`Io`](Kind::Io) for an
    /// address that is not available.
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
        let bandwidth = options.bandwidth.map(|rate| Arc::new(Mutex::new(TokenBucket::new(rate, Instant::now()))));
        let shared = Arc::new(ServerState {
            archives: ArchiveStore::new(options.scale, options.seed),
            counters: Arc::default(),
            latency: options.latency,
            bandwidth_per_connection: options.bandwidth_per_connection,
            bandwidth,
            faults: FaultInjector::new(options.faults, options.seed),
        });
        let stop = CancellationToken::new();
        let server = server::serve(listener, Arc::clone(&shared), stop.clone().cancelled_owned());
        Ok(Self { address, shared, stop, server: AbortOnDropHandle::new(tokio::spawn(server)) })
    }

    /// Returns the URL of its index, with a final slash. The name of an archive may follow.
    pub fn url(&self) -> String {
        let mut address = self.address;
        // A server can listen on "any address", but a client cannot connect to it everywhere.
        match address {
            SocketAddr::V4(v4) if v4.ip().is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
            SocketAddr::V6(v6) if v6.ip().is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
            _ => {}
        }
        format!("http://{address}/")
    }

    /// Returns the address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Makes the archives of these entities (1 to 32) on all CPUs, and returns when they are ready.
    ///
    /// Dropping the future is safe: the archives that are being made are finished and kept, and no
    /// other is started.
    ///
    /// # Errors
    ///
    /// Fails with the kind [`Usage`](Kind::Usage) for a code that is not an entity's.
    pub async fn prepare(&self, edition: Edition, codes: &[u32]) -> Result<()> {
        self.shared.archives.prepare(edition, codes).await
    }

    /// Returns the counts so far.
    pub fn stats(&self) -> Stats {
        self.shared.counters.snapshot()
    }

    /// Resets the counts. What is open now is the new peak.
    pub fn reset_stats(&self) {
        self.shared.counters.reset();
    }

    /// Stops accepting connections, ends the open ones, even with a request in flight, and waits for all tasks.
    pub async fn shutdown(self) {
        self.stop.cancel();
        // If the accept loop panicked, its connections ended with it, so nothing is left to do.
        let _ = self.server.await;
        self.shared.archives.settle().await;
    }
}

/// The fixed modification time of all archives. Their time stamps inside have it too.
static MODIFIED: LazyLock<HttpDate> =
    LazyLock::new(|| HttpDate::from(std::time::UNIX_EPOCH + Duration::from_secs(1_615_896_000)));
