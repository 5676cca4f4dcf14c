//! Everything that is shown: takes events and messages, and writes them one after the other.
//!
//! There are two locks, always taken in this order: `out` for writing, `model` for the state. An
//! event takes only `model`, and briefly. So a slow terminal (or one stopped by Ctrl-S) does not
//! slow the run. A ticker thread, which needs no runtime, writes bars and plain lines. Where there
//! are no bars, another thread does all the writing ([`relay`](super::relay)). On a terminal with
//! bars, the task of an event writes only single lines (failures and retries with `-v`), and removes
//! the bars at the end of a run.

use super::frame;
use super::json::JsonEncoder;
use super::lines::{self, MessageLevel};
use super::model::Model;
use super::out::Out;
use super::painter::Painter;
use super::peers::{Peer, PeerView};
use super::relay::Stream;
use super::style::{Style, Verbosity};
use super::ticker::Ticker;
use raudal_common::{lock, units};
use raudal_pool::{Event, EventKind, Observer};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};
use std::time::{Duration, SystemTime};

/// The interval of the ticker: the eye would not see a faster change.
const TICK: Duration = Duration::from_millis(100);
/// After a message, the bars are repainted at once, unless they were painted less than this ago.
/// Otherwise each of many rows would repaint them. The ticker repaints them in any case.
const REPAINT: Duration = Duration::from_millis(50);
/// The number of attempts, a millisecond apart, to reach the terminal before the program ends.
const SOON: u32 = 50;
/// How often a plain line is written.
const PLAIN: Duration = Duration::from_secs(2);

/// A clock: returns the time since a fixed moment.
pub type Clock = Arc<dyn Fn() -> Duration + Send + Sync>;

/// Everything that is shown: takes events and messages, and writes them one after the other.
pub(super) struct Display {
    pub(super) style: Style,
    verbosity: Verbosity,
    colours: bool,
    clock: Clock,
    pub(super) out: Mutex<Out>,
    model: Mutex<Model>,
    /// `None` if the caller ticks, or if nothing is shown.
    ticker: Option<Ticker>,
    /// The number of active runs.
    runs: AtomicUsize,
}

/// The observer of a run. It is not a handle, because it may outlive all handles.
pub(super) struct DisplayObserver(pub(super) Arc<Display>);

impl Observer for DisplayObserver {
    fn observe(&self, event: &Event<'_>) {
        self.0.take(event);
        if let Some(ticker) = &self.0.ticker {
            match &event.kind {
                EventKind::RunStarted { .. } if self.0.runs.fetch_add(1, SeqCst) == 0 => {
                    let display = Arc::clone(&self.0);
                    ticker.run(TICK, move || display.tick());
                }
                EventKind::RunFinished { .. } if self.0.runs.fetch_sub(1, SeqCst) == 1 => ticker.pause(),
                _ => {}
            }
        }
    }
}

impl Display {
    pub(super) fn new(
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
        Self {
            style,
            verbosity,
            colours,
            clock,
            out: Mutex::new(Out::new(stream, painter, JsonEncoder::new(zero))),
            model: Mutex::default(),
            ticker: (!by_hand && style != Style::None).then(Ticker::default),
            runs: AtomicUsize::new(0),
        }
    }

    /// Returns the stream, unless it stays locked, perhaps by this thread itself.
    pub(super) fn out_soon(&self) -> Option<MutexGuard<'_, Out>> {
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

    pub(super) fn peers(&self, peers: &[Peer]) {
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

    pub(super) fn say(&self, level: MessageLevel, line: &str) {
        if !level.is_shown(self.verbosity) {
            return;
        }
        let now = (self.clock)();
        let mut out = lock(&self.out);
        if self.style == Style::Json {
            let text = out.encoder.message(level.word(), line, now);
            out.write(&text);
        } else if level == MessageLevel::Error || !out.painter.as_ref().is_some_and(Painter::is_taken) {
            out.write(&format!("{line}\n"));
            self.repaint(&mut out, now);
        }
        // No run is active, so it is fine to wait for the line.
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

    pub(super) fn tick(&self) {
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
        let picture = frame::frame(&model, now, width, height, self.colours);
        drop(model);
        let text = painter.paint(&picture);
        out.put(&text);
        out.painted = Some(now);
    }

    pub(super) fn suspend<R>(&self, f: impl FnOnce() -> R) -> R {
        struct Resume<'a>(&'a Display);
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

    pub(super) fn finish(&self) {
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
