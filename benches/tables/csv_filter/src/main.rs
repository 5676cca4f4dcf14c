//! Writes the rows of a CSV whose columns are these numbers: `csv_filter IN OUT COLUMN=NUMBER...`.

use csv::{ByteRecord, ReaderBuilder, Writer};
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let (Some(input), Some(output)) = (words.next(), words.next()) else {
        return Err("csv_filter IN OUT COLUMN=NUMBER...".into());
    };
    let mut reader = ReaderBuilder::new().buffer_capacity(256 << 10).from_path(input)?;
    let header = reader.byte_headers()?.clone();
    let mut wanted = Vec::new();
    for word in words {
        let (name, number) = word.split_once('=').ok_or("COLUMN=NUMBER")?;
        let at = header.iter().position(|column| column == name.as_bytes()).ok_or("no such column")?;
        wanted.push((at, number.parse::<f64>()?));
    }
    let mut writer = Writer::from_path(output)?;
    writer.write_byte_record(&header)?;
    let mut record = ByteRecord::new();
    while reader.read_byte_record(&mut record)? {
        let is = |at: usize| std::str::from_utf8(&record[at]).ok()?.trim().parse::<f64>().ok();
        if wanted.iter().all(|(at, number)| is(*at) == Some(*number)) {
            writer.write_byte_record(&record)?;
        }
    }
    writer.flush()?;
    Ok(())
}
