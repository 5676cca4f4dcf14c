//! JSON Lines, and JSON as one array.

use std::fmt as std_fmt;
use std::io::{BufRead, BufReader, Read};

use serde::Deserializer as _;
use serde::de::{IgnoredAny, MapAccess, Visitor};

use super::output::{Old, Output};
use super::schema::{Column, Schema, Value};
use super::types::Type;
use super::writer::{Bytes, Ending, Row, Writer};
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
    rows: u64,
    line: Vec<u8>,
}

impl Json {
    pub(super) fn new(mut output: Output, array: bool) -> Result<Self> {
        let existing = match output.take_old() {
            None => None,
            Some(old) => {
                let existing = keys(&old)?;
                if output.copy(&mut old.reader()?)? != Some(b'\n') {
                    output.write(b"\n")?;
                }
                Some(existing)
            }
        };
        Ok(Self { output, array, schema: Schema::default(), keys: Vec::new(), existing, rows: 0, line: Vec::new() })
    }
}

impl Writer for Json {
    fn existing(&self) -> Option<&[Column]> {
        self.existing.as_deref()
    }

    fn begin(&mut self, schema: &Schema) -> Result<()> {
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

/// Reads the keys of the first object of an existing file, in their order.
fn keys(old: &Old) -> Result<Vec<Column>> {
    let bad = || Error::new(Kind::Csv, "the first line of the existing file is not a JSON object").input(old.name());
    let mut line = Vec::new();
    BufReader::new(old.reader()?)
        .take(LONGEST_LINE)
        .read_until(b'\n', &mut line)
        .map_err(|error| Error::io("cannot read the existing file", error).input(old.name()))?;
    let keys =
        serde_json::Deserializer::from_slice(&line).deserialize_map(Keys).map_err(|error| bad().because(error))?;
    Ok(keys.into_iter().map(|name| Column { name, of_type: Type::Text }).collect())
}

/// Collects the keys of an object.
struct Keys;

impl<'de> Visitor<'de> for Keys {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut std_fmt::Formatter<'_>) -> std_fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<String>, A::Error> {
        let mut keys = Vec::new();
        while let Some((key, IgnoredAny)) = map.next_entry()? {
            keys.push(key);
        }
        Ok(keys)
    }
}
