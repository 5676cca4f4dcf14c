//! The commands in the READMEs and the book work, their links have targets, and the lists of
//! lessons are complete.
//!
//! Every line of a block fenced as `sh` is a command; a backslash at its end continues it.
//! `raudal …` and `cargo run … -- …` run the built program, and `cargo run --example …` runs the
//! built example, in a folder with the files that the READMEs mention. Commands that need a network
//! run with `--dry-run` where it exists; `compare` has no such option, so it uses the embedded
//! origin, with one run per level and small archives. A block fenced as `text` is not run.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Returns the documents that contain commands: the READMEs and the pages of the book.
fn documents() -> Vec<String> {
    let pages = fs::read_dir(root().join("docs")).expect("the book").map(|page| page.expect("a page").path());
    let pages = pages.filter(|page| page.extension().is_some_and(|extension| extension == "md"));
    let name = |page: std::path::PathBuf| format!("docs/{}", page.file_name().unwrap_or_default().to_string_lossy());
    let mut all: Vec<String> = pages.map(name).collect();
    all.sort();
    all.extend(["README.md", "README.es.md", "examples/README.md"].map(str::to_owned));
    all
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap_or_else(|e| panic!("{file}: {e}"))
}

/// Returns the commands in the blocks fenced as `sh`, each on one line.
fn commands(text: &str) -> Vec<String> {
    let mut commands = Vec::new();
    for block in text.split("```sh\n").skip(1) {
        let block = block.split("```").next().unwrap_or_default().replace("\\\n", " ");
        commands
            .extend(block.lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with('#')).map(str::to_owned));
    }
    commands
}

/// Splits a command like a shell, as far as the READMEs need it: quotes, and a comment after a
/// space.
fn words(command: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in command.chars() {
        match (c, quote) {
            (q, Some(open)) if q == open => quote = None,
            ('\'' | '"', None) => (quote, word) = (Some(c), Some(word.unwrap_or_default())),
            ('#', None) if word.is_none() => break,
            (blank, None) if blank.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    assert_eq!(quote, None, "a quote is left open: {command}");
    words.extend(word);
    words
}

/// Returns a folder with the files that the READMEs mention.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).expect("a file");
    let table = b"MUN,POBTOT\n000,31\n";
    write("a.csv", table);
    write("SHA256SUMS", b"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  1.csv\n");
    write("b.csv.gz", &crate::common::gzip(table));
    write("c.zip", &crate::common::zip([("c.csv", table.as_slice())]));
    // Tables as they are in the world.
    write("export.txt", b"id;name\n1;a, b\n");
    write("names.tsv", b"id\tname\n1\t\"Kostas\" Theatre\n");
    write("escaped.csv", b"'id','name'\n1,'it\\'s, so'\n");
    write("titled.csv", b"A title\n\nid,name\n1,a\nSource: us\n");
    write("commented.csv", b"# of 2020\nid,name\n1,a\n");
    write("bare.csv", b"1,a\n2,b\n");
    write("joined.csv", b"id,name\n1,a\nid,name\n2,b\n");
    write("ragged.csv", b"id,name\n1\n2,b,c\n");
    write("german.csv", b"m;t\nA;1.234,5\nB;12,5\n");
    write("latin1.csv", b"MUN,POBTOT\nM\xe9xico,31\n");
    let inner = crate::common::zip([("d/a.csv", table.as_slice())]);
    write("outer.zip", &crate::common::zip([("2019.zip", inner.as_slice()), ("2020.zip", inner.as_slice())]));
    let years: [(&str, &[u8]); 2] = [("2019.csv", b"id,pop\n1,10\n"), ("2020.csv", b"id,pop,area\n2,20,5\n")];
    write("years.zip", &crate::common::zip(years));
    let rows: &[&[&str]] = &[&["id"], &["1"]];
    write("report.xlsx", &crate::common::workbook(&[("2010", rows), ("Población 2020", rows)]));
    write("old.zip", &crate::common::zip_named(b"d/Educa\x87\xc6o.csv", table));
    write("page.html", b"<a href='a.csv'>a</a> <a href='data/1.csv'>1</a> <a href='x.pdf'>x</a>");
    fs::create_dir_all(folder.path().join("data/2020")).expect("a folder");
    write("data/1.csv", table);
    write("data/2020/2.csv", table);
    write("urls.txt", b"https://example.org/1.csv\nhttps://example.org/2.csv\n");
    folder
}

/// Sets an option to this value, or adds it.
fn set(arguments: &mut Vec<String>, option: &str, value: &str) {
    match arguments.iter().position(|argument| argument == option) {
        Some(at) => value.clone_into(&mut arguments[at + 1]),
        None => arguments.extend([option, value].map(str::to_owned)),
    }
}

/// Changes the arguments of `raudal` so that the command needs no network.
fn without_a_network(mut arguments: Vec<String>) -> Vec<String> {
    let embedded = arguments.iter().any(|a| a == "embedded");
    let local = arguments[0] == "table" && !arguments.iter().any(|a| a.contains("://") || a == "-i");
    match &arguments[0][..] {
        "help" | "completions" | "config" | "man" | "cache" | "peek" => {}
        // It would serve until it is stopped, on a port that may be taken. So only its arguments
        // are checked.
        "serve" => arguments.push("--help".to_owned()),
        // One run per level shows that the command works. The measured times are not checked.
        "compare" => {
            for (option, value) in [("-r", "1"), ("-w", "0")] {
                set(&mut arguments, option, value);
            }
            if let Some(latency) = arguments.iter().position(|a| a == "--latency") {
                "1ms".clone_into(&mut arguments[latency + 1]);
            }
            if arguments[1] == "iter" {
                set(&mut arguments, "--mirror", "embedded");
                set(&mut arguments, "--scale", "0.02");
            }
        }
        _ if embedded => set(&mut arguments, "--scale", "0.02"),
        _ if local => {}
        _ if arguments.iter().any(|argument| argument == "--dry-run") => {}
        _ => arguments.push("--dry-run".to_owned()),
    }
    arguments
}

#[test]
fn every_command_of_the_readmes_runs() {
    let folder = folder();
    let mut ran = 0;
    for file in documents() {
        for command in commands(&read(&file)) {
            let words = words(&command);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let arguments: &[&str] = match &words[..] {
                // `.ci/run` installs the wheel and runs its tests.
                ["cargo", "test" | "install" | "build" | "doc", ..] | ["pip", "install", ..] => continue,
                ["cargo", "run", "--example", name, rest @ ..]
                | ["cargo", "run", "--release", "--example", name, rest @ ..] => {
                    // The original pace is for people. The quick run shows that the option is
                    // known.
                    assert!(rest.iter().all(|word| ["--", "--slow", "--verbose"].contains(word)), "{command}");
                    crate::harness::run(name);
                    ran += 1;
                    continue;
                }
                ["cargo", "run", "--release", "--", rest @ ..] | ["raudal", rest @ ..] => rest,
                _ => panic!("{file} gives a command that this test does not know: {command}"),
            };
            let arguments = without_a_network(arguments.iter().map(|word| (*word).to_owned()).collect());
            let done = crate::common::raudal(arguments.clone()).in_folder(folder.path()).run();
            assert_eq!(done.code, Some(0), "{file}: {command}\nrun as {arguments:?}\n{}", done.stderr);
            ran += 1;
        }
    }
    assert!(ran > 15, "the test has found the commands: {ran}");
}

/// Returns the targets of the links in a text, outside of code blocks.
fn links(text: &str) -> Vec<String> {
    let prose: String = text.split("```").step_by(2).collect();
    let after = prose.split("](").skip(1);
    after.filter_map(|rest| rest.split_once(')')).map(|(target, _)| target.to_owned()).collect()
}

/// Returns the anchor of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase().replace(' ', "-");
    kept.chars().filter(|c| c.is_alphanumeric() || "-_".contains(*c)).collect()
}

#[test]
fn every_link_within_the_project_leads_somewhere() {
    let mut all = documents();
    all.extend(["CONTRIBUTING.md", "SECURITY.md", "RELEASING.md", "crates/raudal-pool/README.md"].map(str::to_owned));
    let mut followed = 0;
    for file in &all {
        for link in links(&read(file)).iter().filter(|link| !link.contains("://")) {
            let (path, place) = link.split_once('#').map_or((&**link, None), |(path, place)| (path, Some(place)));
            let target = if path.is_empty() { root().join(file) } else { root().join(file).with_file_name(path) };
            assert!(target.exists(), "{file} links to {link}, which is not there");
            if let Some(place) = place {
                let text = fs::read_to_string(&target).expect("a page");
                let mut headings = text.lines().filter_map(|line| line.strip_prefix('#'));
                assert!(headings.any(|h| anchor(h.trim_start_matches('#')) == place), "{file}: no such place: {link}");
            }
            followed += 1;
        }
    }
    assert!(followed > 50, "the test has found the links: {followed}");
    assert!(read("README.md").contains("(README.es.md)") && read("README.es.md").contains("(README.md)"));
}

/// Returns the paths of source files that a text names in backticks.
fn named_files(text: &str) -> Vec<String> {
    let prose: String = text.split("```").step_by(2).collect();
    let code: Vec<String> = prose.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    let is_file = |word: &String| {
        word.contains('/')
            && [".rs", ".toml", ".md", ".csv"].iter().any(|ending| word.ends_with(ending))
            && word.chars().all(|c| c.is_ascii_alphanumeric() || "./_-".contains(c))
    };
    code.into_iter().filter(is_file).collect()
}

#[test]
fn every_file_that_a_page_names_is_there() {
    let mut all = documents();
    all.extend(["CONTRIBUTING.md", "SECURITY.md", "RELEASING.md", "crates/raudal-pool/README.md"].map(str::to_owned));
    let mut seen = 0;
    for file in &all {
        for named in named_files(&read(file)) {
            let beside = root().join(file).with_file_name(&named);
            assert!(root().join(&named).exists() || beside.exists(), "{file} names {named}, which is not there");
            seen += 1;
        }
    }
    assert!(seen > 20, "the test has found the files: {seen}");
}

#[test]
fn every_page_of_the_book_is_in_its_summary() {
    let summary = read("docs/SUMMARY.md");
    for page in documents().iter().filter_map(|file| file.strip_prefix("docs/")).filter(|page| *page != "SUMMARY.md") {
        assert!(summary.contains(&format!("({page})")), "{page} is not in docs/SUMMARY.md");
    }
}

#[test]
fn lines_of_markdown_have_at_most_100_columns_outside_of_tables_and_code() {
    let mut all = documents();
    all.extend(
        ["CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "RELEASING.md", "python/README.md"].map(str::to_owned),
    );
    all.extend(["README.md", "src/guide.md", "src/equivalents.md"].map(|name| format!("crates/raudal-pool/{name}")));
    for file in &all {
        let mut is_code = false;
        for (at, line) in read(file).lines().enumerate() {
            is_code ^= line.trim_start().starts_with("```");
            let columns = line.chars().count();
            assert!(is_code || line.starts_with('|') || columns <= 100, "{file}:{}: {columns} columns", at + 1);
        }
    }
}

#[test]
fn the_readme_stays_short() {
    let words = read("README.md").split_whitespace().count();
    assert!(words <= 1_000, "{words} words");
}

/// Returns the names of the existing examples.
fn examples() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let entries = fs::read_dir(folder).expect("the examples").map(|entry| entry.expect("an entry").path());
    entries
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .collect()
}

#[test]
fn both_lists_have_every_example_and_every_lesson_of_31() {
    for (file, folder) in [("README.es.md", "examples/"), ("examples/README.md", "")] {
        let text = read(file);
        for name in examples() {
            assert!(text.contains(&format!("[`{name}`]({folder}{name}.rs)")), "{file} does not list {name}");
        }
        let numbers: Vec<u32> = text
            .lines()
            .filter_map(|line| line.strip_prefix("| ")?.split_once(" |")?.0.parse().ok())
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        assert_eq!(numbers, (1..=31).collect::<Vec<_>>(), "{file}");
    }
}

#[test]
fn every_example_says_how_to_run_it_and_what_to_look_for() {
    for name in examples() {
        let text = read(&format!("examples/{name}.rs"));
        let doc: String = text.lines().take_while(|line| line.starts_with("//!")).collect::<Vec<_>>().join("\n");
        for part in [&format!("--example {name}"), "Look for: ", "In Python: "] {
            assert!(doc.contains(part), "examples/{name}.rs does not say {part:?}");
        }
        assert!(text.lines().count() <= 150, "examples/{name}.rs is long for a lesson");
    }
}
