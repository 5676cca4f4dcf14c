//! Which addresses a client may request.

use std::error::Error as StdError;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use raudal_common::Result;

/// Decides which addresses a client may request. It is asked before each request, redirects
/// included, and again for the addresses that a name resolves to.
///
/// With a proxy, the proxy resolves names, and so only URLs are judged.
pub trait Guard: Send + Sync {
    /// Refuses a URL with an error.
    fn url(&self, url: &Url) -> Result<()>;

    /// Whether a connection to this address of the host is allowed.
    fn address(&self, host: &str, address: IpAddr) -> bool;
}

/// Refuses a URL, and an address that is written in it: no name is resolved for that.
pub(crate) fn check(guard: &dyn Guard, url: &Url) -> Result<()> {
    guard.url(url)?;
    let address = match url.host() {
        Some(Host::Ipv4(address)) => IpAddr::V4(address),
        Some(Host::Ipv6(address)) => IpAddr::V6(address),
        _ => return Ok(()),
    };
    if guard.address(url.host_str().unwrap_or_default(), address) {
        return Ok(());
    }
    Err(refused(&address.to_string()))
}

/// The error for an address that is not allowed.
pub(crate) fn refused(what: &str) -> raudal_common::Error {
    raudal_common::Error::new(raudal_common::Kind::Redirect, format!("this address is not allowed here: {what}"))
        .hint("private addresses need [`allow`]")
}

/// Resolves names, and leaves out the addresses that are not allowed.
pub(crate) struct GuardedNames(pub(crate) Arc<dyn Guard>);

/// All addresses of a name are refused.
#[derive(Debug)]
pub(crate) struct RefusedName(String);

impl fmt::Display for RefusedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for RefusedName {}

impl Resolve for GuardedNames {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = Arc::clone(&self.0);
        Box::pin(async move {
            let host = name.as_str();
            let all: Vec<SocketAddr> = tokio::net::lookup_host((host, 0)).await?.collect();
            let allowed: Vec<SocketAddr> =
                all.iter().copied().filter(|address| guard.address(host, address.ip())).collect();
            match (allowed.is_empty(), all.first()) {
                (true, Some(first)) => {
                    Err(Box::new(RefusedName(format!("{host} is {}", first.ip()))) as Box<dyn StdError + Send + Sync>)
                }
                _ => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}
