//! What is asked of each input.

use std::fmt;

use encoding_rs::UTF_8;

use super::columns::nearest;
use super::filter::Filter;
use raudal_common::{Error, Result};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// What an input may cost at most. Each bound has an option that lifts it, and the error names it.
///
/// ```
/// let mut limits = raudal_table::Limits::default();
/// limits.field_bytes = 64 * 1024;
/// assert_eq!(limits.record_bytes(), 1024 * 1024);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Members of an archive, wanted or not: 10,000. Archives of more exist to exhaust their reader.
    pub members: u64,
    /// Uncompressed bytes of one member, as declared and as they come: 8 GiB.
    pub member_bytes: u64,
    /// Uncompressed bytes to a compressed one, looked at after the first MiB: 200. Deflate reaches 1032 on zeros;
    /// the real ITER archives stay under 25.
    pub ratio: u64,
    /// Bytes of one field as it is written, its quotes included: 1 MiB.
    pub field_bytes: usize,
}

impl Limits {
    /// Bytes of one record: sixteen fields of the largest size. What a record costs in memory is thereby bounded
    /// without an option of its own.
    pub fn record_bytes(&self) -> usize {
        self.field_bytes.saturating_mul(16)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { members: 10_000, member_bytes: 8 << 30, ratio: 200, field_bytes: MIB }
    }
}

/// What is asked of each input: which member, which rows, which columns, and within which bounds.
///
/// ```
/// use raudal_table::{Filter, Query};
///
/// let mut query = Query::new();
/// query.filter = Some(Filter::parse("LOC == '0000'")?);
/// query.member = Some("**/conjunto_de_datos/*.csv".into());
/// # Ok::<(), raudal_common::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Query {
    /// Rows to keep; all without one.
    pub filter: Option<Filter>,
    /// Columns to keep, in this order; all when empty.
    pub select: Vec<String>,
    /// A glob over the names of an archive's members (`**` crosses folders, letter case is ignored); without one the
    /// only CSV member is meant.
    pub member: Option<String>,
    /// The encoding of the text: UTF-8.
    pub encoding: Encoding,
    /// The byte between fields; by default a tab for names that end in `.tsv` or `.tab`, else a comma.
    pub delimiter: Option<u8>,
    /// What an input may cost at most.
    pub limits: Limits,
    /// Bytes of kept rows held in memory before they move to a temporary file: 256 KiB. A run
    /// may hold the rows of four inputs for each job, until their turn comes.
    pub memory: usize,
}

impl Query {
    /// Everything of the only CSV, as UTF-8.
    pub fn new() -> Self {
        Self {
            filter: None,
            select: Vec::new(),
            member: None,
            encoding: Encoding::default(),
            delimiter: None,
            limits: Limits::default(),
            memory: 256 * KIB,
        }
    }

    /// Says what is wrong with the query itself, before any input is fetched.
    ///
    /// ```
    /// let mut query = raudal_table::Query::new();
    /// query.member = Some("[a.csv".into());
    /// assert_eq!(query.check().unwrap_err().kind(), raudal_common::Kind::Usage);
    /// ```
    pub fn check(&self) -> Result<()> {
        if let Some(glob) = &self.member {
            check_glob("the member", glob)?;
        }
        if let Some(byte @ (b'"' | b'\r' | b'\n' | 0 | 0x80..)) = self.delimiter {
            return Err(Error::usage(format!("this byte cannot stand between fields: {:?}", char::from(byte))));
        }
        for (at, name) in self.select.iter().enumerate() {
            if self.select[..at].contains(name) {
                return Err(Error::usage(format!("a column is selected twice: {name}")));
            }
        }
        Ok(())
    }
}

/// Refuses a pattern for the names of members that is none. `option` is where it was given.
///
/// ```
/// use raudal_table::check_glob;
/// assert!(check_glob("the members", "**/*.csv").is_ok());
/// assert!(check_glob("the members", "[a.csv").unwrap_err().message().ends_with("the members: [a.csv"));
/// ```
pub fn check_glob(option: &str, glob: &str) -> Result<()> {
    fast_glob::validate(glob)
        .map_err(|error| Error::usage(format!("bad pattern for {option}: {glob}")).because(error.to_string()))
}

impl Default for Query {
    fn default() -> Self {
        Self::new()
    }
}

/// The encoding of a text: UTF-8, or another one that the [Encoding Standard](https://encoding.spec.whatwg.org/)
/// names.
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
            None => Err(Error::usage(format!("no such encoding: {label}"))
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

/// The labels that people write, to name the near ones when one is not known.
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
