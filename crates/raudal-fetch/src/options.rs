//! The options of a client.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::{Cache, Guard, Netrc};

/// How a [`Client`](super::Client) behaves. The defaults are what the command line uses.
///
/// ```
/// use raudal_fetch::{Client, Options};
///
/// let mut options = Options::default();
/// options.headers.push(("Accept-Language".into(), "es".into()));
/// let client = Client::new(&options)?;
/// # Ok::<(), raudal_common::Error>(())
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct Options {
    /// The time limit for opening a connection: name lookup, TCP and TLS together. Default: 10 s.
    pub connect_timeout: Duration,
    /// The time limit without any data, before the response or between two chunks of its body. The
    /// whole transfer has no limit: a slow transfer that makes progress continues. Default: 30 s.
    pub read_timeout: Duration,
    /// The limit for all connections of a client together, in bytes of bodies per second. Default:
    /// no limit.
    pub limit_rate: Option<u64>,
    /// Headers for every request. A redirect to another origin takes only headers that are known to
    /// hold no secret (such as `Accept`). An upgrade from http to https on the same host, both with
    /// their default ports, is not another origin: it takes all headers.
    pub headers: Vec<(String, String)>,
    /// The name of the program for the `User-Agent`. Default: raudal and its version.
    pub user_agent: Option<String>,
    /// How to reach the user, such as a mail address or a URL. It is added to the `User-Agent`, in
    /// parentheses. Default: none.
    pub contact: Option<String>,
    /// Logins by host, for requests without credentials in the URL or the headers. The login of the
    /// requested host is sent to its origin. A redirect takes it along only from http to https on the
    /// same host, both with their default ports.
    pub netrc: Netrc,
    /// The proxy for all hosts except those in `NO_PROXY`. An empty text means no proxy. Default: the
    /// proxies of the system, but never for the addresses of this machine.
    pub proxy: Option<String>,
    /// Use HTTP/2 if an https server offers it. Four transfers of a host then share a connection, up to
    /// 16 connections. Once such a connection stalls for 0.3 s, each further transfer has its own. On
    /// links that lose packets it is slower for bulk downloads than HTTP/1.1. It helps with servers
    /// that limit connections, or that support only HTTP/2. Default: no.
    pub http2: bool,
    /// Follow a redirect from https to http, although anyone on the network path can then read and
    /// change the data. Credentials for the https address are not sent. Default: no.
    pub allow_http: bool,
    /// Accept any certificate. Default: no.
    pub insecure: bool,
    /// A PEM file of certificate authorities to trust, besides those of the system (or of
    /// `SSL_CERT_FILE`). Default: none.
    pub ca_cert: Option<PathBuf>,
    /// A PEM file with a client certificate, and with its key unless `key` is set. It is shown to the
    /// requested origin. A redirect takes it along only from http to https on the same host, both
    /// with their default ports. Default: none.
    pub cert: Option<PathBuf>,
    /// A PEM file with the key of that certificate. Default: none.
    pub key: Option<PathBuf>,
    /// The cache for bodies of earlier runs. Default: none, so everything is fetched.
    pub cache: Option<Cache>,
    /// Decides which addresses may be requested, for a program that fetches on behalf of others.
    /// Default: none, so all may be.
    pub guard: Option<Arc<dyn Guard>>,
    /// Where cloud stores are and who asks. Default: the variables of this process.
    #[cfg(feature = "cloud")]
    pub environment: Option<raudal_cloud::Environment>,
    /// The limit of redirects in a row. Default: 10.
    pub max_redirects: usize,
    /// The bytes of one body to hold in memory before it goes to a file. Default: 1 MiB.
    pub memory_per_body: usize,
    /// The bytes of memory for all bodies together. Default: 16 MiB.
    pub memory: usize,
    /// The folder for bodies that do not stay in memory. Default: the folder of the system, which
    /// `TMPDIR` sets.
    pub temporary: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(30),
            limit_rate: None,
            headers: Vec::new(),
            user_agent: None,
            contact: None,
            netrc: Netrc::default(),
            proxy: None,
            http2: false,
            allow_http: false,
            insecure: false,
            ca_cert: None,
            cert: None,
            key: None,
            cache: None,
            guard: None,
            #[cfg(feature = "cloud")]
            environment: None,
            max_redirects: 10,
            memory_per_body: 1024 * 1024,
            memory: 16 * 1024 * 1024,
            temporary: None,
        }
    }
}

/// Shows only the names of headers, and the proxy without its login: their values may be secret.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Options");
        #[cfg(feature = "cloud")]
        shown.field("environment", &self.environment);
        shown
            .field("connect_timeout", &self.connect_timeout)
            .field("read_timeout", &self.read_timeout)
            .field("limit_rate", &self.limit_rate)
            .field("headers", &self.headers.iter().map(|(name, _)| name).collect::<Vec<_>>())
            .field("user_agent", &self.user_agent)
            .field("contact", &self.contact)
            .field("netrc", &self.netrc)
            .field("proxy", &self.proxy.as_deref().map(raudal_common::error::redact))
            .field("http2", &self.http2)
            .field("allow_http", &self.allow_http)
            .field("insecure", &self.insecure)
            .field("ca_cert", &self.ca_cert)
            .field("cert", &self.cert)
            .field("key", &self.key)
            .field("cache", &self.cache)
            .field("guard", &self.guard.is_some())
            .field("max_redirects", &self.max_redirects)
            .field("memory_per_body", &self.memory_per_body)
            .field("memory", &self.memory)
            .field("temporary", &self.temporary)
            .finish()
    }
}
