//! The Python module: runs a command of [`raudal::cli::host`] on threads of its own, and hands its
//! rows to Python as Arrow record batches.
//!
//! | module | what it does |
//! |---|---|
//! | `run` | a run: its thread, its messages, how Python waits for it and ends it |
//! | `batches` | record batches, and the Arrow C stream that other libraries read |
//! | `outcome` | what became of a run, as JSON |
//! | `server` | the embedded origin |
//!
//! Everything else is Python, in `raudal/`. No thread of a run calls Python, so a run needs no lock
//! of the interpreter, and may outlive it. Each run has its own runtime: nothing of it stays, and a
//! process that forks between two runs is no problem.

mod batches;
mod outcome;
mod run;
mod server;

use pyo3::prelude::*;
use std::ffi::OsString;

/// Gives memory back to the system after a run. It serves this module alone, not Python.
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The part of `raudal` that is written in Rust. It needs no lock of the interpreter: its classes
/// are frozen, and what changes in them is behind locks of their own.
#[pymodule(gil_used = false)]
#[pyo3(name = "_raudal")]
mod module {
    #[pymodule_export]
    use super::batches::Batches;
    #[pymodule_export]
    use super::run::Run;
    #[pymodule_export]
    use super::server::Server;
    #[pymodule_export]
    use super::{main, options, version};
}

/// Runs the command line and returns its exit code.
#[pyfunction]
fn main(py: Python<'_>, args: Vec<OsString>) -> u8 {
    py.detach(|| raudal::cli::main(args))
}

/// Returns the options of a command: their names and how they take values.
#[pyfunction]
#[expect(clippy::needless_pass_by_value, reason = "a list of Python comes by value")]
fn options(names: Vec<String>) -> PyResult<Vec<(String, &'static str, String)>> {
    use raudal::cli::host::{Takes, options};
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let found = options(&names).map_err(|error| pyo3::exceptions::PyValueError::new_err(error.to_string()))?;
    let takes = |takes| match takes {
        Takes::Nothing => "nothing",
        Takes::Many => "many",
        Takes::Maybe => "maybe",
        _ => "one",
    };
    Ok(found.into_iter().map(|option| (option.name, takes(option.takes), option.help)).collect())
}

/// Returns the version of raudal.
#[pyfunction]
fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}
