//! The rows of an input, written for another process and read back.
//!
//! A head in JSON, then the records as they are held: canonical CSV. Both have their length before
//! them.

use std::io::{Read, Write};

use serde::{Deserialize, Serialize};

use super::rows::{Rows, Store};
use raudal_common::{Error, Kind, Result};

/// A longer head is damage: names of columns and warnings take less.
const LONGEST_HEAD: u64 = 64 << 20;
/// Bytes read at a time.
const PIECE: u64 = 64 << 10;

/// All of [`Rows`] but the records.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    header: Vec<String>,
    rows_read: u64,
    rows_kept: u64,
    bytes: u64,
    members: Vec<String>,
    warnings: Vec<String>,
    notes: Vec<String>,
    missing: Vec<String>,
    replaced: Vec<String>,
    /// Bytes of the records.
    records: u64,
}

impl Rows {
    /// Writes the rows so that [`read_from`](Self::read_from) reads them back, in this or another
    /// process.
    ///
    /// # Errors
    ///
    /// Of kind [`Io`](Kind::Io), if the writer fails.
    ///
    /// ```
    /// use raudal_table::{Query, Rows, read};
    ///
    /// let rows = read(std::io::Cursor::new("a,b\n1,2\n"), "x.csv", &Query::new(), &())?;
    /// let mut sent = Vec::new();
    /// rows.write_to(&mut sent)?;
    /// let rows = Rows::read_from(&mut sent.as_slice(), 1 << 10)?;
    /// assert_eq!((rows.header(), rows.rows_kept()), (&["a".to_owned(), "b".to_owned()][..], 1));
    /// # Ok::<(), raudal_common::Error>(())
    /// ```
    pub fn write_to(mut self, writer: &mut impl Write) -> Result<()> {
        let written = |error| Error::io("cannot write the rows of an input", error);
        let head = Head {
            records: self.store.len(),
            header: self.header,
            rows_read: self.rows_read,
            rows_kept: self.rows_kept,
            bytes: self.bytes,
            members: self.members,
            warnings: self.warnings,
            notes: self.notes,
            missing: self.missing,
            replaced: self.replaced,
        };
        let head = serde_json::to_vec(&head)
            .map_err(|error| Error::new(Kind::Internal, "cannot write the rows of an input").because(error))?;
        writer.write_all(&(head.len() as u64).to_le_bytes()).and_then(|()| writer.write_all(&head)).map_err(written)?;
        std::io::copy(&mut self.store.reader()?, writer).map(drop).map_err(written)
    }

    /// Returns how many bytes of records are held, if all of them are in memory: writing those does not
    /// wait for a disk.
    ///
    /// ```
    /// let rows = raudal_table::read(std::io::Cursor::new("a\n1\n"), "x.csv", &raudal_table::Query::new(), &())?;
    /// assert_eq!(rows.in_memory(), Some(2));
    /// # Ok::<(), raudal_common::Error>(())
    /// ```
    pub fn in_memory(&self) -> Option<usize> {
        let held = self.store.memory.len();
        (self.store.len() == held as u64).then_some(held)
    }

    /// Reads rows that [`write_to`](Self::write_to) has written, and nothing beyond them. Up to
    /// `memory` bytes of records are held in memory, the rest in a temporary file.
    ///
    /// # Errors
    ///
    /// Of kind [`Corrupt`](Kind::Corrupt), if they are not such rows; of kind [`Io`](Kind::Io), if
    /// there is no place for them.
    pub fn read_from(reader: &mut impl Read, memory: usize) -> Result<Self> {
        let damaged =
            |error: std::io::Error| Error::new(Kind::Corrupt, "the rows of an input break off").because(error);
        let mut length = [0; 8];
        reader.read_exact(&mut length).map_err(damaged)?;
        let length = u64::from_le_bytes(length);
        if length > LONGEST_HEAD {
            return Err(Error::new(Kind::Corrupt, format!("these are no rows: a head of {length} bytes")));
        }
        let mut head = Vec::new();
        // A length that lies must not take memory for what does not come.
        reader.take(length).read_to_end(&mut head).map_err(damaged)?;
        let head: Head = serde_json::from_slice(&head)
            .map_err(|error| Error::new(Kind::Corrupt, "these are no rows").because(error))?;
        let mut store = Store::new(memory);
        let mut left = head.records;
        while left > 0 {
            let part = left.min(PIECE);
            let before = store.memory.len();
            store.memory.resize(before + part as usize, 0);
            reader.read_exact(&mut store.memory[before..]).map_err(damaged)?;
            store.spill()?;
            left -= part;
        }
        Ok(Self {
            header: head.header,
            rows_read: head.rows_read,
            rows_kept: head.rows_kept,
            bytes: head.bytes,
            members: head.members,
            warnings: head.warnings,
            notes: head.notes,
            missing: head.missing,
            replaced: head.replaced,
            store,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Query, Select, read};
    use std::io::Cursor;

    fn rows(text: &str) -> Rows {
        let mut query = Query::new();
        query.select = Select::parse("*,b").unwrap_or_default();
        read(Cursor::new(text.to_owned()), "x.csv", &query, &()).expect("a table")
    }

    #[test]
    fn rows_in_memory_and_in_a_file_are_the_same_there_and_back() {
        let text = format!("a,b\n{}", "1,\"x\ny\"\n".repeat(20_000));
        let mut sent = Vec::new();
        rows(&text).write_to(&mut sent).expect("memory");
        for memory in [1 << 10, 1 << 20] {
            let mut rest = [sent.as_slice(), b"next"].concat();
            let mut reader = rest.as_slice();
            let back = Rows::read_from(&mut reader, memory).expect("the same rows");
            assert_eq!(reader, b"next", "nothing beyond them");
            let mut again = Vec::new();
            back.write_to(&mut again).expect("memory");
            assert_eq!(again, sent);
            rest.clear();
        }
    }

    #[test]
    fn what_is_cut_or_is_something_else_is_damage_and_never_rows() {
        let mut sent = Vec::new();
        rows("a,b\n1,2\n").write_to(&mut sent).expect("memory");
        for cut in 0..sent.len() {
            let error = Rows::read_from(&mut &sent[..cut], 1 << 10).expect_err("cut");
            assert_eq!(error.kind(), Kind::Corrupt, "{cut}");
        }
        for wrong in [[0xff; 64].as_slice(), b"\0\0\0\0\0\0\0\0", b"PK\x03\x04 an archive"] {
            assert_eq!(Rows::read_from(&mut &*wrong, 1 << 10).expect_err("wrong").kind(), Kind::Corrupt);
        }
    }
}
