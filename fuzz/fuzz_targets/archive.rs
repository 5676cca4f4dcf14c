//! Reads any bytes as an input. The result is rows or an error, and is the same however the reader
//! splits the bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use raudal::Kind;
use raudal::table::{self, Query, Rows};
use std::io::{self, Cursor, Read, Seek, SeekFrom};

/// Returns a few bytes at a time.
struct Stingy<'a>(Cursor<&'a [u8]>);

impl Read for Stingy<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer.len().min(1 + self.0.position() as usize % 7);
        self.0.read(&mut buffer[..most])
    }
}

impl Seek for Stingy<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

/// Returns the table, or the kind of error. The size of the reads decides which of two damages is
/// found first.
fn table(rows: raudal::Result<Rows>) -> Result<Vec<u8>, Kind> {
    rows.map(raudal_fuzz::csv).map_err(|error| match error.kind() {
        Kind::Internal | Kind::Io => panic!("{error:?}"),
        Kind::Checksum => Kind::Corrupt,
        kind => kind,
    })
}

fuzz_target!(|bytes: &[u8]| {
    let mut query = Query::new();
    (query.limits.members, query.limits.member_bytes, query.limits.field_bytes) = (50, 1 << 18, 1 << 12);
    for name in ["a.zip", "a"] {
        let whole = table(table::read(Cursor::new(bytes), name, &query, &()));
        let pieces = table(table::read(Stingy(Cursor::new(bytes)), name, &query, &()));
        assert_eq!(whole, pieces);
    }
});
