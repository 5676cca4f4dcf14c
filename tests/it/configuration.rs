//! Configuration files, environment variables and options: which one holds, and what is said of a bad
//! value.

use crate::common::raudal;
use std::fs;
use std::path::Path;

const TABLE: &str = "k,n\na,1\nb,2\nc,3\n";

/// Returns a project with a configuration, and a folder below it.
fn project(configuration: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir_all(folder.path().join("data/deep")).expect("a folder");
    fs::write(folder.path().join("data/deep/a.csv"), TABLE).expect("a file");
    fs::write(folder.path().join("raudal.toml"), configuration).expect("a file");
    folder
}

fn rows(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> String {
    let program = raudal(["table", "a.csv", "-q"]).args(arguments).in_folder(folder.join("data/deep"));
    let finished = variables.iter().fold(program, |program, (name, value)| program.env(name, value)).run();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    finished.text().to_owned()
}

#[test]
fn an_option_wins_over_a_variable_that_over_the_project_and_that_over_the_user() {
    let project = project("limit = 2\n");
    let user = tempfile::tempdir().unwrap();
    fs::create_dir(user.path().join("raudal")).unwrap();
    fs::write(user.path().join("raudal/config.toml"), "limit = 1\n[table]\nselect = ['n']\n").unwrap();
    let home = ("XDG_CONFIG_HOME", user.path().to_str().unwrap());
    assert_eq!(rows(project.path(), &[], &[]), "k,n\na,1\nb,2\n");
    assert_eq!(rows(project.path(), &[], &[home]), "n\n1\n2\n");
    assert_eq!(rows(project.path(), &[], &[home, ("RAUDAL_LIMIT", "3")]), "n\n1\n2\n3\n");
    assert_eq!(rows(project.path(), &["--limit", "1"], &[home, ("RAUDAL_LIMIT", "3")]), "n\n1\n");
    assert_eq!(rows(project.path(), &[], &[home, ("RAUDAL_NO_CONFIG", "1")]), TABLE);
    // What conflicts with an option that was given does not hold.
    assert_eq!(rows(project.path(), &["--sample", "3"], &[]), TABLE);
    fs::remove_file(project.path().join("raudal.toml")).unwrap();
    assert_eq!(rows(project.path(), &[], &[home]), "n\n1\n");
}

#[test]
fn a_bad_value_names_the_variable_or_the_file() {
    let project = project("retries = 'often'\n");
    let refused = |name: &str, value: &str| {
        let program = raudal(["table", "a.csv"]).in_folder(project.path().join("data/deep"));
        let finished = program.env(name, value).run();
        assert_eq!(finished.code, Some(2), "{}", finished.stderr);
        finished.stderr
    };
    let said = refused("RAUDAL_RETRY_DELAY", "soon");
    assert!(said.contains("raudal.toml") || said.contains("RAUDAL_RETRY_DELAY"), "{said}");
    let said = refused("RAUDAL_NO_CONFIG", "");
    assert!(said.contains("'often'") && said.contains("raudal.toml"), "{said}");
    fs::write(project.path().join("raudal.toml"), "").unwrap();
    let said = refused("RAUDAL_RETRIES", "often");
    assert!(said.contains("'often'") && said.contains("environment variable RAUDAL_RETRIES"), "{said}");
    for (text, reason) in [
        ("retires = 3\n", "no such option of raudal: retires"),
        ("[table]\nproxy = 'http://127.0.0.1:1'\n", "a project cannot decide this: proxy"),
        ("limit = \n", "not TOML"),
    ] {
        fs::write(project.path().join("raudal.toml"), text).unwrap();
        let said = refused("RAUDAL_QUIET", "1");
        assert!(said.contains(reason) && said.contains("raudal.toml: "), "{said}");
    }
}

#[test]
fn help_is_there_whatever_the_file_says() {
    let project = project("nonsense");
    for arguments in [&["table", "--help"][..], &["--version"], &["completions", "bash"], &["man", "table"]] {
        let finished = raudal(arguments.iter().copied()).in_folder(project.path()).run();
        assert_eq!(finished.code, Some(0), "{arguments:?}: {}", finished.stderr);
    }
}

#[test]
fn config_show_says_where_each_value_comes_from_and_shows_no_secret() {
    let project = project("limit = 2\n[table]\ndistinct = true\n");
    let show = |arguments: &[&str]| {
        let program = raudal(["config", "show"]).args(arguments).in_folder(project.path());
        let finished = program.env("RAUDAL_RETRIES", "7").env("RAUDAL_HEADER", "Authorization: word").run();
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        finished.text().to_owned()
    };
    let of_table = show(&["table"]);
    let line = |name: &str| of_table.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
    assert!(line("limit = \"2\"").ends_with("raudal.toml"), "{of_table}");
    assert!(line("distinct = true").ends_with("raudal.toml"), "{of_table}");
    assert!(line("retries = \"7\"").ends_with("# RAUDAL_RETRIES"), "{of_table}");
    assert!(line("jobs = \"auto\"").ends_with("# default"), "{of_table}");
    assert!(line("# where").ends_with("# not set") || line("where = ").ends_with("# default"), "{of_table}");
    assert!(!of_table.contains("word"), "{of_table}");
    let of_all = show(&[]);
    assert!(
        of_all.contains("# of the project: ") && of_all.contains("[compare.iter]") && !of_all.contains("jobs"),
        "{of_all}"
    );
}

#[test]
fn help_names_each_variable_without_its_value() {
    let help = raudal(["table", "--help"]).env("RAUDAL_PROXY", "http://me:word@127.0.0.1:1").run();
    assert!(
        help.text().contains("[env: RAUDAL_JOBS]") && help.text().contains("[env: RAUDAL_PROXY]"),
        "{}",
        help.text()
    );
    assert!(!help.text().contains("word"), "{}", help.text());
}
