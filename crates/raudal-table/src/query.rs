//! The options for reading an input.

use super::column_names::Names;
use super::encoding::Encoding;
use super::filter::Filter;
use super::limits::Limits;
use super::nulls::Nulls;
use super::pick::{ColumnsMode, Pick};
use super::select::Select;
use raudal_common::{Error, Result};

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
    /// Which cells are null, for the filter; empty and blank ones by default.
    pub nulls: Nulls,
    /// How inputs whose columns differ become one table; strict by default.
    pub columns_mode: ColumnsMode,
    /// Whether names of columns are the same if they differ by case or accents alone; no by default.
    pub fold_names: bool,
    /// Which of the kept rows of all inputs are written. [`Table`](crate::Table) does that.
    pub pick: Pick,
    /// A glob for the names of an archive's members (`**` crosses folders, case is ignored). `None`
    /// selects the only CSV member.
    pub member: Option<String>,
    /// The encoding of the text; UTF-8 by default.
    pub encoding: Encoding,
    /// The byte between fields; by default a tab if the name ends in `.tsv` or `.tab`, else a comma.
    pub delimiter: Option<u8>,
    /// Bounds on the cost of an input.
    pub limits: Limits,
    /// Bytes of kept rows held in memory before they move to a temporary file: 256 KiB. A run may
    /// hold the rows of four inputs for each job while they wait for their turn.
    pub memory: usize,
}

impl Query {
    /// Selects all rows and columns of the only CSV member, as UTF-8.
    pub fn new() -> Self {
        Self {
            filter: None,
            select: Select::default(),
            nulls: Nulls::default(),
            columns_mode: ColumnsMode::default(),
            fold_names: false,
            pick: Pick::default(),
            member: None,
            encoding: Encoding::default(),
            delimiter: None,
            limits: Limits::default(),
            memory: 256 * KIB,
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
            check_glob("the member", glob)?;
        }
        if let Some(byte @ (b'"' | b'\r' | b'\n' | 0 | 0x80..)) = self.delimiter {
            return Err(Error::usage(format!("this byte cannot stand between fields: {:?}", char::from(byte))));
        }
        self.pick.check()?;
        self.select.check()
    }

    /// Returns when two names of columns are the same.
    pub(super) fn names(&self) -> Names {
        Names { fold: self.fold_names }
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
    fast_glob::validate(glob)
        .map_err(|error| Error::usage(format!("bad pattern for {option}: {glob}")).because(error.to_string()))
}

impl Default for Query {
    fn default() -> Self {
        Self::new()
    }
}
