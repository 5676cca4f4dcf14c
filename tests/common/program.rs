//! The program itself, in a clean environment.

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Instant;

use super::PATIENCE;

/// The variables that any program needs. Proxies and `RAUDAL_…` are left out. So is the home, which
/// may hold logins.
const KEPT: [&str; 6] = ["PATH", "TMPDIR", "SystemRoot", "TEMP", "TMP", "LLVM_PROFILE_FILE"];

/// Returns the program with these arguments.
pub fn raudal<A: Into<OsString>>(arguments: impl IntoIterator<Item = A>) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_raudal"));
    command.env_clear().args(arguments.into_iter().map(Into::into));
    command.envs(KEPT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    command.env("HOME", "no/such/home");
    Program { command, input: Vec::new() }
}

/// A program that has not started.
#[derive(Debug)]
pub struct Program {
    command: Command,
    input: Vec<u8>,
}

/// A program that has ended.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: String,
}

impl Finished {
    /// Standard output as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.stdout).expect("UTF-8 on stdout")
    }
}

impl Program {
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.command.args(arguments);
        self
    }

    pub fn in_folder(mut self, folder: impl AsRef<Path>) -> Self {
        self.command.current_dir(folder);
        self
    }

    pub fn stdin(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = input.into();
        self
    }

    /// Runs it to its end. If it does not end, it is killed, and the test fails with its output so
    /// far.
    pub fn run(mut self) -> Finished {
        let mut child = self
            .command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        // A program that does not read its input closes the pipe, which is fine.
        let feeding = std::thread::spawn(move || drop(stdin.write_all(&self.input)));
        let (said, listen) = mpsc::channel();
        let pipes: [Box<dyn Read + Send>; 2] =
            [Box::new(child.stdout.take().expect("a pipe")), Box::new(child.stderr.take().expect("a pipe"))];
        for (which, mut pipe) in pipes.into_iter().enumerate() {
            let said = said.clone();
            std::thread::spawn(move || {
                let mut bytes = Vec::new();
                let _ = pipe.read_to_end(&mut bytes);
                let _ = said.send((which, bytes));
            });
        }
        let give_up = Instant::now() + PATIENCE;
        let mut output = [Vec::new(), Vec::new()];
        for _ in 0..2 {
            let left = give_up.saturating_duration_since(Instant::now());
            if let Ok((which, bytes)) = listen.recv_timeout(left) {
                output[which] = bytes;
                continue;
            }
            let _ = child.kill();
            drop(said);
            let rest: Vec<_> = listen.iter().map(|(_, b)| String::from_utf8_lossy(&b).into_owned()).collect();
            panic!("{:?} did not end; it said: {rest:#?}", self.command);
        }
        let code = child.wait().expect("the program has ended").code();
        feeding.join().expect("the input was fed");
        let [stdout, stderr] = output;
        Finished { code, stdout, stderr: String::from_utf8_lossy(&stderr).into_owned() }
    }
}
