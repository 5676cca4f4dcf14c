//! One attempt: request, redirects, head, body.

use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use reqwest::{ClientBuilder, NoProxy, Proxy, Response, redirect};
use url::{Host, Url};

use super::answer::Head;
use super::page::Look;
use super::spool::{Room, Spool};
use super::{Body, Expect, Options, Transfer, fault, hop, local, tls};
use crate::error::redact;
use crate::source::Location;
use crate::{Error, Kind, Result};

/// How the program names itself.
const USER_AGENT: &str = concat!("raudal/", env!("CARGO_PKG_VERSION"));

/// Fetches inputs. It is cheap to clone; all clones share connections and the memory for bodies.
///
/// ```no_run
/// use std::io::Read;
/// use raudal::fetch::{Client, Expect, Options};
/// use raudal::source::Location;
///
/// # #[tokio::main] async fn main() -> raudal::Result<()> {
/// let client = Client::new(&Options::default())?;
/// let location = Location::parse("https://example.org/data.zip")?;
/// let body = client.fetch(&location, Expect::Table, &()).await?;
/// println!("{} bytes from {}", body.len(), body.location());
/// let mut reader = body.into_reader(); // Read + Seek: hand it to a blocking thread
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Client(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    options: Options,
    /// The user's headers, and our own.
    headers: HeaderMap,
    http: reqwest::Client,
    /// Without the system's proxies, for this machine's own addresses. Made when it is first needed.
    direct: OnceLock<reqwest::Client>,
    /// Whether there is any certificate authority to believe.
    believes: bool,
    room: Arc<Room>,
}

impl Client {
    /// A client with these options.
    ///
    /// # Errors
    ///
    /// Headers that no request may have, a proxy that is no URL, a file of certificates that is none.
    pub fn new(options: &Options) -> Result<Self> {
        let headers = headers(options)?;
        let proxy = proxy(options)?;
        let (http, believes) = tls::build(|| builder(options, proxy.clone()), options)?;
        Ok(Self(Arc::new(Inner {
            options: options.clone(),
            headers,
            http,
            direct: OnceLock::new(),
            believes,
            room: Room::new(options),
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
        let fetched = match location {
            Location::Url(url) => self.get(url, expect, watch).await,
            Location::File(path) => local::open(path, expect, watch, &self.0.room).await,
        };
        fetched.map_err(|error| error.input(location.to_string()))
    }

    async fn get(&self, url: &Url, expect: Expect, watch: &dyn Transfer) -> Result<Body> {
        let (response, here) = self.answer(url).await?;
        let head = Head::judge(response.status(), response.headers(), here.path(), SystemTime::now())?;
        let look = match expect {
            Expect::Table => Some(Look::new(head.is_page())),
            Expect::Any => None,
        };
        if let Some(length) = head.length {
            watch.expected(length);
        }
        let spool = self.body(response, head.length, look, watch).await?;
        let length = spool.len();
        Ok(Body { location: Location::Url(here), length, head, stored: spool.finish().await? })
    }

    /// The first answer that is not a redirect, and the address it came from.
    async fn answer(&self, start: &Url) -> Result<(Response, Url)> {
        let inner = &*self.0;
        let mut here = start.clone();
        for _ in 0..=inner.options.max_redirects {
            if here.scheme() == "https" && !inner.believes {
                return Err(tls::no_authorities());
            }
            let (address, headers) = hop::dress(start, &here, &inner.headers);
            let request = self.http_for(&here).get(address).headers(headers);
            let response = request.send().await.map_err(|error| {
                let fault = fault::before_answer(&error, &inner.options);
                // The input is named anyway: say which host failed only if it is another one.
                if here.host() == start.host() { fault } else { elsewhere(&fault, &here) }
            })?;
            if !hop::is_redirect(response.status().as_u16()) {
                here.set_fragment(None);
                return Ok((response, here));
            }
            let target = response.headers().get(header::LOCATION).map(HeaderValue::as_bytes);
            here = hop::next(&here, target)?;
        }
        Err(Error::new(Kind::Redirect, format!("too many redirects: more than {}", inner.options.max_redirects))
            .hint("the server may send requests in a circle: open the URL in a browser"))
    }

    /// The body, down to its last byte.
    async fn body(
        &self,
        mut response: Response,
        length: Option<u64>,
        mut look: Option<Look>,
        watch: &dyn Transfer,
    ) -> Result<Spool> {
        let inner = &*self.0;
        let impostor = |message| {
            Error::new(Kind::Impostor, message).hint("many servers answer a missing file this way: check the URL")
        };
        let mut spool = Spool::new(&inner.room, length);
        let ended = loop {
            match response.chunk().await {
                Ok(Some(piece)) => {
                    if let Some(look) = &mut look {
                        look.more(&piece).map_err(impostor)?;
                    }
                    spool.write(&piece).await?;
                    watch.advanced(piece.len() as u64);
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(fault::in_body(&error, spool.len(), length, &inner.options)),
            }
        };
        // That it is a page says more than that it broke off.
        if let Some(look) = &look {
            look.end().map_err(impostor)?;
        }
        ended?;
        if length.is_some_and(|length| length != spool.len()) {
            return Err(fault::too_short(spool.len(), length));
        }
        if spool.len() == 0 {
            return Err(Error::new(Kind::Empty, "the body is empty"));
        }
        Ok(spool)
    }

    /// The client for an address: this machine's own are reached directly, unless a proxy was asked for by option.
    fn http_for(&self, url: &Url) -> &reqwest::Client {
        let inner = &*self.0;
        if inner.options.proxy.is_some() || !is_loopback(url) {
            return &inner.http;
        }
        inner.direct.get_or_init(|| {
            let direct = tls::build(|| builder(&inner.options, None).no_proxy(), &inner.options);
            direct.map_or_else(|_| inner.http.clone(), |(client, _)| client)
        })
    }
}

/// The same fault, with the host that it happened at.
fn elsewhere(fault: &Error, here: &Url) -> Error {
    let message = format!("after a redirect to {}: {}", redact(here.as_str()), fault.report());
    let error = Error::new(fault.kind(), message).transient(fault.is_transient());
    match fault.hint_text() {
        Some(hint) => error.hint(hint),
        None => error,
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
    let builder = reqwest::Client::builder()
        .http1_only()
        .redirect(redirect::Policy::none())
        .referer(false)
        .connect_timeout(options.connect_timeout)
        .read_timeout(options.read_timeout);
    match proxy {
        Some(proxy) => builder.proxy(proxy),
        None if options.proxy.is_some() => builder.no_proxy(),
        None => builder,
    }
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
        let refused = |what: &str| Error::usage(format!("{what}: {}", crate::error::printable(name)));
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
        let agent = options.user_agent.as_deref().unwrap_or(USER_AGENT);
        let value = agent.parse().map_err(|_| Error::usage("a user agent with characters that no header may have"))?;
        headers.insert(header::USER_AGENT, value);
    }
    // Without it a server may compress, and then lengths and ranges are those of other bytes.
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    Ok(headers)
}
