//! The one error type of raudal: small, opaque, with an open [`Kind`], predicates and coordinates.
//!
//! An error says *what* went wrong (its message, lower case, the value last), *where* (input,
//! member, line, column) and *what to do* (a hint). Its cause is in
//! [`source`](std::error::Error::source), and `Display` does not repeat it. [`Error::report`]
//! writes the whole chain on one line.

pub use crate::kind::{Class, Kind};
use std::error::Error as StdError;
use std::fmt::{self, Write as _};
use std::time::Duration;

/// A result with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of any raudal crate.
///
/// ```
/// use raudal_common::{Error, Kind};
///
/// let error = Error::new(Kind::Csv, "a record has another number of fields than the header: 3")
///     .input("https://user:secret@example.org/a.zip")
///     .member("a.csv")
///     .line(17)
///     .hint("look at the line");
/// assert_eq!(
///     error.to_string(),
///     "https://example.org/a.zip: a.csv: line 17: a record has another number of fields than the header: 3"
/// );
/// assert!(!error.is_transient());
/// ```
pub struct Error(Box<ErrorParts>);

struct ErrorParts {
    kind: Kind,
    message: String,
    input: Option<String>,
    member: Option<String>,
    line: Option<u64>,
    column: Option<String>,
    hint: Option<String>,
    retry_after: Option<Duration>,
    transient: Option<bool>,
    of_machine: bool,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// Creates an error with a message: lower case, no full stop, the value last.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self(Box::new(ErrorParts {
            kind,
            message: message.into(),
            input: None,
            member: None,
            line: None,
            column: None,
            hint: None,
            retry_after: None,
            transient: None,
            of_machine: false,
            source: None,
        }))
    }

    /// Creates a usage error: a bad option, expression or pattern.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// Creates a local I/O error. `what` says what was being done and to which path. A full disk and
    /// one that cannot be written to get a hint, and are [of the machine](Self::of_machine).
    pub fn io(what: impl Into<String>, source: std::io::Error) -> Self {
        use std::io::ErrorKind;
        let hint = match source.kind() {
            ErrorKind::StorageFull => Some("the disk is full"),
            ErrorKind::QuotaExceeded => Some("the quota of the disk is used up"),
            ErrorKind::ReadOnlyFilesystem => Some("the file system is read-only"),
            _ => None,
        };
        let has_too_many = too_many_files(&source);
        let error = Self::new(Kind::Io, what).because(source);
        match hint {
            Some(hint) => error.hint(hint).of_machine(),
            // Others may close theirs, so that a retry or another input succeeds.
            None if has_too_many => error.hint("raise the limit on open files (ulimit -n), or allow fewer jobs"),
            None => error,
        }
    }

    /// Sets the input: a URL or a path. Removes credentials from a URL.
    #[must_use]
    pub fn input(mut self, input: impl AsRef<str>) -> Self {
        self.0.input.get_or_insert_with(|| redact(input.as_ref()));
        self
    }

    /// Sets the member of the archive.
    #[must_use]
    pub fn member(mut self, member: impl Into<String>) -> Self {
        self.0.member.get_or_insert_with(|| member.into());
        self
    }

    /// Sets the line, counted from 1 in the decoded text.
    #[must_use]
    pub fn line(mut self, line: u64) -> Self {
        self.0.line = Some(line);
        self
    }

    /// Sets the column.
    #[must_use]
    pub fn column(mut self, column: impl Into<String>) -> Self {
        self.0.column = Some(column.into());
        self
    }

    /// Sets the hint: what the user can do. Name a setting of the library as a Rust documentation
    /// link, `` [`max_members`] ``, so that a command line can replace it with its option.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Sets the cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Sets how long the server asked to wait (`Retry-After`).
    #[must_use]
    pub fn retry_after(mut self, wait: Option<Duration>) -> Self {
        self.0.retry_after = wait;
        self
    }

    /// Overrides whether a retry may help. A damaged archive from a network may arrive intact the
    /// next time; a damaged local file will not change.
    #[must_use]
    pub fn transient(mut self, transient: bool) -> Self {
        self.0.transient = Some(transient);
        self
    }

    /// Marks the reason as a condition of this machine, which every other input would meet too.
    #[must_use]
    pub fn of_machine(mut self) -> Self {
        self.0.of_machine = true;
        self
    }

    /// Returns whether every other input would fail in the same way: the disk is full or read-only, or
    /// nothing may be written to the folder. A run stops there.
    pub fn is_of_machine(&self) -> bool {
        self.0.of_machine
    }

    /// Returns what went wrong.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Returns the message alone, without coordinates.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Returns the input, without credentials.
    pub fn input_name(&self) -> Option<&str> {
        self.0.input.as_deref()
    }

    /// Returns the member, the line and the column.
    #[cfg(feature = "serde")]
    pub(crate) fn place(&self) -> (Option<&str>, Option<u64>, Option<&str>) {
        (self.0.member.as_deref(), self.0.line, self.0.column.as_deref())
    }

    /// Returns what the user can do about it.
    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// Returns how long the server asked to wait.
    pub fn wait(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// Returns whether a retry may succeed.
    pub fn is_transient(&self) -> bool {
        self.0.transient.unwrap_or_else(|| self.0.kind.is_transient())
    }

    /// Formats the error and all its causes on one line, without the hint.
    pub fn report(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            let message = error.to_string();
            // Libraries often repeat their cause in their own message. Write it once.
            if !text.ends_with(&message) {
                let _ = write!(text, ": {message}");
            }
            cause = error.source();
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.0;
        for place in [&inner.input, &inner.member].into_iter().flatten() {
            write!(f, "{}: ", printable(place))?;
        }
        if let Some(line) = inner.line {
            write!(f, "line {line}: ")?;
        }
        if let Some(column) = &inner.column {
            write!(f, "column {}: ", printable(column))?;
        }
        f.write_str(&inner.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("report", &self.report())
            .field("hint", &self.0.hint)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

/// Escapes control characters: names are untrusted and must not control a terminal. Also escapes invisible
/// characters, such as a byte order mark, and characters that change the direction of text: `gpj.exe` must not look
/// like `exe.jpg`.
pub fn printable(text: &str) -> String {
    let is_hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    text.chars().map(|c| if is_hidden(c) { c.escape_default().to_string() } else { c.to_string() }).collect()
}

/// Removes the credentials from a URL. Returns anything else unchanged.
pub fn redact(input: &str) -> String {
    let Some((scheme, rest)) = input.split_once("://") else {
        return input.to_owned();
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..end].rfind('@') {
        Some(at) => format!("{scheme}://{}", &rest[at + 1..]),
        None => input.to_owned(),
    }
}

/// Whether the process, or the system, has as many files open as it may.
fn too_many_files(error: &std::io::Error) -> bool {
    // EMFILE and ENFILE, which have no kind.
    cfg!(unix) && matches!(error.raw_os_error(), Some(24 | 23))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_seen_is_escaped() {
        assert_eq!(printable("\u{feff}a\u{202e}gpj\n\u{200b}"), "\\u{feff}a\\u{202e}gpj\\n\\u{200b}");
        for seen in ["Población", "می\u{200c}خواهم", "日本", "a b"] {
            assert_eq!(printable(seen), seen);
        }
    }

    #[test]
    fn credentials_never_appear_in_a_message() {
        let error = Error::new(Kind::Status(401), "refused").input("https://me:pa%40ss@host:8443/a?b=c@d");
        assert_eq!(error.to_string(), "https://host:8443/a?b=c@d: refused");
        assert_eq!(redact("a@b.csv"), "a@b.csv");
    }

    #[test]
    fn a_disk_that_is_full_or_read_only_is_a_condition_of_the_machine() {
        use std::io::ErrorKind;
        let of_machine = |kind: ErrorKind| Error::io("cannot write: a", kind.into()).is_of_machine();
        for kind in [ErrorKind::StorageFull, ErrorKind::QuotaExceeded, ErrorKind::ReadOnlyFilesystem] {
            assert!(of_machine(kind), "{kind:?}");
        }
        for kind in
            [ErrorKind::PermissionDenied, ErrorKind::FileTooLarge, ErrorKind::NotFound, ErrorKind::InvalidFilename]
        {
            assert!(!of_machine(kind), "{kind:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_helps_when_too_many_files_are_open_is_said() {
        let error = Error::io("cannot open: a", std::io::Error::from_raw_os_error(24));
        assert!(error.hint_text().is_some_and(|hint| hint.contains("ulimit -n")) && !error.is_of_machine());
    }

    #[test]
    fn a_cause_is_said_once() {
        let error = Error::io("cannot read: a.csv", std::io::Error::other("the disk is on fire"));
        assert_eq!(error.report(), "cannot read: a.csv: the disk is on fire");
    }

    #[test]
    fn control_characters_in_names_are_escaped() {
        let error = Error::new(Kind::Member, "odd").input("a.zip").member("x\u{1b}[2J.csv");
        assert_eq!(error.to_string(), "a.zip: x\\u{1b}[2J.csv: odd");
    }
}
