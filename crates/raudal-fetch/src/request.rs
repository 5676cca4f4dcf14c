//! A request: what to fetch, and what to do while it arrives.

use std::fmt;
use std::ops::ControlFlow;

use tokio::sync::mpsc::UnboundedSender;
use url::Url;

use crate::body::partial_file::PartialFile;
use crate::body::streaming::Arriving;
use crate::http::disposition;
use crate::http::html::Look;
use crate::http::response::Head;
use crate::progress::TransferProgress;
use raudal_source::Location;

/// The endings of names that promise data. `.xls` is none of them: tables in HTML are common under it.
const DATA: &[&str] = &[
    "csv", "tsv", "tab", "dbf", "dta", "sav", "parquet", "sqlite", "xlsx", "xlsm", "ods", "docx", "pdf", "zip", "tgz",
    "tbz2", "txz", "tar", "7z", "rar", "kmz", "png", "jpg", "jpeg", "gif", "tif", "tiff",
];
/// The endings of names that promise data, which may be JSON or XML.
const DATA_OR_JSON: &[&str] = &["json", "geojson", "txt", "gz", "bz2", "xz", "zst"];

/// What the bytes are used for. This decides which responses are refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expect {
    /// An archive or a table. An HTML page is refused as an impostor.
    #[default]
    Table,
    /// Data that is neither HTML nor JSON nor XML: these are refused as impostors.
    Data,
    /// A file to keep: [`of_name`](Self::of_name) for the name in the response, else in the URL.
    File,
    /// Any file, including HTML.
    Any,
}

impl Expect {
    /// Returns what a file is expected to be by the ending of its name. Some endings promise data, such
    /// as `.zip`, `.csv` and `.pdf`: what has such a name is no page.
    ///
    /// ```
    /// use raudal_fetch::Expect;
    ///
    /// assert_eq!(Expect::of_name("a.zip"), Expect::Data);
    /// assert_eq!(Expect::of_name("a.html"), Expect::Any);
    /// ```
    pub fn of_name(name: &str) -> Self {
        match name.trim_end().rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()) {
            Some(ending) if DATA.contains(&ending.as_str()) => Self::Data,
            Some(ending) if DATA_OR_JSON.contains(&ending.as_str()) => Self::Table,
            _ => Self::Any,
        }
    }

    /// Returns the check for pages, if the response to `asked` must not be one.
    pub(crate) fn look(self, asked: &Url, head: &Head) -> Option<Look> {
        let theirs = || head.disposition.as_deref().and_then(disposition::file_name);
        let name = || theirs().unwrap_or_else(|| asked.path().to_owned());
        match self {
            Self::Table => Some(Look::new(head.is_page())),
            Self::Data => Some(Look::of_data(head.is_page())),
            Self::File => Self::of_name(&name()).look(asked, head),
            Self::Any => None,
        }
    }
}

/// What is known about a body before it arrives.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct ResponseHead<'a> {
    /// The final URL, after all redirects.
    pub from: &'a Url,
    /// The raw `Content-Disposition` header. [`file_name`](crate::file_name) parses it.
    pub disposition: Option<&'a str>,
    /// The length of the body in bytes, if it is known.
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
    /// Creates a request for a table at this location, without an observer.
    pub fn new(location: &'a Location) -> Self {
        Self { location, expect: Expect::Table, progress: &(), file: None, accept: None, arriving: None }
    }

    /// Sets what the bytes are used for. Default: [`Expect::Table`].
    #[must_use]
    pub fn expect(mut self, expect: Expect) -> Self {
        self.expect = expect;
        self
    }

    /// Sets the observer of the transfer. Default: none.
    #[must_use]
    pub fn progress(mut self, progress: &'a dyn TransferProgress) -> Self {
        self.progress = progress;
        self
    }

    /// Writes the body to this file. Resumes the bytes of an earlier run, if they fit and the server
    /// confirms them. Default: memory, then an unnamed temporary file.
    #[must_use]
    pub fn into_file(mut self, file: &'a PartialFile) -> Self {
        self.file = Some(file);
        self
    }

    /// Sets a function that judges a good response by its head, before the body arrives.
    /// [`ControlFlow::Break`] ends the transfer. It is not called for a local file.
    #[must_use]
    pub fn accept(mut self, accept: &'a (dyn Fn(&ResponseHead<'_>) -> ControlFlow<()> + Send + Sync + 'a)) -> Self {
        self.accept = Some(accept);
        self
    }

    /// Sets the channel for the handle of a long body that is arriving in a file, so that it can be
    /// read before it is complete. A transfer that starts again sends another handle. The channel
    /// closes when the transfer has ended.
    #[must_use]
    pub fn arriving(mut self, arriving: UnboundedSender<Arriving>) -> Self {
        self.arriving = Some(arriving);
        self
    }

    /// Returns whether the transfer continues after this head.
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
