//! Digests that a server sends with its bytes (RFC 9530). `Repr-Digest` covers the whole file, even
//! when only a part is sent; `Content-Digest` covers the bytes that are sent. Takes headers and
//! bytes, returns a verdict.
//!
//! A malformed field is ignored, as RFC 9651, section 4.2, requires. An unknown or broken algorithm
//! is ignored too: a client may ignore any digest. A digest that can be read must match.

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, PAD};
use reqwest::header::{HeaderMap, HeaderName};
use sha2::{Digest, Sha256, Sha512};

use raudal_common::{Error, Kind, Result};

const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");
const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");

/// The headers that hold digests.
pub(crate) const FIELDS: [HeaderName; 2] = [REPR_DIGEST, CONTENT_DIGEST];

/// Missing padding is accepted (RFC 9651, section 4.2.7).
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&base64::alphabet::STANDARD, PAD.with_decode_padding_mode(DecodePaddingMode::Indifferent));

#[derive(Clone, Debug)]
enum Hasher {
    Sha256(Sha256),
    Sha512(Box<Sha512>),
}

/// Hashes bytes as they arrive, and holds the expected hash.
#[derive(Clone, Debug)]
struct DigestCheck {
    field: &'static str,
    promised: Vec<u8>,
    hasher: Hasher,
}

/// The digests that a server sent for some bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Digests(Vec<DigestCheck>);

impl Digests {
    /// Reads the digests of a 200. Its body is the whole file, so both fields cover the same bytes.
    pub(crate) fn of_whole(headers: &HeaderMap) -> Self {
        let repr = promised(headers, &REPR_DIGEST, "Repr-Digest");
        Self(repr.into_iter().chain(promised(headers, &CONTENT_DIGEST, "Content-Digest")).collect())
    }

    /// Reads the digests of the part in a 206.
    pub(crate) fn of_part(headers: &HeaderMap) -> Self {
        Self(promised(headers, &CONTENT_DIGEST, "Content-Digest").into_iter().collect())
    }

    /// Whether the `Repr-Digest` of a part differs from the one of this file.
    pub(crate) fn contradict(&self, part: &HeaderMap) -> bool {
        promised(part, &REPR_DIGEST, "Repr-Digest").is_some_and(|other| {
            let is_other =
                |own: &DigestCheck| own.promised.len() == other.promised.len() && own.promised != other.promised;
            self.0.iter().any(is_other)
        })
    }

    /// Whether there is no digest that can be checked.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        for check in &mut self.0 {
            match &mut check.hasher {
                Hasher::Sha256(hasher) => hasher.update(bytes),
                Hasher::Sha512(hasher) => hasher.update(bytes),
            }
        }
    }

    /// Compares the hashes of all bytes with the digests.
    pub(crate) fn verify(self) -> Result<()> {
        for DigestCheck { field, promised, hasher } in self.0 {
            let (name, found) = match hasher {
                Hasher::Sha256(hasher) => ("sha-256", hasher.finalize().to_vec()),
                Hasher::Sha512(hasher) => ("sha-512", hasher.finalize().to_vec()),
            };
            if found != promised {
                let message = format!("the bytes do not match the digest from the server: {field} {name}");
                // The network may have damaged them. Either way the bytes cannot be used.
                return Err(Error::new(Kind::Checksum, message)
                    .transient(true)
                    .hint("they were damaged in transit, or the digest is of an older version of the file"));
            }
        }
        Ok(())
    }
}

/// Returns the strongest digest of a field that can be checked.
fn promised(headers: &HeaderMap, name: &HeaderName, field: &'static str) -> Option<DigestCheck> {
    let lines: Option<Vec<&str>> = headers.get_all(name).iter().map(|value| value.to_str().ok()).collect();
    let members = DictionaryParser(lines.filter(|lines| !lines.is_empty())?.join(", ").as_bytes()).dictionary()?;
    // The last member of a name counts. One of the wrong length is not a digest.
    let find = |name: &str, length: usize| {
        let value = members.iter().rfind(|(key, _)| key == name)?.1.clone()?;
        (value.len() == length).then_some(value)
    };
    let sha512 = find("sha-512", 64).map(|promised| (promised, Hasher::Sha512(Box::default())));
    let sha256 = || find("sha-256", 32).map(|promised| (promised, Hasher::Sha256(Sha256::new())));
    let (promised, hasher) = sha512.or_else(sha256)?;
    Some(DigestCheck { field, promised, hasher })
}

/// A name, and its value if it is a byte sequence.
type DictionaryMember = (String, Option<Vec<u8>>);

/// Parses a dictionary of structured fields (RFC 9651, section 4.2.2), only as far as digests need.
struct DictionaryParser<'a>(&'a [u8]);

impl DictionaryParser<'_> {
    /// `None` if the text is not a dictionary: then the whole field is ignored.
    fn dictionary(mut self) -> Option<Vec<DictionaryMember>> {
        let mut members = Vec::new();
        self.0 = self.0.trim_ascii();
        while !self.0.is_empty() {
            let key = self.key()?;
            let value = if self.eat(b'=') { self.value()? } else { None };
            self.parameters()?;
            members.push((key, value));
            self.0 = self.0.trim_ascii_start();
            if self.0.is_empty() {
                break;
            }
            if !self.eat(b',') {
                return None;
            }
            self.0 = self.0.trim_ascii_start();
            if self.0.is_empty() {
                return None;
            }
        }
        Some(members)
    }

    fn eat(&mut self, byte: u8) -> bool {
        let rest = self.0.strip_prefix(&[byte]);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// Takes bytes while they satisfy `is`.
    fn take(&mut self, is: impl Fn(u8) -> bool) -> &[u8] {
        let end = self.0.iter().position(|b| !is(*b)).unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at(end);
        self.0 = rest;
        taken
    }

    fn key(&mut self) -> Option<String> {
        self.0.first().filter(|b| b.is_ascii_lowercase() || **b == b'*')?;
        let key = self.take(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-.*".contains(&b));
        Some(String::from_utf8_lossy(key).into_owned())
    }

    /// Parses an item or an inner list. `Some(None)` if it is not a byte sequence.
    #[expect(clippy::option_option, reason = "a fault, a value of no use, and bytes are three things")]
    fn value(&mut self) -> Option<Option<Vec<u8>>> {
        if !self.eat(b'(') {
            return self.item();
        }
        loop {
            self.take(|b| b == b' ');
            if self.eat(b')') {
                return Some(None);
            }
            self.item()?;
            self.parameters()?;
        }
    }

    #[expect(clippy::option_option, reason = "a fault, a value of no use, and bytes are three things")]
    fn item(&mut self) -> Option<Option<Vec<u8>>> {
        if self.eat(b':') {
            let bytes = BASE64.decode(self.take(|b| b != b':')).ok()?;
            return self.eat(b':').then_some(Some(bytes));
        }
        if self.eat(b'"') {
            loop {
                self.take(|b| b != b'"' && b != b'\\');
                if self.eat(b'"') {
                    return Some(None);
                }
                // Skip the backslash and the escaped character; fail at the end of the text.
                self.0 = self.0.get(2..)?;
            }
        }
        // Numbers, tokens, booleans and dates are skipped.
        (!self.take(|b| b.is_ascii_graphic() && !b",;()\"=".contains(&b)).is_empty()).then_some(None)
    }

    fn parameters(&mut self) -> Option<()> {
        while self.eat(b';') {
            self.take(|b| b == b' ');
            self.key()?;
            if self.eat(b'=') {
                self.item()?;
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The digest of the text `hello`.
    const SHA256: &str = "sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:";
    const SHA512: &str =
        "sha-512=:m3HSJL1i83hdltRq0+o9czGb+8KJDKra4t/3JRlnPKcjI8PZm6XBHXx6zG4UuMXaDEZjR1wuXDre9G9zvN7AQw==:";
    const OTHER: &str = "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:";

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in lines {
            map.append(*name, value.parse().expect("a value"));
        }
        map
    }

    /// How many digests there were, and whether the text agrees.
    fn checked(lines: &[(&'static str, &str)], text: &str) -> (usize, bool) {
        let mut digests = Digests::of_whole(&headers(lines));
        // In pieces, as a network brings them.
        for byte in text.bytes() {
            digests.update(&[byte]);
        }
        (digests.0.len(), digests.verify().is_ok())
    }

    #[test]
    fn a_digest_that_can_be_read_must_be_right() {
        for value in [SHA256, SHA512, &format!("{SHA256}, {SHA512}"), &format!("md5=:AAAA:,\t{SHA256};a=\"x\\\"\"")] {
            for field in ["repr-digest", "content-digest"] {
                assert_eq!(checked(&[(field, value)], "hello"), (1, true), "{value}");
                assert_eq!(checked(&[(field, value)], "hellO"), (1, false), "{value}");
            }
        }
        assert_eq!(checked(&[("repr-digest", SHA256), ("content-digest", SHA512)], "hello"), (2, true));
        assert_eq!(checked(&[("repr-digest", SHA256), ("content-digest", OTHER)], "hello"), (2, false));
        // Two lines are one field, and the last of one name counts.
        assert_eq!(checked(&[("repr-digest", OTHER), ("repr-digest", SHA256)], "hello"), (1, true));
        let no_padding = SHA256.replace('=', "").replace("sha-256", "sha-256=");
        assert_eq!(checked(&[("repr-digest", &no_padding)], "hello"), (1, true));
    }

    #[test]
    fn a_digest_that_cannot_be_read_is_none() {
        for value in [
            "",
            "hello",
            "sha-256",
            "sha-256=1",
            "sha-256=\"text\"",
            "sha-256=(:AAAA: 1);q=2",
            "sha-256=:AAAA:",
            "md5=:AAAA:",
            "SHA-256=:AAAA:",
            &format!("{SHA256},"),
            &format!("{SHA256} {SHA512}"),
            &format!("{SHA256}, x=\"open"),
            &format!("{SHA256}, x=:open"),
            &format!("{SHA256}, x=:!:"),
            &format!("{SHA256}, x=(1"),
            &format!("{SHA256}, x="),
            &format!("{SHA256};"),
            &SHA256[..20],
        ] {
            assert_eq!(checked(&[("repr-digest", value)], "anything"), (0, true), "{value}");
        }
    }

    #[test]
    fn a_part_is_held_to_its_own_digest_and_to_that_of_the_whole() {
        let part = headers(&[("content-digest", SHA256), ("repr-digest", OTHER)]);
        let mut digests = Digests::of_part(&part);
        digests.update(b"hello");
        assert!(digests.verify().is_ok());
        for (first, contradicts) in [(SHA256, true), (OTHER, false), (SHA512, false), ("", false)] {
            let whole = Digests::of_whole(&headers(&[("repr-digest", first)]));
            assert_eq!(whole.contradict(&part), contradicts, "{first}");
        }
    }
}
