//! Credentials that go to one host only, a cache that never serves the wrong bytes, a lock that
//! refuses changed inputs, and a machine with tight limits.

mod cache;
mod credentials;
mod lock;
mod machine;

use crate::common::{Finished, Program, raudal};
use std::path::{Path, PathBuf};

/// `raudal table`, without a wait before a retry.
fn table<A: Into<std::ffi::OsString>>(arguments: impl IntoIterator<Item = A>) -> Program {
    raudal(["table", "--progress", "none", "--retry-delay", "1ms"]).args(arguments.into_iter().map(Into::into))
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn write(folder: &tempfile::TempDir, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).expect("a file in a temporary folder");
    path
}

fn read(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path.as_ref()).unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()))
}

#[track_caller]
fn ended(finished: &Finished, code: i32, says: &[&str]) {
    assert_eq!(finished.code, Some(code), "{}", finished.stderr);
    for text in says {
        assert!(finished.stderr.contains(text), "`{text}` is not in:\n{}", finished.stderr);
    }
    assert!(!finished.stderr.contains("panicked"), "{}", finished.stderr);
}
