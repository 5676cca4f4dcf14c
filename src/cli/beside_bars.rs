//! Standard output while bars are drawn.

use raudal::progress::Progress;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::Path;

/// Standard output for rows that may reach the terminal of the bars: it is that terminal, or a pipe
/// to a program that may write there, such as `head` or `less`. The bars go for good before the
/// first row, so that no bar is drawn over a row.
pub(crate) struct Rows {
    progress: Progress,
    begun: bool,
    /// It passes on whole lines, so messages do not tear rows.
    out: io::Stdout,
}

impl Rows {
    pub(crate) fn new(progress: &Progress) -> Self {
        Self { progress: progress.clone(), begun: false, out: io::stdout() }
    }
}

impl Write for Rows {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.begun && !bytes.is_empty() {
            self.begun = true;
            self.progress.hide_bars();
        }
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Standard output for lines that come now and then.
pub(crate) enum Lines {
    /// A terminal: the bars make room for each line.
    Terminal(Progress),
    /// A pipe that may end at the terminal.
    Pipe(Rows),
    File(io::Stdout),
}

impl Lines {
    pub(crate) fn new(progress: &Progress) -> Self {
        match (io::stdout().is_terminal(), stdout_may_show()) {
            (true, _) => Self::Terminal(progress.clone()),
            (false, true) => Self::Pipe(Rows::new(progress)),
            (false, false) => Self::File(io::stdout()),
        }
    }

    /// Writes a line, so that a reader sees it at once.
    pub(crate) fn write(&mut self, line: &str) -> io::Result<()> {
        fn to(out: &mut impl Write, line: &str) -> io::Result<()> {
            out.write_all(format!("{line}\n").as_bytes())?;
            out.flush()
        }
        match self {
            Self::Terminal(progress) => progress.suspend(|| to(&mut io::stdout(), line)),
            Self::Pipe(out) => to(out, line),
            Self::File(out) => to(out, line),
        }
    }
}

/// Returns whether what goes to standard output may be shown on a terminal.
pub(crate) fn stdout_may_show() -> bool {
    #[cfg(unix)]
    let copy = std::os::fd::AsFd::as_fd(&io::stdout()).try_clone_to_owned();
    #[cfg(windows)]
    let copy = std::os::windows::io::AsHandle::as_handle(&io::stdout()).try_clone_to_owned();
    copy.map_or(true, |copy| may_show(&File::from(copy)))
}

/// Returns whether what goes to this file may be shown on a terminal: it is one, or a pipe. Opening
/// a pipe would wait for its reader, so it is not opened.
pub(crate) fn path_may_show(path: &Path) -> bool {
    match path.metadata() {
        Ok(there) if there.is_file() => false,
        Ok(there) if is_pipe(&there) => true,
        Ok(_) => File::open(path).is_ok_and(|file| file.is_terminal()),
        Err(_) => false,
    }
}

fn may_show(file: &File) -> bool {
    file.is_terminal() || file.metadata().map_or(true, |there| is_pipe(&there))
}

#[cfg(unix)]
fn is_pipe(there: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt as _;
    there.file_type().is_fifo() || there.file_type().is_socket()
}

#[cfg(not(unix))]
fn is_pipe(there: &std::fs::Metadata) -> bool {
    !there.is_file()
}
