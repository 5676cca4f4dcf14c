//! A run whose events a test reports, on a terminal in memory or a log.

use crate::display::Clock;
use crate::painter::Painter;
use crate::screen::Screen;
use crate::{Progress, Style, Verbosity};
use raudal_pool::{Event, EventKind, JobReport, Observer, Outcome, RunReport};
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A clock that moves only when a test moves it.
#[derive(Clone, Default)]
pub(super) struct ManualClock(Arc<AtomicU64>);

impl ManualClock {
    pub(super) fn clock(&self) -> Clock {
        let milliseconds = Arc::clone(&self.0);
        Arc::new(move || Duration::from_millis(milliseconds.load(Ordering::Relaxed)))
    }

    pub(super) fn pass(&self, milliseconds: u64) {
        self.0.fetch_add(milliseconds, Ordering::Relaxed);
    }
}

#[derive(Clone, Default)]
pub(super) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A stream whose other end is gone.
pub(super) struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
}

/// A run whose events a test reports.
pub(super) struct Show {
    pub(super) progress: Progress,
    pub(super) observer: Arc<dyn Observer>,
    pub(super) hand: ManualClock,
    pub(super) screen: Screen,
    pub(super) log: Log,
}

impl Show {
    pub(super) fn on_terminal(width: u16, height: u16, verbosity: Verbosity) -> Self {
        Self::on_screen(width, height, verbosity, false)
    }

    pub(super) fn beside_a_pager() -> Self {
        Self::on_screen(80, 24, Verbosity::Verbose, true)
    }

    pub(super) fn on_screen(width: u16, height: u16, verbosity: Verbosity, is_taken: bool) -> Self {
        let (hand, screen) = (ManualClock::default(), Screen::new(width, height));
        let window = screen.clone();
        let painter = Painter::new(Box::new(move || window.size()), Box::new(move || is_taken));
        let progress = Progress::with_screen(verbosity, Box::new(screen.clone()), painter, hand.clock());
        Self { observer: progress.observer(), progress, hand, screen, log: Log::default() }
    }

    pub(super) fn on_log(style: Style, verbosity: Verbosity) -> Self {
        let (hand, log) = (ManualClock::default(), Log::default());
        let progress = Progress::with_writer(style, verbosity, Box::new(log.clone()), hand.clock());
        Self { observer: progress.observer(), progress, hand, screen: Screen::new(80, 24), log }
    }

    pub(super) fn tell(&self, event: &Event<'_>) -> &Self {
        self.observer.observe(event);
        self
    }

    pub(super) fn start(&self, total: u64) -> &Self {
        self.tell(&Event::new(1, EventKind::RunStarted { total: Some(total), jobs: 8 }))
    }

    /// A job that has moved 500 kB of 2 MB.
    pub(super) fn half_way(&self, job: u64) -> &Self {
        let label = format!("{job:02}.zip");
        self.tell(&Event::new(1, EventKind::AttemptStarted { job, label: &label, attempt: 1 }))
            .tell(&Event::new(1, EventKind::Stage { job, stage: "fetch" }))
            .tell(&Event::new(1, EventKind::Expected { job, bytes: 2_000_000 }))
            .tell(&Event::new(1, EventKind::Advanced { job, bytes: 500_000, items: 0 }))
    }

    pub(super) fn fail_attempt(&self, job: u64, retry_in: Option<Duration>) -> &Self {
        let label = format!("{job:02}.zip");
        let error = "the connection broke";
        self.tell(&Event::new(
            1,
            EventKind::AttemptFailed {
                job,
                label: &label,
                attempt: 1,
                error,
                kind: "status",
                retry_in,
                bytes: 500_000,
                items: 0,
            },
        ))
    }

    pub(super) fn end_job(&self, job: u64, outcome: Outcome) -> &Self {
        self.tell(&Event::new(1, EventKind::JobFinished { report: &report(job, outcome) }))
    }

    pub(super) fn end(&self) -> &Self {
        self.tell(&Event::new(1, EventKind::RunFinished { report: &RunReport::default() }))
    }

    /// Lets time pass, and returns the text on the screen.
    pub(super) fn after(&self, milliseconds: u64) -> String {
        self.hand.pass(milliseconds);
        self.progress.tick();
        self.screen.text()
    }
}

pub(super) fn report(job: u64, outcome: Outcome) -> JobReport {
    let failed = outcome == Outcome::Failed;
    let mut report = JobReport::new(job, format!("{job:02}.zip"), outcome);
    report.attempts = if failed { 4 } else { 1 };
    report.running = Duration::from_secs(1);
    report.bytes = 2_000_000;
    report.kind = failed.then_some("status");
    report.error = failed.then(|| "the server answered: 404".to_owned());
    report
}
