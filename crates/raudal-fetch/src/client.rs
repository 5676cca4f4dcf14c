//! What serves a whole run: connections, headers, and the memory for bodies.

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::body::streaming::{Arriving, Tail};
use crate::cache::ask;
use crate::progress::{Stage, TransferProgress};
use crate::request::{Expect, Request};
use crate::transfer::attempt::Ask;
use crate::transfer::segments::CutSearch;
use crate::transfer::transport::Transport;
use crate::transfer::{hedge, local};
use crate::{Body, Options, Partial};
use raudal_common::{Error, Kind, Result};
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

/// What [`Client::segment`] has found for an idle slot.
#[non_exhaustive]
pub enum Segment<S> {
    /// The end of a transfer. Await the future: it fetches these bytes and hands them to the transfer. The slot is free
    /// again when it is done.
    Cut(BoxFuture<'static, S>),
    /// Nothing now. Another look after this long may find something.
    Later(Duration),
    /// No transfer is under way that could be split.
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
    /// `progress` is told of every piece as it arrives. When the future is dropped the transfer stops, and nothing of
    /// it is left.
    ///
    /// # Errors
    ///
    /// A status that is not 200, a redirect that must not be followed, an empty body, a body that is shorter than it
    /// was announced, an HTML page where a table is expected, and everything a network or a disk can do. Whether
    /// another try may help is told by [`Error::is_transient`].
    pub async fn fetch(&self, location: &Location, expect: Expect, progress: &dyn TransferProgress) -> Result<Body> {
        self.resume(location, expect, progress, &mut None).await
    }

    /// Like [`fetch`](Self::fetch), but what has arrived when the transfer breaks off is left in `kept`, and the next
    /// attempt that is given it asks for the rest alone.
    ///
    /// It goes on only if the server confirms by a strong validator that its bytes are still the same; else it begins
    /// at zero. After a success `kept` is empty: if the bytes turn out to be bad, nothing of them lives on. Bytes that
    /// were kept are told to `progress` once more, so that each attempt that succeeds counts the whole.
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
        progress: &dyn TransferProgress,
        kept: &mut Option<Partial>,
    ) -> Result<Body> {
        let request = Request::new(location).expect(expect).progress(progress);
        match self.send(request, kept).await? {
            ControlFlow::Continue(body) => Ok(body),
            ControlFlow::Break(()) => Err(Error::new(Kind::Internal, "a body was declined that nobody judged")),
        }
    }

    /// Like [`resume`](Self::resume), with all that a [`Request`] can ask for. It breaks if [`Request::accept`] did.
    ///
    /// With [`Request::into_file`], what has arrived stays in the file when the future is dropped or the transfer breaks
    /// off. A local file is copied there.
    pub async fn send(&self, request: Request<'_>, kept: &mut Option<Partial>) -> Result<ControlFlow<(), Body>> {
        let Request { location, expect, progress, file, .. } = request;
        let fetched = match location {
            Location::Url(url) => ask::get(&self.0, Ask { url, request: &request }, kept).await,
            Location::File(path) => {
                progress.stage(Stage::Transfer);
                let budget = &self.0.budget;
                match file {
                    Some(file) => local::copy(path, expect, progress, budget, file).await,
                    None => local::open(path, expect, progress, budget).await,
                }
                .map(ControlFlow::Continue)
            }
        };
        fetched.map_err(|error| error.input(location.to_string()))
    }
}

impl<S> fmt::Debug for Segment<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut(_) => f.write_str("Cut"),
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

    /// Splits the slowest remaining transfer into ranges: its end becomes a segment, for an idle slot to fetch. The
    /// segment has the length that lets all transfers of its host end together, if `spare` slots are used this way.
    ///
    /// A transfer is split only if its server knows ranges and gives a strong validator, if it lasts long enough, and if
    /// `slot` gives a slot for its host. A stalled transfer is asked for a second time instead (a hedged request). A
    /// server that refuses a range is asked for none again, and the transfer goes on as before.
    ///
    /// A slot may be anything that counts connections. [`Permits::try_acquire`](raudal_pool::Permits::try_acquire) gives
    /// those that the jobs of a run leave free, and [`Permits::spare`](raudal_pool::Permits::spare) says how many there
    /// are.
    pub fn segment<S: Send + 'static>(
        &self,
        spare: impl FnMut(Option<&str>) -> usize,
        slot: impl FnMut(Option<&str>) -> Option<S>,
    ) -> Segment<S> {
        match self.0.transfers.cut(Instant::now(), spare, slot) {
            CutSearch::Cut(cut, slot) => {
                let transport = Arc::clone(&self.0);
                Segment::Cut(Box::pin(async move {
                    hedge::fetch_segment(&transport, cut).await;
                    slot
                }))
            }
            CutSearch::Later(after) => Segment::Later(after),
            CutSearch::Nothing => Segment::Nothing,
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

    /// Changes each time that a transfer begins that may be worth [splitting](Self::segment).
    pub fn transfers(&self) -> watch::Receiver<()> {
        self.0.transfers.subscribe()
    }

    /// How many segments were cut off so far.
    pub fn segments(&self) -> u64 {
        self.0.transfers.cuts()
    }
}
