//! The cells of a row that a filter looks at, as text and as numbers.

use std::cell::Cell;

use super::Counts;
use super::date::Date;
use super::number::{self, Number};
use crate::nulls::Nulls;
use crate::numbers::Numbers;
use crate::tally::Count;

/// The cells of a row, and what was odd about those of all rows.
#[derive(Clone)]
pub(super) struct Cells {
    /// The values, without their quotes.
    texts: Vec<Vec<u8>>,
    /// The numbers in the usual spelling, where the input has another.
    numbers: Vec<String>,
    spelling: Numbers,
    nulls: Nulls,
    /// Whether numbers have the usual spelling, and no number is null.
    is_usual: bool,
    /// Whether the cell was compared with a number, or a date, and is none.
    odd: Vec<[Cell<bool>; 2]>,
    is_odd: Cell<bool>,
    counts: Counts,
    /// Whether anything was counted.
    has_counts: bool,
}

impl Cells {
    pub(super) fn new(columns: usize, spelling: &Numbers, nulls: &Nulls) -> Self {
        Self {
            texts: vec![Vec::new(); columns],
            numbers: vec![String::new(); if spelling.is_plain() { 0 } else { columns }],
            spelling: spelling.clone(),
            nulls: nulls.clone(),
            is_usual: spelling.is_plain() && nulls.is_empty(),
            odd: vec![[Cell::new(false), Cell::new(false)]; columns],
            is_odd: Cell::new(false),
            counts: vec![Default::default(); columns],
            has_counts: false,
        }
    }

    /// Whether every cell that a filter compares is looked at, so that all odd ones are counted. With
    /// the usual spelling, a row that is decided is left at once: that is faster.
    pub(super) fn looks_at_all(&self) -> bool {
        !self.spelling.is_plain()
    }

    /// Takes the cells of the next row. `read` writes the value of a column.
    #[inline]
    pub(super) fn take(&mut self, mut read: impl FnMut(usize, &mut Vec<u8>)) {
        for (column, text) in self.texts.iter_mut().enumerate() {
            text.clear();
            read(column, text);
        }
        for (number, text) in self.numbers.iter_mut().zip(&self.texts) {
            number.clear();
            // `Text` validated the whole, and it is cut only at ASCII bytes.
            if let Ok(text) = std::str::from_utf8(text) {
                self.spelling.respell(text, number);
            }
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

    /// The number in the cell; `None`, and remembered, if it is none.
    #[inline]
    pub(super) fn number(&self, column: usize) -> Option<Number<'_>> {
        if self.is_usual
            && let Some(number) = Number::parse(&self.texts[column])
        {
            return Some(number);
        }
        self.other_number(column)
    }

    /// The number in the cell, if it is of few digits and in the usual spelling.
    #[inline]
    pub(super) fn few_digits(&self, column: usize) -> Option<u64> {
        if self.is_usual { number::few_digits(&self.texts[column]) } else { None }
    }

    fn other_number(&self, column: usize) -> Option<Number<'_>> {
        let text = self.numbers.get(column).map_or(self.texts[column].as_slice(), String::as_bytes);
        let number = Number::parse(text).filter(|_| !self.is_null(column));
        if number.is_none() {
            self.odd[column][0].set(true);
            self.is_odd.set(true);
        }
        number
    }

    /// The date in the cell, as `parse` reads it; `None`, and remembered, if it is none.
    pub(super) fn date(&self, column: usize, parse: impl FnOnce(&[u8]) -> Option<Date>) -> Option<Date> {
        let date = parse(&self.texts[column]).filter(|_| !self.is_null(column));
        if date.is_none() {
            self.odd[column][1].set(true);
            self.is_odd.set(true);
        }
        date
    }

    /// Counts the cells of this row that were taken for null although something is in them.
    #[inline]
    pub(super) fn count(&mut self, line: u64) {
        if self.is_odd.replace(false) {
            self.count_odd(line);
        }
    }

    #[cold]
    fn count_odd(&mut self, line: u64) {
        self.has_counts = true;
        for column in 0..self.texts.len() {
            for kind in 0..2 {
                if self.odd[column][kind].replace(false) && !self.is_null(column) {
                    self.counts[column][kind].one(line, &self.texts[column]);
                }
            }
        }
    }

    /// What was counted since this was last asked for; empty if it is nothing.
    pub(super) fn take_counts(&mut self) -> Counts {
        if !std::mem::take(&mut self.has_counts) {
            return Vec::new();
        }
        let none = vec![Default::default(); self.counts.len()];
        std::mem::replace(&mut self.counts, none)
    }

    /// Adds what was counted in later rows, whose lines are counted from this one.
    pub(super) fn add_counts(&mut self, counts: Counts, line: u64) {
        self.has_counts |= !counts.is_empty();
        for (own, later) in self.counts.iter_mut().zip(counts) {
            for (own, later) in own.iter_mut().zip(later) {
                own.add(later.below(line));
            }
        }
    }

    /// Returns how many cells of each column were no numbers, and no dates, and where the first is.
    pub(super) fn counts(&self) -> &[[Count; 2]] {
        &self.counts
    }
}
