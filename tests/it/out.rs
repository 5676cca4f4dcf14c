//! The output of `table` and `iter`: its name, what is there already, types, and the terminal.

use crate::common::{Answer, Finished, Gate, Server, raudal};
use std::fs;
use std::path::Path;

const TABLE: &str = "k,n\n007,1\n008,\n";

/// Returns a folder with an input.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("in.csv"), TABLE).expect("a file");
    folder
}

fn table(folder: &Path, arguments: &[&str]) -> Finished {
    raudal(["table", "in.csv", "-q"]).args(arguments).in_folder(folder).run()
}

pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_name_that_says_no_format_is_refused_before_anything_is_fetched() {
    let server = Server::with("/a.csv", [Answer::ok(TABLE)]);
    let folder = tempfile::tempdir().expect("a folder");
    for (name, hint) in [
        ("out.xlsx", "--bom"),
        ("out.txt", "--format"),
        ("out", "--format"),
        ("out.parqet", "did you mean .parquet?"),
        ("out.parquet.gz", "compressed inside"),
    ] {
        let finished = raudal(["table", &server.url("/a.csv"), "-o", name]).in_folder(folder.path()).run();
        assert_eq!(finished.code, Some(2), "{name}: {}", finished.stderr);
        assert!(finished.stderr.contains("hint: ") && finished.stderr.contains(hint), "{}", finished.stderr);
    }
    assert!(server.paths().is_empty() && names(folder.path()).is_empty());
}

#[test]
fn a_dash_is_standard_output_and_the_format_wins_over_the_name() {
    let folder = folder();
    let finished = table(folder.path(), &["-o", "-"]);
    assert_eq!((finished.code, finished.text()), (Some(0), TABLE));
    let finished = table(folder.path(), &["-o", "out.csv", "--format", "jsonl"]);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let text = fs::read_to_string(folder.path().join("out.csv")).expect("a table");
    assert_eq!(text, "{\"k\":\"007\",\"n\":\"1\"}\n{\"k\":\"008\",\"n\":\"\"}\n");
    assert_eq!(names(folder.path()), ["in.csv", "out.csv"]);
    let finished = table(folder.path(), &["--format", "csv.gz"]);
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&finished.stdout[..]), &mut text).expect("gzip");
    assert_eq!(text, TABLE);
}

#[test]
fn an_output_that_is_there_is_refused_before_anything_is_fetched() {
    let server = Server::with("/a.csv", [Answer::ok("k,n\n009,3\n"), Answer::ok("k,n\n010,4\n")]);
    let folder = tempfile::tempdir().expect("a folder");
    let output = folder.path().join("out.csv");
    fs::write(&output, TABLE).expect("a file");
    let run = |more: &[&str]| {
        let url = server.url("/a.csv");
        raudal(["table", &url, "-q", "-o", "out.csv"]).args(more).in_folder(folder.path()).run()
    };
    let finished = run(&[]);
    assert_eq!(finished.code, Some(8), "{}", finished.stderr);
    for words in ["out.csv", "--overwrite", "--append"] {
        assert!(finished.stderr.contains(words), "{}", finished.stderr);
    }
    assert!(server.paths().is_empty());
    assert_eq!(fs::read_to_string(&output).expect("a table"), TABLE);
    assert_eq!(run(&["--append"]).code, Some(0));
    assert_eq!(fs::read_to_string(&output).expect("a table"), format!("{TABLE}009,3\n"));
    assert_eq!(run(&["--overwrite"]).code, Some(0));
    assert_eq!(fs::read_to_string(&output).expect("a table"), "k,n\n010,4\n");
    assert_eq!(run(&["--overwrite", "--append"]).code, Some(2));
}

#[test]
fn rows_cannot_be_appended_to_standard_output() {
    let folder = folder();
    for output in [&["--append"][..], &["-o", "-", "--append"]] {
        let finished = table(folder.path(), output);
        assert_eq!(finished.code, Some(2), "{}", finished.stderr);
        assert!(finished.stderr.contains("--output"), "{}", finished.stderr);
        assert!(finished.stdout.is_empty());
    }
}

#[test]
fn rows_of_other_columns_are_not_added() {
    let folder = folder();
    fs::write(folder.path().join("out.csv"), "k,m\n1,2\n").expect("a file");
    let finished = table(folder.path(), &["-o", "out.csv", "--append"]);
    assert_eq!(finished.code, Some(7), "{}", finished.stderr);
    assert!(finished.stderr.contains("without \"m\", with extra \"n\""), "{}", finished.stderr);
    assert_eq!(fs::read_to_string(folder.path().join("out.csv")).expect("a table"), "k,m\n1,2\n");
    let finished = table(folder.path(), &["-o", "out.json", "--append"]);
    assert_eq!(finished.code, Some(2), "{}", finished.stderr);
}

#[test]
fn types_are_numbers_where_the_format_has_them_and_a_bad_cell_is_named() {
    let folder = folder();
    let finished = table(folder.path(), &["--types", "k:int, n:float", "--format", "jsonl"]);
    assert_eq!(finished.text(), "{\"k\":7,\"n\":1.0}\n{\"k\":8,\"n\":null}\n", "{}", finished.stderr);
    let finished = table(folder.path(), &["--types", "auto", "--format", "jsonl"]);
    assert_eq!(finished.text(), "{\"k\":\"007\",\"n\":1}\n{\"k\":\"008\",\"n\":null}\n");
    let finished = table(folder.path(), &["--types", "k:date"]);
    assert_eq!((finished.code, finished.text()), (Some(7), ""));
    for words in ["in.csv", "kept row 1", "column k", "007", "--null", "--types"] {
        assert!(finished.stderr.contains(words), "{}", finished.stderr);
    }
    fs::write(folder.path().join("b.csv"), "k,n\n1,N/D\n2,3\n4,5\n").expect("a file");
    let finished =
        raudal(["table", "b.csv", "-v", "--types", "auto", "--format", "jsonl"]).in_folder(folder.path()).run();
    let says = "column n stays text: 1 cell is not among its numbers, the first: N/D (b.csv, kept row 1)";
    assert!(finished.code == Some(0) && finished.stderr.contains(says), "{}", finished.stderr);
    let finished = table(folder.path(), &["--types", "k:number"]);
    assert_eq!(finished.code, Some(2));
}

#[test]
fn a_byte_order_mark_is_for_csv() {
    let folder = folder();
    assert_eq!(table(folder.path(), &["--bom"]).text(), format!("\u{feff}{TABLE}"));
    assert_eq!(table(folder.path(), &["--bom", "--format", "json"]).code, Some(2));
}

#[cfg(feature = "sqlite")]
#[test]
fn a_table_of_sqlite_has_its_name_and_its_rows_are_all_there_or_none() {
    let folder = folder();
    let path = folder.path().join("out.sqlite");
    let rows = || {
        let connection = rusqlite::Connection::open(&path).expect("a database");
        connection.query_row("SELECT count(*) FROM iter", [], |row| row.get::<_, u32>(0)).expect("a count")
    };
    let finished = table(folder.path(), &["-o", "out.sqlite", "--table", "iter"]);
    assert_eq!((finished.code, rows()), (Some(0), 2), "{}", finished.stderr);
    assert_eq!(table(folder.path(), &["-o", "out.sqlite", "--table", "iter"]).code, Some(8));
    assert_eq!(table(folder.path(), &["-o", "out.sqlite", "--table", "iter", "--append"]).code, Some(0));
    assert_eq!(rows(), 4);
    assert_eq!(table(folder.path(), &["-o", "-", "--format", "sqlite"]).code, Some(2));
    assert_eq!(table(folder.path(), &["--table", "iter"]).code, Some(2));

    // A run that is stopped changes nothing.
    let gate = Gate::new();
    let server =
        Server::start([("/1.csv", vec![Answer::ok("k,n\n1,1\n")]), ("/2.csv", vec![Answer::stall().behind(&gate)])]);
    let finished = raudal(["table", &server.url("/[1-2].csv"), "--deadline", "300ms", "--table", "iter", "--append"])
        .args(["-o", "out.sqlite"])
        .in_folder(folder.path())
        .run();
    gate.open();
    assert_eq!(finished.code, Some(124), "{}", finished.stderr);
    assert!(finished.stderr.contains("nothing was written to: out.sqlite"), "{}", finished.stderr);
    assert_eq!(rows(), 4);
}

#[cfg(feature = "parquet")]
#[test]
fn parquet_goes_to_a_file_and_into_a_pipe() {
    let folder = folder();
    assert_eq!(table(folder.path(), &["-o", "out.parquet"]).code, Some(0));
    let piped = table(folder.path(), &["--format", "parquet"]).stdout;
    assert!(piped.starts_with(b"PAR1") && piped == fs::read(folder.path().join("out.parquet")).expect("a table"));
    let finished = table(folder.path(), &["-o", "out.parquet"]);
    assert!(finished.code == Some(8) && finished.stderr.contains("--overwrite"), "{}", finished.stderr);
}

#[test]
fn iter_as_a_table_shows_the_people_of_each_state() {
    let run = |more: &[&str]| {
        raudal(["iter", "--mirror", "embedded", "--scale", "0.02", "-q", "--format", "table"]).args(more).run()
    };
    let finished = run(&["--no-truncate"]);
    assert!(finished.text().ends_with("\n32 rows\n"), "{}", finished.text());
    assert!(finished.text().contains("POBTOT") && !finished.text().contains('…'));
}
