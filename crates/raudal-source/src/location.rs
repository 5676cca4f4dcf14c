//! Where an input is.

use super::object::{self, Object};
use super::percent::decoded;
use raudal_common::error::redact;
use raudal_common::{Error, Result};
use std::fmt;
use std::path::{Path, PathBuf};
use url::Url;

/// Where an input is: on the web, in a local file, or on standard input.
///
/// Exhaustive on purpose: code that reads inputs must handle each kind of location.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Location {
    /// An `http` or `https` URL, or that of an [`Object`] in a cloud store.
    Url(Url),
    /// A local file.
    File(PathBuf),
    /// Standard input, which can be read once.
    Stdin,
}

impl Location {
    /// Parses a location literally, without expanding patterns.
    ///
    /// A text with `scheme://` is a URL, and its scheme must be `http`, `https` or `file`, or that of a
    /// cloud store: `s3`, `gs` or `az`. `-` is standard input. Anything else is a local path.
    ///
    /// ```
    /// use raudal_source::Location;
    ///
    /// let url = Location::parse("https://me:secret@example.org/a.zip")?;
    /// assert_eq!(url.to_string(), "https://example.org/a.zip");
    /// assert!(matches!(Location::parse("folder/a b.csv")?, Location::File(_)));
    /// assert!(Location::parse("ftp://example.org/a.zip").is_err());
    /// # Ok::<(), raudal_common::Error>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self> {
        check_text(text)?;
        if text == "-" {
            return Ok(Self::Stdin);
        }
        if !text.contains("://") {
            return Ok(Self::File(PathBuf::from(text)));
        }
        if object::is_object(text) {
            object::check_built(text)?;
            return Object::parse(text)?.url().map(Self::Url);
        }
        let url = Url::parse(text).map_err(|error| Error::usage("not a URL").input(text).because(error))?;
        match url.scheme() {
            // A browser reads `http:///a/b` as `http://a/b`. Here a missing host is not taken from
            // the path.
            "http" | "https" if text.split_once("://").is_some_and(|(_, rest)| rest.starts_with(['/', '\\'])) => {
                Err(Error::usage("not a URL: empty host").input(text))
            }
            "http" | "https" => Ok(Self::Url(url)),
            "file" => url.to_file_path().map(Self::File).map_err(|()| {
                Error::usage("not a file on this machine").input(text).hint("write file:///path, with three slashes")
            }),
            other => Err(Error::usage(format!("unsupported scheme: {other}"))
                .input(text)
                .hint("use http, https, file, s3, gs or az")),
        }
    }

    /// Returns a path as text that [`parse`](Self::parse) reads: itself, or a `file:` URL if it is not UTF-8 or is that of
    /// a file with a control character in its name. `None` if it is not a path of a file.
    ///
    /// ```
    /// use raudal_source::Location;
    /// use std::path::Path;
    ///
    /// assert_eq!(Location::text_of(Path::new("a b.csv")).as_deref(), Some("a b.csv"));
    /// ```
    pub fn text_of(path: &Path) -> Option<String> {
        let as_url = || Some(Url::from_file_path(std::path::absolute(path).ok()?).ok()?.into());
        let is_plain = |text: &&str| !(text.contains(char::is_control) && path.is_file());
        path.to_str().filter(is_plain).map(str::to_owned).or_else(as_url)
    }

    /// Returns the key for per-host limits: scheme, host and port; of an object, scheme and bucket. What
    /// is on this machine has none.
    ///
    /// ```
    /// use raudal_source::Location;
    ///
    /// let key = |text| Location::parse(text).map(|location| location.key());
    /// assert_eq!(key("https://example.org/a.zip")?, key("https://EXAMPLE.org:443/b.zip")?);
    /// assert_eq!(key("http://[::1]:8000/x")?.as_deref(), Some("http://[::1]:8000"));
    /// assert_eq!(key("a.zip")?, None);
    /// # Ok::<(), raudal_common::Error>(())
    /// ```
    pub fn key(&self) -> Option<String> {
        match self {
            Self::Url(url) => {
                let host = format!("{}://{}", url.scheme(), url.host_str().unwrap_or_default());
                Some(url.port_or_known_default().map_or(host.clone(), |port| format!("{host}:{port}")))
            }
            Self::File(_) | Self::Stdin => None,
        }
    }

    /// Returns the last segment of the path, percent-decoded; the host if a URL has no path.
    pub fn file_name(&self) -> String {
        match self {
            Self::Url(url) => url
                .path_segments()
                .and_then(|segments| segments.rev().find(|segment| !segment.is_empty()).map(decode))
                .unwrap_or_else(|| url.host_str().unwrap_or_default().to_owned()),
            Self::File(path) => match path.file_name() {
                Some(name) => name.to_string_lossy().into_owned(),
                None => path.display().to_string(),
            },
            Self::Stdin => "stdin".to_owned(),
        }
    }

    /// Returns the folders and the file of its path, percent-decoded, for a file in the same folders.
    ///
    /// As with `wget -x`, the last one has the query, and is `index.html` if the path ends with a
    /// slash.
    ///
    /// ```
    /// use raudal_source::Location;
    ///
    /// let path = |text| Location::parse(text).map(|location| location.path());
    /// assert_eq!(path("https://example.org/2023/San%20Luis.csv")?, ["2023", "San Luis.csv"]);
    /// assert_eq!(path("https://example.org/get?id=1")?, ["get?id=1"]);
    /// assert_eq!(path("https://example.org/a/")?, ["a", "index.html"]);
    /// # Ok::<(), raudal_common::Error>(())
    /// ```
    pub fn path(&self) -> Vec<String> {
        let url = match self {
            Self::File(path) => {
                let normal = |part| match part {
                    std::path::Component::Normal(part) => Some(part.to_string_lossy().into_owned()),
                    _ => None,
                };
                return path.components().filter_map(normal).collect();
            }
            Self::Stdin => return vec!["stdin".to_owned()],
            Self::Url(url) => url,
        };
        let mut parts: Vec<String> = url.path_segments().into_iter().flatten().map(decode).collect();
        let file = parts.pop().filter(|file| !file.is_empty()).unwrap_or_else(|| "index.html".to_owned());
        parts.retain(|part| !part.is_empty());
        parts.push(url.query().map_or_else(|| file.clone(), |query| format!("{file}?{query}")));
        parts
    }

    /// Returns whether it is reached over a network, so that a retry may get another response.
    pub const fn is_remote(&self) -> bool {
        matches!(self, Self::Url(_))
    }
}

/// Formats the URL or the path, without credentials.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => f.write_str(&redact(url.as_str())),
            Self::File(path) => path.display().fmt(f),
            Self::Stdin => f.write_str("standard input"),
        }
    }
}

/// Refuses a text that no location may contain. The URL parser would silently drop tabs and line
/// ends.
pub(super) fn check_text(text: &str) -> Result<()> {
    if text.is_empty() {
        return Err(Error::usage("an empty source").hint("give a URL or a path"));
    }
    if let Some(c) = text.chars().find(|c| c.is_control()) {
        return Err(Error::usage(format!("a control character in a source: {}", c.escape_default())).input(text));
    }
    // A space within a URL is encoded, as browsers do. A second URL after it is another input.
    if text.contains("://") && text.split_whitespace().skip(1).any(|rest| rest.contains("://")) {
        return Err(Error::usage("two URLs in one source").input(text).hint("give each URL as a source of its own"));
    }
    Ok(())
}

/// Percent-decodes a segment. Returns it as written if the result is unsuitable for a name.
fn decode(segment: &str) -> String {
    let name = decoded(segment);
    if name.contains(|c: char| c.is_control() || c == '/' || c == '\\') { segment.to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_path_that_is_not_utf_8_survives_as_text() {
        use std::ffi::OsStr;
        use std::os::unix::ffi::OsStrExt as _;
        let path = Path::new(OsStr::from_bytes(b"/a b/Poblaci\xf3n [1].csv"));
        let text = Location::text_of(path).expect("a URL");
        assert!(text.starts_with("file:///a%20b/Poblaci%F3n"), "{text}");
        assert_eq!(Location::parse(&text).expect("a file"), Location::File(path.to_owned()));
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a\nb.csv");
        assert!(Location::parse(&Location::text_of(&path).expect("text")).is_err(), "no such file");
        std::fs::write(&path, "a\n").expect("written");
        let text = Location::text_of(&path).expect("a URL");
        assert_eq!(Location::parse(&text).expect("a file"), Location::File(path));
    }

    fn name(text: &str) -> String {
        Location::parse(text).expect(text).file_name()
    }

    #[test]
    fn a_name_is_the_last_segment_decoded() {
        assert_eq!(name("http://h/a/b.zip?x=/c.zip#d"), "b.zip");
        assert_eq!(name("http://h/a/b/"), "b");
        assert_eq!(name("http://h"), "h");
        assert_eq!(name("http://h/Michoac%C3%A1n.zip"), "Michoacán.zip");
        assert_eq!(name("http://h/100%.zip"), "100%.zip");
        assert_eq!(name("some/folder/a b.csv"), "a b.csv");
        assert_eq!(name("file:///tmp/a%20b.csv"), "a b.csv");
    }

    #[test]
    fn a_name_never_decodes_to_a_path_or_to_control_characters() {
        assert_eq!(name("http://h/..%2F..%2Fetc%2Fpasswd"), "..%2F..%2Fetc%2Fpasswd");
        assert_eq!(name("http://h/a%0Ab%1B%5B2J"), "a%0Ab%1B%5B2J");
        assert_eq!(name("http://h/%FF%FE.zip"), "%FF%FE.zip");
    }

    #[test]
    fn a_space_in_a_url_is_encoded() {
        let location = Location::parse("http://h/any/a b.csv?x=1 2").expect("a URL");
        assert_eq!(location.to_string(), "http://h/any/a%20b.csv?x=1%202");
        assert_eq!(location.file_name(), "a b.csv");
    }

    #[test]
    fn what_cannot_be_fetched_is_a_usage_error_with_a_cure() {
        for (text, message) in [
            ("", "an empty source"),
            ("ftp://h/a", "ftp://h/a: unsupported scheme: ftp"),
            ("http://h/a http://h/b", "http://h/a http://h/b: two URLs in one source"),
            ("http://h/a\nb", "http://h/a\\nb: a control character in a source: \\n"),
            ("http://", "http://: not a URL: empty host"),
            ("http://me:secret@h:x/", "http://h:x/: not a URL: invalid port number"),
            ("file://elsewhere/a", "file://elsewhere/a: not a file on this machine"),
        ] {
            let error = Location::parse(text).expect_err(text);
            assert_eq!(error.kind(), raudal_common::Kind::Usage);
            assert_eq!(error.report(), message);
        }
    }
}
