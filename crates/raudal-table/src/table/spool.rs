//! Holds the rows of all inputs until the last one has said which columns it has.

use std::io::{BufReader, Read, Seek, SeekFrom, Write};

use tempfile::SpooledTempFile;

use crate::layout::{Layout, none_common};
use crate::query::Query;
use crate::rows::{Rows, Store, spilled};
use raudal_common::{Error, Kind, Result};

/// Rows that wait, in memory and then in a temporary file: for each input its names, its columns, and
/// its rows as they came.
pub(super) struct Spool {
    layout: Layout,
    /// The columns so far.
    header: Vec<String>,
    file: SpooledTempFile,
    inputs: u64,
    rows: u64,
    memory: usize,
}

/// Marks a column that is not in the table.
const NOWHERE: u64 = u64::MAX;

impl Spool {
    pub(super) fn new(query: &Query) -> Self {
        Self {
            layout: Layout::new(query),
            header: Vec::new(),
            file: SpooledTempFile::new(query.memory),
            inputs: 0,
            rows: 0,
            memory: query.memory,
        }
    }

    /// Rows that wait.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    pub(super) fn warning(&self) -> Option<String> {
        self.layout.warning(&self.header, "input")
    }

    /// Adds the rows of an input. After an error about its header, nothing was added.
    pub(super) fn put(&mut self, source: &str, place: &str, rows: Rows) -> Result<()> {
        let order = self.layout.place(&mut self.header, &rows.header)?;
        // For each column of the input, its place in the table.
        let mut places = vec![NOWHERE; rows.header.len()];
        match order {
            None => places.iter_mut().enumerate().for_each(|(at, place)| *place = at as u64),
            Some(order) => {
                for (at, own) in order.into_iter().enumerate() {
                    if let Some(own) = own {
                        places[own] = at as u64;
                    }
                }
            }
        }
        let (kept, length) = (rows.rows_kept, rows.store.len());
        let mut records = rows.store.into_reader()?;
        let mut head = Vec::new();
        for name in [source, place] {
            head.extend((name.len() as u64).to_le_bytes());
            head.extend(name.as_bytes());
        }
        head.extend((places.len() as u64).to_le_bytes());
        head.extend(places.iter().flat_map(|place| place.to_le_bytes()));
        head.extend(length.to_le_bytes());
        self.file.write_all(&head).map_err(spilled)?;
        std::io::copy(&mut records, &mut self.file).map_err(spilled)?;
        self.inputs += 1;
        self.rows += kept;
        Ok(())
    }

    /// Gives the rows of each input, with all columns of the table, until the function has enough.
    pub(super) fn replay(mut self, mut take: impl FnMut(&str, &str, Rows) -> Result<bool>) -> Result<()> {
        let kept = self.layout.kept();
        if self.inputs > 0 && kept.is_empty() {
            return Err(none_common("input"));
        }
        let header: Vec<String> = kept.iter().filter_map(|&at| self.header.get(at).cloned()).collect();
        self.file.seek(SeekFrom::Start(0)).map_err(spilled)?;
        let mut file = BufReader::with_capacity(64 << 10, self.file);
        for _ in 0..self.inputs {
            let (source, name) = (text(&mut file)?, text(&mut file)?);
            let columns = number(&mut file)?;
            let places = (0..columns).map(|_| number(&mut file)).collect::<Result<Vec<u64>>>()?;
            let length = number(&mut file)?;
            let mut store = Store::new(self.memory);
            let mut left = length;
            while left > 0 {
                // The store holds little at a time, and moves it to a file of its own.
                let part = left.min(64 << 10);
                let before = store.memory.len();
                store.memory.resize(before + part as usize, 0);
                file.read_exact(&mut store.memory[before..]).map_err(spilled)?;
                store.spill()?;
                left -= part;
            }
            let place = |at: &usize| places.iter().position(|&place| place == *at as u64);
            let places: Vec<Option<usize>> = kept.iter().map(place).collect();
            let rows = Rows { store, ..Rows::default() };
            let rows = rows.rearranged(header.clone(), &places, self.memory)?;
            if !take(&source, &name, rows)? {
                break;
            }
        }
        Ok(())
    }
}

fn text(file: &mut impl Read) -> Result<String> {
    let mut text = vec![0; number(file)? as usize];
    file.read_exact(&mut text).map_err(spilled)?;
    String::from_utf8(text).map_err(|error| Error::new(Kind::Internal, "a name held aside is no text").because(error))
}

fn number(file: &mut impl Read) -> Result<u64> {
    let mut bytes = [0; 8];
    file.read_exact(&mut bytes).map_err(spilled)?;
    Ok(u64::from_le_bytes(bytes))
}
