//! The columns to keep: names, globs, ranges, exclusions, new names.
//!
//! `parse` splits the text into items; this file finds them in a header.

mod parse;

pub(super) use parse::names;

use std::fmt;

use super::column_names::{Names, quoted, trimmed};
use super::columns::{find, missing, places, quoted_list};
use raudal_common::{Error, Kind, Result};

/// The columns to keep, and their order.
///
/// A list of items with commas between them:
///
/// | item | what it selects |
/// |---|---|
/// | `POBTOT` | the column of this name |
/// | `"Población, total"` | the same, in double quotes or in backticks: a name of any characters |
/// | `VPH_*` | the columns that fit the glob, in the order of the header: `*` is any text, `?` one character |
/// | `ENTIDAD..LOC` | the columns from one to the other; `..LOC` from the first, `MUN..` to the last |
/// | `!NOM_*` | leaves out columns: a name, a glob or a range |
/// | `POBTOT as people` | the column under a new name |
///
/// If the first item leaves columns out, it starts from all of them. A column is taken once, where
/// an item first names it. A column whose name is just like an item is that column, whatever the
/// item means otherwise.
///
/// ```
/// use raudal_table::Select;
///
/// assert!(Select::parse("ENTIDAD..LOC, !NOM_*, POBTOT as people").is_ok());
/// assert!(Select::default().is_all());
/// let error = Select::parse("a, a").unwrap_err();
/// assert_eq!(error.to_string(), "a column is selected twice: \"a\"");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Select {
    items: Vec<Item>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Item {
    /// The item as written, which may be the name of a column. `None` if it is quoted.
    text: Option<String>,
    what: What,
    excluded: bool,
    /// The new name.
    renamed: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum What {
    Name(String),
    Glob(String),
    Range(Option<String>, Option<String>),
}

impl Select {
    /// Parses a list of items. An empty list selects all columns.
    ///
    /// # Errors
    ///
    /// A usage error for a quote that never closes, an empty item, a name that is selected twice, or
    /// a glob or a range with a new name.
    pub fn parse(text: &str) -> Result<Self> {
        let select = Self { items: parse::items(text)? };
        select.check()?;
        Ok(select)
    }

    /// Selects columns of exactly these names, whatever characters they have.
    ///
    /// ```
    /// use raudal_table::Select;
    /// assert_eq!(Select::names(["a", "b"]), Select::parse("`a`, `b`")?);
    /// # Ok::<(), raudal_common::Error>(())
    /// ```
    pub fn names<N: Into<String>>(names: impl IntoIterator<Item = N>) -> Self {
        let item = |name: N| Item { text: None, what: What::Name(name.into()), excluded: false, renamed: None };
        Self { items: names.into_iter().map(item).collect() }
    }

    /// Whether it selects all columns as they are.
    pub fn is_all(&self) -> bool {
        self.items.is_empty()
    }

    /// Checks what needs no header.
    pub(super) fn check(&self) -> Result<()> {
        for (at, item) in self.items.iter().enumerate() {
            let before = &self.items[..at];
            if let What::Name(name) = &item.what
                && before.iter().any(|other| other.excluded == item.excluded && other.what == item.what)
            {
                return Err(Error::usage(format!("a column is selected twice: {}", quoted(name))));
            }
            if let Some(name) = &item.renamed {
                if before.iter().any(|other| other.renamed.as_ref() == Some(name)) {
                    return Err(Error::usage(format!("two columns have the same new name: {}", quoted(name))));
                }
                if item.excluded || !matches!(item.what, What::Name(_)) {
                    return Err(Error::usage(format!("only a column can have a new name: as {}", quoted(name)))
                        .hint("write the name of one column before as"));
                }
            }
        }
        Ok(())
    }

    /// Finds the columns in a header. If `lenient`, a column that is not there has empty cells.
    pub(super) fn bind(&self, header: &[String], names: Names, lenient: bool) -> Result<Chosen> {
        let mut binding = Binding { header, names, lenient, chosen: Vec::new(), missing: Vec::new() };
        if self.items.first().is_some_and(|item| item.excluded && !binding.is_name(item)) {
            binding.chosen = (0..header.len()).map(|at| (Some(at), None)).collect();
        }
        for item in &self.items {
            binding.item(item)?;
        }
        binding.chosen()
    }
}

impl From<Vec<String>> for Select {
    /// Selects columns of exactly these names.
    fn from(names: Vec<String>) -> Self {
        Self::names(names)
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.text, &self.what) {
            (Some(text), _) | (None, What::Name(text) | What::Glob(text)) => f.write_str(text),
            (None, What::Range(from, to)) => {
                write!(f, "{}..{}", from.as_deref().unwrap_or_default(), to.as_deref().unwrap_or_default())
            }
        }
    }
}

/// The columns that were found in a header.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chosen {
    /// The place of each column in the header, and its name in the output. A column that the header
    /// does not have has no place.
    pub(super) columns: Vec<(Option<usize>, String)>,
    /// The items that the header does not have.
    pub(super) missing: Vec<String>,
}

struct Binding<'a> {
    header: &'a [String],
    names: Names,
    lenient: bool,
    /// Places and new names.
    chosen: Vec<(Option<usize>, Option<String>)>,
    missing: Vec<String>,
}

impl Binding<'_> {
    /// Whether the header has a column that is called just like the item.
    fn is_name(&self, item: &Item) -> bool {
        item.text.as_deref().is_some_and(|text| !places(self.header, text, self.names).is_empty())
    }

    fn item(&mut self, item: &Item) -> Result<()> {
        let found = match &item.text {
            Some(text) if self.is_name(item) => {
                let at = find(self.header, text, self.names)?;
                return self.take(at, None, text);
            }
            _ => self.found(item)?,
        };
        if found.is_empty() {
            let what = item.to_string();
            if !self.lenient {
                return Err(match &item.what {
                    What::Name(name) => missing(self.header, name),
                    _ => Error::new(Kind::Column, format!("no column fits: {}", quoted(&what)))
                        .hint(format!("the header has {}", quoted_list(self.header.iter().map(String::as_str), 8))),
                });
            }
            self.missing.push(what);
            if let (What::Name(name), false) = (&item.what, item.excluded) {
                self.chosen.push((None, Some(item.renamed.as_ref().unwrap_or(name).clone())));
            }
        }
        if item.excluded {
            self.chosen.retain(|(at, _)| at.is_none_or(|at| !found.contains(&at)));
            return Ok(());
        }
        if let (What::Name(name), [at]) = (&item.what, &found[..]) {
            return self.take(*at, item.renamed.clone(), name);
        }
        for at in found {
            if !self.has(at) {
                self.chosen.push((Some(at), None));
            }
        }
        Ok(())
    }

    fn has(&self, at: usize) -> bool {
        self.chosen.iter().any(|(chosen, _)| *chosen == Some(at))
    }

    /// Takes one column. If it is there already, it only gets its new name.
    fn take(&mut self, at: usize, renamed: Option<String>, name: &str) -> Result<()> {
        match self.chosen.iter_mut().find(|(chosen, _)| *chosen == Some(at)) {
            None => self.chosen.push((Some(at), renamed)),
            Some((_, Some(_))) => {
                return Err(Error::new(Kind::Column, format!("a column is selected twice: {}", quoted(name))));
            }
            Some((_, name)) => *name = renamed,
        }
        Ok(())
    }

    /// The places of the columns that an item means, in the order of the header.
    fn found(&self, item: &Item) -> Result<Vec<usize>> {
        let one = |name: &str| match places(self.header, name, self.names) {
            none if none.is_empty() => Ok(None),
            _ => find(self.header, name, self.names).map(Some),
        };
        match &item.what {
            What::Name(name) => Ok(one(name)?.into_iter().collect()),
            What::Glob(glob) => {
                let glob: Vec<char> = self.names.key(glob).chars().collect();
                let fits = |name: &String| fits(&self.names.key(name).chars().collect::<Vec<_>>(), &glob);
                Ok(self.header.iter().enumerate().filter(|(_, name)| fits(name)).map(|(at, _)| at).collect())
            }
            What::Range(from, to) => {
                let end = |name: &Option<String>, open| match name {
                    None => Ok(Some(open)),
                    Some(name) => match one(name)? {
                        None if !self.lenient => Err(missing(self.header, name)),
                        at => Ok(at),
                    },
                };
                let ends = (end(from, 0)?, end(to, self.header.len().saturating_sub(1))?);
                let (Some(first), Some(last)) = ends else { return Ok(Vec::new()) };
                if first > last {
                    return Err(Error::new(
                        Kind::Column,
                        format!("the range ends before it begins: {}", quoted(&item.to_string())),
                    )
                    .hint(format!(
                        "the header has {} as column {}, and {} as column {}",
                        quoted(&self.header[first]),
                        first + 1,
                        quoted(&self.header[last]),
                        last + 1
                    )));
                }
                Ok((first..=last).collect())
            }
        }
    }

    fn chosen(self) -> Result<Chosen> {
        if self.chosen.is_empty() && self.missing.is_empty() {
            return Err(Error::new(Kind::Column, "no column is left to select"));
        }
        let own = |place: Option<usize>| place.map_or("", |at| &self.header[at]);
        let columns: Vec<(Option<usize>, String)> = self
            .chosen
            .into_iter()
            .map(|(place, renamed)| (place, renamed.unwrap_or_else(|| trimmed(own(place)).to_owned())))
            .collect();
        for (at, (place, name)) in columns.iter().enumerate() {
            // A header may have a name twice; a new name must not be a second one.
            let same = |(other, have): &&(Option<usize>, String)| have == name && own(*other) != own(*place);
            if let Some((other, _)) = columns[..at].iter().find(same) {
                return Err(Error::new(Kind::Column, format!("two columns would have this name: {}", quoted(name)))
                    .hint(format!("they are {} and {}", quoted(own(*other)), quoted(own(*place)))));
            }
        }
        Ok(Chosen { columns, missing: self.missing })
    }
}

/// Matches a name with a glob: `*` is any text, `?` is one character. Works without recursion: on a
/// mismatch, the last `*` takes one more character.
fn fits(name: &[char], glob: &[char]) -> bool {
    let (mut at, mut part, mut retry) = (0, 0, None);
    while at < name.len() {
        match glob.get(part) {
            Some('*') => {
                retry = Some((at, part + 1));
                part += 1;
            }
            Some(c) if *c == '?' || *c == name[at] => {
                at += 1;
                part += 1;
            }
            _ => match retry {
                Some((from, after)) => {
                    retry = Some((from + 1, after));
                    (at, part) = (from + 1, after);
                }
                None => return false,
            },
        }
    }
    glob[part.min(glob.len())..].iter().all(|c| *c == '*')
}
