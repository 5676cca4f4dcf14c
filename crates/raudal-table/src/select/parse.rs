//! Splits the text of a selection into items.

use super::{Item, What};
use crate::column_names::{quoted, trimmed};
use raudal_common::{Error, Result};

/// Returns the items of a list. An empty text has none.
pub(super) fn items(text: &str) -> Result<Vec<Item>> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    split(text)?.into_iter().map(item).collect()
}

/// Returns the names of a list. Those with a comma stand in double quotes or in backticks.
pub(crate) fn names(text: &str) -> Result<Vec<String>> {
    let name = |pieces: Vec<Piece>| match <[Piece; 1]>::try_from(pieces) {
        Ok([Piece::Quoted(name)]) => Ok(name),
        Ok([Piece::Plain(name)]) => Ok(trimmed(&name).to_owned()),
        Err(pieces) if pieces.is_empty() => Ok(String::new()),
        Err(_) => Err(Error::usage(format!("something stands beside a quoted name: {text}"))
            .hint("as in: id, \"a name, with a comma\"")),
    };
    if text.is_empty() { Ok(Vec::new()) } else { split(text)?.into_iter().map(name).collect() }
}

/// A piece of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    /// A quoted name.
    Quoted(String),
    Plain(String),
}

/// Splits at commas outside of quotes. A quote opens a name where a name may begin: at the start of
/// an item, after `!`, `..` or `as`. Elsewhere it is a character like any other.
fn split(text: &str) -> Result<Vec<Vec<Piece>>> {
    let mut items = Vec::new();
    let (mut item, mut plain) = (Vec::new(), String::new());
    let mut letters = text.chars().peekable();
    while let Some(c) = letters.next() {
        match c {
            ',' => {
                push(&mut item, &mut plain);
                items.push(std::mem::take(&mut item));
            }
            '"' | '`' if begins_name(&item, &plain) => {
                let mut name = String::new();
                loop {
                    match letters.next() {
                        None => {
                            return Err(Error::usage(format!("a quote in the list of names never closes: {c}{name}"))
                                .hint("a name in double quotes or in backticks ends with the same sign"));
                        }
                        Some(end) if end == c && letters.peek() == Some(&c) => {
                            letters.next();
                            name.push(c);
                        }
                        Some(end) if end == c => break,
                        Some(other) => name.push(other),
                    }
                }
                push(&mut item, &mut plain);
                item.push(Piece::Quoted(name));
            }
            c => plain.push(c),
        }
    }
    push(&mut item, &mut plain);
    items.push(item);
    Ok(items)
}

fn push(item: &mut Vec<Piece>, plain: &mut String) {
    if !plain.trim().is_empty() {
        item.push(Piece::Plain(std::mem::take(plain)));
    }
    plain.clear();
}

fn begins_name(item: &[Piece], plain: &str) -> bool {
    let before = plain.trim();
    item.is_empty() && ["", "!"].contains(&before) || before.ends_with("..") || before_as(plain.trim_end()).is_some()
}

fn item(pieces: Vec<Piece>) -> Result<Item> {
    let text = match &pieces[..] {
        [Piece::Plain(text)] => Some(text.trim().to_owned()),
        _ => None,
    };
    let mut pieces = pieces;
    let mut excluded = false;
    if let Some(Piece::Plain(first)) = pieces.first_mut()
        && let Some(rest) = first.trim_start().strip_prefix('!')
    {
        excluded = true;
        *first = rest.to_owned();
        pieces.retain(|piece| !matches!(piece, Piece::Plain(text) if text.trim().is_empty()));
    }
    let renamed = new_name(&mut pieces)?;
    let what = what(&pieces)?;
    Ok(Item { text, what, excluded, renamed })
}

/// Takes `as NAME` off the end of an item.
fn new_name(pieces: &mut Vec<Piece>) -> Result<Option<String>> {
    match &mut pieces[..] {
        [.., Piece::Plain(text), Piece::Quoted(name)] => {
            let Some(before) = before_as(text.trim_end()) else { return Ok(None) };
            let (before, name) = (before.to_owned(), name.clone());
            if name.is_empty() {
                return Err(Error::usage("a new name is empty: as \"\""));
            }
            pieces.truncate(pieces.len() - 2);
            push(pieces, &mut before.clone());
            Ok(Some(name))
        }
        [.., Piece::Plain(text)] => {
            let Some((before, name)) = around_as(text) else { return Ok(None) };
            let (mut before, name) = (before.to_owned(), name.to_owned());
            pieces.pop();
            push(pieces, &mut before);
            Ok(Some(name))
        }
        _ => Ok(None),
    }
}

/// Returns what stands before a final `as`.
fn before_as(text: &str) -> Option<&str> {
    let before = text.get(..text.len().checked_sub(2)?)?;
    let is_as = text.get(before.len()..)?.eq_ignore_ascii_case("as");
    (is_as && (before.is_empty() || before.ends_with(char::is_whitespace))).then_some(before)
}

/// Returns what stands before and after the last `as` between blanks.
fn around_as(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_end();
    let last = text.rfind(char::is_whitespace)?;
    // A new name has no blanks, unless it is quoted.
    let name = text[last..].trim_start();
    before_as(text[..last].trim_end()).map(|before| (before, name))
}

fn what(pieces: &[Piece]) -> Result<What> {
    let bad = |why: &str| {
        let text: String = pieces
            .iter()
            .map(|piece| match piece {
                Piece::Quoted(name) => quoted(name),
                Piece::Plain(text) => text.clone(),
            })
            .collect();
        Error::usage(format!("{why} in the selection: {}", trimmed(&text)))
            .hint("as in: ENTIDAD..LOC, VPH_*, !NOM_*, POBTOT as people, \"a name, with a comma\"")
    };
    let name = |text: &str| Some(trimmed(text).to_owned()).filter(|text| !text.is_empty());
    match pieces {
        [] => Err(bad("nothing stands between two commas, or around !")),
        [Piece::Quoted(name)] => Ok(What::Name(name.clone())),
        [Piece::Plain(text)] => match text.split_once("..") {
            Some((from, to)) if name(from).is_none() && name(to).is_none() => Err(bad("a range without ends")),
            Some((from, to)) if to.contains("..") || from.contains(['*', '?']) || to.contains(['*', '?']) => {
                Err(bad("a range goes from one column to another"))
            }
            Some((from, to)) => Ok(What::Range(name(from), name(to))),
            None if text.contains(['*', '?']) => Ok(What::Glob(trimmed(text).to_owned())),
            None => Ok(What::Name(trimmed(text).to_owned())),
        },
        [Piece::Quoted(from), Piece::Plain(dots)] if dots.trim() == ".." => Ok(What::Range(Some(from.clone()), None)),
        [Piece::Plain(dots), Piece::Quoted(to)] if dots.trim() == ".." => Ok(What::Range(None, Some(to.clone()))),
        [Piece::Quoted(from), Piece::Plain(dots), Piece::Quoted(to)] if dots.trim() == ".." => {
            Ok(What::Range(Some(from.clone()), Some(to.clone())))
        }
        [Piece::Quoted(from), Piece::Plain(rest)] if rest.trim_start().starts_with("..") => {
            Ok(What::Range(Some(from.clone()), name(&rest.trim_start()[2..])))
        }
        [Piece::Plain(rest), Piece::Quoted(to)] if rest.trim_end().ends_with("..") => {
            Ok(What::Range(name(rest.trim_end().trim_end_matches("..")), Some(to.clone())))
        }
        _ => Err(bad("something stands beside a quoted name")),
    }
}
