//! The handle for everything that is shown: takes events and messages, and writes them one after
//! the other.
//!
//! There are two locks, always taken in this order: `out` for writing, `model` for the state. An
//! event takes only `model`, and briefly. So a slow terminal (or one stopped by Ctrl-S) does not
//! slow the run. A ticker thread, which needs no runtime, writes bars and plain lines. Where there
//! are no bars, another thread does all the writing ([`relay`](super::relay)). On a terminal with
//! bars, the task of an event writes only single lines (failures and retries with `-v`), and removes
//! the bars at the end of a run.

use super::json::{self, Encoder};
use super::lines::{self, Level};
use super::model::Model;
use super::out::Out;
use super::painter::Painter;
use super::peers::{Peer, PeerView};
use super::relay::Stream;
use super::style::{Style, Surroundings, Verbosity};
use super::ticker::Ticker;
use raudal_common::{lock, units};
use raudal_pool::{Event, EventKind, Observer};
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::time::{Duration, Instant, SystemTime};

/// The interval of the ticker: the eye would not see a faster change.
const TICK: Duration = Duration::from_millis(100);
/// After a message, the bars are repainted at once, unless they were painted less than this ago.
/// Otherwise each of many rows would repaint them. The ticker repaints them in any case.
const REPAINT: Duration = Duration::from_millis(50);
/// How often, a millisecond apart, a program that is about to end tries to reach the terminal.
const SOON: u32 = 50;
/// How often a plain line is written.
const PLAIN: Duration = Duration::from_secs(2);

/// A clock: returns the time since a fixed moment.
pub type Clock = Arc<dyn Fn() -> Duration + Send + Sync>;

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
    guard: Arc<Guard>,
}

struct Guard(Arc<ProgressInner>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.finish();
    }
}

struct ProgressInner {
    style: Style,
    verbosity: Verbosity,
    colours: bool,
    clock: Clock,
    out: Mutex<Out>,
    model: Mutex<Model>,
    /// `None` if the caller ticks, or if nothing is shown.
    ticker: Option<Ticker>,
    /// The number of runs that go on.
    runs: AtomicUsize,
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
        Self::build(style, verbosity, around.colours, stream, painter, clock, false)
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
        Self::build(style, verbosity, false, Stream::Direct(writer), None, clock, true)
    }

    /// Like [`with_writer`](Self::with_writer), but a thread writes, as it does for stderr.
    #[cfg(test)]
    pub(super) fn with_relay(style: Style, writer: Box<dyn Write + Send>, clock: Clock) -> Self {
        Self::build(style, Verbosity::Verbose, false, Stream::relayed(writer, json::lost), None, clock, true)
    }

    #[cfg(test)]
    pub(super) fn with_screen(
        verbosity: Verbosity,
        writer: Box<dyn Write + Send>,
        painter: Painter,
        clock: Clock,
    ) -> Self {
        Self::build(Style::Bar, verbosity, false, Stream::Direct(writer), Some(painter), clock, true)
    }

    fn build(
        style: Style,
        verbosity: Verbosity,
        colours: bool,
        stream: Stream,
        painter: Option<Painter>,
        clock: Clock,
        by_hand: bool,
    ) -> Self {
        // The date of the clock's fixed moment. All dates follow from it, so that they never jump.
        let zero = units::now().checked_sub(clock()).unwrap_or(SystemTime::UNIX_EPOCH);
        let inner = ProgressInner {
            style,
            verbosity,
            colours,
            clock,
            out: Mutex::new(Out::new(stream, painter, Encoder::new(zero))),
            model: Mutex::default(),
            ticker: (!by_hand && style != Style::None).then(Ticker::default),
            runs: AtomicUsize::new(0),
        };
        Self { guard: Arc::new(Guard(Arc::new(inner))) }
    }

    fn inner(&self) -> &Arc<ProgressInner> {
        &self.guard.0
    }

    /// Returns the observer for a run. It may watch several runs, also at the same time.
    pub fn observer(&self) -> Arc<dyn Observer> {
        Arc::new(Eye(Arc::clone(self.inner())))
    }

    /// Returns the style in use, which is never [`Style::Auto`].
    pub fn style(&self) -> Style {
        self.inner().style
    }

    /// Returns whether bars are drawn on a terminal.
    pub fn is_terminal(&self) -> bool {
        self.inner().style == Style::Bar
    }

    /// Writes a line that is always shown: a failure.
    pub fn error(&self, line: &str) {
        self.inner().say(Level::Error, line);
    }

    /// Writes a line, such as a warning or a summary, unless quiet.
    pub fn note(&self, line: &str) {
        self.inner().say(Level::Note, line);
    }

    /// Writes a line if verbose.
    pub fn detail(&self, line: &str) {
        self.inner().say(Level::Detail, line);
    }

    /// Removes the bars while `f` writes to the terminal. Messages wait until `f` is done.
    pub fn suspend<R>(&self, f: impl FnOnce() -> R) -> R {
        self.inner().suspend(f)
    }

    /// Removes the bars for good, because from now on someone else writes to the terminal: rows, or
    /// a program that gets the rows through a pipe. Messages are still shown, and so are the lines
    /// of the other styles.
    pub fn hide_bars(&self) {
        let mut out = lock(&self.inner().out);
        out.erase();
        out.hidden = true;
    }

    /// Returns a function that removes the bars for good, for a program that ends at once. It waits
    /// only briefly for a terminal that takes no text, and does not keep the display alive.
    pub fn eraser(&self) -> impl FnOnce() + Send + 'static {
        let inner = Arc::downgrade(self.inner());
        move || {
            let inner = inner.upgrade();
            if let Some(mut out) = inner.as_ref().and_then(|inner| inner.out_soon()) {
                out.erase();
                out.hidden = true;
            }
        }
    }

    /// Returns a function that removes the bars, stops the program with `stop`, and draws them again once that returns:
    /// for Ctrl-Z. It does not keep the display alive.
    pub fn stopper(&self, stop: impl Fn() + Send + 'static) -> impl Fn() + Send + 'static {
        let inner = Arc::downgrade(self.inner());
        move || match inner.upgrade() {
            Some(inner) => inner.suspend(&stop),
            None => stop(),
        }
    }

    /// From now on, removes the bars before the message of a panic of any thread.
    pub fn clear_on_panic(&self) {
        let inner = Arc::downgrade(self.inner());
        let show = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let inner = inner.upgrade();
            // Held until the message is written, so that no bar is drawn over it.
            let mut out = inner.as_ref().and_then(|inner| inner.out_soon());
            if let Some(out) = &mut out {
                out.erase();
            }
            show(panic);
        }));
    }

    /// Writes what is due now. Call it only if you passed in a clock; otherwise a thread does it.
    pub fn tick(&self) {
        self.inner().tick();
    }

    /// Shows what other machines do for the run that goes on, instead of its jobs. Call it as often as
    /// they say something, with all of them.
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
        self.inner().peers(peers);
    }

    /// Ends the display: removes the bars, and shows no more events. Messages are still shown. A
    /// second call does nothing.
    pub fn finish(&self) {
        self.inner().finish();
    }
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Progress").field("style", &self.style()).finish_non_exhaustive()
    }
}

/// The observer of a run. It is not a handle, because it may outlive all handles.
struct Eye(Arc<ProgressInner>);

impl Observer for Eye {
    fn observe(&self, event: &Event<'_>) {
        self.0.take(event);
        if let Some(ticker) = &self.0.ticker {
            match &event.kind {
                EventKind::RunStarted { .. } if self.0.runs.fetch_add(1, SeqCst) == 0 => {
                    let inner = Arc::clone(&self.0);
                    ticker.run(TICK, move || inner.tick());
                }
                EventKind::RunFinished { .. } if self.0.runs.fetch_sub(1, SeqCst) == 1 => ticker.pause(),
                _ => {}
            }
        }
    }
}

impl ProgressInner {
    /// Returns the stream, unless it stays in use, perhaps by this very thread.
    fn out_soon(&self) -> Option<MutexGuard<'_, Out>> {
        for _ in 0..SOON {
            match self.out.try_lock() {
                Ok(out) => return Some(out),
                Err(TryLockError::Poisoned(out)) => return Some(out.into_inner()),
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(1)),
            }
        }
        None
    }

    fn take(&self, event: &Event<'_>) {
        let now = (self.clock)();
        if self.style == Style::Json {
            let mut out = lock(&self.out);
            if !out.finished {
                let text = out.encoder.event(event, now);
                out.write(&text);
            }
            return;
        }
        if self.style != Style::None {
            lock(&self.model).apply(event, now);
        }
        if let Some((level, line)) = lines::message(event) {
            self.say(level, &line);
        }
        if matches!(event.kind, EventKind::RunFinished { .. }) {
            lock(&self.out).erase();
        }
    }

    fn peers(&self, peers: &[Peer]) {
        let now = (self.clock)();
        if self.style == Style::Json {
            let mut out = lock(&self.out);
            if !out.finished {
                let text = out.encoder.peers(peers, now);
                out.write(&text);
            }
        } else if self.style != Style::None {
            PeerView::update(&mut lock(&self.model).peers, peers, now);
        }
    }

    fn say(&self, level: Level, line: &str) {
        if !level.is_shown(self.verbosity) {
            return;
        }
        let now = (self.clock)();
        let mut out = lock(&self.out);
        if self.style == Style::Json {
            let text = out.encoder.message(level.word(), line, now);
            out.write(&text);
        } else if level == Level::Error || !out.painter.as_ref().is_some_and(Painter::is_taken) {
            out.write(&format!("{line}\n"));
            self.repaint(&mut out, now);
        }
        // No run goes on any more, so the line may take its time.
        if out.finished {
            Self::drain(out);
        }
    }

    /// Waits until all lines are written.
    fn drain(out: MutexGuard<'_, Out>) {
        let relay = out.stream.relay();
        drop(out);
        if let Some(relay) = relay {
            relay.drain();
        }
    }

    fn tick(&self) {
        let now = (self.clock)();
        let mut out = lock(&self.out);
        if out.finished {
            return;
        }
        match self.style {
            Style::Bar => self.paint(&mut out, now),
            Style::Plain => self.plain(&mut out, now),
            Style::Json => {
                let text = out.encoder.pass(now, false);
                out.write(&text);
            }
            Style::Auto | Style::None => {}
        }
    }

    fn plain(&self, out: &mut Out, now: Duration) {
        let mut model = lock(&self.model);
        model.pass(now);
        let Some(started) = model.started else { return };
        if now.saturating_sub(started.max(out.spoke)) >= PLAIN {
            let line = lines::status(&model, now);
            drop(model);
            out.spoke = now;
            out.write(&format!("{line}\n"));
        }
    }

    fn repaint(&self, out: &mut Out, now: Duration) {
        if out.painted.is_some_and(|painted| now.saturating_sub(painted) >= REPAINT) {
            self.paint(out, now);
        }
    }

    fn paint(&self, out: &mut Out, now: Duration) {
        if out.suspended > 0 || out.hidden || out.finished {
            return;
        }
        let Some(painter) = out.painter.as_mut().filter(|painter| !painter.is_taken()) else { return };
        let (width, height) = painter.size();
        let mut model = lock(&self.model);
        if model.started.is_none() {
            return;
        }
        model.pass(now);
        let picture = lines::frame(&model, now, width, height, self.colours);
        drop(model);
        let text = painter.paint(&picture);
        out.put(&text);
        out.painted = Some(now);
    }

    fn suspend<R>(&self, f: impl FnOnce() -> R) -> R {
        struct Resume<'a>(&'a ProgressInner);
        impl Drop for Resume<'_> {
            fn drop(&mut self) {
                self.0.resume();
            }
        }
        self.pause();
        // A guard, so that the waiting lines are written even if `f` panics.
        let _resume = Resume(self);
        f()
    }

    fn pause(&self) {
        let mut out = lock(&self.out);
        out.erase();
        out.suspended += 1;
    }

    fn resume(&self) {
        let mut out = lock(&self.out);
        out.suspended = out.suspended.saturating_sub(1);
        let deferred = std::mem::take(&mut out.deferred);
        out.write(&deferred);
        self.repaint(&mut out, (self.clock)());
    }

    fn finish(&self) {
        let mut out = lock(&self.out);
        if self.style == Style::Json && !out.finished {
            let text = out.encoder.pass((self.clock)(), true);
            out.write(&text);
        }
        out.erase();
        out.finished = true;
        // The ticker takes this lock, so it is released first.
        Self::drain(out);
        if let Some(ticker) = &self.ticker {
            ticker.stop();
        }
    }
}
