//! Reads any text as a table. The result must match the csv crate's, field by field.
#![no_main]

use libfuzzer_sys::fuzz_target;
use raudal::table::{self, Delimiter, Query};
use std::io::Cursor;

fn records(text: &[u8], delimiter: u8) -> Vec<csv::ByteRecord> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).delimiter(delimiter).from_reader(text);
    reader.byte_records().map(|record| record.expect("records of one width")).collect()
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&first, text)) = bytes.split_first() else { return };
    let delimiter = [b',', b';', b'\t', b'|'][usize::from(first) % 4];
    // Other targets cover UTF-16 and archives.
    if text.starts_with(b"\xff\xfe")
        || text.starts_with(b"\xfe\xff")
        || text.starts_with(b"PK")
        || text.starts_with(b"\x1f\x8b")
        // The csv crate removes a byte order mark from every text, so it would also remove one that
        // begins a column name.
        || text.starts_with(b"\xef\xbb\xbf\xef\xbb\xbf")
    {
        return;
    }
    let mut query = Query::new();
    query.dialect.delimiter = Delimiter::Byte(delimiter);
    // Rows that are spilled to a file must be the same.
    query.memory = usize::from(first);
    let Ok(rows) = table::read(Cursor::new(text), "a.csv", &query, &()) else { return };
    // What the csv crate reads otherwise is warned of, or concerns tables of one column: empty lines.
    if !rows.warnings().is_empty() || !rows.notes().is_empty() || rows.header().len() == 1 {
        return;
    }
    let count = rows.rows_read();
    let written = records(&raudal_fuzz::csv(rows), b',');
    let read = records(text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text), delimiter);
    assert_eq!(count + 1, read.len() as u64);
    assert_eq!(written, read);
});
