//! Column names: finds them in a header, suggests the nearest ones, and compares headers.

use std::collections::{HashMap, HashSet};

use super::column_names::{Names, quoted, trimmed};
use super::tally::counted;
use raudal_common::error::printable;
use raudal_common::{Error, Kind, Result};

/// Finds a column by its name. A column of exactly this name comes first, then the columns whose
/// names are the same. Two of them are an error.
pub(super) fn find(header: &[String], name: &str, names: Names) -> Result<usize> {
    match places(header, name, names)[..] {
        [at] => Ok(at),
        [] => Err(missing(header, name)),
        [first, second, ..] => {
            let error = Error::new(
                Kind::Column,
                format!(
                    "the header has this name more than once, as columns {} and {}: {}",
                    first + 1,
                    second + 1,
                    quoted(name)
                ),
            );
            Err(if header[first] == header[second] {
                error.hint("give all columns names of their own with [`columns`]")
            } else {
                error.hint(format!("they are {} and {}", quoted(&header[first]), quoted(&header[second])))
            })
        }
    }
}

/// Returns the columns of this name: those that are exactly called so, or else those whose names
/// are the same.
pub(super) fn places(header: &[String], name: &str, names: Names) -> Vec<usize> {
    let all = |same: &dyn Fn(&str) -> bool| -> Vec<usize> {
        header.iter().enumerate().filter(|(_, have)| same(have)).map(|(at, _)| at).collect()
    };
    let exact = all(&|have| have == name);
    if !exact.is_empty() {
        return exact;
    }
    let key = names.key(name);
    all(&|have| names.key(have) == key)
}

/// Returns the error for a name that no column has.
pub(super) fn missing(header: &[String], name: &str) -> Error {
    let names: Vec<&str> = header.iter().map(String::as_str).collect();
    let error = Error::new(Kind::Column, format!("no such column: {}", quoted(name)));
    let near: Vec<_> = nearest(name, &names).into_iter().map(quoted).collect();
    if near.is_empty() {
        error.hint(format!("the header has {}", quoted_list(header.iter().map(String::as_str), 8)))
    } else {
        error.hint(format!("did you mean {}?", near.join(" or ")))
    }
}

/// Warns of names with blanks around them.
pub(super) fn padded(header: &[String]) -> Option<String> {
    let padded: Vec<&str> = header.iter().map(String::as_str).filter(|name| trimmed(name) != *name).collect();
    let first = padded.first()?;
    Some(match padded.len() {
        1 => format!("a name in the header has blanks around it, which do not count: {}", quoted(first)),
        n => format!(
            "{n} names in the header have blanks around them, which do not count: {}",
            quoted_list(padded.into_iter(), 5)
        ),
    })
}

/// Returns the hint for a word that is none of these: those that are near, or all of them.
pub(super) fn suggestion(word: &str, words: &[&str]) -> String {
    let near = nearest(word, words);
    if near.is_empty() {
        format!("one of {}", words.join(", "))
    } else {
        format!("did you mean {}?", near.join(" or "))
    }
}

/// Returns up to three candidates similar to the name. A match that ignores case comes first.
pub(super) fn nearest<'a>(name: &str, candidates: &[&'a str]) -> Vec<&'a str> {
    // A name this long is not a typo, and a comparison costs the product of the lengths.
    if name.len() > 256 {
        return Vec::new();
    }
    let wanted = name.trim().to_lowercase();
    let mut scored: Vec<(f64, &str)> = candidates
        .iter()
        .filter(|candidate| !candidate.is_empty() && candidate.len() <= 256)
        .map(|candidate| (likeness(&wanted, &candidate.trim().to_lowercase()), *candidate))
        .filter(|(score, _)| *score >= 0.8)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    scored.dedup_by_key(|(_, name)| *name);
    let exact = scored.first().is_some_and(|(score, _)| *score > 0.999);
    scored.into_iter().take(if exact { 1 } else { 3 }).map(|(_, name)| name).collect()
}

/// Returns the similarity, from 0 to 1. A single typo counts as near in short names too, where
/// Jaro's measure penalises two swapped letters heavily.
fn likeness(wanted: &str, name: &str) -> f64 {
    let slip = wanted.chars().count() > 2 && strsim::damerau_levenshtein(wanted, name) == 1;
    strsim::jaro_winkler(wanted, name).max(if slip { 0.9 } else { 0.0 })
}

/// Returns the position in `header` of each column of `reference`.
///
/// Returns `None` when the order is the same and nothing has to move.
pub(super) fn align(reference: &[String], header: &[String], names: Names) -> Result<Option<Vec<usize>>> {
    if reference == header {
        return Ok(None);
    }
    let [wanted, have] =
        [reference, header].map(|header| header.iter().map(|name| names.key(name)).collect::<Vec<_>>());
    if wanted == have {
        return Ok(None);
    }
    let mut places: HashMap<&str, usize> = HashMap::with_capacity(have.len());
    let mut twice = None;
    for (at, name) in have.iter().enumerate() {
        if places.insert(name, at).is_some() {
            twice = Some(&header[at]);
        }
    }
    let without = |keys: &[String], header: &[String], known: &dyn Fn(&str) -> bool| -> Vec<String> {
        keys.iter().zip(header).filter(|(key, _)| !known(key)).map(|(_, name)| name.clone()).collect()
    };
    let missing = without(&wanted, reference, &|key| places.contains_key(key));
    let known: HashSet<&str> = wanted.iter().map(String::as_str).collect();
    let extra = without(&have, header, &|key| known.contains(key));
    let mut differences = Vec::new();
    if !missing.is_empty() {
        differences.push(format!("without {}", quoted_list(missing.iter().map(String::as_str), 5)));
    }
    if !extra.is_empty() {
        differences.push(format!("with extra {}", quoted_list(extra.iter().map(String::as_str), 5)));
    }
    if differences.is_empty()
        && let Some(name) = twice
    {
        differences.push(format!("in another order, with {} more than once", quoted(name)));
    }
    if differences.is_empty() && header.len() != reference.len() {
        differences.push(format!("{} instead of {}", counted(header.len() as u64, "column"), reference.len()));
    }
    if differences.is_empty() {
        return Ok(Some(wanted.iter().filter_map(|key| places.get(key.as_str()).copied()).collect()));
    }
    Err(Error::new(Kind::Headers, format!("its columns differ: {}", differences.join(", "))))
}

/// Refuses a header whose columns have other places than in the first one, where the columns get new names by their
/// place. What differs by case or accents is the same.
pub(super) fn refuse_moved(reference: &[String], header: &[String]) -> Result<()> {
    let names = Names { fold: true };
    let keys = |header: &[String]| header.iter().map(|name| names.key(name)).collect::<Vec<_>>();
    let (wanted, have) = (keys(reference), keys(header));
    let once = |keys: &[String], key: &String| keys.iter().filter(|other| *other == key).count() == 1;
    let place = |key: &String| have.iter().position(|other| other == key);
    let moved = wanted.iter().enumerate().find_map(|(at, key)| {
        let to = place(key).filter(|to| *to != at && once(&wanted, key) && once(&have, key))?;
        Some((at, to))
    });
    let Some((at, to)) = moved else { return Ok(()) };
    Err(Error::new(
        Kind::Headers,
        format!("its columns are in another order: {} is column {}, not {}", quoted(&header[to]), to + 1, at + 1),
    )
    .hint("[`columns`] names them by their place; [`select`] renames them by name, as in: POBTOT as people"))
}

/// Says, for columns that differ, which settings read them as one table.
pub(super) fn cure(reference: &[String], header: &[String], names: Names) -> &'static str {
    let fold = Names { fold: true };
    if !names.fold && align(reference, header, fold).is_ok() {
        return "the names differ by case or accents alone: [`fold_names`] takes them for the same";
    }
    "[`columns_mode`] union takes the columns of all inputs, intersection those that all have"
}

/// Formats the first names of a list, and how many more there are.
pub(super) fn list<'a>(names: impl Iterator<Item = &'a str>, most: usize) -> String {
    listed(names, most, shown)
}

/// Formats the first names of columns, and how many more there are.
pub(super) fn quoted_list<'a>(names: impl Iterator<Item = &'a str>, most: usize) -> String {
    listed(names, most, quoted)
}

fn listed<'a>(names: impl Iterator<Item = &'a str>, most: usize, format: fn(&str) -> String) -> String {
    let names: Vec<&str> = names.collect();
    let first: Vec<String> = names.iter().take(most).copied().map(format).collect();
    match names.len().saturating_sub(most) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

/// Formats a name for printing: escapes control characters, shows an empty name, cuts a long one.
pub(super) fn shown(name: &str) -> String {
    match name.char_indices().nth(100) {
        _ if name.is_empty() => "\"\"".to_owned(),
        None => printable(name),
        Some((at, _)) => format!("{}…", printable(&name[..at])),
    }
}
