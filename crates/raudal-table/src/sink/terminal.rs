//! Formats a table for a terminal: aligns the columns that fit, and counts the rest in a last line.
//!
//! The first rows decide the width of each column, so a table of any length can be streamed. If not
//! all columns fit, those are shown that matter: the ones that were chosen, else those that tell
//! rows apart (names, codes) and the first numbers. Their order stays.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::options::SinkOptions;
use super::output::Output;
use super::schema::Schema;
use super::writer::{Bytes, Ending, Row, Writer};
use raudal_common::Result;
use raudal_common::error::printable;

/// Number of rows that decide the widths.
const SAMPLE: usize = 200;

/// A cell is cut beyond this width, so that one long text does not push the rest off the screen.
const WIDEST: usize = 40;

/// The same, where not all columns fit.
const WIDEST_OF_MANY: usize = 24;

const GAP: &str = "  ";

pub(super) struct Terminal {
    output: Output,
    width: Option<usize>,
    truncate: bool,
    /// Whether the first columns matter most, since they were chosen.
    chosen: bool,
    /// Whether the first column holds the sources.
    has_source: bool,
    header: Vec<String>,
    waiting: Vec<Vec<String>>,
    /// The visible columns, once decided.
    visible: Option<Vec<Visible>>,
    rows: u64,
}

/// A visible column.
struct Visible {
    at: usize,
    width: usize,
    /// Whether most of its cells are numbers, so that its name stands above them.
    number: bool,
}

impl Terminal {
    pub(super) fn new(output: Output, options: &SinkOptions) -> Self {
        Self {
            output,
            width: options.width.filter(|_| options.truncate),
            truncate: options.truncate,
            chosen: options.columns_chosen,
            has_source: options.source_column.is_some(),
            header: Vec::new(),
            waiting: Vec::new(),
            visible: None,
            rows: 0,
        }
    }

    /// Decides the columns and their widths. Returns the header, its rule and the waiting rows.
    fn begin_rows(&mut self) -> String {
        let visible = self.choose();
        let mut text = line(&self.header, &visible, |column, _| column.number);
        let rules: Vec<String> = visible.iter().map(|column| "─".repeat(column.width)).collect();
        text.push_str(&rules.join(GAP));
        text.push('\n');
        for row in self.waiting.drain(..) {
            text.push_str(&line(&row, &visible, |_, cell| number(cell)));
        }
        self.visible = Some(visible);
        text
    }

    fn choose(&self) -> Vec<Visible> {
        let count = self.header.len();
        let all: Vec<Seen> = (0..count).map(|at| self.seen(at)).collect();
        let widest = if self.truncate { WIDEST } else { usize::MAX };
        let visible = |at: usize, widest: usize| Visible {
            at,
            width: all[at].width.min(widest),
            number: all[at].numbers * 2 > self.waiting.len(),
        };
        let columns: Vec<Visible> = (0..count).map(|at| visible(at, widest)).collect();
        let Some(width) = self.width else { return columns };
        let needed = |columns: &[Visible]| {
            columns.iter().map(|column| column.width).sum::<usize>() + GAP.len() * columns.len().saturating_sub(1)
        };
        if needed(&columns) <= width {
            return columns;
        }
        let (order, widest): (Vec<(usize, usize)>, usize) = if self.chosen {
            ((0..count).map(|at| (at, width)).collect(), widest)
        } else {
            (self.by_weight(&all, width), widest.min(WIDEST_OF_MANY))
        };
        let mut fitting: Vec<Visible> = Vec::new();
        let mut used = 0;
        for (at, most) in order {
            let column = visible(at, widest);
            let sum = used + column.width + if fitting.is_empty() { 0 } else { GAP.len() };
            if sum <= width.min(most) {
                used = sum;
                fitting.push(column);
            } else if self.chosen {
                break;
            }
        }
        if fitting.is_empty() {
            // The first column is always shown, cut if necessary.
            return vec![visible(0, width.max(1))];
        }
        fitting.sort_unstable_by_key(|column| column.at);
        fitting
    }

    /// Returns the columns, the weightiest first, each with the width that may be used with it.
    fn by_weight(&self, all: &[Seen], width: usize) -> Vec<(usize, usize)> {
        let of = |class: Class, most: usize| {
            (0..all.len()).filter(move |at| self.class(*at, &all[*at]) == class).map(move |at| (at, most))
        };
        // Names take no more than half, so that numbers stand beside them. What is left over goes
        // to the rest.
        let first = of(Class::Source, width).chain(of(Class::Name, width / 2)).chain(of(Class::Number, width));
        let mut order: Vec<(usize, usize)> = first.collect();
        order.extend(of(Class::Name, width).chain(of(Class::Dull, width)));
        let mut taken = vec![false; all.len()];
        // A name that did not fit into the half gets a second chance, so it is in the list twice.
        order.retain(|(at, most)| *most < width || !std::mem::replace(&mut taken[*at], true));
        order
    }

    fn class(&self, at: usize, seen: &Seen) -> Class {
        if at == 0 && self.has_source {
            Class::Source
        } else if seen.filled == 0 || (seen.constant && self.waiting.len() > 1) {
            Class::Dull
        } else if seen.numbers * 2 > seen.filled && seen.codes == 0 {
            Class::Number
        } else {
            Class::Name
        }
    }

    fn seen(&self, at: usize) -> Seen {
        let name = self.header.get(at).map_or("", String::as_str);
        let mut seen = Seen { width: name.width().max(1), constant: true, ..Seen::default() };
        let first = self.waiting.first().and_then(|row| row.get(at));
        for cell in self.waiting.iter().filter_map(|row| row.get(at)) {
            seen.width = seen.width.max(cell.width());
            seen.filled += usize::from(!cell.trim().is_empty());
            seen.numbers += usize::from(number(cell));
            seen.codes += usize::from(code(cell));
            seen.constant &= Some(cell) == first;
        }
        seen
    }
}

/// What the first rows say about a column.
#[derive(Default)]
struct Seen {
    width: usize,
    filled: usize,
    numbers: usize,
    /// Cells of digits that begin with a zero: the code of something.
    codes: usize,
    constant: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Source,
    /// A text or a code that tells rows apart.
    Name,
    Number,
    /// Empty, or the same in all rows.
    Dull,
}

impl Writer for Terminal {
    fn begin(&mut self, schema: &Schema) -> Result<()> {
        self.header = schema.names().map(printable).collect();
        Ok(())
    }

    fn row(&mut self, row: &Row<'_>) -> Result<()> {
        self.rows += 1;
        let row: Vec<String> = row.cells().map(|cell| printable(&String::from_utf8_lossy(cell))).collect();
        let text = if let Some(visible) = &self.visible {
            line(&row, visible, |_, cell| number(cell))
        } else {
            self.waiting.push(row);
            if self.waiting.len() < SAMPLE {
                return Ok(());
            }
            self.begin_rows()
        };
        self.output.write(text.as_bytes())
    }

    fn input_done(&mut self) -> Result<()> {
        self.output.input_done()
    }

    fn finish(mut self: Box<Self>, ending: Ending) -> Result<Option<Bytes>> {
        if !self.header.is_empty() {
            let mut text = if self.visible.is_none() { self.begin_rows() } else { String::new() };
            let hidden = self.header.len() - self.visible.as_ref().map_or(0, Vec::len);
            let counted = |count: u64, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
            text.push_str(&counted(self.rows, "row"));
            if hidden > 0 {
                text.extend(["; ", &counted(hidden as u64, "more column"), " not shown"]);
            }
            text.push('\n');
            self.output.write(text.as_bytes())?;
        }
        self.output.publish(ending).map(Some)
    }
}

fn line(cells: &[String], visible: &[Visible], right: impl Fn(&Visible, &str) -> bool) -> String {
    let mut text = String::new();
    for (place, column) in visible.iter().enumerate() {
        let cell = cells.get(column.at).map_or("", String::as_str);
        let right = right(column, cell);
        let cut = cut(cell, column.width);
        let padding = " ".repeat(column.width.saturating_sub(cut.width()));
        let gap = if place == 0 { "" } else { GAP };
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

/// Whether a cell is the code of something: digits that begin with a zero.
fn code(cell: &str) -> bool {
    cell.len() > 1 && cell.starts_with('0') && cell.bytes().all(|byte| byte.is_ascii_digit())
}
