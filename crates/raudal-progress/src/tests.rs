//! Tests what a terminal, a log file and a program see of a run. Time is passed in: nothing here
//! sleeps.

mod harness;
mod terminal;

use super::{Progress, Recorder, Style, Verbosity};
use harness::{Closed, Log, ManualClock, Show, report};
use raudal_pool::{Event, EventKind, Observer, Outcome, RunReport};
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[test]
fn a_terminal_shows_each_job_in_flight_and_the_whole() {
    let show = Show::on_terminal(80, 24, Verbosity::Normal);
    show.start(4).half_way(0).half_way(1);
    assert_eq!(
        show.after(1000),
        "█████░░░░░░░░░░░░░░░ 00.zip  500 kB/2.0 MB  500 kB/s  fetch\n\
         █████░░░░░░░░░░░░░░░ 01.zip  500 kB/2.0 MB  500 kB/s  fetch\n\
         ██░░░░░░░░░░░░░░░░░░ 0/4 done, 2 in flight, 1.0 MB, 1.0 MB/s, 7 s left"
    );
    show.end_job(0, Outcome::Succeeded);
    assert_eq!(
        show.after(100),
        "█████░░░░░░░░░░░░░░░ 01.zip  500 kB/2.0 MB  455 kB/s  fetch\n\
         ██████░░░░░░░░░░░░░░ 1/4 done, 1 in flight, 1.0 MB, 909 kB/s, 6 s left"
    );
}

#[test]
fn success_leaves_a_clean_screen_with_the_cursor_at_its_begin() {
    let show = Show::on_terminal(80, 24, Verbosity::Normal);
    show.start(1).half_way(0);
    show.after(1000);
    show.end_job(0, Outcome::Succeeded).end();
    assert_eq!((show.after(100).as_str(), show.screen.cursor()), ("", (0, 0)));
    show.progress.note("1 archive, 2.0 MB");
    show.progress.finish();
    show.progress.finish();
    assert_eq!((show.screen.text().as_str(), show.screen.cursor()), ("1 archive, 2.0 MB", (1, 0)));
}

#[test]
fn a_failure_leaves_one_line_above_the_bars_when_verbose_and_stays_when_they_go() {
    let show = Show::on_terminal(80, 24, Verbosity::Verbose);
    show.start(2).half_way(0).half_way(1);
    show.after(1000);
    show.fail_attempt(0, None).end_job(0, Outcome::Failed);
    assert_eq!(
        show.after(100),
        "00.zip: the server answered: 404 (4 tries)\n\
         █████░░░░░░░░░░░░░░░ 01.zip  500 kB/2.0 MB  455 kB/s  fetch\n\
         ████████████░░░░░░░░ 1/2 done, 1 failed, 500 kB, 909 kB/s, 2 s left"
    );
    drop(show.progress);
    assert_eq!(show.screen.text(), "00.zip: the server answered: 404 (4 tries)");
    assert_eq!(show.screen.cursor(), (1, 0));
}

#[test]
fn a_retry_takes_its_bytes_back_and_says_what_it_waits_for() {
    let show = Show::on_terminal(80, 24, Verbosity::Normal);
    show.start(1).half_way(0);
    show.after(1000);
    show.fail_attempt(0, Some(Duration::from_secs(3)));
    assert_eq!(
        show.after(100),
        "░░░░░░░░░░░░░░░░░░░░ 00.zip  retry in 3 s  the connection broke\n\
         ░░░░░░░░░░░░░░░░░░░░ 0/1 done, 0 in flight, 1 waiting"
    );
    show.tell(&Event::new(1, EventKind::AttemptStarted { job: 0, label: "00.zip", attempt: 2 }));
    let text = show.after(3000);
    assert!(text.contains("00.zip  (attempt 2)"), "{text}");
}

#[test]
fn an_interrupted_run_leaves_no_bars_although_an_observer_lives_on() {
    let show = Show::on_terminal(80, 24, Verbosity::Normal);
    show.start(1).half_way(0);
    show.after(1000);
    let clone = show.progress.clone();
    drop(show.progress);
    assert!(!show.screen.text().is_empty(), "a handle is left");
    drop(clone);
    assert_eq!((show.screen.text().as_str(), show.screen.cursor()), ("", (0, 0)));
    show.observer.observe(&Event::new(1, EventKind::Advanced { job: 0, bytes: 1, items: 0 }));
    assert_eq!(show.screen.text(), "");
}

#[test]
fn rows_that_others_write_do_not_tear_the_bars() {
    let show = Show::on_terminal(80, 24, Verbosity::Normal);
    show.start(1).half_way(0);
    show.after(1000);
    show.progress.suspend(|| {
        let mut stdout = show.screen.clone();
        stdout.write_all(b"01,Aguas").unwrap();
        show.progress.error("said in between");
        show.progress.tick();
        stdout.write_all(b"calientes\n").unwrap();
    });
    let text = show.after(100);
    assert!(text.starts_with("01,Aguascalientes\nsaid in between\n█████"), "{text}");
    assert_eq!(text.lines().count(), 4);
}

#[test]
fn a_narrow_or_low_terminal_shows_what_fits() {
    for (width, height) in [(20, 24), (1, 1), (10, 2), (80, 3)] {
        let show = Show::on_terminal(width, height, Verbosity::Verbose);
        show.start(40);
        for job in 0..12 {
            show.half_way(job);
        }
        let text = show.after(1000);
        assert!(text.lines().count() <= usize::from(height), "{width}x{height}\n{text}");
        show.end();
        show.progress.finish();
        assert_eq!(show.screen.text(), "", "{width}x{height}");
    }
    let show = Show::on_terminal(20, 24, Verbosity::Normal);
    show.start(1).half_way(0);
    assert_eq!(show.after(1000), "00.zip\n0/1 done, 3 s left");
}

#[test]
fn a_log_gets_a_line_every_two_seconds_while_something_runs() {
    let show = Show::on_log(Style::Plain, Verbosity::Normal);
    show.after(10_000);
    show.start(3).half_way(0).half_way(1);
    for _ in 0..45 {
        show.after(100);
    }
    show.fail_attempt(0, Some(Duration::from_secs(1))).end_job(0, Outcome::Failed);
    show.end_job(1, Outcome::Cancelled).end();
    show.after(10_000);
    assert_eq!(
        show.log.text(),
        "0/3 done, 2 in flight, 1.0 MB, 500 kB/s, 10 s left\n\
         0/3 done, 2 in flight, 1.0 MB, 250 kB/s, 20 s left\n"
    );
}

#[test]
fn retries_and_pauses_are_said_when_verbose() {
    for (verbosity, said) in [
        (Verbosity::Normal, ""),
        (
            Verbosity::Verbose,
            "00.zip: attempt 1 failed, retry in 500 ms: the connection broke\nexample.org: held back for 30.0 s\n",
        ),
    ] {
        let show = Show::on_log(Style::Plain, verbosity);
        show.start(1).half_way(0).fail_attempt(0, Some(Duration::from_millis(500)));
        show.tell(&Event::new(1, EventKind::KeyPaused { key: "example.org", pause: Duration::from_secs(30) }));
        assert_eq!(show.log.text(), said);
    }
}

#[test]
fn quiet_says_errors_only() {
    let show = Show::on_log(Style::Auto, Verbosity::Quiet);
    show.start(1).half_way(0);
    show.after(10_000);
    show.end_job(0, Outcome::Failed).end();
    show.progress.note("a summary");
    show.progress.error("an error");
    assert_eq!(show.log.text(), "an error\n");
}

#[test]
fn json_is_an_object_a_line_messages_included() {
    let show = Show::on_log(Style::Json, Verbosity::Normal);
    show.start(1).half_way(0);
    show.tell(&Event::new(1, EventKind::Advanced { job: 0, bytes: 7, items: 0 }));
    show.end_job(0, Outcome::Failed);
    show.progress.note("said");
    show.end();
    let lines: Vec<serde_json::Value> =
        show.log.text().lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let events: Vec<&str> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!(
        events,
        [
            "run_started",
            "attempt_started",
            "stage",
            "expected",
            "advanced",
            "advanced",
            "job_finished",
            "message",
            "run_finished"
        ]
    );
    assert_eq!(lines[5]["bytes"], 7);
    assert_eq!(lines[6]["report"]["attempts"], 4);
}

#[test]
fn a_closed_stderr_is_no_error() {
    for style in [Style::Plain, Style::Json, Style::None] {
        let progress =
            Progress::with_writer(style, Verbosity::Verbose, Box::new(Closed), ManualClock::default().clock());
        progress.observer().observe(&Event::new(1, EventKind::RunStarted { total: None, jobs: 1 }));
        progress.error("nobody hears");
        progress.suspend(|| progress.note("nobody hears"));
        progress.finish();
    }
}

#[test]
fn a_terminal_that_goes_away_in_the_middle_is_no_error() {
    let show = Show::on_terminal(80, 24, Verbosity::Normal);
    show.start(2).half_way(0);
    show.after(1000);
    show.screen.hang_up();
    show.half_way(1).end_job(0, Outcome::Failed);
    show.after(1000);
    show.progress.suspend(|| show.progress.note("nobody hears"));
    show.end();
    show.progress.finish();
}

#[test]
fn a_panic_in_a_suspended_writer_leaves_the_screen_in_order() {
    let show = Show::on_terminal(80, 24, Verbosity::Normal);
    show.start(1).half_way(0);
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        show.progress.suspend(|| {
            show.progress.error("said before");
            std::panic::panic_any("torn");
        });
    }));
    assert!(caught.is_err());
    assert!(show.after(1000).starts_with("said before\n█████"));
}

#[test]
fn the_real_thing_starts_and_ends_its_thread() {
    let progress = Progress::new(Style::Plain, Verbosity::Normal);
    let observer = progress.observer();
    for _ in 0..3 {
        observer.observe(&Event::new(1, EventKind::RunStarted { total: Some(1), jobs: 1 }));
        observer.observe(&Event::new(1, EventKind::RunFinished { report: &RunReport::default() }));
    }
    progress.finish();
}

#[test]
fn a_recorder_keeps_limits_and_jobs_in_the_order_of_the_input() {
    let recorder = Recorder::default();
    recorder.observe(&Event::new(1, EventKind::RunStarted { total: Some(3), jobs: 64 }));
    recorder.observe(&Event::new(
        1,
        EventKind::LimitChanged { key: "https://a.example:443", limit: 8, why: "no data has arrived yet" },
    ));
    for job in [2, 0, 1] {
        recorder.observe(&Event::new(1, EventKind::JobFinished { report: &report(job, Outcome::Succeeded) }));
    }
    let wait = Some(Duration::ZERO);
    recorder.observe(&Event::new(
        1,
        EventKind::AttemptFailed {
            job: 0,
            label: "",
            attempt: 1,
            error: "",
            kind: "status",
            retry_in: wait,
            bytes: 0,
            items: 0,
        },
    ));
    let recording = recorder.recording();
    assert_eq!(recording.jobs.iter().map(|job| job.job).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!((recording.retries, recording.run.is_none()), (1, true));
    assert_eq!((recording.limits[0].limit, &*recording.limits[0].key), (8, "https://a.example:443"));
    assert!(recorder.to_json().unwrap().contains("\"label\": \"02.zip\""));
}

/// A pipe whose reader does not read before it is let.
struct Stalled {
    may_read: Arc<Mutex<()>>,
    log: Log,
}

impl Write for Stalled {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _may = self.may_read.lock().unwrap();
        self.log.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_that_stalls_holds_no_run_and_gets_every_line_in_the_end() {
    let (may_read, log) = (Arc::new(Mutex::new(())), Log::default());
    let stalled = may_read.lock().unwrap();
    let writer = Stalled { may_read: Arc::clone(&may_read), log: log.clone() };
    let progress = Progress::with_relay(Style::Json, Box::new(writer), ManualClock::default().clock());
    let observer = progress.observer();
    // It would wait here for ever if an event waited for the reader.
    observer.observe(&Event::new(1, EventKind::RunStarted { total: Some(2000), jobs: 1 }));
    for job in 0..2000 {
        observer.observe(&Event::new(1, EventKind::AttemptStarted { job, label: "a", attempt: 1 }));
        progress.note("a message");
        progress.tick();
    }
    observer.observe(&Event::new(1, EventKind::RunFinished { report: &RunReport::default() }));
    assert_eq!(log.text(), "");
    drop(stalled);
    progress.finish();
    assert_eq!(log.text().lines().count(), 2000 * 2 + 2);
    progress.error("after the end");
    assert!(log.text().lines().last().unwrap().contains("after the end"), "it is written at once");
}

#[test]
fn a_recording_has_the_dates_of_its_run() {
    let recorder = Recorder::default();
    assert_eq!((recorder.recording().started, recorder.recording().ended), (None, None));
    recorder.observe(&Event::new(1, EventKind::RunStarted { total: None, jobs: 1 }));
    let mut report = RunReport::default();
    report.wall = Duration::from_secs(90);
    recorder.observe(&Event::new(1, EventKind::RunFinished { report: &report }));
    let recording = recorder.recording();
    assert_eq!(recording.ended.unwrap().duration_since(recording.started.unwrap()).unwrap(), report.wall);
    let json: serde_json::Value = serde_json::from_str(&recorder.to_json().unwrap()).unwrap();
    assert!(json["ended"].as_str() > json["started"].as_str() && json["started"].as_str().unwrap().ends_with('Z'));
}
