//! `--lock` and `--locked`: the lock file, and a table that is held back until all of it is
//! verified.

use super::args::KeepArgs;
use super::ending::Ending;
use super::inputs::Inputs;
use super::session::check_folder;
use raudal::compare::export;
use raudal::pipeline::Lock;
use raudal::progress::Progress;
use raudal::source::Input;
use raudal::{Error, Result};
use std::fs::File;
use std::io::{self, Seek, Write};
use std::sync::Arc;

/// Returns the lock of a run, if it has one. With `--locked`, it is read from the file and the
/// inputs must be in it.
pub(crate) fn of_run(args: &KeepArgs, inputs: &Inputs) -> Result<Option<Arc<Lock>>> {
    let Some(path) = &args.lock else { return Ok(None) };
    if !args.locked {
        check_folder(Some(path))?;
        return Ok(Some(Arc::default()));
    }
    let named = |error: Error| error.input(path.display().to_string());
    let text = std::fs::read_to_string(path).map_err(|error| {
        named(Error::io("cannot read the lock file", error).hint("write a lock file with --lock, without --locked"))
    })?;
    let lock = Lock::parse(&text).map_err(named)?;
    lock.check(&inputs.clone().collect::<Vec<Input>>())?;
    Ok(Some(Arc::new(lock)))
}

/// Writes the lock file only if every input succeeded: an incomplete lock would refuse the missing
/// inputs.
pub(crate) fn write(args: &KeepArgs, lock: Option<&Lock>, ending: &Ending<'_>, progress: &Progress) -> Result<()> {
    let (Some(path), Some(lock)) = (&args.lock, lock.filter(|lock| !lock.is_closed())) else { return Ok(()) };
    if ending.report.stopped || !ending.failures.is_empty() || !ending.unfinished.is_empty() {
        progress.error(&format!(
            "warning: the lock file is not written, because some inputs are not done: {}",
            path.display()
        ));
        return Ok(());
    }
    export(path, &lock.text())
}

/// Holds back what would go to standard output, in a file without a name that disappears with the
/// program.
pub(crate) struct HeldBack(File);

impl HeldBack {
    pub(crate) fn new() -> Result<Self> {
        tempfile::tempfile().map(Self).map_err(failed)
    }

    /// Returns a writer to it.
    pub(crate) fn writer(&self) -> Result<Box<dyn Write + Send>> {
        Ok(Box::new(io::BufWriter::new(self.0.try_clone().map_err(failed)?)))
    }

    /// Copies it to standard output, once all of it is verified.
    pub(crate) fn release(mut self) -> Result<()> {
        self.0.rewind().map_err(failed)?;
        let mut stdout = io::stdout().lock();
        io::copy(&mut self.0, &mut stdout)
            .and_then(|_| stdout.flush())
            .map_err(|error| Error::io("cannot write to standard output", error))
    }
}

fn failed(error: io::Error) -> Error {
    Error::io("cannot store the table in the temporary folder", error)
        .hint("free some space there, set TMPDIR to a folder that has more, or write to a file with --output")
}
