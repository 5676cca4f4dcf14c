//! The stream that everything is written to, and what stands on it.

use super::json::Encoder;
use super::painter::Painter;
use std::io::Write;
use std::time::Duration;

/// Where everything goes.
pub(super) struct Out {
    pub(super) stream: Box<dyn Write + Send>,
    pub(super) painter: Option<Painter>,
    pub(super) encoder: Encoder,
    /// More than 0 while someone else writes to the terminal; what is said meanwhile waits in `deferred`.
    pub(super) suspended: u32,
    pub(super) deferred: String,
    pub(super) painted: Option<Duration>,
    /// When the last plain line was written.
    pub(super) spoke: Duration,
    pub(super) finished: bool,
}

impl Out {
    pub(super) fn new(stream: Box<dyn Write + Send>, painter: Option<Painter>) -> Self {
        Self {
            stream,
            painter,
            encoder: Encoder::default(),
            suspended: 0,
            deferred: String::new(),
            painted: None,
            spoke: Duration::ZERO,
            finished: false,
        }
    }

    /// Writes whole lines, above the bars.
    pub(super) fn write(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        if self.suspended > 0 {
            self.deferred.push_str(text);
            return;
        }
        self.erase();
        // A stderr that is closed is no error: there is nobody to tell.
        let _ = self.stream.write_all(text.as_bytes());
        let _ = self.stream.flush();
    }

    pub(super) fn erase(&mut self) {
        if let Some(painter) = &mut self.painter {
            painter.erase();
        }
    }
}
