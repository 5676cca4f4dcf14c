//! The client: serves a whole run with its connections, headers and the memory for bodies.

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
use crate::transfer::attempt::{Ask, Loaded};
use crate::transfer::part_reader::PartReader;
use crate::transfer::segments::{CutSearch, LOOK};
use crate::transfer::transport::Transport;
use crate::transfer::{hedge, local};
use crate::{Body, Options, Partial, Validators};
use raudal_common::{Error, Kind, Result};
use raudal_source::{Input, Location};

/// Fetches inputs. Cloning it is cheap: all clones share connections and the memory for bodies.
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

/// The work that [`Client::segment`] found for an idle slot.
#[non_exhaustive]
pub enum Segment<S> {
    /// The end of a transfer. Await the future: it fetches these bytes and hands them to the
    /// transfer. It returns the slot when it is done.
    Cut(BoxFuture<'static, S>),
    /// Nothing now. Call again after this time: there may be something then.
    Later(Duration),
    /// No transfer in flight could be split.
    Nothing,
}

impl Client {
    /// Creates a client with these options.
    ///
    /// # Errors
    ///
    /// Returns an error for a header that is invalid or must not be set, for a proxy that is not a
    /// URL, for an unusable file of certificates, and for a rate of 0.
    pub fn new(options: &Options) -> Result<Self> {
        Ok(Self(Arc::new(Transport::new(options)?)))
    }

    /// Fetches one input in one attempt. Returns all of its bytes, verified.
    ///
    /// Reports every chunk to `progress` as it arrives. Dropping the future stops the transfer and
    /// leaves nothing behind.
    ///
    /// # Errors
    ///
    /// Returns an error that names the input: for a status other than 200, a redirect that must not
    /// be followed, an empty body, a body shorter than announced, an HTML page in place of a table,
    /// and any failure of the network or the disk. [`Error::is_transient`] says whether a retry may
    /// help.
    pub async fn fetch(&self, location: &Location, expect: Expect, progress: &dyn TransferProgress) -> Result<Body> {
        self.resume(location, expect, progress, &mut None).await
    }

    /// Like [`fetch`](Self::fetch), but resumes. If the transfer breaks off, its bytes stay in
    /// `kept`. The next attempt with the same `kept` requests only the rest.
    ///
    /// It resumes only if the server confirms with a strong validator that the file is unchanged.
    /// Otherwise it starts from zero. After a success `kept` is empty, so bytes that turn out to be
    /// bad are never used again. Each attempt reports the kept bytes to `progress` again, so that a
    /// successful attempt counts the whole body.
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
    ///         Err(error) if error.is_transient() => {} // a real loop has a limit, and waits: see `pool::Retry`
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
            ControlFlow::Break(()) => Err(Error::new(Kind::Internal, "a body was declined without a check")),
        }
    }

    /// Like [`resume`](Self::resume), with all options of a [`Request`]. Returns
    /// [`ControlFlow::Break`] if [`Request::accept`] did.
    ///
    /// With [`Request::into_file`], received bytes stay in the file when the future is dropped or the
    /// transfer breaks off. A local file is copied there.
    ///
    /// # Errors
    ///
    /// As [`fetch`](Self::fetch).
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
            Location::Stdin => {
                progress.stage(Stage::Transfer);
                let body = local::stdin(expect, progress, &self.0.budget).await;
                match (body, file) {
                    (Ok(body), Some(file)) => local::into_file(body, file).await,
                    (body, _) => body,
                }
                .map(ControlFlow::Continue)
            }
        };
        fetched.map_err(|error| error.input(location.to_string()))
    }

    /// Opens an input to read parts of it, in any order. Of a URL it fetches the beginning now and ranges as they are
    /// read, and no more than `most` bytes in all. A local file is read in place.
    ///
    /// The bytes are not verified, and no HTML page is refused.
    ///
    /// # Errors
    ///
    /// As [`fetch`](Self::fetch), but for the length.
    ///
    /// ```no_run
    /// use std::io::{Read, Seek, SeekFrom};
    /// use raudal_source::Location;
    ///
    /// # async fn example(client: raudal_fetch::Client) -> raudal_common::Result<()> {
    /// let location = Location::parse("https://example.org/data.zip")?;
    /// let mut reader = client.open(&location, 1_000_000).await?;
    /// let end = tokio::task::spawn_blocking(move || -> std::io::Result<Vec<u8>> {
    ///     reader.seek(SeekFrom::End(-22))?; // the end of the archive's directory
    ///     let mut end = Vec::new();
    ///     reader.read_to_end(&mut end).map(|_| end)
    /// });
    /// # let _ = end.await;
    /// # Ok(()) }
    /// ```
    pub async fn open(&self, location: &Location, most: u64) -> Result<PartReader> {
        let Location::Url(url) = location else {
            return self.fetch(location, Expect::Any, &()).await.map(PartReader::of_body);
        };
        PartReader::open(&self.0, url, most).await.map_err(|error| error.input(location.to_string()))
    }

    /// Like [`send`](Self::send), but asks the server for the body only if it is not the version that
    /// is `known`. A local file is always copied.
    ///
    /// # Errors
    ///
    /// As [`fetch`](Self::fetch).
    pub async fn send_if_changed(
        &self,
        request: Request<'_>,
        known: &Validators,
        kept: &mut Option<Partial>,
    ) -> Result<IfChanged> {
        let Location::Url(url) = request.location else {
            return Ok(match self.send(request, kept).await? {
                ControlFlow::Continue(body) => IfChanged::Body(body),
                ControlFlow::Break(()) => IfChanged::Declined,
            });
        };
        match ask::get_if_changed(&self.0, Ask { url, request: &request }, known, kept).await {
            Ok(Loaded::Body(body)) => Ok(IfChanged::Body(body)),
            Ok(Loaded::NotModified) => Ok(IfChanged::Unchanged),
            Ok(Loaded::Declined) => Ok(IfChanged::Declined),
            Err(error) => Err(error.input(request.location.to_string())),
        }
    }
}

/// The answer to a request for a body that may have changed.
#[derive(Debug)]
#[non_exhaustive]
#[expect(clippy::large_enum_variant, reason = "it is moved on at once")]
pub enum IfChanged {
    /// The body: it has changed, or the server does not say.
    Body(Body),
    /// The server says that it has not changed (304).
    Unchanged,
    /// [`Request::accept`] declined it.
    Declined,
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
    /// Removes this input from the [cache](Options::cache), because its bytes turned out to be bad.
    pub fn forget(&self, location: &Location) {
        if let Location::Url(url) = location {
            ask::forget(&self.0, url);
        }
    }

    /// Returns what a [glob](raudal_source::Input::glob) in a cloud store stands for, in the order of the keys,
    /// with their sizes.
    ///
    /// # Errors
    ///
    /// An error that names the glob: if the store cannot be listed, or holds nothing that matches.
    pub async fn list(&self, glob: &str) -> Result<Vec<Input>> {
        let listed = self.0.requests.list(glob).await.map_err(|error| error.input(glob))?;
        if listed.is_empty() {
            return Err(Error::new(Kind::Status(404), "no object matches")
                .input(glob)
                .hint("check the bucket and the pattern: upper and lower case differ, and only ** crosses folders"));
        }
        Ok(listed)
    }

    /// Opens a folder of a bucket in a cloud store, over the connections of this client.
    ///
    /// # Errors
    ///
    /// A usage error for an environment that contradicts itself, and an error if the credentials that it names
    /// cannot be had.
    #[cfg(feature = "cloud")]
    pub async fn bucket(&self, folder: &raudal_source::Object) -> Result<raudal_cloud::Bucket> {
        self.0.requests.bucket(folder).await
    }

    /// Returns the size of an input in bytes if it is known without a request: of a local file, or of
    /// a cached body. Blocks while it reads the disk.
    pub fn known_size(&self, location: &Location) -> Option<u64> {
        match location {
            Location::Url(url) => ask::known_size(&self.0, url),
            Location::File(path) => std::fs::metadata(path).ok().map(|file| file.len()),
            Location::Stdin => None,
        }
    }

    /// Splits the slowest remaining transfer into ranges: its end becomes a segment, for an idle slot
    /// to fetch. The length of the segment lets all transfers of the host finish together, if `spare`
    /// slots are used this way.
    ///
    /// A transfer is split only if the server supports ranges and sends a strong validator, if the
    /// transfer lasts long enough, and if `slot` returns a slot for the host. A stalled transfer is
    /// requested a second time instead (a hedged request), and so is one whose response has not begun
    /// although later requests to its host were answered. If a server refuses a range, it gets no
    /// more range requests, and the transfer continues as before.
    ///
    /// A slot may be anything that counts connections.
    /// [`Permits::try_acquire`](raudal_pool::Permits::try_acquire) returns a slot that the jobs of a
    /// run leave free, and [`Permits::spare`](raudal_pool::Permits::spare) returns how many there are.
    pub fn segment<S: Send + 'static>(
        &self,
        spare: impl FnMut(Option<&str>) -> usize,
        mut slot: impl FnMut(Option<&str>) -> Option<S>,
    ) -> Segment<S> {
        let found = self.0.transfers.cut(Instant::now(), spare, &mut slot);
        self.begin(found, slot)
    }

    /// Requests a stalled transfer a second time (a hedged request), and splits none: for a slot that other inputs wait
    /// for. A transfer counts as stalled after a longer silence than for [`segment`](Self::segment).
    ///
    /// `slot` is called for the host of each stalled transfer, until it returns a slot. It may take one ahead of what
    /// waits: [`Permits::claim`](raudal_pool::Permits::claim).
    pub fn hedge<S: Send + 'static>(&self, mut slot: impl FnMut(Option<&str>) -> Option<S>) -> Segment<S> {
        let found = self.0.transfers.ask_again(Instant::now(), &mut slot);
        self.begin(found, slot)
    }

    fn begin<S: Send + 'static>(&self, found: CutSearch<S>, slot: impl FnMut(Option<&str>) -> Option<S>) -> Segment<S> {
        let silences = &self.0.silences;
        match found {
            CutSearch::Cut(cut, slot) => {
                let transport = Arc::clone(&self.0);
                Segment::Cut(Box::pin(async move {
                    hedge::fetch_segment(&transport, cut).await;
                    slot
                }))
            }
            none => match (silences.ask_again(Instant::now(), slot), none) {
                (Some((held, slot)), _) => Segment::Cut(Box::pin(async move {
                    held.over().await;
                    slot
                })),
                (None, CutSearch::Later(after)) => Segment::Later(after),
                (None, _) if silences.has_any() => Segment::Later(LOOK),
                (None, _) => Segment::Nothing,
            },
        }
    }

    /// Fetches the last bytes of a body that is [arriving](Request::arriving): they hold the
    /// directory of an archive. Uses a connection of its own, so the caller needs a slot for it.
    ///
    /// # Errors
    ///
    /// Returns an error if the server sends no ranges, or a range of another version, and for any
    /// failure of the network. The transfer itself continues unchanged.
    pub async fn tail(&self, arriving: &Arriving) -> Result<Tail> {
        match &arriving.source {
            Some(source) => hedge::tail(&self.0, source).await,
            None => Ok(Tail::default()),
        }
    }

    /// Returns a channel that changes whenever a transfer begins that may be worth
    /// [splitting](Self::segment).
    pub fn transfers(&self) -> watch::Receiver<()> {
        self.0.transfers.subscribe()
    }

    /// Returns how many segments were created so far.
    pub fn segments(&self) -> u64 {
        self.0.transfers.cuts()
    }
}
