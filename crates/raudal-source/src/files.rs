//! Local files by a glob: `data/**/*.csv`.
//!
//! It reads folders as a shell does: names are sorted, hidden ones must be asked for, and `**` follows no links. The
//! crate `glob` panics at a name that is not UTF-8.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::glob::{is_glob, matches};
use super::{Input, Location};
use raudal_common::{Error, Kind, Result};

/// Adds the files that match a glob. A part of a pattern without a star or a question mark is a path.
/// More files than `most` are an error.
pub(super) fn add(mut inputs: Vec<Input>, path: &str, most: u64) -> Result<Vec<Input>> {
    if !is_glob(path) || Path::new(path).exists() {
        inputs.push(Input::new(Location::parse(path)?));
        return Ok(inputs);
    }
    let is_separator = |c: char| c == '/' || (cfg!(windows) && c == '\\');
    let mut parts: Vec<&str> = path.split(is_separator).filter(|part| !part.is_empty()).collect();
    parts.dedup_by(|next, part| next == part && *next == "**");
    if parts.last() == Some(&"**") {
        parts.push("*");
    }
    let root = if path.starts_with(is_separator) { "/" } else { "" };
    let before = inputs.len();
    let mut walk = GlobWalk { inputs, most };
    walk.below(Path::new(root), &parts)?;
    if walk.inputs.len() == before {
        return Err(Error::new(Kind::Io, "no file matches")
            .input(path)
            .hint("check the folder and the pattern; a URL begins with https://"));
    }
    Ok(walk.inputs)
}

struct GlobWalk {
    inputs: Vec<Input>,
    most: u64,
}

impl GlobWalk {
    fn below(&mut self, folder: &Path, parts: &[&str]) -> Result<()> {
        let Some((part, rest)) = parts.split_first() else { return Ok(()) };
        if *part == "**" {
            self.below(folder, rest)?;
            for (path, name) in entries(folder)? {
                if !name.starts_with('.') && path.is_dir() && !path.is_symlink() {
                    self.below(&path, parts)?;
                }
            }
        } else if is_glob(part) {
            for (path, name) in entries(folder)? {
                let is_shown = !name.starts_with('.') || part.starts_with('.');
                if is_shown && matches(part, &name) {
                    self.found(path, rest)?;
                }
            }
        } else {
            let path = folder.join(part);
            if path.exists() {
                self.found(path, rest)?;
            }
        }
        Ok(())
    }

    fn found(&mut self, path: PathBuf, rest: &[&str]) -> Result<()> {
        match (path.is_dir(), rest.is_empty()) {
            (true, false) => self.below(&path, rest),
            (false, true) if self.inputs.len() as u64 >= self.most => {
                Err(Error::usage(format!("more files match than {}", self.most)))
            }
            (false, true) => {
                self.inputs.push(Input::new(Location::File(path)));
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// Returns what is in a folder, by name. A missing folder holds nothing.
fn entries(folder: &Path) -> Result<Vec<(PathBuf, String)>> {
    let is_here = folder.as_os_str().is_empty();
    let cannot = |error| Error::io("cannot read the folder", error).input(folder.display().to_string());
    let read = match std::fs::read_dir(if is_here { Path::new(".") } else { folder }) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        read => read.map_err(cannot)?,
    };
    let mut entries = Vec::new();
    for entry in read {
        let name = entry.map_err(cannot)?.file_name();
        entries.push((folder.join(&name), name.to_string_lossy().into_owned()));
    }
    entries.sort();
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use crate::expand;
    use raudal_common::Kind;

    #[test]
    fn files_come_in_the_order_of_their_names() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["b.csv", "a.csv", ".hidden.csv", "c.txt", "x/y/d.csv", "x/e[1].csv", "x/.f/g.csv", "dir.csv/h.csv"]
        {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, "x").expect("a file");
        }
        let root = folder.path().to_str().expect("text");
        let names = |pattern: &str| -> Vec<String> {
            let all = expand(&format!("{root}/{pattern}")).expect(pattern);
            assert_eq!(all.len(), all.clone().count() as u64);
            all.map(|input| input.name).collect()
        };
        assert_eq!(names("*.csv"), ["a.csv", "b.csv"]);
        assert_eq!(names("?.csv"), ["a.csv", "b.csv"]);
        assert_eq!(names("**/*.csv"), ["a.csv", "b.csv", "h.csv", "e[1].csv", "d.csv"]);
        assert_eq!(names("**/y/**"), ["d.csv"]);
        assert_eq!(names("**/**/x/*.csv"), ["e[1].csv"]);
        assert_eq!(names("x/../x/e*"), ["e[1].csv"]);
        assert_eq!(names(".*.csv"), [".hidden.csv"]);
    }

    #[cfg(unix)]
    #[test]
    fn names_that_are_no_text_and_links_to_folders_above_do_no_harm() {
        use std::os::unix::ffi::OsStrExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let name = std::ffi::OsStr::from_bytes(b"a\xff.csv");
        std::fs::write(folder.path().join(name), "x").expect("a file");
        std::os::unix::fs::symlink(folder.path(), folder.path().join("loop")).expect("a link");
        let inputs = expand(&format!("{}/**/*.csv", folder.path().display())).expect("a glob");
        assert_eq!(
            inputs.map(|input| input.location).collect::<Vec<_>>(),
            [crate::Location::File(folder.path().join(name))]
        );
    }

    #[test]
    fn sets_are_expanded_before_the_files_are_looked_for() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["1-a.csv", "2-b.csv", "3-c.csv", "2-[x].csv"] {
            std::fs::write(folder.path().join(name), "x").expect("a file");
        }
        let root = folder.path().to_str().expect("text");
        let names = |pattern: &str| -> Vec<String> {
            expand(&format!("{root}/{pattern}")).expect(pattern).map(|input| input.name).collect()
        };
        assert_eq!(names("[2-3]-*.csv"), ["2-[x].csv", "2-b.csv", "3-c.csv"]);
        assert_eq!(names("{3,1}-?.csv"), ["3-c.csv", "1-a.csv"]);
        assert_eq!(names(r"*\[x\].csv"), ["2-[x].csv"]);
        std::fs::write(folder.path().join("*.csv"), "x").expect("a file");
        assert_eq!(names("*.csv"), ["*.csv"]);
    }

    #[test]
    fn a_glob_without_files_and_a_bad_one_are_said_at_once() {
        let error = expand("no/such/folder/*.csv").expect_err("no files");
        assert_eq!((error.kind(), error.report().as_str()), (Kind::Io, "no/such/folder/*.csv: no file matches"));
    }
}
