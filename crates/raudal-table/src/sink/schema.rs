//! The columns of the output, and what their cells are worth.

use std::borrow::Cow;

use super::options::SinkOptions;
use super::types::{Type, days};
use crate::column_names::Names;
use crate::columns::{find, shown};
use crate::numbers::Numbers;
use raudal_common::{Error, Kind, Result};

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
    pub(super) fn name_types(&mut self, types: &[(String, Type)], names: Names) -> Result<()> {
        let known: Vec<String> = self.columns.iter().map(|column| column.name.clone()).collect();
        for (name, of_type) in types {
            let at = find(&known, name, names).map_err(|error| {
                let hint = error.hint_text().unwrap_or_default().to_owned();
                if hint.starts_with("did you mean") {
                    return error;
                }
                error.hint(format!("{hint}; [`types`] takes the names that the output has, after [`select`]"))
            })?;
            if let Some(column) = self.columns.get_mut(at) {
                column.of_type = *of_type;
            }
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
                .hint(format!(
                    "let [`null`] name the cells that stand for nothing{}; or leave the column out of [`types`]",
                    match column.of_type {
                        Type::Int if self.spelled(trimmed).is_some_and(|text| float(&text).is_some()) =>
                            ", or give the column the type float",
                        Type::Date => "; dates are written as 2020-03-15",
                        _ => ", [`decimal`] and [`thousands`] the marks of numbers",
                    }
                ))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_type_reads_what_people_write_and_refuses_the_rest() {
        let mut options = SinkOptions::new(crate::Format::Csv);
        options.null = vec!["*".into()];
        let mut schema = Schema::text(None, &["i".into(), "f".into(), "d".into()], &options);
        schema
            .name_types(
                &[("i".into(), Type::Int), ("f".into(), Type::Float), ("d".into(), Type::Date)],
                Names::default(),
            )
            .unwrap();
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
}
