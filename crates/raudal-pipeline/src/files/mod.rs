//! Saves many inputs as files of one folder. Each is verified before it gets its name.
//!
//! ```text
//! inputs ─► pool: at most N in flight, at most K a host
//!             │ one job an input, retried as a whole
//!           fetch ─► memory, if it is short; else NAME.….part beside the final name
//!             │ with `resume` always the file, and a sidecar
//!             │ length, digests, checksums; members extracted to a temporary folder, if requested
//!           sync, rename, sync the folder (once for many) ─► the file, reported in input order
//! ```
//!
//! [`run()`] does all of this. The name of a file comes from the list, else from the server, else
//! from the URL, or from a [`Template`]. Two inputs never have the same name: the first in input order
//! has it. An input that is given twice is fetched once. An existing file stays unless the options say
//! otherwise.
//!
//! A run over several machines has two halves: a [`Fetcher`] on each of them, and [`take()`], which saves what they
//! have fetched.

mod decide;
mod durable;
mod extraction;
mod fetcher;
mod inputs;
mod job;
mod publication;
mod relay;
mod reserved;
mod run;
mod shared;
mod take;
mod template;
mod versions;

pub use fetcher::Fetcher;
pub use inputs::check;
pub use relay::Relay;
pub use run::run;
pub use take::{Fetch, fetches, take};
pub use template::Template;

use crate::run::failure::Failure;
use crate::run::options::RunOptions;
use raudal_common::Error;
use raudal_pool::RunReport;
use raudal_source::Input;
use raudal_table::{Limits, MemberEncoding};
use std::path::PathBuf;

/// What to do with a file that already exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Existing {
    /// Fail the input.
    #[default]
    Refuse,
    /// Treat the file as already downloaded. With a list of checksums, its checksum must match.
    Skip,
    /// Replace the file.
    Replace,
    /// Replace the file if it has changed on the server.
    ///
    /// The request is conditional, by what the folder has recorded of the file (`ETag`,
    /// `Last-Modified`), else by its time. A file gets the time of the server's. A local input is
    /// copied if its size or time differs.
    Update,
}

/// Options of a run that saves files.
///
/// ```
/// use raudal_pipeline::files::{Existing, Options};
///
/// let mut options = Options::new("downloads");
/// options.existing = Existing::Skip;
/// options.run.concurrency = 4.into();
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The limits and policies of every run.
    pub run: RunOptions,
    /// The folder for the files. It is created if it does not exist.
    pub folder: PathBuf,
    /// What to do with a file that already exists.
    pub existing: Existing,
    /// How the files are named. Default: by the list, else by the server, else by the URL.
    pub name: Option<Template>,
    /// Resume partial files of an earlier run, and keep incomplete files for the next one.
    pub resume: bool,
    /// Also extract archives, zip and tar: all members, or those that match a glob (`**` for all files).
    pub extract: Option<Members>,
    /// The bounds of an archive that is extracted.
    pub limits: Limits,
    /// The encoding of members' names that are not UTF-8. Default: code page 437.
    pub member_encoding: Option<MemberEncoding>,
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
    /// Creates options for this folder. All others are as on the command line.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            run: RunOptions::default(),
            folder: folder.into(),
            existing: Existing::default(),
            name: None,
            resume: false,
            extract: None,
            limits: Limits::default(),
            member_encoding: None,
        }
    }
}

/// A complete file.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Saved {
    /// The requested location, without credentials.
    pub url: String,
    /// The location after all redirects; `None` if the file already existed.
    pub final_url: Option<String>,
    /// The path of the file.
    pub path: PathBuf,
    /// Its size in bytes.
    pub bytes: u64,
    /// The SHA-256 of its bytes in hexadecimal; `None` for an existing file that was not read.
    pub sha256: Option<String>,
    /// Whether it already existed; with [`Existing::Update`], whether it has not changed.
    pub skipped: bool,
    /// The folder with its members, if they were extracted.
    pub extracted: Option<PathBuf>,
    /// Harmless oddities in the archive that was extracted.
    pub warnings: Vec<String>,
    /// The names that it takes in the folder.
    names: Vec<String>,
    /// The number of its name, which says whether it is durable; 0 for an existing file.
    named: u64,
}

/// The result of a run.
#[derive(Debug)]
#[non_exhaustive]
pub struct Summary {
    /// The report on the jobs.
    pub report: RunReport,
    /// The complete files, in input order.
    pub saved: Vec<Saved>,
    /// The inputs that failed, in input order.
    pub failures: Vec<Failure>,
    /// The inputs that were pulled but not finished when the run was stopped, in input order. Later
    /// inputs were never looked at: `pulled` is the index of the first of them.
    pub unfinished: Vec<Input>,
    /// The condition of the machine that stopped the run, such as a full disk. The inputs that met it
    /// are `unfinished`.
    pub condition: Option<Error>,
    /// Number of inputs pulled from the iterator.
    pub pulled: u64,
    /// How many inputs are the same as an earlier one. They are fetched once, and count only here.
    pub repeated: u64,
    /// Warnings for the user, which are not errors.
    pub warnings: Vec<String>,
}
