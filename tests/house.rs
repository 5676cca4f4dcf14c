//! How the house is laid out: imports go one way, and each heavy dependency has one room.

use std::fs;
use std::path::{Path, PathBuf};

/// The rooms from the top down. Rooms of one floor do not know each other; a room knows only those below it.
const FLOORS: [&[&str]; 7] = [
    &["compare", "progress"],
    &["workload"],
    &["pipeline", "origin"],
    &["fetch"],
    &["pool", "table", "source"],
    &["units", "aside"],
    &["error"],
];

/// Which rooms may name a crate, outside of their tests.
const OWNERS: [(&str, &[&str]); 13] = [
    ("reqwest", &["fetch"]),
    ("rustls", &["fetch"]),
    // The origin writes the archives that everything else reads: one file of it packs them.
    ("zip", &["table", "origin/pack.rs"]),
    ("csv", &["table"]),
    ("sqlparser", &["table"]),
    ("encoding_rs", &["table"]),
    ("indicatif", &["progress"]),
    // fetch tells the causes of a broken transfer apart by the error that reqwest wraps.
    ("hyper", &["origin", "fetch"]),
    ("rusqlite", &["workload"]),
    ("tokio_postgres", &["workload"]),
    ("deadpool_postgres", &["workload"]),
    ("clap", &["cli", "main.rs"]),
    ("rustix", &["cli"]),
];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every source file, by its path below `src`, with its text.
fn files() -> Vec<(String, String)> {
    files_below(&source())
}

fn files_below(source: &Path) -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("a folder of the house") {
            let path = entry.expect("an entry of the folder").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(source, &mut found);
    found
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(source).expect("below src").to_string_lossy().replace('\\', "/");
            (name, fs::read_to_string(path).expect("a source file"))
        })
        .collect()
}

/// The code lines, without comments: documentation may show what code must not do.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.starts_with("//"))
}

/// Every `crate::room` that a file names, whether imported or in place.
fn rooms_named(text: &str) -> Vec<String> {
    let mut rooms = Vec::new();
    for line in code(text) {
        for (at, _) in line.match_indices("crate::") {
            let rest = &line[at + "crate::".len()..];
            if let Some(group) = rest.strip_prefix('{') {
                let group = group.split("};").next().unwrap_or(group);
                rooms.extend(group.split(',').map(|part| word(part.trim())));
            } else {
                rooms.push(word(rest));
            }
        }
    }
    rooms
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

#[test]
fn imports_go_one_way_through_the_house() {
    let mut checked = 0;
    for (file, text) in files() {
        let room = file.split(['/', '.']).next().unwrap_or_default().to_owned();
        let Some(own) = floor(&room) else { continue };
        for named in rooms_named(&text) {
            let Some(other) = floor(&named) else { continue };
            checked += 1;
            assert!(named == room || other > own, "src/{file} names crate::{named}, which is not below it");
        }
    }
    assert!(checked > 50, "the test has found the imports: {checked}");
}

#[test]
fn each_room_stands_on_a_floor() {
    for (file, _) in files() {
        let room = file.split(['/', '.']).next().unwrap_or_default();
        assert!(
            floor(room).is_some() || ["cli", "main", "lib"].contains(&room),
            "src/{file} is in no room of the house"
        );
    }
}

#[test]
fn each_heavy_dependency_is_named_in_one_room() {
    for (file, text) in files() {
        for (krate, rooms) in OWNERS {
            if file.contains("tests") || rooms.iter().any(|room| file.starts_with(room)) {
                continue;
            }
            for line in code(&text) {
                let names = line.match_indices(&format!("{krate}::")).any(|(at, _)| {
                    // `crate::table::csv::…` and `my_csv::…` are something else.
                    !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':')
                });
                assert!(!names, "src/{file} names {krate}: {line}");
            }
        }
    }
}

#[test]
fn the_program_begins_with_the_story_and_nothing_else() {
    let main = fs::read_to_string(source().join("main.rs")).expect("main.rs");
    assert!(main.lines().count() <= 60);
}

/// Licences that what is shipped may have; and those that only tests may have.
const LICENCES: [&str; 9] = [
    "MIT",
    "Apache-2.0",
    "ISC",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "Zlib",
    "Unlicense",
    "Unicode-3.0",
    // Mozilla's list of certificate authorities, as data.
    "CDLA-Permissive-2.0",
];
const LICENCES_OF_TESTS: [&str; 1] = ["MPL-2.0"];

/// Whether one may choose, of what the expression offers, only what is allowed.
fn is_allowed(expression: &str, allowed: &[&str]) -> bool {
    let all = |part: &str| part.split(" AND ").all(|one| allowed.contains(&one.trim_matches(['(', ')', ' '])));
    match expression.strip_prefix('(').and_then(|rest| rest.split_once(") AND ")) {
        Some((first, second)) => is_allowed(first, allowed) && is_allowed(second, allowed),
        None => expression.replace('/', " OR ").split(" OR ").any(all),
    }
}

#[test]
fn licences_are_read_as_they_are_meant() {
    for (expression, allowed) in [
        ("MIT OR GPL-3.0", true),
        ("MIT/Apache-2.0", true),
        ("(MIT OR GPL-3.0) AND ISC", true),
        ("(MIT OR ISC) AND GPL-3.0", false),
        ("MIT AND GPL-3.0", false),
        ("GPL-3.0", false),
        ("", false),
    ] {
        assert_eq!(is_allowed(expression, &LICENCES), allowed, "{expression}");
    }
}

#[test]
fn what_is_built_on_has_a_licence_that_may_be_passed_on() {
    let cargo = |arguments: &[&str]| {
        let output = std::process::Command::new(env!("CARGO"))
            .args(arguments)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("cargo, which runs this");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let version = cargo(&["-vV"]);
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).expect("a host");
    let metadata = cargo(&["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", host]);
    let metadata: serde_json::Value = serde_json::from_str(&metadata).expect("JSON");
    let nodes = metadata["resolve"]["nodes"].as_array().expect("nodes");
    let mut shipped = vec![metadata["resolve"]["root"].as_str().expect("a root")];
    let mut next = 0;
    while let Some(id) = shipped.get(next) {
        let node = nodes.iter().find(|node| node["id"] == *id).expect("a node");
        for dependency in node["deps"].as_array().expect("dependencies") {
            let is_used = dependency["dep_kinds"].as_array().expect("kinds").iter().any(|kind| kind["kind"] != "dev");
            let id = dependency["pkg"].as_str().expect("a name");
            if is_used && !shipped.contains(&id) {
                shipped.push(id);
            }
        }
        next += 1;
    }
    assert!(shipped.len() > 50, "the tree was found: {}", shipped.len());
    let all: Vec<&str> = LICENCES.into_iter().chain(LICENCES_OF_TESTS).collect();
    for package in metadata["packages"].as_array().expect("packages") {
        let licence = package["license"].as_str().unwrap_or_default();
        let is_shipped = shipped.iter().any(|id| package["id"] == *id);
        let allowed = if is_shipped { &LICENCES[..] } else { &all };
        assert!(is_allowed(licence, allowed), "{}: {licence}", package["name"]);
    }
}

#[test]
fn every_package_comes_from_the_registry_and_has_its_checksum() {
    let lock = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock")).expect("a lock file");
    let packages: Vec<&str> = lock.split("[[package]]").skip(1).collect();
    assert!(packages.len() > 100);
    let is_ours =
        |package: &&str| ["raudal", "raudal-pool"].iter().any(|name| package.contains(&format!("name = \"{name}\"")));
    for package in packages.into_iter().filter(|package| !is_ours(package)) {
        assert!(package.contains("source = \"registry+https://github.com/rust-lang/crates.io-index\""), "{package}");
        assert!(package.contains("checksum = "), "{package}");
        for unwanted in ["openssl-sys", "native-tls", "aws-lc-sys"] {
            assert!(!package.contains(&format!("name = \"{unwanted}\"")), "TLS is rustls on ring alone: {package}");
        }
    }
}

/// Waits, rates and time-outs go by a clock that never jumps. The wall clock says what the date is, where a date has to be
/// compared or written, and what it says is bounded.
#[test]
fn a_wall_clock_that_jumps_moves_no_wait() {
    const DATES: [&str; 3] = ["origin/fault/apply.rs", "fetch/attempt.rs", "fetch/cache/store.rs"];
    let mut found = 0;
    let pool = files_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/raudal-pool/src"));
    assert!(pool.len() > 20, "the test has found the pool");
    for (file, text) in files().into_iter().chain(pool) {
        let reads = code(&text).filter(|line| line.contains("SystemTime::now")).count();
        found += reads;
        assert!(reads == 0 || DATES.contains(&file.as_str()), "{file} reads the wall clock");
    }
    assert!(found >= DATES.len(), "the test has found them: {found}");
}
