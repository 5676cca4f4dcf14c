//! What a workload declares about itself: what the stages of its jobs spend their time on, and what
//! it counts.

/// A named stage of a workload's jobs. The workload declares what a stage does, because a name
/// alone does not say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage {
    /// The name that jobs give when they enter the stage.
    pub name: &'static str,
    /// What it spends its time on.
    pub activity: Activity,
}

/// What a stage spends its time on. It decides which bound a level is reported to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Activity {
    /// It moves bytes over a network.
    Transfer,
    /// It computes.
    Compute,
    /// It waits for its turn at this resource, named for people: "a connection of the pool", "the
    /// only writer".
    Turn(&'static str),
    /// It waits for an answer from the other side.
    Answer,
    /// It writes to the disk or reads from it.
    Disk,
}

/// What the throughput of a workload counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unit {
    /// Bytes that were moved.
    Bytes,
    /// Jobs that succeeded, with their name: "queries", "files".
    Jobs(&'static str),
}

impl Stage {
    /// Creates a stage.
    pub const fn new(name: &'static str, activity: Activity) -> Self {
        Self { name, activity }
    }
}

impl Unit {
    /// Returns what is counted, as one word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Jobs(word) => word,
        }
    }

    /// Formats a rate per second, for people.
    ///
    /// ```
    /// use raudal_compare::workload::Unit;
    /// assert_eq!(Unit::Jobs("queries").rate(12.34), "12.3 queries/s");
    /// assert_eq!(Unit::Bytes.rate(1_500_000.0), "1.5 MB/s");
    /// ```
    pub fn rate(self, per_second: f64) -> String {
        match self {
            Self::Bytes => raudal_common::units::rate(per_second),
            Self::Jobs(word) if per_second >= 99.95 => format!("{per_second:.0} {word}/s"),
            Self::Jobs(word) if per_second >= 9.995 => format!("{per_second:.1} {word}/s"),
            Self::Jobs(word) => format!("{per_second:.2} {word}/s"),
        }
    }
}

/// The stages of a transfer, as [`raudal_fetch`] names them.
pub(super) const TRANSFER: [Stage; 3] = [
    Stage::new("connect", Activity::Answer),
    Stage::new("first byte", Activity::Answer),
    Stage::new("transfer", Activity::Transfer),
];
