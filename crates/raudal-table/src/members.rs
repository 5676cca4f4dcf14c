//! Selects the members of an archive that are read, by their names. All kinds of archives share it.
//!
//! `inner.zip!/**/*.csv` names members of an archive within the archive, one level at a time.

use super::names::Name;
use super::signature;
use raudal_common::error::printable;
use raudal_common::{Error, Kind, Result};

/// What stands between the name of an inner archive and the names in it.
pub(super) const WITHIN: &str = "!/";

/// Endings of tables, plain or compressed.
const TABLES: &[&str] = &[".csv", ".tsv", ".tab"];
/// Endings of what holds tables. They are taken only where no table lies beside them.
const HOLDERS: &[&[&str]] = &[&[".xlsx"], &[".zip", ".tar"]];

/// Endings of what is no table: documents, pictures, code.
const OTHERS: &[&str] = &[
    ".pdf", ".doc", ".docx", ".odt", ".rtf", ".ppt", ".pptx", ".md", ".htm", ".html", ".xml", ".xsd", ".json", ".jpg",
    ".jpeg", ".png", ".gif", ".svg", ".tif", ".tiff", ".sql", ".r", ".py", ".do", ".sas", ".sps", ".exe", ".url",
    ".lnk",
];

/// A member, as far as its choice goes.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) name: Name,
    /// Whether it is a file; a folder, a link or a device is not.
    pub(super) is_file: bool,
}

/// What was selected.
#[derive(Debug)]
pub(super) struct Chosen {
    /// Positions in the list of members, in its order.
    pub(super) places: Vec<usize>,
    /// The glob for the members of the members, if the glob names them.
    pub(super) within: Option<String>,
}

/// Selects the members to read: those that match the glob, or else the only CSV, or else the only
/// workbook or archive, or else the only file that may be a table.
pub(super) fn choose(members: &[Member], glob: Option<&str>) -> Result<Chosen> {
    let files = files(members);
    if let Some(glob) = glob {
        let (glob, within) = split(members, &files, glob);
        let places = matching(members, &files, &glob);
        if places.is_empty() {
            return Err(none_matches(members, &files, &glob));
        }
        return Ok(Chosen { places, within });
    }
    let those = |endings: &[&str]| ending_so(members, &files, endings);
    let tables = those(TABLES);
    if tables.is_empty() {
        // The only one of its kind, however many others lie beside it.
        if let Some(places) = HOLDERS.iter().map(|endings| those(endings)).find(|places| places.len() == 1) {
            return Ok(Chosen { places, within: None });
        }
    }
    let mut maybe = files.clone();
    maybe.retain(|at| {
        members.get(*at).is_some_and(|member| !member.name.ends_with(OTHERS, false) && !is_readme(member))
    });
    match (tables.as_slice(), if maybe.len() == 1 { maybe.as_slice() } else { files.as_slice() }) {
        ([one], _) | ([], [one]) => Ok(Chosen { places: vec![*one], within: None }),
        ([], []) => Err(Error::new(Kind::Member, "the archive holds no files")),
        ([], files) => {
            let error = Error::new(Kind::Member, format!("no CSV among the members: {}", names(members, files)));
            Err(error.hint(
                "choose the member with [`member`], a glob; those of an archive within it as in [`member`] 'inner.zip!/**/*.csv'",
            ))
        }
        _ => Err(Error::new(
            Kind::Member,
            format!("{} CSV members where one is expected: {}", tables.len(), names(members, &tables)),
        )
        .hint(choice(members, &tables))),
    }
}

/// Returns how one of several members is chosen, and how all of them.
fn choice(members: &[Member], tables: &[usize]) -> String {
    let first = tables.first().and_then(|&at| members.get(at)).map(|member| &member.name.text);
    // In a glob these are signs; in a shell a quote ends the word.
    match first.filter(|name| !name.contains(['*', '?', '[', ']', '{', '}', '\\', '\'']) && printable(name) == **name) {
        Some(name) => format!(
            "choose one, as in [`member`] '{name}', or several of the same columns, as in [`member`] '**/*.csv'"
        ),
        None => "choose one with a glob, as in [`member`] '**/data/*.csv'".to_owned(),
    }
}

/// Returns the members that may be meant where one must be named: tables, else what holds some, else all files.
pub(super) fn candidates(members: &[Member]) -> Vec<usize> {
    let files = files(members);
    let kinds = std::iter::once(TABLES).chain(HOLDERS.iter().copied());
    let found = kinds.map(|endings| ending_so(members, &files, endings)).find(|places| !places.is_empty());
    found.unwrap_or(files)
}

/// Returns the members that may be data.
fn files(members: &[Member]) -> Vec<usize> {
    let is_data = |at: &usize| members.get(*at).is_some_and(|member| member.is_file && !member.name.is_hidden());
    (0..members.len()).filter(is_data).collect()
}

fn ending_so(members: &[Member], files: &[usize], endings: &[&str]) -> Vec<usize> {
    let ends = |at: &usize| members.get(*at).is_some_and(|member| member.name.ends_with(endings, true));
    files.iter().copied().filter(ends).collect()
}

/// Whether the name says that the member explains the others.
fn is_readme(member: &Member) -> bool {
    let name = signature::file_name(&member.name.text);
    ["readme", "license", "licence", "leeme", "léeme", "leame"].iter().any(|start| name.starts_with(start))
}

/// Selects every member but the hidden ones, or those that match the glob, hidden ones too. Folders only without a glob.
pub(super) fn every(members: &[Member], glob: Option<&str>) -> Result<Vec<usize>> {
    let all: Vec<usize> = (0..members.len()).collect();
    let Some(glob) = glob.map(str::to_lowercase) else {
        if all.is_empty() {
            return Err(Error::new(Kind::Member, "the archive has no members"));
        }
        return Ok(all
            .into_iter()
            .filter(|&at| members.get(at).is_some_and(|member| !member.name.is_hidden()))
            .collect());
    };
    let is_file = |at: &usize| members.get(*at).is_some_and(|member| !member.name.is_folder());
    let files: Vec<usize> = all.iter().copied().filter(is_file).collect();
    let places = matching(members, &files, &glob);
    if places.is_empty() { Err(none_matches(members, &all, &glob)) } else { Ok(places) }
}

/// Splits a glob into that of this archive and that of the archives in it. A name that has the
/// separator in it wins.
fn split(members: &[Member], files: &[usize], glob: &str) -> (String, Option<String>) {
    let glob = glob.to_lowercase();
    match glob.split_once(WITHIN) {
        Some((here, within)) if matching(members, files, &glob).is_empty() => {
            (here.to_owned(), Some(within.to_owned()))
        }
        _ => (glob, None),
    }
}

fn matching(members: &[Member], files: &[usize], glob: &str) -> Vec<usize> {
    let is_meant = |at: &usize| members.get(*at).is_some_and(|member| member.name.matches(glob));
    files.iter().copied().filter(is_meant).collect()
}

fn none_matches(members: &[Member], files: &[usize], glob: &str) -> Error {
    let error = Error::new(Kind::Member, format!("no member matches {glob}: {}", names(members, files)));
    let anywhere = format!("**/{glob}");
    if !matching(members, files, &anywhere).is_empty() {
        return error.hint(format!("a glob is compared with the whole path: [`member`] '{anywhere}'"));
    }
    let holders: Vec<usize> = HOLDERS.iter().flat_map(|endings| ending_so(members, files, endings)).collect();
    let inner =
        holders.iter().filter_map(|&at| members.get(at)).find(|member| member.name.ends_with(&[".zip", ".tar"], true));
    match inner {
        Some(member) if !member.name.text.contains(['*', '?', '[', ']', '{', '}', '\\', '\'']) => error.hint(format!(
            "members of an archive within it are named after it, as in [`member`] '{}{WITHIN}**/*.csv'",
            printable(&member.name.text)
        )),
        _ => error,
    }
}

/// The first names of a list, each with both readings if it has two.
fn names(members: &[Member], places: &[usize]) -> String {
    let shown: Vec<String> = places.iter().take(10).filter_map(|&at| Some(members.get(at)?.name.shown())).collect();
    let rest = places.len().saturating_sub(10);
    let first = shown.join(", ");
    if rest == 0 { first } else { format!("{first} and {rest} more") }
}

/// Returns the globs of each level, to be checked one by one.
pub(super) fn levels(glob: &str) -> impl Iterator<Item = &str> {
    glob.split(WITHIN)
}
