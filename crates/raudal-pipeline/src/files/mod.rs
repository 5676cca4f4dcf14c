//! Many inputs → files of one folder, each of them verified before it has its name.
//!
//! ```text
//! inputs ─► pool: at most N in flight, at most K a host
//!             │ one job an input, retried as a whole
//!           fetch ─► NAME.….part beside the final name, with a sidecar if it is to be gone on with
//!             │ length, digests, checksums; members extracted aside, if that is asked for
//!           sync, rename ─► the file, told in input order
//! ```
//!
//! [`run()`] is the whole of it. A file is called what a list says, else what the server says, else as its URL ends. Two
//! inputs never have one name, and a file that is there is left as it is unless something else was asked for.

mod claims;
mod job;
pub(super) mod name;
mod run;

pub use claims::check;
pub use run::run;

use super::summary::Failure;
use raudal_pool::RunReport;
use raudal_source::Input;
use std::path::PathBuf;

/// What to do about a file that is there already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Existing {
    /// The input fails.
    #[default]
    Refuse,
    /// It is taken for the input's, and the input for done. With a list of checksums, only if it is in accord.
    Skip,
    /// It is replaced.
    Replace,
}

/// How a run that saves files goes about it.
///
/// ```
/// use raudal_pipeline::files::{Existing, Options};
///
/// let mut options = Options::new("downloads");
/// options.existing = Existing::Skip;
/// options.run.jobs = 4;
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Jobs, retries, checksums, bounds: what every run has. Its filter and columns mean nothing here.
    pub run: super::Options,
    /// Where the files go. It is made if it is not there.
    pub folder: PathBuf,
    /// What to do about a file that is there already.
    pub existing: Existing,
    /// Go on with what an earlier run has left, and leave what does not arrive whole for the next one.
    pub resume: bool,
    /// Extract zip archives as well: all their members, or those that a glob matches (`**` for all files).
    pub extract: Option<Members>,
}

/// Which members of an archive are extracted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Members {
    /// All of them.
    All,
    /// Those whose names match a glob.
    Matching(String),
}

impl Options {
    /// Files go to this folder; all else is as the command line has it.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            run: super::Options::default(),
            folder: folder.into(),
            existing: Existing::default(),
            resume: false,
            extract: None,
        }
    }
}

/// A file that stands complete.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Saved {
    /// What was asked for, without credentials.
    pub url: String,
    /// Where it came from, after all redirects; `None` if it was there already.
    pub final_url: Option<String>,
    /// Where it is.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// The SHA-256 of its bytes in hexadecimal; `None` for a file that was there already and was not looked into.
    pub sha256: Option<String>,
    /// Whether it was there already.
    pub skipped: bool,
    /// The folder with its members, if they were to be extracted.
    pub extracted: Option<PathBuf>,
}

/// What became of a run.
#[derive(Debug)]
#[non_exhaustive]
pub struct Summary {
    /// How the jobs went.
    pub report: RunReport,
    /// The files that stand complete, in input order.
    pub saved: Vec<Saved>,
    /// The inputs that failed, in input order.
    pub failures: Vec<Failure>,
    /// The inputs that were begun or pulled when the run was stopped, in input order. Those behind them were never
    /// looked at: `pulled` says where they begin.
    pub unfinished: Vec<Input>,
    /// How many inputs were pulled.
    pub pulled: u64,
    /// What should be known of the run, though it did not fail for it.
    pub warnings: Vec<String>,
}
