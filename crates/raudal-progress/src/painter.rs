//! The lines that stand at the bottom of a terminal and are painted anew: the one place that names indicatif.
//!
//! indicatif moves the cursor, redraws without flicker and no more than 20 times a second, and copes with a window
//! that changes its size. What the lines say is ours (`lines`), so that it can be tested as text. All lines are one
//! bar with a message of several lines: that way a picture is drawn as a whole or not at all.

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Paints lines over those it painted before.
pub(super) struct Painter {
    screen: MultiProgress,
    bar: Option<ProgressBar>,
    /// Columns and lines of the terminal, asked anew each time.
    size: Box<dyn Fn() -> (usize, usize) + Send>,
}

impl Painter {
    /// On stderr.
    pub(super) fn on_stderr() -> Self {
        let size = || {
            let size = terminal_size::terminal_size_of(std::io::stderr());
            size.map_or((80, 24), |(width, height)| (width.0.into(), height.0.into()))
        };
        Self::new(ProgressDrawTarget::stderr(), Box::new(size))
    }

    pub(super) fn new(target: ProgressDrawTarget, size: Box<dyn Fn() -> (usize, usize) + Send>) -> Self {
        Self { screen: MultiProgress::with_draw_target(target), bar: None, size }
    }

    /// Whether nothing that is painted would be seen.
    pub(super) fn is_hidden(&self) -> bool {
        self.screen.is_hidden()
    }

    /// Columns and lines of the terminal.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.size)()
    }

    /// Paints lines where the last ones stood.
    pub(super) fn paint(&mut self, lines: &[String]) {
        let bar = self.bar.get_or_insert_with(|| {
            // Hidden until it belongs to the screen, or it would draw on stderr by itself.
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
            if let Ok(style) = ProgressStyle::with_template("{msg}") {
                bar.set_style(style);
            }
            self.screen.add(bar)
        });
        // Draws as well, unless it was drawn too often of late; then the next tick does.
        bar.set_message(lines.join("\n"));
    }

    /// Takes the lines off the screen. The cursor stands where the first of them began.
    pub(super) fn erase(&mut self) {
        if let Some(bar) = self.bar.take() {
            // Nothing to be done where the terminal is gone. Not `suspend`: it panics there.
            let _ = self.screen.clear();
            self.screen.remove(&bar);
        }
    }
}
