//! What users type by mistake or take for a table, and what is said then.

use crate::common::raudal;

#[test]
fn a_dry_run_checks_that_local_inputs_can_be_read() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a.csv"), "n\n1\n").expect("a file");
    std::fs::create_dir(folder.path().join("b.csv")).expect("a folder");
    for command in ["table", "get"] {
        let planned = raudal([command, "-n", "a.csv", "http://localhost/x.csv"]).in_folder(folder.path()).run();
        assert_eq!((planned.code, planned.stderr.as_str()), (Some(0), ""), "{command}");
        let some = raudal([command, "-n", "a.csv", "b.csv", "c.csv"]).in_folder(folder.path()).run();
        assert_eq!((some.code, some.text()), (Some(3), "a.csv\nb.csv\nc.csv\n"), "{}", some.stderr);
        assert!(some.stderr.contains("error: b.csv: ") && some.stderr.contains("error: c.csv: "), "{}", some.stderr);
        let none = raudal([command, "-n", "c.csv"]).in_folder(folder.path()).run();
        assert_eq!(none.code, Some(8), "{}", none.stderr);
    }
}

#[test]
fn a_number_after_the_option_of_a_dry_run_is_taken_for_a_count_of_rows() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("a.csv"), "n\n1\n").expect("a file");
    let planned = raudal(["table", "a.csv", "-n", "5"]).in_folder(folder.path()).run();
    assert_eq!(planned.code, Some(3), "{}", planned.stderr);
    assert!(planned.stderr.contains("-n is --dry-run") && planned.stderr.contains("--limit 5"), "{}", planned.stderr);
}

#[test]
fn an_unknown_value_is_told_the_known_ones() {
    for (option, wrong, known) in [
        ("--format", "xml", "one of csv, tsv, jsonl, json"),
        ("--format", "jsn", "did you mean json or jsonl?"),
        ("--encoding", "auto,utf-8", "auto"),
        ("--encoding", "ebcdic", "utf-8, windows-1252"),
    ] {
        let refused = raudal(["table", "a.csv", option, wrong]).run();
        assert_eq!(refused.code, Some(2), "{wrong}: {}", refused.stderr);
        assert!(refused.stderr.contains(known) && !refused.stderr.contains("mean ?"), "{wrong}: {}", refused.stderr);
    }
}

#[test]
fn what_does_not_look_like_a_table_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text, code, says) in [
        ("a.csv", "{\"a\":1}\n{\"a\":2}\n", 7, "JSON stands where a table should be"),
        ("b.csv", "Error: no such file\n", 7, "one line of text stands where a table should be"),
        ("c.csv", "Not found: x.csv, try again\n", 7, "one line of text stands where a table should be"),
        ("d.csv", "id,full name\n", 0, "d.csv: no rows, only this header: id,full name"),
    ] {
        std::fs::write(folder.path().join(name), text).expect("a file");
        let finished = raudal(["table", name, "--progress", "none"]).in_folder(folder.path()).run();
        assert_eq!(finished.code, Some(code), "{name}: {}", finished.stderr);
        assert!(finished.stderr.contains(says), "{name}: {}", finished.stderr);
    }
}

#[test]
fn synthetic_rows_are_said_to_be_synthetic_even_if_quiet_and_once() {
    let iter = ["iter", "--mirror", "embedded", "--scale", "0.01", "--entities", "1", "-q", "--where", "LOC == 1"];
    let finished = raudal(iter).args(["--limit", "1", "--select", "NOM_MUN,NOM_LOC"]).run();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert_eq!(finished.stderr, "warning: synthetic data made by raudal, not INEGI's figures\n");
    let row = finished.text().lines().nth(1).expect("a row");
    assert_eq!(row.matches("(sintético)").count(), 2, "{row}");
}
