//! Text encodings by name.

use std::fmt;

use encoding_rs::UTF_8;

use super::columns::nearest;
use raudal_common::{Error, Result};

/// The encoding of a text: UTF-8, or another encoding of the
/// [Encoding Standard](https://encoding.spec.whatwg.org/).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Encoding(&'static encoding_rs::Encoding);

impl Encoding {
    /// Finds an encoding by any of its labels, in any letter case.
    ///
    /// ```
    /// use raudal_table::Encoding;
    /// assert_eq!(Encoding::parse("latin1")?.to_string(), "windows-1252");
    /// assert!(Encoding::parse("windows-1255x").unwrap_err().hint_text().unwrap().contains("windows-1255"));
    /// # Ok::<(), raudal_common::Error>(())
    /// ```
    pub fn parse(label: &str) -> Result<Self> {
        // `replacement` is the standard's name for encodings that must not be decoded.
        match encoding_rs::Encoding::for_label_no_replacement(label.as_bytes()) {
            Some(encoding) => Ok(Self(encoding)),
            None => Err(Error::usage(format!("unknown encoding: {label}"))
                .hint(format!("did you mean {}?", nearest(label, LABELS).join(" or ")))),
        }
    }

    pub(super) fn get(self) -> &'static encoding_rs::Encoding {
        self.0
    }
}

impl Default for Encoding {
    fn default() -> Self {
        Self(UTF_8)
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

impl fmt::Debug for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Encoding({self})")
    }
}

/// Common labels, to suggest the nearest ones for an unknown label.
const LABELS: &[&str] = &[
    "utf-8",
    "windows-1252",
    "iso-8859-1",
    "latin1",
    "iso-8859-15",
    "utf-16le",
    "utf-16be",
    "windows-1250",
    "windows-1251",
    "windows-1253",
    "windows-1254",
    "windows-1255",
    "windows-1256",
    "windows-1257",
    "windows-1258",
    "iso-8859-2",
    "iso-8859-5",
    "iso-8859-7",
    "koi8-r",
    "macintosh",
    "ibm866",
    "shift_jis",
    "euc-jp",
    "euc-kr",
    "gbk",
    "gb18030",
    "big5",
];
