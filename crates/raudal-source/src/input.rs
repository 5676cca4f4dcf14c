//! One input to fetch.

use super::location::Location;
use super::object::{self, Object};
use raudal_common::error::redact;
use raudal_common::{Error, Result};
use std::path::Path;
use std::sync::Arc;
use url::Url;

/// One input to fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Input {
    /// Where it is.
    pub location: Location,
    /// The name on screen, in reports and in the source column: the name given in a list, else the
    /// file name. It is untrusted: [`printable`](raudal_common::error::printable) makes it safe for
    /// a terminal.
    pub name: String,
    /// The glob that selects the data among an archive's members, if the source knows it.
    pub member: Option<String>,
    /// Its size in bytes, exact or approximate, if the source knows it. The largest inputs start
    /// first.
    pub size: Option<u64>,
    /// Whether a list or a program gave the name, so that it is not from the location.
    pub is_named: bool,
    /// The line of the list that it comes from.
    pub line: Option<Line>,
    /// The glob that it stands for: [`Object::parse_glob`]. Its objects must be listed before they can
    /// be fetched.
    pub glob: Option<String>,
    /// Why the line is not an input.
    refused: Option<LineRefusal>,
}

/// A line of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The name of the list.
    pub list: Arc<str>,
    /// The number of the line, from 1.
    pub number: u64,
}

/// Why a line is not an input. An error cannot be cloned, so these are its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
struct LineRefusal {
    text: String,
    message: String,
    hint: Option<String>,
}

impl Input {
    /// Creates an input with its file name as name.
    ///
    /// ```
    /// use raudal_source::{Input, Location};
    ///
    /// let input = Input::new(Location::parse("https://example.org/data/San%20Luis.zip?v=2")?);
    /// assert_eq!(input.name, "San Luis.zip");
    /// # Ok::<(), raudal_common::Error>(())
    /// ```
    pub fn new(location: Location) -> Self {
        let name = location.file_name();
        Self { name, location, member: None, size: None, is_named: false, line: None, glob: None, refused: None }
    }

    /// Creates an input that fails: a line that is not one.
    pub(super) fn refused(text: &str, error: &Error, line: Line) -> Self {
        let text = redact(text);
        let place = text.split('\t').map(str::trim).find(|part| !part.is_empty()).unwrap_or_default();
        let location = Location::File(place.into());
        let (message, hint) = (error.report(), error.hint_text().map(str::to_owned));
        Self { refused: Some(LineRefusal { text, message, hint }), line: Some(line), ..Self::new(location) }
    }

    /// Creates an input that stands for the objects of a glob.
    pub(super) fn of_glob(glob: &str) -> Result<Self> {
        object::check_built(glob)?;
        let folder = Object::parse_glob(glob)?;
        let end = folder.prefix().rfind('/').map_or(0, |end| end + 1);
        let folder = Object::new(folder.service, &folder.bucket, &folder.key[..end])?;
        let input = Self { glob: Some(glob.to_owned()), ..Self::new(Location::Url(folder.url()?)) };
        Ok(Self { name: glob.to_owned(), ..input })
    }

    /// Returns the input with the line that it comes from.
    pub(super) fn at_line(mut self, line: Line) -> Self {
        self.line = Some(line);
        self
    }

    /// Returns why it cannot be fetched, if it is a line of a list that is not an input.
    pub fn refusal(&self) -> Option<Error> {
        let refused = self.refused.as_ref()?;
        let error = self.place(Error::usage(&refused.message));
        Some(match &refused.hint {
            Some(hint) => error.hint(hint),
            None => error,
        })
    }

    /// Adds to an error where the input was given: the line of its list, else its location.
    #[must_use]
    pub fn place(&self, error: Error) -> Error {
        match &self.line {
            Some(line) => error.input(&line.list).line(line.number),
            None => error.input(self.location.to_string()),
        }
    }

    /// Returns the input with another name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self.is_named = true;
        self
    }

    /// Returns the input with a glob for its member.
    #[must_use]
    pub fn with_member(mut self, glob: impl Into<String>) -> Self {
        self.member = Some(glob.into());
        self
    }

    /// Formats the input as a line that [`read_list`](super::read_list) reads back, without a line
    /// end.
    ///
    /// A line that is not an input is returned as it was. Credentials and the glob are not written. A path that a list would misread (it begins with
    /// `#`, or contains a tab) becomes a `file://` URL.
    pub fn to_line(&self) -> String {
        if let Some(refused) = &self.refused {
            return refused.text.clone();
        }
        let place = match &self.location {
            Location::File(path) if is_misread(path) => std::path::absolute(path)
                .ok()
                .and_then(|path| Url::from_file_path(path).ok())
                .map_or_else(|| self.location.to_string(), String::from),
            Location::Stdin => "-".to_owned(),
            other => other.to_string(),
        };
        if !self.is_named {
            return place;
        }
        let name: String = self.name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        match name.trim() {
            "" => place,
            name => format!("{place}\t{name}"),
        }
    }
}

/// Returns whether a list would misread a line with this path.
fn is_misread(path: &Path) -> bool {
    let Some(text) = path.to_str() else { return true };
    text.starts_with('#')
        || text == "-"
        || text.trim() != text
        || text.contains("://")
        || text.contains(char::is_control)
}
