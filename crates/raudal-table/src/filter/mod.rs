//! The filter: an expression over columns that keeps the rows for which it is true.
//!
//! `lex` splits the text with `sqlparser`'s tokenizer and rewrites the spelling of `pandas.query`.
//! `parse` lets `sqlparser` build the tree and accepts only the listed parts of it. `eval` decides
//! on a row. `number` compares numbers of any length exactly.

mod cells;
mod eval;
mod lex;
mod number;
mod parse;

use std::fmt;
use std::ops::Range;

use cells::Cells;
use eval::Node;

use super::columns::{find, shown};
use super::nulls::Nulls;
use super::numbers::Numbers;
use super::scan::unquote;
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
/// - `is null` is true of a cell that is empty, blank, or a token of [`Nulls`].
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

    /// Finds the filter's columns in a header. `numbers` and `nulls` say how to read their cells.
    pub(super) fn bind(&self, header: &[String], numbers: &Numbers, nulls: &Nulls) -> Result<Bound> {
        let places = self.columns.iter().map(|name| find(header, name)).collect::<Result<Vec<_>>>()?;
        Ok(Bound {
            node: self.node.clone(),
            cells: Cells::new(places.len(), numbers, nulls),
            names: self.columns.clone(),
            places,
        })
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
    /// The names of these columns.
    names: Vec<String>,
    /// The cells of the current row.
    cells: Cells,
}

impl Bound {
    pub(super) fn places(&self) -> impl Iterator<Item = usize> {
        self.places.iter().copied()
    }

    /// Returns whether to keep the record with these fields, which begins on this line.
    pub(super) fn keeps(&mut self, record: &[u8], fields: &[Range<usize>], line: u64) -> bool {
        self.cells.take(|column, cell| {
            unquote(&record[fields[self.places[column]].clone()], cell);
        });
        let keeps = self.node.eval(&self.cells) == Some(true);
        self.cells.count(line);
        keeps
    }

    /// Says how many cells were compared with a number and are none.
    pub(super) fn warnings(&self) -> Vec<String> {
        let counts = self.names.iter().zip(self.cells.counts()).filter(|(_, count)| count.times > 0);
        let say = |(name, count): (&String, &super::tally::Count)| {
            let cells = if count.times == 1 { "1 cell was" } else { &format!("{} cells were", count.times) };
            format!(
                "column {}: {cells} no number for the filter, and so null, {} ([`decimal`], [`thousands`] and [`null`] \
                 say how numbers and nulls are written)",
                shown(name),
                count.place()
            )
        };
        counts.map(say).collect()
    }
}
