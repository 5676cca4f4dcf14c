//! What can be chosen about transfers.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::{Cache, Netrc};

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
    /// How long making a connection may take: name, TCP and TLS together. 10 s.
    pub connect_timeout: Duration,
    /// How long a transfer may stand still, before its answer or between two pieces of its body. 30 s. There is no
    /// limit for the whole: a slow transfer that goes on is left to go on.
    pub read_timeout: Duration,
    /// The most bytes of bodies a second, on all connections of a client together. Without one: no limit.
    pub limit_rate: Option<u64>,
    /// Headers for every request. Only those that tell nothing about the user go along to another host.
    pub headers: Vec<(String, String)>,
    /// How the program names itself. Without one: raudal and its version.
    pub user_agent: Option<String>,
    /// How whoever runs it can be reached, such as a mail address or a URL: it is added to the name, in parentheses.
    pub contact: Option<String>,
    /// Logins by host, for URLs and headers that bring none. Each goes to its host alone, and along with no redirect to
    /// another.
    pub netrc: Netrc,
    /// The proxy for everything but what `NO_PROXY` names; an empty text for none at all. Without one, the system's
    /// proxies are used, but never for this machine's own addresses.
    pub proxy: Option<String>,
    /// Speak HTTP/2 where an https server offers it. All transfers of a host share one connection then, which for bulk
    /// downloads is slower on most links; it is for servers that count connections, or speak nothing else. No.
    pub http2: bool,
    /// Follow a redirect from https to http, though anyone on the way can read and change what comes then. What was given
    /// for the https address does not go along. No.
    pub allow_http: bool,
    /// Believe any certificate.
    pub insecure: bool,
    /// A PEM file of certificate authorities to believe, besides the system's (or those of `SSL_CERT_FILE`).
    pub ca_cert: Option<PathBuf>,
    /// A PEM file with a certificate that tells servers who we are, and its key if `key` does not name that. It is shown
    /// to the host that was asked for, and to none that a redirect leads to.
    pub cert: Option<PathBuf>,
    /// A PEM file with the key of that certificate.
    pub key: Option<PathBuf>,
    /// What earlier runs have fetched. Without one: everything is fetched.
    pub cache: Option<Cache>,
    /// How many redirects in a row are followed. 10.
    pub max_redirects: usize,
    /// How much of one body is held in memory before it goes to a file. 1 MiB.
    pub memory_per_body: usize,
    /// How much memory all bodies have together. 16 MiB.
    pub memory: usize,
    /// The folder for bodies that do not stay in memory. Without one: the system's, which `TMPDIR` chooses.
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
            max_redirects: 10,
            memory_per_body: 1024 * 1024,
            memory: 16 * 1024 * 1024,
            temporary: None,
        }
    }
}

/// Values of headers and the proxy may hold credentials: only the names are written.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
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
            .field("max_redirects", &self.max_redirects)
            .field("memory_per_body", &self.memory_per_body)
            .field("memory", &self.memory)
            .field("temporary", &self.temporary)
            .finish()
    }
}
