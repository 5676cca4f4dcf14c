//! A terminal in memory for the tests, with what matters to indicatif: a cursor, wrapping and
//! scrolling.
//!
//! As on a real terminal, a line filled to its last column leaves the cursor there, and only the
//! next character wraps. The feature `in_memory` of indicatif has a better one, but it adds a
//! terminal emulator to the build.

use indicatif::TermLike;
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use unicode_width::UnicodeWidthChar as _;

/// A handle on a terminal in memory: a target for bars, and a stream for lines.
#[derive(Clone, Debug)]
pub(super) struct Screen {
    width: usize,
    height: usize,
    grid: Arc<Mutex<Grid>>,
    gone: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct Grid {
    lines: Vec<Vec<char>>,
    row: usize,
    column: usize,
}

impl Screen {
    pub(super) fn new(width: u16, height: u16) -> Self {
        Self { width: width.into(), height: height.into(), grid: Arc::default(), gone: Arc::default() }
    }

    /// Returns the text on it, including lines scrolled off, without trailing blanks.
    pub(super) fn text(&self) -> String {
        let grid = self.grid();
        let lines: Vec<String> =
            grid.lines.iter().map(|line| line.iter().collect::<String>().trim_end().to_owned()).collect();
        lines.join("\n").trim_end().to_owned()
    }

    /// Returns where the cursor is. A shell's prompt would appear there.
    pub(super) fn cursor(&self) -> (usize, usize) {
        let grid = self.grid();
        (grid.row, grid.column)
    }

    /// Makes every later operation fail.
    pub(super) fn hang_up(&self) {
        self.gone.store(true, Ordering::Relaxed);
    }

    fn there(&self) -> io::Result<()> {
        if self.gone.load(Ordering::Relaxed) { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(()) }
    }

    fn grid(&self) -> MutexGuard<'_, Grid> {
        self.grid.lock().unwrap()
    }

    fn put(&self, text: &str) {
        let mut grid = self.grid();
        for c in text.chars() {
            match c {
                '\r' => grid.column = 0,
                '\n' => (grid.row, grid.column) = (grid.row + 1, 0),
                c => {
                    let width = c.width().unwrap_or(0);
                    if grid.column + width > self.width {
                        (grid.row, grid.column) = (grid.row + 1, 0);
                    }
                    let (row, column) = (grid.row, grid.column);
                    if grid.lines.len() <= row {
                        grid.lines.resize(row + 1, Vec::new());
                    }
                    let line = &mut grid.lines[row];
                    if line.len() < column + width {
                        line.resize(column + width, ' ');
                    }
                    line[column] = c;
                    grid.column += width;
                }
            }
        }
    }
}

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.there()?;
        self.put(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.there()
    }
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        self.width.try_into().unwrap()
    }

    fn height(&self) -> u16 {
        self.height.try_into().unwrap()
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.there()?;
        let mut grid = self.grid();
        grid.row = grid.row.checked_sub(n).expect("the cursor stays on the screen");
        Ok(())
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.there()?;
        self.grid().row += n;
        Ok(())
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.there()?;
        self.grid().column += n;
        Ok(())
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.there()?;
        let mut grid = self.grid();
        grid.column = grid.column.saturating_sub(n);
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.there()?;
        self.put(text);
        self.put("\n");
        Ok(())
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.there()?;
        self.put(text);
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.there()?;
        let mut grid = self.grid();
        let row = grid.row;
        if let Some(line) = grid.lines.get_mut(row) {
            line.clear();
        }
        grid.column = 0;
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        self.there()
    }
}
