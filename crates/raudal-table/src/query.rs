//! The options for reading an input.

use super::blocks;
use super::column_names::Names;
use super::dialect::Dialect;
use super::encoding::{Encoding, Encodings};
use super::filter::Filter;
use super::limits::Limits;
use super::members;
use super::names::MemberEncoding;
use super::nulls::Nulls;
use super::pick::{ColumnsMode, Pick};
use super::select::Select;
use raudal_common::{Error, Result, glob};

const KIB: usize = 1 << 10;

/// What to read from each input: which member, which rows, which columns, and within which bounds.
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
    /// Rows to keep; all when `None`.
    pub filter: Option<Filter>,
    /// Columns to keep, in this order; all by default.
    pub select: Select,
    /// How inputs whose columns differ become one table; strict by default.
    pub columns_mode: ColumnsMode,
    /// Whether names of columns are the same if they differ by case or accents alone; no by default.
    pub fold_names: bool,
    /// Which of the kept rows of all inputs are written. [`Table`](crate::Table) does that.
    pub pick: Pick,
    /// A glob for the names of an archive's members (`**` crosses folders, case is ignored). `None`
    /// selects the only CSV member. Members of an archive within the archive are named one level at
    /// a time: `inner.zip!/**/*.csv`.
    pub member: Option<String>,
    /// The encoding of members' names that are not UTF-8. By default code page 437, and 850 is
    /// tried for [`member`](Self::member) too.
    pub member_encoding: Option<MemberEncoding>,
    /// The sheet of a workbook: its name, or its position from 1. `None` selects the only visible
    /// one that has cells.
    pub sheet: Option<String>,
    /// The encodings that the text may have.
    pub encodings: Encodings,
    /// How the text is written: its delimiter, quotes, header, numbers.
    pub dialect: Dialect,
    /// Which cells are null, for the filter; empty and blank ones by default.
    pub nulls: Nulls,
    /// What the server says about the input.
    pub served: Served,
    /// Bounds on the cost of an input.
    pub limits: Limits,
    /// Bytes of kept rows held in memory before they move to a temporary file: 256 KiB. A run may
    /// hold the rows of four inputs for each job while they wait for their turn.
    pub memory: usize,
    /// How plain rows are read in blocks.
    pub(super) blocks: blocks::Plan,
}

impl Query {
    /// Selects all rows and columns of the only CSV member, as UTF-8.
    pub fn new() -> Self {
        Self {
            filter: None,
            select: Select::default(),
            columns_mode: ColumnsMode::default(),
            fold_names: false,
            pick: Pick::default(),
            member: None,
            member_encoding: None,
            sheet: None,
            encodings: Encodings::default(),
            dialect: Dialect::default(),
            nulls: Nulls::default(),
            served: Served::default(),
            limits: Limits::default(),
            memory: 256 * KIB,
            blocks: blocks::Plan::default(),
        }
    }

    /// Checks the query itself, before any input is fetched.
    ///
    /// ```
    /// let mut query = raudal_table::Query::new();
    /// query.member = Some("[a.csv".into());
    /// assert_eq!(query.check().unwrap_err().kind(), raudal_common::Kind::Usage);
    /// ```
    pub fn check(&self) -> Result<()> {
        if let Some(glob) = &self.member {
            for level in members::levels(glob) {
                check_glob("the member", level)?;
            }
        }
        self.dialect.check()?;
        self.pick.check()?;
        self.select.check()
    }

    /// Returns when two names of columns are the same.
    pub(super) fn names(&self) -> Names {
        Names { fold: self.fold_names }
    }
}

/// What a server says about an input. The bytes and the options win over it.
///
/// ```
/// use raudal_table::{Query, read};
///
/// let mut query = Query::new();
/// query.served.media_type = Some("text/tab-separated-values".into());
/// let rows = read(std::io::Cursor::new("a\tb\n1\t2\n"), "https://example.org/export", &query, &())?;
/// assert_eq!(rows.header(), ["a", "b"]);
/// # Ok::<(), raudal_common::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Served {
    /// The media type in lower case, without parameters.
    pub media_type: Option<String>,
    /// The encoding, used where the bytes are not UTF-8.
    pub charset: Option<Encoding>,
    /// The name of the file.
    pub file_name: Option<String>,
}

impl Served {
    /// Whether the text may be read otherwise because of it, apart from its encoding.
    ///
    /// ```
    /// use raudal_table::Served;
    /// let mut served = Served::default();
    /// served.media_type = Some("text/csv".into());
    /// assert!(!served.changes_reading());
    /// served.file_name = Some("a.tsv".into());
    /// assert!(served.changes_reading());
    /// ```
    pub fn changes_reading(&self) -> bool {
        let extension = self.file_name.as_deref().and_then(|name| Some(name.rsplit_once('.')?.1));
        let is_tabs = |extension: &str| ["tsv", "tab"].iter().any(|tabs| extension.eq_ignore_ascii_case(tabs));
        self.has_tabs() || self.is_document() || extension.is_some_and(is_tabs)
    }

    /// Whether the server calls it a table with tabs.
    pub(super) fn has_tabs(&self) -> bool {
        self.media_type.as_deref() == Some("text/tab-separated-values")
    }

    /// Whether the server calls it JSON or XML.
    pub(super) fn is_document(&self) -> bool {
        self.media_type.as_deref().is_some_and(|media_type| {
            let (_, kind) = media_type.split_once('/').unwrap_or_default();
            matches!(kind, "json" | "xml") || kind.ends_with("+json") || kind.ends_with("+xml")
        })
    }
}

/// Returns an error for an invalid glob. `option` says where the glob was given.
///
/// ```
/// use raudal_table::check_glob;
/// assert!(check_glob("the members", "**/*.csv").is_ok());
/// assert!(check_glob("the members", "[a.csv").unwrap_err().message().ends_with("the members: [a.csv"));
/// ```
pub fn check_glob(option: &str, glob: &str) -> Result<()> {
    glob::validate(glob).map_err(|error| Error::usage(format!("bad pattern for {option}: {glob}")).because(error))
}

impl Default for Query {
    fn default() -> Self {
        Self::new()
    }
}
