//! What to fetch, and what to do as it arrives.

use std::fmt;
use std::ops::ControlFlow;

use tokio::sync::mpsc::UnboundedSender;
use url::Url;

use crate::body::partial_file::PartialFile;
use crate::body::streaming::Arriving;
use crate::progress::TransferProgress;
use raudal_source::Location;

/// What the bytes are wanted for, and so what may not come in their place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expect {
    /// An archive or a table: an HTML page is an impostor.
    #[default]
    Table,
    /// Any file, HTML too.
    Any,
}

/// What is known of a body before it comes.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ResponseHead<'a> {
    /// Where it comes from, after all redirects.
    pub from: &'a Url,
    /// The header `Content-Disposition`, as it is written: [`file_name`](crate::file_name) reads it.
    pub disposition: Option<&'a str>,
    /// Its length in bytes, if it is known.
    pub length: Option<u64>,
}

/// Judges a response by its head.
pub(crate) type Accept<'a> = dyn Fn(&ResponseHead<'_>) -> ControlFlow<()> + Send + Sync + 'a;

/// One input to fetch with [`Client::send`](crate::Client::send).
///
/// ```no_run
/// use raudal_fetch::{Client, Expect, Options, Request};
/// use raudal_source::Location;
/// use std::ops::ControlFlow;
///
/// # #[tokio::main] async fn main() -> raudal_common::Result<()> {
/// let client = Client::new(&Options::default())?;
/// let location = Location::parse("https://example.org/data.zip")?;
///
/// let small = |head: &raudal_fetch::ResponseHead<'_>| match head.length {
///     Some(bytes) if bytes > 1 << 20 => ControlFlow::Break(()),
///     _ => ControlFlow::Continue(()),
/// };
/// let request = Request::new(&location).expect(Expect::Any).accept(&small);
/// match client.send(request, &mut None).await? {
///     ControlFlow::Continue(body) => println!("{} bytes", body.len()),
///     ControlFlow::Break(()) => println!("too long: not fetched"),
/// }
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Request<'a> {
    pub(crate) location: &'a Location,
    pub(crate) expect: Expect,
    pub(crate) progress: &'a dyn TransferProgress,
    pub(crate) file: Option<&'a PartialFile>,
    pub(crate) accept: Option<&'a Accept<'a>>,
    pub(crate) arriving: Option<UnboundedSender<Arriving>>,
}

impl<'a> Request<'a> {
    /// Fetches a table from here, and tells nobody.
    pub fn new(location: &'a Location) -> Self {
        Self { location, expect: Expect::Table, progress: &(), file: None, accept: None, arriving: None }
    }

    /// What the bytes are wanted for. Default: [`Expect::Table`].
    #[must_use]
    pub fn expect(mut self, expect: Expect) -> Self {
        self.expect = expect;
        self
    }

    /// Who is told how the transfer gets on. Default: nobody.
    #[must_use]
    pub fn progress(mut self, progress: &'a dyn TransferProgress) -> Self {
        self.progress = progress;
        self
    }

    /// The body arrives in this file. What an earlier run has left there is resumed, if it fits and the server
    /// confirms it. Default: memory, then a temporary file without a name.
    #[must_use]
    pub fn into_file(mut self, file: &'a PartialFile) -> Self {
        self.file = Some(file);
        self
    }

    /// Judges a good response by its head, before the body comes. [`ControlFlow::Break`] ends the transfer. It is not
    /// asked about a local file.
    #[must_use]
    pub fn accept(mut self, accept: &'a (dyn Fn(&ResponseHead<'_>) -> ControlFlow<()> + Send + Sync + 'a)) -> Self {
        self.accept = Some(accept);
        self
    }

    /// Where to send the handle of a long body that has begun to arrive in a file, so that it can be read before it is
    /// whole. A transfer that starts again sends another handle. The channel closes when the transfer has ended.
    #[must_use]
    pub fn arriving(mut self, arriving: UnboundedSender<Arriving>) -> Self {
        self.arriving = Some(arriving);
        self
    }

    /// Whether the transfer goes on after this head.
    pub(crate) fn judge(&self, head: &ResponseHead<'_>) -> ControlFlow<()> {
        self.accept.map_or(ControlFlow::Continue(()), |accept| accept(head))
    }
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("location", &self.location.to_string())
            .field("expect", &self.expect)
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}
