//! What a comparison compares: columns, values, and what is made of them.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::amount::{Amount, Sum};
use super::cells::Cells;
use super::date::{Date, Format};
use super::number::Number;
use crate::column_names::unaccent;

/// A column is an index into the filter's list of columns.
#[derive(Clone, Debug)]
pub(super) enum Operand {
    Column(usize),
    /// The text of a valid number.
    Number(String),
    Text(String),
    Date(Date),
    Sum(Box<(Operand, Sum, Operand)>),
    Lower(Box<Operand>),
    Unaccent(Box<Operand>),
    /// A text as a date; an ISO date if it has no format.
    AsDate(Box<Operand>, Option<Format>),
}

/// What an operand is, as far as its form says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Is {
    /// A cell: a number or text, as it is compared.
    Cell,
    Number,
    Text,
    Date,
}

impl Operand {
    pub(super) fn is(&self) -> Is {
        match self {
            Self::Column(_) => Is::Cell,
            Self::Number(_) | Self::Sum(_) => Is::Number,
            Self::Text(_) | Self::Lower(_) | Self::Unaccent(_) => Is::Text,
            Self::Date(_) | Self::AsDate(..) => Is::Date,
        }
    }

    pub(super) fn has_column(&self) -> bool {
        match self {
            Self::Column(_) => true,
            Self::Number(_) | Self::Text(_) | Self::Date(_) => false,
            Self::Sum(sum) => sum.0.has_column() || sum.2.has_column(),
            Self::Lower(of) | Self::Unaccent(of) | Self::AsDate(of, _) => of.has_column(),
        }
    }

    /// Applies the functions of this operand to a text.
    pub(super) fn applied(&self, text: &str) -> String {
        match self {
            Self::Lower(of) => of.applied(text).to_lowercase(),
            Self::Unaccent(of) => unaccent(&of.applied(text)),
            _ => text.to_owned(),
        }
    }

    /// Whether it is null, or could not be calculated.
    pub(super) fn is_null(&self, cells: &Cells) -> bool {
        match self.is() {
            Is::Cell | Is::Text => self.text(cells).is_none(),
            Is::Number => self.amount(cells).is_none(),
            Is::Date => self.date(cells).is_none(),
        }
    }

    pub(super) fn text<'a>(&'a self, cells: &'a Cells) -> Option<Cow<'a, [u8]>> {
        let changed = |of: &Self, change: fn(&str) -> String| {
            let text = of.text(cells)?;
            Some(Cow::Owned(change(&String::from_utf8_lossy(&text)).into_bytes()))
        };
        match self {
            Self::Column(column) => (!cells.is_null(*column)).then(|| Cow::Borrowed(cells.text(*column))),
            Self::Text(text) => Some(Cow::Borrowed(text.as_bytes())),
            Self::Lower(of) => changed(of, str::to_lowercase),
            Self::Unaccent(of) => changed(of, unaccent),
            Self::Number(_) | Self::Date(_) | Self::Sum(_) | Self::AsDate(..) => None,
        }
    }

    pub(super) fn date(&self, cells: &Cells) -> Option<Date> {
        match self {
            Self::Date(date) => Some(*date),
            Self::AsDate(of, format) => {
                let parse = |text: &[u8]| format.as_ref().map_or_else(|| Date::parse(text), |format| format.date(text));
                match &**of {
                    Self::Column(column) => cells.date(*column, parse),
                    of => parse(&of.text(cells)?),
                }
            }
            Self::Column(column) => cells.date(*column, Date::parse),
            _ => Date::parse(&self.text(cells)?),
        }
    }

    /// Compares as numbers. Numbers that are not calculated are compared exactly, at any length.
    pub(super) fn compare_numbers(&self, other: &Self, cells: &Cells) -> Option<Ordering> {
        if let (Some(one), Some(two)) = (self.number(cells), other.number(cells)) {
            return Some(one.compare(&two));
        }
        self.amount(cells)?.compare(other.amount(cells)?)
    }

    /// A number that is written out.
    fn number<'a>(&'a self, cells: &'a Cells) -> Option<Number<'a>> {
        match self {
            Self::Column(column) => cells.number(*column),
            Self::Number(number) => Number::parse(number.as_bytes()),
            _ => None,
        }
    }

    fn amount(&self, cells: &Cells) -> Option<Amount> {
        match self {
            Self::Sum(sum) => sum.0.amount(cells)?.calculate(sum.1, sum.2.amount(cells)?),
            _ => Amount::of(&self.number(cells)?),
        }
    }
}
