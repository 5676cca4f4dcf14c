//! Reads `Content-Encoding` (RFC 9110, section 8.4): which codings must be undone to get the file. Pure.
//!
//! No coding is requested, but objects that are stored compressed (on S3, on Google's storage) are sent compressed in
//! any case. One coding is special: servers send a file that *is* compressed, such as `data.csv.gz`, with
//! `Content-Encoding: gzip`. Its bytes are the file, and stay as they are.

use reqwest::header::{self, HeaderMap};
use serde::{Deserialize, Serialize};

use crate::http::disposition::file_name;
use raudal_common::error::printable;
use raudal_common::{Error, Kind, Result};

/// More codings than this on one body are a bomb, not a file.
const MOST: usize = 4;

/// A coding that was applied to a file for its transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Coding {
    Gzip,
    /// Zlib by the specification; some servers send raw deflate.
    Deflate,
    Brotli,
    Zstd,
}

impl Coding {
    /// The name in `Content-Encoding`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
            Self::Zstd => "zstd",
        }
    }

    /// Whether a file with this ending, or of this media type, is itself in this format.
    fn is_format_of(self, extension: &str, media_type: &str) -> bool {
        let (extensions, types): (&[&str], &[&str]) = match self {
            Self::Gzip => (&["gz", "tgz", "svgz"], &["application/gzip", "application/x-gzip"]),
            Self::Deflate => (&["zz"], &[]),
            Self::Brotli => (&["br"], &[]),
            Self::Zstd => (&["zst", "tzst"], &["application/zstd", "application/x-zstd"]),
        };
        extensions.iter().any(|own| own.eq_ignore_ascii_case(extension))
            || types.iter().any(|own| own.eq_ignore_ascii_case(media_type))
    }
}

/// Returns the codings to undo, the outermost first. `path` is the path of the URL that answered.
///
/// # Errors
///
/// Returns an error for a coding that is not known, because its bytes are not the file.
pub(crate) fn codings(headers: &HeaderMap, path: &str) -> Result<Vec<Coding>> {
    let mut codings = Vec::new();
    for value in headers.get_all(header::CONTENT_ENCODING) {
        let text = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
        for word in text.split(',').map(str::trim) {
            match word {
                "gzip" | "x-gzip" => codings.push(Coding::Gzip),
                "deflate" => codings.push(Coding::Deflate),
                "br" => codings.push(Coding::Brotli),
                "zstd" => codings.push(Coding::Zstd),
                word if changes_nothing(word) => {}
                word => return Err(unknown(word)),
            }
        }
    }
    if codings.len() > MOST {
        return Err(Error::new(Kind::Bounds, format!("the body has more content encodings than {MOST}")));
    }
    // The file's own format was there before any coding, so it is the first one.
    if codings.first().is_some_and(|first| is_own_format(*first, headers, path)) {
        codings.remove(0);
    }
    codings.reverse();
    Ok(codings)
}

/// Whether a word in `Content-Encoding` names no coding. People put the charset there, and programs that upload to S3
/// leave the framing of their upload there (`aws-chunked`).
fn changes_nothing(word: &str) -> bool {
    matches!(word, "" | "identity" | "none" | "null" | "binary" | "7bit" | "8bit" | "aws-chunked")
        || ["utf-8", "utf8", "us-ascii", "ascii", "iso-8859-", "windows-125"]
            .iter()
            .any(|label| word.starts_with(label))
}

/// Whether the file that this response holds is itself in the format of the coding.
fn is_own_format(coding: Coding, headers: &HeaderMap, path: &str) -> bool {
    let text = |name| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let media_type = text(header::CONTENT_TYPE).unwrap_or_default();
    let media_type = media_type.split(';').next().unwrap_or_default().trim();
    let named = text(header::CONTENT_DISPOSITION).and_then(|value| file_name(&value));
    [Some(path), named.as_deref()].into_iter().flatten().any(|name| {
        let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
        coding.is_format_of(extension, media_type)
    })
}

fn unknown(word: &str) -> Error {
    Error::new(Kind::Unsupported, format!("the body has a content encoding that is not known: {}", printable(word)))
        .hint("the server or proxy must send the file without it: gzip, deflate, br and zstd are known")
}

#[cfg(test)]
mod tests {
    use super::Coding::{Brotli, Deflate, Gzip, Zstd};
    use super::*;

    fn of(encodings: &[&'static str], path: &str, more: &[(header::HeaderName, &'static str)]) -> Result<Vec<Coding>> {
        let mut headers = HeaderMap::new();
        for encoding in encodings {
            headers.append(header::CONTENT_ENCODING, header::HeaderValue::from_static(encoding));
        }
        for (name, value) in more {
            headers.append(name, header::HeaderValue::from_static(value));
        }
        codings(&headers, path)
    }

    #[test]
    fn codings_are_undone_from_the_outside_in_however_they_are_listed() {
        for (encodings, found) in [
            (&["gzip"][..], &[Gzip][..]),
            (&["X-GZip"], &[Gzip]),
            (&["deflate"], &[Deflate]),
            (&["gzip, br"], &[Brotli, Gzip]),
            (&["gzip", "zstd"], &[Zstd, Gzip]),
            (&["aws-chunked,gzip"], &[Gzip]),
        ] {
            assert_eq!(of(encodings, "/a.csv", &[]).unwrap(), found, "{encodings:?}");
        }
    }

    #[test]
    fn a_word_that_names_no_coding_changes_nothing_and_one_that_is_not_known_is_refused() {
        for word in ["", "identity", "none", "UTF-8", "iso-8859-1", "aws-chunked", "binary"] {
            assert_eq!(of(&[word], "/a.csv", &[]).unwrap(), [], "{word}");
        }
        for word in ["compress", "x-compress", "exi", "dcb"] {
            let error = of(&[word], "/a.csv", &[]).unwrap_err();
            assert_eq!(error.kind(), Kind::Unsupported);
            assert!(error.message().ends_with(&format!(": {word}")) && error.hint_text().is_some(), "{error:?}");
        }
        assert_eq!(of(&["gzip,gzip,gzip,gzip,gzip"], "/a", &[]).unwrap_err().kind(), Kind::Bounds);
    }

    #[test]
    fn a_file_that_is_itself_compressed_stays_so() {
        let named = (header::CONTENT_DISPOSITION, "attachment; filename=\"a.csv.gz\"");
        let typed = (header::CONTENT_TYPE, "application/x-gzip; charset=binary");
        assert_eq!(of(&["gzip"], "/a.csv.GZ", &[]).unwrap(), []);
        assert_eq!(of(&["gzip"], "/download", &[named]).unwrap(), []);
        assert_eq!(of(&["gzip"], "/download", &[typed]).unwrap(), []);
        assert_eq!(of(&["zstd"], "/a.tar.zst", &[]).unwrap(), []);
        assert_eq!(of(&["zstd"], "/a.csv.gz", &[]).unwrap(), [Zstd], "the format is another one");
        assert_eq!(of(&["gzip, gzip"], "/a.csv.gz", &[]).unwrap(), [Gzip], "compressed once more for the transfer");
    }
}
