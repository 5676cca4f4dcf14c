//! `auto`: decides the type of each column on all its cells.
//!
//! The rows wait in memory, then in a temporary file. A column has a type only if no cell would
//! lose anything by it.

use super::schema::{Column, Schema};
use super::types::{Type, days};
use super::writer::Row;
use crate::columns::shown;
use crate::rows::{Store, end_record, write_field};
use raudal_common::Result;

/// Bytes of rows held in memory before they move to a temporary file.
const MEMORY: usize = 1 << 20;
/// Whole numbers up to this are exact as a float.
const EXACT: u64 = 1 << 53;

/// The rows seen so far, and what they say about each column.
pub(super) struct Undecided {
    pub(super) schema: Schema,
    columns: Vec<Seen>,
    store: Store,
    /// Whether the first column holds the sources, which stay text.
    has_source: bool,
}

/// The cells of a column, counted by what they look like. Missing cells are not counted.
#[derive(Default)]
struct Seen {
    ints: Found,
    floats: Found,
    dates: Found,
    texts: Found,
    /// The first whole number that a float would round.
    big: Option<String>,
}

#[derive(Default)]
struct Found {
    count: u64,
    /// The first such cell, and where it is.
    first: Option<String>,
}

/// What a cell looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Looks {
    Int,
    /// A whole number above 2^53.
    BigInt,
    Float,
    Date,
    Text,
}

impl Undecided {
    pub(super) fn new(schema: Schema, has_source: bool) -> Self {
        let columns = schema.columns.iter().map(|_| Seen::default()).collect();
        Self { schema, columns, store: Store::new(MEMORY), has_source }
    }

    /// Takes a row. `source` and `number` say where it is from.
    pub(super) fn row(&mut self, row: &Row<'_>, source: &str, number: u64) -> Result<()> {
        let start = self.store.memory.len();
        for (at, cell) in row.cells().enumerate() {
            if at > 0 {
                self.store.memory.push(b',');
            }
            write_field(cell, b',', &mut self.store.memory);
            if let Some(seen) = self.columns.get_mut(at).filter(|_| at > 0 || !self.has_source) {
                let text = String::from_utf8_lossy(cell);
                if !self.schema.is_missing(&text) {
                    // What has other marks than those of numbers is looked at as it is: it may be a date.
                    let spelled = self.schema.spelled(&text);
                    let looks = match spelled {
                        Some(spelled) => looks(&spelled),
                        None if days(&text).is_some() => Looks::Date,
                        None => Looks::Text,
                    };
                    seen.cell(looks, &text, source, number);
                }
            }
        }
        end_record(start, &mut self.store.memory);
        self.store.spill()
    }

    /// Decides. Returns the schema, the rows, and why columns stay text that look otherwise.
    pub(super) fn decide(self) -> (Schema, Store, Vec<String>) {
        let mut notes = Vec::new();
        let mut schema = self.schema;
        for (column, seen) in schema.columns.iter_mut().zip(&self.columns) {
            column.of_type = seen.decide(column, &mut notes);
        }
        (schema, self.store, notes)
    }
}

impl Seen {
    fn cell(&mut self, looks: Looks, text: &str, source: &str, number: u64) {
        let found = match looks {
            Looks::Int | Looks::BigInt => &mut self.ints,
            Looks::Float => &mut self.floats,
            Looks::Date => &mut self.dates,
            Looks::Text => &mut self.texts,
        };
        found.count += 1;
        let place = || format!("{} ({}, kept row {number})", shown(text), raudal_common::error::redact(source));
        if found.first.is_none() {
            found.first = Some(place());
        }
        if looks == Looks::BigInt && self.big.is_none() {
            self.big = Some(place());
        }
    }

    fn decide(&self, column: &Column, notes: &mut Vec<String>) -> Type {
        let numbers = self.ints.count + self.floats.count;
        let all = numbers + self.dates.count + self.texts.count;
        if all == 0 {
            return Type::Text;
        }
        if self.dates.count == all {
            return Type::Date;
        }
        let name = shown(&column.name);
        if numbers == all {
            return match &self.big {
                _ if self.floats.count == 0 => Type::Int,
                None => Type::Float,
                Some(big) => {
                    notes.push(format!("column {name} stays text: it has fractions, and a float would round {big}"));
                    Type::Text
                }
            };
        }
        // Worth a word only where most cells look like something else than text.
        let (most, others) = if numbers >= self.dates.count {
            ((numbers, "numbers"), [&self.texts, &self.dates])
        } else {
            ((self.dates.count, "dates"), [&self.texts, if self.ints.count > 0 { &self.ints } else { &self.floats }])
        };
        if most.0 * 2 >= all
            && let Some(first) = others.iter().find_map(|found| found.first.as_ref())
        {
            let count = all - most.0;
            let cells = if count == 1 { "1 cell is".to_owned() } else { format!("{count} cells are") };
            let count_of = most.1;
            notes.push(format!("column {name} stays text: {cells} not among its {count_of}, the first: {first}"));
        }
        Type::Text
    }
}

/// Returns what a cell looks like. What a type could not give back is text.
pub(crate) fn looks(text: &str) -> Looks {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let bytes = unsigned.as_bytes();
    let whole = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if whole == 0 || (whole > 1 && bytes[0] == b'0') {
        return Looks::Text;
    }
    if whole == bytes.len() {
        return match text.parse::<i64>() {
            // `-0` would lose its sign.
            Ok(0) if text.starts_with('-') => Looks::Text,
            Ok(int) if int.unsigned_abs() > EXACT => Looks::BigInt,
            Ok(_) => Looks::Int,
            Err(_) => Looks::Text,
        };
    }
    if days(text).is_some() {
        return Looks::Date;
    }
    if is_exact(unsigned, whole) { Looks::Float } else { Looks::Text }
}

/// Returns whether a decimal with a fraction or an exponent survives as a float: digits, then `.`
/// and digits, then an exponent.
fn is_exact(text: &str, whole: usize) -> bool {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let fraction = match mantissa.get(whole..).unwrap_or_default() {
        "" => "",
        rest => match rest.strip_prefix('.') {
            Some(fraction) if digits(fraction) => fraction,
            _ => return false,
        },
    };
    if exponent.is_some_and(|exponent| !digits(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))) {
        return false;
    }
    let Ok(float) = text.parse::<f64>() else { return false };
    let all = [mantissa.get(..whole).unwrap_or_default(), fraction].concat();
    let significant = all.trim_matches('0');
    if !float.is_finite() || (float == 0.0) != significant.is_empty() {
        return false;
    }
    // Any 15 digits survive. 17 may: those of the shortest text that gives the same float.
    significant.len() <= 15 || {
        let shortest = format!("{float:e}");
        let shortest = shortest.split('e').next().unwrap_or_default().replace('.', "");
        shortest.trim_matches('0') == significant
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_type_could_not_give_back_is_text() {
        for (looks_like, cells) in [
            (Looks::Int, &["0", "-1", "7", "9007199254740992"][..]),
            (Looks::BigInt, &["9007199254740993", "-9223372036854775808"]),
            (
                Looks::Float,
                &["0.5", "-19.4326", "1.50", "2e3", "1.5E-7", "0.30000000000000004", "0.0", "123456789012345.5"],
            ),
            (Looks::Date, &["2020-02-29"]),
            (
                Looks::Text,
                &[
                    "007",
                    "00",
                    "-0",
                    "+1",
                    " 1",
                    "1 ",
                    "1.",
                    ".5",
                    "1,5",
                    "1.2.3",
                    "1e",
                    "e5",
                    "N/D",
                    "*",
                    "inf",
                    "NaN",
                    "9223372036854775808",
                    "0.1234567890123456789",
                    "1e999",
                    "1e-999",
                    "2020-02-30",
                    "00.5",
                    "-",
                    "1_000",
                    "12345678901234567.5",
                    "٣",
                ],
            ),
        ] {
            for cell in cells {
                assert_eq!(looks(cell), looks_like, "{cell}");
            }
        }
    }

    #[test]
    fn a_float_gives_back_the_digits_of_its_cell() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..20_000 {
            let (whole, fraction) = (random.u32(1..18), random.u32(1..18));
            let cell = format!("{}.{}", random.u64(0..10_u64.pow(whole)), random.u64(1..10_u64.pow(fraction)));
            if looks(&cell) == Looks::Float {
                let float: f64 = cell.parse().unwrap();
                let back = format!("{float}");
                assert_eq!(back.trim_end_matches('0'), cell.trim_end_matches('0'));
            }
        }
    }
}
