//! Brings the inputs of all parts into input order, with bounded memory.
//!
//! Parts come in any order, and a part has inputs from many places. Each input is appended to the
//! file of its window: so many inputs in a row. Once a window is full, and all before it are done,
//! its inputs are read in order.

use super::part;
use super::protocol::InputLine;
use raudal_common::{Error, Kind, Result};
use raudal_table::Rows;
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufReader, BufWriter, Read, Seek, Write};
use std::path::PathBuf;
use tempfile::TempDir;

/// Inputs of a window. Each takes 24 bytes of memory while its window is read.
const INPUTS: u64 = 4096;

/// Inputs that are read from a window at once: a change of threads costs more than a small input.
const AT_ONCE: usize = 16;

/// The windows of a run.
pub(crate) struct Windows {
    folder: TempDir,
    total: u64,
    inputs: u64,
    /// How many inputs each window has, if it has any.
    have: HashMap<u64, u64>,
    /// The first window that was not taken.
    next: u64,
    /// The window that was written last, and its file: the next part is often of the same.
    open: Option<(u64, BufWriter<File>)>,
}

impl Windows {
    pub(crate) fn new(total: u64) -> Result<Self> {
        Self::of_size(total, INPUTS)
    }

    fn of_size(total: u64, inputs: u64) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("raudal-windows-").tempdir().map_err(failed)?;
        Ok(Self { folder, total, inputs, have: HashMap::new(), next: 0, open: None })
    }

    fn path(&self, window: u64) -> PathBuf {
        self.folder.path().join(window.to_string())
    }

    /// Adds all inputs of a part that was [checked](part::check) and stands at its first input.
    pub(crate) fn put(&mut self, part: &mut impl Read) -> Result<()> {
        while let Some((rest, text)) = part::next(part)? {
            let line = part::line(&text)?;
            let window = line.i / self.inputs;
            if line.i >= self.total || window < self.next {
                return Err(Error::new(Kind::Internal, format!("an input that no part should have: {}", line.i)));
            }
            let out = self.file_of(window)?;
            for number in [line.i, text.len() as u64, rest] {
                out.write_all(&number.to_le_bytes()).map_err(failed)?;
            }
            out.write_all(&text).map_err(failed)?;
            let copied = std::io::copy(&mut part.take(rest), out).map_err(failed)?;
            if copied != rest {
                return Err(Error::new(Kind::Corrupt, "a part breaks off"));
            }
            *self.have.entry(window).or_default() += 1;
        }
        self.flush()
    }

    /// Returns the end of the file of a window.
    fn file_of(&mut self, window: u64) -> Result<&mut BufWriter<File>> {
        let open = match self.open.take() {
            Some(open) if open.0 == window => open,
            before => {
                // Dropped, it would not say what it cannot write.
                before.map_or(Ok(()), |(_, mut out)| out.flush()).map_err(failed)?;
                let file = OpenOptions::new().create(true).append(true).open(self.path(window)).map_err(failed)?;
                (window, BufWriter::with_capacity(32 << 10, file))
            }
        };
        Ok(&mut self.open.insert(open).1)
    }

    fn flush(&mut self) -> Result<()> {
        self.open.as_mut().map_or(Ok(()), |(_, out)| out.flush().map_err(failed))
    }

    /// Whether all windows were taken.
    pub(crate) fn is_done(&self) -> bool {
        self.next * self.inputs >= self.total
    }

    /// Whether all inputs of the next window are there.
    pub(crate) fn is_ready(&self) -> bool {
        let needed = self.inputs.min(self.total.saturating_sub(self.next * self.inputs));
        needed > 0 && self.have.get(&self.next).is_some_and(|have| *have >= needed)
    }

    /// Takes the next window, if all of its inputs are there.
    pub(crate) fn take(&mut self) -> Result<Option<Window>> {
        if self.is_ready() { self.take_partial() } else { Ok(None) }
    }

    /// Takes the next window as it is, for a run that was stopped.
    pub(crate) fn take_partial(&mut self) -> Result<Option<Window>> {
        if self.is_done() {
            return Ok(None);
        }
        // Where open files cannot be removed, its own would keep it.
        drop(self.open.take_if(|(of, _)| *of == self.next));
        let path = self.path(self.next);
        let window = match self.have.remove(&self.next) {
            None => Window { file: None, places: Vec::new(), at: 0 },
            Some(_) => Window::open(File::open(&path).map_err(failed)?)?,
        };
        // Its name is not needed any more; where open files cannot be removed, it goes with the folder.
        let _ = std::fs::remove_file(path);
        self.next += 1;
        Ok(Some(window))
    }
}

fn failed(error: std::io::Error) -> Error {
    Error::io(format!("cannot hold rows in a temporary file in {}", std::env::temp_dir().display()), error)
        .hint("set TMPDIR to a folder with more space")
}

/// The inputs of a window, in input order.
pub(crate) struct Window {
    file: Option<BufReader<File>>,
    /// Index, place and length of the line of each input.
    places: Vec<(u64, u64, u64)>,
    at: usize,
}

impl Window {
    fn open(file: File) -> Result<Self> {
        let mut file = BufReader::with_capacity(64 << 10, file);
        let mut places = Vec::new();
        let mut at = 0;
        let mut head = [0; 24];
        while !std::io::BufRead::fill_buf(&mut file).map_err(failed)?.is_empty() {
            file.read_exact(&mut head).map_err(failed)?;
            let [i, text, rest] = [0, 8, 16].map(|from| {
                head[from..from + 8].iter().rev().fold(0u64, |number, byte| (number << 8) | u64::from(*byte))
            });
            places.push((i, at + 24, text));
            at += 24 + text + rest;
            file.seek_relative((text + rest).cast_signed()).map_err(failed)?;
        }
        places.sort_unstable();
        // The same input from two parts has the same rows.
        places.dedup_by_key(|(i, ..)| *i);
        Ok(Self { file: Some(file), places, at: 0 })
    }

    /// Returns the next inputs, a few at a time; none after the last.
    pub(crate) fn some(&mut self, memory: usize) -> Result<Vec<(InputLine, Option<Rows>)>> {
        let mut some = Vec::new();
        while some.len() < AT_ONCE
            && let Some(next) = self.next(memory)?
        {
            some.push(next);
        }
        Ok(some)
    }

    /// Returns the next input, and its rows unless it failed. Up to `memory` bytes of rows are held
    /// in memory.
    fn next(&mut self, memory: usize) -> Result<Option<(InputLine, Option<Rows>)>> {
        let (Some(&(_, place, length)), Some(file)) = (self.places.get(self.at), &mut self.file) else {
            return Ok(None);
        };
        self.at += 1;
        let here = file.stream_position().map_err(failed)?;
        file.seek_relative(place.cast_signed() - here.cast_signed()).map_err(failed)?;
        let mut text = vec![0; length as usize];
        file.read_exact(&mut text).map_err(failed)?;
        let line = part::line(&text)?;
        let rows = line.error.is_none().then(|| Rows::read_from(file, memory)).transpose()?;
        Ok(Some((line, rows)))
    }
}

#[cfg(test)]
mod tests {
    use super::super::part::tests::part;
    use super::*;
    use std::io::Cursor;

    fn put(windows: &mut Windows, inputs: &[(u64, Option<&str>)]) {
        let mut part = Cursor::new(part(inputs));
        part::check(&mut part).expect("whole");
        windows.put(&mut part).expect("room");
    }

    fn drain(mut window: Window) -> Vec<(u64, Option<u64>)> {
        std::iter::from_fn(|| window.next(1 << 10).expect("readable"))
            .map(|(line, rows)| (line.i, rows.map(|rows| rows.rows_kept())))
            .collect()
    }

    #[test]
    fn inputs_of_parts_in_any_order_come_out_in_input_order() {
        let mut windows = Windows::of_size(5, 2).expect("a folder");
        put(&mut windows, &[(4, Some("a\n1\n2\n")), (1, None)]);
        assert!(windows.take().expect("readable").is_none(), "0 is missing");
        put(&mut windows, &[(3, Some("a\n")), (0, Some("a\n1\n"))]);
        assert_eq!(drain(windows.take().expect("readable").expect("full")), [(0, Some(1)), (1, None)]);
        assert!(windows.take().expect("readable").is_none(), "2 is missing");
        put(&mut windows, &[(2, Some("a\n7\n"))]);
        assert_eq!(drain(windows.take().expect("readable").expect("full")), [(2, Some(1)), (3, Some(0))]);
        assert!(!windows.is_done());
        assert_eq!(drain(windows.take().expect("readable").expect("full")), [(4, Some(2))]);
        assert!(windows.is_done() && windows.take().expect("readable").is_none());
    }

    #[test]
    fn a_run_that_was_stopped_gives_what_is_there() {
        let mut windows = Windows::of_size(6, 2).expect("a folder");
        put(&mut windows, &[(5, Some("a\n1\n")), (1, Some("a\n2\n"))]);
        let mut all = Vec::new();
        while let Some(window) = windows.take_partial().expect("readable") {
            all.extend(drain(window));
        }
        assert_eq!(all, [(1, Some(1)), (5, Some(1))]);
    }
}
