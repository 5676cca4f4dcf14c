//! Tells an HTML page from data by the first bytes. Pure.
//!
//! INEGI's server, like many others, answers a request for a missing file with 200 and a page. Such
//! a page must not be reported as a damaged archive.

use raudal_common::error::printable;

/// How many bytes are examined. The title is near the top of a page.
pub(crate) const LOOK: usize = 4 * 1024;
/// How many characters of a page's title a message quotes.
const TITLE: usize = 80;

/// What the first bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
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
    done: bool,
}

impl Look {
    pub(crate) fn new(called_page: bool) -> Self {
        Self { called_page, ..Self::default() }
    }

    /// Takes more bytes. Returns an error with a message once it is sure of a page, and has found
    /// its title or has seen enough bytes.
    pub(crate) fn more(&mut self, bytes: &[u8]) -> Result<(), String> {
        if self.done {
            return Ok(());
        }
        let room = LOOK - self.first.len();
        self.first.extend_from_slice(&bytes[..bytes.len().min(room)]);
        match self.verdict() {
            Verdict::Unknown => Ok(()),
            Verdict::Data => {
                self.done = true;
                self.first = Vec::new();
                Ok(())
            }
            // Wait for the title, but only within the first bytes.
            Verdict::Page if self.first.len() < LOOK && title(&self.first).is_none() => Ok(()),
            Verdict::Page => Err(message(&self.first)),
        }
    }

    /// Whether the body is known to be data.
    pub(crate) fn is_done(&self) -> bool {
        self.done
    }

    /// Decides when the body has ended.
    pub(crate) fn end(&self) -> Result<(), String> {
        if !self.done && !self.first.is_empty() && (self.called_page || self.verdict() == Verdict::Page) {
            return Err(message(&self.first));
        }
        Ok(())
    }

    fn verdict(&self) -> Verdict {
        match sniff(&self.first) {
            // If the server says that this is a page, only an archive's signature overrules it.
            Verdict::Data if self.called_page && !is_archive(&self.first) => {
                if self.first.len() < 4 {
                    Verdict::Unknown
                } else {
                    Verdict::Page
                }
            }
            Verdict::Unknown if self.called_page && self.first.len() == LOOK => Verdict::Page,
            verdict => verdict,
        }
    }
}

fn message(first: &[u8]) -> String {
    match title(first) {
        Some(title) => format!("an HTML page in place of the data: {title}"),
        None => "an HTML page in place of the data".into(),
    }
}

/// Whether the bytes begin with the signature of a zip (also an empty one) or of gzip.
fn is_archive(first: &[u8]) -> bool {
    first.starts_with(b"PK\x03\x04") || first.starts_with(b"PK\x05\x06") || first.starts_with(b"\x1f\x8b")
}

/// Whether the bytes begin like HTML, after a byte order mark and white space (WHATWG MIME
/// Sniffing, section 7.1).
pub(crate) fn sniff(first: &[u8]) -> Verdict {
    const BOM: &[u8] = b"\xef\xbb\xbf";
    if first.len() < BOM.len() && BOM.starts_with(first) {
        return Verdict::Unknown;
    }
    let text = first.strip_prefix(BOM).unwrap_or(first).trim_ascii_start();
    if text.is_empty() {
        return if first.len() < LOOK { Verdict::Unknown } else { Verdict::Data };
    }
    if begins(text, b"<?xml") == Verdict::Page {
        // XHTML begins with an XML declaration. Other XML counts as data.
        let lower = text.to_ascii_lowercase();
        return match [&b"<!doctype html"[..], b"<html"].iter().any(|tag| find(&lower, tag).is_some()) {
            true => Verdict::Page,
            false if first.len() < LOOK => Verdict::Unknown,
            false => Verdict::Data,
        };
    }
    let tags = [&b"<!doctype html"[..], b"<html", b"<head", b"<title", b"<script", b"<body", b"<?xml"];
    let verdicts = tags.map(|tag| begins(text, tag));
    [Verdict::Page, Verdict::Unknown].into_iter().find(|verdict| verdicts.contains(verdict)).unwrap_or(Verdict::Data)
}

/// Whether the text begins with the tag, in any case, followed by a byte that ends its name.
fn begins(text: &[u8], tag: &[u8]) -> Verdict {
    let length = text.len().min(tag.len());
    if !text[..length].eq_ignore_ascii_case(&tag[..length]) {
        return Verdict::Data;
    }
    match text.get(tag.len()) {
        None => Verdict::Unknown,
        Some(b'>' | b' ' | b'\t' | b'\r' | b'\n' | b'\x0c') => Verdict::Page,
        Some(_) => Verdict::Data,
    }
}

/// Returns the page's title: joins white space, escapes control characters, and cuts it to a length
/// that fits a message.
fn title(page: &[u8]) -> Option<String> {
    let lower = page.to_ascii_lowercase();
    let open = find(&lower, b"<title")?;
    let start = open + find(&lower[open..], b">")? + 1;
    let end = start + find(&lower[start..], b"</title")?;
    let text = String::from_utf8_lossy(&page[start..end]);
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut shown: String = printable(&words).chars().take(TITLE).collect();
    if shown.chars().count() == TITLE {
        shown.push('…');
    }
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
            assert_eq!(sniff(page.as_bytes()), Verdict::Page, "{page}");
        }
        for data in ["PK\u{3}\u{4}", "a,b\n1,2\n", "<a>,b\n", "<htmlx>,", "\u{feff}ENTIDAD,NOM_ENT", "  x", "<", "<h1"]
        {
            let verdict = sniff(data.as_bytes());
            assert_eq!(verdict, if data == "<" { Verdict::Unknown } else { Verdict::Data }, "{data}");
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
                seen,
                Err("an HTML page in place of the data: Página no encontrada\\u{1b}".into()),
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn a_long_title_is_cut_and_a_page_without_one_is_not_waited_for() {
        let mut look = Look::new(false);
        let long = format!("<html><title>{}</title>", "x".repeat(500));
        let message = look.more(long.as_bytes()).expect_err("a page");
        assert!(message.ends_with(&format!(": {}…", "x".repeat(80))));
        let mut look = Look::new(false);
        assert_eq!(look.more(b"<html>"), Ok(()));
        assert_eq!(look.more(&[b' '; LOOK]), Err("an HTML page in place of the data".into()));
    }

    #[test]
    fn a_servers_word_for_a_page_is_taken_unless_an_archive_is_seen() {
        let look = |bytes: &[u8]| {
            let mut look = Look::new(true);
            look.more(bytes).and_then(|()| look.end())
        };
        assert!(look(b"not found").is_err());
        assert!(look(b"no").is_err());
        assert!(look(b"PK\x03\x04 and so on").is_ok());
        assert!(look(b"\x1f\x8b\x08\x00 and so on").is_ok());
        let mut data = Look::new(false);
        assert_eq!(data.more(b"a,b\n").and_then(|()| data.more(b"<html>")).and_then(|()| data.end()), Ok(()));
    }
}
