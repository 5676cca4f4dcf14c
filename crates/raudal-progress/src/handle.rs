//! The handle for everything that is shown.

use super::display::{Clock, Display, DisplayObserver};
use super::json;
use super::lines::{self, MessageLevel};
use super::painter::Painter;
use super::peers::Peer;
use super::relay::Stream;
use super::style::{Style, Surroundings, Verbosity};
use raudal_common::lock;
use raudal_pool::Observer;
use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

/// Shows runs on stderr. Clones share one display. When the last clone is dropped, the bars are
/// removed.
///
/// While a run is shown, write all other text for stderr with [`error`](Self::error),
/// [`note`](Self::note) and [`detail`](Self::detail), and rows for a terminal inside
/// [`suspend`](Self::suspend), so that text and bars do not mix. A closed stderr is not an error,
/// because nobody would see the message.
///
/// ```
/// use raudal_progress::{Progress, Style, Verbosity};
///
/// let progress = Progress::new(Style::None, Verbosity::Quiet);
/// let observer = progress.observer(); // hand it to a run
/// progress.suspend(|| println!("a row"));
/// progress.hide_bars(); // from here on, others write to the terminal
/// progress.note("not said: quiet");
/// progress.finish();
/// # drop(observer);
/// ```
#[derive(Clone)]
pub struct Progress {
    // Only handles share the guard. Observers that outlive them do not keep the bars on the screen.
    guard: Arc<FinishGuard>,
}

/// Ends the display when the last handle is dropped.
struct FinishGuard(Arc<Display>);

impl Drop for FinishGuard {
    fn drop(&mut self) {
        self.0.finish();
    }
}

impl Progress {
    /// Shows runs on stderr, in this style or the nearest one that it can draw.
    pub fn new(style: Style, verbosity: Verbosity) -> Self {
        let around = Surroundings::of_stderr();
        let style = style.resolve(verbosity, &around);
        let painter = (style == Style::Bar).then(Painter::on_stderr);
        let start = Instant::now();
        let clock: Clock = Arc::new(move || start.elapsed());
        let stderr = Box::new(std::io::stderr());
        let stream = match style {
            Style::Bar => Stream::Direct(stderr),
            Style::Json => Stream::relayed(stderr, json::lost),
            _ => Stream::relayed(stderr, lines::lost),
        };
        Self::of(Display::new(style, verbosity, around.colours, stream, painter, clock, false))
    }

    /// Shows runs on a writer that is not a terminal, with your own clock. [`Style::Auto`] and
    /// [`Style::Bar`] become plain lines. No thread is started: call [`tick`](Self::tick) as time
    /// passes.
    ///
    /// ```
    /// use raudal_progress::{Progress, Style, Verbosity};
    /// use std::{sync::Arc, time::Duration};
    ///
    /// let clock = Arc::new(|| Duration::ZERO);
    /// let progress = Progress::with_writer(Style::Plain, Verbosity::Normal, Box::new(std::io::sink()), clock);
    /// progress.error("a.zip: connection refused");
    /// progress.tick();
    /// ```
    pub fn with_writer(style: Style, verbosity: Verbosity, writer: Box<dyn Write + Send>, clock: Clock) -> Self {
        let style = style.resolve(verbosity, &Surroundings::default());
        Self::of(Display::new(style, verbosity, false, Stream::Direct(writer), None, clock, true))
    }

    /// Like [`with_writer`](Self::with_writer), but a thread writes, as it does for stderr.
    #[cfg(test)]
    pub(super) fn with_relay(style: Style, writer: Box<dyn Write + Send>, clock: Clock) -> Self {
        Self::of(Display::new(style, Verbosity::Verbose, false, Stream::relayed(writer, json::lost), None, clock, true))
    }

    #[cfg(test)]
    pub(super) fn with_screen(
        verbosity: Verbosity,
        writer: Box<dyn Write + Send>,
        painter: Painter,
        clock: Clock,
    ) -> Self {
        Self::of(Display::new(Style::Bar, verbosity, false, Stream::Direct(writer), Some(painter), clock, true))
    }

    fn of(display: Display) -> Self {
        Self { guard: Arc::new(FinishGuard(Arc::new(display))) }
    }

    fn display(&self) -> &Arc<Display> {
        &self.guard.0
    }

    /// Returns the observer for a run. It may watch several runs, also at the same time.
    pub fn observer(&self) -> Arc<dyn Observer> {
        Arc::new(DisplayObserver(Arc::clone(self.display())))
    }

    /// Returns the style in use, which is never [`Style::Auto`].
    pub fn style(&self) -> Style {
        self.display().style
    }

    /// Returns whether bars are drawn on a terminal.
    pub fn is_terminal(&self) -> bool {
        self.display().style == Style::Bar
    }

    /// Writes a line that is always shown: a failure.
    pub fn error(&self, line: &str) {
        self.display().say(MessageLevel::Error, line);
    }

    /// Writes a line, such as a warning or a summary, unless quiet.
    pub fn note(&self, line: &str) {
        self.display().say(MessageLevel::Note, line);
    }

    /// Writes a line if verbose.
    pub fn detail(&self, line: &str) {
        self.display().say(MessageLevel::Detail, line);
    }

    /// Removes the bars while `f` writes to the terminal. Messages wait until `f` is done.
    pub fn suspend<R>(&self, f: impl FnOnce() -> R) -> R {
        self.display().suspend(f)
    }

    /// Removes the bars for good, because from now on someone else writes to the terminal: rows, or
    /// a program that gets the rows through a pipe. Messages are still shown, and so are the lines
    /// of the other styles.
    pub fn hide_bars(&self) {
        let mut out = lock(&self.display().out);
        out.erase();
        out.hidden = true;
    }

    /// Returns a function that removes the bars for good, for a program that ends at once. It waits
    /// only briefly for a terminal that takes no text, and does not keep the display alive.
    pub fn eraser(&self) -> impl FnOnce() + Send + 'static {
        let display = Arc::downgrade(self.display());
        move || {
            let display = display.upgrade();
            if let Some(mut out) = display.as_ref().and_then(|display| display.out_soon()) {
                out.erase();
                out.hidden = true;
            }
        }
    }

    /// Returns a function that removes the bars, stops the program with `stop`, and draws them again once that returns:
    /// for Ctrl-Z. It does not keep the display alive.
    pub fn stopper(&self, stop: impl Fn() + Send + 'static) -> impl Fn() + Send + 'static {
        let display = Arc::downgrade(self.display());
        move || match display.upgrade() {
            Some(display) => display.suspend(&stop),
            None => stop(),
        }
    }

    /// Removes the bars before the message of any later panic, in any thread.
    pub fn clear_on_panic(&self) {
        let display = Arc::downgrade(self.display());
        let show = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let display = display.upgrade();
            // Held until the message is written, so that no bar is drawn over it.
            let mut out = display.as_ref().and_then(|display| display.out_soon());
            if let Some(out) = &mut out {
                out.erase();
            }
            show(panic);
        }));
    }

    /// Writes what is due now. Call it only if you passed in a clock; otherwise a thread does it.
    pub fn tick(&self) {
        self.display().tick();
    }

    /// Shows the machines that work on the current run, instead of its jobs. Call it with all of them whenever one of
    /// them reports something.
    ///
    /// ```
    /// use raudal_progress::{Peer, Progress, Style, Verbosity};
    ///
    /// let progress = Progress::new(Style::None, Verbosity::Quiet);
    /// let mut peer = Peer::default();
    /// (peer.name, peer.inputs) = ("worker-1".to_owned(), 12);
    /// progress.peers(&[peer]);
    /// ```
    pub fn peers(&self, peers: &[Peer]) {
        self.display().peers(peers);
    }

    /// Ends the display: removes the bars, and shows no more events. Messages are still shown. A
    /// second call does nothing.
    pub fn finish(&self) {
        self.display().finish();
    }
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Progress").field("style", &self.style()).finish_non_exhaustive()
    }
}
