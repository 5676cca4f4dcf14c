//! What a user sees on a real terminal: the program in a pseudo-terminal, read by a terminal
//! emulator.
#![cfg(unix)]

mod rows;

use crate::common::{Answer, Gate, Server, zip};
use pty_process::Size;
use pty_process::blocking::{Command, Pty};
use raudal::pool::{Event, EventKind};
use raudal::progress::{Progress, Style, Verbosity};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use std::io::{Read, Write};
use std::num::NonZeroU16;

/// A program in a terminal of this size.
struct Terminal {
    pty: Pty,
    child: std::process::Child,
    screen: vt100::Parser,
    /// All that was written, with what was overwritten since.
    seen: Vec<u8>,
    ended: bool,
}

impl Terminal {
    fn start<'a>(rows: u16, columns: u16, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        Self::run(rows, columns, Command::new(env!("CARGO_BIN_EXE_raudal")).args(arguments))
    }

    /// A command line of a shell, in which `raudal` is the program.
    fn shell(rows: u16, columns: u16, line: &str) -> Self {
        let line = format!("raudal() {{ exec '{}' \"$@\"; }}\n{line}", env!("CARGO_BIN_EXE_raudal"));
        Self::run(rows, columns, Command::new("sh").args(["-c", &line]))
    }

    fn run(rows: u16, columns: u16, command: Command) -> Self {
        let (pty, pts) = pty_process::blocking::open().expect("a pseudo-terminal");
        pty.resize(Size::new(rows, columns)).expect("a size");
        let child = command
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("TERM", "xterm-256color")
            .spawn(pts)
            .expect("the program starts");
        Self { pty, child, screen: vt100::Parser::new(size(rows), size(columns), 1000), seen: Vec::new(), ended: false }
    }

    /// Gives the window another width.
    fn widen(&mut self, rows: u16, columns: u16) {
        self.pty.resize(Size::new(rows, columns)).expect("a size");
        self.screen.screen_mut().set_size(size(rows), size(columns));
    }

    fn contents(&self) -> String {
        self.screen.screen().contents()
    }

    /// Presses keys.
    fn press(&mut self, keys: &str) {
        self.pty.write_all(keys.as_bytes()).expect("it takes keys");
    }

    /// Sends a signal to the program.
    fn kill(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("it runs");
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().expect("a process id")).expect("a process id")
    }

    /// Reads the program's output until `shows` accepts the screen, or the program has ended.
    fn read_until(&mut self, shows: impl Fn(&str) -> bool) {
        let (mut bytes, patience) = ([0; 4096], Timespec { tv_sec: 60, tv_nsec: 0 });
        while !self.ended && !shows(&self.contents()) {
            let mut ready = [PollFd::new(&self.pty, PollFlags::IN)];
            if poll(&mut ready, Some(&patience)).expect("a terminal") == 0 {
                let _ = self.child.kill();
                panic!("nothing more came for a minute:\n{}", self.contents());
            }
            match self.pty.read(&mut bytes) {
                Ok(count) if count > 0 => {
                    self.screen.process(&bytes[..count]);
                    self.seen.extend_from_slice(&bytes[..count]);
                }
                // The other side is closed when its last process has ended.
                _ => self.ended = true,
            }
        }
    }

    /// Returns the exit code and the last screen, which has no bar and shows the cursor.
    fn end(mut self) -> (Option<i32>, String) {
        self.read_until(|_| false);
        let code = self.child.wait().expect("it ends").code();
        let screen = self.contents();
        assert!(!self.screen.screen().hide_cursor(), "the cursor is shown");
        assert!(!has_bar(&screen), "no bar is left:\n{screen}");
        (code, screen)
    }
}

/// Returns whether a bar or the line below the bars is on the screen.
fn has_bar(screen: &str) -> bool {
    screen.contains(['█', '░']) || screen.contains(" done, ")
}

fn size(n: u16) -> NonZeroU16 {
    NonZeroU16::new(n).expect("a size")
}

#[test]
fn a_terminal_gets_a_table_that_fits_and_a_tidy_last_screen() {
    let terminal = Terminal::start(60, 80, ["iter", "--mirror", "embedded", "--scale", "0.02"]);
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(0), "{screen}");
    assert!(screen.contains("ENTIDAD") && screen.contains("Zacatecas"), "{screen}");
    assert!(screen.contains("more columns"), "{screen}");
    // Of 286 columns it shows who and how many, and none that is the same in all rows.
    assert!(screen.contains("NOM_ENT") && screen.contains("POBTOT") && !screen.contains("NOM_LOC"), "{screen}");
    let last: Vec<&str> = screen.trim_end().lines().rev().take(2).collect();
    assert!(last[0].contains("in flight at the peak") && last[1].starts_with("32 archives"), "{screen}");
}

#[test]
fn bars_show_what_is_in_flight_and_go_when_the_run_is_interrupted() {
    let gate = Gate::new();
    let archive = zip([("a.csv", b"n\n1\n".as_slice())]);
    let server = Server::start([
        ("/1.zip", vec![Answer::ok(&archive)]),
        ("/2.zip", vec![Answer::ok(&archive).behind(&gate)]),
        ("/3.zip", vec![Answer::status(404, "no")]),
    ]);
    let mut terminal = Terminal::start(24, 80, ["table", &server.url("/[1-3].zip")]);
    terminal.read_until(|screen| screen.contains("2.zip") && screen.contains("2/3 done"));
    let screen = terminal.contents();
    assert!(screen.contains("1 failed"), "{screen}");
    terminal.kill(Signal::INT);
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(130), "{screen}");
    assert!(screen.contains("interrupted: 1 of 3 inputs not done"), "{screen}");
    gate.open();
}

#[test]
fn a_narrow_terminal_is_no_problem() {
    let terminal = Terminal::start(10, 20, ["iter", "--mirror", "embedded", "--scale", "0.02"]);
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(0), "{screen}");
    assert!(screen.contains("peak"), "{screen}");
}

#[test]
fn every_end_of_a_run_leaves_no_bar() {
    for (end, expected) in [(None, 5), (Some(Signal::INT), 130), (Some(Signal::TERM), 143)] {
        let gate = Gate::new();
        let server = Server::with("/a.csv", [Answer::status(404, "no").behind(&gate)]);
        let mut terminal = Terminal::start(24, 80, ["table", &server.url("/a.csv")]);
        terminal.read_until(|screen| screen.contains("0/1 done"));
        match end {
            None => gate.open(),
            Some(signal) => terminal.kill(signal),
        }
        let (code, screen) = terminal.end();
        assert_eq!(code, Some(expected), "{screen}");
        gate.open();
    }
}

#[test]
fn the_echo_of_ctrl_c_goes_with_the_bars() {
    let gate = Gate::new();
    let server = Server::with("/a.csv", [Answer::ok("n\n1\n").behind(&gate)]);
    let mut terminal = Terminal::start(24, 80, ["table", &server.url("/a.csv")]);
    terminal.read_until(|screen| screen.contains("0/1 done"));
    terminal.press("\u{3}");
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(130), "{screen}");
    assert!(screen.starts_with("interrupted: 1 of 1 input not done"), "{screen}");
    gate.open();
}

#[test]
fn ctrl_z_leaves_no_bar_and_fg_goes_on() {
    let gate = Gate::new();
    let server = Server::with("/a.csv", [Answer::ok("n\n1\n").behind(&gate)]);
    let mut terminal = Terminal::start(24, 80, ["table", &server.url("/a.csv")]);
    terminal.read_until(|screen| screen.contains("0/1 done"));
    terminal.press("\u{1a}");
    terminal.read_until(|screen| !has_bar(screen));
    let stopped = waitpid(Some(terminal.pid()), WaitOptions::UNTRACED).expect("a child").expect("a change");
    assert!(stopped.1.stopped(), "{stopped:?}");
    terminal.kill(Signal::CONT);
    terminal.read_until(|screen| screen.contains("0/1 done"));
    gate.open();
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(0), "{screen}");
}

#[test]
fn a_panic_is_said_on_a_screen_without_bars() {
    let program = std::env::current_exe().expect("this program");
    let test = "terminal::a_program_that_panics_beside_bars";
    let command = Command::new(program).args(["--exact", test, "--ignored", "--nocapture", "--test-threads", "2"]);
    let mut terminal = Terminal::run(24, 80, command);
    terminal.read_until(|_| false);
    assert!(String::from_utf8_lossy(&terminal.seen).contains("0/2 done"), "bars were drawn");
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(0), "{screen}");
    assert!(screen.contains("it is broken"), "{screen}");
}

/// Not a test: what the test of panics runs in a terminal.
#[test]
#[ignore = "runs in the terminal of another test"]
fn a_program_that_panics_beside_bars() {
    let progress = Progress::new(Style::Bar, Verbosity::Normal);
    progress.clear_on_panic();
    let observer = progress.observer();
    observer.observe(&Event::new(1, EventKind::RunStarted { total: Some(2), jobs: 2 }));
    observer.observe(&Event::new(1, EventKind::AttemptStarted { job: 0, label: "a.zip", attempt: 1 }));
    progress.tick();
    std::thread::spawn(|| panic!("it is broken")).join().expect_err("it panics");
}
