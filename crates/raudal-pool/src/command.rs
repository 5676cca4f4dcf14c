//! Child processes as jobs. They are always awaited, their output is bounded, and their failures are described.

use crate::attempt::Attempt;
use std::fmt;
use std::io;
use std::process::{ExitStatus, Stdio};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

/// More than this on the standard output is an error: a job's result is held in memory.
const OUTPUT_LIMIT: u64 = 16 << 20;

/// How much of the end of the standard error is kept: the last lines usually tell why a program failed.
const STDERR_KEPT: usize = 16 << 10;

/// Lines of it that a message shows.
const LINES_SHOWN: usize = 4;

/// What a child process wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommandOutput {
    /// All of its standard output: at most 16 MiB.
    pub stdout: Vec<u8>,
    /// The end of its standard error: at most 16 KiB.
    pub stderr: Vec<u8>,
}

/// Why a child process has no output.
#[derive(Debug)]
#[non_exhaustive]
pub enum CommandError {
    /// It could not be started, or not be read from.
    Io(io::Error),
    /// It ended without success.
    Failed {
        /// Its exit code, or the signal that ended it.
        status: ExitStatus,
        /// The end of its standard error: at most 16 KiB.
        stderr: Vec<u8>,
    },
    /// It wrote more than this many bytes to its standard output, and was killed.
    TooMuch(u64),
    /// It was killed because its attempt ended first.
    Killed,
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "cannot run the program: {error}"),
            Self::Failed { status, stderr } => {
                write!(f, "the program failed: {status}")?;
                let text = String::from_utf8_lossy(stderr);
                let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
                match &lines[lines.len().saturating_sub(LINES_SHOWN)..] {
                    [] => Ok(()),
                    last => write!(f, ": {}", last.join(" / ")),
                }
            }
            Self::TooMuch(limit) => write!(f, "the program wrote more than {limit} bytes"),
            Self::Killed => f.write_str("the program was killed: its job ended first"),
        }
    }
}

impl std::error::Error for CommandError {}

impl From<io::Error> for CommandError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Attempt {
    /// Runs a program and returns what it wrote. Its standard input is empty.
    ///
    /// If the attempt ends first, by cancellation or time-out, the program is killed and awaited before the job ends.
    /// So neither a zombie nor a running program is left. (Programs that this program started are not tracked.)
    ///
    /// # Errors
    ///
    /// Fails with a [`CommandError`] if the program cannot be started, fails, or writes more than 16 MiB.
    ///
    /// ```
    /// use raudal_pool::Pool;
    /// use tokio::process::Command;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let versions = Pool::new(4)
    ///     .map(["cargo", "rustc"], |cx, program| async move {
    ///         let mut command = Command::new(program);
    ///         command.arg("--version");
    ///         cx.output(command).await
    ///     })
    ///     .attempt_timeout(std::time::Duration::from_secs(60))
    ///     .await;
    /// assert!(versions[0].as_ref().unwrap().stdout.starts_with(b"cargo "));
    /// # }
    /// ```
    pub async fn output(&self, command: impl Into<Command>) -> Result<CommandOutput, CommandError> {
        let mut command = command.into();
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        self.run_command(command).await
    }

    /// Runs a program that shares the standard output and error of this one (unless the command sets others), and
    /// waits for its success. Its standard input is empty. Like [`output`](Self::output) in everything else.
    ///
    /// # Errors
    ///
    /// Fails with a [`CommandError`] if the program cannot be started or fails.
    ///
    /// ```
    /// use raudal_pool::Pool;
    /// use std::process::{Command, Stdio};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let report = Pool::new(2)
    ///     .for_each(["--version", "--no-such-option"], |cx, option| async move {
    ///         let mut command = Command::new("cargo");
    ///         command.arg(option).stdout(Stdio::null()).stderr(Stdio::null());
    ///         cx.status(command).await
    ///     })
    ///     .await;
    /// assert_eq!((report.succeeded, report.failed), (1, 1));
    /// # }
    /// ```
    pub async fn status(&self, command: impl Into<Command>) -> Result<(), CommandError> {
        self.run_command(command.into()).await.map(drop)
    }

    /// Hands the program to a task that the attempt's end awaits: the attempt's own future may be dropped at any await,
    /// and a dropped `Child` is killed but not awaited.
    async fn run_command(&self, mut command: Command) -> Result<CommandOutput, CommandError> {
        command.stdin(Stdio::null()).kill_on_drop(true);
        let child = command.spawn()?;
        match self.elsewhere().spawn(owned(child, self.token().clone())).await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is shutting down, and this task with it.
                Err(_) => std::future::pending().await,
            },
        }
    }
}

/// Waits for a child, or kills it and waits for that.
async fn owned(mut child: Child, cancel: CancellationToken) -> Result<CommandOutput, CommandError> {
    let result = tokio::select! {
        result = watched(&mut child) => result,
        () = cancel.cancelled() => Err(CommandError::Killed),
    };
    if matches!(result, Err(CommandError::Killed | CommandError::TooMuch(_) | CommandError::Io(_))) {
        // This fails if it has ended meanwhile, and then it was awaited too.
        let _ = child.kill().await;
    }
    result
}

/// Reads what a child writes and waits for its end.
async fn watched(child: &mut Child) -> Result<CommandOutput, CommandError> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (stdout, stderr) = tokio::try_join!(all(stdout), end(stderr))?;
    let status = child.wait().await?;
    if status.success() { Ok(CommandOutput { stdout, stderr }) } else { Err(CommandError::Failed { status, stderr }) }
}

async fn all(stream: Option<impl AsyncRead + Unpin>) -> Result<Vec<u8>, CommandError> {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        stream.take(OUTPUT_LIMIT + 1).read_to_end(&mut bytes).await?;
    }
    if bytes.len() as u64 > OUTPUT_LIMIT { Err(CommandError::TooMuch(OUTPUT_LIMIT)) } else { Ok(bytes) }
}

/// Reads it all and keeps the end.
async fn end(stream: Option<impl AsyncRead + Unpin>) -> Result<Vec<u8>, CommandError> {
    let mut bytes = Vec::new();
    let Some(mut stream) = stream else { return Ok(bytes) };
    while stream.read_buf(&mut bytes).await? > 0 {
        // Cut rarely, so that not every read moves the kept bytes.
        if bytes.len() >= 2 * STDERR_KEPT {
            bytes.drain(..bytes.len() - STDERR_KEPT);
        }
    }
    bytes.drain(..bytes.len().saturating_sub(STDERR_KEPT));
    Ok(bytes)
}
