//! A terminal in memory for the tests: a handle on a terminal emulator.

use std::io::{self, Write};
use std::num::NonZeroU16;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

/// A handle on a terminal in memory: a stream for lines and bars.
#[derive(Clone)]
pub(super) struct Screen {
    terminal: Arc<Mutex<vt100::Parser>>,
    gone: Arc<AtomicBool>,
}

impl Screen {
    pub(super) fn new(width: u16, height: u16) -> Self {
        let terminal = vt100::Parser::new(size(height), size(width), 100);
        Self { terminal: Arc::new(Mutex::new(terminal)), gone: Arc::default() }
    }

    /// Returns the text on it, without trailing blanks.
    pub(super) fn text(&self) -> String {
        let text = self.terminal().screen().contents();
        text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n").trim_end().to_owned()
    }

    /// Returns where the cursor is: line, column. A shell's prompt would appear there.
    pub(super) fn cursor(&self) -> (u16, u16) {
        self.terminal().screen().cursor_position()
    }

    /// Returns the columns and lines.
    pub(super) fn size(&self) -> (usize, usize) {
        let (height, width) = self.terminal().screen().size();
        (width.get().into(), height.get().into())
    }

    /// Gives the window another size.
    pub(super) fn resize(&self, width: u16, height: u16) {
        self.terminal().screen_mut().set_size(size(height), size(width));
    }

    /// Makes every later operation fail.
    pub(super) fn hang_up(&self) {
        self.gone.store(true, Ordering::Relaxed);
    }

    fn there(&self) -> io::Result<()> {
        if self.gone.load(Ordering::Relaxed) { Err(io::ErrorKind::BrokenPipe.into()) } else { Ok(()) }
    }

    fn terminal(&self) -> MutexGuard<'_, vt100::Parser> {
        self.terminal.lock().unwrap()
    }
}

fn size(n: u16) -> NonZeroU16 {
    NonZeroU16::new(n).unwrap()
}

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.there()?;
        // Whoever writes to a terminal gets a carriage return with each line feed.
        let text = String::from_utf8_lossy(bytes).replace("\r\n", "\n").replace('\n', "\r\n");
        self.terminal().process(text.as_bytes());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.there()
    }
}
