//! Options of a run that makes a table.

use crate::run::options::RunOptions;
use raudal_table::Query;
use std::path::PathBuf;

/// Options of a run that makes a table.
///
/// ```
/// use raudal_pipeline::Options;
///
/// let mut options = Options::default();
/// options.run.concurrency = 32.into();
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The limits and policies of every run.
    pub run: RunOptions,
    /// What to take from each input.
    pub query: Query,
    /// How many archives are decoded at once. Default: one for each core.
    pub decoders: usize,
    /// The folder for partial files, from which the next run resumes if this one does not finish.
    /// It is created when first needed. It is removed with its partial files once the table is
    /// published, unless a missing input may still succeed later. Default: none, so a run that does
    /// not finish loses what has arrived.
    pub partials: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            run: RunOptions::default(),
            query: Query::default(),
            decoders: std::thread::available_parallelism().map_or(2, std::num::NonZero::get),
            partials: None,
        }
    }
}
