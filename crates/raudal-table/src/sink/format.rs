//! The formats, and how the name of a file decides one.
//!
//! To add a format: a variant and a name here, a file beside this one with a type that implements
//! [`Writer`](super::writer::Writer), and a line in `super::open`.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use crate::columns::{nearest, shown, suggestion};
use raudal_common::{Error, Result};

/// How the table is written.
///
/// ```
/// use raudal_table::Format;
/// assert_eq!("jsonl".parse::<Format>().unwrap(), Format::Jsonl);
/// assert_eq!("cvs".parse::<Format>().unwrap_err().hint_text(), Some("did you mean csv?"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// Commas, LF, quotes where needed.
    Csv,
    /// Tabs in place of commas.
    Tsv,
    /// One object per row, with its keys in column order. Values are text unless they have a
    /// [`Type`](crate::Type).
    Jsonl,
    /// One array of such objects.
    Json,
    /// Apache Parquet, with pages that Snappy compresses.
    Parquet,
    /// Apache Arrow's IPC format: with a footer in a file, as a stream elsewhere.
    Arrow,
    /// A table of a SQLite database.
    Sqlite,
    /// A table of a PostgreSQL database.
    Postgres,
    /// For people: aligned, and cut to the width of a terminal.
    Table,
}

impl Format {
    const NAMES: [(&'static str, Self); 8] = [
        ("csv", Self::Csv),
        ("tsv", Self::Tsv),
        ("jsonl", Self::Jsonl),
        ("json", Self::Json),
        ("parquet", Self::Parquet),
        ("arrow", Self::Arrow),
        ("sqlite", Self::Sqlite),
        ("table", Self::Table),
    ];

    /// Other endings that files of these formats have.
    const ALIASES: [(&'static str, Self); 6] = [
        ("tab", Self::Tsv),
        ("ndjson", Self::Jsonl),
        ("feather", Self::Arrow),
        ("ipc", Self::Arrow),
        ("sqlite3", Self::Sqlite),
        ("db", Self::Sqlite),
    ];

    /// Returns whether values may be other than text.
    pub(crate) fn has_types(self) -> bool {
        !matches!(self, Self::Csv | Self::Tsv | Self::Table)
    }

    /// Returns whether an existing table can get more rows.
    pub(crate) fn appends(self) -> bool {
        matches!(self, Self::Csv | Self::Tsv | Self::Jsonl | Self::Sqlite | Self::Postgres)
    }

    /// Returns whether gzip or Zstandard may be put around it. Parquet compresses itself, and the
    /// readers of Arrow files and of databases need random access.
    fn compresses(self) -> bool {
        matches!(self, Self::Csv | Self::Tsv | Self::Jsonl | Self::Json)
    }

    /// Returns whether its bytes are for programs only.
    pub fn is_binary(self) -> bool {
        matches!(self, Self::Parquet | Self::Arrow | Self::Sqlite | Self::Postgres)
    }

    fn of_ending(ending: &str) -> Option<Self> {
        let names = Self::NAMES.iter().filter(|(_, format)| *format != Self::Table).chain(&Self::ALIASES);
        names.into_iter().find(|(name, _)| *name == ending).map(|(_, format)| *format)
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Some((_, format)) = Self::NAMES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
            return Ok(*format);
        }
        if let Some(error) = spreadsheet(&text.to_ascii_lowercase()) {
            return Err(error);
        }
        let names = Self::NAMES.map(|(name, _)| name);
        Err(Error::usage(format!("unknown format: {}", shown(text))).hint(suggestion(text, &names)))
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES.iter().find(|(_, format)| format == self).map_or("postgres", |(name, _)| name);
        f.pad(name)
    }
}

/// What is put around the bytes of a format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Compression {
    /// Nothing.
    #[default]
    None,
    /// gzip, level 6. It holds no time, so equal tables are equal files.
    Gzip,
    /// Zstandard, level 3.
    Zstd,
}

impl Compression {
    fn of_ending(ending: &str) -> Option<Self> {
        match ending {
            "gz" | "gzip" => Some(Self::Gzip),
            "zst" | "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// A format and its compression, as the ending of a name says them: `csv.gz`.
///
/// ```
/// use raudal_table::{Compression, FileType, Format};
/// use std::path::Path;
///
/// let of_name = FileType::of_path(Path::new("all.ndjson.gz"))?;
/// assert_eq!((of_name.format, of_name.compression), (Format::Jsonl, Compression::Gzip));
/// assert_eq!("csv.zst".parse::<FileType>()?.compression, Compression::Zstd);
/// assert!(FileType::of_path(Path::new("all.parquet.gz")).is_err());
/// assert!(FileType::of_path(Path::new("all.txt")).is_err());
/// # Ok::<(), raudal_common::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_structs)] // the two parts of an ending
pub struct FileType {
    /// The format.
    pub format: Format,
    /// What is around it.
    pub compression: Compression,
}

impl FileType {
    /// Creates a type without compression.
    pub const fn new(format: Format) -> Self {
        Self { format, compression: Compression::None }
    }

    /// Returns what a file's name says.
    ///
    /// # Errors
    ///
    /// [`Kind::Usage`](raudal_common::Kind::Usage) for an ending that names no format that is
    /// written, and for a format that is not compressed.
    pub fn of_path(path: &Path) -> Result<Self> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        let named = |error: Error| error.input(path.display().to_string());
        let (stem, compression) = split(&name);
        let ending = stem.rsplit_once('.').filter(|(before, _)| !before.is_empty()).map(|(_, ending)| ending);
        let Some(ending) = ending else {
            return Err(named(Error::usage("the name of the output has no ending that says its format"))
                .hint(format!("{}, or choose with [`format`]", endings())));
        };
        if let Some(format) = Format::of_ending(ending) {
            let of_name = Self { format, compression };
            return of_name.check().map(|()| of_name).map_err(named);
        }
        if let Some(error) = spreadsheet(ending) {
            return Err(named(error));
        }
        let error = named(Error::usage(format!("no format has this ending: {}", shown(&format!(".{ending}")))));
        if matches!(ending, "bz2" | "xz" | "zip" | "7z" | "lz4" | "br") {
            return Err(error.hint("what is compressed ends in .gz or .zst, such as .csv.gz"));
        }
        let formats: Vec<&str> = Format::NAMES.iter().map(|(format, _)| *format).filter(|it| *it != "table").collect();
        let near: Vec<String> = nearest(ending, &formats).into_iter().map(|name| format!(".{name}")).collect();
        Err(error.hint(if near.is_empty() {
            format!("{}, or choose with [`format`]", endings())
        } else {
            format!("did you mean {}? Or choose with [`format`]", near.join(" or "))
        }))
    }

    /// Returns this type for a file of another name: the name still says whether it is compressed,
    /// if nothing else does and the format may be.
    ///
    /// ```
    /// use raudal_table::{FileType, Format};
    /// let of_name = FileType::new(Format::Jsonl).for_path("out.txt.gz".as_ref());
    /// assert_eq!(of_name.to_string(), "jsonl.gz");
    /// ```
    #[must_use]
    pub fn for_path(self, path: &Path) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        match self.compression {
            Compression::None if self.format.compresses() => Self { compression: split(&name).1, ..self },
            _ => self,
        }
    }

    /// Refuses a compression around a format that has none.
    pub(crate) fn check(self) -> Result<()> {
        if self.compression == Compression::None || self.format.compresses() {
            return Ok(());
        }
        let why = match self.format {
            Format::Parquet => "it is compressed inside",
            Format::Table => "it is for a terminal",
            _ => "its readers need to seek",
        };
        Err(Error::usage(format!("nothing is put around this format: {}", self.format))
            .hint(format!("{why}: leave the second ending out")))
    }
}

impl FromStr for FileType {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, compression) = split(text);
        let file_type = Self { format: name.parse()?, compression };
        file_type.check()?;
        Ok(file_type)
    }
}

impl fmt::Display for FileType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ending = match self.compression {
            Compression::None => "",
            Compression::Gzip => ".gz",
            Compression::Zstd => ".zst",
        };
        write!(f, "{}{ending}", self.format)
    }
}

/// Splits a name into what is before an ending of compression, and the compression.
fn split(name: &str) -> (&str, Compression) {
    let of_ending = name.rsplit_once('.').and_then(|(stem, ending)| Some((stem, Compression::of_ending(ending)?)));
    of_ending.unwrap_or((name, Compression::None))
}

fn endings() -> &'static str {
    "it may end in .csv, .tsv, .jsonl, .json (each with .gz or .zst), .parquet, .arrow or .sqlite"
}

/// Returns the refusal of a spreadsheet.
fn spreadsheet(ending: &str) -> Option<Error> {
    matches!(ending, "xlsx" | "xls" | "xlsm" | "xlsb" | "ods").then(|| {
        Error::usage(format!("spreadsheets are not written: {ending}"))
            .hint("write .csv with [`bom`], which Excel and LibreOffice open with the right letters")
    })
}
