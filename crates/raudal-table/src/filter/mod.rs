//! The filter: an expression over columns that keeps the rows for which it is true.
//!
//! `lex` splits the text with `sqlparser`'s tokenizer and rewrites the spelling of `pandas.query`.
//! `parse` lets `sqlparser` build the tree and accepts only the listed parts of it. `eval` decides
//! on a row. `number` compares numbers of any length exactly.

mod eval;
mod lex;
mod number;
mod parse;

use std::fmt;
use std::ops::Range;

use eval::Node;

use super::columns::find;
use raudal_common::Result;

/// Selects the rows to keep.
///
/// Accepts both SQL and the language of `pandas.query`: `==` or `=`, `!=` or `<>`, `and`, `or`,
/// `not` in any case or `&`, `|`, `~(…)`, `in [..]` or `in (..)`, `between`, `like` and `ilike`
/// with `%` and `_`, `is null`. Write text in single or double quotes, and a column that is not a
/// plain word in backticks.
///
/// - Compared with a number, a cell is a number: `0000` equals 0. Numbers of any length are
///   compared exactly. A cell that is not a number (`*`, `N/D`, empty) is null: neither equal nor
///   unequal.
/// - Against text, a cell is its bytes: `0000` equals `'0000'` only.
/// - `is null` is true of a cell that is empty or blank.
/// - Logic has three values: a row is kept if the whole is true, not if it is null.
///
/// ```
/// use raudal_table::Filter;
///
/// let filter = Filter::parse("POBTOT > 1000 or NOM_MUN == \"San José, el\"")?;
/// assert_eq!(filter.columns(), ["POBTOT", "NOM_MUN"]);
///
/// let error = Filter::parse("0 <= LOC <= 5").unwrap_err();
/// assert!(error.hint_text().unwrap().contains("0 <= LOC and LOC <= 5"));
/// # Ok::<(), raudal_common::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Filter {
    text: String,
    columns: Vec<String>,
    node: Node,
}

impl Filter {
    /// Parses an expression.
    ///
    /// # Errors
    ///
    /// A usage error whose hint shows the place in the text and, where there is one, the fix.
    pub fn parse(text: &str) -> Result<Self> {
        let (columns, node) = parse::parse(text)?;
        Ok(Self { text: text.to_owned(), columns, node })
    }

    /// Returns the columns that it names, in the order of their first appearance.
    pub fn columns(&self) -> Vec<&str> {
        self.columns.iter().map(String::as_str).collect()
    }

    /// Finds the filter's columns in a header.
    pub(super) fn bind(&self, header: &[String]) -> Result<Bound> {
        let places = self.columns.iter().map(|name| find(header, name)).collect::<Result<Vec<_>>>()?;
        Ok(Bound { node: self.node.clone(), cells: vec![Vec::new(); places.len()], places })
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A filter bound to a header.
pub(super) struct Bound {
    node: Node,
    /// The position in the header of each column of the filter.
    places: Vec<usize>,
    /// The cells of the current row, unquoted.
    cells: Vec<Vec<u8>>,
}

impl Bound {
    pub(super) fn places(&self) -> impl Iterator<Item = usize> {
        self.places.iter().copied()
    }

    /// Returns whether to keep the record with these fields.
    pub(super) fn keeps(&mut self, record: &[u8], fields: &[Range<usize>]) -> bool {
        for (cell, &place) in self.cells.iter_mut().zip(&self.places) {
            cell.clear();
            super::records::unquote(&record[fields[place].clone()], cell);
        }
        self.node.eval(&self.cells) == Some(true)
    }
}
