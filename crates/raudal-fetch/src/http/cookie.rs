//! The cookies of one chain of redirects (RFC 6265). Pure: takes headers and addresses, returns a header.
//!
//! Some servers answer a request with a cookie and a redirect to the same URL, or lead through a login page, and send
//! the file only to those that bring the cookie back. So cookies live as long as the chain: in memory, never shown, and
//! never sent for another input.

use reqwest::header::{self, HeaderMap, HeaderValue};
use url::{Host, Url};

/// A browser keeps at least 50 cookies of a site (RFC 6265, section 6.1), of 4 KiB each.
const MOST: usize = 50;
const LARGEST: usize = 4096;

/// The cookies that were set so far.
#[derive(Default)]
pub(crate) struct Cookies(Vec<Cookie>);

struct Cookie {
    /// `name=value`, as it is sent back.
    pair: Vec<u8>,
    /// How many bytes of it are the name.
    name: usize,
    domain: String,
    /// Whether it goes to hosts below the domain as well.
    below: bool,
    path: String,
    secure: bool,
}

impl Cookies {
    /// Takes the cookies that a response from `here` sets.
    pub(crate) fn take(&mut self, here: &Url, response: &HeaderMap) {
        for value in response.get_all(header::SET_COOKIE) {
            let Some((cookie, is_kept)) = parse(here, value.as_bytes()) else { continue };
            self.0.retain(|old| (old.name(), &old.domain, &old.path) != (cookie.name(), &cookie.domain, &cookie.path));
            if is_kept && self.0.len() < MOST {
                self.0.push(cookie);
            }
        }
    }

    /// Adds the cookies for a request to `here`, after those that the user has given.
    pub(crate) fn add(&self, here: &Url, headers: &mut HeaderMap) {
        let own = headers.get_all(header::COOKIE).iter().map(|value| value.as_bytes().to_vec());
        let mut pairs: Vec<Vec<u8>> = own.collect();
        let given = pairs.len();
        pairs.extend(self.0.iter().filter(|cookie| cookie.goes_to(here)).map(|cookie| cookie.pair.clone()));
        if pairs.len() == given {
            return;
        }
        if let Ok(mut value) = HeaderValue::from_bytes(&pairs.join(&b"; "[..])) {
            value.set_sensitive(true);
            headers.insert(header::COOKIE, value);
        }
    }
}

impl Cookie {
    fn name(&self) -> &[u8] {
        &self.pair[..self.name]
    }

    fn goes_to(&self, here: &Url) -> bool {
        let host = here.host_str().unwrap_or_default();
        let is_host = host == self.domain || self.below && is_below(host, &self.domain);
        is_host && is_within(here.path(), &self.path) && (!self.secure || here.scheme() == "https")
    }
}

/// Parses a `Set-Cookie` header. Returns the cookie, and `false` if the header deletes it.
fn parse(here: &Url, header: &[u8]) -> Option<(Cookie, bool)> {
    let mut parts = header.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    let pair = parts.next()?;
    let name = pair.iter().position(|byte| *byte == b'=')?;
    if pair.len() > LARGEST || name == 0 {
        return None;
    }
    let host = here.host_str()?;
    let mut cookie = Cookie {
        pair: pair.to_vec(),
        name,
        domain: host.to_owned(),
        below: false,
        path: folder(here.path()).to_owned(),
        secure: false,
    };
    let mut is_kept = true;
    for part in parts {
        let at = part.iter().position(|byte| *byte == b'=');
        let (attribute, value) = at.map_or((part, &b""[..]), |at| (&part[..at], &part[at + 1..]));
        let value = String::from_utf8_lossy(value.trim_ascii()).into_owned();
        match attribute.trim_ascii().to_ascii_lowercase().as_slice() {
            b"domain" if !value.is_empty() => {
                let domain = value.trim_start_matches('.').to_ascii_lowercase();
                if domain != host && !(may_be_site(here, &domain) && is_below(host, &domain)) {
                    return None;
                }
                (cookie.domain, cookie.below) = (domain, true);
            }
            b"path" if value.starts_with('/') => cookie.path = value,
            b"secure" => cookie.secure = true,
            // Dates in the past are how older servers delete a cookie. Others do not end before the chain does.
            b"expires" => {
                is_kept &= httpdate::parse_http_date(&value.replace('-', " ")).map_or(true, |date| {
                    date.duration_since(std::time::UNIX_EPOCH).is_ok_and(|age| age.as_secs() > YEAR)
                });
            }
            b"max-age" => is_kept = value.parse::<i64>().map_or(true, |seconds| seconds > 0),
            _ => {}
        }
    }
    Some((cookie, is_kept))
}

/// Cookies are deleted with a date in the first year of Unix time, in practice. So no clock is needed.
const YEAR: u64 = 366 * 24 * 60 * 60;

/// Whether a domain may be that of a site, not one under which anybody may have a site. Without the list of those, a
/// name with a dot counts: a cookie lives only as long as the chain, in which its server chooses every URL anyway.
fn may_be_site(here: &Url, domain: &str) -> bool {
    matches!(here.host(), Some(Host::Domain(_))) && domain.contains('.')
}

fn is_below(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

/// Returns the path up to its last slash, which is left out (RFC 6265, section 5.1.4).
fn folder(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) | None => "/",
        Some(at) => &path[..at],
    }
}

fn is_within(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || folder.ends_with('/') || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns what is sent to `there` after `here` has set these cookies.
    fn sent(here: &str, set: &[&str], there: &str) -> String {
        sent_with(here, set, there, None)
    }

    fn sent_with(here: &str, set: &[&str], there: &str, own: Option<&'static str>) -> String {
        let (mut response, mut request) = (HeaderMap::new(), HeaderMap::new());
        for value in set {
            response.append(header::SET_COOKIE, HeaderValue::from_str(value).unwrap());
        }
        request.extend(own.map(|own| (header::COOKIE, HeaderValue::from_static(own))));
        let mut cookies = Cookies::default();
        cookies.take(&Url::parse(here).unwrap(), &response);
        cookies.add(&Url::parse(there).unwrap(), &mut request);
        request.get(header::COOKIE).map_or(String::new(), |value| value.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_cookie_comes_back_to_its_host_and_path_and_to_no_other() {
        let here = "http://data.example.org/a/b";
        assert_eq!(sent(here, &["s=1; Path=/"], "http://data.example.org/x"), "s=1");
        assert_eq!(sent(here, &["s=1"], "http://data.example.org/a/c"), "s=1", "the folder of the URL that set it");
        assert_eq!(sent(here, &["s=1"], "http://data.example.org/ab"), "");
        assert_eq!(sent(here, &["s=1; Path=/a"], "http://data.example.org/ab"), "");
        assert_eq!(sent(here, &["s=1; Path=/"], "http://data.example.org:8080/"), "s=1", "ports do not count");
        for elsewhere in ["http://example.org/", "http://www.data.example.org/", "http://other.org/"] {
            assert_eq!(sent(here, &["s=1; Path=/"], elsewhere), "", "{elsewhere}");
        }
    }

    #[test]
    fn a_domain_widens_a_cookie_to_its_own_site_only() {
        let here = "http://data.example.org/";
        assert_eq!(sent(here, &["s=1; Domain=.example.org"], "http://login.example.org/"), "s=1");
        assert_eq!(sent(here, &["s=1; Domain=.example.org"], "http://badexample.org/"), "");
        for domain in ["org", "other.org", "login.example.org", "ample.org"] {
            assert_eq!(sent(here, &[&format!("s=1; Domain={domain}")], here), "", "{domain}");
        }
        assert_eq!(sent("http://127.0.0.1/", &["s=1; Domain=0.0.1"], "http://127.0.0.1/"), "");
        assert_eq!(sent("http://127.0.0.1/", &["s=1; Domain=127.0.0.1"], "http://127.0.0.1/"), "s=1");
    }

    #[test]
    fn a_secure_cookie_needs_https_and_a_deleted_one_is_gone() {
        let here = "https://h.example/";
        assert_eq!(sent(here, &["s=1; Secure; HttpOnly; SameSite=Lax"], "https://h.example/"), "s=1");
        assert_eq!(sent(here, &["s=1; secure"], "http://h.example/"), "");
        for gone in ["s=; Max-Age=0", "s=x; Max-Age=-1", "s=x; Expires=Thu, 01-Jan-1970 00:00:01 GMT"] {
            assert_eq!(sent(here, &["s=1", gone], here), "", "{gone}");
        }
        assert_eq!(sent(here, &["s=1; Expires=Wed, 01 Jan 2099 00:00:00 GMT"], here), "s=1");
        assert_eq!(sent(here, &["s=1", "s=2", "t=3"], here), "s=2; t=3", "the last of a name counts");
    }

    #[test]
    fn cookies_of_the_user_go_first_and_what_is_no_cookie_is_left_out() {
        let here = "http://h.example/";
        assert_eq!(sent_with(here, &["s=1"], here, Some("own=yes")), "own=yes; s=1");
        assert_eq!(sent_with(here, &[], here, Some("own=yes")), "own=yes");
        for none in ["", "=x", "nothing", ";", "Path=/;"] {
            assert!(!sent(here, &[none], here).contains('x'), "{none}");
        }
        let long = format!("s={}", "x".repeat(LARGEST));
        assert_eq!(sent(here, &[&long], here), "");
        let many: Vec<String> = (0..100).map(|number| format!("c{number}=1")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(sent(here, &many, here).split("; ").count(), MOST);
    }
}
