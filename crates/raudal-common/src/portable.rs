//! An error that goes to another process. Needs the feature `serde`.

use crate::{Error, Kind};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The parts of an [`Error`] that a person and a program need, as plain text and numbers. The causes become one text.
///
/// ```
/// use raudal_common::{Error, Kind, Portable};
///
/// let error = Error::new(Kind::Status(503), "the server responded with 503").input("https://h/a.zip");
/// let sent = serde_json::to_string(&Portable::from(&error)).unwrap();
/// let back = serde_json::from_str::<Portable>(&sent).unwrap().into_error();
/// assert_eq!((back.kind(), back.report()), (error.kind(), error.report()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Portable {
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    input: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    member: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    column: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    transient: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cause: Option<String>,
}

impl From<&Error> for Portable {
    fn from(error: &Error) -> Self {
        let (said, all) = (error.to_string(), error.report());
        let cause = all.strip_prefix(&said).and_then(|rest| rest.strip_prefix(": "));
        let (member, line, column) = error.place();
        Self {
            kind: error.kind().word().to_owned(),
            status: if let Kind::Status(status) = error.kind() { Some(status) } else { None },
            message: error.message().to_owned(),
            input: error.input_name().map(str::to_owned),
            member: member.map(str::to_owned),
            line,
            column: column.map(str::to_owned),
            hint: error.hint_text().map(str::to_owned),
            retry_after_ms: error.wait().map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
            transient: error.is_transient(),
            cause: cause.map(str::to_owned),
        }
    }
}

impl Portable {
    /// Returns the error. A kind that this version does not know becomes [`Kind::Internal`].
    pub fn into_error(self) -> Error {
        let sent = self;
        let kind = match sent.status {
            Some(status) => Kind::Status(status),
            None => Kind::from_word(&sent.kind).unwrap_or(Kind::Internal),
        };
        let mut error = Error::new(kind, sent.message).transient(sent.transient);
        error = error.retry_after(sent.retry_after_ms.map(Duration::from_millis));
        if let Some(input) = sent.input {
            error = error.input(input);
        }
        if let Some(member) = sent.member {
            error = error.member(member);
        }
        if let Some(line) = sent.line {
            error = error.line(line);
        }
        if let Some(column) = sent.column {
            error = error.column(column);
        }
        if let Some(hint) = sent.hint {
            error = error.hint(hint);
        }
        match sent.cause {
            Some(cause) => error.because(cause),
            None => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_a_report_and_an_exit_code_need_comes_through() {
        let cause = std::io::Error::other("the disk is on fire");
        let error = Error::io("cannot read the input", cause).input("https://me:secret@h/a.zip").member("a.csv");
        let error = error.line(3).column("POB").hint("look").retry_after(Some(Duration::from_secs(2)));
        let sent = serde_json::to_string(&Portable::from(&error)).expect("plain fields");
        assert!(!sent.contains("secret"), "{sent}");
        let back = serde_json::from_str::<Portable>(&sent).expect("the same fields").into_error();
        assert_eq!(back.report(), error.report());
        assert_eq!((back.kind(), back.hint_text(), back.wait()), (error.kind(), error.hint_text(), error.wait()));
        assert_eq!(back.is_transient(), error.is_transient());
        assert!(Portable::from(&error.transient(true)).into_error().is_transient());
    }

    #[test]
    fn each_kind_but_a_status_is_found_again_by_its_word() {
        for kind in [Kind::Usage, Kind::NotAnArchive, Kind::Drift, Kind::Headers, Kind::Io, Kind::NotCached] {
            assert_eq!(Kind::from_word(kind.word()), Some(kind));
        }
        assert_eq!(Kind::from_word("status"), None, "which one?");
        assert_eq!(Kind::from_word("odd"), None);
    }
}
