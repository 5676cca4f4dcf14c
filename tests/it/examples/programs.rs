//! Web pages and progress bars (lessons 30 and 31), and the short programs to copy.

use crate::harness::{run, run_with};

#[test]
fn lesson_30_one_table_with_a_team_column_and_the_missing_page_named() {
    let said = run("scrape");
    let mut reader = csv::Reader::from_reader(said.out.as_bytes());
    let header = reader.headers().expect("a header").clone();
    assert_eq!(header.iter().collect::<Vec<_>>(), ["TEAM", "Núm.", "Jugador", "Posición", "Edad", "Goles"]);
    let rows: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().expect("rows of equal length");
    assert_eq!(rows.len(), 8 * 11);
    let mut teams: Vec<&str> = rows.iter().map(|row| &row[0]).collect();
    teams.dedup();
    assert_eq!(teams.len(), 8, "in the order of the index: {teams:?}");
    assert_eq!((teams[1], teams[3]), ("Ñandúes del Sur", "Linces & Zorros"));
    assert_eq!(&rows[0][2], "José Núñez", "the text of the link");
    assert!(rows.iter().all(|row| (&row[3] == "Portero") == row[5].is_empty()), "empty cells stay in their column");
    // One table per way. Both name the missing page and keep the others.
    let named = said.err.lines().filter(|line| *line == "Fantasmas del Llano: the page has no table of players");
    assert_eq!(named.count(), 2, "{}", said.err);
    for jobs in ["1", "8"] {
        assert!(said.err.contains(&format!("\n{jobs} at once: 88 players in ")), "{}", said.err);
    }
    assert!(said.err.ends_with("the tables are equal\n"), "{}", said.err);
}

#[test]
fn lesson_31_lines_where_there_is_no_terminal() {
    let said = run("progress");
    let result = |name: &str| format!("{name}: 24 items, their sum is 276");
    assert_eq!(said.lines(), [result("plain loop"), result("parallel loop")]);
    let (plain, parallel) = said.err.split_once("parallel loop\n").expect("two loops");
    for (part, jobs) in [(plain, 1), (parallel, 4)] {
        let lines: Vec<_> = part.lines().filter(|line| line.contains("/24 done, ")).collect();
        assert!(!lines.is_empty(), "{}", said.err);
        assert!(lines.iter().all(|line| line.contains(&format!(", {jobs} in flight"))), "{}", said.err);
    }
    assert!(!said.err.contains('█'), "{}", said.err);
}

#[cfg(unix)]
#[test]
fn lesson_31_a_bar_on_a_terminal() {
    use std::io::Read;

    let (mut pty, pts) = pty_process::blocking::open().expect("a pseudo-terminal");
    pty.resize(pty_process::Size::new(24, 80)).expect("a size");
    let mut child = pty_process::blocking::Command::new(crate::harness::binary("progress"))
        .env_clear()
        .env("TERM", "xterm-256color")
        .spawn(pts)
        .expect("the example runs");
    let (mut shown, mut bytes) = (Vec::new(), [0; 4096]);
    // The other side is closed when the program has ended.
    while let Ok(count @ 1..) = pty.read(&mut bytes) {
        shown.extend_from_slice(&bytes[..count]);
    }
    assert!(child.wait().expect("it ends").success());
    let shown = String::from_utf8_lossy(&shown);
    let (plain, parallel) = shown.split_once("plain loop: 24 items").expect("two loops");
    assert!(plain.contains('█') && parallel.contains('█'), "{shown}");
}

#[test]
fn download_keeps_the_good_and_names_the_bad_after_its_retries() {
    let folder = tempfile::tempdir().expect("a folder");
    let said = run("download");
    assert_eq!(said.lines().iter().filter(|line| line.ends_with(" bytes")).count(), 6, "{}", said.out);
    assert!(said.err.contains("/missing.zip: an HTML page in place of the data"), "{}", said.err);
    assert!(said.err.contains("(4 attempts)"), "{}", said.err);
    assert_eq!(said.lines().last(), Some(&"6 downloaded, 1 failed, 3 retries"));

    // A local file is a valid source too, and the copy has its name.
    let source = folder.path().join("a.csv");
    std::fs::write(&source, "n\n1\n").expect("a file");
    let target = folder.path().join("copies");
    std::fs::create_dir(&target).expect("a folder");
    let said = run_with("download", &[target.to_str().expect("UTF-8"), source.to_str().expect("UTF-8")]);
    assert_eq!(said.lines().last(), Some(&"1 downloaded, 0 failed, 0 retries"));
    assert_eq!(std::fs::read(target.join("a.csv")).expect("the copy"), b"n\n1\n");
}

#[test]
fn table_writes_the_rows_that_the_filter_lets_through() {
    let said = run("table");
    assert!(said.out.starts_with("ENTIDAD,NOM_ENT,MUN,"), "{}", said.out);
    assert_eq!(said.lines().len(), 2);
    assert!(said.lines()[1].starts_with("06,Colima,000,"), "{}", said.out);

    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("towns.csv");
    std::fs::write(&path, "town,people\nAyala,31\nTepoztlán,9\n").expect("a file");
    let said = run_with("table", &[path.to_str().expect("UTF-8"), "people > 10"]);
    assert_eq!((&said.out[..], &said.err[..]), ("town,people\nAyala,31\n", "2 rows read, 1 kept\n"));
}

#[test]
fn own_job_gives_each_job_its_result() {
    assert_eq!(
        run("own_job").lines(),
        [
            "Mérida: 6 (attempts: 1)",
            "Oaxaca: 6 (attempts: 3)",
            "Toluca: nothing in 5s",
            "Xalapa: the job panicked: a fault in the job",
            "Colima: 6 (attempts: 1)",
            "3 succeeded, 2 failed, 2 retries"
        ]
    );
}

#[test]
fn own_workload_proves_the_results_equal_and_measures_each_level() {
    let said = run("own_workload");
    assert!(said.lines()[..2].join(" ").contains("the result was the same every time (32 rows)"), "{}", said.out);
    for jobs in ["1", "4", "16"] {
        assert!(said.out.lines().any(|line| line.split_whitespace().next() == Some(jobs)), "{}", said.out);
    }
}
