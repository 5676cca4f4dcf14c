//! Reads the file name that a server sends: `Content-Disposition` (RFC 6266; RFC 8187 for non-ASCII
//! names). Pure.

/// Returns the file name of a `Content-Disposition` header. `filename*` takes precedence over
/// `filename`.
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
/// assert_eq!(file_name("inline"), None);
/// ```
pub fn file_name(header: &str) -> Option<String> {
    let (mut plain, mut extended) = (None, None);
    // The word before the first semicolon says whether to save or to show the file. This program
    // always saves it.
    let mut rest = &header[header.find(';')?..];
    while let Some(parameter) = rest.trim_start().strip_prefix(';') {
        let parameter = parameter.trim_start();
        let Some((name, value)) = parameter.split_once('=').filter(|(name, _)| !name.contains(';')) else {
            // A parameter without a value: skip to the next.
            rest = parameter.find(';').map_or("", |at| &parameter[at..]);
            continue;
        };
        let (value, after) = value_of(value.trim_start())?;
        rest = after;
        // If a name occurs twice, the first one counts.
        match name.trim_end().to_ascii_lowercase().as_str() {
            "filename" if plain.is_none() => plain = Some(value),
            "filename*" if extended.is_none() => extended = decode(&value),
            _ => {}
        }
    }
    extended.or(plain).filter(|name| !name.is_empty())
}

/// Splits a token or a quoted string from the rest of the text. `None` if the closing quote is
/// missing.
fn value_of(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(';').unwrap_or(text.len());
        return Some((text[..end].trim_end().to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => {
                let after = &quoted[at + 1..];
                return Some((value, &after[after.find(';').unwrap_or(after.len())..]));
            }
            '\\' => value.push(chars.next()?.1),
            c => value.push(c),
        }
    }
    None
}

/// Decodes `UTF-8'es'a%20b`: a charset, a language (ignored) and percent-encoded bytes (RFC 8187,
/// section 3.2).
fn decode(value: &str) -> Option<String> {
    let (charset, rest) = value.split_once('\'')?;
    let (_, text) = rest.split_once('\'')?;
    let mut bytes = Vec::with_capacity(text.len());
    let mut left = text.bytes();
    while let Some(byte) = left.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let (high, low) = (digit(left.next())?, digit(left.next())?);
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    match charset.to_ascii_lowercase().as_str() {
        "utf-8" | "us-ascii" => String::from_utf8(bytes).ok(),
        // Each byte is the code point of a character.
        "iso-8859-1" => Some(bytes.into_iter().map(char::from).collect()),
        _ => None,
    }
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
            ("attachment; filename*=utf-16''%00a; filename=a", Some("a")),
            ("attachment; filename*=UTF-8''%4; filename=a", Some("a")),
            ("attachment; filename*=a; filename=a", Some("a")),
            ("attachment; filename=\"open", None),
            ("attachment; filename=\"a\\", None),
            ("attachment; filename=", None),
            ("attachment", None),
            ("filename=a", None),
            ("", None),
            (";", None),
        ] {
            assert_eq!(file_name(header).as_deref(), name, "{header}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_a_server_sends_makes_it_panic(header in "\\PC{0,40}", tail in "[;=\"\\\\%'*a-f0-9 ]{0,40}") {
            let _ = file_name(&header);
            let _ = file_name(&format!("attachment; filename{tail}"));
            let _ = file_name(&format!("attachment; filename*=UTF-8''{tail}"));
        }
    }
}
