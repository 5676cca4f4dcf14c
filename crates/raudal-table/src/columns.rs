//! Column names: finds them in a header, suggests the nearest ones, and compares headers.

use std::collections::{HashMap, HashSet};

use raudal_common::error::printable;
use raudal_common::{Error, Kind, Result};

/// Finds a column by its exact name. A name that occurs twice is an error.
pub(super) fn find(header: &[String], name: &str) -> Result<usize> {
    let mut places = header.iter().enumerate().filter(|(_, have)| *have == name).map(|(at, _)| at);
    match (places.next(), places.next()) {
        (Some(at), None) => Ok(at),
        (Some(first), Some(second)) => Err(Error::new(
            Kind::Column,
            format!(
                "the header has this name more than once, as columns {} and {}: {}",
                first + 1,
                second + 1,
                shown(name)
            ),
        )),
        (None, _) => {
            let names: Vec<&str> = header.iter().map(String::as_str).collect();
            let error = Error::new(Kind::Column, format!("no such column: {}", shown(name)));
            let near: Vec<_> = nearest(name, &names).into_iter().map(shown).collect();
            Err(if near.is_empty() {
                error.hint(format!("the header has {}", list(header.iter().map(String::as_str), 8)))
            } else {
                error.hint(format!("did you mean {}?", near.join(" or ")))
            })
        }
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
pub(super) fn align(reference: &[String], header: &[String]) -> Result<Option<Vec<usize>>> {
    if reference == header {
        return Ok(None);
    }
    let mut places: HashMap<&str, usize> = HashMap::with_capacity(header.len());
    let mut twice = None;
    for (at, name) in header.iter().enumerate() {
        if places.insert(name, at).is_some() {
            twice = Some(name);
        }
    }
    let missing: Vec<&str> = reference.iter().map(String::as_str).filter(|name| !places.contains_key(name)).collect();
    let known: HashSet<&str> = reference.iter().map(String::as_str).collect();
    let extra: Vec<&str> = header.iter().map(String::as_str).filter(|name| !known.contains(name)).collect();
    let mut differences = Vec::new();
    if !missing.is_empty() {
        differences.push(format!("without {}", list(missing.into_iter(), 5)));
    }
    if !extra.is_empty() {
        differences.push(format!("with extra {}", list(extra.into_iter(), 5)));
    }
    if differences.is_empty()
        && let Some(name) = twice
    {
        differences.push(format!("in another order, with {} more than once", shown(name)));
    }
    if differences.is_empty() && header.len() != reference.len() {
        differences.push(format!("{} columns instead of {}", header.len(), reference.len()));
    }
    if differences.is_empty() {
        return Ok(Some(reference.iter().filter_map(|name| places.get(name.as_str()).copied()).collect()));
    }
    Err(Error::new(Kind::Headers, format!("its columns differ: {}", differences.join(", "))))
}

/// Formats the first names of a list, and how many more there are.
pub(super) fn list<'a>(names: impl Iterator<Item = &'a str>, most: usize) -> String {
    let names: Vec<&str> = names.collect();
    let first: Vec<String> = names.iter().take(most).copied().map(shown).collect();
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
