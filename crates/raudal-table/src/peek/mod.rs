//! Looks at an input: what is in it, and how its table is written.
//!
//! Only its beginning and the directories of archives are read, and nothing is verified. The result
//! says which options [`read`](crate::read()) needs. Where it looks, it reads as `read` does, so what
//! it finds can be read.
//!
//! | module | what it does |
//! |---|---|
//! | `walk` | finds the members of archives and the sheets of workbooks, and chooses one |
//! | `settle` | finds the dialect and the encoding of a text, by reading its beginning |
//! | `column` | guesses the kinds of the columns |

mod column;
mod settle;
mod walk;

pub use column::PeekColumn;
pub use settle::PeekTable;

use std::io::{Read, Seek};

use crate::impostor;
use crate::query::Query;
use raudal_common::{Error, Result};

/// Rows that are looked at, at most.
const ROWS: usize = 1000;

/// What a page is called.
const PAGE: &str = "an HTML page";

/// What an input is, and what is in it.
///
/// ```
/// use raudal_table::{Query, peek};
///
/// let peek = peek(std::io::Cursor::new("id;rate\n007;1,5\n008;2,5\n"), "a.csv", &Query::new())?;
/// let table = peek.table.expect("a table");
/// assert_eq!(peek.layers, ["plain text"]);
/// assert_eq!(table.query.dialect.delimiter, "; ".trim().parse()?);
/// assert_eq!((table.columns[0].kind.to_string(), table.columns[1].kind.to_string()), ("text".into(), "float".into()));
/// # Ok::<(), raudal_common::Error>(())
/// ```
#[derive(Debug, Default)]
#[non_exhaustive]
pub struct Peek {
    /// What it is, and what is in that, the outermost first: `a gzip file`, `a tar archive`.
    pub layers: Vec<String>,
    /// The members of archives and the sheets of a workbook, in their order. Those of an archive within another one
    /// follow, with its name before theirs.
    pub members: Vec<PeekMember>,
    /// Whether there are more members than those: the rest was not looked at.
    pub has_more: bool,
    /// The table, if there is one that can be read.
    pub table: Option<PeekTable>,
    /// Why there is none.
    pub problem: Option<Error>,
    /// What was odd.
    pub warnings: Vec<String>,
}

impl Peek {
    /// Whether it is an HTML page by itself, which may have links to tables.
    pub fn is_page(&self) -> bool {
        self.layers == [PAGE]
    }
}

/// A member of an archive, or a sheet of a workbook.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeekMember {
    /// Its name, with the names of the archives that it is in.
    pub path: String,
    /// Its size in bytes when decompressed. A sheet has none.
    pub size: Option<u64>,
    /// Its compressed size in bytes, if the archive says it.
    pub packed: Option<u64>,
    /// Whether it may be a table or may hold one; a folder, a link or what a file manager has left may not.
    pub is_data: bool,
    /// Whether it is a sheet.
    pub is_sheet: bool,
}

/// Looks at an input. `name` is its URL or path, as for [`read`](crate::read()). What the query says of the member, the
/// sheet, the encoding and the dialect is taken as it is; the rest is found.
///
/// # Errors
///
/// Fails if nothing can be said of the input. Otherwise what is wrong is the [`problem`](Peek::problem).
pub fn peek<R: Read + Seek>(mut input: R, name: &str, query: &Query) -> Result<Peek> {
    query.check().map_err(|error| error.input(name))?;
    let mut found = Peek::default();
    let walked = walk::walk(&mut input, name, query, &mut found);
    if let Err(error) = walked {
        let error = if name.contains("://") { error } else { impostor::of_file(error) }.input(name);
        if found.layers.is_empty() {
            return Err(error);
        }
        found.problem = Some(error);
    }
    Ok(found)
}
