//! What a workload says of itself: what the stages of its jobs spend their time with, and what it counts.

/// A named stage of a workload's jobs. Names alone say nothing: the workload declares what they stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage {
    /// The name, as jobs enter it.
    pub name: &'static str,
    /// What it spends its time with.
    pub activity: Activity,
}

/// What a stage spends its time with. It decides what a level is said to be bound by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Activity {
    /// Bytes come or go over a network.
    Transfer,
    /// The processor works.
    Compute,
    /// It waits for its turn at this, for people: "a connection of the pool", "the only writer".
    Turn(&'static str),
    /// It waits for an answer of the other side.
    Answer,
    /// The disk writes or reads.
    Disk,
}

/// What the throughput of a workload counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unit {
    /// Bytes that were moved.
    Bytes,
    /// Jobs that succeeded, by what they are called: "queries", "files".
    Jobs(&'static str),
}

impl Stage {
    /// A stage by its name.
    pub const fn new(name: &'static str, activity: Activity) -> Self {
        Self { name, activity }
    }
}

impl Unit {
    /// What is counted, as one word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Jobs(word) => word,
        }
    }

    /// So many a second, for people.
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
