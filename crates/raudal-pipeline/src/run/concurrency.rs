//! The maximum number of jobs in flight: a number or `auto`.

use raudal_common::Error;
use raudal_pool::Limit;
use serde::{Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// The maximum number of jobs in flight, as in `-j`: `8` or `auto`.
///
/// ```
/// use raudal_pipeline::Jobs;
///
/// assert_eq!("8".parse::<Jobs>()?, Jobs::Most(8));
/// assert_eq!("auto".parse::<Jobs>()?.to_string(), "auto");
/// assert!("0".parse::<Jobs>().is_err());
/// # Ok::<(), raudal_common::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Jobs {
    /// At most this many.
    Most(usize),
    /// Raises the per-host limit while throughput grows, up to [`Jobs::AUTO_MOST`].
    Auto,
}

impl Jobs {
    /// The limit for `auto`. A host cannot be expected to accept more from one client.
    pub const AUTO_MOST: usize = 64;

    /// Returns the number; `None` for `auto`.
    pub fn number(self) -> Option<usize> {
        match self {
            Self::Most(jobs) => Some(jobs),
            Self::Auto => None,
        }
    }
}

impl From<usize> for Jobs {
    fn from(jobs: usize) -> Self {
        Self::Most(jobs)
    }
}

impl FromStr for Jobs {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let bad = |what: &str| Error::usage(format!("{what}: {text}")).hint("give auto or a number of at least 1");
        match text.parse() {
            _ if text == "auto" => Ok(Self::Auto),
            Ok(0) => Err(bad("it must be at least 1")),
            Ok(jobs) => Ok(Self::Most(jobs)),
            Err(_) => Err(bad("neither a whole number nor auto")),
        }
    }
}

impl fmt::Display for Jobs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Most(jobs) => jobs.fmt(f),
            Self::Auto => f.write_str("auto"),
        }
    }
}

/// Serializes as a number, or as the text `auto`.
impl Serialize for Jobs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Most(jobs) => serializer.serialize_u64(*jobs as u64),
            Self::Auto => serializer.serialize_str("auto"),
        }
    }
}

/// How many inputs may be in flight, for all hosts together and for each host.
///
/// ```
/// use raudal_pipeline::{Concurrency, Jobs};
///
/// let fixed = Concurrency::new(32).per_host(4);
/// assert_eq!((fixed.total(), fixed.of_each_host()), (32, 4));
/// let auto = Concurrency::new(Jobs::Auto);
/// assert_eq!(auto.total(), Jobs::AUTO_MOST);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Concurrency {
    is_auto: bool,
    total: usize,
    per_host: usize,
}

impl Concurrency {
    /// Creates a limit on all inputs, without a lower limit for one host. With [`Jobs::Auto`], each host begins with
    /// a few inputs, and their throughput decides how many follow.
    pub fn new(jobs: impl Into<Jobs>) -> Self {
        let jobs = jobs.into();
        let total = jobs.number().unwrap_or(Jobs::AUTO_MOST);
        Self { is_auto: jobs == Jobs::Auto, total, per_host: total }
    }

    /// Limits how many inputs of one host may be in flight.
    #[must_use]
    pub fn per_host(self, most: usize) -> Self {
        Self { per_host: most, ..self }
    }

    /// Lowers both limits, for all hosts and for each, to at most this many inputs.
    #[must_use]
    pub fn at_most(self, most: usize) -> Self {
        Self { total: self.total.min(most), per_host: self.per_host.min(most), ..self }
    }

    /// Returns the most inputs in flight.
    pub fn total(self) -> usize {
        self.total
    }

    /// Returns the most inputs in flight of one host.
    pub fn of_each_host(self) -> usize {
        self.per_host
    }

    /// Whether the limit of each host adapts.
    pub(crate) fn is_auto(self) -> bool {
        self.is_auto
    }

    /// The limit of each host.
    pub(crate) fn host_limit(self) -> Limit {
        if self.is_auto { Limit::auto(self.per_host) } else { self.per_host.into() }
    }

    /// Returns how many inputs of one host start before anything is known of it.
    pub(crate) fn at_first(self) -> usize {
        self.total.min(if self.is_auto { Limit::auto(self.per_host).first() } else { self.per_host })
    }
}

/// Eight inputs, for all hosts and for each.
impl Default for Concurrency {
    fn default() -> Self {
        Self::new(8)
    }
}

impl<J: Into<Jobs>> From<J> for Concurrency {
    fn from(jobs: J) -> Self {
        Self::new(jobs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_neither_a_number_nor_auto_is_a_usage_error_with_a_cure() {
        for text in ["", "0", "-1", "Auto", "1.5", "many"] {
            let error = text.parse::<Jobs>().unwrap_err();
            assert_eq!(
                (error.kind(), error.hint_text().is_some()),
                (raudal_common::Kind::Usage, true),
                "{text}: {error}"
            );
        }
        for jobs in [Jobs::Most(8), Jobs::Auto] {
            assert_eq!(jobs.to_string().parse::<Jobs>().unwrap(), jobs);
        }
    }
}
