//! Builds the requests of a client: headers, proxies and certificates, with one connection pool for
//! each combination.

use std::sync::Arc;

use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use reqwest::{ClientBuilder, NoProxy, Proxy, RequestBuilder};
use url::{Host, Url};

use crate::Options;
use crate::http::client_pool::{ClientPool, Load};
use crate::http::cloud;
use crate::http::connection::ConnectLayer;
use crate::http::guard;
use crate::http::redirect;
use crate::http::tls;
use raudal_common::error::redact;
use raudal_common::{Error, Result};

/// The most header lines of a response. The library accepts 100; some servers send more.
const HEAD_LINES: usize = 1000;

/// The default `User-Agent`.
const USER_AGENT: &str = concat!("raudal/", env!("CARGO_PKG_VERSION"));

/// What all requests of a client share.
#[derive(Debug)]
pub(crate) struct HttpRequests {
    options: Options,
    /// The user's headers and our own.
    headers: HeaderMap,
    /// One pool for each combination of three choices: with the system's proxies or without (for addresses of this
    /// machine), with our certificate or without, strict or lenient.
    http: [ClientPool<reqwest::Client>; 8],
    /// Whether any certificate authority is trusted.
    believes: bool,
    #[cfg(feature = "cloud")]
    stores: Arc<raudal_cloud::Stores>,
}

impl HttpRequests {
    pub(crate) fn new(options: &Options) -> Result<Self> {
        let headers = headers(options)?;
        let proxy = proxy(options)?;
        let (client, believes) = tls::build(|| builder(options, proxy.clone()), options, true)?;
        let http = std::array::from_fn(|_| ClientPool::new(options.http2));
        http[0].next(|| Ok(client))?;
        Ok(Self {
            options: options.clone(),
            headers,
            http,
            believes,
            #[cfg(feature = "cloud")]
            stores: Arc::new(raudal_cloud::Stores::new(
                options.environment.clone().unwrap_or_else(raudal_cloud::Environment::of_process),
            )),
        })
    }

    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    /// Returns the headers of every request.
    pub(crate) fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// Creates a GET request for `here`, after the user requested `start`. `add` adds more headers. A
    /// lenient request accepts a response whose head has invalid lines, or that has no head at all. The
    /// load counts until it is dropped, at the end of the response.
    ///
    /// # Errors
    ///
    /// Returns an error if the guard refuses the URL, or if it needs TLS and no certificate authority is
    /// known.
    pub(crate) async fn get(
        &self,
        (start, here): (&Url, &Url),
        is_lenient: bool,
        add: impl FnOnce(&mut HeaderMap),
    ) -> Result<(RequestBuilder, Load)> {
        if let Some(guard) = &self.options.guard {
            guard::check(guard.as_ref(), here)?;
        }
        let (address, headers, start, here) = if cloud::is_object(here) {
            let mut headers = redirect::without_secrets(&self.headers);
            add(&mut headers);
            let address = self.sign(here, &mut headers).await?;
            (address.clone(), headers, &address.clone(), &address.clone())
        } else {
            let (address, mut headers) = redirect::dress(start, here, &self.headers, &self.options.netrc);
            add(&mut headers);
            (address, headers, start, here)
        };
        if here.scheme() == "https" && !self.believes {
            return Err(tls::no_authorities());
        }
        let (client, load) = self.http_for(start, here, is_lenient)?;
        Ok((client.get(address).headers(headers), load))
    }

    /// Returns the cloud stores.
    #[cfg(feature = "cloud")]
    pub(crate) fn stores(&self) -> &Arc<raudal_cloud::Stores> {
        &self.stores
    }

    /// Returns the client for the server of a cloud store.
    #[cfg(feature = "cloud")]
    pub(crate) fn of_store(&self, server: &Url) -> Result<reqwest::Client> {
        if server.scheme() == "https" && !self.believes {
            return Err(tls::no_authorities());
        }
        Ok(self.http_for(server, server, false)?.0.clone())
    }

    /// Returns whether a request for this URL identifies the user. A request for an object in a cloud store does not
    /// count. Its credentials are those of this machine, as for a file on a shared disk, and a cached copy is used
    /// only after the store has confirmed it.
    pub(crate) fn is_personal(&self, url: &Url) -> bool {
        if cloud::is_object(url) {
            return false;
        }
        self.options.cert.is_some() || redirect::is_personal(url, &self.headers, &self.options.netrc)
    }

    /// Returns the client for `here`, after the user requested `start`. Addresses of this machine are
    /// reached directly, unless a proxy is set as an option. Our certificate is shown only where
    /// credentials may go.
    fn http_for(&self, start: &Url, here: &Url, is_lenient: bool) -> Result<(&reqwest::Client, Load)> {
        let direct = self.options.proxy.is_none() && is_loopback(here);
        let nameless = self.options.cert.is_some() && !redirect::is_home(start, here);
        let pool = &self.http[usize::from(direct) + 2 * usize::from(nameless) + 4 * usize::from(is_lenient)];
        pool.next(|| self.client(direct, nameless, is_lenient))
    }

    fn client(&self, direct: bool, nameless: bool, is_lenient: bool) -> Result<reqwest::Client> {
        let proxy = proxy(&self.options)?;
        let builder = || {
            let builder = builder(&self.options, proxy.clone());
            let builder = if is_lenient { lenient(builder) } else { builder };
            if direct { builder.no_proxy() } else { builder }
        };
        Ok(tls::build(builder, &self.options, !nameless)?.0)
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
        .http1_max_headers(HEAD_LINES)
        .connect_timeout(options.connect_timeout)
        .connector_layer(ConnectLayer)
        .read_timeout(options.read_timeout);
    let builder = match &options.guard {
        Some(guard) => builder.dns_resolver(Arc::new(guard::GuardedNames(Arc::clone(guard)))),
        None => builder,
    };
    match proxy {
        Some(proxy) => builder.proxy(proxy),
        None if options.proxy.is_some() => builder.no_proxy(),
        None => builder,
    }
}

/// Makes a client accept invalid lines in a head, which it leaves out, as other programs do. It uses each connection
/// once, because leftover bytes must never be taken for a response without a head.
fn lenient(builder: ClientBuilder) -> ClientBuilder {
    builder
        .pool_max_idle_per_host(0)
        .http1_ignore_invalid_headers_in_responses(true)
        .http1_allow_spaces_after_header_name_in_responses(true)
        .http1_allow_obsolete_multiline_headers_in_responses(true)
        .http09_responses()
}

fn proxy(options: &Options) -> Result<Option<Proxy>> {
    const FORM: &str = "write http://host:port or http://name:password@host:port";
    let Some(address) = options.proxy.as_deref().filter(|address| !address.is_empty()) else { return Ok(None) };
    // The library ignores a proxy whose scheme it does not know, and goes past it.
    let scheme = address.split_once("://").map_or("http", |(scheme, _)| scheme);
    if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Err(Error::usage(format!("not a proxy for HTTP: {}", redact(address))).hint(FORM));
    }
    match Proxy::all(address) {
        Ok(proxy) => Ok(Some(proxy.no_proxy(NoProxy::from_env()))),
        Err(_) => Err(Error::usage(format!("not the URL of a proxy: {}", redact(address))).hint(FORM)),
    }
}

/// Returns the user's headers and our own. The user may not set headers that frame the body or select
/// a range of it.
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
        let name: HeaderName = name.parse().map_err(|_| refused("not a valid header name"))?;
        // The value may be a secret, so do not show it.
        let mut value =
            HeaderValue::from_bytes(value.as_bytes()).map_err(|_| refused("not a valid value for the header"))?;
        if OURS.contains(&name) {
            return Err(refused("this header cannot be set"));
        }
        value.set_sensitive(true);
        headers.append(name, value);
    }
    if !headers.contains_key(header::USER_AGENT) {
        let mut agent = options.user_agent.as_deref().unwrap_or(USER_AGENT).to_owned();
        if let Some(contact) = contact(options)? {
            agent = format!("{agent} (+{contact})");
        }
        let value = agent
            .parse()
            .map_err(|_| Error::usage("the user agent has characters that are not allowed in a header"))?;
        headers.insert(header::USER_AGENT, value);
    } else if contact(options)?.is_some() {
        return Err(
            Error::usage("a contact together with a User-Agent header").hint("write the contact into the header")
        );
    }
    // Without it a server may compress, and lengths and ranges would count compressed bytes.
    headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    Ok(headers)
}

/// Returns the contact for a comment in the User-Agent (RFC 9110, section 10.1.5), so that the
/// operator of a server can reach the user. An empty contact, as from an empty variable, is none.
fn contact(options: &Options) -> Result<Option<&str>> {
    let Some(contact) = options.contact.as_deref().map(str::trim).filter(|contact| !contact.is_empty()) else {
        return Ok(None);
    };
    let is_fit = |c: char| matches!(c, ' '..='~') && !matches!(c, '(' | ')' | '\\');
    match contact.chars().find(|c| !is_fit(*c)) {
        None => Ok(Some(contact)),
        Some(c) => Err(Error::usage(format!("a character that is not allowed in a contact: {}", c.escape_default()))
            .hint("give a mail address or a URL, in ASCII and without parentheses")),
    }
}
