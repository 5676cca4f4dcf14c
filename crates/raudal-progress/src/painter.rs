//! Redraws the lines at the bottom of a terminal. Outside the tests, only this file uses indicatif.
//!
//! indicatif moves the cursor, redraws without flicker and at most 20 times a second, and follows a
//! window that changes its size. The text of the lines comes from `lines`, so that it can be tested
//! as text. All lines are one bar with a message of several lines, so that they are always drawn
//! together.

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Paints lines over the lines that it painted before.
pub(super) struct Painter {
    screen: MultiProgress,
    bar: Option<ProgressBar>,
    /// Returns the columns and lines of the terminal, measured each time.
    size: Box<dyn Fn() -> (usize, usize) + Send>,
}

impl Painter {
    /// Creates a painter for stderr.
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

    /// Returns whether painted lines would be invisible.
    pub(super) fn is_hidden(&self) -> bool {
        self.screen.is_hidden()
    }

    /// Returns the columns and lines of the terminal.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.size)()
    }

    /// Paints lines in place of the last ones.
    pub(super) fn paint(&mut self, lines: &[String]) {
        let bar = self.bar.get_or_insert_with(|| {
            // It is hidden until it belongs to the screen; otherwise it would draw on stderr by
            // itself.
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
            if let Ok(style) = ProgressStyle::with_template("{msg}") {
                bar.set_style(style);
            }
            self.screen.add(bar)
        });
        // This also draws, unless it was drawn too often recently. Then the next tick draws.
        bar.set_message(lines.join("\n"));
    }

    /// Removes the lines from the screen. The cursor is then where the first of them began.
    pub(super) fn erase(&mut self) {
        if let Some(bar) = self.bar.take() {
            // If the terminal is gone, there is nothing to do. `suspend` would panic then.
            let _ = self.screen.clear();
            self.screen.remove(&bar);
        }
    }
}
