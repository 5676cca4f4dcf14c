//! The `raudal` command: reads the arguments, runs the command and returns its exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(raudal::cli::main(std::env::args_os()))
}
