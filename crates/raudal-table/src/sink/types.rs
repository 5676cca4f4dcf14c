//! The types of columns: as the caller names them, or decided on all rows.
//!
//! A cell is text. A type says how it is read: the cells of a column with a type are all of it, or
//! missing. Nothing is guessed from a sample, and no digit is lost without being asked for.

use std::fmt;
use std::str::FromStr;

use crate::columns::{shown, suggestion};
use raudal_common::{Error, Result};

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
        Err(Error::usage(format!("unknown type: {}", shown(text))).hint(suggestion(text, &names)))
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
            assert_eq!(text.parse::<Types>().unwrap_err().kind(), raudal_common::Kind::Usage, "{text}");
        }
    }
}
