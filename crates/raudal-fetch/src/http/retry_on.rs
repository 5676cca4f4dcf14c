//! Which failures are retried, as a user writes it: `429,5xx,!501,timeout`. Pure.

use std::str::FromStr;

use raudal_common::{Error, Kind};

/// The kinds of failure that a user can name.
const KINDS: [Kind; 13] = [
    Kind::Name,
    Kind::Connect,
    Kind::Tls,
    Kind::Reset,
    Kind::Timeout,
    Kind::Redirect,
    Kind::Impostor,
    Kind::Empty,
    Kind::Length,
    Kind::Checksum,
    Kind::Corrupt,
    Kind::NotAnArchive,
    Kind::Io,
];
/// Other common names for them.
const ALSO: [(&str, Kind); 4] =
    [("connection", Kind::Connect), ("cut", Kind::Length), ("stall", Kind::Timeout), ("digest", Kind::Checksum)];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RetryEntry {
    /// The failures that are retried by default.
    Default,
    Status(u16),
    /// All statuses with this first digit: `5xx`.
    Statuses(u16),
    Kind(Kind),
}

impl RetryEntry {
    fn parse(word: &str) -> Option<Self> {
        let word = word.to_ascii_lowercase();
        if word == "default" {
            return Some(Self::Default);
        }
        if let Some(digit) = word.strip_suffix("xx") {
            return digit.parse().ok().filter(|digit| (1..=5).contains(digit)).map(Self::Statuses);
        }
        if word.len() == 3 && word.bytes().all(|b| b.is_ascii_digit()) {
            return word.parse().ok().filter(|status| (100..=599).contains(status)).map(Self::Status);
        }
        let named = KINDS.into_iter().find(|kind| kind.word() == word);
        named.or_else(|| ALSO.into_iter().find(|(name, _)| *name == word).map(|(_, kind)| kind)).map(Self::Kind)
    }

    fn holds(self, error: &Error) -> bool {
        match (self, error.kind()) {
            (Self::Default, _) => error.is_transient(),
            (Self::Status(wanted), Kind::Status(status)) => status == wanted,
            (Self::Statuses(wanted), Kind::Status(status)) => status / 100 == wanted,
            (Self::Kind(wanted), kind) => kind == wanted,
            _ => false,
        }
    }
}

/// Which failures are retried: statuses (`429`), classes of statuses (`5xx`), kinds (`timeout`),
/// and `default` for those that are retried by default. A `!` excludes a failure, whatever the rest
/// of the list says. If every entry has a `!`, they are excluded from the default.
///
/// ```
/// use raudal_fetch::RetryOn;
/// use raudal_common::{Error, Kind};
///
/// let retry: RetryOn = "5xx,!501,timeout".parse()?;
/// assert!(retry.matches(&Error::new(Kind::Status(503), "busy")));
/// assert!(!retry.matches(&Error::new(Kind::Status(501), "never")));
/// assert!(!retry.matches(&Error::new(Kind::Reset, "broken")));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetryOn {
    /// Empty means the default.
    on: Vec<RetryEntry>,
    not_on: Vec<RetryEntry>,
}

impl RetryOn {
    /// Whether this failure is retried.
    pub fn matches(&self, error: &Error) -> bool {
        let on = if self.on.is_empty() { error.is_transient() } else { self.on.iter().any(|class| class.holds(error)) };
        on && !self.not_on.iter().any(|class| class.holds(error))
    }
}

impl FromStr for RetryOn {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let mut parsed = Self::default();
        for word in text.split(',').map(str::trim) {
            let (list, name) = match word.strip_prefix('!') {
                Some(name) => (&mut parsed.not_on, name.trim_start()),
                None => (&mut parsed.on, word),
            };
            list.push(RetryEntry::parse(name).ok_or_else(|| unknown(word))?);
        }
        Ok(parsed)
    }
}

fn unknown(word: &str) -> Error {
    let names = KINDS.map(Kind::word).join(", ");
    Error::usage(format!("not a failure that can be retried: {}", raudal_common::error::printable(word))).hint(format!(
        "give statuses (429), classes (5xx), default, {names}, separated by commas; ! before one excludes it"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(list: &str, kind: Kind) -> bool {
        list.parse::<RetryOn>().expect(list).matches(&Error::new(kind, "oh"))
    }

    #[test]
    fn a_list_says_what_is_tried_again_and_what_is_not() {
        for (list, yes, no) in [
            ("429", &[Kind::Status(429)][..], &[Kind::Status(503), Kind::Timeout][..]),
            ("5xx,!501", &[Kind::Status(500), Kind::Status(599)], &[Kind::Status(501), Kind::Status(429), Kind::Reset]),
            ("!501,5xx", &[Kind::Status(500)], &[Kind::Status(501)]),
            ("!503", &[Kind::Status(500), Kind::Timeout], &[Kind::Status(503), Kind::Status(404)]),
            ("default, 404", &[Kind::Status(404), Kind::Reset], &[Kind::Status(410)]),
            ("default,!impostor", &[Kind::Reset], &[Kind::Impostor]),
            ("Timeout,RESET", &[Kind::Timeout, Kind::Reset], &[Kind::Length]),
            (
                "cut,stall,digest,connection",
                &[Kind::Length, Kind::Timeout, Kind::Checksum, Kind::Connect],
                &[Kind::Name],
            ),
        ] {
            for kind in yes {
                assert!(matches(list, *kind), "{list} {kind:?}");
            }
            for kind in no {
                assert!(!matches(list, *kind), "{list} {kind:?}");
            }
        }
    }

    #[test]
    fn without_a_list_an_error_is_believed_about_itself() {
        let default = RetryOn::default();
        for kind in [Kind::Status(503), Kind::Status(404), Kind::Timeout, Kind::Csv, Kind::Checksum] {
            for said in [true, false] {
                assert_eq!(default.matches(&Error::new(kind, "oh").transient(said)), said, "{kind:?}");
            }
            assert_eq!(default.matches(&Error::new(kind, "oh")), kind.is_transient(), "{kind:?}");
        }
    }

    #[test]
    fn a_word_that_means_nothing_is_refused_and_named() {
        for list in ["", "429,", "6xx", "0xx", "xx", "99", "600", "+42", "csv", "!", "!!501", "soon"] {
            let error = list.parse::<RetryOn>().expect_err(list);
            assert_eq!(error.kind(), Kind::Usage, "{list}");
        }
        let error = "429,soon".parse::<RetryOn>().expect_err("soon");
        assert_eq!(error.message(), "not a failure that can be retried: soon");
        assert!(error.hint_text().is_some_and(|hint| hint.contains("5xx") && hint.contains("timeout")));
    }
}
