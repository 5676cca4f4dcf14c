//! What becomes of the kept rows of all inputs: which of them are written.

use std::fmt;
use std::str::FromStr;

use super::column_names::quoted;
use super::columns::nearest;
use raudal_common::{Error, Result};

/// How inputs whose columns differ become one table.
///
/// Names are compared without blanks around them, and with
/// [`fold_names`](crate::Query::fold_names) without case and accents.
///
/// ```
/// use raudal_table::ColumnsMode;
/// assert_eq!("union".parse::<ColumnsMode>()?, ColumnsMode::Union);
/// assert!("both".parse::<ColumnsMode>().is_err());
/// # Ok::<(), raudal_common::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ColumnsMode {
    /// All have the columns of the first, in any order. An input with others is refused.
    #[default]
    Strict,
    /// The columns of all inputs, in the order of their first appearance. Cells of columns that an
    /// input does not have are empty.
    ///
    /// The rows wait in a temporary file for the last input, since only then all columns are known.
    Union,
    /// The columns that all inputs have, in the order of the first. The rows wait as with
    /// [`Union`](Self::Union).
    Intersection,
}

impl ColumnsMode {
    const NAMES: [(&'static str, Self); 3] =
        [("strict", Self::Strict), ("union", Self::Union), ("intersection", Self::Intersection)];
}

impl FromStr for ColumnsMode {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Some((_, mode)) = Self::NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
            return Ok(*mode);
        }
        let names = Self::NAMES.map(|(name, _)| name);
        let hint = match nearest(text, &names)[..] {
            [] => format!("one of {}", names.join(", ")),
            [near, ..] => format!("did you mean {near}?"),
        };
        Err(Error::usage(format!("no such mode of columns: {}", quoted(text))).hint(hint))
    }
}

impl fmt::Display for ColumnsMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(Self::NAMES.iter().find(|(_, mode)| mode == self).map_or("", |(name, _)| name))
    }
}

/// Which of the kept rows of all inputs are written. By default all.
///
/// ```
/// use raudal_table::{Pick, Sample};
///
/// let mut pick = Pick::default();
/// pick.limit = Some(10);
/// assert!(pick.check().is_ok());
/// pick.sample = Some(Sample { rows: 10, seed: 7 });
/// assert!(pick.check().is_err());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pick {
    /// Write only the first of equal rows. The columns that are written decide, without the source
    /// column. Cells are compared as they are written, before types are read. Costs some 40 bytes of memory for each different row.
    pub distinct: bool,
    /// Write a random sample of the rows, in input order.
    pub sample: Option<Sample>,
    /// Write at most this many rows. A run stops once it has them.
    pub limit: Option<u64>,
    /// In place of the rows, write how many were read and kept: a row for each input, and a last one
    /// for all of them.
    pub count: bool,
}

/// A random sample: every set of so many rows is as likely as any other.
///
/// The same seed and the same rows give the same sample, on any machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// How many rows: at most this many, if there are fewer.
    pub rows: u64,
    /// The seed.
    pub seed: u64,
}

impl Pick {
    /// Returns a usage error for what excludes each other.
    pub fn check(&self) -> Result<()> {
        if self.limit == Some(0) || self.sample.is_some_and(|sample| sample.rows == 0) {
            return Err(Error::usage("no row at all is asked for: 0")
                .hint("[`limit`] and [`sample`] are at least 1; [`count`] writes no rows"));
        }
        if self.limit.is_some() && self.sample.is_some() {
            return Err(Error::usage("the first rows, or a sample of all of them: not both")
                .hint("choose [`limit`] or [`sample`]"));
        }
        if self.count && (self.distinct || self.sample.is_some() || self.limit.is_some()) {
            return Err(Error::usage("rows are counted as they are read and kept, before any of them is picked")
                .hint("leave [`distinct`], [`sample`] and [`limit`] out, or [`count`]"));
        }
        Ok(())
    }
}
