//! Starts the same program once more, as a process of its own.

use std::io;
use tokio::process::Command;

/// A command that runs this very program with these arguments. Python's `multiprocessing` does as much when it spawns.
/// A child that is forgotten is killed; one that is awaited (`wait`, `status`, `output`) is reaped.
pub(crate) fn again(arguments: &[&str]) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments).kill_on_drop(true);
    Ok(command)
}
