//! Reads the file name that a server sends: `Content-Disposition` (RFC 6266; RFC 8187 for non-ASCII
//! names), and what servers send in its place. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use encoding_rs::{Encoding, WINDOWS_1252};

/// Returns the text of the header. Bytes that are not UTF-8 are read as Latin-1, as browsers do.
pub(crate) fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
    }
}

/// Returns the file name of a `Content-Disposition` header. `filename*` takes precedence over
/// `filename`.
///
/// Also reads what only some servers send, as browsers do: a header without a disposition type, words
/// of RFC 2047 (`=?UTF-8?B?…?=`), percent-encoded UTF-8 in `filename`, and Windows paths whose
/// backslashes are not escaped.
///
/// The name is untrusted text: it may be a path, or hold anything at all. Returns `None` if there
/// is no name or if the header is malformed.
///
/// ```
/// use raudal_fetch::file_name;
///
/// assert_eq!(file_name("attachment; filename=\"a b.zip\"").as_deref(), Some("a b.zip"));
/// assert_eq!(
///     file_name("attachment; filename=\"poblacion.csv\"; filename*=UTF-8''poblaci%C3%B3n.csv").as_deref(),
///     Some("población.csv")
/// );
/// assert_eq!(file_name("filename==?UTF-8?Q?poblaci=C3=B3n.csv?=").as_deref(), Some("población.csv"));
/// assert_eq!(file_name("inline"), None);
/// ```
pub fn file_name(header: &str) -> Option<String> {
    let (mut plain, mut extended, mut malformed) = (None, None, None);
    // The word before the first semicolon says whether to save or to show the file. This program
    // always saves it. Without that word, the first parameter is in its place.
    let untyped = format!(";{header}");
    let word = header.split(';').next().unwrap_or_default();
    let mut rest = if word.contains('=') { untyped.as_str() } else { &header[word.len()..] };
    while let Some(parameter) = rest.trim_start().strip_prefix(';') {
        let parameter = parameter.trim_start();
        let Some((name, value)) = parameter.split_once('=').filter(|(name, _)| !name.contains(';')) else {
            // A parameter without a value: skip to the next.
            rest = parameter.find(';').map_or("", |at| &parameter[at..]);
            continue;
        };
        let (value, after) = value_of(value.trim_start());
        rest = after;
        // If a name occurs twice, the first one counts.
        match name.trim_end().to_ascii_lowercase().as_str() {
            "filename" if plain.is_none() => plain = Some(decode_plain(value)),
            "filename*" if extended.is_none() => {
                extended = decode(&value);
                malformed.get_or_insert_with(|| decode_malformed(&value));
            }
            _ => {}
        }
    }
    extended.or(plain).or(malformed).filter(|name| !name.is_empty())
}

/// Splits the text before the next semicolon from the rest.
fn split_token(text: &str) -> (&str, &str) {
    text.split_at(text.find(';').unwrap_or(text.len()))
}

/// Splits a token or a quoted string from the rest of the text. A quote that is not closed is left
/// out, as browsers do.
fn value_of(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, after) = split_token(text);
        return (value.trim_end().to_owned(), after);
    };
    let is_path = is_windows_path(quoted);
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => {
                let after = &quoted[at + 1..];
                return (value, split_token(after).1);
            }
            '\\' if !is_path => value.extend(chars.next().map(|(_, c)| c)),
            c => value.push(c),
        }
    }
    let (value, after) = split_token(quoted);
    (value.trim_end_matches('\\').to_owned(), after)
}

/// Whether a text begins like `C:\Users`, with a backslash that escapes nothing.
fn is_windows_path(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|drive| drive.is_ascii_alphabetic())
        && chars.next() == Some(':')
        && chars.next() == Some('\\')
        && chars.next().is_some_and(|next| next != '\\')
}

/// Decodes `UTF-8'es'a%20b`: a charset, a language (ignored) and percent-encoded bytes (RFC 8187,
/// section 3.2).
fn decode(value: &str) -> Option<String> {
    let (charset, rest) = value.split_once('\'')?;
    let (_, text) = rest.split_once('\'')?;
    in_charset(charset, &unescape(text.as_bytes(), b'%')?)
}

/// Decodes a value whose bytes are not what it says of them. It is better than no name.
fn decode_malformed(value: &str) -> String {
    let name = value.rsplit('\'').next().unwrap_or_default();
    unescape(name.as_bytes(), b'%').map_or_else(|| name.to_owned(), |bytes| text(&bytes))
}

/// Decodes what a plain name must not have, but has with some servers. Returns a name that has
/// nothing of it as it is.
fn decode_plain(name: String) -> String {
    if let Some(decoded) = decode_words(&name) {
        return decoded;
    }
    // `100%25.csv` may be meant as it stands, but nobody means `%C3%B3`.
    let utf8 = unescape(name.as_bytes(), b'%').and_then(|bytes| String::from_utf8(bytes).ok());
    utf8.filter(|decoded| name.is_ascii() && !decoded.is_ascii()).unwrap_or(name)
}

/// Decodes the encoded words of a text (RFC 2047): `=?UTF-8?B?…?=`. `None` if it has none, or one
/// that is malformed.
fn decode_words(text: &str) -> Option<String> {
    let (mut decoded, mut rest, mut found) = (String::new(), text, false);
    while let Some((before, after)) = rest.split_once("=?") {
        let mut parts = after.splitn(3, '?');
        let (charset, encoding, after) = (parts.next()?, parts.next()?, parts.next()?);
        let (word, after) = after.split_once("?=")?;
        // A blank between two words is not part of the text (section 6.2).
        if !(found && before.trim().is_empty()) {
            decoded.push_str(before);
        }
        let bytes = match encoding {
            "B" | "b" => STANDARD.decode(word).ok()?,
            "Q" | "q" => unescape(word.replace('_', " ").as_bytes(), b'=')?,
            _ => return None,
        };
        // A language may follow the charset (RFC 2231, section 5).
        decoded.push_str(&in_charset(charset.split('*').next().unwrap_or_default(), &bytes)?);
        (rest, found) = (after, true);
    }
    decoded.push_str(rest);
    found.then_some(decoded)
}

/// Replaces an escape character and two hexadecimal digits by a byte. `None` if they are not digits.
fn unescape(text: &[u8], escape: u8) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut left = text.iter().copied();
    while let Some(byte) = left.next() {
        if byte != escape {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let (high, low) = (digit(left.next())?, digit(left.next())?);
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    Some(bytes)
}

/// Decodes bytes in a charset; `None` if it is unknown, or the bytes are invalid in it.
fn in_charset(charset: &str, bytes: &[u8]) -> Option<String> {
    let encoding = Encoding::for_label_no_replacement(charset.trim().as_bytes())?;
    encoding.decode_without_bom_handling_and_without_replacement(bytes).map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_name_is_read_as_the_specifications_have_it() {
        for (header, name) in [
            ("attachment; filename=example.html", Some("example.html")),
            ("INLINE; FILENAME= \"an example.html\"", Some("an example.html")),
            ("attachment; filename*= UTF-8''%e2%82%ac%20rates", Some("€ rates")),
            ("attachment; filename=\"EURO rates\"; filename*=utf-8''%e2%82%ac%20rates", Some("€ rates")),
            ("attachment; filename*=iso-8859-1'en'%A3%20rates; filename=x", Some("£ rates")),
            ("attachment; filename=\"a\\\"b\\\\c;d\"; size=3", Some("a\"b\\c;d")),
            ("attachment; x; filename=a", Some("a")),
            ("attachment;filename=a;filename=b", Some("a")),
            ("attachment; filename=a b.zip ; x=y", Some("a b.zip")),
            // If the extended value is malformed, the plain one counts.
            ("attachment; filename*=UTF-8''%ff; filename=a", Some("a")),
            ("attachment; filename*=no-such''%00a; filename=a", Some("a")),
            ("attachment; filename*=UTF-8''%4; filename=a", Some("a")),
            ("attachment; filename*=a; filename=a", Some("a")),
            // Bytes of another charset, or none that is encoded, are better than no name.
            ("attachment; filename*=UTF-8''Poblaci%F3n.csv", Some("Población.csv")),
            ("attachment; filename*=UTF-8''100%.csv", Some("100%.csv")),
            ("attachment; filename*=a.csv", Some("a.csv")),
            ("attachment; filename=\"open", Some("open")),
            ("attachment; filename=\"a b.csv; size=3", Some("a b.csv")),
            ("attachment; filename=\"a\\", Some("a")),
            ("attachment; filename=\"", None),
            ("attachment; filename=", None),
            ("attachment", None),
            ("filename=a", Some("a")),
            ("filename=\"a;b.csv\"; size=3", Some("a;b.csv")),
            ("size=3; filename=a", Some("a")),
            ("=", None),
            // RFC 2047, as mail has it.
            ("attachment; filename=\"=?UTF-8?B?UG9ibGFjacOzbi5jc3Y=?=\"", Some("Población.csv")),
            ("attachment; filename==?iso-8859-1?q?Poblaci=F3n_2020.csv?=", Some("Población 2020.csv")),
            ("attachment; filename=\"=?utf-8?Q?a=C3=B1?= =?utf-8*es?Q?o.csv?=\"", Some("año.csv")),
            ("attachment; filename=\"x =?shift_jis?B?k/qWew==?= y.csv\"", Some("x 日本 y.csv")),
            ("attachment; filename=\"=?UTF-8?B?!?=.csv\"", Some("=?UTF-8?B?!?=.csv")),
            ("attachment; filename=\"=?UTF-8?X?a?=\"", Some("=?UTF-8?X?a?=")),
            ("attachment; filename=\"a=?b.csv\"", Some("a=?b.csv")),
            // Percent-encoding in a plain name.
            ("attachment; filename=\"Poblaci%C3%B3n.csv\"", Some("Población.csv")),
            ("attachment; filename=\"100%25.csv\"", Some("100%25.csv")),
            ("attachment; filename=\"100%.csv\"", Some("100%.csv")),
            ("attachment; filename*=windows-1252''%80%20rates", Some("€ rates")),
            // A path of Windows, escaped and not.
            ("attachment; filename=\"C:\\\\a\\\\b.csv\"", Some("C:\\a\\b.csv")),
            ("attachment; filename=\"C:\\a\\b.csv\"", Some("C:\\a\\b.csv")),
            ("", None),
            (";", None),
        ] {
            assert_eq!(file_name(header).as_deref(), name, "{header}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_latin_1() {
        assert_eq!(text(b"filename=Poblaci\xf3n \xd1.csv"), "filename=Población Ñ.csv");
        assert_eq!(text("filename=Población Ñ.csv".as_bytes()), "filename=Población Ñ.csv");
        assert_eq!(text(b"filename=\x80.csv"), "filename=€.csv");
    }

    proptest! {
        #[test]
        fn nothing_that_a_server_sends_makes_it_panic(header in "\\PC{0,40}", tail in "[;=\"\\\\%'*a-f0-9 ]{0,40}") {
            let _ = file_name(&header);
            let _ = file_name(&format!("attachment; filename{tail}"));
            let _ = file_name(&format!("attachment; filename*=UTF-8''{tail}"));
            let _ = file_name(&format!("filename==?{tail}?="));
            let _ = file_name(&format!("filename==?UTF-8?q?{tail}?=={header}"));
        }
    }
}
