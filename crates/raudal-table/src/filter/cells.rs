//! The cells of a row that a filter looks at, as text and as numbers.

use super::number::Number;
use crate::nulls::Nulls;

/// The cells of a row.
pub(super) struct Cells {
    /// The values, without their quotes.
    texts: Vec<Vec<u8>>,
    nulls: Nulls,
}

impl Cells {
    pub(super) fn new(columns: usize, nulls: &Nulls) -> Self {
        Self { texts: vec![Vec::new(); columns], nulls: nulls.clone() }
    }

    /// Takes the cells of the next row. `read` writes the value of a column.
    pub(super) fn take(&mut self, mut read: impl FnMut(usize, &mut Vec<u8>)) {
        for (column, text) in self.texts.iter_mut().enumerate() {
            text.clear();
            read(column, text);
        }
    }

    pub(super) fn text(&self, column: usize) -> &[u8] {
        &self.texts[column]
    }

    /// Whether the cell has no value.
    pub(super) fn is_null(&self, column: usize) -> bool {
        self.nulls.contains(&self.texts[column])
    }

    /// Whether a text has no value.
    pub(super) fn means_null(&self, text: &str) -> bool {
        self.nulls.contains(text)
    }

    /// The number in the cell; `None` if it is none.
    pub(super) fn number(&self, column: usize) -> Option<Number<'_>> {
        Number::parse(&self.texts[column]).filter(|_| !self.is_null(column))
    }
}
