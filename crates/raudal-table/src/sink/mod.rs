//! Writes the rows of all inputs as one table.
//!
//! The first input gives the header. The columns of the others are reordered to match it, or the
//! input is refused and the sink stays unchanged. A file with the final name is always complete:
//! the table is written under another name, synced, and renamed. A table of a database is written
//! in one transaction.
//!
//! | module | what it does |
//! |---|---|
//! | `format` | [`Format`], [`FileType`]: what the name of a file says |
//! | `options` | [`Target`], [`SinkOptions`], [`Existing`] |
//! | `types`, `infer` | [`Types`]: text, numbers and days; `auto` decides on all rows |
//! | `writer` | the trait that each format implements |
//! | `separated`, `json`, `terminal`, … | one file for each format |
//! | `output` | bytes to a file, a stream, compressed or not |

#[cfg(feature = "arrow")]
mod arrow;
mod format;
mod infer;
mod json;
mod options;
mod output;
#[cfg(feature = "parquet")]
mod parquet;
#[cfg(feature = "postgres")]
mod postgres;
mod schema;
mod separated;
#[cfg(feature = "sqlite")]
mod sqlite;
mod terminal;
mod types;
mod writer;

use std::fmt;
use std::io::Read;

pub use format::{Compression, FileType, Format};
#[cfg(feature = "arrow")]
pub use options::BatchSink;
pub use options::{Existing, SinkOptions, Target, partial_path};
pub use types::{Type, Types};

use infer::Undecided;
pub(super) use infer::{Looks, looks};
use output::Output;
use schema::Schema;
use writer::{Ending, Row, Writer};

use super::column_names::quoted;
use super::columns::align;
use super::rows::Rows;
use raudal_common::error::redact;
use raudal_common::{Error, Kind, Result};

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Written {
    /// Rows, without the header.
    pub rows: u64,
    /// Bytes, with those of the existing file that rows were added to; 0 for a table of a database.
    pub bytes: u64,
    /// Columns.
    pub columns: usize,
    /// SHA-256 of the bytes, in hexadecimal; empty for a table of a database.
    pub digest: String,
    /// With [`Types::Auto`]: why columns stay text although most of their cells look otherwise.
    pub notes: Vec<String>,
}

/// Writes the rows of many inputs as one table.
///
/// If dropped before [`Sink::finish`], it leaves no file behind.
pub struct Sink {
    writer: Box<dyn Writer>,
    options: SinkOptions,
    /// The reference for the header, and who gave it: the first input, or the existing table.
    reference: Option<(Vec<String>, String)>,
    /// The types of the columns, once the writer has begun.
    schema: Option<Schema>,
    /// The rows of all inputs while the types are undecided.
    undecided: Option<Undecided>,
    rows: u64,
    /// Whether a write failed part-way: the output must not be published.
    broken: bool,
}

impl Sink {
    /// Opens the target. Does so early, to report a missing folder before anything is fetched.
    ///
    /// # Errors
    ///
    /// [`Kind::Usage`] for options that do not go together; [`Kind::Io`] if the output is there
    /// already, or cannot be written.
    pub fn create(target: Target, options: SinkOptions) -> Result<Self> {
        options.check()?;
        let name = match &target {
            Target::File(path) => path.display().to_string(),
            _ => format!("the table {}", options.table),
        };
        let writer = open(target, &options)?;
        let reference = match writer.existing() {
            None => None,
            Some(existing) => {
                let mut header: Vec<String> = existing.iter().map(|column| column.name.clone()).collect();
                if let Some(source) = &options.source_column {
                    let names = options.names();
                    if header.first().is_none_or(|first| names.key(first) != names.key(source)) {
                        return Err(Error::new(
                            Kind::Headers,
                            format!(
                                "the first column of the existing table is not the source column: {}",
                                quoted(source)
                            ),
                        )
                        .input(&name));
                    }
                    header.remove(0);
                }
                Some((header, name))
            }
        };
        Ok(Self { writer, options, reference, schema: None, undecided: None, rows: 0, broken: false })
    }

    /// Appends the rows of an input. `source` is its name in errors and in the source column.
    ///
    /// # Errors
    ///
    /// As [`append_of`](Self::append_of).
    pub fn append(&mut self, source: &str, rows: Rows) -> Result<()> {
        self.append_of(source, source, rows)
    }

    /// Appends the rows of an input. `source` is its name in the source column, `place` its path or
    /// URL in errors.
    ///
    /// # Errors
    ///
    /// After [`Kind::Headers`], [`Kind::Column`] or [`Kind::Csv`] (a cell that is not of its
    /// column's type), nothing was written and another input may be appended.
    pub fn append_of(&mut self, source: &str, place: &str, mut rows: Rows) -> Result<()> {
        self.usable()?;
        let order = match &self.reference {
            None => None,
            Some((header, first)) => align(header, rows.header(), self.options.names()).map_err(|error| {
                let first = redact(first);
                let hint = match self.writer.existing() {
                    Some(_) => format!("rows are appended only to the same columns: {first}"),
                    None => format!("compared with the first input: {first}"),
                };
                error.input(place).hint(hint)
            })?,
        };
        let source_cell = self.options.source_column.is_some().then(|| redact(source));
        let arranged = Arranged { order: order.as_deref(), source: source_cell.as_deref() };
        let kept = rows.rows_kept();
        if self.undecided.is_none() {
            self.check_and_begin(place, &mut rows, arranged)?;
        }
        self.reference.get_or_insert_with(|| (rows.header.clone(), place.to_owned()));
        // Any failure from here on leaves part of a table behind.
        self.broken = true;
        self.write(place, rows, arranged)?;
        self.rows += kept;
        self.writer.input_done()?;
        self.broken = false;
        Ok(())
    }

    /// Checks the columns and the cells of an input, and begins the table with the first one.
    fn check_and_begin(&mut self, place: &str, rows: &mut Rows, arranged: Arranged<'_>) -> Result<()> {
        let first = self.schema.is_none();
        let schema = match self.schema.take() {
            Some(schema) => schema,
            None => self.plan(rows.header()).map_err(|error| error.input(place))?,
        };
        if self.options.types == Types::Auto && self.options.format.has_types() && self.writer.existing().is_none() {
            self.undecided = Some(Undecided::new(schema, self.options.source_column.is_some()));
            return Ok(());
        }
        // Before anything is written, so that one bad cell refuses its input only.
        let checked = check_cells(&schema, place, rows, arranged);
        if first && checked.is_ok() {
            self.broken = true;
            self.writer.begin(&schema)?;
            self.broken = false;
        }
        if !first || checked.is_ok() {
            self.schema = Some(schema);
        }
        checked
    }

    /// Writes the rows of an input, or puts them with those whose types are undecided.
    fn write(&mut self, place: &str, rows: Rows, arranged: Arranged<'_>) -> Result<()> {
        let mut records = rows.store.into_reader()?;
        if let Some(undecided) = &mut self.undecided {
            let mut number = 0;
            each(records, arranged, |row| {
                number += 1;
                undecided.row(row, place, number)
            })
        } else if self.writer.copies_records() && arranged.order.is_none() && arranged.source.is_none() {
            self.writer.copy(&mut records)
        } else {
            each(records, arranged, |row| self.writer.row(row))
        }
    }

    /// Publishes the table.
    pub fn finish(mut self) -> Result<Written> {
        let written = self.publish(Ending::Complete)?;
        written.ok_or_else(|| Error::new(Kind::Internal, "a complete table was not published"))
    }

    /// Publishes a table that lacks inputs because the run was stopped. A file is published under
    /// [`partial_path`]: finished inputs are kept, and the final name never holds an incomplete
    /// table. A stream has its rows already. Returns `None` if the target is a table in an existing
    /// database: it stays as it was.
    pub fn finish_partial(mut self) -> Result<Option<Written>> {
        self.publish(Ending::Stopped)
    }

    fn publish(&mut self, ending: Ending) -> Result<Option<Written>> {
        self.usable()?;
        let mut notes = Vec::new();
        if let Some(undecided) = self.undecided.take() {
            let (schema, store, found) = undecided.decide();
            notes = found;
            self.writer.begin(&schema)?;
            each(store.into_reader()?, Arranged::default(), |row| self.writer.row(row))?;
            self.schema = Some(schema);
        }
        let writer = std::mem::replace(&mut self.writer, Box::new(Gone));
        let columns = self.schema.as_ref().map_or(0, |schema| schema.columns.len());
        Ok(writer.finish(ending)?.map(|bytes| Written {
            rows: self.rows,
            bytes: bytes.count,
            columns,
            digest: bytes.digest.unwrap_or_default(),
            notes,
        }))
    }

    fn usable(&self) -> Result<()> {
        if self.broken {
            return Err(Error::new(Kind::Io, "the table is incomplete: writing to it failed before"));
        }
        Ok(())
    }

    /// Decides the columns from the header of the first input. Those of an existing table have its
    /// order.
    fn plan(&self, header: &[String]) -> Result<Schema> {
        let source = self.options.source_column.as_deref();
        let header = self.reference.as_ref().map_or(header, |(existing, _)| existing);
        check_header(self.options.format, source, header)?;
        let mut schema = Schema::text(source, header, &self.options);
        if let Types::Named(named) = &self.options.types {
            schema.name_types(named, self.options.names())?;
        }
        for (column, existing) in schema.columns.iter_mut().zip(self.writer.existing().unwrap_or_default()) {
            if existing.of_type != Type::Text {
                column.of_type = existing.of_type;
            }
        }
        Ok(schema)
    }
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sink").field("options", &self.options).field("rows", &self.rows).finish_non_exhaustive()
    }
}

/// Checks where a table would go, before anything is fetched, and leaves no trace. [`Sink::create`]
/// checks the same.
///
/// # Errors
///
/// [`Kind::Usage`] for options that do not go together; [`Kind::Io`] if the file is there already.
///
/// ```
/// use raudal_table::{Format, SinkOptions, Target, check_target};
///
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("out.csv");
/// std::fs::write(&path, "a\n").unwrap();
/// let error = check_target(&Target::File(path), &SinkOptions::new(Format::Csv)).unwrap_err();
/// assert!(error.hint_text().unwrap().contains("[`overwrite`]"));
/// ```
pub fn check_target(target: &Target, options: &SinkOptions) -> Result<()> {
    options.check()?;
    match (target, options.format) {
        (Target::File(path), _) => output::check(path, options),
        (Target::Stdout | Target::Writer(_), Format::Sqlite) => {
            Err(Error::usage("a database cannot go to standard output").hint("name a file with [`output`]"))
        }
        _ => Ok(()),
    }
}

/// Opens the writer of a format.
fn open(target: Target, options: &SinkOptions) -> Result<Box<dyn Writer>> {
    check_target(&target, options)?;
    Ok(match options.format {
        Format::Csv => Box::new(separated::Separated::new(Output::open(target, options)?, b',', options)?),
        Format::Tsv => Box::new(separated::Separated::new(Output::open(target, options)?, b'\t', options)?),
        Format::Jsonl => Box::new(json::Json::new(Output::open(target, options)?, false)?),
        Format::Json => Box::new(json::Json::new(Output::open(target, options)?, true)?),
        Format::Table => Box::new(terminal::Terminal::new(Output::open(target, options)?, options)),
        #[cfg(feature = "parquet")]
        Format::Parquet => Box::new(parquet::Parquet::new(Output::open(target, options)?)),
        #[cfg(feature = "arrow")]
        Format::Arrow => match target {
            Target::Batches(to) => Box::new(arrow::InMemory::new(to)),
            _ => Box::new(arrow::Arrow::new(Output::open(target, options)?)),
        },
        #[cfg(feature = "sqlite")]
        Format::Sqlite => match target {
            Target::File(path) => Box::new(sqlite::Sqlite::open(&path, options)?),
            _ => return Err(Error::usage("SQLite needs a file")),
        },
        #[cfg(feature = "postgres")]
        Format::Postgres => match target {
            Target::Database(url) => Box::new(postgres::Postgres::open(&url, options)?),
            _ => return Err(Error::usage("PostgreSQL needs the URL of a database")),
        },
        #[allow(unreachable_patterns)] // with all features
        format => return Err(not_built(format)),
    })
}

/// Refuses what this build cannot write, before anything is fetched.
fn check_built(options: &SinkOptions) -> Result<()> {
    #[allow(clippy::match_like_matches_macro, reason = "it looks like that without features")]
    let built = match options.format {
        Format::Parquet => cfg!(feature = "parquet"),
        Format::Arrow => cfg!(feature = "arrow"),
        Format::Sqlite => cfg!(feature = "sqlite"),
        Format::Postgres => cfg!(feature = "postgres"),
        _ => true,
    };
    if !built {
        return Err(not_built(options.format));
    }
    if options.compression == Compression::Zstd && !cfg!(feature = "zstd") {
        return Err(not_built("zstd"));
    }
    Ok(())
}

/// `what` is the name of a cargo feature too.
fn not_built(what: impl fmt::Display) -> Error {
    Error::usage(format!("this build does not write {what}")).hint(format!("build it with the cargo feature {what}"))
}

/// Takes the place of a writer that has published.
struct Gone;

impl Writer for Gone {
    fn begin(&mut self, _: &Schema) -> Result<()> {
        Err(Error::new(Kind::Internal, "the table is published"))
    }

    fn row(&mut self, _: &Row<'_>) -> Result<()> {
        Err(Error::new(Kind::Internal, "the table is published"))
    }

    fn finish(self: Box<Self>, _: Ending) -> Result<Option<writer::Bytes>> {
        Err(Error::new(Kind::Internal, "the table is published"))
    }
}

/// Checks that each cell is of its column's type.
fn check_cells(schema: &Schema, place: &str, rows: &mut Rows, arranged: Arranged<'_>) -> Result<()> {
    if schema.is_all_text() {
        return Ok(());
    }
    let mut number = 0;
    each(rows.store.reader()?, arranged, |row| {
        number += 1;
        row.cells().enumerate().try_for_each(|(at, cell)| schema.value(at, cell).map(drop))
    })
    .map_err(|error| error.member(format!("kept row {number}")).input(place))
}

/// What a record lacks to be a row of the output.
#[derive(Clone, Copy, Default)]
struct Arranged<'a> {
    /// The position in the record of each column.
    order: Option<&'a [usize]>,
    /// The cell of the source column.
    source: Option<&'a str>,
}

/// Calls `work` with each row.
fn each(records: impl Read, arranged: Arranged<'_>, mut work: impl FnMut(&Row<'_>) -> Result<()>) -> Result<()> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(records);
    let mut record = csv::ByteRecord::new();
    while reader
        .read_byte_record(&mut record)
        .map_err(|error| Error::io("cannot read back the rows held aside", error.into()))?
    {
        work(&Row { record: &record, order: arranged.order, source: arranged.source })?;
    }
    Ok(())
}

fn check_header(format: Format, source: Option<&str>, header: &[String]) -> Result<()> {
    let fold = |name: &str| if format == Format::Sqlite { name.to_ascii_lowercase() } else { name.to_owned() };
    if let Some(name) = source
        && header.iter().any(|column| fold(column) == fold(name))
    {
        return Err(Error::new(
            Kind::Column,
            format!("the input has a column of the source column's name: {}", quoted(name)),
        )
        .hint("choose another name for [`source_column`]"));
    }
    let what = match format {
        Format::Csv | Format::Tsv | Format::Table => return Ok(()),
        Format::Json | Format::Jsonl => "a JSON object has each name once",
        Format::Parquet | Format::Arrow => "the readers of this format need each name once",
        Format::Sqlite => "SQLite needs each name once, whatever its case",
        Format::Postgres => "PostgreSQL needs each name once",
    };
    let mut names: Vec<(String, &String)> = header.iter().map(|name| (fold(name), name)).collect();
    names.sort_unstable();
    let most = match format {
        Format::Sqlite => 2000,
        Format::Postgres => 1600,
        _ => usize::MAX,
    };
    let columns = header.len() + usize::from(source.is_some());
    if columns > most {
        return Err(Error::new(Kind::Column, format!("a table of {format} has {most} columns at most, not {columns}"))
            .hint("choose columns with [`select`], or another [`format`]"));
    }
    if let Some(twice) = names.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(Error::new(Kind::Column, format!("{what}, the header has one twice: {}", quoted(twice[1].1)))
            .hint("give all columns names of their own with [`columns`], or choose another [`format`]"));
    }
    Ok(())
}
