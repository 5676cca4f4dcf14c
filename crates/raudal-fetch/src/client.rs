//! What serves a whole run: connections, headers, and the memory for bodies.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::body::streaming::{Arriving, Tail};
use crate::cache::ask;
use crate::transfer::attempt::Ask;
use crate::transfer::segments::Found;
use crate::transfer::transport::Transport;
use crate::transfer::{hedge, local};
use crate::{Body, Expect, Options, Partial, PartialFile, Transfer};
use raudal_common::Result;
use raudal_source::Location;

/// Fetches inputs. It is cheap to clone; all clones share connections and the memory for bodies.
///
/// ```no_run
/// use std::io::Read;
/// use raudal_fetch::{Client, Expect, Options};
/// use raudal_source::Location;
///
/// # #[tokio::main] async fn main() -> raudal_common::Result<()> {
/// let client = Client::new(&Options::default())?;
/// let location = Location::parse("https://example.org/data.zip")?;
/// let body = client.fetch(&location, Expect::Table, &()).await?;
/// println!("{} bytes from {}", body.len(), body.location());
/// let mut reader = body.into_reader(); // Read + Seek: hand it to a blocking thread
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Client(Arc<Transport>);

/// What became of a look for a transfer that a further connection could [help](Client::help).
#[non_exhaustive]
pub enum Help<S> {
    /// The last bytes of one are cut off. Await the future: it fetches them, and hands them to the transfer. The slot is
    /// free again when it is done.
    Needed(BoxFuture<'static, S>),
    /// None now; looking again after this long may find one.
    Later(Duration),
    /// Nothing is under way that could be helped.
    Nothing,
}

impl Client {
    /// A client with these options.
    ///
    /// # Errors
    ///
    /// Headers that no request may have, a proxy that is no URL, a file of certificates that is none, a rate of 0.
    pub fn new(options: &Options) -> Result<Self> {
        Ok(Self(Arc::new(Transport::new(options)?)))
    }

    /// Fetches one input, once: all of its bytes, checked, or an error that names the input.
    ///
    /// `watch` is told of every piece as it arrives. When the future is dropped the transfer stops, and nothing of
    /// it is left.
    ///
    /// # Errors
    ///
    /// A status that is not 200, a redirect that must not be followed, an empty body, a body that is shorter than it
    /// was announced, an HTML page where a table is expected, and everything a network or a disk can do. Whether
    /// another try may help is told by [`Error::is_transient`].
    pub async fn fetch(&self, location: &Location, expect: Expect, watch: &dyn Transfer) -> Result<Body> {
        self.resume(location, expect, watch, &mut None).await
    }

    /// Like [`fetch`](Self::fetch), but what has arrived when the transfer breaks off is left in `kept`, and the next
    /// attempt that is given it asks for the rest alone.
    ///
    /// It goes on only if the server confirms by a strong validator that its bytes are still the same; else it begins
    /// at zero. After a success `kept` is empty: if the bytes turn out to be bad, nothing of them lives on. Bytes that
    /// were kept are told to `watch` once more, so that each attempt that succeeds counts the whole.
    ///
    /// ```no_run
    /// use raudal_fetch::{Client, Expect, Options};
    /// use raudal_source::Location;
    ///
    /// # #[tokio::main] async fn main() -> raudal_common::Result<()> {
    /// # let client = Client::new(&Options::default())?;
    /// # let location = Location::parse("https://example.org/data.zip")?;
    /// let mut kept = None;
    /// let body = loop {
    ///     match client.resume(&location, Expect::Any, &(), &mut kept).await {
    ///         Ok(body) => break body,
    ///         Err(error) if error.is_transient() => {} // a real loop counts, and waits: see `pool::Retry`
    ///         Err(error) => return Err(error),
    ///     }
    /// };
    /// # drop(body);
    /// # Ok(()) }
    /// ```
    pub async fn resume(
        &self,
        location: &Location,
        expect: Expect,
        watch: &dyn Transfer,
        kept: &mut Option<Partial>,
    ) -> Result<Body> {
        let fetched = match location {
            Location::Url(url) => ask::get(&self.0, Ask { url, expect, watch, place: None }, kept).await,
            Location::File(path) => {
                watch.stage("transfer");
                local::open(path, expect, watch, &self.0.budget).await
            }
        };
        fetched.map_err(|error| error.input(location.to_string()))
    }

    /// Like [`resume`](Self::resume), but the body arrives in a file, and what an earlier run has left there is gone on
    /// with as well, if it fits and the server confirms it.
    ///
    /// When the future is dropped, or the transfer breaks off, what has arrived stays in the place. A local file is
    /// copied there.
    pub async fn resume_at(
        &self,
        location: &Location,
        expect: Expect,
        watch: &dyn Transfer,
        kept: &mut Option<Partial>,
        place: &PartialFile,
    ) -> Result<Body> {
        let fetched = match location {
            Location::Url(url) => ask::get(&self.0, Ask { url, expect, watch, place: Some(place) }, kept).await,
            Location::File(path) => local::copy(path, expect, watch, &self.0.budget, place).await,
        };
        fetched.map_err(|error| error.input(location.to_string()))
    }
}

impl<S> fmt::Debug for Help<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Needed(_) => f.write_str("Needed"),
            Self::Later(after) => f.debug_tuple("Later").field(after).finish(),
            Self::Nothing => f.write_str("Nothing"),
        }
    }
}

impl Client {
    /// The bytes of this input have turned out to be bad: if they came to the [cache](Options::cache), they leave it.
    pub fn forget(&self, location: &Location) {
        if let Location::Url(url) = location {
            ask::forget(&self.0, url);
        }
    }

    /// How many bytes an input has, as far as that is known without asking: a file has them, or the cache. It blocks, for
    /// as long as a disk takes.
    pub fn known_size(&self, location: &Location) -> Option<u64> {
        match location {
            Location::Url(url) => ask::known_size(&self.0, url),
            Location::File(path) => std::fs::metadata(path).ok().map(|file| file.len()),
        }
    }

    /// Looks for the transfer of this client that has the longest way to go, and cuts off its end for a further connection
    /// to bring: as much as lets all transfers of its host end together, if `spare` more connections help.
    ///
    /// Only such transfers are cut whose server knows ranges and gives a strong validator, which last long enough to be
    /// worth it, and for whose host `slot` gives a slot. A server that refuses a part is asked for none any more, and
    /// the transfer goes on as if nothing had been.
    ///
    /// A slot may be anything that counts connections: [`Permits::try_acquire`](raudal_pool::Permits::try_acquire) gives those that the
    /// jobs of a run leave free, and [`Permits::spare`](raudal_pool::Permits::spare) says how many there are.
    pub fn help<S: Send + 'static>(
        &self,
        spare: impl FnMut(Option<&str>) -> usize,
        slot: impl FnMut(Option<&str>) -> Option<S>,
    ) -> Help<S> {
        match self.0.transfers.cut(Instant::now(), spare, slot) {
            Found::Cut(cut, slot) => {
                let transport = Arc::clone(&self.0);
                Help::Needed(Box::pin(async move {
                    hedge::help(&transport, cut).await;
                    slot
                }))
            }
            Found::Later(after) => Help::Later(after),
            Found::Nothing => Help::Nothing,
        }
    }

    /// Fetches the last bytes of a body that is [arriving](Transfer::arriving), where the directory of an archive is. It
    /// takes a connection of its own, for which there must be a slot.
    ///
    /// # Errors
    ///
    /// The server gives no parts, or other bytes than those that arrive; and everything a network can do. The transfer
    /// itself goes on as if nothing had been.
    pub async fn tail(&self, arriving: &Arriving) -> Result<Tail> {
        match &arriving.source {
            Some(source) => hedge::tail(&self.0, source).await,
            None => Ok(Tail::default()),
        }
    }

    /// Changes each time that a transfer begins that may be worth [`help`](Self::help).
    pub fn transfers(&self) -> watch::Receiver<()> {
        self.0.transfers.subscribe()
    }

    /// How often a transfer was [helped](Self::help).
    pub fn helped(&self) -> u64 {
        self.0.transfers.cuts()
    }
}
