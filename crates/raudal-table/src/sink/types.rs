//! The types of columns: as the caller names them, or decided on all rows.
//!
//! A cell is text. A type says how it is read: the cells of a column with a type are all of it, or
//! missing. Nothing is guessed from a sample, and no digit is lost without being asked for.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use super::options::SinkOptions;
use crate::column_names::Names;
use crate::columns::{find, nearest, shown};
use crate::numbers::Numbers;
use raudal_common::{Error, Kind, Result};

/// The type of a column.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Type {
    /// Text, as it stands in the input. An empty cell is an empty text.
    #[default]
    Text,
    /// A whole number of 64 bits.
    Int,
    /// A number of 64 bits with a point: `19.4326`, `-1`, `2.5e3`.
    Float,
    /// A day: `2020-03-15`.
    Date,
}

impl Type {
    const NAMES: [(&'static str, Self); 4] =
        [("text", Self::Text), ("int", Self::Int), ("float", Self::Float), ("date", Self::Date)];
}

impl FromStr for Type {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Some((_, found)) = Self::NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
            return Ok(*found);
        }
        let names = Self::NAMES.map(|(name, _)| name);
        let near = nearest(text, &names);
        let hint = if near.is_empty() {
            format!("one of {}", names.join(", "))
        } else {
            format!("did you mean {}?", near.join(" or "))
        };
        Err(Error::usage(format!("no such type: {}", shown(text))).hint(hint))
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(Self::NAMES.iter().find(|(_, found)| found == self).map_or("", |(name, _)| name))
    }
}

/// Which columns are other than text.
///
/// ```
/// use raudal_table::{Type, Types};
///
/// let types: Types = r#"POBTOT:int, "lat, north":float, FECHA:date"#.parse()?;
/// let Types::Named(named) = &types else { panic!() };
/// assert_eq!(named[1], ("lat, north".to_owned(), Type::Float));
/// assert_eq!("auto".parse::<Types>()?, Types::Auto);
/// assert!("POBTOT:number".parse::<Types>().is_err());
/// # Ok::<(), raudal_common::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Types {
    /// None: every column is text.
    #[default]
    Text,
    /// Decided on all rows. They are held in a temporary file until then.
    ///
    /// A column is whole numbers, numbers or days if all its cells are. Leading zeros, blanks, or
    /// more digits than the type holds keep it text.
    Auto,
    /// These columns. A cell that is not of its column's type fails its input.
    Named(Vec<(String, Type)>),
}

impl FromStr for Types {
    type Err = Error;

    /// Parses `auto`, or names and types: `POBTOT:int, LAT:float`. A name with a comma or a colon
    /// stands in double quotes or backticks.
    fn from_str(text: &str) -> Result<Self> {
        if text.trim().eq_ignore_ascii_case("auto") {
            return Ok(Self::Auto);
        }
        let mut named: Vec<(String, Type)> = Vec::new();
        for part in split(text)? {
            let bad = || {
                Error::usage(format!("not a column and its type: {}", shown(part.trim())))
                    .hint("write COLUMN:TYPE, such as POBTOT:int, or auto")
            };
            let (name, of_type) = part.rsplit_once(':').ok_or_else(bad)?;
            let name = unquoted(name.trim());
            if name.is_empty() {
                return Err(bad());
            }
            if named.iter().any(|(before, _)| *before == name) {
                return Err(Error::usage(format!("a column has two types: {}", shown(&name))));
            }
            named.push((name, of_type.trim().parse()?));
        }
        Ok(if named.is_empty() { Self::Text } else { Self::Named(named) })
    }
}

/// Splits a list at its commas, but not within quotes.
fn split(text: &str) -> Result<Vec<&str>> {
    let (mut parts, mut start, mut open) = (Vec::new(), 0, None);
    for (at, c) in text.char_indices() {
        match (c, open) {
            ('"' | '`', None) => open = Some(c),
            (c, Some(quote)) if c == quote => open = None,
            (',', None) => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    if open.is_some() {
        return Err(Error::usage(format!("a quote in the list of types never closes: {}", shown(text))));
    }
    parts.push(&text[start..]);
    parts.retain(|part| !part.trim().is_empty());
    Ok(parts)
}

/// Returns the name without quotes around it; a doubled quote within stands for one.
fn unquoted(name: &str) -> String {
    for quote in ['"', '`'] {
        if let Some(inner) = name.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote)) {
            return inner.replace(&format!("{quote}{quote}"), &quote.to_string());
        }
    }
    name.to_owned()
}

/// A column of the output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) of_type: Type,
}

/// The columns of the output, and which cells are missing.
#[derive(Clone, Debug, Default)]
pub(super) struct Schema {
    pub(super) columns: Vec<Column>,
    pub(super) null: Vec<String>,
    /// How cells write numbers.
    pub(super) numbers: Numbers,
}

/// A cell, read as its column's type says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Value<'a> {
    Null,
    Text(&'a str),
    Int(i64),
    Float(f64),
    /// Days since 1970-01-01.
    Date(i32),
}

impl Schema {
    /// Creates a schema of text. `source` is the name of the source column.
    pub(super) fn text(source: Option<&str>, header: &[String], options: &SinkOptions) -> Self {
        let names = source.into_iter().chain(header.iter().map(String::as_str));
        let columns = names.map(|name| Column { name: name.to_owned(), of_type: Type::Text }).collect();
        Self { columns, null: options.null.clone(), numbers: options.numbers.clone() }
    }

    /// Gives the named columns their types.
    pub(super) fn name_types(&mut self, named: &[(String, Type)]) -> Result<()> {
        let known: Vec<String> = self.columns.iter().map(|column| column.name.clone()).collect();
        for (name, of_type) in named {
            self.columns[find(&known, name, Names::default())?].of_type = *of_type;
        }
        Ok(())
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str())
    }

    pub(super) fn is_all_text(&self) -> bool {
        self.columns.iter().all(|column| column.of_type == Type::Text)
    }

    /// Reads the cell of a column.
    pub(super) fn value<'a>(&self, at: usize, cell: &'a [u8]) -> Result<Value<'a>> {
        let Some(column) = self.columns.get(at) else {
            return Err(Error::new(Kind::Internal, "a row has more cells than the table has columns"));
        };
        // The text was validated when it was read.
        let text = std::str::from_utf8(cell)
            .map_err(|error| Error::new(Kind::Internal, "a row held aside is not UTF-8").because(error))?;
        if column.of_type == Type::Text {
            return Ok(Value::Text(text));
        }
        if self.is_missing(text) {
            return Ok(Value::Null);
        }
        let trimmed = text.trim_ascii();
        let value = match column.of_type {
            Type::Text => None,
            Type::Int => self.spelled(trimmed).and_then(|text| text.parse().ok()).map(Value::Int),
            Type::Float => self.spelled(trimmed).and_then(|text| float(&text)).map(Value::Float),
            Type::Date => days(trimmed).map(Value::Date),
        };
        value.ok_or_else(|| {
            Error::new(Kind::Csv, format!("this cell is not of the type {}: {}", column.of_type, shown(text)))
                .column(shown(&column.name))
                .hint(
                    "let [`null`] name the cells that stand for nothing, [`decimal`] and [`thousands`] the marks of \
                     numbers; or leave the column out of [`types`]",
                )
        })
    }

    /// Returns a number in the usual spelling, with a point and without groups; `None` for what has other marks.
    pub(super) fn spelled<'a>(&self, cell: &'a str) -> Option<Cow<'a, str>> {
        if self.numbers.is_plain() { Some(Cow::Borrowed(cell)) } else { self.numbers.plain(cell) }
    }

    pub(super) fn is_missing(&self, cell: &str) -> bool {
        cell.trim_ascii().is_empty() || self.null.iter().any(|null| null == cell)
    }
}

/// Parses a decimal number. Rejects `inf` and `nan`, which `f64` would accept.
fn float(text: &str) -> Option<f64> {
    let plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'));
    plain.then(|| text.parse().ok()).flatten().filter(|float: &f64| float.is_finite())
}

/// Parses a day of the Gregorian calendar, as days since 1970-01-01.
pub(super) fn days(text: &str) -> Option<i32> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| {
        let digits = bytes.get(from..to)?;
        digits.iter().try_fold(0, |sum, digit| digit.is_ascii_digit().then(|| sum * 10 + i32::from(digit - b'0')))
    };
    if bytes.len() != 10 || bytes.get(4) != Some(&b'-') || bytes.get(7) != Some(&b'-') {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let longest = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    if year == 0 || !(1..=longest).contains(&day) {
        return None;
    }
    // Days from the civil calendar, as Howard Hinnant derives them ("chrono-compatible low-level
    // date algorithms"). Years begin in March, so that a leap day is the last one.
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_as_the_calendar_has_them() {
        for (text, count) in [
            ("1970-01-01", 0),
            ("1969-12-31", -1),
            ("2000-02-29", 11_016),
            ("2020-03-15", 18_336),
            ("0001-01-01", -719_162),
            ("9999-12-31", 2_932_896),
        ] {
            assert_eq!(days(text), Some(count), "{text}");
        }
        for text in [
            "1900-02-29",
            "2020-13-01",
            "2020-00-10",
            "2020-04-31",
            "2020-4-1",
            "20200401",
            "0000-01-01",
            "2020-01-0x",
            "15/03/2020",
            "2020-01-01 ",
        ] {
            assert_eq!(days(text), None, "{text}");
        }
    }

    #[test]
    fn a_named_type_reads_what_people_write_and_refuses_the_rest() {
        let mut options = SinkOptions::new(crate::Format::Csv);
        options.null = vec!["*".into()];
        let mut schema = Schema::text(None, &["i".into(), "f".into(), "d".into()], &options);
        schema.name_types(&[("i".into(), Type::Int), ("f".into(), Type::Float), ("d".into(), Type::Date)]).unwrap();
        for (at, cell, value) in [
            (0, "007", Value::Int(7)),
            (0, " -3 ", Value::Int(-3)),
            (0, "", Value::Null),
            (0, "  ", Value::Null),
            (0, "*", Value::Null),
            (1, "1", Value::Float(1.0)),
            (1, "-.5e1", Value::Float(-5.0)),
            (2, "2020-03-15", Value::Date(18_336)),
        ] {
            assert_eq!(schema.value(at, cell.as_bytes()).unwrap(), value, "{cell:?}");
        }
        for (at, cell) in [
            (0, "1.5"),
            (0, "9223372036854775808"),
            (0, "N/D"),
            (1, "inf"),
            (1, "NaN"),
            (1, "1e999"),
            (1, "1,5"),
            (2, "15/03/2020"),
        ] {
            let error = schema.value(at, cell.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), Kind::Csv, "{cell:?}");
            assert!(error.to_string().ends_with(cell) && error.hint_text().is_some(), "{error}");
        }
    }

    #[test]
    fn a_list_of_types_is_parsed_with_its_quotes() {
        let named = |text: &str| match text.parse::<Types>() {
            Ok(Types::Named(named)) => named,
            other => panic!("{text}: {other:?}"),
        };
        assert_eq!(named("a:int,b : FLOAT,"), [("a".into(), Type::Int), ("b".into(), Type::Float)]);
        assert_eq!(named("a:b:int"), [("a:b".into(), Type::Int)]);
        assert_eq!(
            named("`x,y`:date, \"say \"\"hi\"\"\":text"),
            [("x,y".into(), Type::Date), ("say \"hi\"".into(), Type::Text)]
        );
        assert_eq!("".parse::<Types>().unwrap(), Types::Text);
        for text in ["a", "a:", ":int", "a:integer9", "a:int,a:float", "\"a:int", "a:"] {
            assert_eq!(text.parse::<Types>().unwrap_err().kind(), Kind::Usage, "{text}");
        }
    }
}
