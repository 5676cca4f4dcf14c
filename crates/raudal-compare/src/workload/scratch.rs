//! A private temporary folder, which is removed with its owner.

use raudal_common::{Error, Result};
use std::io;
use std::path::Path;
use tempfile::TempDir;

/// Creates a folder in `parent`, or else in the system's temporary folder.
pub(super) fn folder(parent: Option<&Path>) -> Result<TempDir> {
    let parent = parent.map_or_else(std::env::temp_dir, Path::to_owned);
    tempfile::Builder::new()
        .prefix("raudal-")
        .tempdir_in(&parent)
        .map_err(|error| failed("cannot create a temporary folder in", &parent, error))
}

/// Returns an error of the local disk, with a hint where one may help.
pub(super) fn failed(what: &str, path: &Path, error: io::Error) -> Error {
    use io::ErrorKind::{FileTooLarge, NotADirectory, NotFound, PermissionDenied, QuotaExceeded, StorageFull};
    let hint = match error.kind() {
        StorageFull | QuotaExceeded | FileTooLarge => {
            Some("free some space, or choose a folder that has more with [`temp_dir`]")
        }
        NotADirectory | NotFound | PermissionDenied => {
            Some("choose a folder that you have permission to write to with [`temp_dir`]")
        }
        _ => None,
    };
    let error = Error::io(format!("{what}: {}", raudal_common::error::printable(&path.display().to_string())), error);
    match hint {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use raudal_common::Kind;

    #[test]
    fn a_folder_goes_with_its_owner() {
        let parent = folder(None).unwrap();
        let inner = folder(Some(parent.path())).unwrap();
        let path = inner.path().to_owned();
        assert!(path.is_dir() && path.starts_with(parent.path()));
        drop(inner);
        assert!(!path.exists());
    }

    #[test]
    fn a_folder_that_is_none_is_named_with_a_cure() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for parent in [file.path(), Path::new("/no/such/folder")] {
            let error = folder(Some(parent)).unwrap_err();
            assert_eq!((error.kind(), error.hint_text().is_some()), (Kind::Io, true), "{error}");
            assert!(error.to_string().ends_with(&parent.display().to_string()), "{error}");
        }
    }

    #[test]
    fn a_full_disk_has_its_own_cure() {
        let error = failed("cannot write", Path::new("/full"), io::ErrorKind::StorageFull.into());
        assert!(error.hint_text().is_some_and(|hint| hint.contains("free some space")));
    }
}
