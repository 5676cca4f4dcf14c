//! What bounds a level, and the sentence that says so.

use std::fmt;

/// What holds a level back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Bound {
    /// The other side takes time to answer; more jobs at once would overlap their waits.
    Latency,
    /// The throughput of one connection, with one job at a time.
    Connection,
    /// The throughput of all connections together.
    Bandwidth,
    /// One resource that jobs use in turn: a connection, a lock, a writer.
    Shared,
    /// The speed of the disk.
    Disk,
    /// The number of jobs allowed in flight.
    Slots,
    /// Another limit, below the number of jobs.
    Limit,
    /// The CPU.
    Processor,
    /// One job that takes as long as the whole run.
    LongestJob,
    /// The end of the run: no job is left to start, and slots stay empty until the last job ends.
    Tail,
}

impl Bound {
    /// Returns the bound as one word, for programs.
    pub fn word(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::Connection => "one-connection",
            Self::Bandwidth => "bandwidth",
            Self::Shared => "shared",
            Self::Disk => "disk",
            Self::Slots => "slots",
            Self::Limit => "limit",
            Self::Processor => "processor",
            Self::LongestJob => "longest-job",
            Self::Tail => "tail",
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Latency => "latency",
            Self::Connection => "the throughput of one connection",
            Self::Bandwidth => "bandwidth",
            Self::Shared => "a shared resource that jobs take turns to use (a connection, a lock or a writer)",
            Self::Disk => "the disk",
            Self::Slots => "the number of slots",
            Self::Limit => "a limit other than the number of jobs",
            Self::Processor => "the processor",
            Self::LongestJob => "the longest job",
            Self::Tail => "the jobs that finish last",
        })
    }
}

/// What seems to bound a level, and the figures that show it. `Display` writes it as a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What holds the level back.
    pub bound: Bound,
    /// The figures that show it, as a clause.
    pub because: String,
    /// What would help and what would not, as a clause.
    pub advice: String,
}

impl Finding {
    pub(super) fn new(bound: Bound, because: String, advice: impl Into<String>) -> Self {
        Self { bound, because, advice: advice.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it is probably bound by {}: {}; {}", self.bound, self.because, self.advice)
    }
}
