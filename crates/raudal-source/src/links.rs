//! The links on an HTML page, such as the listing of a folder, as inputs.

use std::collections::{BTreeMap, HashSet};

use html5gum::{DefaultEmitter, Token, Tokenizer};
use url::Url;

use super::percent::decoded;
use super::{Input, Location};
use raudal_common::error::printable;
use raudal_common::{Error, Kind, Result, glob};

/// Hosts and names that a message lists.
const LISTED: usize = 5;

/// Which links of a page are inputs.
///
/// A glob without a slash is compared with the last part of a link, with and without its query. A
/// glob with a slash is compared with the end of its path, and one with `://` with the whole link.
/// `**` crosses folders, and case is ignored.
///
/// ```
/// use raudal_source::Links;
/// use url::Url;
///
/// let page = r#"<a href="../">up</a> <a href="b.csv">b</a> <a href="a.CSV#x">a</a> <a href='b.csv'>b</a>"#;
/// let at = Url::parse("https://example.org/data/").unwrap();
/// let found = Links::new("*.csv")?.on(page.as_bytes(), &at);
/// let places: Vec<String> = found.inputs.iter().map(|input| input.location.to_string()).collect();
/// assert_eq!(places, ["https://example.org/data/b.csv", "https://example.org/data/a.CSV"]);
/// # Ok::<(), raudal_common::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Links {
    glob: String,
    any_host: bool,
}

/// The links that were found on a page.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct FoundLinks {
    /// Those that match, in the order of the page, each once.
    pub inputs: Vec<Input>,
    /// How many others match, but lead to another host, by host.
    pub elsewhere: BTreeMap<String, u64>,
    /// The last parts of the first links, for a message.
    names: Vec<String>,
}

impl Links {
    /// Accepts the links that match a glob and lead to the host of their page.
    ///
    /// # Errors
    ///
    /// Fails with a usage error for an invalid glob.
    pub fn new(glob: &str) -> Result<Self> {
        if glob.is_empty() {
            return Err(Error::usage("an empty pattern for links").hint("write one such as '*.csv'"));
        }
        glob::validate(glob)
            .map_err(|error| Error::usage(format!("bad pattern for [`links`]: {glob}")).because(error))?;
        Ok(Self { glob: glob.to_lowercase(), any_host: false })
    }

    /// Sets whether links to other hosts count too. Default: no.
    #[must_use]
    pub fn any_host(mut self, any_host: bool) -> Self {
        self.any_host = any_host;
        self
    }

    /// Returns the links on a page. `at` is its address after all redirects; a link to a local file
    /// counts only on a page that is one.
    pub fn on(&self, page: &[u8], at: &Url) -> FoundLinks {
        let mut found = FoundLinks::default();
        let mut seen = HashSet::new();
        let mut base = None;
        for (tag, link) in references(page) {
            let Ok(mut url) = base.as_ref().unwrap_or(at).join(&link) else { continue };
            if tag == "base" {
                // Only the first one counts.
                base.get_or_insert(url);
                continue;
            }
            url.set_fragment(None);
            if !is_file(&url, at, &self.glob) {
                continue;
            }
            let Some(location) = location(url.clone()) else { continue };
            let input = Input::new(location);
            if found.names.len() < LISTED && !found.names.contains(&input.name) {
                found.names.push(input.name.clone());
            }
            if !self.matches(&url, &input.name) || !seen.insert(url.clone()) {
                continue;
            }
            if url.scheme() == "file" && at.scheme() != "file" {
                continue;
            }
            let is_here = url.host_str() == at.host_str() && (url.scheme() == "file") == (at.scheme() == "file");
            if is_here || self.any_host {
                found.inputs.push(input);
            } else {
                *found.elsewhere.entry(url.host_str().unwrap_or_default().to_owned()).or_default() += 1;
            }
        }
        found
    }

    fn matches(&self, url: &Url, name: &str) -> bool {
        let is = |text: &str| glob::matches(&self.glob, &text.to_lowercase());
        if self.glob.contains("://") {
            return is(url.as_str());
        }
        if self.glob.contains('/') {
            let path = decoded(url.path());
            let below = format!("**/{}", self.glob.trim_start_matches('/'));
            return is(&path) || (!self.glob.starts_with('/') && glob::matches(&below, &path.to_lowercase()));
        }
        is(name) || url.query().is_some_and(|query| is(&format!("{name}?{}", decoded(query))))
    }
}

impl FoundLinks {
    /// Returns the error for a page without a link that matches.
    pub fn none(&self, links: &Links) -> Error {
        let error = Error::new(Kind::Member, format!("no link on the page matches: {}", printable(&links.glob)));
        let names: Vec<String> = self.names.iter().map(|name| printable(name)).collect();
        match (self.elsewhere.is_empty(), names.as_slice()) {
            (false, _) => error.hint(format!("{}: [`links_any_host`] accepts them", self.hosts())),
            (true, []) => error.hint("it has no links to files: a script may create them in a browser"),
            (true, names) => error.hint(format!("its links are {}", names.join(", "))),
        }
    }

    /// Returns a warning about links that were left out because of their host.
    pub fn warning(&self) -> Option<String> {
        (!self.elsewhere.is_empty())
            .then(|| format!("{}, and were left out: [`links_any_host`] accepts them", self.hosts()))
    }

    fn hosts(&self) -> String {
        let all: u64 = self.elsewhere.values().sum();
        let hosts: Vec<&str> = self.elsewhere.keys().take(LISTED).map(String::as_str).collect();
        let more = if self.elsewhere.len() > LISTED { " and others" } else { "" };
        let lead = if all == 1 { "link that matches leads" } else { "links that match lead" };
        format!("{all} {lead} to other hosts ({}{more})", printable(&hosts.join(", ")))
    }
}

/// Returns the tags that refer to something else, and what they refer to, in the order of the page.
fn references(page: &[u8]) -> Vec<(&'static str, String)> {
    let mut emitter = DefaultEmitter::default();
    // Scripts and comments contain no tags.
    emitter.naively_switch_states(true);
    let mut found = Vec::new();
    for token in Tokenizer::new_with_emitter(page, emitter) {
        let Ok(Token::StartTag(tag)) = token else { continue };
        let name = match &**tag.name {
            b"a" => "a",
            b"area" => "area",
            b"base" => "base",
            _ => continue,
        };
        if let Some(link) = tag.attributes.get(&b"href"[..]) {
            found.push((name, text(link)));
        }
    }
    found
}

/// Reads bytes that are not UTF-8 as Latin-1, the usual encoding of old pages.
fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().map(|&byte| char::from(byte)).collect(),
    }
}

/// Returns whether a link may be a file. It must not be the page itself, or the same page in another order, or
/// (unless folders are asked for) a folder.
fn is_file(url: &Url, at: &Url, glob: &str) -> bool {
    let mut here = at.clone();
    here.set_fragment(None);
    let is_folder = url.path().ends_with('/');
    *url != here && (!is_folder || (glob.ends_with('/') && url.path() != at.path()))
}

fn location(url: Url) -> Option<Location> {
    match url.scheme() {
        "http" | "https" => Some(Location::Url(url)),
        "file" => url.to_file_path().ok().map(Location::File),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(page: &str, at: &str, glob: &str) -> FoundLinks {
        Links::new(glob).expect("a glob").on(page.as_bytes(), &Url::parse(at).expect("a URL"))
    }

    fn places(found: &FoundLinks) -> Vec<String> {
        found.inputs.iter().map(|input| input.location.to_string()).collect()
    }

    #[test]
    fn links_come_resolved_in_order_and_once() {
        let page = r##"<!doctype html><title>x</title><a class=x href = "2020/a%20b.csv">1</a><A HREF=b.csv>2</A>
            <a href="/c.csv?v=1&amp;w=2#part">3</a><a href="./b.csv">again</a><area href='//h/d.csv'>
            <!-- <a href="no.csv"> --><script>"<a href='no.csv'>"</script><a href="e.zip">5</a><a name=x>6</a>
            <a href="mailto:a.csv"><a href="javascript:x.csv"><a href="ftp://h/a.csv"><a href="#x.csv">"##;
        let found = on(page, "http://h/data/index.html", "*.csv");
        let all = ["http://h/data/2020/a%20b.csv", "http://h/data/b.csv", "http://h/c.csv?v=1&w=2", "http://h/d.csv"];
        assert_eq!(places(&found), all);
        assert_eq!(found.inputs[0].name, "a b.csv");
        assert!(found.warning().is_none());
    }

    #[test]
    fn the_base_of_a_page_counts_but_not_for_the_host() {
        let page = r#"<base href="../files/"><base href="/x/"><a href="a.csv"><a href="http://other/b.csv">"#;
        assert_eq!(places(&on(page, "http://h/data/page", "*.csv")), ["http://h/files/a.csv"]);
        let page = r#"<base href="http://other/"><a href="a.csv">"#;
        let found = on(page, "http://h/", "*.csv");
        assert!(found.inputs.is_empty());
        let error = found.none(&Links::new("*.csv").expect("a glob"));
        assert_eq!(
            error.hint_text(),
            Some("1 link that matches leads to other hosts (other): [`links_any_host`] accepts them")
        );
    }

    #[test]
    fn links_to_other_hosts_are_counted_or_taken() {
        let page = r#"<a href="a.csv"><a href="https://h/b.csv"><a href="http://c/c.csv"><a href="http://d/d.csv">"#;
        let found = on(page, "http://h/", "*.csv");
        assert_eq!(places(&found), ["http://h/a.csv", "https://h/b.csv"]);
        assert_eq!(
            found.warning().as_deref(),
            Some("2 links that match lead to other hosts (c, d), and were left out: [`links_any_host`] accepts them")
        );
        let any = Links::new("*.csv").expect("a glob").any_host(true);
        assert_eq!(any.on(page.as_bytes(), &Url::parse("http://h/").expect("a URL")).inputs.len(), 4);
    }

    #[test]
    fn a_listing_of_a_folder_has_its_files_only() {
        let page = r#"<a href="?C=N;O=D">Name</a><a href="/">Parent</a><a href="old/">old</a><a href="a.csv">a</a>"#;
        assert_eq!(places(&on(page, "http://h/data/", "*")), ["http://h/data/a.csv"]);
        assert_eq!(places(&on(page, "http://h/data/", "**/old/")), ["http://h/data/old/"]);
    }

    #[test]
    fn a_glob_is_held_against_a_name_a_path_or_a_whole_link() {
        let page = r#"<a href="2020/A.csv"><a href="2021/a.csv"><a href="get?f=a.csv"><a href="x/2020/a.csv">"#;
        let of = |glob: &str| places(&on(page, "http://h/d/", glob)).len();
        assert_eq!((of("a.csv"), of("2020/*.csv"), of("/d/2020/*"), of("http://h/d/**/*.csv")), (3, 2, 1, 4));
        assert_eq!((of("*f=a.csv"), of("*.CSV"), of("{x,a}.csv"), of("b.csv")), (1, 4, 3, 0));
        let found = on(page, "http://h/d/", "b.csv");
        let error = found.none(&Links::new("b.csv").expect("a glob"));
        assert_eq!((error.kind(), error.hint_text()), (Kind::Member, Some("its links are A.csv, a.csv, get")));
        assert!(Links::new("[a").is_err() && Links::new("").is_err());
    }

    #[test]
    fn only_a_page_on_this_machine_leads_to_files_on_it() {
        let page = r#"<a href="a.csv"><a href="file:///etc/b.csv"><a href="http://h/c.csv">"#;
        assert!(places(&on(page, "http://h/", "*")).iter().all(|place| place.starts_with("http://h/")));
        let any = Links::new("*").expect("a glob").any_host(true);
        let found = any.on(page.as_bytes(), &Url::parse("https://h/").expect("a URL"));
        assert!(found.inputs.iter().all(|input| input.location.is_remote()));
        #[cfg(unix)]
        {
            let found = on(page, "file:///data/index.html", "*");
            assert_eq!(places(&found), ["/data/a.csv", "/etc/b.csv"]);
            assert_eq!(found.elsewhere.len(), 1);
        }
    }

    #[test]
    fn old_pages_and_bad_ones_are_read_as_far_as_they_go() {
        let found = Links::new("*.csv").expect("a glob").on(
            b"<a href=\"poblaci\xf3n.csv\"><a href='http://[/x.csv'><a href=\"cut.csv",
            &Url::parse("http://h/").expect("a URL"),
        );
        assert_eq!(found.inputs.iter().map(|input| input.name.as_str()).collect::<Vec<_>>(), ["población.csv"]);
    }

    #[test]
    fn any_bytes_at_all_are_a_page() {
        let at = Url::parse("http://h/d/").expect("a URL");
        let links = Links::new("**").expect("a glob");
        proptest::proptest!(|(page in r#"(<a href=|<base href=|"|'|>|http://|//|x\.csv|<!--|[a-z&#;/?%]){0,20}"#)| {
            for cut in 0..page.len() {
                links.on(&page.as_bytes()[..cut], &at);
            }
            let found = links.on(page.as_bytes(), &at);
            assert!(found.inputs.iter().all(|input| input.location.key().is_some_and(|key| key.contains("://h:"))));
        });
    }
}
