//! A random sample of rows whose number is not known: a reservoir (algorithm R of Vitter).

use std::io::{Read, Seek, SeekFrom, Write};

use tempfile::SpooledTempFile;

use crate::pick::Sample;
use crate::reshape::Verdict;
use crate::rows::{Rows, end_record, spilled, write_field};
use raudal_common::{Error, Kind, Result};

/// The rows that are in the sample so far.
///
/// A row that comes into the sample is written to a temporary file once memory is full, and stays
/// there when another one takes its place. Of T rows, a sample of n writes n · (1 + ln(T / n)).
pub(super) struct Reservoir {
    wanted: u64,
    random: Random,
    /// Where each row of the sample is in the file.
    slots: Vec<Slot>,
    /// Rows so far.
    rows: u64,
    inputs: u64,
    file: SpooledTempFile,
    written: u64,
    /// The header, and the two names of the first input.
    header: Option<(Vec<String>, [String; 2])>,
    memory: usize,
}

/// A row: its place in the file, and its input by number.
#[derive(Clone, Copy)]
struct Slot {
    at: u64,
    input: u64,
    /// Its place among all rows.
    row: u64,
}

impl Reservoir {
    pub(super) fn new(sample: Sample, memory: usize) -> Self {
        Self {
            wanted: sample.rows,
            random: Random(sample.seed),
            slots: Vec::new(),
            rows: 0,
            inputs: 0,
            file: SpooledTempFile::new(memory),
            written: 0,
            header: None,
            memory,
        }
    }

    /// Offers the rows of an input.
    pub(super) fn put(&mut self, source: &str, place: &str, mut rows: Rows) -> Result<()> {
        let header = std::mem::take(&mut rows.header);
        self.header.get_or_insert_with(|| (header, [source, place].map(str::to_owned)));
        let input = self.inputs;
        self.inputs += 1;
        let mut entry = Vec::new();
        rows.each(|record| {
            let row = self.rows;
            self.rows += 1;
            let at = if row < self.wanted { row } else { self.random.below(row + 1) };
            if at >= self.wanted {
                return Ok(Verdict::Drop);
            }
            entry.clear();
            for (at, cell) in record.iter().enumerate() {
                if at > 0 {
                    entry.push(b',');
                }
                write_field(cell, b',', &mut entry);
            }
            end_record(0, &mut entry);
            let slot = Slot { at: self.written, input, row };
            for part in [source.as_bytes(), place.as_bytes(), &entry] {
                self.file.write_all(&(part.len() as u64).to_le_bytes()).map_err(spilled)?;
                self.file.write_all(part).map_err(spilled)?;
                self.written += 8 + part.len() as u64;
            }
            match self.slots.get_mut(at as usize) {
                Some(taken) => *taken = slot,
                None => self.slots.push(slot),
            }
            Ok(Verdict::Keep)
        })
    }

    /// Gives the rows of the sample, input by input.
    pub(super) fn replay(mut self, mut take: impl FnMut(&str, &str, Rows) -> Result<()>) -> Result<()> {
        let Some((header, first)) = self.header else { return Ok(()) };
        self.slots.sort_unstable_by_key(|slot| slot.row);
        if self.slots.is_empty() {
            return take(&first[0], &first[1], Rows::empty(header, self.memory));
        }
        let mut slots = self.slots.iter().peekable();
        while let Some(first) = slots.peek().copied() {
            let mut rows = Rows::empty(header.clone(), self.memory);
            let (mut source, mut place) = (Vec::new(), Vec::new());
            while let Some(slot) = slots.next_if(|slot| slot.input == first.input) {
                self.file.seek(SeekFrom::Start(slot.at)).map_err(spilled)?;
                (source, place) = (part(&mut self.file)?, part(&mut self.file)?);
                rows.store.memory.extend_from_slice(&part(&mut self.file)?);
                rows.rows_kept += 1;
                rows.store.spill()?;
            }
            take(&text(source)?, &text(place)?, rows)?;
        }
        Ok(())
    }
}

fn text(bytes: Vec<u8>) -> Result<String> {
    String::from_utf8(bytes).map_err(|error| Error::new(Kind::Internal, "a name held aside is no text").because(error))
}

fn part(file: &mut impl Read) -> Result<Vec<u8>> {
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(spilled)?;
    let mut bytes = vec![0; u64::from_le_bytes(length) as usize];
    file.read_exact(&mut bytes).map_err(spilled)?;
    Ok(bytes)
}

/// `SplitMix64` (Steele, Lea and Flood, 2014), written out so that a seed means the same in every
/// version and on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below this one. The bias is below 2^-64 for each, so no run is long enough to show it.
    fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(bound)) >> 64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_reference_implementation() {
        let mut random = Random(1_234_567);
        assert_eq!(
            [random.next(), random.next(), random.next()],
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]
        );
    }
}
