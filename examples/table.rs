//! To copy: a zip to rows, in ten lines.
//!
//! ```sh
//! cargo run --example table -- data.zip "POBTOT > 1000"
//! cargo run --example table        # an archive that is made for the purpose
//! ```
//!
//! Look for: the rows of the CSV in the archive that match the filter. They are written only after
//! the checksum has been verified.
//!
//! In Python: `pandas.read_csv("data.zip").query("POBTOT > 1000")`.

use raudal::table::{self, Filter, Query, Sink, SinkOptions, Target};
use raudal::{Error, Result};
use std::io::Cursor;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (archive, name) = match arguments.next() {
        Some(path) => (std::fs::read(&path).map_err(|error| Error::io("cannot read the archive", error))?, path),
        None => sample()?,
    };
    let filter = arguments.next().unwrap_or_else(|| "MUN == 0 and LOC == 0".to_owned());

    // The ten lines. Any reader that can seek works: a `File` keeps a large archive out of memory.
    let mut query = Query::new();
    query.filter = Some(Filter::parse(&filter)?);
    let rows = table::read(Cursor::new(archive), &name, &query, &())?;
    eprintln!("{} rows read, {} kept", rows.rows_read(), rows.rows_kept());
    let mut sink = Sink::create(Target::Stdout, SinkOptions::default())?;
    sink.append(&name, rows)?;
    sink.finish()?;
    Ok(())
}

/// Returns a small synthetic archive of one entity of the census.
fn sample() -> Result<(Vec<u8>, String)> {
    use raudal::catalogue::iter_2020;
    let colima = &iter_2020::catalogue().entries()[5];
    let edition = iter_2020::MICRODATOS;
    Ok((raudal::origin::archive(colima, edition, 0.05, 0)?, colima.file(edition).to_owned()))
}
