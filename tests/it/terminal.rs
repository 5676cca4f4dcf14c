//! What a user sees on a real terminal: the program in a pseudo-terminal, read by a terminal
//! emulator.
#![cfg(unix)]

use crate::common::{Answer, Gate, Server, zip};
use pty_process::Size;
use pty_process::blocking::{Command, Pty};
use rustix::process::{Pid, Signal, kill_process};
use std::io::Read;
use std::num::NonZeroU16;

/// A program in a terminal of this size.
struct Terminal {
    pty: Pty,
    child: std::process::Child,
    screen: vt100::Parser,
    ended: bool,
}

impl Terminal {
    fn start<'a>(rows: u16, columns: u16, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        let (pty, pts) = pty_process::blocking::open().expect("a pseudo-terminal");
        pty.resize(Size::new(rows, columns)).expect("a size");
        let child = Command::new(env!("CARGO_BIN_EXE_raudal"))
            .args(arguments)
            .env_clear()
            .env("TERM", "xterm-256color")
            .spawn(pts)
            .expect("the program starts");
        let size = |n: u16| NonZeroU16::new(n).expect("a size");
        Self { pty, child, screen: vt100::Parser::new(size(rows), size(columns), 1000), ended: false }
    }

    /// Reads the program's output until `shows` accepts the screen, or the program has ended.
    fn read_until(&mut self, shows: impl Fn(&str) -> bool) {
        let mut bytes = [0; 4096];
        while !self.ended && !shows(&self.screen.screen().contents()) {
            match self.pty.read(&mut bytes) {
                Ok(count) if count > 0 => self.screen.process(&bytes[..count]),
                // The other side is closed when its last process has ended.
                _ => self.ended = true,
            }
        }
    }

    /// Returns the exit code and the last screen.
    fn end(mut self) -> (Option<i32>, String) {
        self.read_until(|_| false);
        let code = self.child.wait().expect("it ends").code();
        (code, self.screen.screen().contents())
    }
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
    assert!(!screen.contains('█'), "no bar is left:\n{screen}");
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
    let screen = terminal.screen.screen().contents();
    assert!(screen.contains("1 failed"), "{screen}");
    let pid = Pid::from_raw(terminal.child.id().try_into().expect("a process id")).expect("a process id");
    kill_process(pid, Signal::INT).expect("it runs");
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(130), "{screen}");
    assert!(screen.contains("interrupted: 1 of 3 inputs not done"), "{screen}");
    assert!(!screen.contains('█') && !screen.contains("2/3 done"), "no bar is left:\n{screen}");
    gate.open();
}

#[test]
fn a_narrow_terminal_is_no_problem() {
    let terminal = Terminal::start(10, 20, ["iter", "--mirror", "embedded", "--scale", "0.02"]);
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(0), "{screen}");
    assert!(screen.contains("peak"), "{screen}");
}
