//! The exit codes that a script may rely on.

use super::ending::Ending;
use raudal::error::Class;
use raudal::source::Location;
use raudal::{Error, Kind};

/// Why a run was stopped from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    Interrupt,
    Terminate,
    Deadline,
}

impl Stop {
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
            Self::Deadline => 124,
        }
    }

    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Interrupt => "interrupted",
            Self::Terminate => "terminated",
            Self::Deadline => "the deadline passed",
        }
    }
}

const OK: u8 = 0;
pub(crate) const FAULT: u8 = 1;
const USAGE: u8 = 2;
const PARTIAL: u8 = 3;
const TRANSIENT: u8 = 4;
const PERMANENT: u8 = 5;
const INTEGRITY: u8 = 6;
const DATA: u8 = 7;
const LOCAL: u8 = 8;

/// Returns the exit code of a run that has ended or was stopped.
pub(crate) fn of_ending(ending: &Ending<'_>, stop: Option<Stop>) -> u8 {
    match stop {
        Some(stop) if ending.report.stopped => stop.code(),
        _ if ending.condition.is_some() => ending.condition.map_or(LOCAL, class),
        _ => {
            let failures: Vec<&Error> = ending.failures.iter().map(|failure| &failure.error).collect();
            of_failures(ending.succeeded > 0, &failures)
        }
    }
}

/// Returns the exit code of an error that ended the whole run.
pub(crate) fn of_error(error: &Error) -> u8 {
    class(error)
}

/// Returns the exit code for these failures, beside inputs that succeeded or not.
pub(crate) fn of_failures(some_succeeded: bool, failures: &[&Error]) -> u8 {
    let Some(first) = failures.first().map(|error| class(error)) else { return OK };
    if failures.iter().any(|error| class(error) == FAULT) {
        FAULT
    } else if failures.iter().any(|error| error.kind() == Kind::Drift) {
        // With `--locked` the run is all or nothing.
        INTEGRITY
    } else if some_succeeded {
        PARTIAL
    } else if failures.iter().all(|error| class(error) == first) {
        first
    } else if failures.iter().any(|error| error.is_transient()) {
        TRANSIENT
    } else {
        PERMANENT
    }
}

/// Returns the exit code if this were the only failure.
fn class(error: &Error) -> u8 {
    match error.kind().class() {
        Class::Fault => FAULT,
        Class::Usage => USAGE,
        Class::Integrity => INTEGRITY,
        Class::Data => DATA,
        Class::Local => LOCAL,
        Class::Deadline => Stop::Deadline.code(),
        Class::Remote if error.is_transient() => TRANSIENT,
        // What is in a file on this machine: nothing, or no table.
        Class::Remote if matches!(error.kind(), Kind::Empty | Kind::Impostor) && !is_of_url(error) => DATA,
        Class::Remote | Class::Permanent => PERMANENT,
    }
}

/// Returns whether the input of the error is a URL, whose body may come from the cache.
fn is_of_url(error: &Error) -> bool {
    error.input_name().is_some_and(|name| Location::parse(name).is_ok_and(|location| location.is_remote()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(some_succeeded: bool, kinds: &[Kind]) -> u8 {
        let errors: Vec<Error> = kinds.iter().map(|&kind| Error::new(kind, "it failed")).collect();
        of_failures(some_succeeded, &errors.iter().collect::<Vec<_>>())
    }

    #[test]
    fn a_run_without_failures_is_a_success() {
        assert_eq!(code(true, &[]), 0);
    }

    #[test]
    fn some_failures_among_successes_are_partial_whatever_they_are() {
        for kind in [Kind::Status(404), Kind::Checksum, Kind::Column, Kind::Io, Kind::Timeout] {
            assert_eq!(code(true, &[kind]), 3, "{kind:?}");
        }
    }

    #[test]
    fn when_all_failed_for_one_reason_the_code_says_it() {
        assert_eq!(code(false, &[Kind::Checksum, Kind::Length]), 6);
        assert_eq!(code(false, &[Kind::Column, Kind::Member]), 7);
        assert_eq!(code(false, &[Kind::Io]), 8);
        assert_eq!(code(false, &[Kind::Status(503), Kind::Connect]), 4);
        assert_eq!(code(false, &[Kind::Status(404), Kind::Tls]), 5);
    }

    #[test]
    fn when_all_failed_for_several_reasons_the_code_says_whether_to_try_again() {
        assert_eq!(code(false, &[Kind::Status(404), Kind::Timeout]), 4);
        assert_eq!(code(false, &[Kind::Status(404), Kind::Column]), 5);
    }

    #[test]
    fn a_file_without_a_table_in_it_is_about_data() {
        for kind in [Kind::Empty, Kind::Impostor] {
            let error = Error::new(kind, "it failed").transient(false);
            assert_eq!(of_failures(false, &[&error]), 7, "{kind:?}");
            assert_eq!(code(false, &[kind]), 4, "{kind:?}");
        }
    }

    #[test]
    fn faults_of_the_program_are_never_partial() {
        assert_eq!(code(true, &[Kind::Status(404), Kind::Headers]), 3);
        assert_eq!(code(true, &[Kind::Headers, Kind::Internal]), 1);
    }
}
