//! Tells a text that is no table from one: JSON, XML, HTML, and the one line of an error message.

use serde::de::IgnoredAny;

use raudal_common::error::printable;
use raudal_common::{Error, Kind, Result};

/// How much of it a message shows, in characters.
const SHOWN: usize = 80;

/// Elements of HTML that pages and fragments of pages begin with.
const ELEMENTS: &[&str] = &[
    "html", "head", "body", "title", "meta", "link", "script", "style", "div", "span", "p", "br", "b", "i", "h1", "h2",
    "h3", "hr", "pre", "center", "font", "table", "ul", "form", "iframe", "a", "img", "strong", "em", "section",
];

/// Refuses a text that begins like JSON, XML or HTML, or is only blanks. `whole` says that no more
/// text follows.
pub(super) fn refuse_document(text: &[u8], whole: bool) -> Result<()> {
    let is_blank = !text.is_empty() && whole && text.trim_ascii_start().is_empty();
    match document(text, whole) {
        Some(what) => Err(impostor(&format!("{what} stands where a table should be"), text.trim_ascii_start())),
        None if is_blank => Err(Error::new(Kind::Empty, "nothing in it but blanks").transient(false)),
        None => Ok(()),
    }
}

/// Returns what a text is that begins like JSON, XML or HTML.
pub(super) fn document(text: &[u8], whole: bool) -> Option<&'static str> {
    let text = text.trim_ascii_start();
    match text.first() {
        Some(b'{' | b'[') if is_json(text, whole) => Some("JSON"),
        Some(b'<') => markup(text, whole),
        _ => None,
    }
}

/// Returns what a text is that begins with a tag: XML or HTML. A header in whose first name is a
/// tag, `<b>id</b>,name`, is neither.
fn markup(text: &[u8], whole: bool) -> Option<&'static str> {
    let mut rest = text;
    while let Some(after) = rest.strip_prefix(b"<!--") {
        let Some(end) = memchr::memmem::find(after, b"-->") else { return Some("XML") };
        rest = after[end + 3..].trim_ascii_start();
    }
    if begins(rest, b"<!doctype html") {
        return Some("HTML");
    }
    if begins(rest, b"<?") || begins(rest, b"<!") {
        return Some("XML");
    }
    let name = element(rest)?;
    let is_html = ELEMENTS.iter().any(|element| name.eq_ignore_ascii_case(element.as_bytes()));
    // All of it in tags, or a first line and a second one that begin with a tag each.
    let mut lines = rest.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    let is_page = [&b"html"[..], b"head", b"body"].iter().any(|page| name.eq_ignore_ascii_case(page));
    let ends = whole && rest.trim_ascii_end().ends_with(b">");
    let goes_on = lines.nth(1).is_some_and(|line| line.starts_with(b"</") || element(line).is_some());
    (is_page || ends || goes_on).then_some(if is_html { "HTML" } else { "XML" })
}

/// Returns the name of the element whose tag a text begins with.
fn element(text: &[u8]) -> Option<&[u8]> {
    let name = text.strip_prefix(b"<")?;
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte);
    let end = name.iter().position(|byte| !is_part(byte))?;
    let is_tag = matches!(name[end], b'>' | b'/' | b' ' | b'\t' | b'\r' | b'\n');
    (is_tag && name.first().is_some_and(u8::is_ascii_alphabetic)).then(|| &name[..end])
}

/// Returns the error for a text of one line without delimiters, which is likely a message.
pub(super) fn message(text: &str) -> Error {
    impostor("one line of text stands where a table should be", text.as_bytes())
}

/// Whether a header of one column, with no rows below it, reads like a message.
pub(super) fn is_message(name: &str) -> bool {
    let name = name.trim();
    let is_word = || WORDS.contains(&name.to_lowercase().as_str());
    name.split_whitespace().count() > 1 || name.ends_with(['.', '!', ':', '>', '}']) || is_word()
}

/// Whether a line with commas, with no rows below it, is a sentence: `Sorry, no data`.
pub(super) fn is_sentence(line: &[u8]) -> bool {
    let text = String::from_utf8_lossy(line);
    let parts: Vec<&str> = text.trim().split(',').collect();
    let has_words = parts.iter().any(|part| part.split_whitespace().count() > 1);
    let is_prose = parts.iter().skip(1).all(|part| part.starts_with(' '));
    (2..=6).contains(&parts.len()) && has_words && (is_prose || text.trim().ends_with(['.', '!', '?']))
}

/// Words of messages, in small letters.
const WORDS: &[&str] = &[
    "error",
    "forbidden",
    "unauthorized",
    "denied",
    "unavailable",
    "exceeded",
    "not found",
    "try again",
    "too many",
    "bad request",
    "maintenance",
    "no se encontr",
    "intente",
    "mantenimiento",
];

/// Whether a header of few columns and the text with at most one row below it read like a message:
/// `Too many requests, try again later`.
pub(super) fn is_prose(header: &[String], text: &str) -> bool {
    let words = |name: &str| name.split_whitespace().count();
    let text = text.trim().to_lowercase();
    let is_sentence = text.ends_with(['.', '!', '?']) || WORDS.iter().any(|word| text.contains(word));
    header.len() <= 6 && header.iter().any(|name| words(name) > 1) && (is_sentence || words(&text) > 12)
}

/// Says of a file on this machine what to do about something that is no table. No server has sent it, and
/// reading it again gives the same.
pub(super) fn of_file(error: Error) -> Error {
    match error.kind() {
        Kind::Impostor if error.message().starts_with("HTML") => {
            error.transient(false).hint("name a table; [`links`] takes the links on a page for the inputs")
        }
        Kind::Impostor if error.message().starts_with("one line") => {
            let is_header = if error.message().contains(',') { "; [`delimiter`] , reads it as a header" } else { "" };
            let hint = format!("a table has a header and rows: look at what the file says{is_header}");
            error.transient(false).hint(hint)
        }
        Kind::Impostor => error
            .transient(false)
            .hint("name a table; JSON and XML become one with a program such as jq, DuckDB or pandas"),
        _ => error,
    }
}

fn impostor(what: &str, text: &[u8]) -> Error {
    let text = String::from_utf8_lossy(&text[..text.len().min(SHOWN * 8)]);
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let first: String = printable(&words).chars().take(SHOWN).collect();
    let dots = if first.chars().count() == SHOWN { "…" } else { "" };
    Error::new(Kind::Impostor, format!("{what}: {first}{dots}"))
        .hint("servers answer so when something is wrong: read it, or try again later")
}

fn begins(text: &[u8], tag: &[u8]) -> bool {
    text.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag))
}

/// Whether the text is JSON values, the last one maybe cut off. A header of names in brackets is
/// not.
fn is_json(text: &[u8], whole: bool) -> bool {
    let text = match std::str::from_utf8(text) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&text[..error.valid_up_to()]).unwrap_or_default(),
    };
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    match values.next() {
        Some(Ok(_)) => {
            let rest = text[values.byte_offset()..].trim_start();
            rest.is_empty() || rest.starts_with(['{', '['])
        }
        // Cut off: by our buffer, or by the server after it had begun.
        Some(Err(error)) => error.is_eof() && (!whole || text.starts_with("{\"") || text.starts_with("[{")),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_told_from_tables() {
        for (text, what) in [
            ("{\"error\":{\"message\":\"quota exceeded\",\"code\":429}}\n", "JSON"),
            (" [\n{\"a\": 1},{\"a\": 2}]", "JSON"),
            ("{\"a\":1}\n{\"a\":2}\n", "JSON"),
            ("{}", "JSON"),
            ("[]", "JSON"),
            ("{\"cut", "JSON"),
            ("<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>", "XML"),
            ("<!DOCTYPE html><html>", "HTML"),
            ("<HTML><body>", "HTML"),
            ("<Error><Code>AccessDenied</Code>\n<Message>no, never</Message></Error>\n", "XML"),
            ("\n<rss version=\"2.0\">\n  <channel>\n", "XML"),
            ("<soap:Envelope xmlns=\"x\"><a/></soap:Envelope>", "XML"),
            ("<!-- a -->\n<!-- b, c -->\n<html>\n", "HTML"),
            ("<!-- cut", "XML"),
            ("<br />\n<b>Warning</b>: x in y, line 3\nid,name\n1,a\n", "HTML"),
            ("<p>Session expired</p>\n<p>Log in</p>\n", "HTML"),
            ("<div>no</div>", "HTML"),
        ] {
            let error = refuse_document(text.as_bytes(), true).unwrap_err();
            assert_eq!(error.kind(), Kind::Impostor);
            assert!(error.message().starts_with(what), "{text}: {error}");
        }
        for text in ["[id],[name]\n1,2\n", "[1],[2]\n", "{id},{name}\n", "<5,>5\n1,2\n", "a,b\n", "", "{", "[a"] {
            assert!(refuse_document(text.as_bytes(), true).is_ok(), "{text}");
        }
        for text in ["<b>id</b>,name\n1,a\n", "<a,b>c\n1,2\n", "<id>\n1\n2\n", "<a\n<b\n", "<", "<a", "<é>\n<é>\n"] {
            assert!(refuse_document(text.as_bytes(), true).is_ok(), "{text}");
        }
        assert_eq!(refuse_document(b" \n\n", true).unwrap_err().kind(), Kind::Empty);
        assert!(refuse_document(b" \n\n", false).is_ok());
    }

    #[test]
    fn prose_is_told_from_a_small_table() {
        let is = |text: &str| {
            let header: Vec<String> = text.lines().next().unwrap_or_default().split(',').map(str::to_owned).collect();
            is_prose(&header, text)
        };
        for text in [
            "Too many requests, try again later",
            "Error 503: the service is down, sorry\nrequest id, 17",
            "The file that you asked for is not here,\nplease look elsewhere.",
            "Intente más tarde, por favor",
        ] {
            assert!(is(text), "{text}");
        }
        for text in ["id,name\n1,a", "Total population,Area in km2\n5,7", "año,error\n2020,0.5", "a,b"] {
            assert!(!is(text), "{text}");
        }
    }

    #[test]
    fn a_message_is_told_from_the_name_of_a_column() {
        assert!(["Service temporarily unavailable", "Forbidden.", "404 page not found"].into_iter().all(is_message));
        assert!(!["id", "POBTOT", " año "].into_iter().any(is_message));
    }
}
