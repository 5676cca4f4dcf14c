//! Tells an HTML page from data by the first bytes. Pure.
//!
//! INEGI's server, like many others, answers a request for a missing file with 200 and a page. Such
//! a page must not be reported as a damaged archive.

use raudal_common::error::{printable, redact};
use raudal_common::{Error, Kind};

/// How many bytes are examined. The title is near the top of a page.
pub(crate) const LOOK: usize = 4 * 1024;
/// How many characters of a page's title a message quotes.
const TITLE: usize = 80;
/// How many characters of a URL a message quotes.
const URL: usize = 500;

/// An HTML page, JSON or XML in place of the data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    what: &'static str,
    title: Option<String>,
    /// Where the page sends a browser on to.
    refresh: Option<String>,
}

impl Page {
    fn new(first: &[u8]) -> Self {
        let what = match (sniff(first), document(first)) {
            (Sniffed::Page, _) | (_, Sniffed::Data | Sniffed::Unknown) => "an HTML page",
            _ if text_of(first).starts_with(b"<") => "XML",
            _ => "JSON",
        };
        let line = || shown(first).filter(|_| what == "JSON" || !has_tag(first));
        Self { what, title: title(first).or_else(line), refresh: meta_refresh(first) }
    }

    pub(crate) fn message(&self) -> String {
        match &self.title {
            Some(title) => format!("{} in place of the data: {title}", self.what),
            None => format!("{} in place of the data", self.what),
        }
    }

    /// Returns the error for a page that a server has sent.
    pub(crate) fn error(&self) -> Error {
        Error::new(Kind::Impostor, self.message()).hint(match &self.refresh {
            Some(url) => format!("the page sends browsers on to another URL, which may have the data: {url}"),
            None => "many servers answer this way when a file is missing: check the URL".into(),
        })
    }
}

/// What the first bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sniffed {
    /// Too few bytes to tell.
    Unknown,
    Page,
    Data,
}

/// Collects the first bytes of a body, until they tell what it is.
#[derive(Debug, Default)]
pub(crate) struct Look {
    first: Vec<u8>,
    /// The `Content-Type` says that the body is an HTML page.
    called_page: bool,
    /// JSON and XML count as pages.
    no_documents: bool,
    done: bool,
}

impl Look {
    pub(crate) fn new(called_page: bool) -> Self {
        Self { called_page, ..Self::default() }
    }

    /// For data that is neither JSON nor XML.
    pub(crate) fn of_data(called_page: bool) -> Self {
        Self { called_page, no_documents: true, ..Self::default() }
    }

    /// Takes more bytes. Returns an error once it is sure of a page, and has found its title or has seen
    /// enough bytes.
    pub(crate) fn more(&mut self, bytes: &[u8]) -> Result<(), Page> {
        if self.done {
            return Ok(());
        }
        let room = LOOK - self.first.len();
        self.first.extend_from_slice(&bytes[..bytes.len().min(room)]);
        match self.verdict() {
            Sniffed::Unknown => Ok(()),
            Sniffed::Data => {
                self.done = true;
                self.first = Vec::new();
                Ok(())
            }
            // Wait for the title, but only within the first bytes.
            Sniffed::Page if self.first.len() < LOOK && title(&self.first).is_none() => Ok(()),
            Sniffed::Page => Err(Page::new(&self.first)),
        }
    }

    /// Whether the body is known to be data.
    pub(crate) fn is_done(&self) -> bool {
        self.done
    }

    /// Decides when the body has ended.
    pub(crate) fn end(&self) -> Result<(), Page> {
        let is_page = self.verdict() == Sniffed::Page
            || self.called_page && !self.first.is_empty() && (has_tag(&self.first) || is_one_line(&self.first));
        if !self.done && is_page {
            return Err(Page::new(&self.first));
        }
        Ok(())
    }

    fn verdict(&self) -> Sniffed {
        match document(&self.first) {
            verdict @ (Sniffed::Page | Sniffed::Unknown) if self.no_documents => return verdict,
            _ => {}
        }
        match sniff(&self.first) {
            // Servers call tables pages too. So the bytes decide: a page has tags, wherever they begin.
            Sniffed::Data if self.called_page && !is_binary(&self.first) => match has_tag(&self.first) {
                true => Sniffed::Page,
                false if self.first.len() < LOOK => Sniffed::Unknown,
                false => Sniffed::Data,
            },
            Sniffed::Unknown if self.called_page && self.first.len() == LOOK => Sniffed::Page,
            verdict => verdict,
        }
    }
}

/// Whether there is anything that may be a tag, a comment or a declaration.
fn has_tag(first: &[u8]) -> bool {
    let begins =
        |pair: &[u8]| pair[0] == b'<' && (pair[1].is_ascii_alphabetic() || matches!(pair[1], b'!' | b'/' | b'?'));
    first.windows(2).any(begins)
}

/// Whether a whole body is one line: a message, rather than a header without rows.
fn is_one_line(body: &[u8]) -> bool {
    body.len() < LOOK && !body.trim_ascii_end().contains(&b'\n')
}

/// Whether the bytes begin with a signature, or have control characters that no text has (WHATWG MIME Sniffing,
/// section 3). What looks like a tag among them is none.
fn is_binary(first: &[u8]) -> bool {
    const SIGNATURES: [&[u8]; 6] = [b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b", b"BZh", b"%PDF-", b"\x89PNG"];
    let is_control = |byte: &u8| byte.is_ascii_control() && !b"\t\n\x0c\r\x1b\x7f".contains(byte);
    SIGNATURES.iter().any(|signature| first.starts_with(signature)) || first.iter().any(is_control)
}

/// Whether there is no more than the beginning of a byte order mark.
fn is_mark_begun(first: &[u8]) -> bool {
    first.len() < 3 && b"\xef\xbb\xbf".starts_with(first)
}

/// Returns the bytes after a byte order mark and white space.
fn text_of(first: &[u8]) -> &[u8] {
    first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(first).trim_ascii_start()
}

/// Whether the bytes begin like JSON or XML, after a byte order mark and white space.
fn document(first: &[u8]) -> Sniffed {
    if is_mark_begun(first) {
        return Sniffed::Unknown;
    }
    let text = text_of(first);
    let (Some(open @ (b'{' | b'[')), rest) = (text.first(), text.get(1..).unwrap_or_default()) else {
        return begins(text, b"<?xml");
    };
    match (open, rest.trim_ascii_start().first()) {
        (b'{', Some(b'"' | b'}')) | (b'[', Some(b'{')) => Sniffed::Page,
        (_, None) if first.len() < LOOK => Sniffed::Unknown,
        _ => Sniffed::Data,
    }
}

/// Whether the bytes begin like HTML, after a byte order mark and white space (WHATWG MIME
/// Sniffing, section 7.1).
pub(crate) fn sniff(first: &[u8]) -> Sniffed {
    if is_mark_begun(first) {
        return Sniffed::Unknown;
    }
    let text = text_of(first);
    if text.is_empty() {
        return if first.len() < LOOK { Sniffed::Unknown } else { Sniffed::Data };
    }
    if begins(text, b"<?xml") == Sniffed::Page {
        // XHTML begins with an XML declaration. Other XML counts as data.
        let lower = text.to_ascii_lowercase();
        return match [&b"<!doctype html"[..], b"<html"].iter().any(|tag| find(&lower, tag).is_some()) {
            true => Sniffed::Page,
            false if first.len() < LOOK => Sniffed::Unknown,
            false => Sniffed::Data,
        };
    }
    let tags = [&b"<!doctype html"[..], b"<html", b"<head", b"<title", b"<script", b"<body", b"<?xml"];
    let verdicts = tags.map(|tag| begins(text, tag));
    [Sniffed::Page, Sniffed::Unknown].into_iter().find(|verdict| verdicts.contains(verdict)).unwrap_or(Sniffed::Data)
}

/// Whether the text begins with the tag, in any case, followed by a byte that ends its name.
fn begins(text: &[u8], tag: &[u8]) -> Sniffed {
    let length = text.len().min(tag.len());
    if !text[..length].eq_ignore_ascii_case(&tag[..length]) {
        return Sniffed::Data;
    }
    match text.get(tag.len()) {
        None => Sniffed::Unknown,
        Some(b'>' | b' ' | b'\t' | b'\r' | b'\n' | b'\x0c') => Sniffed::Page,
        Some(_) => Sniffed::Data,
    }
}

/// Returns the page's title: joins white space, escapes control characters, and cuts it to a length
/// that fits a message.
fn title(page: &[u8]) -> Option<String> {
    let lower = page.to_ascii_lowercase();
    let open = find(&lower, b"<title")?;
    let start = open + find(&lower[open..], b">")? + 1;
    let end = start + find(&lower[start..], b"</title")?;
    shown(&page[start..end])
}

fn shown(text: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(text);
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut shown: String = printable(&words).chars().take(TITLE).collect();
    if shown.chars().count() == TITLE {
        shown.push('…');
    }
    (!shown.is_empty()).then_some(shown)
}

/// Returns the URL of a `<meta http-equiv="refresh">`, for messages.
fn meta_refresh(page: &[u8]) -> Option<String> {
    let page = String::from_utf8_lossy(page);
    let lower = page.to_ascii_lowercase();
    for (at, _) in lower.match_indices("<meta") {
        let tag = &lower[at..];
        let tag = &tag[..tag.find('>').unwrap_or(tag.len())];
        if !(tag.contains("http-equiv") && tag.contains("refresh")) {
            continue;
        }
        let content = tag.find("content").and_then(|content| Some(content + tag[content..].find('=')? + 1));
        if let Some(content) = content {
            return refresh_url(page[at + content..at + tag.len()].trim().trim_start_matches(['"', '\'']));
        }
    }
    None
}

/// Returns the URL of a `Refresh` header, or of the attribute `content` of such a tag, for messages: `5; url=a.csv`.
pub(crate) fn refresh_url(value: &str) -> Option<String> {
    let (_, target) = value.split_once([';', ','])?;
    let target = target.trim_start();
    let named = target.get(..3).filter(|name| name.eq_ignore_ascii_case("url")).map(|_| target[3..].trim_start());
    let target = named.and_then(|rest| rest.strip_prefix('=')).unwrap_or(target).trim_start();
    let (target, ends): (_, &[char]) = match target.strip_prefix(['"', '\'']) {
        Some(quoted) => (quoted, &['"', '\'']),
        None => (target, &['"', '\'', ' ', '\t', '\r', '\n']),
    };
    let shown: String = printable(&redact(target.split(ends).next()?)).chars().take(URL).collect();
    (!shown.is_empty()).then_some(shown)
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_known_by_how_it_begins() {
        for page in [
            "<!DOCTYPE html><html>",
            "\u{feff}\r\n  <!doctype HTML PUBLIC \"-//W3C//DTD XHTML 1.0\">",
            "<HTML lang=es>",
            "<?xml version=\"1.0\"?>\n<!DOCTYPE html PUBLIC",
        ] {
            assert_eq!(sniff(page.as_bytes()), Sniffed::Page, "{page}");
        }
        for data in ["PK\u{3}\u{4}", "a,b\n1,2\n", "<a>,b\n", "<htmlx>,", "\u{feff}ENTIDAD,NOM_ENT", "  x", "<", "<h1"]
        {
            let verdict = sniff(data.as_bytes());
            assert_eq!(verdict, if data == "<" { Sniffed::Unknown } else { Sniffed::Data }, "{data}");
        }
    }

    #[test]
    fn any_split_of_a_page_gives_the_same_message() {
        let page = "\u{feff} <!DOCTYPE html>\n<html><head><title>\n P\u{e1}gina no\tencontrada\u{1b} </title></head>"
            .as_bytes();
        for cut in 0..page.len() {
            let mut look = Look::new(false);
            let seen = look.more(&page[..cut]).and_then(|()| look.more(&page[cut..])).and_then(|()| look.end());
            assert_eq!(
                seen.map_err(|page| page.message()),
                Err("an HTML page in place of the data: Página no encontrada\\u{1b}".into()),
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn a_long_title_is_cut_and_a_page_without_one_is_not_waited_for() {
        let mut look = Look::new(false);
        let long = format!("<html><title>{}</title>", "x".repeat(500));
        let page = look.more(long.as_bytes()).expect_err("a page");
        assert!(page.message().ends_with(&format!(": {}…", "x".repeat(80))));
        let mut look = Look::new(false);
        assert_eq!(look.more(b"<html>"), Ok(()));
        assert_eq!(look.more(&[b' '; LOOK]).unwrap_err().message(), "an HTML page in place of the data");
    }

    #[test]
    fn what_a_server_calls_a_page_is_one_if_it_has_a_tag() {
        let look = |bytes: &[u8]| {
            let mut look = Look::new(true);
            look.more(bytes).and_then(|()| look.end())
        };
        for page in
            ["Sorry <b>not found</b>", "<br />\n<b>Warning</b>: mysql_connect()\nid,name\n", "no", "  <!-- x -->"]
        {
            assert!(look(page.as_bytes()).is_err(), "{page}");
        }
        for data in ["id,name\n1,a\n", "a < b,c\n<5,1\n", "\u{feff}id\n1\n"] {
            assert!(look(data.as_bytes()).is_ok(), "{data}");
        }
        let message = look(b"Sorry, not found\n").unwrap_err().message();
        assert_eq!(message, "an HTML page in place of the data: Sorry, not found");
        let long = "1,a\n".repeat(LOOK);
        assert!(look(long.as_bytes()).is_ok());
        assert!(look(b"PK\x03\x04 and so on").is_ok());
        assert!(look(b"\x1f\x8b\x08\x00 and so on").is_ok());
        let mut data = Look::new(false);
        assert_eq!(data.more(b"a,b\n").and_then(|()| data.more(b"<html>")).and_then(|()| data.end()), Ok(()));
    }

    #[test]
    fn bytes_that_no_text_has_are_no_page_whatever_the_server_calls_them() {
        for data in [&b"BZh91AY&SY<a>"[..], b"\xfd7zXZ\0\0\x04<b>", b"\x28\xb5\x2f\xfd\x04<i/>", b"%PDF-1.4\n<?xpacket"]
        {
            let mut look = Look::new(true);
            assert_eq!(look.more(data).and_then(|()| look.end()), Ok(()), "{}", data.escape_ascii());
        }
    }

    #[test]
    fn json_and_xml_are_no_data_at_any_split() {
        for (text, message) in [
            ("{\"error\": 1}", "JSON in place of the data: {\"error\": 1}"),
            (" \n{ }", "JSON in place of the data: { }"),
            ("[\n {\"a\": \"<b>\"}]", "JSON in place of the data: [ {\"a\": \"<b>\"}]"),
            ("\u{feff}<?xml version=\"1.0\"?><Error/>", "XML in place of the data"),
            ("<?xml version=\"1.0\"?><html><title>Oh</title>", "an HTML page in place of the data: Oh"),
        ] {
            for cut in 0..text.len() {
                let mut look = Look::of_data(false);
                let (one, two) = text.as_bytes().split_at(cut);
                let seen = look.more(one).and_then(|()| look.more(two)).and_then(|()| look.end());
                assert_eq!(seen.map_err(|page| page.message()), Err(message.into()), "cut at {cut}");
            }
        }
        for data in ["[a],[b]\n1,2\n", "{a},{b}\n", "<b>,c\n", "[", "{", "PK\u{3}\u{4}", "\"{\",a\n"] {
            let mut look = Look::of_data(false);
            assert_eq!(look.more(data.as_bytes()).and_then(|()| look.end()), Ok(()), "{data}");
        }
    }

    #[test]
    fn where_a_page_sends_browsers_on_to_is_in_the_hint() {
        for (page, url) in [
            ("<html><meta http-equiv=\"refresh\" content=\"0; url=/a.csv\">", Some("/a.csv")),
            ("<html><META content='5;URL=\"b.csv?x=1&y=2\"' HTTP-EQUIV=Refresh />", Some("b.csv?x=1&y=2")),
            ("<html><meta charset=utf-8><meta http-equiv=refresh content=3;c.csv>", Some("c.csv")),
            ("<html><meta http-equiv=refresh content='3; url=https://u:secret@h/'>", Some("https://h/")),
            ("<html><meta http-equiv=refresh content=\"60\">", None),
            ("<html><meta name=refresh content=\"1; url=x\">", None),
            ("<html><meta http-equiv=\"refresh\" content=\"0; url=/cut", Some("/cut")),
        ] {
            let mut look = Look::default();
            let found = look.more(page.as_bytes()).and_then(|()| look.end()).unwrap_err();
            assert_eq!(found.refresh.as_deref(), url, "{page}");
            let error = found.error();
            assert!(error.hint_text().is_some_and(|hint| hint.ends_with(url.unwrap_or("check the URL"))), "{page}");
        }
        assert_eq!(refresh_url("0; url=/idle.csv").as_deref(), Some("/idle.csv"));
        assert_eq!(refresh_url("0"), None);
    }
}
