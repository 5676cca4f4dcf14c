//! The filter's own tree, and its result for a row: true, false or null.

use std::cmp::Ordering;

use regex::bytes::Regex;

use super::cells::Cells;
use super::number::{Number, few_digits};
use super::operand::Operand;

/// An expression. A column is an index into the filter's list of columns.
#[derive(Clone, Debug)]
pub(super) enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    /// The most common comparison.
    Compare {
        column: usize,
        test: Test,
        with: Literal,
    },
    Operands {
        left: Operand,
        test: Test,
        right: Operand,
        by: By,
    },
    In {
        column: usize,
        list: Vec<Literal>,
    },
    Null(Operand),
    Like {
        of: Operand,
        pattern: Vec<Like>,
        fold: bool,
    },
    Matches {
        of: Operand,
        regex: Regex,
    },
    Starts {
        of: Operand,
        with: String,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Test {
    Equal,
    Unequal,
    Less,
    AtMost,
    More,
    AtLeast,
}

/// What two operands are compared as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    Number,
    Text,
    Date,
}

#[derive(Clone, Debug)]
pub(super) enum Literal {
    /// The text of a valid number.
    Number(String),
    Text(String),
}

/// A part of a `like` pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Like {
    /// `%`: any characters.
    Any,
    /// `_`: one character.
    One,
    Just(char),
}

impl Test {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::Unequal => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::AtMost => order.is_le(),
            Self::More => order.is_gt(),
            Self::AtLeast => order.is_ge(),
        }
    }

    /// Returns the test for swapped sides.
    pub(super) fn turned(self) -> Self {
        match self {
            Self::Less => Self::More,
            Self::AtMost => Self::AtLeast,
            Self::More => Self::Less,
            Self::AtLeast => Self::AtMost,
            same => same,
        }
    }
}

impl Literal {
    /// Compares the cell of a column with the literal; `None` if the cell is null, or not of its
    /// kind.
    fn order(&self, cells: &Cells, column: usize) -> Option<Ordering> {
        match self {
            // A text that means null itself can only be meant as the text.
            Self::Text(text) if cells.is_null(column) && !cells.means_null(text) => None,
            Self::Text(text) => Some(cells.text(column).cmp(text.as_bytes())),
            Self::Number(number) => match (cells.few_digits(column), few_digits(number.as_bytes())) {
                (Some(cell), Some(number)) => Some(cell.cmp(&number)),
                _ => Some(cells.number(column)?.compare(&Number::parse(number.as_bytes())?)),
            },
        }
    }
}

impl Node {
    /// Evaluates a row in Kleene's three-valued logic: null means unknown.
    pub(super) fn eval(&self, cells: &Cells) -> Option<bool> {
        match self {
            Self::All(nodes) => decide(nodes.iter().map(|node| node.eval(cells)), false, cells.looks_at_all()),
            Self::Any(nodes) => decide(nodes.iter().map(|node| node.eval(cells)), true, cells.looks_at_all()),
            Self::Not(node) => node.eval(cells).map(|truth| !truth),
            Self::Compare { column, test, with } => with.order(cells, *column).map(|order| test.holds(order)),
            Self::In { column, list } => {
                decide(list.iter().map(|literal| literal.order(cells, *column).map(Ordering::is_eq)), true, false)
            }
            other => other.eval_rare(cells),
        }
    }

    /// Evaluates what is rarer. It is apart so that the usual comparisons need little of the stack.
    #[inline(never)]
    fn eval_rare(&self, cells: &Cells) -> Option<bool> {
        match self {
            Self::Operands { left, test, right, by } => {
                let order = match by {
                    By::Number => left.compare_numbers(right, cells)?,
                    By::Text => left.text(cells)?.cmp(&right.text(cells)?),
                    By::Date => left.date(cells)?.cmp(&right.date(cells)?),
                };
                Some(test.holds(order))
            }
            Self::Null(of) => Some(of.is_null(cells)),
            Self::Like { of, pattern, fold } => {
                let text = of.text(cells)?;
                let text = String::from_utf8_lossy(&text);
                let text: Vec<char> =
                    if *fold { text.to_lowercase().chars().collect() } else { text.chars().collect() };
                Some(like(&text, pattern))
            }
            Self::Matches { of, regex } => Some(regex.is_match(&of.text(cells)?)),
            Self::Starts { of, with } => Some(of.text(cells)?.starts_with(with.as_bytes())),
            Self::All(_) | Self::Any(_) | Self::Not(_) | Self::Compare { .. } | Self::In { .. } => self.eval(cells),
        }
    }
}

/// Returns `decisive` if any value is; else null if any is null; else the opposite. Asks for all
/// values if `all`, even if one decides.
#[inline]
fn decide(mut truths: impl Iterator<Item = Option<bool>>, decisive: bool, all: bool) -> Option<bool> {
    let mut whole = Some(!decisive);
    while let Some(truth) = truths.next() {
        match truth {
            Some(truth) if truth == decisive => {
                if all {
                    truths.for_each(drop);
                }
                return Some(decisive);
            }
            None => whole = None,
            Some(_) => {}
        }
    }
    whole
}

/// Matches without recursion: on a mismatch, the last `%` takes one more character.
fn like(cell: &[char], pattern: &[Like]) -> bool {
    let (mut at, mut part, mut retry) = (0, 0, None);
    while at < cell.len() {
        match pattern.get(part) {
            Some(Like::Any) => {
                retry = Some((at, part + 1));
                part += 1;
                continue;
            }
            Some(Like::One) => {}
            Some(Like::Just(c)) if *c == cell[at] => {}
            _ => match retry {
                Some((from, after)) => {
                    retry = Some((from + 1, after));
                    (at, part) = (from + 1, after);
                    continue;
                }
                None => return false,
            },
        }
        at += 1;
        part += 1;
    }
    pattern[part.min(pattern.len())..].iter().all(|part| *part == Like::Any)
}
