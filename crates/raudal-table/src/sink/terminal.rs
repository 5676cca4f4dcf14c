//! Formats a table for a terminal: aligns the columns that fit, and counts the rest in a last line.
//!
//! The first rows decide the width of each column, so a table of any length can be streamed.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use raudal_common::error::printable;

/// Number of rows that decide the widths.
const SAMPLE: usize = 200;

/// A cell is cut beyond this width, so that one long text does not push the rest off the screen.
const WIDEST: usize = 40;

const GAP: &str = "  ";

pub(super) struct Terminal {
    width: Option<usize>,
    header: Vec<String>,
    waiting: Vec<Vec<String>>,
    /// The widths of the visible columns, once decided.
    widths: Option<Vec<usize>>,
    rows: u64,
}

impl Terminal {
    pub(super) fn new(width: Option<usize>) -> Self {
        Self { width, header: Vec::new(), waiting: Vec::new(), widths: None, rows: 0 }
    }

    pub(super) fn header(&mut self, names: &[&str]) {
        self.header = names.iter().map(|name| printable(name)).collect();
    }

    /// Takes a row. Returns the text to print now.
    pub(super) fn row(&mut self, row: &[String]) -> String {
        self.rows += 1;
        let row: Vec<String> = row.iter().map(|cell| printable(cell)).collect();
        if let Some(widths) = &self.widths {
            return line(&row, widths, number);
        }
        self.waiting.push(row);
        if self.waiting.len() < SAMPLE { String::new() } else { self.begin() }
    }

    /// Returns the rest of the text to print, with the last line.
    pub(super) fn finish(&mut self) -> String {
        if self.header.is_empty() {
            return String::new();
        }
        let mut text = if self.widths.is_none() { self.begin() } else { String::new() };
        let hidden = self.header.len() - self.widths.as_ref().map_or(0, Vec::len);
        let counted = |count: u64, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        text.push_str(&counted(self.rows, "row"));
        if hidden > 0 {
            text.extend(["; ", &counted(hidden as u64, "more column"), " not shown"]);
        }
        text.push('\n');
        text
    }

    /// Decides the widths. Returns the header, its rule and the waiting rows.
    fn begin(&mut self) -> String {
        let mut widths = Vec::new();
        let mut used = 0;
        for (at, name) in self.header.iter().enumerate() {
            let cells = self.waiting.iter().filter_map(|row| row.get(at));
            let widest = cells.map(|cell| cell.width()).chain([name.width(), 1]).max().unwrap_or(1).min(WIDEST);
            used += widest + if at == 0 { 0 } else { GAP.len() };
            match self.width {
                // The first column is always shown, cut if necessary.
                Some(width) if used > width && at == 0 => widths.push(width.max(1)),
                Some(width) if used > width => break,
                _ => widths.push(widest),
            }
        }
        let numbers: Vec<bool> = (0..widths.len())
            .map(|at| {
                let count = self.waiting.iter().filter(|row| row.get(at).is_some_and(|cell| number(cell))).count();
                count * 2 > self.waiting.len()
            })
            .collect();
        let mut columns = numbers.iter();
        let mut text = line(&self.header, &widths, |_| columns.next().copied().unwrap_or_default());
        let rules: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
        text.push_str(&rules.join(GAP));
        text.push('\n');
        for row in self.waiting.drain(..) {
            text.push_str(&line(&row, &widths, number));
        }
        self.widths = Some(widths);
        text
    }
}

fn line(cells: &[String], widths: &[usize], mut right: impl FnMut(&str) -> bool) -> String {
    let mut text = String::new();
    for (at, (cell, width)) in cells.iter().zip(widths).enumerate() {
        let right = right(cell);
        let cut = cut(cell, *width);
        let padding = " ".repeat(width.saturating_sub(cut.width()));
        let gap = if at == 0 { "" } else { GAP };
        let (before, after) = if right { (padding.as_str(), "") } else { ("", padding.as_str()) };
        text.extend([gap, before, &cut, after]);
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// Cuts the text to a width, with `…` in place of the rest.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut used = 1;
    let kept = text.chars().take_while(|c| {
        used += c.width().unwrap_or(0);
        used <= width
    });
    kept.chain(['…']).collect()
}

/// Whether a cell looks like a number: digits with a sign before and points and commas between.
fn number(cell: &str) -> bool {
    let digits = cell.trim().trim_start_matches(['-', '+']);
    digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | ','))
}
