//! What a run is asked for: columns, rows, their number, and inputs whose columns differ.

use crate::common::{Answer, Finished, Server, gzip, raudal, zip};
use std::path::Path;

/// A folder with three years whose columns differ.
fn years() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).expect("a file");
    write("2019.csv", "id,\"Población, total\"\n1,9\n2,*\n".as_bytes());
    write("2020.csv.gz", &gzip(" id,area,\"Poblacio\u{301}n, total\"\n3,5.5,N/D\n4,,7\n"));
    write("2021.zip", &zip([("a.csv", "id,POBLACION, TOTAL\n".as_bytes())]));
    folder
}

fn table(folder: &Path, arguments: &[&str]) -> Finished {
    raudal(["table", "2019.csv", "2020.csv.gz", "--progress", "none"]).args(arguments).in_folder(folder).run()
}

#[track_caller]
fn good(finished: &Finished) -> &str {
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    finished.text()
}

#[test]
fn a_column_with_a_comma_is_named_in_quotes_or_backticks_in_select_as_in_where() {
    let folder = years();
    for name in ["\"Población, total\"", "`Población, total`"] {
        let of = |arguments: &[&str]| table(folder.path(), arguments);
        let found = of(&["--select", &format!("{name} as people, id"), "--where", &format!("{name} >= 7")]);
        assert_eq!(good(&found), "people,id\n9,1\n7,4\n");
        assert!(
            found.stderr.contains("warning: 2020.csv.gz: a name in the header has blanks around it"),
            "{}",
            found.stderr
        );
        let found = of(&["--select", "id", "--select", name, "--limit", "1"]);
        assert_eq!(good(&found), "id,\"Población, total\"\n1,9\n");
    }
    let by_variable =
        raudal(["table", "2019.csv"]).in_folder(folder.path()).env("RAUDAL_SELECT", "!`Población, total`").run();
    assert_eq!(good(&by_variable), "id\n1\n2\n");
}

#[test]
fn columns_that_differ_are_refused_united_or_intersected() {
    let folder = years();
    let refused = table(folder.path(), &[]);
    assert_eq!(refused.code, Some(3), "{}", refused.stderr);
    assert!(refused.stderr.contains("its columns differ: with extra \"area\""), "{}", refused.stderr);
    assert!(refused.stderr.contains("--columns-mode union"), "{}", refused.stderr);
    let union = table(folder.path(), &["--columns-mode", "union", "-o", "all.csv", "--source-column", "file"]);
    assert_eq!(good(&union), "");
    assert!(union.stderr.contains("their cells are empty there: \"area\""), "{}", union.stderr);
    assert_eq!(
        std::fs::read_to_string(folder.path().join("all.csv")).expect("the table"),
        "file,id,\"Población, total\",area\n2019.csv,1,9,\n2019.csv,2,*,\n2020.csv.gz,3,N/D,5.5\n2020.csv.gz,4,7,\n"
    );
    let intersection = table(folder.path(), &["--columns-mode", "intersection"]);
    assert_eq!(good(&intersection), "id,\"Población, total\"\n1,9\n2,*\n3,N/D\n4,7\n");
    assert!(intersection.stderr.contains("left out: \"area\""), "{}", intersection.stderr);
    let same = raudal(["table", "2019.csv", "2020.csv.gz", "-q", "--fold-names", "--columns-mode", "union"])
        .args(["--select", "ID,\"poblacion, total\""])
        .in_folder(folder.path())
        .run();
    assert_eq!(good(&same), "id,\"Población, total\"\n1,9\n2,*\n3,N/D\n4,7\n");
    let nobody = table(folder.path(), &["--columns-mode", "union", "--select", "id,erea", "-o", "none.csv"]);
    assert_eq!(nobody.code, Some(7), "{}", nobody.stderr);
    assert!(nobody.stderr.contains("no input has the column: \"erea\""), "{}", nobody.stderr);
    assert!(!folder.path().join("none.csv").exists());
}

#[test]
fn null_is_what_the_tokens_say_and_not_equal_does_not_keep_it() {
    let folder = years();
    let ids = |arguments: &[&str]| {
        let finished = table(folder.path(), &[&["--select", "id", "--columns-mode", "union"], arguments].concat());
        good(&finished).lines().skip(1).collect::<String>()
    };
    assert_eq!(ids(&["--where", "`Población, total` is null"]), "");
    assert_eq!(ids(&["--where", "`Población, total` is null", "--null", "*,N/D"]), "23");
    assert_eq!(ids(&["--where", "`Población, total` != '9'"]), "234");
    assert_eq!(ids(&["--where", "`Población, total` != '9'", "--null", "*,N/D"]), "4");
    assert_eq!(ids(&["--where", "area is null or area > 5"]), "1234");
}

#[test]
fn the_cells_that_iter_has_for_nothing_are_null() {
    let count = |arguments: &[&str]| {
        let iter = ["iter", "--mirror", "embedded", "--scale", "0.02", "--entities", "6", "-q", "--select", "TAMLOC"];
        good(&raudal(iter).args(arguments).run()).lines().skip(1).count()
    };
    let hidden = count(&["--where", "TAMLOC is null"]);
    assert!(hidden > 0);
    assert_eq!(hidden, count(&["--where", "TAMLOC in ['*', 'N/D', 'N/A']"]));
    assert_eq!(0, count(&["--where", "TAMLOC is null", "--null", ""]));
    let sampled = |seed: &str| {
        let iter = ["iter", "--mirror", "embedded", "--scale", "0.02", "--entities", "6", "-q", "--where", ""];
        let sample = raudal(iter).args(["--select", "MUN,LOC", "--sample", "5", "--seed", seed]).run();
        assert_eq!(good(&sample).lines().count(), 6);
        sample.stdout
    };
    assert_ne!(sampled("7"), sampled("8"));
}

#[test]
fn a_limit_stops_the_transfers_and_the_table_is_complete() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let server = Server::start([
        ("/a.csv", vec![Answer::ok("n\n1\n2\n")]),
        ("/b.csv", vec![Answer::ok("n\n3\n4\n")]),
        ("/c.csv", vec![Answer::status(404, "gone")]),
        ("/d.csv", vec![Answer::stall()]),
    ]);
    let sources = ["a", "b", "c", "d"].map(|name| server.url(&format!("/{name}.csv")));
    for jobs in ["1", "2", "8"] {
        let files =
            ["-o", "out.csv", "--overwrite", "--failed-to", "failed.txt", "--report", "run.json", "--progress", "none"];
        let finished =
            raudal(["table", "--limit", "3", "-j", jobs]).args(&sources).args(files).in_folder(folder.path()).run();
        assert_eq!(good(&finished), "");
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("a file");
        assert_eq!(read("out.csv"), "n\n1\n2\n3\n");
        assert_eq!(read("failed.txt"), "", "nothing is left to do");
        assert!(read("run.json").contains("\"stopped\": false"), "{}", read("run.json"));
        assert!(
            finished.stderr.contains("the table has the rows of --limit: 2 of 4 inputs not read"),
            "{}",
            finished.stderr
        );
        assert!(finished.stderr.contains("4 rows read, 4 kept, 3 written"), "{}", finished.stderr);
        assert!(!folder.path().join("out.csv.partial").exists() && !folder.path().join("out.csv.partials").exists());
    }
    // A failure before the last row counts.
    let finished = raudal(["table", "-q", "--limit", "3", &sources[0], &sources[2], &sources[1]]).run();
    assert_eq!((finished.code, finished.text()), (Some(3), "n\n1\n2\n3\n"), "{}", finished.stderr);
}

#[test]
fn with_one_job_a_limit_asks_for_no_further_input() {
    // The second may have begun before the rows of the first were written.
    let server = Server::start([("/a.csv", vec![Answer::ok("n\n1\n")]), ("/b.csv", vec![Answer::stall()])]);
    let pattern = server.url("/{a,b,c,d,e,f,g,h,i,j}.csv");
    let finished = raudal(["table", "-q", "-j", "1", "--limit", "1", &pattern]).run();
    assert_eq!(good(&finished), "n\n1\n");
    assert!(server.paths().len() <= 2, "{:?}", server.paths());
}

#[test]
fn a_count_says_what_was_read_and_kept_in_any_format() {
    let folder = years();
    let counted = table(folder.path(), &["--count", "--where", "id > 1"]);
    assert_eq!(good(&counted), "input,read,kept\n2019.csv,2,1\n2020.csv.gz,2,2\ntotal,4,3\n");
    assert!(counted.stderr.contains("4 rows read, 3 kept\n"), "{}", counted.stderr);
    let counted = table(folder.path(), &["--count", "--format", "jsonl"]);
    assert_eq!(good(&counted).lines().last(), Some("{\"input\":\"total\",\"read\":\"4\",\"kept\":\"4\"}"));
}

#[test]
fn equal_rows_and_samples_are_counted_in_the_summary() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("a.csv"), "a,b\n1,x\n1,y\n2,z\n").expect("a file");
    let run = |arguments: &[&str]| {
        raudal(["table", "a.csv", "a.csv", "--progress", "none"]).args(arguments).in_folder(folder.path()).run()
    };
    let distinct = run(&["--select", "a", "--distinct"]);
    assert_eq!(good(&distinct), "a\n1\n2\n");
    assert!(distinct.stderr.contains("6 rows read, 6 kept, 2 written"), "{}", distinct.stderr);
    let sample = run(&["--sample", "2", "--seed", "3"]);
    assert_eq!(good(&sample).lines().count(), 3);
    assert_eq!(sample.stdout, run(&["--sample", "2", "--seed", "3", "-j", "1"]).stdout);
}

#[test]
fn what_makes_no_sense_is_a_usage_error_with_a_cure() {
    let folder = years();
    for (arguments, says) in [
        (&["--limit", "0"][..], "at least 1"),
        (&["--limit", "1", "--sample", "1"], "cannot be used with"),
        (&["--count", "--distinct"], "cannot be used with"),
        (&["--limit", "1", "--lock", "x"], "cannot be used with"),
        (&["--seed", "1"], "--sample"),
        (&["--columns-mode", "unoin"], "did you mean union"),
        (&["--select", "\"a"], "never closes"),
        (&["--where", "a == 1 && b == 2"], "write: and"),
        (&["--where", "a ~ '('"], "regular expression"),
    ] {
        let finished = table(folder.path(), arguments);
        assert_eq!(finished.code, Some(2), "{arguments:?}: {}", finished.stderr);
        assert!(finished.stderr.contains(says), "{arguments:?}: {}", finished.stderr);
    }
}

#[test]
fn the_help_says_what_null_does_and_where_grouping_is() {
    let help = raudal(["table", "--help"]).run();
    for says in ["!= does not keep it", "DuckDB", "docs/recipes.md", "--columns-mode", "starts with", "ilike"] {
        assert!(help.text().contains(says), "{says}");
    }
}
