//! The filter: an expression over columns that keeps the rows for which it is true.
//!
//! `lex` splits the text with `sqlparser`'s tokenizer and rewrites the spelling of `pandas.query`.
//! `parse` lets `sqlparser` build the tree and accepts only the listed conditions of it, `build` the
//! listed operands. `eval` decides on a row; `operand` is what it
//! compares, `cells` are the cells of a row. `number` compares numbers
//! of any length exactly, `amount` calculates with them, `date` reads dates.

mod amount;
mod build;
mod cells;
mod date;
mod eval;
mod lex;
mod number;
mod operand;
mod parse;

use std::fmt;
use std::ops::Range;

use cells::Cells;
use eval::Node;

use super::column_names::Names;
use super::column_names::quoted;
use super::columns::{find, places};
use super::nulls::Nulls;
use super::numbers::Numbers;
use super::scan::unquote;
use super::tally::Count;
use raudal_common::{Error, Kind, Result};

/// Selects the rows to keep.
///
/// Accepts both SQL and the language of `pandas.query`: `==` or `=`, `!=` or `<>`, `and`, `or`,
/// `not` in any case or `&`, `|`, `~(…)`, `in [..]` or `in (..)`, `between`, `like` and `ilike`
/// with `%` and `_`, `starts with`, `is null`, `~` and `!~` with a regular expression that may match
/// anywhere in the cell. A regular expression has the syntax of the [`regex`](https://docs.rs/regex)
/// crate; `ilike`, and `~ '(?i)…'`, ignore case.
///
/// Write text in single or double quotes, and a column that is not a plain word in backticks, or in
/// double quotes where only a column can stand: `"Población, total" > 5`.
///
/// - Compared with a number, a cell is a number: `0000` equals 0. Numbers of any length are compared
///   exactly. `+`, `-`, `*` and `/` calculate with columns and numbers, exactly as long as the
///   decimals fit 36 digits. Two columns compare as numbers.
/// - Against text, a cell is its bytes: `0000` equals `'0000'` only. `lower(column)` has no capitals,
///   `unaccent(column)` no accents.
/// - Against a date (`date '2020-03-01'`), a cell is an ISO date; `date(column, '%d/%m/%Y')` reads
///   dates that are written otherwise. The time of day does not count.
/// - A [null](Nulls) cell is neither equal nor unequal to anything, nor does it match a pattern, nor
///   does it fail to: `!=`, `not in`, `not like` and `!~` do not keep it. Nor do they keep a cell
///   that is not of the kind it is compared with: no number (`x`), no date. `is null` finds null
///   cells. One comparison finds them too: with a text that is itself null, as in `POBTOT == '*'` or
///   `NOM != ''`, a cell is its bytes.
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

    /// Finds the filter's columns in a header. If `lenient`, the cells of a column that is not there
    /// are null. `numbers` and `nulls` say how to read cells.
    pub(super) fn bind(
        &self,
        header: &[String],
        names: Names,
        lenient: bool,
        numbers: &Numbers,
        nulls: &Nulls,
    ) -> Result<Bound> {
        let mut missing = Vec::new();
        let mut found = Vec::with_capacity(self.columns.len());
        for name in &self.columns {
            if lenient && places(header, name, names).is_empty() {
                missing.push(name.clone());
                found.push(NOWHERE);
            } else {
                found.push(find(header, name, names).map_err(|error| in_backticks(error, header, name))?);
            }
        }
        let cells = Cells::new(found.len(), numbers, nulls);
        Ok(Bound { node: self.node.clone(), names: self.columns.clone(), places: found, missing, cells })
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The place of a column that the header does not have.
const NOWHERE: usize = usize::MAX;

/// How many cells of each column were no numbers, and no dates. Empty if there are none.
pub(super) type Counts = Vec<[Count; 2]>;

/// A filter bound to a header.
#[derive(Clone)]
pub(super) struct Bound {
    node: Node,
    /// The names of the columns of the filter.
    names: Vec<String>,
    /// The position in the header of each column of the filter.
    places: Vec<usize>,
    /// The columns that the header does not have.
    pub(super) missing: Vec<String>,
    /// The cells of the current row.
    cells: Cells,
}

impl Bound {
    pub(super) fn places(&self) -> impl Iterator<Item = usize> {
        self.places.iter().copied().filter(|place| *place != NOWHERE)
    }

    /// Returns whether to keep the record with these fields, which begins on this line.
    pub(super) fn keeps(&mut self, record: &[u8], fields: &[Range<usize>], line: u64) -> bool {
        self.cells.take(|column, cell| {
            if let Some(field) = fields.get(self.places[column]) {
                unquote(&record[field.clone()], cell);
            }
        });
        let keeps = self.node.eval(&self.cells) == Some(true);
        self.cells.count(line);
        keeps
    }

    /// What was odd in the rows since this was last asked for.
    pub(super) fn take_counts(&mut self) -> Counts {
        self.cells.take_counts()
    }

    /// Adds what was odd in later rows, whose lines are counted from this one.
    pub(super) fn add_counts(&mut self, counts: Counts, line: u64) {
        self.cells.add_counts(counts, line);
    }

    /// Says how many cells were compared with a number or a date and are none.
    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        for (name, [numbers, dates]) in self.names.iter().zip(self.cells.counts()) {
            let mut say = |count: &Count, what: &str, cure: &str| {
                let cells = match count.times {
                    0 => return,
                    1 => "1 cell was".to_owned(),
                    times => format!("{times} cells were"),
                };
                let (name, place) = (quoted(name), count.place());
                warnings
                    .push(format!("column {name}: {cells} no {what} for the filter, and so null, {place} ({cure})"));
            };
            say(numbers, "number", "[`decimal`], [`thousands`] and [`null`] say how numbers and nulls are written");
            say(dates, "date", "date(column, '%d/%m/%Y') says how dates are written, [`null`] how nulls are");
        }
        warnings
    }
}

/// Adds to the error for a column that is not there that the beginning of a name was taken for it: `x` of `x-y`.
fn in_backticks(error: Error, header: &[String], name: &str) -> Error {
    let is_cut = |have: &&String| {
        have.strip_prefix(name).is_some_and(|rest| rest.starts_with(|c: char| !c.is_alphanumeric() && c != '_'))
    };
    match header.iter().find(is_cut) {
        Some(have) if error.kind() == Kind::Column => {
            error.hint(format!("a name with signs or blanks in it stands in backticks: `{have}`"))
        }
        _ => error,
    }
}
