//! JSON Lines, and JSON as one array.

use std::fmt as std_fmt;
use std::io::{BufRead, BufReader, Read};

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer as _};

use super::output::{Old, Output};
use super::schema::{Column, Schema, Value};
use super::types::Type;
use super::writer::{Bytes, Ending, Row, Writer};
use crate::column_names::quoted;
use raudal_common::{Error, Kind, Result};

/// A longer first line of an existing file is refused.
const LONGEST_LINE: u64 = 64 << 20;

pub(super) struct Json {
    output: Output,
    /// Whether the objects are in one array.
    array: bool,
    schema: Schema,
    /// The keys, each as JSON with its colon.
    keys: Vec<String>,
    existing: Option<Vec<Column>>,
    /// The keys of the existing file.
    held: Vec<Key>,
    rows: u64,
    line: Vec<u8>,
}

impl Json {
    pub(super) fn new(mut output: Output, array: bool) -> Result<Self> {
        let mut held = Vec::new();
        let existing = match output.take_old() {
            None => None,
            Some(old) => {
                held = keys(&old)?;
                let existing =
                    held.iter().map(|key| Column { name: key.name.clone(), of_type: key.of_type() }).collect();
                if output.copy(&mut old.reader()?)? != Some(b'\n') {
                    output.write(b"\n")?;
                }
                Some(existing)
            }
        };
        let (schema, keys, line) = (Schema::default(), Vec::new(), Vec::new());
        Ok(Self { output, array, schema, keys, existing, held, rows: 0, line })
    }

    /// Refuses values that are of another kind than those that the existing file has.
    fn check_kinds(&self, schema: &Schema) -> Result<()> {
        for (column, key) in schema.columns.iter().zip(&self.held) {
            let is_number = matches!(column.of_type, Type::Int | Type::Float);
            let what = match key.seen {
                Seen { other: true, .. } => "neither text nor numbers",
                Seen { text: true, number: Some(_), .. } => continue,
                Seen { text: true, .. } if is_number => "text",
                Seen { number: Some(_), .. } if !is_number => "numbers",
                _ => continue,
            };
            let error = format!("the existing file has {what} in this column: {}", quoted(&column.name));
            return Err(Error::new(Kind::Column, error)
                .hint("name the type that it has there with [`types`], or write another file"));
        }
        Ok(())
    }
}

impl Writer for Json {
    fn existing(&self) -> Option<&[Column]> {
        self.existing.as_deref()
    }

    fn begin(&mut self, schema: &Schema) -> Result<()> {
        self.check_kinds(schema)?;
        self.schema = schema.clone();
        self.keys = schema.names().map(|name| format!("{}:", serde_json::Value::from(name))).collect();
        Ok(())
    }

    fn row(&mut self, row: &Row<'_>) -> Result<()> {
        self.line.clear();
        if self.array {
            self.line.extend_from_slice(if self.rows == 0 { b"[\n" } else { b",\n" });
        }
        self.rows += 1;
        for (at, (key, cell)) in self.keys.iter().zip(row.cells()).enumerate() {
            self.line.push(if at == 0 { b'{' } else { b',' });
            self.line.extend_from_slice(key.as_bytes());
            let written = match self.schema.value(at, cell)? {
                Value::Null => serde_json::to_writer(&mut self.line, &()),
                Value::Text(text) => serde_json::to_writer(&mut self.line, text),
                Value::Int(int) => serde_json::to_writer(&mut self.line, &int),
                Value::Float(float) => serde_json::to_writer(&mut self.line, &float),
                // JSON has no dates: the text of the cell.
                Value::Date(_) => serde_json::to_writer(&mut self.line, String::from_utf8_lossy(cell).trim_ascii()),
            };
            written.map_err(|error| Error::io("cannot write JSON", error.into()))?;
        }
        if self.keys.is_empty() {
            self.line.push(b'{');
        }
        self.line.push(b'}');
        if !self.array {
            self.line.push(b'\n');
        }
        self.output.write(&self.line)
    }

    fn input_done(&mut self) -> Result<()> {
        self.output.input_done()
    }

    fn finish(mut self: Box<Self>, ending: Ending) -> Result<Option<Bytes>> {
        if self.array {
            self.output.write(if self.rows == 0 { b"[]\n" } else { b"\n]\n" })?;
        }
        self.output.publish(ending).map(Some)
    }
}

/// A key of the existing file, and the kinds of its values.
struct Key {
    name: String,
    seen: Seen,
}

/// The kinds of values. Null is none.
#[derive(Clone, Copy, Default)]
struct Seen {
    text: bool,
    /// Whole numbers; or floats if one has a point or an exponent, or more than 64 bits.
    number: Option<Type>,
    /// `true`, `false`, an array or an object.
    other: bool,
}

impl Key {
    /// The type that further values must have.
    fn of_type(&self) -> Type {
        self.seen.number.filter(|_| !self.seen.text).unwrap_or(Type::Text)
    }
}

/// Reads the keys of the first object of an existing file, in their order, and the kinds of their values in
/// all objects.
fn keys(old: &Old) -> Result<Vec<Key>> {
    let mut reader = BufReader::new(old.reader()?);
    let (mut keys, mut line, mut number): (Vec<Key>, Vec<u8>, u64) = (Vec::new(), Vec::new(), 0);
    loop {
        line.clear();
        let read = (&mut reader).take(LONGEST_LINE).read_until(b'\n', &mut line);
        if read.map_err(|error| Error::io("cannot read the existing file", error).input(old.name()))? == 0 {
            return Ok(keys);
        }
        number += 1;
        if number > 1 && line.trim_ascii().is_empty() {
            continue;
        }
        serde_json::Deserializer::from_slice(&line).deserialize_map(Object(&mut keys, number == 1)).map_err(
            |error| {
                Error::new(Kind::Csv, "a line of the existing file is not a JSON object")
                    .because(error)
                    .input(old.name())
                    .line(number)
                    .hint("rows are appended to JSON Lines: an object a line")
            },
        )?;
    }
}

/// Adds what an object has. The first one says which keys there are.
struct Object<'a>(&'a mut Vec<Key>, bool);

impl<'de> Visitor<'de> for Object<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std_fmt::Formatter<'_>) -> std_fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self(keys, is_first) = self;
        let mut at = 0;
        while let Some((name, value)) = map.next_entry::<String, Seen>()? {
            // Mostly, all objects have their keys in one order.
            let place = if keys.get(at).is_some_and(|key| key.name == name) {
                Some(at)
            } else {
                keys.iter().position(|key| key.name == name)
            };
            at += 1;
            match place.and_then(|place| keys.get_mut(place)) {
                Some(key) => {
                    key.seen.text |= value.text;
                    key.seen.other |= value.other;
                    if key.seen.number != Some(Type::Float) {
                        key.seen.number = value.number.or(key.seen.number);
                    }
                }
                None if is_first => keys.push(Key { name, seen: value }),
                None => {}
            }
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Seen {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

/// Tells the kind of a value.
struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Seen;

    fn expecting(&self, f: &mut std_fmt::Formatter<'_>) -> std_fmt::Result {
        f.write_str("a value")
    }

    fn visit_str<E>(self, _: &str) -> Result<Seen, E> {
        Ok(Seen { text: true, ..Seen::default() })
    }

    fn visit_i64<E>(self, _: i64) -> Result<Seen, E> {
        Ok(Seen { number: Some(Type::Int), ..Seen::default() })
    }

    fn visit_u64<E>(self, number: u64) -> Result<Seen, E> {
        let of_type = if i64::try_from(number).is_ok() { Type::Int } else { Type::Float };
        Ok(Seen { number: Some(of_type), ..Seen::default() })
    }

    fn visit_f64<E>(self, _: f64) -> Result<Seen, E> {
        Ok(Seen { number: Some(Type::Float), ..Seen::default() })
    }

    fn visit_bool<E>(self, _: bool) -> Result<Seen, E> {
        Ok(Seen { other: true, ..Seen::default() })
    }

    fn visit_unit<E>(self) -> Result<Seen, E> {
        Ok(Seen::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Seen, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Seen { other: true, ..Seen::default() })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Seen, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Seen { other: true, ..Seen::default() })
    }
}
