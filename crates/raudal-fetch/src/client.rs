//! What serves a whole run: connections, headers, and the memory for bodies.

use std::fmt;
use std::num::NonZeroU64;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::future::BoxFuture;
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use reqwest::{ClientBuilder, NoProxy, Proxy};
use tokio::sync::watch;
use tokio::time::Instant;
use url::{Host, Url};

use crate::body::spool::Budget;
use crate::body::streaming::{Arriving, Tail};
use crate::http::connection::Watch;
use crate::http::redirect;
use crate::http::tls;
use crate::transfer::attempt::Ask;
use crate::transfer::local;
use crate::transfer::rate::Limit;
use crate::transfer::segments::{Found, Transfers};
use crate::{Body, Expect, Options, Partial, PartialFile, Transfer};
use raudal_common::error::redact;
use raudal_common::{Error, Result};
use raudal_source::Location;

/// How the program names itself.
const USER_AGENT: &str = concat!("raudal/", env!("CARGO_PKG_VERSION"));

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
pub struct Client(Arc<Inner>);

/// What all clones share.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) options: Options,
    /// The user's headers, and our own.
    pub(crate) headers: HeaderMap,
    http: reqwest::Client,
    /// Without the system's proxies, for this machine's own addresses; without our certificate; without both. Each is
    /// made when it is first needed.
    others: [OnceLock<reqwest::Client>; 3],
    /// Whether there is any certificate authority to believe.
    pub(crate) believes: bool,
    pub(crate) budget: Arc<Budget>,
    pub(crate) limit: Option<Limit>,
    pub(crate) transfers: Transfers,
}

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
        let headers = headers(options)?;
        let proxy = proxy(options)?;
        let (http, believes) = tls::build(|| builder(options, proxy.clone()), options, true)?;
        Ok(Self(Arc::new(Inner {
            options: options.clone(),
            headers,
            http,
            others: Default::default(),
            believes,
            budget: Budget::new(options),
            limit: limit(options)?,
            transfers: Transfers::default(),
        })))
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
            Location::Url(url) => self.0.get(Ask { url, expect, watch, place: None }, kept).await,
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
            Location::Url(url) => self.0.get(Ask { url, expect, watch, place: Some(place) }, kept).await,
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
            self.0.forget(url);
        }
    }

    /// How many bytes an input has, as far as that is known without asking: a file has them, or the cache. It blocks, for
    /// as long as a disk takes.
    pub fn known_size(&self, location: &Location) -> Option<u64> {
        match location {
            Location::Url(url) => self.0.known_size(url),
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
                let inner = Arc::clone(&self.0);
                Help::Needed(Box::pin(async move {
                    inner.help(cut).await;
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
            Some(source) => self.0.tail(source).await,
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

impl Inner {
    /// The client for an address, when `start` was asked for: this machine's own are reached directly, unless a proxy was
    /// asked for by option, and our certificate is shown to nobody that a redirect leads to.
    pub(crate) fn http_for(&self, start: &Url, here: &Url) -> Result<&reqwest::Client> {
        let direct = self.options.proxy.is_none() && is_loopback(here);
        let nameless = self.options.cert.is_some() && !redirect::is_home(start, here);
        if !direct && !nameless {
            return Ok(&self.http);
        }
        let other = &self.others[usize::from(direct) + 2 * usize::from(nameless) - 1];
        if let Some(client) = other.get() {
            return Ok(client);
        }
        let proxy = proxy(&self.options)?;
        let builder = || {
            let builder = builder(&self.options, proxy.clone());
            if direct { builder.no_proxy() } else { builder }
        };
        let (client, _) = tls::build(builder, &self.options, !nameless)?;
        Ok(other.get_or_init(|| client))
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn builder(options: &Options, proxy: Option<Proxy>) -> ClientBuilder {
    let builder = reqwest::Client::builder();
    let builder = if options.http2 { builder.http2_adaptive_window(true) } else { builder.http1_only() };
    let builder = builder
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .connect_timeout(options.connect_timeout)
        .connector_layer(Watch)
        .read_timeout(options.read_timeout);
    match proxy {
        Some(proxy) => builder.proxy(proxy),
        None if options.proxy.is_some() => builder.no_proxy(),
        None => builder,
    }
}

fn limit(options: &Options) -> Result<Option<Limit>> {
    let zero = || Error::usage("a rate at which nothing ever arrives: 0").hint("leave it out for no limit");
    options.limit_rate.map(|rate| NonZeroU64::new(rate).map(Limit::new).ok_or_else(zero)).transpose()
}

fn proxy(options: &Options) -> Result<Option<Proxy>> {
    match options.proxy.as_deref() {
        None | Some("") => Ok(None),
        Some(address) => match Proxy::all(address) {
            Ok(proxy) => Ok(Some(proxy.no_proxy(NoProxy::from_env()))),
            Err(_) => Err(Error::usage(format!("not a proxy's URL: {}", redact(address)))
                .hint("write http://host:port, with a name and a password before the host if need be")),
        },
    }
}

/// The user's headers and our own. What frames the body, or picks a part of it, is not the user's to choose.
fn headers(options: &Options) -> Result<HeaderMap> {
    const OURS: [HeaderName; 8] = [
        header::ACCEPT_ENCODING,
        header::CONNECTION,
        header::CONTENT_LENGTH,
        header::EXPECT,
        header::IF_RANGE,
        header::RANGE,
        header::TE,
        header::TRANSFER_ENCODING,
    ];
    let mut headers = HeaderMap::new();
    for (name, value) in &options.headers {
        let refused = |what: &str| Error::usage(format!("{what}: {}", raudal_common::error::printable(name)));
        let name: HeaderName = name.parse().map_err(|_| refused("not a header's name"))?;
        // The value may be a secret: it is not shown.
        let mut value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| refused("not a header's value, of"))?;
        if OURS.contains(&name) {
            return Err(refused("a header that cannot be chosen"));
        }
        value.set_sensitive(true);
        headers.append(name, value);
    }
    if !headers.contains_key(header::USER_AGENT) {
        let mut agent = options.user_agent.as_deref().unwrap_or(USER_AGENT).to_owned();
        if let Some(contact) = contact(options)? {
            agent = format!("{agent} (+{contact})");
        }
        let value = agent.parse().map_err(|_| Error::usage("a user agent with characters that no header may have"))?;
        headers.insert(header::USER_AGENT, value);
    } else if contact(options)?.is_some() {
        return Err(Error::usage("a contact beside a header User-Agent").hint("write it into the header"));
    }
    // Without it a server may compress, and then lengths and ranges are those of other bytes.
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    Ok(headers)
}

/// What stands in a comment of the User-Agent (RFC 9110, section 10.1.5), so that whoever runs the server can say what is
/// wrong. An empty one, as from an empty variable, is none.
fn contact(options: &Options) -> Result<Option<&str>> {
    let Some(contact) = options.contact.as_deref().map(str::trim).filter(|contact| !contact.is_empty()) else {
        return Ok(None);
    };
    let is_fit = |c: char| matches!(c, ' '..='~') && !matches!(c, '(' | ')' | '\\');
    match contact.chars().find(|c| !is_fit(*c)) {
        None => Ok(Some(contact)),
        Some(c) => Err(Error::usage(format!("a character that no contact may have: {}", c.escape_default()))
            .hint("give a mail address or a URL, in ASCII and without parentheses")),
    }
}
