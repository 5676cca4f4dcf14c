//! Standard output while bars are drawn.

use raudal::progress::Progress;
use std::io::{self, Write};

/// Writes to a terminal that shows bars too: they are hidden while rows are written.
pub(crate) struct BesideBars {
    progress: Progress,
    out: io::Stdout,
}

impl BesideBars {
    pub(crate) fn new(progress: &Progress) -> Self {
        Self { progress: progress.clone(), out: io::stdout() }
    }
}

impl Write for BesideBars {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.progress.suspend(|| self.out.write_all(bytes).and_then(|()| self.out.flush()))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
