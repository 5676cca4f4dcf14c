//! Extraction: from every kind of archive, never out of the folder, all or nothing.

use std::fs;
use std::io::Cursor;
use std::path::Path;

use super::containers::tar;
use super::packed::{PACKINGS, pack};
use super::{Entry, deflated, stored, zip};
use crate::signature::Packing;
use crate::{ExtractOptions, Extracted, MemberEncoding, extract};
use raudal_common::{Error, Kind, Result};

const CSV: &[u8] = b"id,name\n1,a\n";

/// Extracts to a new folder. Returns what was extracted and the paths below it.
fn run(bytes: &[u8], options: &ExtractOptions) -> Result<(Extracted, Vec<String>)> {
    let above = tempfile::tempdir().unwrap();
    let folder = above.path().join("out");
    let extracted = extract(Cursor::new(bytes), "a", &folder, options, &());
    assert_eq!(folder.exists(), extracted.is_ok(), "all or nothing");
    let paths = if folder.exists() { paths(&folder, &folder) } else { Vec::new() };
    assert_eq!(fs::read_dir(above.path()).unwrap().count(), usize::from(folder.exists()), "nothing beside it");
    extracted.map(|extracted| (extracted, paths))
}

fn all(bytes: &[u8]) -> Result<(Extracted, Vec<String>)> {
    run(bytes, &ExtractOptions::default())
}

fn refused(bytes: &[u8]) -> Error {
    all(bytes).expect_err("it should be refused")
}

fn paths(folder: &Path, root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(paths(&path, root));
        } else {
            let name = path.strip_prefix(root).unwrap().components().map(|part| part.as_os_str().to_string_lossy());
            found.push(format!("{}={}", name.collect::<Vec<_>>().join("/"), fs::read(&path).unwrap().len()));
        }
    }
    found.sort();
    found
}

#[test]
fn tar_is_extracted_plain_and_in_every_packing() {
    let archive = tar(&[("./d/a.csv", CSV), ("d/e/b.bin", &[7; 1500]), ("c.txt", b"")]);
    let inputs = [archive.clone()].into_iter().chain(PACKINGS.map(|(packing, _)| pack(packing, &archive)));
    for bytes in inputs {
        let (extracted, found) = all(&bytes).unwrap();
        assert_eq!(found, ["c.txt=0", "d/a.csv=12", "d/e/b.bin=1500"]);
        assert_eq!((extracted.files, extracted.bytes, extracted.warnings.len()), (3, 1512, 0));
        let mut options = ExtractOptions { members: Some("**/*.CSV".into()), ..ExtractOptions::default() };
        assert_eq!(run(&bytes, &options).unwrap().1, ["d/a.csv=12"]);
        options.members = Some("*.json".into());
        assert_eq!(run(&bytes, &options).unwrap_err().kind(), Kind::Member);
        options.members = None;
        options.limits.members = 2;
        assert_eq!(run(&bytes, &options).unwrap_err().kind(), Kind::Bounds);
    }
}

#[test]
fn every_method_of_zip_and_an_archive_behind_a_program_are_extracted() {
    let of = |method, packing| Entry { method, data: pack(packing, CSV), ..stored("a.csv", CSV) };
    for entry in [
        of(12, Packing::Bzip2),
        of(93, Packing::Zstd),
        of(95, Packing::Xz),
        Entry { method: 9, ..deflated("a.csv", CSV) },
    ] {
        let archive = zip(std::slice::from_ref(&entry));
        assert_eq!(all(&archive).unwrap().1, ["a.csv=12"], "method {}", entry.method);
        let (extracted, found) = all(&[b"MZ\x90\0program", &archive[..]].concat()).unwrap();
        assert_eq!(found, ["a.csv=12"]);
        assert_eq!(extracted.warnings, ["11 bytes before the archive, as in self-extracting ones, were skipped"]);
    }
    assert_eq!(refused(&zip(&[Entry { crc: 1, ..of(12, Packing::Bzip2) }])).kind(), Kind::Checksum);
}

#[test]
fn a_backslash_between_folders_of_a_zip_is_a_separator_and_leads_nowhere_else() {
    let archive = zip(&[stored("conjunto\\", b""), deflated("conjunto\\x\\data.csv", CSV)]);
    assert_eq!(all(&archive).unwrap().1, ["conjunto/x/data.csv=12"]);
    for name in ["..\\a.csv", "x\\..\\..\\a.csv", "\\a.csv", "C:\\a.csv", "x\\\\a.csv", "\\\\host\\a.csv"] {
        let error = refused(&zip(&[deflated(name, CSV)]));
        assert_eq!(error.kind(), Kind::Corrupt, "{name}: {error:?}");
    }
    // Two names that are one path.
    let twice = zip(&[deflated("d\\a.csv", CSV), deflated("d/a.csv", CSV)]);
    assert!(refused(&twice).message().starts_with("two members have the same file name"));
}

#[test]
fn what_a_file_manager_leaves_in_folders_is_not_extracted_unless_it_is_named() {
    let names = ["a.csv", ".DS_Store", "__MACOSX/", "__MACOSX/._a.csv", "d/Thumbs.db", "d/b.csv"];
    let members: Vec<_> =
        names.iter().map(|name| deflated(name, if name.ends_with('/') { b"" } else { CSV })).collect();
    let (done, paths) = all(&zip(&members)).unwrap();
    assert_eq!((done.files, paths), (2, vec!["a.csv=12".to_owned(), "d/b.csv=12".to_owned()]));
    assert_eq!(
        done.warnings,
        [
            "3 hidden files of macOS or Windows were not extracted ([`extract`]='**' does): .DS_Store, __MACOSX/._a.csv, \
          d/Thumbs.db"
        ]
    );
    let options = ExtractOptions { members: Some("**".into()), ..ExtractOptions::default() };
    assert_eq!(run(&zip(&members), &options).unwrap().0.files, 5);
    let (done, _) = all(&tar(&[("a.csv", CSV), ("._a.csv", b"x")])).unwrap();
    assert_eq!((done.files, done.warnings.len()), (1, 1));
}

/// A tar of one member with any name, of any kind.
fn member(name: &[u8], kind: ::tar::EntryType, link: &str) -> Vec<u8> {
    let mut header = ::tar::Header::new_gnu();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name);
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(0);
    if !link.is_empty() {
        header.set_link_name_literal(link).unwrap();
    }
    header.set_cksum();
    [header.as_bytes(), &[0; 1024][..]].concat()
}

#[test]
fn nothing_of_a_tar_leaves_the_folder_and_no_link_or_device_is_made() {
    use ::tar::EntryType;
    for name in [&b"/etc/passwd"[..], b"../a", b"x/../../a", b"a/./b", b"x//a", b"a\\b", b"a\x1bb"] {
        let error = refused(&member(name, EntryType::Regular, ""));
        assert_eq!(error.kind(), Kind::Corrupt, "{name:?}: {error:?}");
    }
    for (kind, says) in [
        (EntryType::Symlink, "a link"),
        (EntryType::Link, "a link"),
        (EntryType::Char, "neither a file nor a folder"),
        (EntryType::Block, "neither a file nor a folder"),
        (EntryType::Fifo, "neither a file nor a folder"),
    ] {
        let archive = member(b"x", kind, "/etc/passwd");
        let error = refused(&archive);
        assert_eq!((error.kind(), error.message()), (Kind::Corrupt, &*format!("{says}: the archive is not extracted")));
        assert!(refused(&pack(Packing::Gzip, &archive)).message().starts_with(says));
    }
    assert_eq!(all(&member(b"d", EntryType::Directory, "")).unwrap().1, Vec::<String>::new());
}

#[test]
fn a_cut_or_damaged_tar_leaves_nothing() {
    let archive = tar(&[("a.csv", CSV), ("b.csv", CSV)]);
    let packed = pack(Packing::Zstd, &archive);
    for cut in (0..archive.len() - 1024).step_by(37) {
        assert!(all(&archive[..cut]).is_err(), "cut at {cut}");
    }
    for cut in 0..packed.len() {
        assert!(all(&packed[..cut]).is_err(), "cut at {cut}");
    }
}

#[test]
fn names_in_a_code_page_are_said_and_can_be_told() {
    let name = b"Educa\x87\xc6o.csv".to_vec();
    let archive = zip(&[Entry { name: name.clone(), local_name: name, ..deflated("a.csv", CSV) }]);
    let (extracted, found) = all(&archive).unwrap();
    assert_eq!(found, ["Educaç╞o.csv=12"]);
    assert_eq!(
        extracted.warnings,
        ["the name of 1 member is not UTF-8; read as code page 437, which [`member_encoding`] changes"]
    );
    let encoding = MemberEncoding::parse("cp850").unwrap();
    let options = ExtractOptions { member_encoding: Some(encoding), ..ExtractOptions::default() };
    let (extracted, found) = run(&archive, &options).unwrap();
    assert_eq!((found, extracted.warnings.len()), (vec!["Educação.csv=12".to_owned()], 0));
}

#[test]
fn what_has_no_members_is_refused() {
    let error = refused(&pack(Packing::Gzip, CSV));
    assert_eq!(
        (error.kind(), error.message()),
        (Kind::NotAnArchive, "a gzip file that is no archive: there are no members to extract")
    );
    assert_eq!(refused(CSV).kind(), Kind::NotAnArchive);
    assert_eq!(refused(b"").kind(), Kind::Empty);
    assert_eq!(refused(b"Rar!\x1a\x07\x01\0").kind(), Kind::Unsupported);
}
