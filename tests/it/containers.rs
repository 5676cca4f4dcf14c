//! Archives within archives, tar and workbooks, from the command line.

use crate::common::{Answer, Server, gzip, raudal, tar, workbook, zip, zip_named};
use std::path::Path;

const TABLE: &[u8] = b"id,name\n1,a\n2,b\n";

fn saved(folder: &Path, name: &str, bytes: &[u8]) -> String {
    let path = folder.join(name);
    std::fs::write(&path, bytes).expect("a file");
    path.to_str().expect("a UTF-8 path").to_owned()
}

fn table(arguments: &[&str]) -> crate::common::Finished {
    raudal(["table", "--progress", "none"]).args(arguments).run()
}

#[test]
fn a_member_of_an_inner_archive_is_named_one_level_at_a_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let inner = zip([("d/a.csv", TABLE)]);
    let path = saved(folder.path(), "outer.zip", &zip([("2019.zip", inner.as_slice()), ("2020.zip", b"PK\x05\x06")]));
    let finished = table(&[&path, "--member", "2019.zip!/**/*.csv"]);
    assert_eq!((finished.code, finished.text()), (Some(0), "id,name\n1,a\n2,b\n"), "{}", finished.stderr);
    let finished = table(&[&path]);
    assert_eq!(finished.code, Some(7), "{}", finished.stderr);
    assert!(finished.stderr.contains("--member 'inner.zip!/**/*.csv'"), "{}", finished.stderr);
}

#[test]
fn a_sheet_is_named_and_comes_over_the_network_like_any_input() {
    let rows: &[&[&str]] = &[&["id", "name"], &["1", "a"], &["2", "b"]];
    let book = workbook(&[("Notas", &[&["x"]]), ("Datos", rows)]);
    let server = Server::with("/a.xlsx", [Answer::ok(&book)]);
    let finished = table(&[&server.url("/a.xlsx"), "--sheet", "Datos", "--where", "id > 1"]);
    assert_eq!((finished.code, finished.text()), (Some(0), "id,name\n2,b\n"), "{}", finished.stderr);
    let server = Server::with("/a.xlsx", [Answer::ok(&book)]);
    let finished = table(&[&server.url("/a.xlsx")]);
    assert_eq!(finished.code, Some(7), "{}", finished.stderr);
    for text in ["2 sheets where one is expected: Notas, Datos", "--sheet"] {
        assert!(finished.stderr.contains(text), "{}", finished.stderr);
    }
}

#[test]
fn names_in_a_code_page_are_listed_in_two_readings() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = saved(folder.path(), "old.zip", &zip_named(b"Educa\x87\xc6o.csv", TABLE));
    let finished = table(&[&path, "--member", "*.tsv"]);
    assert!(finished.stderr.contains("Educaç╞o.csv (in cp850: Educação.csv)"), "{}", finished.stderr);
    let finished = table(&[&path, "--member", "Educação.csv", "--member-encoding", "cp850"]);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let finished = table(&[&path, "--member-encoding", "cp8500"]);
    assert_eq!(finished.code, Some(2), "{}", finished.stderr);
    assert!(finished.stderr.contains("did you mean cp850"), "{}", finished.stderr);
}

#[test]
fn a_long_tar_that_arrives_slowly_is_read_once_it_is_there() {
    // Long enough to be decoded while it arrives, if that were possible.
    let rows: Vec<String> = (0..700_000_u64).map(|row| format!("{row},{:08x}\n", row * 7919)).collect();
    let csv = format!("id,name\n{}", rows.concat());
    for (path, bytes) in
        [("/a.tar", tar([("a.csv", csv.as_bytes())])), ("/a.tgz", gzip(tar([("a.csv", csv.as_bytes())])))]
    {
        let server = Server::with(path, [Answer::ok(&bytes)]);
        let finished = table(&[&server.url(path), "--where", "id == 699999"]);
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        assert_eq!(finished.text().lines().count(), 2, "{}", finished.text());
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn a_tar_is_extracted_to_a_folder_of_its_name_and_oddities_are_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let files = folder.path().join("files");
    let extract = |path: &str, bytes: &[u8], more: &[&str]| {
        let server = Server::with(path, [Answer::ok(bytes)]);
        let arguments = ["get", "--progress", "none", "--extract", "-d", files.to_str().expect("UTF-8")];
        raudal(arguments).arg(server.url(path)).args(more).run()
    };
    let finished = extract("/t.tar.gz", &gzip(tar([("./d/a.csv", TABLE), ("b.txt", b"x")])), &[]);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert_eq!(finished.text(), format!("{}\n", files.join("t").display()));
    assert_eq!(std::fs::read(files.join("t/d/a.csv")).expect("a file"), TABLE);

    let old = zip_named(b"d\\Educa\x87\xc6o.csv", TABLE);
    let finished = extract("/old.zip", &[b"MZ\x90\0", &old[..]].concat(), &[]);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    for text in ["4 bytes before the archive", "--member-encoding"] {
        assert!(finished.stderr.contains(text), "{text}: {}", finished.stderr);
    }
    assert!(files.join("old/d/Educaç╞o.csv").exists());
    let finished = extract("/new.zip", &old, &["--member-encoding", "cp850"]);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert!(files.join("new/d/Educação.csv").exists());
}
