//! Which inputs a worker takes: a list that is submitted must not read the worker's disk or network.

use raudal_common::{Error, Kind, Result};
use raudal_fetch::Guard;
use raudal_source::Location;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use url::Url;

/// What a worker may read. By default: http and https, and only public addresses.
///
/// Items, separated by commas:
///
/// | item | allows |
/// |---|---|
/// | `example.org`, `example.org:8080`, `10.0.0.7` | this host, even if its address is private |
/// | `*.example.org` | all hosts of a domain, at public addresses |
/// | `https://example.org`, `https://*` | the same, with this scheme only |
/// | `private` | private addresses |
/// | `file:/data` | the files in a folder of this machine |
///
/// If an item names hosts, no others are allowed.
///
/// ```
/// use raudal_fleet::Allow;
/// use raudal_source::Location;
///
/// let allow: Allow = "*.example.org,file:.".parse()?;
/// assert!(allow.check(&Location::parse("https://a.example.org/x.zip")?).is_ok());
/// assert!(allow.check(&Location::parse("https://example.com/x.zip")?).is_err());
/// assert!(allow.check(&Location::parse("/etc/passwd")?).is_err());
/// # Ok::<(), raudal_common::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allow {
    hosts: Vec<HostRule>,
    folders: Vec<PathBuf>,
    private: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct HostRule {
    scheme: Option<String>,
    /// In lower case. `*.` at the start stands for the hosts of a domain, `*` for all.
    host: String,
    port: Option<u16>,
}

impl HostRule {
    fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) if matches!(scheme, "http" | "https") => (Some(scheme.to_owned()), rest),
            Some(_) => return None,
            None => (None, text),
        };
        let rest = rest.trim_end_matches('/');
        let (host, port) = match rest.rsplit_once(':') {
            // An IPv6 address has colons of its own.
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port.parse().ok()?)),
            _ => (rest, None),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let name = host.strip_prefix("*.").unwrap_or(if host == "*" { "x" } else { &host });
        let is_host = !name.is_empty() && !name.contains(['*', '/', '@', ' ', '?', '#']);
        is_host.then_some(Self { scheme, host, port })
    }

    fn is_of(&self, host: &str) -> bool {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        match self.host.strip_prefix('*') {
            Some("") => true,
            Some(domain) => host.len() > domain.len() && host.ends_with(domain),
            None => host == self.host,
        }
    }

    fn matches(&self, url: &Url) -> bool {
        self.scheme.as_deref().is_none_or(|scheme| scheme == url.scheme())
            && self.port.is_none_or(|port| Some(port) == url.port_or_known_default())
            && self.is_of(url.host_str().unwrap_or_default())
    }
}

impl FromStr for Allow {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut allow = Self::default();
        for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            if item == "private" {
                allow.private = true;
            } else if let Some(folder) = item.strip_prefix("file:") {
                let folder = folder.strip_prefix("//").unwrap_or(folder);
                let found = std::fs::canonicalize(folder)
                    .map_err(|error| Error::io("cannot allow this folder", error).input(folder))?;
                allow.folders.push(found);
            } else {
                let rule = HostRule::parse(item).ok_or_else(|| {
                    Error::usage(format!("not a host, a scheme with a host, private or file:FOLDER: {item}"))
                        .hint("such as *.example.org,https://example.com,file:/data")
                })?;
                allow.hosts.push(rule);
            }
        }
        Ok(allow)
    }
}

impl Allow {
    /// Checks an input before it is read.
    ///
    /// # Errors
    ///
    /// Of kind [`Usage`](Kind::Usage), with what would allow it.
    pub fn check(&self, location: &Location) -> Result<()> {
        match location {
            Location::Url(url) => self.check_url(url, Kind::Usage),
            Location::File(path) => self.check_file(path),
            Location::Stdin => Err(Error::usage("a worker does not read its standard input")),
        }
    }

    fn check_url(&self, url: &Url, kind: Kind) -> Result<()> {
        if self.hosts.is_empty() || self.hosts.iter().any(|rule| rule.matches(url)) {
            return Ok(());
        }
        let host = url.host_str().unwrap_or_default();
        Err(Error::new(kind, format!("the worker does not allow this host: {host}"))
            .hint("name the host in the [`allow`] of the workers"))
    }

    /// The folder is compared with where the path really leads.
    fn check_file(&self, path: &Path) -> Result<()> {
        let refused = || {
            Error::usage("the worker does not allow its own files to be read")
                .hint("name the folder in the [`allow`] of the workers: file:/folder")
        };
        if self.folders.is_empty() {
            return Err(refused());
        }
        let found = std::fs::canonicalize(path).map_err(|error| Error::io("cannot open the file", error))?;
        if self.folders.iter().any(|folder| found.starts_with(folder)) { Ok(()) } else { Err(refused()) }
    }
}

impl Guard for Allow {
    fn url(&self, url: &Url) -> Result<()> {
        self.check_url(url, Kind::Redirect)
    }

    fn address(&self, host: &str, address: IpAddr) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let is_named = self.hosts.iter().any(|rule| !rule.host.starts_with('*') && rule.is_of(&host));
        self.private || is_named || is_public(address)
    }
}

/// Whether an address is one of the public internet.
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_broadcast()
                || v4.is_multicast()
                || v4.is_documentation()
                || a == 0
                || a >= 240
                // carrier-grade NAT, IETF protocols, benchmarks
                || (a == 100 && (64..128).contains(&b))
                || (a == 192 && b == 0 && c == 0)
                || (a == 198 && (b == 18 || b == 19)))
        }
        IpAddr::V6(v6) => {
            let segments = v6.segments();
            // 2000::/3 is what is assigned to the internet; within it, documentation and the
            // addresses that lead to an IPv4 address (6to4, Teredo) are not allowed.
            (segments[0] & 0xe000) == 0x2000
                && !(segments[0] == 0x2001 && (segments[1] == 0xdb8 || segments[1] == 0))
                && segments[0] != 0x2002
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(allow: &str, place: &str) -> bool {
        let allow: Allow = allow.parse().expect(allow);
        allow.check(&Location::parse(place).expect(place)).is_ok()
    }

    #[test]
    fn hosts_are_allowed_by_name_domain_scheme_and_port() {
        for (allow, place, is_allowed) in [
            ("", "http://a.example/x", true),
            ("private", "http://a.example/x", true),
            ("a.example", "https://A.example/x", true),
            ("a.example", "https://b.a.example/x", false),
            ("*.a.example", "https://b.a.example/x", true),
            ("*.a.example", "https://a.example/x", false),
            ("*.a.example", "https://ba.example/x", false),
            ("https://*", "https://a.example/x", true),
            ("https://*", "http://a.example/x", false),
            ("a.example:8080", "http://a.example:8080/x", true),
            ("a.example:8080", "http://a.example/x", false),
            ("a.example:80", "http://a.example/x", true),
            ("[::1]:80", "http://[::1]/x", true),
            ("b.example,http://127.0.0.1", "http://127.0.0.1:9/x", true),
        ] {
            assert_eq!(allows(allow, place), is_allowed, "{allow:?} {place}");
        }
        for bad in ["ftp://h", "a b", "a/b", "a@b", "h:x", "*a.example", "file:/no/such/folder"] {
            assert!(bad.parse::<Allow>().is_err(), "{bad}");
        }
    }

    #[test]
    fn files_are_refused_unless_their_folder_is_named_whatever_the_path_says() {
        let folder = tempfile::tempdir().expect("a folder");
        let [data, other] = ["data", "other"].map(|name| folder.path().join(name));
        for path in [&data, &other] {
            std::fs::create_dir(path).expect("a folder");
            std::fs::write(path.join("a.csv"), "a\n").expect("a file");
        }
        let allow = format!("file:{}", data.display());
        let at = |rest: &str| data.join(rest).display().to_string();
        assert!(!allows("", &at("a.csv")) && !allows("*", &at("a.csv")));
        assert!(allows(&allow, &at("a.csv")));
        assert!(!allows(&allow, &at("../other/a.csv")));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(other.join("a.csv"), data.join("link.csv")).expect("a link");
            assert!(!allows(&allow, &at("link.csv")));
        }
    }

    #[test]
    fn private_addresses_are_refused_unless_the_host_is_named() {
        let address = |text: &str| text.parse::<IpAddr>().expect(text);
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "224.0.0.1",
        ] {
            assert!(!Allow::default().address("h", address(private)), "{private}");
            assert!("private".parse::<Allow>().expect("a list").address("h", address(private)));
            assert!("h".parse::<Allow>().expect("a list").address("h", address(private)));
            assert!(!"*".parse::<Allow>().expect("a list").address("h", address(private)));
        }
        for public in ["8.8.8.8", "200.23.8.5", "2606:4700::1111"] {
            assert!(Allow::default().address("h", address(public)), "{public}");
        }
    }
}
