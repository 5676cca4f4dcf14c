//! Draws lines on a terminal, over those that it drew before: escape sequences as text, and nothing
//! else.
//!
//! Between two frames, the cursor rests where the first line begins. So removing the lines only
//! clears from the cursor on, and never moves up. A row that another program writes there stays on
//! the screen. It does not matter either whether the terminal wraps the lines anew when its window
//! becomes narrower.

use std::fmt::Write as _;

/// Clears from the begin of the cursor's line to the end of the screen.
const CLEAR: &str = "\r\u{1b}[J";

/// Draws lines over those that it drew before.
pub(super) struct Painter {
    /// Returns the columns and lines of the terminal, measured each time.
    size: Box<dyn Fn() -> (usize, usize) + Send>,
    /// Returns whether another program, such as a pager, has the terminal for itself.
    is_taken: Box<dyn Fn() -> bool + Send>,
    drawn: bool,
}

impl Painter {
    /// Creates a painter for stderr.
    pub(super) fn on_stderr() -> Self {
        let size = || {
            let size = terminal_size::terminal_size_of(std::io::stderr());
            size.map_or((80, 24), |(width, height)| (width.0.into(), height.0.into()))
        };
        Self::new(Box::new(size), Box::new(is_taken))
    }

    pub(super) fn new(size: Box<dyn Fn() -> (usize, usize) + Send>, is_taken: Box<dyn Fn() -> bool + Send>) -> Self {
        Self { size, is_taken, drawn: false }
    }

    /// Returns the columns and lines of the terminal.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.size)()
    }

    /// Returns whether another program, such as a pager, has the terminal for itself.
    pub(super) fn is_taken(&self) -> bool {
        (self.is_taken)()
    }

    /// Returns what draws these lines in place of the last ones.
    pub(super) fn paint(&mut self, lines: &[String]) -> String {
        self.drawn = true;
        // No line wraps, even if the window has become narrower since it was measured. Each line is
        // overwritten and then cleared to its end, which does not flicker.
        let mut text = String::from("\r\u{1b}[?7l");
        for (at, line) in lines.iter().enumerate() {
            text += if at > 0 { "\r\n" } else { "" };
            text += line;
            text += "\u{1b}[K";
        }
        text += "\u{1b}[J\u{1b}[?7h\r";
        if lines.len() > 1 {
            let _ = write!(text, "\u{1b}[{}A", lines.len() - 1);
        }
        text
    }

    /// Returns what removes the lines, if any are drawn. The cursor is then where the first of them
    /// began.
    pub(super) fn erase(&mut self) -> &'static str {
        if std::mem::take(&mut self.drawn) { CLEAR } else { "" }
    }
}

/// A program that shows a page at a time reads single keys. A run whose output goes to a pager must
/// not write over its page.
#[cfg(unix)]
fn is_taken() -> bool {
    use rustix::termios::{LocalModes, tcgetattr};
    use std::io::IsTerminal as _;
    !std::io::stdout().is_terminal()
        && tcgetattr(std::io::stderr()).is_ok_and(|terminal| !terminal.local_modes.contains(LocalModes::ICANON))
}

#[cfg(not(unix))]
fn is_taken() -> bool {
    false
}
