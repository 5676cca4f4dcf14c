//! `--extract`: the members become files in a new folder, all or none, and nothing is written
//! outside it.

use super::{get, names, read};
use crate::common::{Answer, Server, zip};
use std::fs;
use std::io::{Cursor, Write as _};
use std::path::Path;
use zip::write::SimpleFileOptions;

/// Runs `get --extract` on one archive, in its own folder.
fn extract(archive: Vec<u8>, option: &str, before: impl Fn(&Path)) -> (crate::common::Finished, tempfile::TempDir) {
    let server = Server::with("/a.zip", [Answer::ok(archive)]);
    let folder = tempfile::tempdir().expect("a folder");
    let files = folder.path().join("files");
    fs::create_dir(&files).expect("a folder");
    before(&files);
    let finished = get(&files, [server.url("/a.zip").as_str(), option, "--retries", "0"]).run();
    (finished, folder)
}

#[test]
fn members_become_files_of_a_folder_that_has_the_archives_name() {
    let archive = zip([("a.csv", b"x\n1\n".as_slice()), ("data/b.csv", b"y\n"), ("data/readme.txt", b"hello")]);
    let (finished, folder) = extract(archive.clone(), "--extract", |_| ());
    let files = folder.path().join("files");
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert_eq!(finished.text(), format!("{}\n", files.join("a").display()));
    assert_eq!(names(&files), ["a", "a.zip"]);
    assert_eq!(
        (names(&files.join("a")), names(&files.join("a/data"))),
        (vec!["a.csv".into(), "data".into()], vec!["b.csv".into(), "readme.txt".into()])
    );
    assert_eq!(
        (read(files.join("a/data/readme.txt")), read(files.join("a.zip"))),
        (b"hello".to_vec(), archive.clone())
    );

    let (finished, folder) = extract(archive.clone(), "--extract=**/*.CSV", |_| ());
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let files = folder.path().join("files/a");
    assert_eq!(
        (names(&files), names(&files.join("data"))),
        (vec!["a.csv".into(), "data".into()], vec!["b.csv".into()])
    );

    let (finished, folder) = extract(archive, "--extract=*.json", |_| ());
    assert_eq!((finished.code, names(&folder.path().join("files"))), (Some(7), Vec::new()), "{}", finished.stderr);
    assert!(finished.stderr.contains("no member matches *.json"), "{}", finished.stderr);
    let (finished, _) = extract(Vec::new(), "--extract=[a", |_| ());
    assert!(finished.code == Some(2) && finished.stderr.contains("--extract: [a"), "{}", finished.stderr);
}

/// Returns an archive whose member has this name and mode, however malformed. The library that
/// writes archives would correct some names, so the name is replaced afterwards.
fn hostile(name: &[u8], mode: u32) -> Vec<u8> {
    let stand_in = "q".repeat(name.len());
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    zip.start_file(stand_in.as_str(), SimpleFileOptions::default().unix_permissions(0o644)).expect("a name");
    zip.write_all(b"evil").expect("memory");
    let mut archive = zip.finish().expect("memory").into_inner();
    let places: Vec<usize> =
        archive.windows(name.len()).enumerate().filter(|(_, w)| *w == stand_in.as_bytes()).map(|(at, _)| at).collect();
    assert_eq!(places.len(), 2, "before the data and in the directory");
    for at in places {
        archive[at..at + name.len()].copy_from_slice(name);
    }
    // The mode is the upper half of the external attributes, 38 bytes into the directory entry.
    let entry = archive.windows(4).position(|w| w == b"PK\x01\x02").expect("a directory");
    archive[entry + 40..entry + 42].copy_from_slice(&u16::try_from(mode).expect("16 bits").to_le_bytes());
    archive
}

#[test]
fn an_archive_that_would_write_anywhere_else_is_refused_as_a_whole() {
    const FILE: u32 = 0o100_644;
    for (name, mode, says) in [
        (&b"../evil"[..], FILE, "leads out of the folder"),
        (b"x/../../evil", FILE, "leads out of the folder"),
        (b"/tmp/evil", FILE, "leads out of the folder"),
        (b"C:/evil", FILE, "leads out of the folder"),
        (b"..\\evil", FILE, "leads out of the folder"),
        (b"x\\..\\..\\evil", FILE, "leads out of the folder"),
        (b"x\\\\evil", FILE, "not the name of a file"),
        (b"x/./evil", FILE, "not the name of a file"),
        (b"x//evil", FILE, "not the name of a file"),
        (b"ev\x1bil", FILE, "no name should have"),
        (b"ev\0il", FILE, "evil"),
        (b"link", 0o120_777, "a link"),
        (b"device", 0o060_644, "neither a file nor a folder"),
        (b"pipe", 0o010_644, "neither a file nor a folder"),
    ] {
        let (finished, folder) = extract(hostile(name, mode), "--extract", |_| ());
        let shown = String::from_utf8_lossy(name).into_owned();
        let left: Vec<_> = names(&folder.path().join("files"));
        if says == "evil" {
            // The name ends before the NUL, or the archive is refused: both are safe.
            assert!(left.is_empty() || left == ["a", "a.zip"], "{shown}: {left:?}");
            continue;
        }
        assert_eq!((finished.code, left), (Some(6), Vec::new()), "{shown}: {}", finished.stderr);
        assert!(finished.stderr.contains(says), "{shown}: {}", finished.stderr);
        assert_eq!(names(folder.path()), ["files"], "{shown}");
    }
}

#[test]
fn a_member_that_is_damaged_too_large_or_no_archives_leaves_nothing() {
    let mut damaged = zip([("a.csv", b"x\n1\n".as_slice()), ("b.csv", b"y\n2\n")]);
    let at = damaged.windows(4).position(|w| w == b"PK\x01\x02").expect("a directory");
    damaged[at + 16] ^= 1;
    let bomb = zip([("a.csv", b"x\n".as_slice()), ("zeros", &vec![0; 4 << 20])]);
    for (archive, code, says) in [
        (damaged, 6, "a.csv: the checksum (CRC-32) differs"),
        (bomb, 7, "zeros: it decompresses to more than 200 times its size"),
        (zip([("a", b"1".as_slice()), ("a/b", b"2")]), 6, "two members have the same file name"),
        (b"no archive at all".to_vec(), 5, "although its name says so"),
    ] {
        let (finished, folder) = extract(archive, "--extract", |_| ());
        let left = names(&folder.path().join("files"));
        assert_eq!((finished.code, left), (Some(code), Vec::new()), "{says}: {}", finished.stderr);
        assert!(finished.stderr.contains(says), "{says}: {}", finished.stderr);
    }
}

#[test]
fn nothing_that_is_there_is_overwritten_and_what_is_missing_is_extracted_from_it() {
    let archive = zip([("a.csv", b"x\n".as_slice())]);
    let (finished, folder) =
        extract(archive.clone(), "--extract", |files| fs::create_dir(files.join("a")).expect("a folder"));
    let files = folder.path().join("files");
    assert_eq!((finished.code, names(&files)), (Some(8), vec!["a".to_owned()]), "{}", finished.stderr);
    assert!(finished.stderr.contains("a file or folder with this name already exists"), "{}", finished.stderr);
    // The states after a kill between the two renamings, and before them.
    let there = archive.clone();
    let (finished, folder) =
        extract(archive.clone(), "--extract", move |files| fs::write(files.join("a.zip"), &there).expect("a file"));
    assert_eq!((finished.code, names(&folder.path().join("files"))), (Some(8), vec!["a.zip".to_owned()]));
    let server = Server::with("/a.zip", [Answer::ok(&archive)]);
    for _ in 0..2 {
        let finished = get(&folder.path().join("files"), [server.url("/a.zip").as_str(), "-c", "--extract"]).run();
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        assert_eq!(read(folder.path().join("files/a/a.csv")), b"x\n");
    }
    assert_eq!(names(&folder.path().join("files")), ["a", "a.zip"]);
}
