//! The name that a server gives a file: `Content-Disposition` (RFC 6266; RFC 8187 for other than ASCII). Pure.

/// The file name of a `Content-Disposition`, as the server means it. `filename*` counts for more than `filename`.
///
/// What comes out is a text from outside, no more: it may be a path, or hold anything at all. Without a name, or with
/// one that is malformed, it is `None`.
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
    // What stands before the first semicolon says what to do with the file: save it, show it. Here it is saved.
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
        // Of two that have the same name neither can be believed more: the first counts.
        match name.trim_end().to_ascii_lowercase().as_str() {
            "filename" if plain.is_none() => plain = Some(value),
            "filename*" if extended.is_none() => extended = decode(&value),
            _ => {}
        }
    }
    extended.or(plain).filter(|name| !name.is_empty())
}

/// A token or a quoted string, and what comes after it. `None` where the quotes do not end.
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

/// `UTF-8'es'a%20b`: a charset, a language that does not matter, and bytes (RFC 8187, section 3.2).
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
        // Each byte is the character of this number.
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
            // An extended value that cannot be read leaves the plain one.
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
