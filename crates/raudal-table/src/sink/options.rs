//! Where a table goes, and how.

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::format::{Compression, FileType, Format};
use super::types::Types;
use crate::column_names::Names;
use crate::columns::shown;
use crate::numbers::Numbers;
use raudal_common::error::redact;
use raudal_common::{Error, Result};

/// Where the table goes.
#[non_exhaustive]
pub enum Target {
    /// Standard output, flushed after each input.
    Stdout,
    /// A file, which appears when the table is complete. Anything but a regular file (a pipe,
    /// `/dev/null`) is written as the rows come.
    File(PathBuf),
    /// Anything else, flushed after each input.
    Writer(Box<dyn Write + Send>),
    /// A table of a database server: its URL, which may hold a password.
    Database(String),
    /// Record batches in memory, for another library; only with [`Format::Arrow`]. They are handed
    /// over as they fill, on the thread that appends.
    #[cfg(feature = "arrow")]
    Batches(Box<dyn BatchSink>),
}

/// Takes a table as record batches.
///
/// ```
/// use arrow_array::RecordBatch;
/// use arrow_schema::SchemaRef;
/// use raudal_common::Result;
/// use raudal_table::{BatchSink, Format, Query, Sink, SinkOptions, Target, read};
/// use std::sync::mpsc::{Sender, channel};
///
/// struct Send(Sender<RecordBatch>);
///
/// impl BatchSink for Send {
///     fn begin(&mut self, _: SchemaRef) -> Result<()> {
///         Ok(())
///     }
///
///     fn batch(&mut self, batch: RecordBatch) -> Result<()> {
///         self.0.send(batch).map_err(|_| raudal_common::Error::usage("nobody takes the rows"))
///     }
/// }
///
/// let (send, batches) = channel();
/// let mut options = SinkOptions::new(Format::Arrow);
/// options.types = "people:int".parse()?;
/// let mut sink = Sink::create(Target::Batches(Box::new(Send(send))), options)?;
/// let towns = std::io::Cursor::new("town,people\nAyala,31\nXico,\n");
/// sink.append("a.csv", read(towns, "a.csv", &Query::new(), &())?)?;
/// sink.finish()?;
/// assert_eq!(batches.recv().unwrap().column(1).null_count(), 1);
/// # Ok::<(), raudal_common::Error>(())
/// ```
#[cfg(feature = "arrow")]
pub trait BatchSink: Send {
    /// Takes the columns: once, before the first batch. A table without inputs has none.
    fn begin(&mut self, schema: arrow_schema::SchemaRef) -> Result<()>;

    /// Takes the next rows: at most 65,536, or some 4 MiB. An error ends the table.
    fn batch(&mut self, batch: arrow_array::RecordBatch) -> Result<()>;

    /// Returns whether the rows so far are wanted before a batch is full. Asked after each input.
    fn is_waiting(&self) -> bool {
        false
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => f.write_str("Stdout"),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Writer(_) => f.write_str("Writer"),
            #[cfg(feature = "arrow")]
            Self::Batches(_) => f.write_str("Batches"),
            Self::Database(url) => {
                let place = redact(url);
                f.debug_tuple("Database").field(&place.split_once('?').map_or(place.as_str(), |(at, _)| at)).finish()
            }
        }
    }
}

/// What to do when the output is there already. It is not about pipes and devices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Existing {
    /// Refuse, before anything is fetched.
    #[default]
    Refuse,
    /// Replace it. Of a database, only the table.
    Replace,
    /// Add rows to it. It must have the same columns. Without it, a new one is made.
    Append,
}

/// How a [`Sink`](super::Sink) writes.
///
/// ```
/// use raudal_table::{Format, SinkOptions};
/// let mut options = SinkOptions::new(Format::Table);
/// options.width = Some(80);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
#[allow(clippy::struct_excessive_bools)] // each is a choice of its own
pub struct SinkOptions {
    /// The format.
    pub format: Format,
    /// What is put around the format. Default: nothing.
    pub compression: Compression,
    /// What to do when the output is there already. Default: refuse.
    pub existing: Existing,
    /// The types of the columns. Default: all are text.
    pub types: Types,
    /// Cells that count as missing in columns that are not text, such as `*` or `N/D`. Empty cells
    /// always do. Default: none.
    pub null: Vec<String>,
    /// How cells write numbers, for columns that are no text. Default: with a point, without groups.
    pub numbers: Numbers,
    /// Whether names of columns are the same if they differ by case or accents alone, for types and
    /// for rows that are appended. Default: no.
    pub fold_names: bool,
    /// The name of a first column that holds the source of each row.
    pub source_column: Option<String>,
    /// Begin CSV or TSV with a byte order mark: Excel reads UTF-8 only then. Default: no.
    pub bom: bool,
    /// The table of a database that is written. Default: `data`.
    pub table: String,
    /// The width of the terminal in columns, for [`Format::Table`]; unlimited when `None`.
    pub width: Option<usize>,
    /// Whether [`Format::Table`] cuts cells and leaves out columns that do not fit. Default: yes.
    pub truncate: bool,
    /// Whether the columns of [`Format::Table`] were chosen, so that the first ones matter most.
    /// Default: no, so those are shown that tell rows apart, and the first numbers.
    pub columns_chosen: bool,
}

impl SinkOptions {
    /// Creates options for a format; all else has its default.
    pub fn new(format: Format) -> Self {
        Self {
            format,
            compression: Compression::None,
            existing: Existing::default(),
            types: Types::default(),
            null: Vec::new(),
            numbers: Numbers::default(),
            fold_names: false,
            source_column: None,
            bom: false,
            table: "data".to_owned(),
            width: None,
            truncate: true,
            columns_chosen: false,
        }
    }

    /// Checks the options, before anything is fetched or opened.
    ///
    /// ```
    /// use raudal_table::{Existing, Format, SinkOptions};
    /// let mut options = SinkOptions::new(Format::Json);
    /// options.existing = Existing::Append;
    /// assert_eq!(options.check().unwrap_err().message(), "rows cannot be added to this format: json");
    /// ```
    pub fn check(&self) -> Result<()> {
        FileType { format: self.format, compression: self.compression }.check()?;
        if self.existing == Existing::Append && !self.format.appends() {
            return Err(Error::usage(format!("rows cannot be added to this format: {}", self.format))
                .hint("csv, tsv, jsonl, sqlite and PostgreSQL take more rows; or replace it with [`overwrite`]"));
        }
        if self.bom && !matches!(self.format, Format::Csv | Format::Tsv) {
            return Err(Error::usage(format!("this format has no byte order mark: {}", self.format))
                .hint("leave [`bom`] out: it is for csv and tsv, for Excel"));
        }
        if self.table.is_empty() || self.table.contains('\0') {
            return Err(Error::usage("the table of the database needs a name").hint("name it with [`table`]"));
        }
        // A name that SQLite keeps to itself.
        if self.format == Format::Sqlite
            && self.table.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("sqlite_"))
        {
            return Err(Error::usage(format!("SQLite keeps this name for itself: {}", shown(&self.table)))
                .hint("name another one with [`table`]: it must not begin with sqlite_"));
        }
        super::check_built(self)
    }

    /// When two names of columns are the same.
    pub(super) fn names(&self) -> Names {
        Names { fold: self.fold_names }
    }
}

impl Default for SinkOptions {
    /// CSV.
    fn default() -> Self {
        Self::new(Format::Csv)
    }
}

/// Returns the path for an incomplete table: adds `.partial` to the file's name.
///
/// ```
/// use raudal_table::partial_path;
/// use std::path::Path;
/// assert_eq!(partial_path(Path::new("out/all.csv")), Path::new("out/all.csv.partial"));
/// ```
pub fn partial_path(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}
