//! Parses curl's URL patterns into parts: text, `[01-32]`, `[a-z]`, `{a,b}`. Pure: text in, parts
//! out.

use std::borrow::Cow;

use raudal_common::error::{printable, redact};
use raudal_common::{Error, Result};

/// A piece of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PatternPart {
    /// Text that is the same in every result; escapes are resolved.
    Text(String),
    /// `{a,b}`: each alternative in turn.
    Choice(Vec<String>),
    /// `[1-9]`, `[01-32]`, `[0-100:10]`: numbers, padded with zeros to `width`.
    Numbers { from: u64, step: u64, count: u64, width: usize },
    /// `[a-z]`, `[a-z:2]`: letters of one case.
    Letters { from: u8, step: u8, count: u64 },
}

impl PatternPart {
    /// Returns the number of its values.
    pub(super) fn count(&self) -> u64 {
        match self {
            Self::Text(_) => 1,
            Self::Choice(words) => words.len() as u64,
            Self::Numbers { count, .. } | Self::Letters { count, .. } => *count,
        }
    }

    /// Returns value number `index`, counted from 0 and below `count`.
    pub(super) fn value(&self, index: u64) -> Cow<'_, str> {
        match self {
            Self::Text(text) => text.into(),
            Self::Choice(words) => words[index as usize].as_str().into(),
            Self::Numbers { from, step, width, .. } => format!("{:0width$}", from + index * step).into(),
            Self::Letters { from, step, .. } => char::from(from + index as u8 * step).to_string().into(),
        }
    }
}

/// Parses a pattern.
pub(super) fn parse(pattern: &str) -> Result<Vec<PatternPart>> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut at = 0;
    while let Some(c) = pattern[at..].chars().next() {
        match c {
            '\\' => {
                let (escaped, length) = unescape(&pattern[at..]);
                text.push(escaped);
                at += length;
            }
            '[' if is_ipv6(&pattern[..at], &pattern[at..]) => {
                let length = pattern[at..].find(']').map_or(1, |end| end + 1);
                text.push_str(&pattern[at..at + length]);
                at += length;
            }
            '[' | '{' => {
                if !text.is_empty() {
                    parts.push(PatternPart::Text(std::mem::take(&mut text)));
                }
                let (part, length) = if c == '[' { range(pattern, at)? } else { choice(pattern, at)? };
                parts.push(part);
                at += length;
            }
            ']' | '}' => return Err(wrong(pattern, at, format!("a set is closed but was not opened: {c}"))),
            other => {
                text.push(other);
                at += other.len_utf8();
            }
        }
    }
    if !text.is_empty() {
        parts.push(PatternPart::Text(text));
    }
    Ok(parts)
}

/// Returns the character after a backslash, and how many bytes both take. Only the four brackets,
/// and a comma inside a choice, can be escaped. Any other backslash stands for itself.
fn unescape(rest: &str) -> (char, usize) {
    match rest.as_bytes().get(1) {
        Some(&c @ (b'[' | b']' | b'{' | b'}')) => (char::from(c), 2),
        _ => ('\\', 1),
    }
}

/// Returns whether the bracket at the start of `rest` opens an IPv6 address. It must follow `://`,
/// with or without credentials, and contain only an address (and a zone).
fn is_ipv6(before: &str, rest: &str) -> bool {
    let Some((_, authority)) = before.split_once("://") else { return false };
    if authority.contains(['/', '?', '#']) || !(authority.is_empty() || authority.ends_with('@')) {
        return false;
    }
    let Some(end) = rest.find(']') else { return false };
    let address = rest[1..end].split('%').next().unwrap_or_default();
    address.parse::<std::net::Ipv6Addr>().is_ok()
}

/// Parses `{a,b}` at `at`. Returns its words and its length in bytes.
fn choice(pattern: &str, at: usize) -> Result<(PatternPart, usize)> {
    let mut words = vec![String::new()];
    let mut here = at + 1;
    while let Some(c) = pattern[here..].chars().next() {
        let word = words.last_mut().expect("there is always a word that is being read");
        match c {
            '}' => return Ok((PatternPart::Choice(words), here + 1 - at)),
            ',' => {
                words.push(String::new());
                here += 1;
            }
            '\\' if pattern[here + 1..].starts_with(',') => {
                word.push(',');
                here += 2;
            }
            '\\' => {
                let (escaped, length) = unescape(&pattern[here..]);
                word.push(escaped);
                here += length;
            }
            '[' | '{' | ']' => {
                return Err(wrong(pattern, here, format!("nested sets are not supported: {c}")));
            }
            other => {
                word.push(other);
                here += other.len_utf8();
            }
        }
    }
    Err(wrong(pattern, at, "a set that is not closed: {"))
}

/// Parses `[1-9]` or `[a-z]` at `at`, with or without a step. Returns it and its length in bytes.
fn range(pattern: &str, at: usize) -> Result<(PatternPart, usize)> {
    let length = pattern[at..].find(']').ok_or_else(|| wrong(pattern, at, "a set that is not closed: ["))? + 1;
    let set = &pattern[at..at + length];
    let inner = &set[1..length - 1];
    if inner.contains(['[', '{', '}']) {
        let nested = at + 1 + inner.find(['[', '{', '}']).unwrap_or_default();
        return Err(wrong(pattern, nested, format!("nested sets are not supported: {set}")));
    }
    let error = |what: &str| wrong(pattern, at, format!("{what}: {set}"));

    let (ends, step) = match inner.split_once(':') {
        Some((ends, step)) => (ends, step.parse().map_err(|_| error("a step that is not a whole number"))?),
        None => (inner, 1_u64),
    };
    let (from, to) = ends.split_once('-').ok_or_else(|| error("not a range of numbers or of letters"))?;
    if step == 0 {
        return Err(error("a range with a step of 0"));
    }
    let span = |from: u64, to: u64| {
        let span = to.checked_sub(from).ok_or_else(|| error("a range that runs backwards"))?;
        // As in curl: such a step is more likely a typo than a request for one value.
        if step > span.max(1) { Err(error("a step that is longer than its range")) } else { Ok(span / step) }
    };

    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if digits(from) && digits(to) {
        let number = |text: &str| text.parse::<u64>().map_err(|_| error("a number that is too large"));
        let width = if from.starts_with('0') { from.len() } else { 1 };
        let (from, to) = (number(from)?, number(to)?);
        let count = span(from, to)?.checked_add(1).ok_or_else(|| error("a number that is too large"))?;
        return Ok((PatternPart::Numbers { from, step, count, width }, length));
    }
    if let (&[from], &[to]) = (from.as_bytes(), to.as_bytes())
        && from.is_ascii_alphabetic()
        && to.is_ascii_alphabetic()
    {
        if from.is_ascii_lowercase() != to.is_ascii_lowercase() {
            return Err(error("a range from upper to lower case, or back"));
        }
        let count = span(from.into(), to.into())? + 1;
        return Ok((PatternPart::Letters { from, step: step as u8, count }, length));
    }
    Err(error("not a range of numbers or of letters"))
}

/// Returns a usage error that shows the place. The hint has the pattern with a caret below it.
pub(super) fn wrong(pattern: &str, at: usize, message: impl Into<String>) -> Error {
    let shown = printable(&redact(pattern));
    // Redaction shortens only the text before the place, so count from the end.
    let after = printable(&pattern[at..]).chars().count();
    let column = shown.chars().count().saturating_sub(after);
    Error::usage(message)
        .input(pattern)
        .hint(format!("to use a bracket as a character, write a backslash before it\n  {shown}\n  {:column$}^", ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> PatternPart {
        PatternPart::Text(text.into())
    }

    #[test]
    fn the_parts_of_a_pattern() {
        let parts = parse("http://h/{a,b,}_[01-32].zip").expect("a pattern");
        assert_eq!(parts[0], text("http://h/"));
        assert_eq!(parts[1], PatternPart::Choice(vec!["a".into(), "b".into(), String::new()]));
        assert_eq!(parts[3], PatternPart::Numbers { from: 1, step: 1, count: 32, width: 2 });
        assert_eq!(parts[4], text(".zip"));
        assert_eq!(parse("[a-z:5]").expect("letters"), [PatternPart::Letters { from: b'a', step: 5, count: 6 }]);
        assert_eq!(parse("[5-5]").expect("one"), [PatternPart::Numbers { from: 5, step: 1, count: 1, width: 1 }]);
        assert_eq!(
            parse("[0-100:10]").expect("tens"),
            [PatternPart::Numbers { from: 0, step: 10, count: 11, width: 1 }]
        );
    }

    #[test]
    fn a_backslash_makes_a_bracket_text() {
        assert_eq!(parse(r"a\[1-2\]\{x\}\b").expect("text"), [text(r"a[1-2]{x}\b")]);
        assert_eq!(parse(r"{a\,b,\}}").expect("words"), [PatternPart::Choice(vec!["a,b".into(), "}".into()])]);
    }

    #[test]
    fn an_ipv6_host_is_no_pattern() {
        assert_eq!(parse("http://[::1]:8000/x").expect("a host"), [text("http://[::1]:8000/x")]);
        let parts = parse("http://me:pw@[fe80::1%25eth0]/[1-2]").expect("a host and a range");
        assert_eq!(parts[0], text("http://me:pw@[fe80::1%25eth0]/"));
        assert_eq!(parts[1].count(), 2);
        // A range in the host: its digits alone do not distinguish it from an address.
        assert_eq!(parse("http://[1-9].example.org/").expect("a range")[1].count(), 9);
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        for (pattern, message, column) in [
            ("http://h/[1-", "a set that is not closed: [", 9),
            ("http://h/{a,b", "a set that is not closed: {", 9),
            ("h/a]", "a set is closed but was not opened: ]", 3),
            ("h/{a,[1-2]}", "nested sets are not supported: [", 5),
            ("h/[1-{2}]", "nested sets are not supported: [1-{2}]", 5),
            ("h/[9-1]", "a range that runs backwards: [9-1]", 2),
            ("h/[z-a]", "a range that runs backwards: [z-a]", 2),
            ("h/[a-Z]", "a range from upper to lower case, or back: [a-Z]", 2),
            ("h/[a-9]", "not a range of numbers or of letters: [a-9]", 2),
            ("h/[x]", "not a range of numbers or of letters: [x]", 2),
            ("h/[]", "not a range of numbers or of letters: []", 2),
            ("h/[1-2:0]", "a range with a step of 0: [1-2:0]", 2),
            ("h/[1-2:x]", "a step that is not a whole number: [1-2:x]", 2),
            ("h/[1-5:9]", "a step that is longer than its range: [1-5:9]", 2),
            ("h/[1-99999999999999999999]", "a number that is too large: [1-99999999999999999999]", 2),
            ("h/[0-18446744073709551615]", "a number that is too large: [0-18446744073709551615]", 2),
            ("é/[1-", "a set that is not closed: [", 2),
        ] {
            let error = parse(pattern).expect_err(pattern);
            assert_eq!(error.message(), message);
            let hint = error.hint_text().expect("a hint");
            assert_eq!(hint.lines().nth(1), Some(format!("  {pattern}").as_str()));
            assert_eq!(hint.lines().nth(2), Some(format!("  {}^", " ".repeat(column)).as_str()), "{pattern}");
        }
    }

    #[test]
    fn the_place_is_right_and_the_password_unseen() {
        let error = parse("http://me:secret@h/[1-").expect_err("never closes");
        let shown = format!("{error} {}", error.hint_text().unwrap_or_default());
        assert!(!shown.contains("secret"));
        assert!(shown.ends_with("\n  http://h/[1-\n           ^"), "{shown}");
    }
}
