//! Archives within archives, tar, and archives behind other bytes.

use std::io::Cursor;

use super::packed::{PACKINGS, pack};
use super::{Entry, Hostile, deflated, read_all, read_query, refused, stored, text, zip};
use crate::signature::Packing;
use crate::{MemberEncoding, Query, confirm, read, read_ahead};
use raudal_common::Kind;

const CSV: &[u8] = b"id,name\n1,a\n2,b\n";
const ROWS: &str = "1,a\n2,b\n";

pub(super) fn with_glob(glob: &str) -> Query {
    let mut query = Query::new();
    query.member = Some(glob.into());
    query
}

pub(super) fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = ::tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = ::tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

#[test]
fn a_zip_in_a_zip_is_read_one_level_at_a_time() {
    let inner = |csv: &[u8]| zip(&[deflated("d/a.csv", csv), stored("d/notes.txt", b"x")]);
    let (first, second) = (inner(CSV), inner(b"name,id\nc,3\n"));
    let outer = zip(&[deflated("2019.zip", &first), stored("2020.zip", &second), stored("leeme.txt", b"x")]);
    let rows = read_query(&outer, "o.zip", &with_glob("2019.zip!/**/*.csv")).unwrap();
    assert_eq!(rows.members(), ["2019.zip!/d/a.csv"]);
    assert_eq!(text(rows), ROWS);
    let rows = read_query(&outer, "o.zip", &with_glob("20*.ZIP!/**/*.csv")).unwrap();
    assert_eq!(rows.members(), ["2019.zip!/d/a.csv", "2020.zip!/d/a.csv"]);
    assert_eq!(text(rows), "1,a\n2,b\n3,c\n");
    // The archive alone: its only CSV is meant.
    assert_eq!(text(read_query(&outer, "o.zip", &with_glob("2020.zip")).unwrap()), "c,3\n");
    let error = refused(&outer, "o.zip");
    assert_eq!(error.message(), "no CSV among the members: 2019.zip, 2020.zip, leeme.txt");
    assert!(error.hint_text().unwrap().contains("[`member`] 'inner.zip!/**/*.csv'"), "{error:?}");
    let error = read_query(&outer, "o.zip", &with_glob("2019.zip!/*.tsv")).unwrap_err();
    assert_eq!(error.to_string(), "o.zip: 2019.zip: no member matches *.tsv: d/a.csv, d/notes.txt");
    let error = read_query(&outer, "o.zip", &with_glob("leeme.txt!/*.csv")).unwrap_err();
    assert_eq!((error.kind(), error.message()), (Kind::Member, "no archive, so there are no members in it: *.csv"));
    assert_eq!(read_query(&outer, "o.zip", &with_glob("2019.zip!/[a")).unwrap_err().kind(), Kind::Usage);
}

#[test]
fn the_only_inner_archive_needs_no_name() {
    let inner = zip(&[deflated("a.csv", CSV)]);
    for outer in [zip(&[deflated("a.zip", &inner)]), zip(&[stored("a.zip", &inner), stored("leeme.txt", b"x")])] {
        let rows = read_all(&outer, "o.zip").unwrap();
        assert_eq!(rows.members(), ["a.zip!/a.csv"]);
        assert_eq!(text(rows), ROWS);
        // A zip streams, and the inner one is complete by the time it is opened.
        assert_eq!(text(read_ahead(Cursor::new(&outer), "o.zip", &Query::new(), &()).unwrap()), ROWS);
        confirm(Cursor::new(&outer), "o.zip", &Query::new()).unwrap();
    }
    // Compressed as a whole, and a level further in.
    let deep = pack(Packing::Xz, &zip(&[stored("x/t.tar.gz", &pack(Packing::Gzip, &tar(&[("a.csv", CSV)])))]));
    let rows = read_all(&deep, "o.zip.xz").unwrap();
    assert_eq!(rows.members(), ["x/t.tar.gz!/a.csv"]);
    assert_eq!(text(rows), ROWS);
}

#[test]
fn errors_name_the_way_through_the_archives() {
    let inner = zip(&[stored("a.csv", b"id,name\n1\n")]);
    let error = refused(&zip(&[stored("d/in.zip", &inner)]), "o.zip");
    assert_eq!(error.to_string(), "o.zip: d/in.zip!/a.csv: line 2: this record has 1 field, the header has 2");
    let damaged = zip(&[Entry { crc: 1, ..stored("a.csv", CSV) }]);
    let error = refused(&zip(&[stored("in.zip", &damaged)]), "o.zip");
    assert_eq!(error.kind(), Kind::Checksum);
    assert!(error.to_string().starts_with("o.zip: in.zip!/a.csv: the checksum"), "{error}");
}

#[test]
fn bounds_hold_for_all_levels_together() {
    let small = zip(&[stored("a.csv", CSV), stored("b.txt", b"x"), stored("c.txt", b"x")]);
    let outer = zip(&[stored("in.zip", &small), stored("d.txt", b"x")]);
    let mut query = Query::new();
    query.limits.members = 5;
    assert!(read_query(&outer, "o.zip", &query).is_ok());
    query.limits.members = 4;
    let error = read_query(&outer, "o.zip", &query).unwrap_err();
    assert!(error.kind() == Kind::Bounds && error.hint_text().unwrap().contains("[`max_members`]"), "{error:?}");

    // Each level grows a hundredfold, which is fine, and both together ten thousandfold.
    let plain = [&b"a\n"[..], &b"0\n".repeat(4 << 20)].concat();
    let once = zip(&[deflated("a.csv", &plain)]);
    let mut query = Query::new();
    query.limits.ratio = 1100;
    assert!(read_query(&once, "x.zip", &query).is_ok());
    let twice = zip(&[deflated("in.zip", &once)]);
    assert!(twice.len() * 3 < once.len(), "{} {}", twice.len(), once.len());
    let error = read_query(&twice, "x.zip", &query).unwrap_err();
    assert!(error.kind() == Kind::Bounds && error.hint_text().unwrap().contains("[`max_ratio`]"), "{error:?}");

    let mut deep = zip(&[stored("a.csv", CSV)]);
    for _ in 0..7 {
        deep = zip(&[stored("a.zip", &deep)]);
    }
    assert_eq!(text(read_all(&deep, "x").unwrap()), ROWS);
    for _ in 0..2 {
        deep = zip(&[stored("a.zip", &deep)]);
    }
    let error = refused(&deep, "x");
    assert!(error.kind() == Kind::Bounds && error.message().contains("more than 8 deep"), "{error:?}");
    let mut again = CSV.to_vec();
    for _ in 0..9 {
        again = pack(Packing::Gzip, &again);
    }
    assert_eq!(refused(&again, "x").kind(), Kind::Bounds);
}

#[test]
fn tar_is_read_plain_and_in_every_packing() {
    let archive = tar(&[("./d/a.csv", CSV), ("d/leeme.txt", b"x"), ("d/._a.csv", b"\0"), (".DS_Store", b"\0")]);
    let mut inputs = vec![("a.tar".to_owned(), archive.clone())];
    inputs.extend(PACKINGS.map(|(packing, ending)| (format!("a.tar.{ending}"), pack(packing, &archive))));
    for (name, bytes) in inputs {
        let rows = read_all(&bytes, &name).unwrap();
        assert!(rows.warnings().is_empty(), "{name}: {:?}", rows.warnings());
        assert_eq!(rows.members(), ["d/a.csv"], "{name}");
        assert_eq!(text(rows), ROWS, "{name}");
        assert_eq!(text(read(Hostile::new(&bytes, 3), "x", &Query::new(), &()).unwrap()), ROWS, "{name}");
        // It cannot be read before all of it is there, and says so.
        let error = read_ahead(Cursor::new(&bytes), &name, &Query::new(), &()).unwrap_err();
        assert!(error.message().contains("read once it is there as a whole"), "{error}");
        let rows = read_all(&zip(&[deflated(&name, &bytes), stored("x.txt", b"")]), "o.zip").unwrap();
        assert_eq!(rows.members(), [format!("{name}!/d/a.csv")]);
        assert_eq!(text(rows), ROWS, "{name}");
    }
}

#[test]
fn members_of_a_tar_are_selected_as_those_of_a_zip() {
    let archive = tar(&[("2019.csv", b"id,pop\n1,10\n"), ("x/2020.csv", b"id,pop,area\n2,20,5\n"), ("x/b.txt", b"")]);
    let error = refused(&archive, "a.tar");
    assert_eq!(error.message(), "2 CSV members where one is expected: 2019.csv, x/2020.csv");
    for bytes in [archive.clone(), pack(Packing::Gzip, &archive)] {
        let mut query = with_glob("**/*.csv");
        assert_eq!(read_query(&bytes, "a", &query).unwrap_err().kind(), Kind::Headers);
        query.select = crate::Select::names(["id", "pop"]);
        assert_eq!(text(read_query(&bytes, "a", &query).unwrap()), "1,10\n2,20\n");
        assert_eq!(text(read_query(&bytes, "a", &with_glob("x/2020.csv")).unwrap()), "2,20,5\n");
    }
    // Appended again, a member replaces the one before it.
    let twice = tar(&[("a.csv", b"id\n1\n"), ("a.csv", b"id\n2\n")]);
    assert_eq!(text(read_all(&twice, "a.tar").unwrap()), "2\n");
    // Two archives joined, as `cat` does it, and what is no archive behind them.
    let mut joined = [tar(&[("b.txt", b"x")]), tar(&[("a.csv", CSV)])].concat();
    assert_eq!(text(read_all(&joined, "a.tar").unwrap()), ROWS);
    joined.extend_from_slice(&[b'x'; 700]);
    let rows = read_all(&joined, "a.tar").unwrap();
    assert!(rows.warnings()[0].starts_with("700 bytes after the end of the tar archive"), "{:?}", rows.warnings());
    // Names longer than a header holds.
    let long = format!("{}/a.csv", "d".repeat(300));
    assert_eq!(read_all(&tar(&[(&long, CSV)]), "a.tar").unwrap().members(), [long]);
}

#[test]
fn a_tar_cut_anywhere_or_flipped_is_refused_or_the_same() {
    let archive = tar(&[("a.csv", CSV), ("b.txt", &[7; 600])]);
    // The end mark is two blocks, of which one is enough.
    for cut in (1..archive.len() - 1024).chain([archive.len() - 1024]) {
        let error = refused(&archive[..cut], "a.tar");
        assert!(error.kind().may_be_damage_on_the_way(), "cut at {cut}: {error:?}");
        assert!(cut < 512 || error.kind() == Kind::Corrupt, "cut at {cut}: {error:?}");
    }
    for at in 0..archive.len() {
        let mut bytes = archive.clone();
        bytes[at] ^= 0x41;
        // A tar has checksums of its headers only.
        let is_content = (512..1024).contains(&at);
        match read_all(&bytes, "a.tar") {
            Ok(rows) => assert!(is_content || text(rows) == ROWS, "byte {at}"),
            Err(error) => assert!(
                is_content || error.kind().may_be_damage_on_the_way() || error.kind() == Kind::Bounds,
                "byte {at}: {error:?}"
            ),
        }
    }
    // Compressed, its content has one too.
    let packed = pack(Packing::Gzip, &archive);
    for at in 0..packed.len() {
        let mut bytes = packed.clone();
        bytes[at] ^= 0x41;
        match read_all(&bytes, "a.tar.gz") {
            Ok(rows) => assert_eq!(text(rows), ROWS, "byte {at}"),
            Err(error) => assert!(error.kind().may_be_damage_on_the_way(), "byte {at}: {error:?}"),
        }
        assert!(read_all(&packed[..at], "a.tar.gz").is_err(), "cut at {at}");
    }
}

#[test]
fn bounds_hold_for_tar() {
    let archive = tar(&[("a.csv", CSV), ("b.txt", b"x"), ("c.txt", b"x")]);
    let mut query = Query::new();
    query.limits.members = 2;
    for bytes in [archive.clone(), pack(Packing::Bzip2, &archive)] {
        let error = read_query(&bytes, "a", &query).unwrap_err();
        assert!(error.kind() == Kind::Bounds && error.hint_text().unwrap().contains("[`max_members`]"), "{error:?}");
    }
    query = Query::new();
    query.limits.member_bytes = 10;
    assert_eq!(read_query(&archive, "a", &query).unwrap_err().kind(), Kind::Bounds);
    let bomb = tar(&[("a.csv", CSV), ("zeros", &vec![0; 8 << 20])]);
    assert_eq!(refused(&pack(Packing::Gzip, &bomb), "a.tgz").kind(), Kind::Bounds);
    // A name of a gigabyte is not held in memory.
    let mut header = ::tar::Header::new_gnu();
    header.set_entry_type(::tar::EntryType::GNULongName);
    header.set_size(1 << 30);
    header.set_cksum();
    assert_eq!(refused(header.as_bytes(), "a.tar").kind(), Kind::Bounds);
}

#[test]
fn bytes_after_a_zip_are_left_out_and_said() {
    let archive = zip(&[deflated("a.csv", CSV)]);
    let rows = read_all(&[&archive[..], b"garbage"].concat(), "a.zip").unwrap();
    assert_eq!(rows.warnings(), ["7 bytes after the end of the zip archive are something else; they were left out"]);
    // A comment is part of it.
    let mut commented = archive.clone();
    let length = commented.len();
    commented[length - 2..].copy_from_slice(&3_u16.to_le_bytes());
    commented.extend_from_slice(b"abc");
    for whole in [archive, commented] {
        assert!(read_all(&whole, "a.zip").unwrap().warnings().is_empty());
    }
}

#[test]
fn bytes_before_an_archive_are_skipped_and_said() {
    let archive = zip(&[deflated("a.csv", CSV)]);
    for (before, name) in [
        (&b"MZ\x90\0 this program cannot be run"[..], "setup.exe"),
        (b"\x7fELF\x02\x01", "setup"),
        (b"#!/bin/sh\nunzip -q $0; exit\n", "setup.sh"),
        (b"PK\x07\x08", "a.zip"),
        (b"PK00", "a.zip"),
        (b"mailed with a line above it\n", "a.zip"),
    ] {
        let bytes = [before, &archive[..]].concat();
        let rows = read_all(&bytes, name).unwrap();
        let warning = format!("{} bytes before the archive, as in self-extracting ones, were skipped", before.len());
        assert!(rows.warnings().contains(&warning), "{name}: {:?}", rows.warnings());
        assert_eq!(text(rows), ROWS, "{name}");
        assert!(read_ahead(Cursor::new(&bytes), name, &Query::new(), &()).is_err(), "{name}");
    }
    let error = refused(b"MZ\x90\0 a program", "setup.exe");
    assert_eq!(error.kind(), Kind::NotAnArchive);
    assert!(error.message().contains("a program, and no zip archive behind it"), "{error}");
    assert_eq!(text(read_all(b"#!x,y\n1,2\n", "a.csv").unwrap()), "1,2\n");
}

#[test]
fn names_that_differ_by_the_slash_alone_are_one_name() {
    let entry = Entry { local_name: b"conjunto/data.csv".into(), ..deflated("conjunto\\data.csv", CSV) };
    let archive = zip(&[stored("conjunto\\", b""), entry]);
    assert_eq!(text(read_all(&archive, "slash.zip").unwrap()), ROWS);
    assert_eq!(text(read_query(&archive, "slash.zip", &with_glob("conjunto/*.csv")).unwrap()), ROWS);
    let other = Entry { local_name: b"conjunto/date.csv".into(), ..deflated("conjunto\\data.csv", CSV) };
    assert_eq!(refused(&zip(&[other]), "slash.zip").kind(), Kind::Corrupt);
}

#[test]
fn what_file_managers_leave_behind_is_never_data() {
    for other in [
        ".DS_Store",
        "d/.ds_store",
        "Thumbs.db",
        "x/desktop.ini",
        "__MACOSX/datos.txt",
        "d/__MACOSX/a.csv",
        "d/._datos.csv",
    ] {
        for (name, bytes) in [
            ("a.zip", zip(&[stored("d/datos.txt", CSV), stored(other, b"\0\0")])),
            ("a.tar", tar(&[("d/datos.txt", CSV), (other, b"\0")])),
        ] {
            let rows = read_all(&bytes, name).unwrap();
            assert_eq!(rows.members(), ["d/datos.txt"], "{other}");
            assert_eq!(text(rows), ROWS);
            assert_eq!(text(read_query(&bytes, name, &with_glob("**")).unwrap()), ROWS, "{other}");
        }
    }
}

#[test]
fn names_in_a_code_page_are_shown_in_both_readings_and_either_can_be_named() {
    // «Educação» and «Ávila» in code page 850.
    let name = b"Educa\x87\xc6o/\xb5vila.csv".to_vec();
    let entry = |name: &[u8]| Entry { name: name.into(), local_name: name.into(), ..deflated("a.csv", CSV) };
    let archive = zip(&[entry(&name), stored("b.csv", b"x\n1\n")]);
    let error = refused(&archive, "a.zip");
    assert_eq!(
        error.message(),
        "2 CSV members where one is expected: Educaç╞o/╡vila.csv (in cp850: Educação/Ávila.csv), b.csv"
    );
    for glob in ["educação/*.csv", "**/Ávila.csv", "Educaç╞o/*"] {
        assert_eq!(text(read_query(&archive, "a.zip", &with_glob(glob)).unwrap()), ROWS, "{glob}");
    }
    let mut query = with_glob("**/ávila.csv");
    query.member_encoding = Some(MemberEncoding::parse("cp850").unwrap());
    assert_eq!(read_query(&archive, "a.zip", &query).unwrap().members(), ["Educação/Ávila.csv"]);
    query.member = None;
    let error = read_query(&archive, "a.zip", &query).unwrap_err();
    assert!(error.message().ends_with("Educação/Ávila.csv, b.csv"), "{error}");
    // UTF-8 without the flag needs no guess.
    let utf8 = zip(&[entry("Población Ávila.csv".as_bytes())]);
    assert_eq!(read_all(&utf8, "a.zip").unwrap().members(), ["Población Ávila.csv"]);
}

#[test]
fn what_a_tar_holds_and_is_not_read_is_said() {
    let mut builder = tar::Builder::new(Vec::new());
    let mut add = |name: &str, kind: tar::EntryType, text: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(text.len() as u64);
        if kind == tar::EntryType::Symlink {
            header.set_link_name("a.csv").unwrap();
        }
        builder.append_data(&mut header, name, text).unwrap();
    };
    add("a.csv", tar::EntryType::Regular, b"id\n1\n");
    add("b.csv", tar::EntryType::Symlink, b"");
    add("a.csv", tar::EntryType::Regular, b"id\n2\n");
    let mut bytes = builder.into_inner().unwrap();
    let rows = read_all(&bytes, "x.tar").unwrap();
    assert_eq!(
        rows.warnings(),
        [
            "1 member of the tar archive was left out, because a later one of the same name replaces it",
            "1 link in the tar archive is not followed: b.csv"
        ]
    );
    assert_eq!(text(rows), "2\n");
    // The label of a volume, as `tar --label` writes it.
    let mut label = tar::Header::new_gnu();
    label.set_path("VOLUME").unwrap();
    label.set_entry_type(tar::EntryType::new(b'V'));
    label.as_mut_bytes()[124..136].fill(0);
    label.set_cksum();
    bytes.splice(0..0, *label.as_bytes());
    assert_eq!(text(read_all(&bytes, "x.tar").unwrap()), "2\n");
}

#[test]
fn a_glob_that_matches_nothing_is_told_what_would() {
    let inner = zip(&[deflated("a.csv", b"id\n1\n")]);
    let outer = zip(&[deflated("d/a.csv", b"id\n1\n"), deflated("i.zip", &inner)]);
    for (glob, cure) in [("*.csv", "[`member`] '**/*.csv'"), ("i.zip!a.csv", "[`member`] 'i.zip!/**/*.csv'")] {
        let error = read_query(&outer, "x.zip", &with_glob(glob)).unwrap_err();
        assert!(error.hint_text().unwrap_or_default().contains(cure), "{error:?}");
    }
    assert!(read_query(&outer, "x.zip", &with_glob("**/*.csv")).is_ok());
    assert!(read_query(&outer, "x.zip", &with_glob("i.zip!/**/*.csv")).is_ok());
    assert!(read_query(&outer, "x.zip", &with_glob("*.tsv")).unwrap_err().hint_text().is_some());
}

#[test]
fn the_last_part_of_a_split_zip_is_told_to_be_one() {
    let mut part = zip(&[deflated("a.csv", b"id\n1\n")]);
    let end = part.len() - 22;
    (part[end + 4], part[end + 6]) = (2, 2);
    let error = read_all(&part, "x.zip").unwrap_err();
    assert_eq!((error.kind(), error.message()), (Kind::Unsupported, "the last of 3 parts of a split zip archive"));
}

#[test]
fn a_link_in_a_zip_is_no_table() {
    let mut bytes = zip(&[stored("a.csv", b"data/b.csv"), stored("data/b.csv", b"id\n1\n")]);
    let entry = bytes.windows(4).position(|four| four == b"PK\x01\x02").unwrap();
    bytes[entry + 5] = 3;
    bytes[entry + 38..entry + 42].copy_from_slice(&(0o120_777_u32 << 16).to_le_bytes());
    let rows = read_all(&bytes, "x.zip").unwrap();
    assert_eq!(rows.warnings(), ["1 link in the zip archive is not followed: a.csv"]);
    assert_eq!(text(rows), "1\n");
    assert!(read_query(&bytes, "x.zip", &with_glob("a.csv")).is_err());
    let first = [b"PK\x07\x08PK\x03\x04".as_slice(), &[0; 40]].concat();
    assert_eq!(read_all(&first, "x.z01").unwrap_err().message(), "the first part of a split zip archive");
}
