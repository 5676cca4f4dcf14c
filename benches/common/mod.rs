//! What both benches share: the matching rows, computed by raudal and by hand.

use raudal::table::{Filter, Query, Sink, SinkOptions, Target};
use std::io::{Cursor, Read, Write};
use std::sync::{Arc, Mutex, PoisonError};

/// The filter of the main job: the total row of each entity.
pub(crate) const TOTALS: &str = "MUN == 0 and LOC == 0";

/// Keeps the bytes that a sink writes, so that they can be read afterwards.
#[derive(Clone, Default)]
pub(crate) struct Shared(Arc<Mutex<Vec<u8>>>);

impl Shared {
    /// Returns a sink that writes CSV here.
    pub(crate) fn sink(&self) -> Sink {
        let target = Target::Writer(Box::new(self.clone()));
        Sink::create(target, SinkOptions::default()).expect("nothing has to be opened")
    }

    pub(crate) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Returns the query of the main job.
pub(crate) fn totals() -> Query {
    let mut query = Query::new();
    query.filter = Some(Filter::parse(TOTALS).expect("a good filter"));
    query
}

/// Returns the same rows as CSV with the `csv` crate, with the filter as an `if`.
pub(crate) fn by_csv(text: impl Read) -> Vec<u8> {
    let mut reader = csv::Reader::from_reader(text);
    let header = reader.byte_headers().expect("a header").clone();
    let [mun, loc] = places(&header);
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_byte_record(&header).expect("in memory");
    let mut record = csv::ByteRecord::new();
    while reader.read_byte_record(&mut record).expect("good CSV") {
        if is_zero(&record[mun]) && is_zero(&record[loc]) {
            table.write_byte_record(&record).expect("in memory");
        }
    }
    table.into_inner().expect("in memory")
}

/// Returns the same rows from a zip archive with one member, with `zip` and `csv`.
pub(crate) fn by_zip_and_csv(archive: &[u8]) -> Vec<u8> {
    let mut archive = zip::ZipArchive::new(Cursor::new(archive)).expect("an archive");
    by_csv(archive.by_index(0).expect("a member"))
}

/// Returns the positions of the filter's columns.
pub(crate) fn places<'a>(header: impl IntoIterator<Item = &'a [u8]>) -> [usize; 2] {
    let header: Vec<&[u8]> = header.into_iter().collect();
    ["MUN", "LOC"].map(|name| header.iter().position(|&have| have == name.as_bytes()).expect("a column of ITER"))
}

/// Whether the cell is a number, and 0.
pub(crate) fn is_zero(cell: &[u8]) -> bool {
    std::str::from_utf8(cell).is_ok_and(|cell| cell.parse::<f64>() == Ok(0.0))
}
