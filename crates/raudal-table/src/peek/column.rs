//! Guesses the kinds of columns from the cells of some rows.

use crate::nulls::Nulls;
use crate::numbers::Numbers;
use crate::sink::{Looks, Type, looks};

/// Cells that often stand for no value.
const TOKENS: [&str; 14] =
    ["*", "N/D", "N/A", "NA", "NULL", "null", "NaN", "nan", "-", "--", "..", "n.d.", "n/a", "s/d"];

/// A column, and what its cells look like.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeekColumn {
    /// Its name.
    pub name: String,
    /// What its cells look like, as far as they were looked at. A guess: the rest may differ.
    pub kind: Type,
    /// Whether its cells are digits and some begin with a zero: codes, which a number would damage.
    pub is_code: bool,
    /// Cells that were empty.
    pub empty: u64,
    /// Cells that look like a null, each once.
    pub nulls: Vec<String>,
    /// The first cell with a value.
    pub example: Option<String>,
}

/// Guesses the kinds of all columns.
pub(super) fn columns(header: &[String], rows: &[Vec<String>], numbers: &Numbers, nulls: &Nulls) -> Vec<PeekColumn> {
    header.iter().enumerate().map(|(at, name)| column(name, rows, at, numbers, nulls)).collect()
}

fn column(name: &str, rows: &[Vec<String>], at: usize, numbers: &Numbers, nulls: &Nulls) -> PeekColumn {
    let (mut empty, mut tokens, mut example) = (0, Vec::new(), None);
    // Whole numbers, fractions, dates, codes, texts.
    let mut counts = [0_u64; 5];
    for cell in rows.iter().filter_map(|row| row.get(at)) {
        let text = cell.trim();
        if text.is_empty() {
            empty += 1;
        } else if nulls.contains(text) || TOKENS.contains(&text) {
            if !nulls.contains(text) && !tokens.iter().any(|token| token == text) {
                tokens.push(text.to_owned());
            }
        } else {
            example.get_or_insert_with(|| cell.clone());
            counts[class(text, numbers)] += 1;
        }
    }
    let [ints, floats, dates, codes, texts] = counts;
    let kind = match (ints + floats > 0, dates > 0, codes + texts > 0) {
        (true, false, false) if floats == 0 => Type::Int,
        (true, false, false) => Type::Float,
        (false, true, false) => Type::Date,
        _ => Type::Text,
    };
    // Among texts, such a cell is a text.
    let nulls = if kind == Type::Text { Vec::new() } else { tokens };
    let is_code = codes > 0 && dates + texts + floats == 0;
    PeekColumn { name: name.to_owned(), kind, is_code, empty, nulls, example }
}

fn class(text: &str, numbers: &Numbers) -> usize {
    let plain = if numbers.is_plain() { Some(text.into()) } else { numbers.plain(text) };
    let looks = match plain.as_deref().map(looks) {
        Some(looks) => looks,
        None => match looks(text) {
            Looks::Date => Looks::Date,
            // With other marks it would be a number.
            _ => Looks::Text,
        },
    };
    match looks {
        Looks::Int | Looks::BigInt => 0,
        Looks::Float => 1,
        Looks::Date => 2,
        Looks::Text if text.len() > 1 && text.bytes().all(|byte| byte.is_ascii_digit()) => 3,
        Looks::Text => 4,
    }
}

/// Returns how the numbers are written: the way that makes the most columns numbers.
///
/// `1,234` may be either. Between commas it is rather a thousand, for a fraction would be written with a point there.
pub(super) fn numbers(header: &[String], rows: &[Vec<String>], nulls: &Nulls, delimiter: u8) -> Numbers {
    let mut ways = [('.', None), (',', None), (',', Some('.')), ('.', Some(','))];
    if delimiter == b',' {
        ways.swap(1, 3);
    }
    let score = |numbers: &Numbers| {
        let found = columns(header, rows, numbers, nulls);
        found.iter().filter(|column| matches!(column.kind, Type::Int | Type::Float)).count()
    };
    let ways = ways.map(|(decimal, thousands)| Numbers { decimal, thousands });
    let scored = ways.into_iter().map(|numbers| (score(&numbers), numbers));
    // Of two that are as good, the first one.
    let best = scored.reduce(|best, next| if next.0 > best.0 { next } else { best });
    best.map(|(_, numbers)| numbers).unwrap_or_default()
}

/// Whether the names are no names, but the cells of a row: all of them numbers or dates, and not years, which are often
/// names.
pub(super) fn is_row(header: &[String]) -> bool {
    let numbers = Numbers::default();
    let is_value = |name: &String| !name.trim().is_empty() && class(name.trim(), &numbers) < 4;
    let is_year = |name: &String| name.trim().parse::<u16>().is_ok_and(|year| (1900..2100).contains(&year));
    header.iter().all(is_value) && !header.iter().all(is_year)
}
