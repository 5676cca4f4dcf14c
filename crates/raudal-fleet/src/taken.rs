//! Notes which files of a run a submitter has saved, so that one that goes on with the run knows its own from a
//! stranger's.
//!
//! One hidden file of the folder has the id of the run, and a line for each input. A line is written before the file gets
//! its name. The file goes with the run.

use raudal_common::{Error, Result, lock};
use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// The files that were saved.
pub(crate) struct Taken {
    path: PathBuf,
    before: HashSet<u64>,
    file: Mutex<File>,
}

impl Taken {
    /// Opens the notes of a run in this folder, which is created if it is missing. Notes of another run of this name do
    /// not count. It blocks.
    pub(crate) fn open(folder: &Path, run: &str, id: &str) -> Result<Self> {
        let path = folder.join(format!(".raudal-{run}.taken"));
        let open = || {
            std::fs::create_dir_all(folder)?;
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let ours = text.strip_prefix(&format!("{id}\n"));
            // A killed submitter may have left half a line at the end.
            let whole = ours.and_then(|lines| lines.rsplit_once('\n')).map_or("", |(whole, _)| whole);
            let before = whole.split('\n').filter_map(|line| line.parse().ok()).collect();
            let mut file = OpenOptions::new().append(true).create(true).open(&path)?;
            if ours.is_some() {
                // Half a line is no number with this at its end.
                file.write_all(b"?\n")?;
            } else {
                file.set_len(0)?;
                file.write_all(format!("{id}\n").as_bytes())?;
            }
            Ok((before, file))
        };
        let (before, file) = open().map_err(|error| unusable(&path, error).of_machine())?;
        Ok(Self { path, before, file: Mutex::new(file) })
    }

    /// Whether an earlier submitter was about to save an input.
    pub(crate) fn has(&self, input: u64) -> bool {
        self.before.contains(&input)
    }

    /// Notes that an input is about to be saved. It blocks.
    pub(crate) fn note(&self, input: u64) -> Result<()> {
        // One write, so that a kill leaves whole lines.
        let written = lock(&self.file).write_all(format!("{input}\n").as_bytes());
        written.map_err(|error| unusable(&self.path, error))
    }

    /// Removes the notes: the run has ended.
    pub(crate) fn remove(&self) -> Result<()> {
        std::fs::remove_file(&self.path).map_err(|error| unusable(&self.path, error))
    }
}

fn unusable(path: &Path, error: io::Error) -> Error {
    Error::io(format!("cannot note which files were saved: {}", path.display()), error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_outlive_a_kill_anywhere_and_those_of_another_run_do_not_count() {
        let folder = tempfile::tempdir().expect("a folder");
        let open = |id: &str| Taken::open(&folder.path().join("sub"), "r", id).expect("room");
        let first = open("one");
        assert!(!first.has(7));
        first.note(7).and_then(|()| first.note(12)).expect("room");
        let whole = std::fs::read(&first.path).expect("notes");
        for cut in 0..=whole.len() {
            std::fs::write(&first.path, &whole[..cut]).expect("a cut");
            let again = open("one");
            assert_eq!((again.has(7), again.has(12)), (cut >= 6, cut >= 9), "{cut}");
            assert!(!again.has(1), "half a line counts for nothing: {cut}");
            again.note(30).expect("room");
            assert_eq!((open("one").has(30), open("one").has(7)), (true, cut >= 6), "{cut}");
        }
        assert!(!open("two").has(7) && !open("one").has(7));
        open("one").remove().expect("there");
        assert_eq!(std::fs::read_dir(folder.path().join("sub")).expect("a folder").count(), 0);
    }
}
