//! The stream that everything is written to, and its state.

use super::json::JsonEncoder;
use super::painter::Painter;
use super::relay::Stream;
use std::time::Duration;

/// The stream and its state.
pub(super) struct Out {
    pub(super) stream: Stream,
    /// `None` if no bars are drawn.
    pub(super) painter: Option<Painter>,
    /// Whether no bars are drawn any more.
    pub(super) hidden: bool,
    pub(super) encoder: JsonEncoder,
    /// More than 0 while other code writes to the terminal; messages then wait in `deferred`.
    pub(super) suspended: u32,
    pub(super) deferred: String,
    pub(super) painted: Option<Duration>,
    /// When the last plain line was written.
    pub(super) spoke: Duration,
    pub(super) finished: bool,
}

impl Out {
    pub(super) fn new(stream: Stream, painter: Option<Painter>, encoder: JsonEncoder) -> Self {
        Self {
            stream,
            painter,
            hidden: false,
            encoder,
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
        let erase = self.painter.as_mut().map_or("", Painter::erase);
        self.put(&format!("{erase}{text}"));
    }

    pub(super) fn erase(&mut self) {
        let erase = self.painter.as_mut().map_or("", Painter::erase);
        self.put(erase);
    }

    /// Writes text as it is.
    pub(super) fn put(&mut self, text: &str) {
        if !text.is_empty() {
            self.stream.write(text);
        }
    }
}
