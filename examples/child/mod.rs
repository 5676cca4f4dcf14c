//! Starts this program again, as a child process.

use std::io;
use tokio::process::Command;

/// Returns a command that runs this same program with these arguments, as Python's
/// `multiprocessing` does when it spawns. Dropping the child kills it; awaiting it (`wait`,
/// `status`, `output`) reaps it.
pub(crate) fn again(arguments: &[&str]) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments).kill_on_drop(true);
    Ok(command)
}
