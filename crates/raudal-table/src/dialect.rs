//! How a table is written: what stands between fields, around them, above and below the rows.

use std::str::FromStr;

use super::columns::shown;
use super::numbers::Numbers;
use raudal_common::{Error, Result};

/// How the text of an input is written. The default is plain CSV with a header.
///
/// ```
/// use raudal_table::{Dialect, Query, read};
///
/// let mut query = Query::new();
/// query.dialect.delimiter = "auto".parse()?;
/// query.dialect.comment = Some("#".into());
/// let rows = read(std::io::Cursor::new("# of 2020\nid;name\n1;Ayala\n"), "x.csv", &query, &())?;
/// assert_eq!(rows.header(), ["id", "name"]);
/// # Ok::<(), raudal_common::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Dialect {
    /// What separates the fields.
    pub delimiter: Delimiter,
    /// What encloses a field that holds delimiters, quotes or line ends.
    pub quote: Quote,
    /// A byte that takes the meaning from the next one, in and outside quotes; none by default. A
    /// doubled quote still stands for one.
    pub escape: Option<u8>,
    /// Lines that begin with this text are no records; none by default.
    pub comment: Option<String>,
    /// Lines to skip at the beginning, blank ones included; of a workbook, rows of the sheet. Default: 0.
    pub skip_rows: u64,
    /// Where the header is.
    pub header: Header,
    /// The names of the columns in place of the header's. Without a header and without these they
    /// are `column_1`, `column_2` and so on.
    pub columns: Vec<String>,
    /// Lines to drop at the end, blank ones included; of a workbook, rows of the sheet. Default: 0.
    pub footer: u64,
    /// Whether to remove the blanks around names and cells, quoted or not. A quote after blanks
    /// opens a field then.
    pub trim: bool,
    /// What to do with a record that has more or fewer fields than the header.
    pub ragged: Ragged,
    /// What to do with a record that repeats the header.
    pub repeated_header: RepeatedHeader,
    /// How numbers are written.
    pub numbers: Numbers,
}

/// What separates the fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Delimiter {
    /// A tab if the name ends in `.tsv` or `.tab` or the server says so, else a comma. A first line
    /// `sep=;` names another.
    #[default]
    ByName,
    /// The one of comma, semicolon, tab and `|` that gives the most records of one length at the
    /// beginning of the text.
    Auto,
    /// This ASCII byte.
    Byte(u8),
}

/// What encloses fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quote {
    /// A double quote. In a table with tabs, where quotes are often letters, a quoted field that
    /// swallows whole rows is an error.
    #[default]
    Usual,
    /// This ASCII byte.
    Byte(u8),
    /// Nothing: a quote is a letter like any other.
    None,
}

/// Where the header is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// On this line, counted from 1 after the skipped lines; of a workbook, in this row. What stands above it is skipped
    /// too.
    Line(u64),
    /// There is none: the first record is a row.
    None,
}

impl Default for Header {
    fn default() -> Self {
        Self::Line(1)
    }
}

/// What to do with a record that has more or fewer fields than the header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ragged {
    /// Refuse the input.
    #[default]
    Refuse,
    /// Fill a short record with empty fields, and drop what a long one has too much. A warning
    /// counts both.
    Pad,
    /// Leave the record out. A warning counts them.
    Skip,
}

/// What to do with a record that repeats the header, as in files that were joined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RepeatedHeader {
    /// Keep it as a row. A warning counts them.
    #[default]
    Warn,
    /// Leave it out. A warning counts them.
    Drop,
}

impl Dialect {
    /// Reads a list of names for [`columns`](Self::columns). Names with a comma stand in double quotes or in backticks.
    ///
    /// # Errors
    ///
    /// A usage error for a quote that never closes, or that does not enclose a whole name.
    ///
    /// ```
    /// let names = raudal_table::Dialect::column_names("id,\"Población, total\"")?;
    /// assert_eq!(names, ["id", "Población, total"]);
    /// # Ok::<(), raudal_common::Error>(())
    /// ```
    pub fn column_names(text: &str) -> Result<Vec<String>> {
        super::select::names(text)
    }

    /// Checks the dialect itself, before anything is read.
    ///
    /// # Errors
    ///
    /// A usage error if one byte has two meanings, or a name is given twice.
    ///
    /// ```
    /// let mut dialect = raudal_table::Dialect::default();
    /// dialect.delimiter = "'".parse()?;
    /// dialect.quote = "'".parse()?;
    /// assert!(dialect.check().is_err());
    /// # Ok::<(), raudal_common::Error>(())
    /// ```
    pub fn check(&self) -> Result<()> {
        self.numbers.check()?;
        let named = match self.delimiter {
            Delimiter::Byte(byte) => Some(("the delimiter", byte)),
            Delimiter::ByName | Delimiter::Auto => None,
        };
        let quote = self.quote.byte().map(|byte| ("the quote", byte));
        let escape = self.escape.map(|byte| ("the escape", byte));
        let comment = self.comment.as_ref().and_then(|text| text.bytes().next()).map(|byte| ("the comment", byte));
        let bytes: Vec<(&str, u8)> = [named, quote, escape, comment].into_iter().flatten().collect();
        for (at, (what, byte)) in bytes.iter().enumerate() {
            if !byte.is_ascii() || matches!(byte, b'\r' | b'\n' | 0) {
                return Err(Error::usage(format!("this byte cannot be {what}: {:?}", char::from(*byte))));
            }
            // Doubling a quote and escaping it may be the same.
            let same = bytes[..at]
                .iter()
                .find(|(other, seen)| seen == byte && !(*other == "the quote" && *what == "the escape"));
            if let Some((other, _)) = same {
                return Err(Error::usage(format!("{other} and {what} are the same: {:?}", char::from(*byte))));
            }
        }
        if self.comment.as_ref().is_some_and(|text| text.is_empty() || text.contains(['\r', '\n'])) {
            return Err(Error::usage("a comment begins with a text of one line"));
        }
        if self.header == Header::Line(0) {
            return Err(Error::usage("lines are counted from 1, and this is no line: 0")
                .hint("[`header`] none is for a table without a header"));
        }
        for (at, name) in self.columns.iter().enumerate() {
            if self.columns[..at].contains(name) {
                return Err(Error::usage(format!("a column is named twice: {}", shown(name))));
            }
        }
        Ok(())
    }

    /// How many lines stand above the header.
    pub(super) fn lines_above(&self) -> u64 {
        match self.header {
            Header::Line(line) => self.skip_rows.saturating_add(line.saturating_sub(1)),
            Header::None => self.skip_rows,
        }
    }

    /// Whether the fast scanner reads its records: quotes are double quotes, and nothing is escaped
    /// or trimmed.
    pub(super) fn is_plain(&self) -> bool {
        self.quote.byte() == Some(b'"') && self.escape.is_none() && !self.trim
    }
}

impl Quote {
    pub(super) fn byte(self) -> Option<u8> {
        match self {
            Self::Usual => Some(b'"'),
            Self::Byte(byte) => Some(byte),
            Self::None => None,
        }
    }
}

/// Reads one ASCII character. `what` names it in the error.
fn one(what: &str, text: &str) -> Result<u8> {
    match text.as_bytes() {
        [byte] if byte.is_ascii() && !matches!(byte, b'\r' | b'\n' | 0) => Ok(*byte),
        _ => Err(Error::usage(format!("{what} is one ASCII character: {}", shown(text)))),
    }
}

impl FromStr for Delimiter {
    type Err = Error;

    /// Reads a character, `tab` or `\t`, or `auto`.
    ///
    /// ```
    /// use raudal_table::Delimiter;
    /// assert_eq!("tab".parse::<Delimiter>()?, Delimiter::Byte(b'\t'));
    /// assert_eq!("auto".parse::<Delimiter>()?, Delimiter::Auto);
    /// assert!("\"".parse::<Delimiter>().is_err());
    /// # Ok::<(), raudal_common::Error>(())
    /// ```
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "auto" => Ok(Self::Auto),
            "tab" | "\\t" => Ok(Self::Byte(b'\t')),
            "\"" => Err(Error::usage("a double quote cannot separate fields")),
            _ => one("a delimiter", text).map(Self::Byte).map_err(|error| error.hint("or `tab`, or `auto`")),
        }
    }
}

impl FromStr for Quote {
    type Err = Error;

    /// Reads a character, or `none`.
    ///
    /// ```
    /// use raudal_table::Quote;
    /// assert_eq!("none".parse::<Quote>()?, Quote::None);
    /// assert_eq!("'".parse::<Quote>()?, Quote::Byte(b'\''));
    /// # Ok::<(), raudal_common::Error>(())
    /// ```
    fn from_str(text: &str) -> Result<Self> {
        match text {
            "none" => Ok(Self::None),
            _ => one("a quote", text).map(Self::Byte).map_err(|error| error.hint("or `none`")),
        }
    }
}

impl FromStr for Header {
    type Err = Error;

    /// Reads the number of a line, or `none`.
    ///
    /// ```
    /// use raudal_table::Header;
    /// assert_eq!("3".parse::<Header>()?, Header::Line(3));
    /// assert_eq!("none".parse::<Header>()?, Header::None);
    /// assert!("0".parse::<Header>().is_err());
    /// # Ok::<(), raudal_common::Error>(())
    /// ```
    fn from_str(text: &str) -> Result<Self> {
        match (text, text.parse::<u64>()) {
            ("none", _) => Ok(Self::None),
            (_, Ok(line @ 1..)) => Ok(Self::Line(line)),
            _ => {
                Err(Error::usage(format!("no line of a header: {}", shown(text)))
                    .hint("a line, counted from 1, or `none`"))
            }
        }
    }
}

/// Formats a delimiter as one writes it in a shell.
pub(super) fn spelled(delimiter: u8) -> String {
    match delimiter {
        b'\t' => "tab".to_owned(),
        b',' | b':' => char::from(delimiter).to_string(),
        b'\'' => "\"'\"".to_owned(),
        other if other.is_ascii_control() => format!("$'\\x{other:02x}'"),
        other => format!("'{}'", char::from(other)),
    }
}
